//! Lanes: a few kept connections for one kind of work, and the transactions and reads that run on them.
//!
//! A connection is kept only after everything on it went well; any other is dropped, and the server rolls back. Who
//! asks first is served first.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::future::BoxFuture;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::connect::Server;
use super::fault::{Fault, Meaning};
use super::transaction::{Transaction, Tx};
use crate::ports::Error;
use crate::rng::Rng;

/// How often a transaction is tried.
const ATTEMPTS_MAX: u32 = 10;

/// After this long no further attempt begins: longer than the server needs to cut off a stopped process (rule 4).
const RETRY_MAX: Duration = Duration::from_secs(20);

/// How long one call may take, with the wait for its turn and all attempts: as long as anyone waits behind a server
/// that does not answer.
const CALL_MAX: Duration = Duration::from_secs(30);

/// The same for an audit.
const UNHURRIED_MAX: Duration = Duration::from_secs(3_600);

/// How long a ROLLBACK may take. After that the connection is dropped, which rolls back as well.
const ROLLBACK_MAX: Duration = Duration::from_secs(5);

/// The first and the longest pause between attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(250));

/// What is done on one connection. It may be done again from the start.
pub(super) trait Job: Sync {
    /// What comes of it.
    type Done: Send;

    /// Does it, once.
    fn run(&self, connection: &mut Conn) -> impl Future<Output = Result<Self::Done, Fault>> + Send;
}

/// A job that is a question and a function that answers it.
pub(super) struct Ask<A, T>(pub(super) A, pub(super) Answer<A, T>);

/// Answers a question on a connection.
pub(super) type Answer<A, T> = for<'a> fn(&'a mut Conn, &'a A) -> BoxFuture<'a, Result<T, Fault>>;

impl<A: Sync, T: Send> Job for Ask<A, T> {
    type Done = T;

    async fn run(&self, connection: &mut Conn) -> Result<T, Fault> {
        let Self(question, answer) = self;
        answer(connection, question).await
    }
}

/// Connections for one kind of work, at most so many at a time.
pub(super) struct Lane {
    server: Server,
    /// How long one call may take.
    call_max: Duration,
    turns: Semaphore,
    idle: Mutex<Vec<(Conn, Instant)>>,
    rng: Mutex<Rng>,
}

/// A connection, and the turn to use it.
struct Held<'a> {
    connection: Conn,
    lane: &'a Lane,
    _turn: SemaphorePermit<'a>,
}

/// How an attempt at a transaction failed.
struct Failed {
    fault: Fault,
    /// Whether it may have been committed all the same.
    uncertain: bool,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            uncertain: false,
        }
    }
}

impl Lane {
    pub(super) fn new(server: Server, connections_max: usize) -> Self {
        Self {
            server,
            call_max: CALL_MAX,
            turns: Semaphore::new(connections_max),
            idle: Mutex::default(),
            rng: Mutex::new(Rng::from_system()),
        }
    }

    /// One connection for what may take an hour.
    pub(super) fn unhurried(server: Server) -> Self {
        Self {
            call_max: UNHURRIED_MAX,
            ..Self::new(server, 1)
        }
    }

