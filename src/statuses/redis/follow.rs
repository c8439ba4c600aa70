//! The task that wakes those who wait, by what other processes tell and, since telling is only a hint, by reading.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Inner;
use crate::domain::{OrderId, Status};
use crate::ports::Clock;
use crate::rng::Rng;

/// How often everything that somebody waits for is read, whatever was told: the safety net.
const READ_ALL_EVERY: Duration = Duration::from_secs(2);

/// The same while nothing can be told.
const READ_ALL_EVERY_UNTOLD: Duration = Duration::from_millis(500);

/// The most orders that are read for the safety net; more would only slow down those who do the work.
const READ_ALL_MAX: usize = 100_000;

/// How many statuses are read in one go.
const CHUNK: usize = 5_000;

/// How many messages are taken in one go.
const MESSAGES_MAX: usize = 256;

/// How often a subscription has to show that it is alive.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How long that may take.
const PONG_WAIT_MAX: Duration = Duration::from_secs(2);

/// The first pause before subscribing again. It doubles with every failure.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Bytes per change in a message: the order and its status.
const CHANGE_BYTES: usize = 17;

/// Runs until it is dropped.
pub(super) async fn run<C: Clock>(inner: Arc<Inner<C>>) {
    tokio::join!(read_all(&inner), listen(&inner));
}

/// The safety net: one read for everyone who waits, however many they are.
async fn read_all<C: Clock>(inner: &Inner<C>) {
    loop {
        sleep(if inner.told.load(Ordering::Relaxed) {
            READ_ALL_EVERY
        } else {
            READ_ALL_EVERY_UNTOLD
        })
        .await;
        wake_all(inner).await;
    }
}

async fn listen<C: Clock>(inner: &Inner<C>) {
    let mut rng = Rng::from_system();
    let mut pause = PAUSE_MIN;
    loop {
        match inner.dial.subscribe(&inner.changes).await {
            Ok((sink, messages)) => {
                pause = PAUSE_MIN;
                inner.told.store(true, Ordering::Relaxed);
                // Nobody kept what was told before.
                wake_all(inner).await;
                hear(inner, sink, messages).await;
                inner.told.store(false, Ordering::Relaxed);
                tracing::debug!("the subscription to Redis is lost");
            }
            Err(error) if pause == PAUSE_MIN => {
                tracing::warn!(error = %crate::ports::chain(&error), "cannot subscribe to Redis: statuses are polled");
            }
            Err(_) => {}
        }
        sleep(rng.jitter(pause)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Hears what is told until the subscription is lost.
async fn hear<C: Clock>(inner: &Inner<C>, mut sink: PubSubSink, messages: PubSubStream) {
    let mut messages = messages.ready_chunks(MESSAGES_MAX);
    let mut ping_at = Instant::now() + PING_EVERY;
    loop {
        tokio::select! {
            biased;
            heard = messages.next() => {
                let Some(heard) = heard else { return };
                let payloads = heard.iter().map(redis::Msg::get_payload_bytes);
                wake(inner, &wanted(inner, payloads)).await;
            }
            () = sleep_until(ping_at) => {
                if !matches!(timeout(PONG_WAIT_MAX, sink.ping::<redis::Value>()).await, Ok(Ok(_))) {
                    return;
                }
                ping_at = Instant::now() + PING_EVERY;
            }
        }
    }
}

/// The orders among those told of that somebody waits for.
fn wanted<'a, C>(inner: &Inner<C>, payloads: impl Iterator<Item = &'a [u8]>) -> Vec<OrderId> {
    let changes = payloads.flat_map(|payload| payload.as_chunks::<CHANGE_BYTES>().0);
    let wanted: HashSet<OrderId> = changes
        .filter_map(|change| {
            let (id, code) = change.split_first_chunk::<16>()?;
            let (id, status) = (OrderId::from_bytes(*id), Status::from_code(code[0])?);
            inner.waiters.wants(id, status).then_some(id)
        })
        .collect();
    wanted.into_iter().collect()
}

async fn wake_all<C: Clock>(inner: &Inner<C>) {
    wake(inner, &inner.waiters.waited_for(READ_ALL_MAX)).await;
}

/// Reads statuses and wakes those who wait for them. What cannot be read now is read again for the safety net.
pub(super) async fn wake<C: Clock>(inner: &Inner<C>, ids: &[OrderId]) {
    for chunk in ids.chunks(CHUNK) {
        let entries = match inner.read(chunk).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::debug!(%error, "cannot wake those who wait");
                return;
            }
        };
        for (id, entry) in chunk.iter().zip(entries) {
            if let Some(entry) = entry {
                inner.waiters.notify(*id, entry);
            }
        }
    }
}
