//! The live view of a storm: a bar, and below it numbers that stay where they are and fit 80 columns.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::Instant;

use super::figures::ms;
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
        Some(lasts) => (ms(lasts), true),
        None => (plan.users_coming(), false),
    };
    let bar = context.out.bar_over_lines(total);
    loop {
        tokio::time::sleep(EVERY).await;
        let (counts, glance) = watch();
        let passed = began.elapsed();
        bar.set_position(if by_time {
            ms(passed).min(total)
        } else {
            counts.finished
        });
        bar.set_prefix(stage(plan, passed));
        bar.set_message(text(&View {
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
    counts: &'a Counts,
    glance: &'a Glance,
    in_flight: u64,
    backlog: u64,
}

/// Numbers are padded to widths that a storm seldom exceeds, so that nothing jumps.
fn text(view: &View<'_>) -> String {
    let View { counts, glance, .. } = view;
    let came = format!(
        "last second  {:>7} of {:>7} came  {:>7} decided  {:>7} left out",
        glance.arrived, glance.offered, glance.decided, glance.dropped
    );
    let step = |step: Step| {
        let (half, most) = glance.latency_us[step.index()];
        format!("p50 {:>8} p99 {:>8}", shown(half), shown(most))
    };
    let took = format!(
        "in ms        cart {}   order {}",
        step(Step::AddToCart),
        step(Step::PlaceOrder)
    );
    let now = format!(
        "now          {:>7} in flight  {:>7} backlog",
        view.in_flight, view.backlog
    );
    let so_far = format!(
        "so far       {:>7} placed  {:>7} refused  {:>7} failed",
        counts.placed,
        counts.refused_all(),
        counts.failed_all()
    );
    [came, took, now, so_far].join("\n")
}

/// Microseconds as milliseconds; a dash where nothing was measured.
fn shown(us: u64) -> String {
    match us {
        0 => "-".to_owned(),
        us => format!("{}.{}", us / 1_000, us % 1_000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(counts: &Counts, glance: &Glance) -> String {
        text(&View {
            counts,
            glance,
            in_flight: 7,
            backlog: 123,
        })
    }

    #[test]
    fn columns_stay_where_they_are_and_fit_a_narrow_terminal() {
        let quiet = view(&Counts::default(), &Glance::default());
        let busy = view(
            &Counts {
                placed: 1_234_567,
                ..Counts::default()
            },
            &Glance {
                offered: 12_345,
                arrived: 12_000,
                decided: 9,
                dropped: 345,
                latency_us: [(100, 1_234), (0, 0), (0, 0)],
            },
        );
        let widths = |text: &str| text.lines().map(str::len).collect::<Vec<_>>();
        assert_eq!(widths(&quiet), widths(&busy));
        assert!(widths(&busy).iter().all(|width| *width < 80), "{busy}");
        assert_eq!(
            busy,
            "last second    12000 of   12345 came        9 decided      345 left out\n\
             in ms        cart p50      0.1 p99      1.2   order p50        - p99        -\n\
             now                7 in flight      123 backlog\n\
             so far       1234567 placed        0 refused        0 failed"
        );
    }
}
