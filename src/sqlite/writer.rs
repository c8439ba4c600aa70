//! The one thread that writes: jobs gather while it commits, and share the next transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::error::is_disk_full;
use super::job::{Claim, Job, Typed};
use super::space::Space;
use super::turnstile::Turnstile;
use super::{WRITE_WAIT_MAX, port_error};
use crate::ports::Error;

/// The most jobs that share one transaction; jobs are batches themselves.
const JOBS_MAX: usize = 256;

/// The most jobs that wait; beyond that, writes are turned away.
const WAITING_MAX: usize = 65_536;

/// Once a transaction has run for so long, no further job joins it: others want their turn, and these their answer.
const TURN_MAX: Duration = Duration::from_millis(100);

/// How long the caller of a job that has begun waits for its end.
const JOB_WAIT_MAX: Duration = Duration::from_secs(60);

/// Handle of the writer's thread. Dropping it lets the thread finish what was submitted.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<SyncSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        turnstile: Turnstile,
        mut space: Space,
    ) -> Result<Self, Error> {
        let (jobs, inbox) = sync_channel(WAITING_MAX);
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                let mut waiting = VecDeque::new();
                while let Ok(first) = inbox.recv() {
                    waiting.push_back(first);
                    while !waiting.is_empty() {
                        take_turn(&connection, &turnstile, &mut space, &inbox, &mut waiting);
                    }
                }
            })
            .map_err(|source| Error::unavailable("start the database writer").because(source))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Hands a job over and waits for its commit.
    pub(super) async fn submit<T, F>(&self, action: String, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, mut answer) = oneshot::channel();
        let claim = Arc::new(Claim::default());
        let job = Typed::new(action.clone(), work, Arc::clone(&claim), reply);
        // A caller that goes away gives its job up, too.
        let waiter = Waiter(&claim);
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.try_send(Box::new(job)).is_ok());
        if !sent {
            return Err(Error::unavailable(action).because(Overloaded));
        }
        match tokio::time::timeout(WRITE_WAIT_MAX, &mut answer).await {
            Ok(Ok(result)) => return result,
            _ if waiter.0.abandon() => return Err(Error::unavailable(action).because(WriterBusy)),
            _ => {}
        }
        match tokio::time::timeout(JOB_WAIT_MAX, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(Error::outcome_unknown(action)),
        }
    }
}

struct Waiter<'a>(&'a Claim);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It may stand behind a stopped process, and nobody is to stand behind it.
        let deadline = Instant::now() + WRITE_WAIT_MAX;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
        }
        if !thread.is_finished() {
            tracing::warn!("left the database writer behind: it still waits for its turn");
        } else if thread.join().is_err() {
            tracing::error!("the database writer has panicked");
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the turn to write has not come for {} s; is another process stopped?",
    WRITE_WAIT_MAX.as_secs()
)]
struct WriterBusy;

#[derive(Debug, thiserror::Error)]
#[error("{WAITING_MAX} writes are waiting already")]
struct Overloaded;

#[derive(Debug, thiserror::Error)]
#[error("a write that shared the transaction had it rolled back")]
struct RolledBack;

/// One turn: runs jobs in one transaction, each in a savepoint, and replies after the commit.
fn take_turn(
    connection: &Connection,
    turnstile: &Turnstile,
    space: &mut Space,
    inbox: &Receiver<Box<dyn Job>>,
    waiting: &mut VecDeque<Box<dyn Job>>,
) {
    let mut ran = Vec::new();
    let committed = turnstile
        .pass()
        .map_err(|source| Error::unavailable("take the write lock").because(source))
        .and_then(|_pass| {
            // More have come while it waited for its turn.
            waiting.extend(
                inbox
                    .try_iter()
                    .take(JOBS_MAX.saturating_sub(waiting.len())),
            );
            waiting.retain(|job| !job.is_abandoned());
            if waiting.is_empty() {
                return Ok(());
            }
            space.make_room(connection)?;
            let committed = transact(connection, waiting, &mut ran);
            if !connection.is_autocommit()
                && let Err(error) = connection.execute_batch("ROLLBACK")
            {
                tracing::error!(%error, "cannot roll back");
            }
            committed
        });
    if committed.as_ref().is_err_and(is_disk_full) || ran.iter().any(|job| job.met_full_disk()) {
        space.meets_full_disk();
    }
    if committed.is_err() && ran.is_empty() {
        // None could begin, and each has waited long enough to be told.
        ran.extend(waiting.drain(..));
    }
    for job in ran {
        job.finish(&committed);
    }
}

/// Moves jobs from `waiting` to `ran` as they are run. After an error nothing of them is left in the database; those
/// still waiting were not begun.
fn transact(
    connection: &Connection,
    waiting: &mut VecDeque<Box<dyn Job>>,
    ran: &mut Vec<Box<dyn Job>>,
) -> Result<(), Error> {
    let failed = |source| port_error("run the transaction", source);
    execute(connection, "BEGIN IMMEDIATE")
        .map_err(|source| port_error("begin a transaction", source))?;
    let begun = Instant::now();
    while let Some(mut job) = waiting.pop_front() {
        if !job.claim() {
            continue;
        }
        let saved = execute(connection, "SAVEPOINT job");
        let done = saved.is_ok() && job.run(connection);
        ran.push(job);
        saved.map_err(failed)?;
        // A full disk or a failing one ends the whole transaction, not only the job's part.
        if connection.is_autocommit() {
            return Err(Error::unavailable("keep the transaction").because(RolledBack));
        }
        if !done {
            execute(connection, "ROLLBACK TO job").map_err(failed)?;
        }
        execute(connection, "RELEASE job").map_err(failed)?;
        if begun.elapsed() >= TURN_MAX {
            break;
        }
    }
    execute(connection, "COMMIT")
        .map(drop)
        .map_err(commit_error)
}

fn execute(connection: &Connection, sql: &str) -> Result<usize, rusqlite::Error> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute([]))
}

/// A commit that found no room was not made. When the disk failed, it may have been: the log may hold it.
fn commit_error(source: rusqlite::Error) -> Error {
    let action = "commit the transaction";
    match source.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => Error::outcome_unknown(action).because(source),
        _ => port_error(action, source),
    }
}
