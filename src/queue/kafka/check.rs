//! How the topics are, for `oms doctor`.

use std::time::Duration;

use rdkafka::admin::ConfigResource;
use tokio::runtime::Handle;

use super::probe::{Probe, Topic};
use super::topics;
use super::url::KafkaUrl;
use crate::ports::Error;

/// Messages should be kept at least so long: an outage over a weekend, and a day.
const RETENTION_MIN: Duration = Duration::from_secs(3 * 86_400);

/// How the queue's topic is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaCheck {
    /// How many brokers there are.
    pub brokers: usize,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The least number of replicas that a partition has.
    pub replication: usize,
    /// How many of them must have a message before it is accepted.
    pub min_insync_replicas: Option<usize>,
    /// How long messages are kept; `None` is for ever.
    pub retention: Option<Duration>,
    /// What has to be done, partition by partition.
    pub lag: Vec<PartitionLag>,
    /// What should be otherwise, in words.
    pub warnings: Vec<String>,
}

/// How far the group is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: u32,
    /// The offset of the first message that is kept.
    pub first: u64,
    /// The offset that the next message gets.
    pub end: u64,
    /// The next that the group reads, unless it never committed here.
    pub committed: Option<u64>,
    /// How many messages the group has not committed.
    pub lag: u64,
}

/// Reads all of it. Blocks.
pub(super) fn check(url: &KafkaUrl, runtime: &Handle) -> Result<KafkaCheck, Error> {
    let probe = Probe::new(url)?;
    let topic = probe.own_topic()?;
    let letters = probe.topic(&url.dead_letter_topic())?;
    let offsets = probe.offsets()?;
    let settings = topics::describe(url, url.topic(), runtime)?;
    let setting = |name: &str| setting(&settings, name);
    let retention_ms = setting("retention.ms").and_then(|text| text.parse::<i64>().ok());
    let lag = offsets.iter().map(|offsets| PartitionLag {
        partition: offsets.partition,
        first: offsets.low,
        end: offsets.high,
        committed: offsets.committed,
        lag: offsets.lag(),
    });
    let mut check = KafkaCheck {
        brokers: probe.broker_count()?,
        topic: url.topic().to_owned(),
        group: url.group().to_owned(),
        replication: topic.partitions.iter().map(|r| r.all).min().unwrap_or(0),
        min_insync_replicas: setting("min.insync.replicas").and_then(|text| text.parse().ok()),
        retention: retention_ms.and_then(|ms| u64::try_from(ms).ok().map(Duration::from_millis)),
        lag: lag.collect(),
        warnings: Vec::new(),
    };
    check.warnings = warnings(&check, url, &topic, letters.as_ref());
    check.warnings.extend(of_settings(&setting));
    Ok(check)
}

fn setting<'a>(settings: &'a ConfigResource, name: &str) -> Option<&'a str> {
    settings.get(name)?.value.as_deref()
}

fn warnings(
    check: &KafkaCheck,
    url: &KafkaUrl,
    topic: &Topic,
    letters: Option<&Topic>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let replication = check.replication;
    if replication < 3 {
        warnings.push(format!(
            "replication is {replication}: accepted carts can be lost with a broker; it should be 3"
        ));
    }
    match check.min_insync_replicas {
        Some(in_sync) if replication > 1 && in_sync < 2 => warnings.push(format!(
            "min.insync.replicas is {in_sync}: a cart may be accepted by one broker alone; it should be 2"
        )),
        Some(in_sync) if replication > 1 && in_sync >= replication => warnings.push(format!(
            "min.insync.replicas is {in_sync} of {replication} replicas: no cart is accepted while one broker is away"
        )),
        _ => {}
    }
    if let Some(kept) = check.retention
        && kept < RETENTION_MIN
    {
        warnings.push(format!(
            "retention.ms is {}: carts that are not decided by then are lost; it should outlast any outage",
            kept.as_millis()
        ));
    }
    let count = |is: fn(&super::probe::Replicas) -> bool| {
        topic
            .partitions
            .iter()
            .filter(|replicas| is(replicas))
            .count()
    };
    match count(|replicas| !replicas.has_leader) {
        0 => {}
        leaderless => warnings.push(format!("{leaderless} partitions have no leader")),
    }
    match count(|replicas| replicas.in_sync < replicas.all) {
        0 => {}
        behind => warnings.push(format!("{behind} partitions have replicas that are behind")),
    }
    let partitions = topic.partitions.len();
    if let Some(asked) = url.partitions_asked()
        && usize::try_from(asked).is_ok_and(|asked| asked != partitions)
    {
        warnings.push(format!(
            "the topic has {partitions} partitions, and the URL says {asked}"
        ));
    }
    if letters.is_none() {
        let name = url.dead_letter_topic();
        warnings.push(format!(
            "the topic {name} is not there: `oms migrate` makes it"
        ));
    }
    warnings
}

/// What is wrong with other settings of the topic.
fn of_settings<'a>(setting: &impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(policy) = setting("cleanup.policy")
        && policy != "delete"
    {
        warnings.push(format!(
            "cleanup.policy is {policy}: carts with the same key are lost; it should be delete"
        ));
    }
    if let Some(bytes) = setting("retention.bytes")
        && bytes != "-1"
    {
        warnings.push(format!(
            "retention.bytes is {bytes}: undecided carts are lost when there are many; it should be -1"
        ));
    }
    if setting("unclean.leader.election.enable") == Some("true") {
        warnings.push(
            "unclean.leader.election.enable is true: accepted carts can be lost; it should be false"
                .to_owned(),
        );
    }
    warnings
}
