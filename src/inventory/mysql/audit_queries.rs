//! The audit's queries. Each row found is something wrong.

use crate::inventory::Check;
use crate::inventory::audit::{Query, Run};

/// What is due before `@due_before` is overdue; a minute ago if it is not set, as when somebody runs the query by hand.
pub(super) const QUERIES: &[Query] = &[
    Query {
        check: Check::Oversold,
        run: Run::Always,
        sql: "SELECT sku, CONCAT('sold ', sold, ' and blocked ', blocked, ' of ', initial + raised, \
             ' that there ever were'), CAST(sold + blocked - initial - raised AS SIGNED) \
         FROM (SELECT items.*, COALESCE((SELECT SUM(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units > 0), 0) AS raised FROM items) AS i \
         WHERE sold + blocked > initial + raised",
    },
    Query {
        check: Check::Oversold,
        run: Run::Always,
        sql: "SELECT sku, CONCAT('available is ', available, ', which corrections do not explain'), -available \
         FROM items WHERE available < 0 AND available < COALESCE((SELECT SUM(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units < 0), 0)",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT sku, CONCAT('initial ', initial, ' + adjusted ', adjusted, ' is not available ', available, \
             ' + blocked ', blocked, ' + sold ', sold), ABS(initial + adjusted - available - blocked - sold) \
         FROM items WHERE initial + adjusted <> available + blocked + sold",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT items.sku, CONCAT('adjusted is ', adjusted, ', but its corrections add up to ', \
             COALESCE(total, 0)), CAST(ABS(adjusted - COALESCE(total, 0)) AS SIGNED) \
         FROM items LEFT JOIN (SELECT sku, SUM(units) AS total FROM adjustments GROUP BY sku) AS a \
             ON a.sku = items.sku WHERE adjusted <> COALESCE(total, 0)",
    },
    // Carts are added up first, in one pass over the orders, and only the sums are held against the items.
    Query {
        check: Check::Conservation,
        run: Run::ByHand,
        sql: "SELECT sku, IF(SUM(is_item) > 0, \
             CONCAT('blocked is ', SUM(blocked), ' and sold ', SUM(sold), ', with sales not folded in, but its orders \
                 hold ', SUM(held), ' and bought ', SUM(bought)), \
             CONCAT('orders hold ', SUM(held), ' and bought ', SUM(bought), ' of no known item')), \
             CAST(ABS(SUM(blocked) - SUM(held)) + ABS(SUM(sold) - SUM(bought)) AS SIGNED) \
         FROM (SELECT sku, blocked, sold, 0 AS held, 0 AS bought, 1 AS is_item FROM items \
             UNION ALL \
             SELECT CAST(sale.sku AS BINARY) AS sku, -SUM(sale.units), SUM(sale.units), 0, 0, 0 \
             FROM sales JOIN JSON_TABLE(IF(JSON_VALID(sales.units), sales.units, '[]'), '$[*]' COLUMNS \
                 (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS sale \
             GROUP BY CAST(sale.sku AS BINARY) \
             UNION ALL \
             SELECT CAST(line.sku AS BINARY) AS sku, 0, 0, SUM(IF(s.state IS NULL, line.units, 0)), \
                 SUM(IF(s.state = 2, line.units, 0)), 0 \
             FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
                 JOIN JSON_TABLE(IF(JSON_VALID(o.body), o.body, '[]'), '$[4][*]' COLUMNS \
                 (sku VARCHAR(64) PATH '$[0]', units BIGINT PATH '$[1]')) AS line \
             WHERE s.state IS NULL OR s.state = 2 GROUP BY CAST(line.sku AS BINARY)) AS sides \
         GROUP BY sku \
         HAVING SUM(blocked) <> SUM(held) OR SUM(sold) <> SUM(bought) OR SUM(is_item) = 0",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT sku, CONCAT('blocked is ', blocked, ' and sold ', sold), \
             GREATEST(-blocked, 0) + GREATEST(-sold, 0) \
         FROM items WHERE blocked < 0 OR sold < 0",
    },
    Query {
        check: Check::Conservation,
        run: Run::ByHand,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, 'its cart cannot be read', 1 \
         FROM orders \
         WHERE IF(JSON_VALID(body), COALESCE(JSON_TYPE(JSON_EXTRACT(body, '$[4]')), ''), '') <> 'ARRAY'",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT CONCAT('sale ', sale_id), 'its units cannot be read', 1 FROM sales WHERE NOT JSON_VALID(units)",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::IfMissed,
        sql: "SELECT LOWER(HEX(r.order_id)) AS order_id, 'refunded, and there is no such order', 1 \
         FROM refunds AS r LEFT JOIN orders AS o ON o.order_id = r.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::ByHand,
        sql: "SELECT LOWER(HEX(r.order_id)) AS order_id, 'refunded, and it did not fail', 1 \
         FROM refunds AS r JOIN orders AS o ON o.order_id = r.order_id \
             LEFT JOIN settlements AS s ON s.order_id = r.order_id \
         WHERE s.state IS NULL OR s.state <> 3",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::IfMissed,
        sql: "SELECT LOWER(HEX(s.order_id)) AS order_id, 'settled, and there is no such order', 1 \
         FROM settlements AS s LEFT JOIN orders AS o ON o.order_id = s.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Unpaid,
        run: Run::ByHand,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, \
             'placed without a time of settlement, or with a reason to fail', 1 \
         FROM settlements WHERE state = 2 AND (settled_at IS NULL OR reason IS NOT NULL)",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::ByHand,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, 'failed without a reason', 1 \
         FROM settlements WHERE state = 3 AND reason IS NULL",
    },
    Query {
        check: Check::Unrefunded,
        run: Run::Always,
        sql: "SELECT LOWER(HEX(order_id)) AS order_id, \
             CONCAT('a refund of ', amount, ' is due since ', recorded_at), 1 \
         FROM refunds WHERE executed_at IS NULL \
             AND recorded_at < COALESCE(@due_before, (UNIX_TIMESTAMP() - 60) * 1000)",
    },
];

pub(super) const OVERDUE: &str = "SELECT LOWER(HEX(o.order_id)) AS order_id, CONCAT('held until ', o.hold_until), 1 \
     FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     WHERE s.order_id IS NULL AND o.hold_until < COALESCE(@due_before, (UNIX_TIMESTAMP() - 60) * 1000) \
     ORDER BY o.order_id";

/// Units sold, by the items and by what is not folded into them yet.
pub(super) const UNITS_SOLD: &str = "SELECT CAST((SELECT COALESCE(SUM(GREATEST(sold, 0)), 0) FROM items) \
     + (SELECT COALESCE(SUM(sale.units), 0) FROM sales JOIN JSON_TABLE(IF(JSON_VALID(sales.units), sales.units, '[]'), \
         '$[*]' COLUMNS (units BIGINT PATH '$[1]')) AS sale) AS SIGNED)";
