use super::*;
use crate::simulate::{Popularity, Span};

pub(super) fn plan(seed: u64, users: u64) -> Plan {
    let items: Arc<[Sku]> = (1..=100).map(Sku::synthetic).collect();
    let drawn = Drawn {
        users,
        popularity: Popularity::zipf(items.len(), 1.0),
        items,
        lines: Span::new(1, 3).unwrap(),
        quantity: Span::new(1, 2).unwrap(),
        ramp: Duration::from_secs(10),
    };
    Plan::drawn(seed, 3, drawn)
}

#[test]
fn a_seed_repeats_its_buyers_in_every_version() {
    // Pinned: a change here changes every storm that was ever published with its seed.
    assert_eq!(plan(7, 1_000).digest(), "7a0a32b6441c92018b595201b0e08326");
    assert_ne!(plan(8, 1_000).digest(), plan(7, 1_000).digest());
    assert_ne!(plan(7, 1_001).digest(), plan(7, 1_000).digest());
}

#[test]
fn behaviour_is_part_of_the_digest() {
    let patient = Plan {
        come_back: 4,
        ..plan(7, 10)
    };
    assert_ne!(patient.digest(), plan(7, 10).digest());
}

#[test]
fn a_buyer_is_the_same_however_often_and_in_whatever_order_it_is_asked_for() {
    let plan = plan(7, 50);
    let backwards: Vec<Cart> = (0..50).rev().map(|number| plan.cart(number)).collect();
    for number in 0..50 {
        assert_eq!(
            plan.cart(number),
            backwards[49 - usize::try_from(number).unwrap()]
        );
    }
}

#[test]
fn shards_share_out_the_buyers_and_are_of_one_plan() {
    let whole = plan(7, 101);
    let shards = ["1/2", "2/2"].map(|text| plan(7, 101).shard(text.parse().unwrap()));
    let mut due: Vec<_> = shards.iter().flat_map(Plan::due).collect();
    due.sort_unstable();
    assert_eq!(due, whole.due().collect::<Vec<_>>());
    assert_eq!(shards.each_ref().map(Plan::users_coming), [51, 50]);
    for shard in &shards {
        assert_eq!(shard.digest(), whole.digest());
        assert_eq!(shard.cart(7), whole.cart(7));
    }
}

#[test]
fn carts_keep_to_their_ranges() {
    let plan = plan(1, 2_000);
    let mut sizes = [0; 4];
    for number in 0..2_000 {
        let cart = plan.cart(number);
        sizes[cart.lines().len()] += 1;
        assert!(
            cart.lines()
                .iter()
                .all(|line| (1..=2).contains(&line.quantity.units()))
        );
    }
    assert_eq!(sizes[0], 0);
    assert!(sizes[1..].iter().all(|count| *count > 500), "{sizes:?}");
}

#[test]
fn arrivals_are_spread_evenly_over_the_ramp() {
    let plan = plan(1, 1_000);
    let arrivals: Vec<Duration> = plan.arrivals().collect();
    assert_eq!(arrivals[0], Duration::ZERO);
    assert_eq!(arrivals[500], Duration::from_secs(5));
    assert_eq!(arrivals[999], Duration::from_millis(9_990));
}

#[test]
fn an_invoice_arrives_at_its_time_of_day_as_many_times_faster() {
    let cart = plan(1, 1).cart(0);
    let invoice = |number: &str, seconds| Invoice {
        number: number.to_owned(),
        customer: cart.customer().clone(),
        at: Duration::from_secs(seconds),
        cart: cart.clone(),
    };
    let plan = Plan::invoices(
        1,
        0,
        [invoice("536365", 0), invoice("536366", 600)].into(),
        600.0,
    );
    assert_eq!(plan.users(), 2);
    assert_eq!(plan.arrivals().nth(1), Some(Duration::from_secs(1)));
    assert_eq!(plan.invoice(1).unwrap().number, "536366");
    assert_eq!(plan.skus().len(), cart.lines().len());
}
fn open(seed: u64, gaps: Gaps) -> Plan {
    let schedule = Schedule::new(
        Some("200/s".parse().unwrap()),
        Duration::from_secs(2),
        &[],
        Some(Duration::from_secs(10)),
    );
    plan(seed, u64::MAX).arriving(Arrivals::Open {
        schedule: schedule.unwrap(),
        gaps,
    })
}

