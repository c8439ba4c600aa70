//! How librdkafka's clients are set up: ours first, then what the URL says.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::url::KafkaUrl;

/// How long a message may take to be stored, in milliseconds.
const MESSAGE_TIMEOUT_MS: u64 = 15_000;

/// The largest message, key included, in bytes, unless the URL says so. Brokers take a little more.
const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// What librdkafka's own bound is set to, headers included. A dead letter is larger than its message, which another
/// producer may have made as large as the brokers take it: only they say what is too large. `batch.size` bounds
/// requests of several messages.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// For all clients.
const COMMON: [(&str, &str); 8] = [
    ("client.id", "oms"),
    // The defaults are made for patient programs: 60 s, 30 s and 10 s.
    ("socket.timeout.ms", "10000"),
    ("socket.connection.setup.timeout.ms", "5000"),
    ("reconnect.backoff.max.ms", "1000"),
    // Partitions that are added are noticed after this; 5 minutes is longer than a buyer waits.
    ("topic.metadata.refresh.interval.ms", "30000"),
    ("socket.keepalive.enable", "true"),
    ("socket.nagle.disable", "true"),
    // Brokers close idle connections; that is no news.
    ("log.connection.close", "false"),
];

/// For the producer.
const PRODUCER: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // The flow has gathered a batch already.
    ("linger.ms", "0"),
    // Java's: clients of other languages find the same partition for a key. An empty key is a key like any other.
    ("partitioner", "murmur2"),
    ("message.timeout.ms", "15000"),
];

/// For members of the group.
const CONSUMER: [(&str, &str); 12] = [
    // librdkafka would store an offset before it hands the message over.
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("allow.auto.create.topics", "false"),
    // Nobody writes in transactions, and nobody waits for one that a stranger left open.
    ("isolation.level", "read_uncommitted"),
    // A rebalance leaves partitions that stay where they are alone.
    ("partition.assignment.strategy", "cooperative-sticky"),
    // A member that is gone is replaced after the least time that brokers allow by default.
    ("session.timeout.ms", "6000"),
    ("heartbeat.interval.ms", "1000"),
    // A member that is there but decides nothing gives its partitions to others after this.
    ("max.poll.interval.ms", "60000"),
    ("fetch.queue.backoff.ms", "10"),
    ("fetch.error.backoff.ms", "100"),
    // A few batches ahead; more would only be fetched again after a rebalance.
    ("queued.min.messages", "20000"),
];

fn common(url: &KafkaUrl) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", url.brokers());
    set_all(&mut config, &COMMON);
    config
}

fn set_all(config: &mut ClientConfig, settings: &[(&str, &str)]) {
    for (name, value) in settings {
        config.set(*name, *value);
    }
}

/// What the URL says comes last.
fn finish(mut config: ClientConfig, url: &KafkaUrl) -> ClientConfig {
    for (name, value) in url.options() {
        config.set(name, value);
    }
    config.set_log_level(match url.option("debug") {
        Some(_) => RDKafkaLogLevel::Debug,
        None => RDKafkaLogLevel::Info,
    });
    config
}

pub(super) fn producer(url: &KafkaUrl) -> ClientConfig {
    let mut config = common(url);
    set_all(&mut config, &PRODUCER);
    let mut config = finish(config, url);
    config.set("message.max.bytes", RECORD_BYTES_MAX.to_string());
    config
}

pub(super) fn consumer(url: &KafkaUrl) -> ClientConfig {
    let mut config = common(url);
    set_all(&mut config, &CONSUMER);
    config.set("group.id", url.group());
    finish(config, url)
}

/// For a client that reads what the group has committed, and never joins it.
pub(super) fn observer(url: &KafkaUrl) -> ClientConfig {
    let mut config = consumer(url);
    config.remove("group.instance.id");
    config
}

/// For a client that makes and describes topics.
pub(super) fn admin(url: &KafkaUrl) -> ClientConfig {
    finish(common(url), url)
}

/// How long a message may take to be stored.
pub(super) fn message_timeout(url: &KafkaUrl) -> Duration {
    let asked = url.option("message.timeout.ms");
    match asked.and_then(|text| text.parse().ok()) {
        // 0 would be for ever.
        None | Some(0) => Duration::from_millis(MESSAGE_TIMEOUT_MS),
        Some(ms) => Duration::from_millis(ms),
    }
}

/// The largest message, key included, in bytes.
pub(super) fn message_bytes_max(url: &KafkaUrl) -> usize {
    let asked = url.option("message.max.bytes");
    asked
        .and_then(|text| text.parse().ok())
        .unwrap_or(MESSAGE_BYTES_MAX)
}
