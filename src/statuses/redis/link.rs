//! A connection that is kept up, and what goes through it.
//!
//! One task makes the connection anew when it is lost, with pauses and jitter; nobody else does, however many callers
//! wait. While the server is known to be away, calls fail at once instead of holding up those who can do without.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::dial::{Connection, Dial};
use super::fault;
use crate::ports::Error;
use crate::rng::Rng;

/// How long a call waits for a connection that is being made anew.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(1);

/// The first pause after a failed attempt to connect. It doubles with every further one.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A connection that is lost sooner than this was of no use: the next one waits a little.
const USEFUL_AFTER: Duration = Duration::from_secs(1);

/// A connection that is kept up until this is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
    lost: mpsc::UnboundedSender<u64>,
}

#[derive(Clone)]
enum State {
    Up {
        connection: Connection,
        epoch: u64,
    },
    /// Lost; the first attempt to make it anew is under way.
    Lost,
    /// The last attempt failed.
    Down(RedisError),
}

/// Whether a command changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A command and the positions of the items that it asks for, one answer each.
pub(super) struct Chunk {
    pub(super) items: Vec<usize>,
    pub(super) command: Cmd,
}

impl Link {
    /// Connects.
    pub(super) async fn start(dial: Arc<Dial>) -> RedisResult<Self> {
        let (lost, losses) = mpsc::unbounded_channel();
        let connection = dial.connect(0, &lost).await?;
        let (sender, state) = watch::channel(State::Up {
            connection,
            epoch: 0,
        });
        let keeper = Keeper {
            dial,
            state: sender,
            lost: lost.clone(),
            rng: Rng::from_system(),
        };
        tokio::spawn(keeper.run(losses));
        Ok(Self { state, lost })
    }

    /// Sends commands, those of a lane one after the other, all lanes at once, and returns the answers to `total`
    /// items in their order.
    pub(super) async fn ask(
        &self,
        access: Access,
        action: &str,
        total: usize,
        lanes: Vec<Vec<Chunk>>,
    ) -> Result<Vec<Value>, Error> {
        let (connection, epoch) = self.connection(action).await?;
        let commands = lanes.iter().flatten().count();
        let single = commands == 1 && matches!(connection, Connection::One(_));
        let runs = lanes
            .into_iter()
            .map(|lane| run_lane(connection.clone(), lane));
        let mut answers = vec![Value::Nil; total];
        let mut failure = None;
        for (items, result) in join_all(runs).await.into_iter().flatten() {
            match result.and_then(|answer| one_each(answer, items.len())) {
                Ok(values) => {
                    for (item, value) in items.into_iter().zip(values) {
                        answers[item] = value;
                    }
                }
                Err(error) => {
                    self.report(&connection, epoch, &error);
                    failure = Some(error);
                }
            }
        }
        match failure {
            None => Ok(answers),
            // The client of a cluster may have sent the refused command before, and several commands are no
            // transaction.
            Some(error) if access == Access::Write && !(single && fault::is_refusal(&error)) => {
                Err(Error::outcome_unknown(action).because(error))
            }
            Some(error) => Err(Error::unavailable(action).because(error)),
        }
    }

    /// The connection and its number.
    pub(super) async fn connection(&self, action: &str) -> Result<(Connection, u64), Error> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Lost));
        let state = match timeout(RECONNECT_WAIT_MAX, settled).await {
            Ok(Ok(state)) => state.clone(),
            Ok(Err(_)) | Err(_) => return Err(Error::unavailable(action)),
        };
        match state {
            State::Up { connection, epoch } => Ok((connection, epoch)),
            State::Down(error) => Err(Error::unavailable(action).because(error)),
            State::Lost => Err(Error::unavailable(action)),
        }
    }

    /// Has the connection made anew if that can help. The client of a cluster reconnects to its nodes by itself, but
    /// stays with one that hangs, although its replica may have taken over.
    fn report(&self, connection: &Connection, epoch: u64, error: &RedisError) {
        let helps = match connection {
            Connection::One(_) => fault::wants_reconnect(error),
            Connection::Cluster(_) => error.is_timeout(),
        };
        if helps {
            // The task ends with this.
            let _ = self.lost.send(epoch);
        }
    }
}

/// Sends commands one after the other, until one fails.
async fn run_lane(
    mut connection: Connection,
    lane: Vec<Chunk>,
) -> Vec<(Vec<usize>, RedisResult<Value>)> {
    let mut results = Vec::with_capacity(lane.len());
    for chunk in lane {
        let result = connection.ask(&chunk.command).await;
        let failed = result.is_err();
        results.push((chunk.items, result));
        if failed {
            break;
        }
    }
    results
}

/// The values of an answer to so many items.
fn one_each(answer: Value, items: usize) -> RedisResult<Vec<Value>> {
    match answer {
        Value::Array(values) if values.len() == items => Ok(values),
        _ => Err((
            ErrorKind::UnexpectedReturnType,
            "the answer does not have one value per key",
        )
            .into()),
    }
}

/// Keeps a connection up.
struct Keeper {
    dial: Arc<Dial>,
    state: watch::Sender<State>,
    lost: mpsc::UnboundedSender<u64>,
    rng: Rng,
}

impl Keeper {
    /// Runs until the link is dropped.
    async fn run(mut self, mut losses: mpsc::UnboundedReceiver<u64>) {
        let mut epoch = 0;
        let mut up_since = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = self.state.closed() => return,
                // An earlier connection does not matter any more.
                loss = losses.recv() => if loss != Some(epoch) { continue },
            }
            let useless = up_since.elapsed() < USEFUL_AFTER;
            // Whatever is held of `self` while it waits must not keep it from seeing that the link is gone.
            let closed = self.state.clone();
            tokio::select! {
                biased;
                () = closed.closed() => return,
                connected = async {
                    if self.dial.is_cluster() {
                        self.replace(epoch + 1, useless).await
                    } else {
                        self.reconnect(epoch + 1, useless).await;
                        true
                    }
                } => epoch += u64::from(connected),
            }
            up_since = Instant::now();
        }
    }

    /// Makes another connection to a cluster; until it is there, the present one serves the nodes that are well.
    /// Returns whether there is one.
    async fn replace(&mut self, epoch: u64, useless: bool) -> bool {
        if useless {
            sleep(self.rng.jitter(PAUSE_MAX)).await;
        }
        match self.dial.connect(epoch, &self.lost).await {
            Ok(connection) => {
                self.state.send_replace(State::Up { connection, epoch });
                true
            }
            Err(error) => {
                tracing::debug!(%error, "cannot connect to the cluster anew");
                false
            }
        }
    }

    /// Makes the connection anew, however long it takes.
    async fn reconnect(&mut self, epoch: u64, useless: bool) {
        self.state.send_replace(State::Lost);
        let mut pause = PAUSE_MIN;
        if useless {
            sleep(self.rng.jitter(pause)).await;
        }
        loop {
            match self.dial.connect(epoch, &self.lost).await {
                Ok(connection) => {
                    self.state.send_replace(State::Up { connection, epoch });
                    tracing::info!("connected to Redis again");
                    return;
                }
                Err(error) => {
                    if pause == PAUSE_MIN {
                        tracing::warn!(error = %crate::ports::chain(&error), "Redis is away");
                    }
                    self.state.send_replace(State::Down(error));
                    sleep(self.rng.jitter(pause)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }
}
