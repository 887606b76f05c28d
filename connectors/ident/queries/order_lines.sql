-- Lines of orders: what was done, how often, at which price and discount.
SELECT
    L.ID AS line_id,
    L.ID_Orders AS order_id,
    S.Name AS service_name,
    L.CountService AS service_count,
    T.Price AS price,
    L.DiscountSum AS discount
FROM dbo.OrderServiceRelation AS L
LEFT JOIN dbo.ServiceItemPrices AS T ON T.ID = L.ID_ServicePrices
LEFT JOIN dbo.ServiceItems AS S ON S.ID = T.ID_ServiceItems
