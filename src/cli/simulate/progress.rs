//! The live view of a storm: a bar, and numbers whose columns stay where they are.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::Context;
use crate::domain::format_duration;
use crate::simulate::{Arrivals, Counts, Gauges, Glance, Plan, Step};

/// How often it changes: often enough to see that it lives, seldom enough to be read.
const EVERY: Duration = Duration::from_millis(500);

/// Shows how far the storm is, until dropped; nothing where nobody watches.
pub(super) async fn show(
    context: &Context,
    plan: &Plan,
    watch: impl Fn() -> (Counts, Glance),
    gauges: &Gauges,
) -> Infallible {
    if !context.out.shows_progress() {
        return std::future::pending().await;
    }
    let began = Instant::now();
    let (total, by_time) = match lasts(plan) {
        Some(lasts) => (millis(lasts), true),
        None => (plan.users_coming(), false),
    };
    let line = context.out.bar_with_message(total);
    loop {
        tokio::time::sleep(EVERY).await;
        let (counts, glance) = watch();
        let passed = began.elapsed();
        line.set_position(if by_time {
            millis(passed).min(total)
        } else {
            counts.finished
        });
        line.set_message(text(&View {
            stage: stage(plan, passed),
            counts: &counts,
            glance: &glance,
            in_flight: gauges.in_flight(),
            backlog: gauges.backlog(),
        }));
    }
}

/// How long buyers come, where time ends that.
fn lasts(plan: &Plan) -> Option<Duration> {
    match plan.pacing() {
        Arrivals::Once => None,
        Arrivals::Again { duration, .. } => Some(*duration),
        Arrivals::Open { schedule, .. } => schedule.duration(),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The part of the run that it is in.
fn stage(plan: &Plan, passed: Duration) -> String {
    if passed < plan.warm_up() {
        return "warm-up".to_owned();
    }
    match plan.pacing() {
        Arrivals::Once => String::new(),
        Arrivals::Again { duration, .. } if passed < *duration => {
            format!("for {}", format_duration(*duration))
        }
        Arrivals::Again { .. } => "ending".to_owned(),
        Arrivals::Open { schedule, .. } => schedule
            .bands()
            .into_iter()
            .find(|band| band.to.is_none_or(|to| passed < to))
            .map_or_else(|| "ending".to_owned(), |band| band.name),
    }
}

/// What there is to see.
struct View<'a> {
    stage: String,
    counts: &'a Counts,
    glance: &'a Glance,
    in_flight: u64,
    backlog: u64,
}

/// Numbers are padded to widths that a storm seldom exceeds, so that nothing jumps.
fn text(view: &View<'_>) -> String {
    let View { counts, glance, .. } = view;
    let mut text = String::new();
    if !view.stage.is_empty() {
        let _ = write!(text, "{:<8} ", view.stage);
    }
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{:>6}/s of {:>6}/s came, {:>6}/s decided  {:>6} in flight  backlog {:>6}  p99 ms",
        glance.arrived, glance.offered, glance.decided, view.in_flight, view.backlog,
    );
    for (step, short) in [(Step::AddToCart, "cart"), (Step::PlaceOrder, "order")] {
        let _ = write!(
            text,
            " {short} {:>6}",
            ms(glance.latency_us[step.index()].1)
        );
    }
    let _ = write!(
        text,
        "  {} placed, {} refused, {} failed",
        counts.placed,
        counts.refused_all(),
        counts.failed_all()
    );
    if glance.dropped > 0 {
        let _ = write!(text, ", {}/s left out", glance.dropped);
    }
    text
}

/// Microseconds as milliseconds; a dash where nothing was measured.
fn ms(us: u64) -> String {
    match us {
        0 => "-".to_owned(),
        us => format!("{}.{}", us / 1_000, us % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(counts: &'a Counts, glance: &'a Glance) -> String {
        text(&View {
            stage: "ramp".to_owned(),
            counts,
            glance,
            in_flight: 7,
            backlog: 123,
        })
    }

    #[test]
    fn columns_stay_where_they_are() {
        let counts = Counts::default();
        let quiet = view(&counts, &Glance::default());
        let busy = view(
            &counts,
            &Glance {
                offered: 12_345,
                arrived: 12_000,
                decided: 9,
                latency_us: [(100, 1_234), (0, 0), (0, 0)],
                ..Glance::default()
            },
        );
        assert_eq!(quiet.len(), busy.len());
        assert_eq!(quiet.find("in flight"), busy.find("in flight"));
        assert!(busy.starts_with("ramp "), "{busy}");
        assert!(busy.contains(" 12000/s of  12345/s came"), "{busy}");
        assert!(busy.contains("cart    1.2 order      -"), "{busy}");
    }
}
