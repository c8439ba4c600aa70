//! A partitioned log with one consumer group, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use oms::domain::Timestamp;
use oms::ports::Clock;
use oms::queue::{
    Consumer, DeadLetter, Delivery, Error, Lag, Mark, Message, Oldest, Position, Queue, Replay,
    Replayable,
};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::ManualClock;

/// How long a member that says nothing keeps its partitions.
const LEASE: Duration = Duration::from_secs(3);

/// How often a waiting member looks whether another one is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A log in memory. A clone is another connection to it.
#[derive(Debug, Clone)]
pub struct ModelQueue(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    topic: String,
    clock: ManualClock,
    state: Mutex<State>,
    appended: Notify,
}

#[derive(Debug, Default)]
struct State {
    partitions: Vec<Partition>,
    members: BTreeMap<u64, Instant>,
    last_member: u64,
    dead_letters: Vec<DeadLetter>,
}

#[derive(Debug, Default)]
struct Partition {
    messages: Vec<Message>,
    /// When each was appended.
    times: Vec<Timestamp>,
    /// The offset of the first message that is not committed.
    committed: usize,
    /// Who reads it, and the offset of the next message it gets.
    owner: Option<(u64, usize)>,
}

impl Default for ModelQueue {
    fn default() -> Self {
        Self::with_partitions(1)
    }
}

impl ModelQueue {
    pub fn with_partitions(count: usize) -> Self {
        let state = State {
            partitions: (0..count).map(|_| Partition::default()).collect(),
            ..State::default()
        };
        Self(Arc::new(Shared {
            topic: "carts".to_owned(),
            clock: ManualClock::default(),
            state: Mutex::new(state),
            appended: Notify::new(),
        }))
    }

    /// Every dead letter so far.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.state.lock().dead_letters.clone()
    }

    /// Every message ever appended, partition by partition.
    pub fn messages(&self) -> Vec<Message> {
        let state = self.0.state.lock();
        let all = state.partitions.iter();
        all.flat_map(|part| part.messages.iter().cloned()).collect()
    }

    /// Takes the partitions away from every member, as a rebalance does: what is not committed comes again.
    pub fn rebalance(&self) {
        let mut state = self.0.state.lock();
        state.members.clear();
        for partition in &mut state.partitions {
            partition.owner = None;
        }
        self.0.appended.notify_waiters();
    }
}

impl State {
    fn partition_of(&self, key: &[u8]) -> usize {
        // FNV-1a: stable, so that a seed repeats a run.
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        usize::try_from(hash % self.partitions.len() as u64).unwrap()
    }

    /// Renews a member's lease and gives it its share of the partitions.
    fn attend(&mut self, member: u64) {
        let now = Instant::now();
        self.members.insert(member, now);
        self.members.retain(|_, seen| now - *seen < LEASE);
        let share = self.partitions.len().div_ceil(self.members.len());
        let members = &self.members;
        let mut mine = 0;
        for partition in &mut self.partitions {
            match partition.owner {
                Some((owner, next)) if owner == member => {
                    // Gives up what is over its share once all it was given is committed.
                    let settled = next == partition.committed;
                    if mine >= share && settled {
                        partition.owner = None;
                    } else {
                        mine += 1;
                    }
                }
                Some((owner, _)) if !members.contains_key(&owner) => partition.owner = None,
                _ => {}
            }
        }
        for partition in &mut self.partitions {
            if partition.owner.is_none() && mine < share {
                partition.owner = Some((member, partition.committed));
                mine += 1;
            }
        }
    }

    fn take(&mut self, member: u64, max: usize) -> Vec<Delivery> {
        self.attend(member);
        let mut deliveries = Vec::new();
        for (number, partition) in (0..).zip(&mut self.partitions) {
            let Some((owner, next)) = &mut partition.owner else {
                continue;
            };
            if *owner != member {
                continue;
            }
            let room = max - deliveries.len();
            for message in partition.messages.iter().skip(*next).take(room) {
                let position = Position {
                    partition: number,
                    offset: *next as u64,
                };
                *next += 1;
                deliveries.push(Delivery {
                    position,
                    key: message.key.clone(),
                    payload: message.payload.clone(),
                });
            }
        }
        deliveries
    }
}

impl Queue for ModelQueue {
    type Consumer = Member;

    async fn publish(&self, messages: Vec<Message>) -> Result<Vec<Position>, Error> {
        yield_now().await;
        let positions = {
            let mut state = self.0.state.lock();
            let mut append = |message: Message| {
                let partition = state.partition_of(&message.key);
                let now = self.0.clock.now();
                state.partitions[partition].times.push(now);
                let log = &mut state.partitions[partition].messages;
                log.push(message);
                let offset = log.len() as u64 - 1;
                Position {
                    partition: u32::try_from(partition).unwrap(),
                    offset,
                }
            };
            messages.into_iter().map(&mut append).collect()
        };
        self.0.appended.notify_waiters();
        yield_now().await;
        Ok(positions)
    }

