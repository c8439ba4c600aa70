//! How the SQL adapters read overdue orders: some holds at a time. A batch whose orders have all ended is closed, so that
//! nobody looks through its orders again.

use std::future::Future;
use std::time::Duration;

use super::HoldEnd;
use crate::domain::{Order, OrderId, Timestamp};
use crate::ports::Error;

/// How many holds are looked at at once.
pub(super) const HOLDS_MAX: u8 = 16;

/// Some of the overdue orders.
#[derive(Default)]
pub(super) struct Overdue {
    /// The longest overdue first.
    pub(super) orders: Vec<Order>,
    /// Holds that ran out and whose orders have all ended.
    pub(super) exhausted: Vec<Timestamp>,
    /// Where to go on; none at the end.
    pub(super) next: Option<HoldEnd>,
}

/// The order of a hold behind which to begin, when reading goes on after an order.
pub(super) fn begin(hold: Timestamp, after: HoldEnd) -> OrderId {
    if hold == after.hold_until {
        after.order_id
    } else {
        HoldEnd::FIRST.order_id
    }
}

/// Where to go on behind all orders of these holds; none if there are no more.
pub(super) fn behind(holds: &[Timestamp]) -> Option<HoldEnd> {
    let last = holds.last()?;
    (holds.len() == usize::from(HOLDS_MAX)).then(|| HoldEnd {
        hold_until: last.plus(Duration::from_millis(1)),
        ..HoldEnd::FIRST
    })
}

/// A store with batches that share a hold.
pub(super) trait Batches: Sync {
    /// Overdue orders of at most [`HOLDS_MAX`] holds.
    fn overdue(
        &self,
        after: HoldEnd,
        limit: usize,
    ) -> impl Future<Output = Result<Overdue, Error>> + Send;

    /// Closes the batches whose holds ran out at these times.
    fn close(&self, holds: Vec<Timestamp>) -> impl Future<Output = Result<(), Error>> + Send;

    /// Overdue orders of all holds.
    fn all_overdue(
        &self,
        after: Option<HoldEnd>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Order>, Error>> + Send {
        async move {
            let mut after = after.unwrap_or(HoldEnd::FIRST);
            let mut found = Vec::new();
            while found.len() < limit {
                let read = self.overdue(after, limit - found.len()).await?;
                found.extend(read.orders);
                if !read.exhausted.is_empty()
                    && let Err(error) = self.close(read.exhausted).await
                {
                    // The next sweep makes up for it.
                    tracing::debug!(error = %error.chain(), "batches stay open");
                }
                match read.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            Ok(found)
        }
    }
}
