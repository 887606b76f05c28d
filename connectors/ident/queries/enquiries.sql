-- Enquiries without an appointment, from a table INVENTED for the demo clinic: iDent's own is not public.
-- A clinic gives a query of its own here (option `queries: {enquiries: …}`), or has no enquiries from this source.
SELECT
    E.ID AS enquiry_id,
    E.DateTimeAdded AS created_at,
    E.Phone AS phone,
    E.Name AS name,
    E.Result AS result,
    E.Source AS source
FROM dbo.KresloDemoEnquiries AS E