    async fn subscribe(&self) -> Result<Member, Error> {
        yield_now().await;
        let mut state = self.0.state.lock();
        state.last_member += 1;
        let number = state.last_member;
        state.attend(number);
        drop(state);
        Ok(Member {
            shared: Arc::clone(&self.0),
            number,
        })
    }

    async fn dead_letter(&self, letters: Vec<DeadLetter>) -> Result<(), Error> {
        yield_now().await;
        self.0.state.lock().dead_letters.extend(letters);
        Ok(())
    }

    async fn end(&self) -> Result<Mark, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let ends = (0..)
            .zip(&state.partitions)
            .map(|(partition, log)| Position {
                partition,
                offset: log.messages.len() as u64,
            });
        Ok(Mark(ends.collect()))
    }

    async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        Ok(mark.0.iter().all(|end| {
            let partition = &state.partitions[end.partition as usize];
            partition.committed as u64 >= end.offset
        }))
    }

    async fn lag(&self) -> Result<Vec<Lag>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let waiting = |(partition, part): (u32, &Partition)| Lag {
            partition,
            messages: (part.messages.len() - part.committed) as u64,
        };
        Ok((0..).zip(&state.partitions).map(waiting).collect())
    }

    async fn oldest(&self) -> Result<Option<Oldest>, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let mut parts = (0..).zip(&state.partitions);
        let behind = parts.find(|(_, part)| part.committed < part.messages.len());
        Ok(behind.map(|(partition, part)| Oldest {
            position: Position {
                partition,
                offset: part.committed as u64,
            },
            published_at: part.times[part.committed],
        }))
    }

    fn topic(&self) -> &str {
        &self.0.topic
    }
}

/// A reading of the log as it was.
#[derive(Debug)]
pub struct ModelReplay(VecDeque<Delivery>);

impl Replayable for ModelQueue {
    type Replay = ModelReplay;

    async fn replay(&self, since: Timestamp) -> Result<ModelReplay, Error> {
        yield_now().await;
        let state = self.0.state.lock();
        let mut deliveries = VecDeque::new();
        for (partition, log) in (0..).zip(&state.partitions) {
            let first = log.times.iter().position(|time| *time >= since);
            let first = first.unwrap_or(log.messages.len());
            for (offset, message) in log.messages.iter().enumerate().skip(first) {
                deliveries.push_back(Delivery {
                    position: Position {
                        partition,
                        offset: offset as u64,
                    },
                    key: message.key.clone(),
                    payload: message.payload.clone(),
                });
            }
        }
        Ok(ModelReplay(deliveries))
    }
}

impl Replay for ModelReplay {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        yield_now().await;
        let count = self.0.len().min(max);
        Ok(self.0.drain(..count).collect())
    }
}

/// A member of the group. Dropped without [`Consumer::close`], it keeps its partitions until its lease runs out, as
/// a killed process does.
#[derive(Debug)]
pub struct Member {
    shared: Arc<Shared>,
    number: u64,
}

impl Consumer for Member {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, Error> {
        let deadline = Instant::now() + wait;
        yield_now().await;
        loop {
            let appended = self.shared.appended.notified();
            let deliveries = self.shared.state.lock().take(self.number, max);
            let left = deadline.saturating_duration_since(Instant::now());
            if !deliveries.is_empty() || left.is_zero() {
                return Ok(deliveries);
            }
            tokio::select! {
                biased;
                () = appended => {}
                () = sleep(left.min(LOOK_AGAIN)) => {}
            }
        }
    }

    async fn commit(&mut self, positions: Vec<Position>) -> Result<(), Error> {
        yield_now().await;
        let mut state = self.shared.state.lock();
        for position in positions {
            let partition = &mut state.partitions[position.partition as usize];
            let owned = partition
                .owner
                .is_some_and(|(owner, _)| owner == self.number);
            if !owned {
                return Err(Error::unavailable(
                    "commit offsets: the group gave the partition to another member",
                ));
            }
            let next = usize::try_from(position.offset).unwrap() + 1;
            partition.committed = partition.committed.max(next);
        }
        Ok(())
    }

    async fn still_owned(&mut self, positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        yield_now().await;
        let state = self.shared.state.lock();
        // Whether it was taken away and given back meanwhile shows in what comes next.
        let is_owned = |position: &Position| {
            let owner = state.partitions[position.partition as usize].owner;
            owner.is_some_and(|(owner, next)| {
                owner == self.number && (next as u64) > position.offset
            })
        };
        Ok(positions.into_iter().filter(is_owned).collect())
    }

    async fn close(self) {
        let mut state = self.shared.state.lock();
        state.members.remove(&self.number);
        for partition in &mut state.partitions {
            if partition
                .owner
                .is_some_and(|(owner, _)| owner == self.number)
            {
                partition.owner = None;
            }
        }
        drop(state);
        self.shared.appended.notify_waiters();
    }
}