    /// Runs a job in a transaction, again if another transaction was in the way or the connection broke.
    ///
    /// When nobody knows whether a COMMIT was done, the job runs again on another connection: it locks the same rows
    /// first, so that it waits for the end of the one before, and then finds in the database whatever that did. Only
    /// if no such answer can be had is the outcome unknown.
    pub(super) async fn transact<T: Transaction>(
        &self,
        action: &str,
        job: &T,
    ) -> Result<T::Done, Error> {
        let began = Instant::now();
        let deadline = began + self.call_max;
        let mut uncertain = false;
        let mut attempt = 1;
        loop {
            let Failed {
                fault,
                uncertain: now,
            } = match self.attempt(job, deadline).await {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            uncertain |= now;
            let again = match fault.meaning() {
                Meaning::Again => true,
                Meaning::Lost => {
                    self.forget();
                    true
                }
                Meaning::Unavailable => now,
                Meaning::Permanent => false,
            };
            if !again || attempt == ATTEMPTS_MAX || began.elapsed() > RETRY_MAX {
                return Err(if uncertain {
                    Error::outcome_unknown(action)
                } else if fault.is_permanent() {
                    Error::permanent(action)
                } else {
                    Error::unavailable(action)
                }
                .because(fault));
            }
            tracing::debug!(%fault, action, attempt, "trying a transaction again");
            self.pause(attempt).await;
            attempt += 1;
        }
    }

    async fn attempt<T: Transaction>(&self, job: &T, deadline: Instant) -> Result<T::Done, Failed> {
        let mut held = self.hold(deadline).await?;
        let mut tx = Tx::new(&mut held.connection);
        // Boxed, since whoever waits for it would be as large.
        let work = Box::pin(async {
            let done = job.run(&mut tx).await?;
            tx.finish().await?;
            Ok(done)
        });
        let done = self.by(deadline, work).await;
        let uncertain = tx.is_uncertain();
        match done {
            Ok(done) => {
                held.keep();
                Ok(done)
            }
            Err(fault) => {
                if !uncertain && fault.leaves_a_connection() {
                    held.roll_back().await;
                }
                Err(Failed { fault, uncertain })
            }
        }
    }

    /// Runs a job outside of any transaction; once more if the connection had broken.
    pub(super) async fn read<J: Job>(&self, action: &str, job: &J) -> Result<J::Done, Error> {
        self.read_times(action, job, true).await
    }

    /// The same for a job that may not be done again.
    pub(super) async fn read_unrepeated<J: Job>(
        &self,
        action: &str,
        job: &J,
    ) -> Result<J::Done, Error> {
        self.read_times(action, job, false).await
    }

    async fn read_times<J: Job>(
        &self,
        action: &str,
        job: &J,
        mut again: bool,
    ) -> Result<J::Done, Error> {
        let deadline = Instant::now() + self.call_max;
        loop {
            let fault = match self.read_once(job, deadline).await {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let meaning = fault.meaning();
            if meaning == Meaning::Lost && again {
                self.forget();
                again = false;
                continue;
            }
            return Err(match meaning {
                Meaning::Permanent => Error::permanent(action),
                _ => Error::unavailable(action),
            }
            .because(fault));
        }
    }

    async fn read_once<J: Job>(&self, job: &J, deadline: Instant) -> Result<J::Done, Fault> {
        let mut held = self.hold(deadline).await?;
        let done = self.by(deadline, job.run(&mut held.connection)).await?;
        held.keep();
        Ok(done)
    }

    async fn by<T>(
        &self,
        deadline: Instant,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        match timeout_at(deadline, work).await {
            Ok(result) => result,
            Err(_) => Err(Fault::Late(self.call_max)),
        }
    }

    /// The next turn, with a kept connection or a new one. Calls that wait in vain end together, not one after the
    /// other.
    async fn hold(&self, deadline: Instant) -> Result<Held<'_>, Fault> {
        let turn = timeout_at(deadline, self.turns.acquire()).await;
        let turn = turn.map_err(|_| Fault::NoTurn(self.call_max))?;
        let turn = turn.unwrap_or_else(|_| unreachable!("a lane's turns are never closed"));
        let connection = match self.kept() {
            Some(connection) => connection,
            None => {
                let dial = async { Ok(self.server.dial().await?) };
                self.by(deadline, dial).await?
            }
        };
        Ok(Held {
            connection,
            lane: self,
            _turn: turn,
        })
    }

    /// The connection used last, unless the server may have cut it.
    fn kept(&self) -> Option<Conn> {
        let idle_max = self.server.purpose().idle_max();
        let mut idle = self.idle.lock();
        idle.retain(|(_, since)| since.elapsed() < idle_max);
        idle.pop().map(|(connection, _)| connection)
    }

    /// Drops what was kept: where one connection broke, the others probably did.
    fn forget(&self) {
        self.idle.lock().clear();
    }

    async fn pause(&self, attempt: u32) {
        let most = PAUSE.0 * 2_u32.pow(attempt.min(10));
        let pause = self.rng.lock().jitter(most.min(PAUSE.1));
        sleep(pause).await;
    }
}

impl Held<'_> {
    /// Keeps the connection for the next.
    fn keep(self) {
        self.lane
            .idle
            .lock()
            .push((self.connection, Instant::now()));
    }

    /// Frees the locks at once, and keeps the connection if it still works.
    async fn roll_back(mut self) {
        let rollback = timeout(ROLLBACK_MAX, self.connection.query_drop("ROLLBACK"));
        if matches!(rollback.await, Ok(Ok(()))) {
            self.keep();
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("server", &self.server)
            .field("idle", &self.idle.lock().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;
    use tokio::net::TcpListener;

    use super::super::MysqlUrl;
    use super::super::connect::Purpose;
    use super::*;

    struct Nothing;

    impl Job for Nothing {
        type Done = ();

        async fn run(&self, _: &mut Conn) -> Result<(), Fault> {
            Ok(())
        }
    }

    /// The first would wait 5 s for its connection, and each of the others as long again after it.
    #[tokio::test]
    async fn calls_that_wait_behind_a_server_that_hangs_end_together() {
        // The kernel takes the connections, and nobody speaks on them.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = MysqlUrl::parse(&format!("mysql://u@{address}/oms")).unwrap();
        let lane = Lane {
            call_max: Duration::from_millis(200),
            ..Lane::new(Server::new(&url, Purpose::Write), 1)
        };
        let began = Instant::now();
        let writes = join_all((0..12).map(|_| lane.transact("write", &Nothing)));
        let reads = join_all((0..12).map(|_| lane.read("read", &Nothing)));
        let (writes, reads) = tokio::join!(writes, reads);
        for result in writes.into_iter().chain(reads) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), crate::ports::ErrorKind::Unavailable);
        }
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(5),
            "they waited one after the other: {took:?}"
        );
    }
}
