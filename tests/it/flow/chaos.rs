//! Random storms over the models: random faults in every port, processes that die, stores that forget. Each is
//! repeated exactly by its seed, since time is simulated and every choice comes from one stream. `OMS_TEST_SEED=7`
//! repeats one of them, `OMS_TEST_STORMS=5000` runs more than the usual 60.

use std::collections::BTreeSet;
use std::time::Duration;

use oms::domain::{Money, OrderState, Reason};
use oms::flow::{Added, Placement};
use oms::rng::Rng;
use tokio::time::{Instant, sleep};

use super::world::{PLACED, Process, World, buyer};
use crate::faults::{Fault, Op};
use crate::make::{id, money};
use crate::model::{Call, Gate, Outcome};

/// Buyers of one storm.
const BUYERS: u64 = 40;

/// How long faults are injected, in simulated time.
const UNREST: Duration = Duration::from_secs(20);

const ITEMS: [&str; 4] = ["A", "B", "C", "D"];

/// One of these.
fn one_of<T: Clone>(rng: &mut Rng, choices: &[T]) -> T {
    let last = choices.len() as u64 - 1;
    choices[usize::try_from(rng.between(0, last)).unwrap()].clone()
}

fn any_fault(rng: &mut Rng, op: Op) -> Fault {
    match rng.between(0, 5) {
        0 => Fault::Unavailable,
        1 => Fault::LostBefore,
        2 => Fault::LostAfter,
        3 => Fault::DelayBefore(Duration::from_millis(rng.between(1, 3_000))),
        4 if matches!(op, Op::Publish | Op::Poll) => {
            Fault::Duplicate(usize::try_from(rng.between(2, 5)).unwrap())
        }
        4 if matches!(op, Op::Transition | Op::CacheStock) => Fault::Forget,
        _ => Fault::None,
    }
}

fn any_outcome(rng: &mut Rng, late: &Gate) -> Outcome {
    match rng.between(0, 9) {
        0 => Outcome::Decline,
        1 => Outcome::TimeOut,
        2 => Outcome::CaptureUnheard,
        3 => Outcome::Pending {
            asks: u32::try_from(rng.between(1, 8)).unwrap(),
        },
        4 => Outcome::Late(late.clone()),
        5 => Outcome::LateUnheard(late.clone()),
        6 => Outcome::Away,
        7 => Outcome::Silence,
        _ => Outcome::Capture,
    }
}

/// One buyer, who repeats what was in doubt and believes what is final.
async fn buy(front: Process, number: u64, mut rng: Rng) {
    sleep(Duration::from_millis(rng.between(0, 10_000))).await;
    let first = usize::try_from(rng.between(0, 3)).unwrap();
    let lines = [
        (ITEMS[first], i64::try_from(rng.between(1, 2)).unwrap()),
        (ITEMS[(first + 1) % 4], 1),
    ];
    let count = usize::try_from(rng.between(1, 2)).unwrap();
    loop {
        match front.add(number, lines[..count].iter().copied()).await {
            Ok(Added::Accepted { .. } | Added::Known { .. }) => break,
            Ok(Added::Refused(_)) => return,
            Err(_) => sleep(Duration::from_millis(500)).await,
        }
        if front.faults.is_dead() {
            return;
        }
    }
    // One in five never comes back: the sweep has to end its order.
    while rng.between(0, 4) > 0 {
        match front.place(number).await {
            Ok(Placement::Placed | Placement::Failed(_)) => return,
            Ok(Placement::Waiting(_)) | Err(_) => sleep(Duration::from_millis(500)).await,
        }
    }
}

/// Injects faults until the unrest is over: into processes, which may die and be replaced, and into the stores.
async fn disturb(world: &World, workers: &mut Vec<Process>, fronts: &[Process], rng: &mut Rng) {
    let over = Instant::now() + UNREST;
    let mut remembered = world.statuses.snapshot();
    while Instant::now() < over {
        sleep(Duration::from_millis(rng.between(5, 400))).await;
        match rng.between(0, 11) {
            0 => {
                let index = usize::try_from(rng.between(0, workers.len() as u64 - 1)).unwrap();
                workers.swap_remove(index).crash();
                workers.push(world.working());
            }
            1 => world.statuses.flush(),
            2 => remembered = world.statuses.snapshot(),
            3 => world.statuses.roll_back(remembered.clone()),
            4 => world.queue.rebalance(),
            5 => {
                let by = i64::try_from(rng.between(1, 3)).unwrap();
                world.correct(one_of(rng, &ITEMS), -by);
            }
            6 => {
                let by = i64::try_from(rng.between(1, 3)).unwrap();
                world.correct(one_of(rng, &ITEMS), by);
            }
            7 => world.payments.set_away(rng.between(0, 1) == 0),
            _ => {
                let all = [&Op::DATABASE[..], &Op::LOG, &Op::STATUSES, &Op::GATEWAY].concat();
                let op = one_of(rng, &all);
                let fault = any_fault(rng, op);
                let everyone: Vec<&Process> = workers.iter().chain(fronts).collect();
                one_of(rng, &everyone).faults.next(op, [fault]);
            }
        }
    }
}

