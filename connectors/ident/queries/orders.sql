-- Orders of appointments, with what the payments journal says of each. A visit may have several orders.
SELECT
    O.ID AS order_id,
    O.ID_Receptions AS appointment_id,
    O.DateTimeOrder AS ordered_at,
    O.DateTimeBillFormed AS billed_at,
    J.DateTimeBill AS changed_at,
    J.Amount AS amount,
    J.AmountWithDiscount AS amount_with_discount,
    J.InsuranceAmount AS insurance_amount,
    J.HasInsurance AS has_insurance,
    J.Debt AS debt
FROM dbo.Orders AS O
LEFT JOIN dbo.OrderPaymentsJournal AS J ON J.ID_Orders = O.ID
WHERE O.ID_Receptions IS NOT NULL
