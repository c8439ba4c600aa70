//! How buyers differ: each kind alone, in a storm of nothing else.

use super::*;
use crate::simulate::Behaviour;

fn behaving(behaviour: Behaviour) -> Plan {
    Arc::unwrap_or_clone(plan(500, 0, Duration::from_secs(5))).behaving(behaviour)
}

#[tokio::test(start_paused = true)]
async fn whoever_abandons_leaves_an_open_order() {
    let plan = behaving(Behaviour {
        abandon: "100%".parse().unwrap(),
        ..Behaviour::default()
    });
    let run = run_plan(plan, Shop::new(1_000, 0, Duration::ZERO), bounds(GRACE)).await;
    let counts = run.measured.counts;
    assert_eq!((counts.accepted, counts.open, counts.placed), (500, 500, 0));
    assert!(run.measured.latencies.place_order.is_empty());
    assert_eq!(run.measured.latencies.add_to_cart.len(), 500);
}

#[tokio::test(start_paused = true)]
async fn whoever_clicks_twice_or_tries_again_buys_once() {
    for behaviour in [
        Behaviour {
            click_twice: "100%".parse().unwrap(),
            ..Behaviour::default()
        },
        Behaviour {
            retry: Some("100%:50ms".parse().unwrap()),
            ..Behaviour::default()
        },
    ] {
        let shop = Shop::new(1_000, 10, Duration::from_millis(120));
        let run = run_plan(behaving(behaviour), shop, bounds(GRACE)).await;
        let counts = run.measured.counts;
        assert_eq!((counts.attempts, counts.accepted), (500, 500));
        assert_eq!(counts.placed + counts.failed_all(), 500);
        assert_eq!(
            run.measured.told.len(),
            500,
            "no answer contradicts another"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_leaves_and_its_order_goes_on() {
    let plan = behaving(Behaviour {
        give_up: Some("100%:1s".parse().unwrap()),
        ..Behaviour::default()
    });
    let shop = Shop::new(1_000, 0, Duration::from_secs(3));
    let run = run_plan(plan, shop, bounds(GRACE)).await;
    assert_eq!(run.measured.counts.open, 500);
    assert!(run.in_flight_max <= 102, "{}", run.in_flight_max);
}

#[tokio::test(start_paused = true)]
async fn whoever_left_without_the_goods_comes_again_later_once() {
    let plan = behaving(Behaviour {
        return_later: Some("100%:20s".parse().unwrap()),
        ..Behaviour::default()
    });
    let run = run_plan(plan, Shop::new(100, 0, Duration::ZERO), bounds(GRACE)).await;
    let counts = run.measured.counts;
    assert_eq!((counts.placed, counts.attempts), (100, 900));
    assert_eq!(run.punctuality.offered, 900);
    assert!(run.in_flight_max < 20, "those who are away are no tasks");
}

#[tokio::test(start_paused = true)]
async fn a_bot_sends_cart_after_cart() {
    let plan = behaving(Behaviour {
        bots: Some("100%:4".parse().unwrap()),
        ..Behaviour::default()
    });
    let run = run_plan(plan, Shop::new(1_000, 0, Duration::ZERO), bounds(GRACE)).await;
    let counts = run.measured.counts;
    assert_eq!((counts.attempts, counts.placed), (2_000, 1_000));
    assert_eq!(counts.refused_all(), 1_000);
}