/// The state of a decided order, and why it failed.
type End = (OrderState, Option<Reason>);

/// What storms have seen, so that a storm in which nothing happens does not pass for a calm one.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    ends: BTreeSet<End>,
    /// Order by order: how it ended, what was paid, and what was given back.
    orders: Vec<(Option<End>, Money, Money)>,
    refunded: usize,
    fenced: usize,
}

async fn storm(seed: u64, seen: &mut Seen) {
    let mut rng = Rng::from_seed(seed);
    let partitions = usize::try_from(rng.between(1, 3)).unwrap();
    let world = World::with_partitions(partitions, ITEMS.map(|name| (name, 12)));
    let late = Gate::default();
    for number in 0..BUYERS {
        let outcomes: Vec<Outcome> = (0..3).map(|_| any_outcome(&mut rng, &late)).collect();
        world.payments.script(&buyer(number), outcomes);
    }
    let mut workers = vec![world.working(), world.working()];
    let fronts: Vec<Process> = (0..2).map(|_| world.process()).collect();
    let buyers: Vec<_> = (0..BUYERS)
        .map(|number| {
            let front = &fronts[usize::try_from(number % 2).unwrap()];
            tokio::spawn(buy(front.again(), number, Rng::stream(seed, number + 10)))
        })
        .collect();
    disturb(&world, &mut workers, &fronts, &mut rng).await;
    world.payments.set_away(false);
    late.open();
    for process in workers.iter().chain(&fronts) {
        process.faults.clear();
    }
    // Whoever still asks gets an answer by the deadline and a grace.
    let patience = world.settings.wait + world.settings.hold + Duration::from_secs(60);
    for buyer in buyers {
        tokio::time::timeout(patience, buyer)
            .await
            .expect("a buyer waits for ever")
            .unwrap();
    }
    for worker in workers {
        worker.end().await;
    }
    world.check_invariants().await;
    for number in 0..BUYERS {
        let (captured, refunded) = world.paid(number);
        let placed = world.state(number) == PLACED;
        let kept = if placed { captured } else { money(0) };
        seen.ends.extend(world.state(number));
        seen.orders.push((world.state(number), captured, refunded));
        seen.refunded += usize::from(refunded > money(0));
        seen.fenced += usize::from(world.payments.count(Call::Cancel(id(number))) > 0);
        assert_eq!(
            captured.minor() - refunded.minor(),
            kept.minor(),
            "P: order {} of buyer {number}",
            id(number)
        );
    }
}

/// Runs storms, each of its own seed; a failure names the seed and how to repeat it.
fn storms(seeds: impl IntoIterator<Item = u64>) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(storm(seed, &mut seen));
        }));
        if let Err(panic) = ended {
            eprintln!(
                "the storm of seed {seed} broke an invariant; repeat it with\n  \
                 OMS_TEST_SEED={seed} cargo test --release chaos"
            );
            std::panic::resume_unwind(panic);
        }
    }
    seen
}

#[test]
fn a_seed_repeats_its_storm_order_by_order() {
    for seed in 1..=10 {
        assert_eq!(storms([seed]), storms([seed]), "seed {seed}");
    }
    assert_ne!(storms([1]), storms([2]));
}

#[test]
fn random_storms_break_no_invariant() {
    if let Ok(seed) = std::env::var("OMS_TEST_SEED") {
        storms([seed.parse().unwrap()]);
        return;
    }
    let count = std::env::var("OMS_TEST_STORMS").map_or(60, |count| count.parse().unwrap());
    let seen = storms(1..=count);
    for reason in [
        Reason::Declined,
        Reason::Expired,
        Reason::NegativeInventory,
        Reason::Held,
        Reason::SoldOut,
    ] {
        let end = (OrderState::Failed, Some(reason));
        assert!(seen.ends.contains(&end), "no order failed by {reason}");
    }
    assert!(seen.ends.contains(&PLACED.unwrap()));
    assert!(seen.refunded > 10 && seen.fenced > 100, "{seen:?}");
}
