//! Threads for calls that block, and bounded waits for what they answer.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::failure::Cause;
use crate::ports::Error;

/// Starts a thread. It is never joined: librdkafka may hang in it, and the process must end all the same.
pub(super) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let started = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(body);
    match started {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::unavailable(format!("start the thread {name}")).because(error)),
    }
}

/// Does something that blocks on a thread of its own. Running out of `wait` does not stop it.
pub(super) async fn blocking<T: Send + 'static>(
    body: impl FnOnce() -> Result<T, Error> + Send + 'static,
    wait: Duration,
    unanswered: impl FnOnce(Cause) -> Error,
) -> Result<T, Error> {
    let (reply, result) = oneshot::channel();
    start("kafka-call", move || {
        // Who has gone does not need to know.
        let _ = reply.send(body());
    })?;
    answer(result, wait).await.map_err(unanswered)?
}

/// Waits for an answer, but not for ever.
pub(super) async fn answer<T>(result: oneshot::Receiver<T>, wait: Duration) -> Result<T, Cause> {
    match timeout(wait, result).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Cause("the thread that does it has ended".to_owned())),
        Err(_) => Err(Cause(format!("no answer for {} s", wait.as_secs()))),
    }
}
