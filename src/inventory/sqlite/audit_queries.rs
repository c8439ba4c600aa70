//! The audit's queries. Each row found is something wrong.

use crate::inventory::Check;
use crate::inventory::audit::{Query, Run};

/// `?1` is the time before which what is due is overdue.
pub(super) const QUERIES: &[Query] = &[
    Query {
        check: Check::Oversold,
        run: Run::Always,
        sql: "SELECT sku, \
         'sold ' || sold || ' and blocked ' || blocked || ' of ' || (initial + raised) || ' that there ever were', \
         sold + blocked - initial - raised \
         FROM (SELECT items.*, coalesce((SELECT sum(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units > 0), 0) AS raised FROM items) \
         WHERE sold + blocked > initial + raised",
    },
    Query {
        check: Check::Oversold,
        run: Run::Always,
        sql: "SELECT sku, 'available is ' || available || ', which corrections do not explain', -available \
         FROM items WHERE available < 0 AND available < coalesce((SELECT sum(units) FROM adjustments AS a \
             WHERE a.sku = items.sku AND a.units < 0), 0)",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT sku, 'initial ' || initial || ' + adjusted ' || adjusted || ' is not available ' || available \
         || ' + blocked ' || blocked || ' + sold ' || sold, \
         abs(initial + adjusted - available - blocked - sold) \
         FROM items WHERE initial + adjusted <> available + blocked + sold",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT items.sku, 'adjusted is ' || adjusted || ', but its corrections add up to ' || coalesce(total, 0), \
         abs(adjusted - coalesce(total, 0)) \
         FROM items LEFT JOIN (SELECT sku, sum(units) AS total FROM adjustments GROUP BY sku) AS a \
         ON a.sku = items.sku WHERE adjusted <> coalesce(total, 0)",
    },
    Query {
        check: Check::Conservation,
        run: Run::ByHand,
        sql: "WITH lines AS (SELECT coalesce(s.state, 1) AS state, json_extract(line.value, '$[0]') AS sku, \
                 json_extract(line.value, '$[1]') AS units \
             FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id, \
                 json_each(iif(json_valid(o.body), o.body, '[]'), '$[4]') AS line \
             WHERE coalesce(s.state, 1) IN (1, 2)), \
         carts AS (SELECT sku, sum(iif(state = 1, units, 0)) AS blocked, sum(iif(state = 2, units, 0)) AS sold \
             FROM lines GROUP BY sku) \
         SELECT items.sku, 'blocked is ' || items.blocked || ' and sold ' || items.sold || ', but its orders hold ' \
             || coalesce(carts.blocked, 0) || ' and bought ' || coalesce(carts.sold, 0), \
             abs(items.blocked - coalesce(carts.blocked, 0)) + abs(items.sold - coalesce(carts.sold, 0)) \
         FROM items LEFT JOIN carts ON carts.sku = items.sku \
         WHERE items.blocked <> coalesce(carts.blocked, 0) OR items.sold <> coalesce(carts.sold, 0) \
         UNION ALL \
         SELECT carts.sku, 'orders hold ' || carts.blocked || ' and bought ' || carts.sold || ' of no known item', \
             carts.blocked + carts.sold \
         FROM carts LEFT JOIN items ON items.sku = carts.sku WHERE items.sku IS NULL",
    },
    Query {
        check: Check::Conservation,
        run: Run::Always,
        sql: "SELECT sku, 'blocked is ' || blocked || ' and sold ' || sold, max(-blocked, 0) + max(-sold, 0) \
         FROM items WHERE blocked < 0 OR sold < 0",
    },
    Query {
        check: Check::Conservation,
        run: Run::ByHand,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'its cart cannot be read', 1 \
         FROM orders WHERE iif(json_valid(body), json_type(body, '$[4]'), '') IS NOT 'array'",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::IfMissed,
        sql: "SELECT lower(hex(r.order_id)) AS order_id, 'refunded, and there is no such order', 1 \
         FROM refunds AS r LEFT JOIN orders AS o ON o.order_id = r.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::ByHand,
        sql: "SELECT lower(hex(r.order_id)) AS order_id, 'refunded, and it did not fail', 1 \
         FROM refunds AS r JOIN orders AS o ON o.order_id = r.order_id \
             LEFT JOIN settlements AS s ON s.order_id = r.order_id \
         WHERE s.state IS NOT 3",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::IfMissed,
        sql: "SELECT lower(hex(s.order_id)) AS order_id, 'settled, and there is no such order', 1 \
         FROM settlements AS s LEFT JOIN orders AS o ON o.order_id = s.order_id WHERE o.order_id IS NULL",
    },
    Query {
        check: Check::Unpaid,
        run: Run::ByHand,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'placed without a time of settlement, or with a reason to fail', 1 \
         FROM settlements WHERE state = 2 AND (settled_at IS NULL OR reason IS NOT NULL)",
    },
    Query {
        check: Check::Uniqueness,
        run: Run::ByHand,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'failed without a reason', 1 \
         FROM settlements WHERE state = 3 AND reason IS NULL",
    },
    Query {
        check: Check::Unrefunded,
        run: Run::Always,
        sql: "SELECT lower(hex(order_id)) AS order_id, 'a refund of ' || amount || ' is due since ' || recorded_at, 1 \
         FROM refunds WHERE executed_at IS NULL AND recorded_at < ?1",
    },
];

pub(super) const OVERDUE: &str = "SELECT o.order_id FROM orders AS o LEFT JOIN settlements AS s ON s.order_id = o.order_id \
     WHERE s.order_id IS NULL AND o.hold_until < ?1 ORDER BY o.order_id";
