//! How fast it is: `cargo test --release statuses::redis::tests::speed -- --ignored --nocapture`.

use super::*;

/// How many orders are measured.
const ORDERS: u32 = 100_000;

/// The server of `OMS_TEST_REDIS_URL`, or one of the test's own.
fn target() -> Option<(RedisUrl, Option<Server>)> {
    if let Ok(url) = std::env::var("OMS_TEST_REDIS_URL") {
        let url: RedisUrl = format!("{url}?prefix=oms-speed:").parse().unwrap();
        return Some((url, None));
    }
    let server = Server::start(&[])?;
    Some((server.url(), Some(server)))
}

fn tell(what: &str, count: u32, took: Duration) {
    println!("{what}: {:.0}/s", f64::from(count) / took.as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and needs the machine for itself"]
async fn speed() {
    let Some((url, _server)) = target() else {
        return;
    };
    let clock = ManualClock::default();
    let store = Arc::new(Store::connect(&url, clock.clone()).await.unwrap());
    for size in [500, 1_000, 2_000] {
        for (status, lanes) in [(Status::Init, 1), (Status::Block, 1), (Status::Failed, 4)] {
            let began = Instant::now();
            let lane = |lane: u32| {
                let (store, clock) = (Arc::clone(&store), clock.clone());
                tokio::spawn(async move {
                    let share = ORDERS / lanes;
                    let numbers: Vec<u32> = (lane * share..(lane + 1) * share).collect();
                    for chunk in numbers.chunks(size) {
                        let batch = chunk.iter().map(|number| to(&clock, *number, status));
                        store.transition(batch.collect()).await.unwrap();
                    }
                })
            };
            for task in (0..lanes).map(lane).collect::<Vec<_>>() {
                task.await.unwrap();
            }
            tell(
                &format!("{status} in batches of {size}, {lanes} at once"),
                ORDERS,
                began.elapsed(),
            );
        }
        let began = Instant::now();
        for first in (0..ORDERS).step_by(size) {
            let ids = (first..first + u32::try_from(size).unwrap()).map(id);
            store.get(ids.collect()).await.unwrap();
        }
        tell(
            &format!("read in batches of {size}"),
            ORDERS,
            began.elapsed(),
        );
        clock.advance(MINUTE * 2);
    }
    let group = {
        let store = Arc::clone(&store);
        Arc::new(Group::start(2_000, move |batch: Vec<Transition>| {
            let store = Arc::clone(&store);
            async move { store.transition(batch).await }
        }))
    };
    let began = Instant::now();
    let tasks: Vec<_> = (0..200)
        .map(|task| {
            let (group, clock) = (Arc::clone(&group), clock.clone());
            tokio::spawn(async move {
                for number in (0..ORDERS).skip(task).step_by(200) {
                    group
                        .submit(to(&clock, number, Status::Init))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    tell(
        "one at a time by 200 tasks, grouped",
        ORDERS,
        began.elapsed(),
    );
}
