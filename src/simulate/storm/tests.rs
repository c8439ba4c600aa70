mod behaving;
mod shop;

use super::super::measure::slot;
use super::super::{Arrivals, Drawn, Gaps, Popularity, Schedule, Span};
use super::*;
use crate::domain::{Reason, Sku};
use shop::Shop;

fn plan(users: u64, come_back: u32, ramp: Duration) -> Arc<Plan> {
    let one = Span::new(1, 1).unwrap();
    let items: Arc<[Sku]> = [Sku::synthetic(1)].into();
    let drawn = Drawn {
        users,
        items,
        popularity: Popularity::zipf(1, 1.0),
        lines: one,
        quantity: one,
        ramp,
    };
    Arc::new(Plan::drawn(7, come_back, drawn))
}

fn bounds(hold: Duration) -> Bounds {
    Bounds {
        hold,
        in_flight_max: IN_FLIGHT_MAX,
    }
}

async fn run(users: u64, come_back: u32, shop: (Shop, Arc<Board>)) -> Run {
    let (_stop, stop) = watch::channel(false);
    let plan = plan(users, come_back, Duration::ZERO);
    Storm::new(
        plan,
        shop.0,
        Some(shop.1),
        Arc::default(),
        bounds(Duration::from_secs(5)),
    )
    .run(stop)
    .await
}

#[tokio::test(start_paused = true)]
async fn a_hundred_units_are_all_sold_although_a_third_of_the_payments_is_declined() {
    let run = run(10_000, 3, Shop::new(100, 35, Duration::from_millis(200))).await;
    let counts = &run.measured.counts;
    assert_eq!(counts.placed, 100);
    assert_eq!(
        (counts.arrived, counts.finished, counts.open),
        (10_000, 10_000, 0)
    );
    assert!(counts.failed[slot(Reason::Declined)] > 20, "{counts:?}");
    assert_eq!(counts.accepted, counts.placed + counts.failed_all());
    let left = counts.refused_all() + counts.placed + counts.failed[slot(Reason::Declined)];
    assert_eq!(
        left, 10_000,
        "everyone was sold something, was declined, or was refused"
    );
}

#[tokio::test(start_paused = true)]
async fn buyers_who_never_come_back_leave_at_the_first_refusal() {
    let run = run(500, 0, Shop::new(100, 0, Duration::from_millis(200))).await;
    let counts = run.measured.counts;
    assert_eq!(
        (counts.placed, counts.gave_up_held, counts.returned),
        (100, 400, 0)
    );
    assert_eq!(counts.refused[slot(Reason::Held)], 400);
    assert_eq!(counts.attempts, 500);
}

#[tokio::test(start_paused = true)]
async fn more_buyers_than_fit_arrive_when_others_have_left() {
    let users = IN_FLIGHT_MAX as u64 + 500;
    let run = run(users, 0, Shop::new(i64::MAX, 0, Duration::from_millis(300))).await;
    assert_eq!(run.measured.counts.placed, users);
    assert_eq!(run.in_flight_max, IN_FLIGHT_MAX);
    assert!(
        run.punctuality.lag_max >= Duration::from_millis(300),
        "{:?}",
        run.punctuality.lag_max
    );
}

#[tokio::test(start_paused = true)]
async fn an_order_that_never_ends_is_given_up_after_the_hold_and_the_grace() {
    let started = Instant::now();
    let run = run(10, 0, Shop::new(10, 0, Duration::from_secs(86_400))).await;
    assert_eq!(started.elapsed(), Duration::from_secs(5) + GRACE);
    assert_eq!(
        (run.measured.counts.open, run.measured.counts.accepted),
        (10, 10)
    );
    assert_eq!(
        run.measured.told.len(),
        10,
        "what was accepted stays on record"
    );
    assert!(!run.interrupted);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_stops_arrivals_and_keeps_what_is_known() {
    let (stop, stopped) = watch::channel(false);
    let (shop, board) = Shop::new(1_000, 0, Duration::from_millis(10));
    let storm = Storm::new(
        plan(1_000, 0, Duration::from_secs(100)),
        shop,
        Some(board),
        Arc::default(),
        bounds(GRACE),
    );
    let interrupt = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        stop.send(true).unwrap();
    };
    let (run, ()) = tokio::join!(storm.run(stopped), interrupt);
    assert!(run.interrupted);
    let counts = run.measured.counts;
    assert_eq!((counts.arrived, counts.placed), (101, 101));
}

