//! Checks that are queries.

use super::Check;

/// A check: each row is (subject, detail, count). The subject is an order if its column is called `order_id`.
pub(in crate::inventory) struct Query {
    pub check: Check,
    pub run: Run,
    pub sql: &'static str,
}

/// When the audit itself runs a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::inventory) enum Run {
    Always,
    /// When a full audit has read fewer settlements or refunds with their orders than there are.
    IfMissed,
    /// Never: [`super::orders`] finds the same in one pass over the orders.
    ByHand,
}
