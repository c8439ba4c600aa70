//! Where buyers write what happened to them: one of several shards each, so that no lock is shared by all.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::counts::{Counts, slot};
use super::latency::{Latencies, Step};
use super::pile::Pile;
use super::slice::{Event, SLICE, Slice};
use crate::domain::{OrderId, Sku};
use crate::simulate::told::{Answer, Told};

/// How many shards there are: several per core, so that two buyers seldom meet.
const SHARDS: usize = 16;

/// Everything measured so far.
#[derive(Debug, Default)]
pub struct Measured {
    /// Counts.
    pub counts: Counts,
    /// Latencies from when each step was due.
    pub latencies: Latencies,
    /// Latencies from when each step was sent.
    pub service: Latencies,
    /// What each client was told, in no order; filled when all is taken out.
    pub told: Vec<Told>,
    /// The same of a shard at work.
    pile: Pile<Told>,
    /// The item at fault of refusals at once; recorded for traces only.
    pub faults: Vec<(OrderId, Sku)>,
    /// When the last order became final.
    pub last_final: Option<Instant>,
    /// When the run began; none before.
    began: Option<Instant>,
    /// The slice that is being written, and those that are not any more.
    slice: Slice,
    done: Vec<Slice>,
}

/// When a step was sent and how it went.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From sending to the answer.
    pub took: Duration,
    /// How much later than due it was sent.
    pub late: Duration,
    /// When the answer came.
    pub now: Instant,
}

/// The measurements of a run under way.
#[derive(Debug)]
pub struct Tally {
    shards: Vec<Mutex<Shard>>,
}

/// What counts, and what was before it counted.
#[derive(Debug, Default)]
struct Shard {
    counted: Measured,
    warm_up: Measured,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Tally {
    /// Sets when the run began: slices are counted from then.
    pub fn begin(&self, began: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.counted.began = Some(began);
            shard.warm_up.began = Some(began);
        }
    }

    /// Writes to the shard of a buyer; what happens in the warm-up is in no figure.
    pub fn with<R>(&self, buyer: u32, warm_up: bool, write: impl FnOnce(&mut Measured) -> R) -> R {
        let mut shard = self.shards[buyer as usize % SHARDS].lock();
        write(if warm_up {
            &mut shard.warm_up
        } else {
            &mut shard.counted
        })
    }

    /// The counts so far, warm-up included.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for shard in &self.shards {
            let shard = shard.lock();
            sum.add(&shard.counted.counts);
            sum.add(&shard.warm_up.counts);
        }
        sum
    }

    /// Takes the slices that ended before slice `now`.
    pub fn take_slices(&self, now: u64) -> Vec<Slice> {
        let mut slices = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let Shard { counted, warm_up } = &mut *shard;
            for part in [counted, warm_up] {
                if part.slice.index < now {
                    part.turn_to(now);
                }
                slices.append(&mut part.done);
            }
        }
        slices
    }

    /// Everything, taken out: nothing is left. What clients were told in the warm-up is with the rest.
    pub fn take(&self) -> (Measured, Vec<Slice>) {
        let mut all = Measured::default();
        let mut slices = Vec::new();
        let told = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            shard.counted.pile.len() + shard.warm_up.pile.len()
        };
        all.told.reserve_exact(self.shards.iter().map(told).sum());
        for shard in &self.shards {
            let Shard { counted, warm_up } = std::mem::take(&mut *shard.lock());
            all.counts.add(&counted.counts);
            all.latencies.add(&counted.latencies);
            all.service.add(&counted.service);
            all.last_final = all.last_final.max(counted.last_final);
            for part in [counted, warm_up] {
                part.pile.append_to(&mut all.told);
                all.faults.extend(part.faults);
                slices.extend(part.done);
                slices.push(part.slice);
            }
        }
        slices.retain(|slice| !slice.is_empty());
        (all, slices)
    }
}

impl Measured {
    /// Records how long a step took, from when it was sent and from when it was due.
    pub fn time(&mut self, step: Step, timing: Timing) {
        let Timing { took, late, now } = timing;
        self.service.record(step, took);
        self.latencies.record(step, took + late);
        self.slice(now).record(step, took + late);
    }

    /// Counts an event, in the course of the run.
    pub fn count(&mut self, event: Event, at: Instant) {
        self.slice(at).counts[event as usize] += 1;
    }

    /// Records what a client was told in the end about one request.
    pub fn tell(&mut self, told: Told, units: u64, now: Instant) {
        self.pile.push(told);
        let counts = &mut self.counts;
        counts.attempts += 1;
        counts.accepted += u64::from(told.answer.was_accepted());
        match told.answer {
            Answer::Placed => {
                counts.placed += 1;
                counts.units_sold += units;
                self.last_final = self.last_final.max(Some(now));
                self.count(Event::Placed, now);
            }
            Answer::Failed(reason) => {
                counts.failed[slot(reason)] += 1;
                self.last_final = self.last_final.max(Some(now));
                self.count(Event::Failed, now);
            }
            Answer::Accepted | Answer::Forgotten => counts.open += 1,
            Answer::InDoubt => counts.in_doubt += 1,
            Answer::Refused(_) => self.count(Event::Refused, now),
        }
    }

