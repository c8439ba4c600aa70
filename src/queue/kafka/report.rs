//! What librdkafka says goes to the log of oms, never to stderr.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// For how long an error is the likely cause of what fails next; librdkafka does not repeat it at every attempt.
const RECENT: Duration = Duration::from_secs(60);

/// Passes the log of a client on, and keeps its last error: what a time-out came from.
#[derive(Debug)]
pub(super) struct Report {
    /// Which client.
    role: &'static str,
    last_error: Mutex<Option<(Instant, String)>>,
}

impl Report {
    pub(super) fn new(role: &'static str) -> Self {
        Self {
            role,
            last_error: Mutex::new(None),
        }
    }

    /// The last error, such as a refused connection, unless it is old.
    pub(super) fn recent_error(&self) -> Option<String> {
        let last = self.last_error.lock();
        let recent = last.as_ref().filter(|(at, _)| at.elapsed() < RECENT);
        recent.map(|(_, reason)| reason.clone())
    }
}

impl ClientContext for Report {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let client = self.role;
        match level {
            // That a producer's settings mean nothing to a consumer.
            _ if facility == "CONFWARN" => tracing::trace!(client, "librdkafka: {message}"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(client, facility, "librdkafka: {message}");
            }
            // It retries by itself.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(client, facility, "librdkafka: {message}");
            }
            RDKafkaLogLevel::Notice => tracing::info!(client, facility, "librdkafka: {message}"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(client, facility, "librdkafka: {message}");
            }
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        let statistics = String::from_utf8_lossy(statistics);
        tracing::debug!(client = self.role, %statistics, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(client = self.role, %error, reason, "librdkafka has a problem");
        // That all brokers are away says less than why the last one is.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.last_error.lock() = Some((Instant::now(), reason.to_owned()));
        }
    }
}

impl ConsumerContext for Report {}
