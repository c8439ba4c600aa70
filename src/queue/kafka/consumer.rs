//! A member of the consumer group, as the worker holds it.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::super::{Consumer, Delivery, Position};
use super::assignment::Member;
use super::failure::{self, Cause};
use super::member::{Command, MemberThread, PollError};
use super::url::KafkaUrl;
use super::{settings, thread};
use crate::ports::Error;

/// How long setting up a client may take.
const CREATE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How much later than it should the thread may answer a poll: as long as a commit before it may take.
const POLL_GRACE: Duration = COMMIT_WAIT_MAX;

/// How long a commit may take. librdkafka waits for an absent coordinator as long as a session lasts.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(15);

/// How long leaving the group may take; then the group finds out by itself.
const CLOSE_WAIT_MAX: Duration = Duration::from_secs(5);

/// The longest wait that is kept to the letter; longer ones end here.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

type Polled = oneshot::Receiver<Result<Vec<Delivery>, PollError>>;

/// A member of the consumer group.
///
/// A partition that is taken from it is delivered elsewhere from the committed offset on; a commit for it is an error.
/// Dropped, it leaves the group in the background.
#[derive(Debug)]
pub struct KafkaConsumer {
    url: KafkaUrl,
    /// To its thread, which leaves the group when this is dropped. At most a poll and a commit wait in it.
    commands: Sender<Command>,
    /// The answer to a poll, kept when the poll is cancelled, and when it is due.
    polling: Option<(Polled, Instant)>,
    /// The answer to a commit that was cancelled or took too long.
    committing: Option<oneshot::Receiver<Result<(), Error>>>,
    /// More than a poll asked for, as the answer to a cancelled one can be.
    ready: VecDeque<Delivery>,
    /// Ends when the group is left.
    left: oneshot::Receiver<()>,
}

impl KafkaConsumer {
    /// Joins the group. That it is joined shows when messages come.
    pub(super) async fn subscribe(url: &KafkaUrl) -> Result<Self, Error> {
        let (commands, commanded) = channel();
        let (ready, subscribed) = oneshot::channel();
        let (leave, left) = oneshot::channel();
        let (own_url, url) = (url.clone(), url.clone());
        thread::start("kafka-consumer", move || {
            match create(&url) {
                Ok(consumer) => {
                    // If nobody waits any more, nobody commands either.
                    let _ = ready.send(Ok(()));
                    let topic = url.topic().to_owned();
                    MemberThread::new(consumer, topic, commanded).run();
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
            let _ = leave.send(());
        })?;
        let unanswered = |cause| Error::unavailable("join the group").because(cause);
        let subscribed = thread::answer(subscribed, CREATE_WAIT_MAX).await;
        subscribed.map_err(unanswered)??;
        Ok(Self {
            url: own_url,
            commands,
            polling: None,
            committing: None,
            ready: VecDeque::new(),
            left,
        })
    }

    /// The answer to the poll under way, or to a new one; empty at the deadline.
    async fn answer(&mut self, max: usize, deadline: Instant) -> Result<Vec<Delivery>, PollError> {
        let (answer, due) = self.polling.get_or_insert_with(|| {
            let (reply, answer) = oneshot::channel();
            let wait = deadline.saturating_duration_since(Instant::now());
            // If the thread has ended, the reply is dropped, and the answer says so.
            let _ = self.commands.send(Command::Poll { max, wait, reply });
            (answer, deadline)
        });
        let overdue = *due + POLL_GRACE;
        // One that was cancelled may have been asked to wait longer than this one.
        let until = if *due > deadline { deadline } else { overdue };
        match timeout_at(until, answer).await {
            Ok(answered) => {
                self.polling = None;
                answered.unwrap_or_else(|_| Err(silent("the thread of the consumer has ended")))
            }
            Err(_) if Instant::now() >= overdue => Err(silent("librdkafka does not answer")),
            Err(_) => Ok(Vec::new()),
        }
    }

    /// Joins the group anew in place of a consumer that never reads again. That one leaves in the background.
    async fn replace(&mut self) -> Result<(), Error> {
        tracing::warn!("the Kafka consumer has had a fatal error and is replaced");
        *self = Self::subscribe(&self.url).await?;
        Ok(())
    }
}

impl Consumer for KafkaConsumer {
    async fn poll(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, Error> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let deadline = Instant::now() + wait.min(WAIT_MAX);
        while self.ready.is_empty() {
            let mut got = match self.answer(max, deadline).await {
                Ok(got) => got,
                Err(PollError::Broken(error)) => {
                    self.replace().await?;
                    // The worker pauses before it asks the new one.
                    return Err(error);
                }
                Err(error) => return Err(error.into()),
            };
            if got.len() > max {
                self.ready.extend(got.drain(max..));
            }
            if !got.is_empty() || Instant::now() >= deadline {
                return Ok(got);
            }
        }
        let count = self.ready.len().min(max);
        Ok(self.ready.drain(..count).collect())
    }

    async fn commit(&mut self, positions: Vec<Position>) -> Result<(), Error> {
        let deadline = Instant::now() + COMMIT_WAIT_MAX;
        let unknown =
            |cause: &str| Error::outcome_unknown("commit offsets").because(Cause(cause.to_owned()));
        if let Some(before) = &mut self.committing {
            // What came of it was told, or nobody wanted to know.
            if timeout_at(deadline, before).await.is_err() {
                return Err(unknown("the commit before it is still under way"));
            }
            self.committing = None;
        }
        if positions.is_empty() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Commit { positions, reply });
        let answer = self.committing.insert(answer);
        let Ok(answered) = timeout_at(deadline, answer).await else {
            return Err(unknown("librdkafka does not answer"));
        };
        self.committing = None;
        answered.unwrap_or_else(|_| Err(unknown("the thread of the consumer has ended")))
    }

    async fn still_owned(&mut self, positions: Vec<Position>) -> Result<Vec<Position>, Error> {
        let (reply, answer) = oneshot::channel();
        // If the thread has ended, the reply is dropped, and the answer says so.
        let _ = self.commands.send(Command::StillOwned { positions, reply });
        let unanswered = |cause| Error::unavailable("ask for the assignment").because(cause);
        thread::answer(answer, COMMIT_WAIT_MAX)
            .await
            .map_err(unanswered)
    }

    async fn close(self) {
        drop(self.commands);
        if let Err(cause) = thread::answer(self.left, CLOSE_WAIT_MAX).await {
            tracing::warn!(%cause, "the group was not left: it finds out by itself");
        }
    }
}

fn create(url: &KafkaUrl) -> Result<BaseConsumer<Member>, Error> {
    let config = settings::consumer(url);
    let failed = |error| failure::while_reading(format!("join the group by {url}"), &error);
    let consumer = BaseConsumer::from_config_and_context(&config, Member::new()).map_err(failed)?;
    consumer.subscribe(&[url.topic()]).map_err(failed)?;
    Ok(consumer)
}

fn silent(cause: &str) -> PollError {
    let error = Error::unavailable("read the queue").because(Cause(cause.to_owned()));
    PollError::Passing(error)
}
