-- How patients heard of the clinic. ASSUMED: the table's name follows from the key column that points to it.
SELECT X.ID AS id, X.Name AS name
FROM dbo.InfoSources AS X