    /// Keeps another answer to a request that is recorded already.
    pub fn contradict(&mut self, told: Told) {
        self.pile.push(told);
    }

    /// The slice of a time: mostly the one that is being written.
    fn slice(&mut self, at: Instant) -> &mut Slice {
        let since = self
            .began
            .map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        let index = u64::try_from(since.as_nanos() / SLICE.as_nanos()).unwrap_or(u64::MAX);
        if index < self.slice.index {
            // An arrival that was due before it came, or a buyer who read the clock before the sampler did.
            self.done.push(Slice::at(index));
            return self.done.last_mut().expect("pushed just now");
        }
        if index > self.slice.index {
            self.turn_to(index);
        }
        &mut self.slice
    }

    /// Begins a slice.
    fn turn_to(&mut self, index: u64) {
        let full = std::mem::replace(&mut self.slice, Slice::at(index));
        if !full.is_empty() {
            self.done.push(full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Reason, Timestamp};

    fn told(buyer: u32, answer: Answer) -> Told {
        Told {
            buyer,
            order_id: OrderId::v7(1, &[0; 10]),
            asked_at: Timestamp::from_millis(1),
            answered_at: Timestamp::from_millis(2),
            answer,
            warm_up: false,
        }
    }

    fn timing(took: Duration, now: Instant) -> Timing {
        Timing {
            took,
            late: Duration::ZERO,
            now,
        }
    }

    #[tokio::test]
    async fn shards_add_up() {
        let tally = Tally::default();
        let now = Instant::now();
        for buyer in 0..100 {
            tally.with(buyer, false, |shard| {
                let answer = if buyer % 2 == 0 {
                    Answer::Placed
                } else {
                    Answer::Failed(Reason::Declined)
                };
                shard.tell(told(buyer, answer), 2, now);
                let took = Duration::from_micros(u64::from(buyer) + 1);
                shard.time(Step::AddToCart, timing(took, now));
            });
        }
        let (all, _) = tally.take();
        assert_eq!(
            (
                all.counts.accepted,
                all.counts.placed,
                all.counts.units_sold
            ),
            (100, 50, 100)
        );
        assert_eq!(all.counts.failed[slot(Reason::Declined)], 50);
        assert_eq!(all.latencies.add_to_cart.len(), 100);
        assert_eq!(all.latencies.add_to_cart.max(), 100);
        assert_eq!(all.told.len(), 100);
        assert_eq!(all.last_final, Some(now));
        assert_eq!(tally.counts(), Counts::default());
    }
    #[tokio::test]
    async fn what_is_late_counts_from_when_it_was_due_and_service_does_not() {
        let tally = Tally::default();
        let now = Instant::now();
        tally.with(1, false, |shard| {
            let timing = Timing {
                took: Duration::from_micros(100),
                late: Duration::from_micros(900),
                now,
            };
            shard.time(Step::PlaceOrder, timing);
        });
        let (all, slices) = tally.take();
        assert_eq!(all.service.place_order.max(), 100);
        assert_eq!(all.latencies.place_order.max(), 1_000);
        let latency_us = &slices[0].latency_us[Step::PlaceOrder.index()];
        assert_eq!(*latency_us, [1_000]);
    }

    #[tokio::test]
    async fn the_warm_up_is_in_the_course_and_the_evidence_and_in_no_figure() {
        let tally = Tally::default();
        let now = Instant::now();
        tally.with(1, true, |shard| {
            shard.tell(told(1, Answer::Placed), 2, now);
            shard.time(Step::EndToEnd, timing(Duration::from_millis(1), now));
        });
        assert_eq!(tally.counts().placed, 1);
        let (all, slices) = tally.take();
        assert_eq!((all.counts, all.told.len()), (Counts::default(), 1));
        assert!(all.latencies.end_to_end.is_empty() && all.last_final.is_none());
        assert_eq!(slices[0].counts[Event::Placed as usize], 1);
    }

    #[tokio::test]
    async fn time_is_cut_into_slices_from_the_beginning_of_the_run() {
        let tally = Tally::default();
        let began = Instant::now();
        tally.begin(began);
        for slice in [0, 0, 3, 1, 4] {
            tally.with(1, false, |shard| {
                shard.count(Event::Offered, began + SLICE * slice);
            });
        }
        let offered = |slices: Vec<Slice>| {
            let mut slices: Vec<(u64, u64)> = slices
                .into_iter()
                .map(|slice| (slice.index, slice.counts[Event::Offered as usize]))
                .collect();
            slices.sort_unstable();
            slices
        };
        assert_eq!(offered(tally.take_slices(4)), [(0, 2), (1, 1), (3, 1)]);
        assert_eq!(
            offered(tally.take_slices(5)),
            [(4, 1)],
            "of a shard at rest"
        );
        tally.with(1, false, |shard| {
            shard.count(Event::Offered, began + SLICE * 4);
        });
        assert_eq!(offered(tally.take().1), [(4, 1)], "a straggler");
    }
}
