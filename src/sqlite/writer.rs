//! The one thread that writes: jobs gather while it commits, and share the next transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::turnstile::Turnstile;
use super::{WRITE_WAIT_MAX, port_error};
use crate::ports::Error;

/// The most jobs that share one transaction; jobs are batches themselves.
const JOBS_MAX: usize = 256;

/// Handle of the writer's thread. Dropping it lets the thread finish what was submitted.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// A write with its reply.
trait Job: Send {
    /// Whether nobody waits for it any more.
    fn is_abandoned(&self) -> bool;
    /// Does the work; `false` if its changes must be undone.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Replies, once it is known whether the transaction was committed.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct Typed<T, F> {
    action: String,
    work: Option<F>,
    result: Option<Result<T, Error>>,
    started: Arc<AtomicBool>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Typed<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, connection: &Connection) -> bool {
        self.started.store(true, Ordering::Release);
        let Some(work) = self.work.take() else {
            return false;
        };
        let result = work(connection).map_err(|source| port_error(self.action.as_str(), source));
        let done = result.is_ok();
        self.result = Some(result);
        done
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Err(error), _) => Err(error),
            (Ok(()), None) => Err(Error::unavailable(self.action)),
        };
        // A caller that has gone does not need to know.
        let _ = self.reply.send(result);
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, turnstile: Turnstile) -> Self {
        let (jobs, inbox) = mpsc::channel::<Box<dyn Job>>();
        let thread = std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                while let Ok(first) = inbox.recv() {
                    let batch = std::iter::once(first)
                        .chain(inbox.try_iter().take(JOBS_MAX - 1))
                        .collect();
                    commit_together(&connection, &turnstile, batch);
                }
            })
            .expect("the system can start a thread");
        Self {
            jobs: Some(jobs),
            thread: Some(thread),
        }
    }

    pub(super) async fn submit<T, F>(&self, action: String, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let started = Arc::new(AtomicBool::new(false));
        let job = Typed {
            action: action.clone(),
            work: Some(work),
            result: None,
            started: Arc::clone(&started),
            reply,
        };
        let sent = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.send(Box::new(job)).is_ok());
        if !sent {
            return Err(Error::unavailable(action));
        }
        match tokio::time::timeout(WRITE_WAIT_MAX, answer).await {
            Ok(Ok(result)) => result,
            // The thread died with the job in hand, or is stuck in it.
            _ if started.load(Ordering::Acquire) => Err(Error::outcome_unknown(action)),
            _ => Err(Error::unavailable(action).because(WriterBusy)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database writer has panicked");
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("another process has held the database's write lock for over {} s", WRITE_WAIT_MAX.as_secs())]
struct WriterBusy;

/// Runs jobs in one transaction, each in a savepoint, and replies after the commit.
fn commit_together(connection: &Connection, turnstile: &Turnstile, mut batch: Vec<Box<dyn Job>>) {
    let committed = turnstile
        .pass()
        .map_err(|source| Error::unavailable("take the write lock").because(source))
        .and_then(|_pass| {
            batch.retain(|job| !job.is_abandoned());
            if batch.is_empty() {
                return Ok(());
            }
            transact(connection, &mut batch).map_err(|source| {
                if !connection.is_autocommit()
                    && let Err(error) = connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%error, "cannot roll back");
                }
                port_error("commit to the database", source)
            })
        });
    for job in batch {
        job.finish(committed.clone());
    }
}

fn transact(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<(), rusqlite::Error> {
    let execute = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
    };
    execute("BEGIN IMMEDIATE")?;
    for job in batch {
        execute("SAVEPOINT job")?;
        if !job.run(connection) {
            // A full disk ends the whole transaction, not only the job's part: then this fails, for everyone.
            execute("ROLLBACK TO job")?;
        }
        execute("RELEASE job")?;
    }
    execute("COMMIT")?;
    Ok(())
}
