//! Background work that outlives its bugs: a panic in one piece of it is an error of that piece alone, and a task that
//! ends early is known to whoever asks after the health of the service (rule 18).

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use parking_lot::Mutex;

use crate::ports::Error;

/// Something panicked; the panic hook has printed where.
#[derive(Debug, thiserror::Error)]
#[error("this is a bug: {0}")]
pub(crate) struct Panicked(String);

impl Panicked {
    pub(crate) fn new(panic: &(dyn Any + Send)) -> Self {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Self(text.unwrap_or_else(|| "it panicked without a message".to_owned()))
    }
}

/// Does one piece of work. A panic in it is a permanent error, so that a task that does many pieces goes on.
pub(crate) async fn caught<T>(
    action: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => Err(Error::permanent(action).because(Panicked::new(&*panic))),
    }
}

/// The background tasks of one service. A clone speaks of the same tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    /// Those that ended before they were told to, and why.
    ended: Arc<Mutex<Vec<String>>>,
}

impl Tasks {
    /// Starts a task that runs until its work is over. One that panics is reported until the process ends.
    pub(crate) fn spawn(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let ended = Arc::clone(&self.ended);
        tokio::spawn(async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                let error = Panicked::new(&*panic);
                tracing::error!(task = name, %error, "a background task has ended early");
                ended.lock().push(format!("{name}: {error}"));
            }
        });
    }

    /// What has ended early, if anything has: the service works no more than in part, and has to be restarted.
    pub(crate) fn trouble(&self) -> Option<String> {
        let ended = self.ended.lock();
        (!ended.is_empty())
            .then(|| format!("background tasks have ended early: {}", ended.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_work_at_fault() {
        let error = caught("count", async { panic!("at {}", 13) as Result<(), Error> })
            .await
            .unwrap_err();
        assert!(!error.is_transient());
        assert_eq!(error.chain(), "cannot count: this is a bug: at 13");
        assert_eq!(caught("count", async { Ok(7) }).await.ok(), Some(7));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_reported_and_one_that_is_over_is_not() {
        let tasks = Tasks::default();
        let (over, mut done) = tokio::sync::mpsc::channel::<()>(1);
        let (one, other) = (over.clone(), over);
        tasks.spawn("well", async move { drop(one) });
        tasks.spawn("ill", async move {
            let _other = other;
            panic!("no more");
        });
        assert_eq!(done.recv().await, None, "both have ended");
        while tasks.trouble().is_none() {
            tokio::task::yield_now().await;
        }
        let trouble = tasks.trouble().unwrap();
        assert!(trouble.contains("ill: this is a bug: no more"), "{trouble}");
        assert!(!trouble.contains("well"), "{trouble}");
    }
}
