//! The storm itself: buyers arrive as planned, and the run waits for what becomes of them.

mod agenda;
mod crowd;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::buyer::{self, Arrival, Scene};
use super::driver::Driver;
use super::gauges::Gauges;
use super::measure::{Counts, Course, Event, Measured, Tally, processor_time};
use super::plan::Plan;
use super::returns::Board;
use super::sampler::{Glance, Sampler};
use agenda::{Agenda, Due};
use crowd::Crowd;

/// The most buyers under way at once, unless asked otherwise: each is a task with its requests in memory (about
/// 10 KiB). In the closed model later ones arrive when others have left, in the open one they are left out, and the
/// report says how late or how many.
pub const IN_FLIGHT_MAX: usize = 20_000;

/// How long after the last arrival and the hold a run still waits for orders to become final.
pub const GRACE: Duration = Duration::from_secs(60);

/// How late an arrival at a rate may be without counting as late.
pub const LATE: Duration = Duration::from_millis(100);

/// The largest share of arrivals that may be late or left out before the run says nothing.
pub const LATE_SHARE_MAX: f64 = 0.01;

/// How long buyers under way may still finish after an interruption.
const INTERRUPTED_GRACE: Duration = Duration::from_secs(2);

/// What a run keeps to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long items are held: orders become final within this and a grace, or are stuck.
    pub hold: Duration,
    /// The most buyers under way at once.
    pub in_flight_max: usize,
}

/// A run: who comes, how they reach the service, and how it is watched.
#[derive(Debug)]
pub struct Storm<D> {
    scene: Arc<Scene<D>>,
    sampler: Arc<Sampler>,
    bounds: Bounds,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// Everything measured.
    pub measured: Measured,
    /// The same over time.
    pub course: Course,
    /// How honest the generator was.
    pub punctuality: Punctuality,
    /// From the first arrival that counts to the last order that became final; zero if none did.
    pub elapsed: Duration,
    /// How much processor time this process has used meanwhile, whatever it did.
    pub processor_time: Duration,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// How many buyers were under way at most.
    pub in_flight_max: usize,
    /// The longest that the answer to one cart took.
    pub longest_answer: Duration,
    /// Requests that failed and were tried again, and how the first one failed.
    pub errors: (u64, Option<String>),
    /// What went otherwise than planned, in words.
    pub notes: Vec<String>,
}

/// How well arrivals kept to the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Punctuality {
    /// Arrivals that were due, warm-up included.
    pub offered: u64,
    /// Those at a rate that came more than [`LATE`] after they were due.
    pub late: u64,
    /// Those at a rate that were left out, since too many buyers were under way.
    pub dropped: u64,
    /// How late the latest one was, in any model.
    pub lag_max: Duration,
    /// Arrivals during the warm-up.
    pub warmed_up: u64,
}

impl Punctuality {
    /// Whether the figures count: not if more than [`LATE_SHARE_MAX`] of arrivals were late or left out.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn is_valid(&self) -> bool {
        (self.late + self.dropped) as f64 <= self.offered as f64 * LATE_SHARE_MAX
    }
}

impl<D: Driver> Storm<D> {
    /// Prepares a run.
    pub fn new(
        plan: Arc<Plan>,
        driver: D,
        board: Option<Arc<Board>>,
        gauges: Arc<Gauges>,
        bounds: Bounds,
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
            bounds,
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
        let used_before = processor_time();
        self.scene.tally.begin(began);
        let sampling = self.sample();
        let mut crowd = Crowd::new(Arc::clone(&self.scene.gauges), self.bounds.in_flight_max);
        let punctuality = self.admit_all(&mut crowd, &mut stop).await;
        if *stop.borrow() {
            crowd.wait(Instant::now() + INTERRUPTED_GRACE).await;
        }
        crowd.end().await;
        sampling.abort();
        let (measured, rest) = self.scene.tally.take();
        let trouble = self.scene.driver.trouble();
        let counts_from = began + self.scene.plan.warm_up();
        Run {
            elapsed: measured.last_final.map_or(Duration::ZERO, |last| {
                last.saturating_duration_since(counts_from)
            }),
            measured,
            course: self.sampler.finish(&rest),
            punctuality,
            processor_time: processor_time().saturating_sub(used_before),
            interrupted: *stop.borrow(),
            in_flight_max: crowd.peak(),
            longest_answer: trouble.longest(),
            errors: trouble.errors(),
            notes: Vec::new(),
        }
    }

    /// Lets buyers in as they are due, until all have left, the time is over, or the run is stopped.
    async fn admit_all(&self, crowd: &mut Crowd, stop: &mut watch::Receiver<bool>) -> Punctuality {
        let plan = Arc::clone(&self.scene.plan);
        let at_a_rate = plan.pacing().is_open();
        let mut agenda = Agenda::new(&plan, self.sampler.began());
        let mut punctuality = Punctuality::default();
        let mut deadline = None;
        while !*stop.borrow() {
            crowd.see_off(&mut agenda);
            let next = agenda.peek();
            if let Some(due) = next
                && due <= Instant::now()
                && (at_a_rate || crowd.has_room())
            {
                let due = agenda.pop().expect("peeked just now");
                self.admit(due, crowd, &mut punctuality);
                continue;
            }
            if next.is_none() && crowd.is_empty() {
                break;
            }
            if agenda.only_returns() && deadline.is_none() {
                deadline = Some(agenda.ends().max(Instant::now()) + self.bounds.hold + GRACE);
            }
            // Without room it is the next one who leaves that makes it.
            let wake = next.filter(|_| at_a_rate || crowd.has_room());
            tokio::select! {
                biased;
                () = stopped(stop) => {}
                () = crowd.one_leaves(&mut agenda) => {}
                () = until(wake) => {}
                () = until(deadline) => break,
            }
        }
        punctuality
    }

    /// Lets one buyer in, or leaves it out.
    fn admit(&self, due: Due, crowd: &mut Crowd, punctuality: &mut Punctuality) {
        let plan = &self.scene.plan;
        let now = Instant::now();
        let lag = now.saturating_duration_since(due.at);
        let warm_up = due.at < self.sampler.began() + plan.warm_up();
        let at_a_rate = plan.pacing().is_open();
        let left_out = !crowd.has_room();
        punctuality.offered += 1;
        punctuality.lag_max = punctuality.lag_max.max(lag);
        punctuality.warmed_up += u64::from(warm_up);
        punctuality.late += u64::from(at_a_rate && lag > LATE);
        punctuality.dropped += u64::from(left_out);
        self.scene.tally.with(due.number, warm_up, |shard| {
            shard.count(Event::Offered, due.at);
            if left_out {
                shard.count(Event::Dropped, now);
            } else {
                shard.count(Event::Arrived, now);
                shard.counts.arrived += 1;
            }
        });
        if left_out {
            return;
        }
        let arrival = Arrival {
            number: due.number,
            again: due.again,
            warm_up,
            // In the closed model nobody is awaited.
            late: if at_a_rate { lag } else { Duration::ZERO },
        };
        crowd.enter(buyer::buy(Arc::clone(&self.scene), arrival));
    }

    fn sample(&self) -> JoinHandle<Infallible> {
        let (scene, sampler) = (Arc::clone(&self.scene), Arc::clone(&self.sampler));
        tokio::spawn(async move { sampler.run(&scene.tally, &scene.gauges).await })
    }
}

/// Resolves at a time; never if there is none.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
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