#[test]
fn an_open_plan_has_as_many_buyers_as_its_rates_bring() {
    let regular = open(7, Gaps::Constant);
    assert_eq!(regular.users(), 1_800);
    assert_eq!(regular.arrivals().next(), Some(Duration::ZERO));
    let by_chance = open(7, Gaps::Poisson);
    assert!(by_chance.users().abs_diff(1_800) < 200);
    let arrivals: Vec<Duration> = by_chance.arrivals().collect();
    assert!(arrivals.is_sorted());
    assert_eq!(arrivals.len() as u64, by_chance.users());
    assert!(*arrivals.last().unwrap() < Duration::from_secs(10));
}

#[test]
fn arrivals_at_a_rate_are_part_of_the_digest_and_a_seed_repeats_them() {
    // Pinned, as above: arrivals are drawn by comparisons and exact operations only.
    let digest = open(7, Gaps::Poisson).digest();
    assert_eq!(digest, "ea605d6099c916a8c45d2037041720ec");
    assert_ne!(digest, open(8, Gaps::Poisson).digest());
    assert_ne!(digest, open(7, Gaps::Constant).digest());
}

fn with(behaviour: Behaviour) -> Plan {
    plan(7, 500).behaving(behaviour)
}

#[test]
fn everything_that_sets_a_plan_apart_is_part_of_its_digest() {
    let abandon = Behaviour {
        abandon: "10%".parse().unwrap(),
        ..Behaviour::default()
    };
    let again = Arrivals::Again {
        think: "1s".parse().unwrap(),
        duration: Duration::from_secs(5),
    };
    let plans = [
        plan(7, 500),
        with(abandon),
        plan(7, 500).arriving(again),
        plan(7, 500).restocking(vec!["1s:top2:+5".parse().unwrap()]),
        plan(7, 500).warming_up(Duration::from_secs(1)),
    ];
    let mut digests: Vec<String> = plans.iter().map(Plan::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), plans.len());
}

#[test]
fn behaviour_changes_no_cart_but_those_of_bots_and_bulk_buyers() {
    let plain = plan(7, 500);
    let mixed = with(Behaviour {
        abandon: "10%".parse().unwrap(),
        bots: Some("10%:5".parse().unwrap()),
        bulk: Some("10%:20..30".parse().unwrap()),
        ..Behaviour::default()
    });
    let (mut bots, mut bulk) = (0, 0);
    for number in 0..500 {
        let visit = mixed.visit(number);
        match visit.traits {
            Traits { bot: Some(5), .. } => {
                bots += 1;
                assert_eq!(visit.cart.lines()[0].sku, Sku::synthetic(1));
                assert_eq!(visit.cart.lines().len(), 1);
            }
            Traits { lines: Some(_), .. } => {
                bulk += 1;
                assert!((20..=30).contains(&visit.cart.lines().len()));
            }
            _ => assert_eq!(visit.cart, plain.cart(number)),
        }
    }
    assert!(bots > 25 && bulk > 25, "{bots} bots, {bulk} bulk buyers");
}

#[test]
fn a_user_who_comes_again_has_the_same_name_and_another_cart() {
    let plan = plan(7, 50).arriving(Arrivals::Again {
        think: "1s..2s".parse().unwrap(),
        duration: Duration::from_secs(5),
    });
    let (first, second) = (plan.cart(3), plan.cart(53));
    assert_eq!(first.customer(), second.customer());
    assert_ne!(first.lines(), second.lines());
    assert_eq!(plan.think(3), plan.think(3));
    assert_ne!(plan.think(3), plan.think(53));
    let later = plan.later_visit(3);
    assert_eq!((later.cart, later.traits.returns_after), (first, None));
}
