//! The live line of a storm.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::Context;
use crate::simulate::{Counts, Gauges, Glance};

/// How often it changes.
const EVERY: Duration = Duration::from_millis(250);

/// Shows how far the storm is, until dropped; nothing where nobody watches.
pub(super) async fn show(
    context: &Context,
    users: u64,
    watch: impl Fn() -> (Counts, Glance),
    gauges: &Gauges,
) -> Infallible {
    if !context.out.shows_progress() {
        return std::future::pending().await;
    }
    let line = context.out.bar_with_message(users);
    let mut before = (Instant::now(), 0);
    loop {
        tokio::time::sleep(EVERY).await;
        let (counts, _) = watch();
        let decided = counts.placed + counts.failed_all();
        let now = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (decided - before.1) as f64 / (now - before.0).as_secs_f64();
        before = (now, decided);
        let backlog = gauges.backlog();
        line.set_position(counts.finished);
        line.set_message(format!(
            "{} of {users} arrived, {} in flight, {} placed, {} refused, {} failed, backlog {backlog}, {rate:.0} orders/s",
            counts.arrived,
            counts.arrived - counts.finished,
            counts.placed,
            counts.refused_all(),
            counts.failed_all(),
        ));
    }
}
