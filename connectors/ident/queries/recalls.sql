-- Recalls: ScheduledReceptions, those who are to be invited later («пригласить позже»). It is not the diary.
-- The table does not say when one was closed; what closed it stands in one of four columns.
SELECT
    S.ID AS recall_id,
    S.ID_Patients AS patient_id,
    S.DateTimeAdded AS created_at,
    S.DateTimeChanged AS changed_at,
    CASE
        WHEN S.ID_ReceptionsClose IS NULL
            AND S.ID_DelayAppointmentsClose IS NULL
            AND S.ID_ReceptionCancelReasons IS NULL
            AND S.ID_CrmJobCommunicationCommentsClose IS NULL
            THEN 0
        ELSE 1
    END AS is_closed,
    S.Comment AS comment,
    C.ID AS branch_id,
    C.Name AS branch_name,
    S.ID_Staffs AS doctor_id,
    D.Surname AS doctor_surname,
    D.Name AS doctor_name,
    D.Patronymic AS doctor_patronymic,
    N.NameProfession AS doctor_specialty
FROM dbo.ScheduledReceptions AS S
LEFT JOIN dbo.Persons AS D ON D.ID = S.ID_Staffs
LEFT JOIN dbo.ProfessionNames AS N ON N.ID = S.ID_ProfessionNames
LEFT JOIN dbo.OwnCompanies AS C ON C.ID = S.ID_OwnCompanies
