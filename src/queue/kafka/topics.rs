//! Makes the topics, and reads how they are set up.

use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::runtime::Handle;

use super::failure::{self, Cause};
use super::probe::{Probe, Topic};
use super::report::Report;
use super::settings;
use super::url::KafkaUrl;
use crate::ports::Error;

/// How long the brokers may take to make topics, or to describe them.
const ADMIN_WAIT_MAX: Duration = Duration::from_secs(10);

/// How long new topics may take to be there, with leaders.
const VISIBLE_WAIT_MAX: Duration = Duration::from_secs(10);

/// How many replicas a topic gets if there are that many brokers.
const REPLICATION: usize = 3;

/// How long messages are kept: longer than any outage (rule 14). 7 days.
const RETENTION_MS: &str = "604800000";

/// Dead letters are kept until somebody has looked.
const FOR_EVER: &str = "-1";

/// The largest dead letter, in bytes: 16 MiB. A larger one is cut.
const LETTER_BYTES_MAX: &str = "16777216";

/// Makes both topics, unless they are there, and waits until they have leaders. Those that are there stay as they are.
/// Blocks.
pub(super) fn migrate(url: &KafkaUrl, runtime: &Handle) -> Result<(), Error> {
    let probe = Probe::new(url)?;
    // The first contact, whose error says who was asked.
    let brokers = probe.broker_count()?;
    let replication = match url.replication_asked() {
        Some(asked) => i32::from(asked),
        None if brokers >= REPLICATION => 3,
        None => i32::try_from(brokers.max(1)).unwrap_or(1),
    };
    let partitions = i32::try_from(url.partitions()).unwrap_or(i32::MAX);
    let letters = url.dead_letter_topic();
    let topics = [
        new_topic(url.topic(), partitions, replication, RETENTION_MS),
        // Larger than their messages, by the headers that say why and from where.
        new_topic(&letters, 1, replication, FOR_EVER).set("max.message.bytes", LETTER_BYTES_MAX),
    ];
    let admin = admin(url)?;
    let made = runtime.block_on(admin.create_topics(&topics, &options()));
    for made in made.map_err(|error| while_making(&error))? {
        match made {
            Ok(name) => tracing::info!(name, replication, "made a Kafka topic"),
            Err((_, Code::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(not_made(&name, code, replication, brokers)),
        }
    }
    let deadline = Instant::now() + VISIBLE_WAIT_MAX;
    for name in [url.topic(), &letters] {
        wait_for(&probe, name, deadline)?;
    }
    Ok(())
}

fn new_topic<'a>(
    name: &'a str,
    partitions: i32,
    replication: i32,
    retention_ms: &'a str,
) -> NewTopic<'a> {
    let in_sync = if replication >= 3 { "2" } else { "1" };
    NewTopic::new(name, partitions, TopicReplication::Fixed(replication))
        .set("cleanup.policy", "delete")
        .set("retention.ms", retention_ms)
        .set("min.insync.replicas", in_sync)
        // A lost message is worse than a partition that waits for its leader.
        .set("unclean.leader.election.enable", "false")
        // By the brokers' clocks: a process whose clock is behind must not have its carts deleted.
        .set("message.timestamp.type", "LogAppendTime")
}

fn wait_for(probe: &Probe, name: &str, deadline: Instant) -> Result<(), Error> {
    let is_led = |topic: &Topic| topic.partitions.iter().all(|replicas| replicas.has_leader);
    match probe.topic_once(name, is_led, deadline)? {
        Some(_) => Ok(()),
        None => Err(Error::unavailable(format!("find the Kafka topic {name}"))
            .because(Cause("it was made, but has no leader yet".to_owned()))),
    }
}

/// A topic's settings, by name. Blocks.
pub(super) fn describe(
    url: &KafkaUrl,
    topic: &str,
    runtime: &Handle,
) -> Result<ConfigResource, Error> {
    let admin = admin(url)?;
    let action = || format!("read the settings of the Kafka topic {topic}");
    let described = runtime
        .block_on(admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options()))
        .map_err(|error| failure::while_reading(action(), &error))?;
    match described.into_iter().next() {
        Some(Ok(resource)) => Ok(resource),
        Some(Err(code)) => Err(failure::while_reading(action(), &KafkaError::AdminOp(code))),
        None => Err(Error::unavailable(action())),
    }
}

fn admin(url: &KafkaUrl) -> Result<AdminClient<Report>, Error> {
    AdminClient::from_config_and_context(&settings::admin(url), Report::new("admin"))
        .map_err(|error| failure::while_reading(format!("use Kafka by {url}"), &error))
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .request_timeout(Some(ADMIN_WAIT_MAX))
        .operation_timeout(Some(ADMIN_WAIT_MAX))
}

fn while_making(error: &KafkaError) -> Error {
    // They may have been made: making them again does no harm.
    Error::outcome_unknown("make the Kafka topics").because(Cause(failure::words(error)))
}

fn not_made(name: &str, code: Code, replication: i32, brokers: usize) -> Error {
    match code {
        Code::InvalidReplicationFactor => {
            Error::permanent(format!("make the Kafka topic {name}")).because(Cause(format!(
                "it should have {replication} replicas, and there are {brokers} brokers: write replication={brokers} or less"
            )))
        }
        Code::RequestTimedOut | Code::OperationTimedOut => while_making(&KafkaError::AdminOp(code)),
        _ => failure::while_reading(
            format!("make the Kafka topic {name}"),
            &KafkaError::AdminOp(code),
        ),
    }
}
