//! The storm itself: buyers arrive as planned, and the run waits for what becomes of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::buyer::{self, Scene};
use super::driver::Driver;
use super::gauges::Gauges;
use super::measure::{Counts, Course, Event, Measured, Tally};
use super::plan::Plan;
use super::returns::Board;
use super::sampler::{Glance, Sampler};

/// The most buyers under way at once: each is a task with its requests in memory (about 10 KiB). Later ones arrive
/// when others have left, and the report says how late.
pub const IN_FLIGHT_MAX: usize = 20_000;

/// How long after the last arrival and the hold a run still waits for orders to become final.
pub const GRACE: Duration = Duration::from_secs(60);

/// How long buyers under way may still finish after an interruption.
const INTERRUPTED_GRACE: Duration = Duration::from_secs(2);

/// A run: who comes, how they reach the service, and how it is watched.
#[derive(Debug)]
pub struct Storm<D> {
    scene: Arc<Scene<D>>,
    sampler: Arc<Sampler>,
    hold: Duration,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Everything measured.
    pub measured: Measured,
    /// The same over time.
    pub course: Course,
    /// From the first arrival to the last order that became final; zero if none did.
    pub elapsed: Duration,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// How late the latest buyer arrived, since too many were under way.
    pub arrival_lag_max: Duration,
    /// How many buyers were under way at most.
    pub in_flight_max: usize,
    /// The longest that the answer to one cart took.
    pub longest_answer: Duration,
    /// Requests that failed and were tried again, and how the first one failed.
    pub errors: (u64, Option<String>),
}

impl<D: Driver> Storm<D> {
    /// Prepares a run. Orders become final within `hold` and a grace, or are stuck.
    pub fn new(
        plan: Arc<Plan>,
        driver: D,
        board: Option<Arc<Board>>,
        gauges: Arc<Gauges>,
        hold: Duration,
    ) -> Self {
        let scene = Scene {
            plan,
            driver,
            tally: Tally::default(),
            gauges,
            board,
        };
        Self {
            scene: Arc::new(scene),
            sampler: Arc::new(Sampler::new(Instant::now())),
            hold,
        }
    }

    /// What is measured so far, for whoever shows progress.
    pub fn watch(&self) -> impl Fn() -> (Counts, Glance) + Send + 'static {
        let (scene, sampler) = (Arc::clone(&self.scene), Arc::clone(&self.sampler));
        move || (scene.tally.counts(), sampler.glance())
    }

    /// Runs it, until every order is final, the time is over, or `stop` becomes true.
    ///
    /// # Panics
    /// When a simulated buyer panics: its orders would be missing from the account.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> Run {
        let began = self.sampler.began();
        self.scene.tally.begin(began);
        let sampling = self.sample();
        let mut crowd = Crowd::default();
        let users = self.scene.plan.users();
        for number in 0..users {
            let visit = self.scene.plan.visit(number);
            let due = began + visit.arrival;
            if !crowd.make_room(due, &mut stop).await {
                break;
            }
            let arrived = Instant::now();
            crowd.lag_max = crowd.lag_max.max(arrived.saturating_duration_since(due));
            let number = u32::try_from(number).expect("checked by the settings");
            self.scene.note(number, |shard| {
                shard.counts.arrived += 1;
                shard.count(Event::Offered, due);
                shard.count(Event::Arrived, arrived);
            });
            let buyer = buyer::buy(Arc::clone(&self.scene), number, visit, Duration::ZERO);
            crowd.buyers.spawn(buyer);
            crowd.peak = crowd.peak.max(crowd.buyers.len());
            self.scene.gauges.set_in_flight(crowd.buyers.len());
        }
        let deadline = Instant::now() + self.hold + GRACE;
        crowd.drain(deadline, &mut stop, &self.scene.gauges).await;
        sampling.abort();
        let (measured, rest) = self.scene.tally.take();
        let trouble = self.scene.driver.trouble();
        Run {
            elapsed: measured
                .last_final
                .map_or(Duration::ZERO, |last| last.saturating_duration_since(began)),
            measured,
            course: self.sampler.finish(&rest),
            interrupted: *stop.borrow(),
            arrival_lag_max: crowd.lag_max,
            in_flight_max: crowd.peak,
            longest_answer: trouble.longest(),
            errors: trouble.errors(),
        }
    }

    fn sample(&self) -> tokio::task::JoinHandle<Infallible> {
        let (scene, sampler) = (Arc::clone(&self.scene), Arc::clone(&self.sampler));
        tokio::spawn(async move { sampler.run(&scene.tally, &scene.gauges).await })
    }
}

/// The buyers under way.
#[derive(Default)]
struct Crowd {
    buyers: JoinSet<()>,
    lag_max: Duration,
    peak: usize,
}

impl Crowd {
    /// Waits for the time and the room for one more; false if the run is stopped.
    async fn make_room(&mut self, due: Instant, stop: &mut watch::Receiver<bool>) -> bool {
        while let Some(left) = self.buyers.try_join_next() {
            check(left);
        }
        while Instant::now() < due {
            tokio::select! {
                biased;
                () = stopped(stop) => return false,
                Some(left) = self.buyers.join_next() => check(left),
                () = tokio::time::sleep_until(due) => {}
            }
        }
        while self.buyers.len() >= IN_FLIGHT_MAX {
            tokio::select! {
                biased;
                () = stopped(stop) => return false,
                Some(left) = self.buyers.join_next() => check(left),
            }
        }
        !*stop.borrow()
    }

    /// Waits for all to leave; ends those who are still there at the deadline, or soon after a stop.
    async fn drain(
        &mut self,
        mut deadline: Instant,
        stop: &mut watch::Receiver<bool>,
        gauges: &Gauges,
    ) {
        while !self.buyers.is_empty() {
            gauges.set_in_flight(self.buyers.len());
            if *stop.borrow() {
                deadline = deadline.min(Instant::now() + INTERRUPTED_GRACE);
                break;
            }
            tokio::select! {
                biased;
                () = stopped(stop) => {}
                Some(left) = self.buyers.join_next() => check(left),
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        let rest = async {
            while let Some(left) = self.buyers.join_next().await {
                check(left);
            }
        };
        if tokio::time::timeout_at(deadline, rest).await.is_err() {
            self.buyers.abort_all();
            while let Some(left) = self.buyers.join_next().await {
                check(left);
            }
        }
    }
}

fn check(left: Result<(), JoinError>) {
    if let Err(error) = left
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Resolves when the run is to stop; never if it no longer can be.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests;
