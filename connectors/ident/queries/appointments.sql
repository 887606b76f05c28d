-- Appointments: Receptions with the doctor's and the registrar's names, the chair and its branch.
-- One row a reception: a doctor with two professions is given the first by name, never two rows.
-- Status is a set of instants; each stands in its own column, since DateTimeChanged need not move with them.
SELECT
    R.ID AS appointment_id,
    R.ID_Patients AS patient_id,
    R.PlanStart AS start_local,
    R.PlanEnd AS end_local,
    COALESCE(R.DateTimeAdded, R.ReceptionAdded) AS created_at,
    R.DateTimeChanged AS changed_at,
    R.DateTimeNotified AS notified_at,
    R.PatientAppeared AS appeared_at,
    R.ReceptionStarted AS started_at,
    R.ReceptionEnded AS ended_at,
    R.CheckIssued AS billed_at,
    R.ReceptionCanceled AS cancelled_at,
    R.ID_ReceptionCancelReasons AS cancel_reason_id,
    R.CancelReasonComment AS cancel_comment,
    R.ID_ReceptionsTransferFrom AS transferred_from_id,
    R.ID_AppointmentSources AS source_id,
    R.Comment AS comment,
    A.NameArmchair AS room,
    C.ID AS branch_id,
    C.Name AS branch_name,
    R.ID_Staffs AS doctor_id,
    D.Surname AS doctor_surname,
    D.Name AS doctor_name,
    D.Patronymic AS doctor_patronymic,
    (
        SELECT MIN(N.NameProfession)
        FROM dbo.Items AS I
        INNER JOIN dbo.ProfessionNames AS N ON N.ID = I.ID_ProfessionNames
        WHERE I.ID_Staffs = R.ID_Staffs AND (N.Archive IS NULL OR N.Archive = 0)
    ) AS doctor_specialty,
    G.Surname AS registrar_surname,
    G.Name AS registrar_name,
    G.Patronymic AS registrar_patronymic
FROM dbo.Receptions AS R
LEFT JOIN dbo.Persons AS D ON D.ID = R.ID_Staffs
LEFT JOIN dbo.Persons AS G ON G.ID = R.ID_StaffsReceptionAdded
LEFT JOIN dbo.Armchairs AS A ON A.ID = R.ID_Armchairs
LEFT JOIN dbo.OwnCompanies AS C ON C.ID = A.ID_OwnCompanies
