-- Branches (legal entities): iDent keeps only their names; addresses and time zones are options.
SELECT C.ID AS branch_id, C.Name AS name
FROM dbo.OwnCompanies AS C
