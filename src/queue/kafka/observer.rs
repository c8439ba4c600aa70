//! Where the log ends and what the group has committed: read on a thread of its own, shared by all who ask meanwhile.
//!
//! While one reading is under way, those who ask gather; the next one serves them all. So nobody gets a reading that
//! began before they asked, and the brokers get one question at a time, however many ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::super::{Lag, Mark, Position};
use super::probe::{ANSWER_WAIT_MAX, Offsets, Probe};
use super::thread;
use super::url::KafkaUrl;
use crate::ports::Error;

/// How often librdkafka's events are served while nobody asks.
const SERVE_EVERY: Duration = Duration::from_millis(200);

/// The longest wait for a reading: one that is under way, with what it reads (its topic, then offsets), and one's own.
const READING_WAIT_MAX: Duration = ANSWER_WAIT_MAX.saturating_mul(4);

type Reading = Result<Arc<[Offsets]>, Error>;

/// Asks its thread. The thread ends when the observer is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    // Every caller waits for its one answer, so that it needs no bound of its own.
    asks: Sender<oneshot::Sender<Reading>>,
    /// What was committed at least, by partition: this only grows.
    committed: Mutex<BTreeMap<u32, u64>>,
}

impl Observer {
    /// Makes the first contact, within [`ANSWER_WAIT_MAX`].
    pub(super) async fn connect(url: &KafkaUrl) -> Result<Self, Error> {
        let (asks, asked) = channel();
        let (ready, connected) = oneshot::channel();
        let url = url.clone();
        thread::start("kafka-observer", move || {
            let probe = Probe::new(&url).and_then(|probe| probe.own_topic().map(|_| probe));
            match probe {
                Ok(probe) => {
                    // Whoever connects may have gone; then nobody asks.
                    let _ = ready.send(Ok(()));
                    serve(&probe, &asked);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        })?;
        let unanswered = |cause| Error::unavailable("reach Kafka").because(cause);
        let connected = thread::answer(connected, READING_WAIT_MAX).await;
        connected.map_err(unanswered)??;
        Ok(Self {
            asks,
            committed: Mutex::default(),
        })
    }

    async fn read(&self) -> Reading {
        let (reply, reading) = oneshot::channel();
        // If the thread has ended, the reply is dropped, and the answer says so.
        let _ = self.asks.send(reply);
        let unanswered = |cause| Error::unavailable("read offsets").because(cause);
        let read = thread::answer(reading, READING_WAIT_MAX).await;
        let read = read.map_err(unanswered)??;
        let mut known = self.committed.lock();
        for offsets in read.iter() {
            let next = known.entry(offsets.partition).or_default();
            *next = offsets.next().max(*next);
        }
        Ok(read)
    }

    /// Where the log ends now.
    pub(super) async fn end(&self) -> Result<Mark, Error> {
        let read = self.read().await?;
        let end = |offsets: &Offsets| Position {
            partition: offsets.partition,
            offset: offsets.high,
        };
        Ok(Mark(read.iter().map(end).collect()))
    }

    /// Whether the group has committed everything before a mark.
    pub(super) async fn consumed(&self, mark: &Mark) -> Result<bool, Error> {
        if self.knows_consumed(mark) {
            return Ok(true);
        }
        self.read().await?;
        Ok(self.knows_consumed(mark))
    }

    /// What is committed stays committed: so an old reading may say yes, but only a new one no.
    fn knows_consumed(&self, mark: &Mark) -> bool {
        let known = self.committed.lock();
        mark.0.iter().all(|end| {
            let next = known.get(&end.partition).copied().unwrap_or(0);
            next >= end.offset
        })
    }

    /// How many messages the group has not committed, partition by partition.
    pub(super) async fn lag(&self) -> Result<Vec<Lag>, Error> {
        let lag = |offsets: &Offsets| Lag {
            partition: offsets.partition,
            messages: offsets.lag(),
        };
        Ok(self.read().await?.iter().map(lag).collect())
    }
}

fn serve(probe: &Probe, asked: &Receiver<oneshot::Sender<Reading>>) {
    loop {
        let first = match asked.recv_timeout(SERVE_EVERY) {
            Ok(first) => first,
            Err(RecvTimeoutError::Timeout) => {
                probe.serve();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let replies: Vec<_> = std::iter::once(first).chain(asked.try_iter()).collect();
        let reading: Reading = probe.offsets().map(Arc::from);
        for reply in replies {
            // Who has gone does not need to know.
            let _ = reply.send(reading.clone());
        }
        probe.serve();
    }
}
