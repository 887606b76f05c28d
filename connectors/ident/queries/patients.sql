-- Patients: the key is the person's (Patients has no ID of its own); names and phones stand in Persons.
-- Birthday is text in iDent, in more than one format. An archiving reason is taken to mean an archived card.
SELECT
    P.ID_Persons AS patient_id,
    H.Surname AS surname,
    H.Name AS name,
    H.Patronymic AS patronymic,
    H.Birthday AS birth_date_raw,
    H.MobilePhone AS phone_mobile,
    H.Phone AS phone_other,
    P.CardNumber AS card_number,
    P.ParentSNP AS parent_name,
    P.ID_InfoSources AS source_id,
    P.SMSRejection AS sms_opt_out,
    P.ConformToSending AS marketing_consent,
    CASE WHEN P.ID_ArchivingReasons > 0 THEN 1 ELSE 0 END AS is_archived,
    P.Comment AS comment,
    P.DateTimeChanged AS changed_at
FROM dbo.Patients AS P
INNER JOIN dbo.Persons AS H ON H.ID = P.ID_Persons
