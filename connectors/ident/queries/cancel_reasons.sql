-- Why appointments are cancelled. ASSUMED: the table's name follows from the key column that points to it.
SELECT X.ID AS id, X.Name AS name
FROM dbo.ReceptionCancelReasons AS X