#[tokio::test(start_paused = true)]
async fn buyers_of_a_ramp_arrive_one_after_the_other() {
    let (_stop, stop) = watch::channel(false);
    let (shop, board) = Shop::new(1_000, 0, Duration::from_millis(1));
    let plan = plan(1_000, 0, Duration::from_secs(10));
    let run = Storm::new(plan, shop, Some(board), Arc::default(), bounds(GRACE))
        .run(stop)
        .await;
    assert_eq!(run.elapsed, Duration::from_millis(9_991));
    assert!(run.in_flight_max < 10);
}

/// Buyers at a rate of 100 per second for ten seconds, at regular intervals.
fn at_a_rate() -> Plan {
    let rate = "100/s".parse().unwrap();
    let ten = Duration::from_secs(10);
    let schedule = Schedule::new(Some(rate), Duration::ZERO, &[], Some(ten)).unwrap();
    let plan = Arc::unwrap_or_clone(plan(u64::MAX, 0, Duration::ZERO));
    plan.arriving(Arrivals::Open {
        schedule,
        gaps: Gaps::Constant,
    })
}

async fn run_plan(plan: Plan, shop: (Shop, Arc<Board>), bounds: Bounds) -> Run {
    let (_stop, stop) = watch::channel(false);
    Storm::new(Arc::new(plan), shop.0, Some(shop.1), Arc::default(), bounds)
        .run(stop)
        .await
}

#[tokio::test(start_paused = true)]
async fn buyers_at_a_rate_come_whatever_the_service_does() {
    let shop = Shop::new(i64::MAX, 0, Duration::from_secs(5));
    let run = run_plan(at_a_rate(), shop, bounds(GRACE)).await;
    assert_eq!(run.punctuality.offered, 1_000);
    assert_eq!((run.punctuality.late, run.punctuality.dropped), (0, 0));
    assert!(run.punctuality.is_valid());
    assert_eq!(run.in_flight_max, 501, "five seconds of them, and the next");
    assert_eq!(run.measured.counts.placed, 1_000);
    let arrived: Vec<u64> = (run.course.intervals().iter())
        .map(|interval| interval.count(Event::Arrived))
        .collect();
    assert_eq!(arrived[..100], [10; 100]);
    assert_eq!(arrived.iter().sum::<u64>(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn buyers_at_a_rate_who_find_no_room_are_left_out_and_the_run_is_invalid() {
    let shop = Shop::new(i64::MAX, 0, Duration::from_secs(5));
    let tight = Bounds {
        in_flight_max: 100,
        ..bounds(GRACE)
    };
    let run = run_plan(at_a_rate(), shop, tight).await;
    assert_eq!(run.punctuality.offered, 1_000);
    assert!(run.punctuality.dropped >= 700, "{:?}", run.punctuality);
    assert!(!run.punctuality.is_valid());
    let counts = &run.measured.counts;
    assert_eq!(counts.arrived + run.punctuality.dropped, 1_000);
    assert_eq!(counts.placed, counts.arrived);
    assert_eq!(run.in_flight_max, 100);
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_the_warm_up_is_evidence_and_in_no_figure() {
    let shop = Shop::new(i64::MAX, 0, Duration::from_millis(10));
    let plan = at_a_rate().warming_up(Duration::from_secs(4));
    let run = run_plan(plan, shop, bounds(GRACE)).await;
    assert_eq!(run.punctuality.warmed_up, 400);
    assert_eq!(run.measured.counts.placed, 600);
    assert_eq!(run.measured.latencies.end_to_end.len(), 600);
    assert_eq!(run.measured.told.len(), 1_000);
    assert_eq!(run.elapsed, Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn users_come_again_after_thinking_until_the_time_is_over() {
    let plan = Arc::unwrap_or_clone(plan(10, 0, Duration::ZERO)).arriving(Arrivals::Again {
        think: "900ms".parse().unwrap(),
        duration: Duration::from_secs(10),
    });
    let shop = Shop::new(i64::MAX, 0, Duration::from_millis(100));
    let run = run_plan(plan, shop, bounds(GRACE)).await;
    // A visit and a thought take a second; sampling makes time pass in steps of its own.
    assert_eq!(run.punctuality.offered, 100);
    assert_eq!(run.measured.counts.placed, 100);
    assert!(run.in_flight_max <= 10);
    assert_eq!(run.punctuality.late, 0);
}
