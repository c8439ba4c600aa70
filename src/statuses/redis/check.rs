//! What `oms doctor` asks of Redis.

use std::collections::HashMap;
use std::sync::Arc;

use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{ErrorKind, RedisResult, Value};
use tokio::sync::mpsc;

use super::dial::{Connection, Dial, in_time};
use super::fault;
use super::keys::Keys;
use super::url::RedisUrl;
use crate::ports::Error;

/// The oldest version of Redis that is supported.
const MAJOR_MIN: u32 = 7;

/// From this share of its memory on, in percent, a server is said to be nearly full.
const NEARLY_FULL_PERCENT: u64 = 80;

/// What the servers say of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Such as `redis 7.0.15` or `valkey 8.1.1`; of a cluster the first node's.
    pub version: String,
    /// `standalone` or `cluster`, and so on, as the server calls it.
    pub mode: String,
    /// How many servers that hold data have answered.
    pub nodes: usize,
    /// What a full server forgets; should be `noeviction`.
    pub maxmemory_policy: String,
    /// Bytes in use, of all nodes.
    pub used_memory: u64,
    /// What should be changed, in words.
    pub warnings: Vec<String>,
    /// What is as it may be, but good to know, in words.
    pub notes: Vec<String>,
}

/// Connects and asks.
///
/// # Errors
/// As [`RedisStatuses::connect`](super::RedisStatuses::connect).
pub async fn check(url: &RedisUrl) -> Result<Check, Error> {
    let failed = |error| fault::first_contact(&url.hosts(), error);
    let keys = Keys::new(url.prefix(), url.is_cluster());
    let dial = Arc::new(Dial::new(url, &keys).map_err(failed)?);
    let (lost, _losses) = mpsc::unbounded_channel();
    let connection = dial.connect(0, &lost).await.map_err(failed)?;
    let infos = in_time(infos(connection)).await.map_err(|error| {
        Error::unavailable(format!("ask Redis at {} for INFO", url.hosts())).because(error)
    })?;
    Ok(summary(&infos))
}

/// What a server says of itself, by field.
type Info = HashMap<String, String>;

/// The answers of every server that holds data, with their addresses if there are several.
async fn infos(connection: Connection) -> RedisResult<Vec<(Option<String>, Info)>> {
    let command = redis::cmd("INFO");
    match connection {
        one @ Connection::One(_) => {
            let mut one = one;
            Ok(vec![(None, parse(&text(one.ask(&command).await?)?))])
        }
        Connection::Cluster(mut cluster) => {
            let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
            let Value::Map(answers) = cluster.route_command(command, all).await?.extract_error()?
            else {
                return Err(unexpected());
            };
            answers
                .into_iter()
                .map(|(node, answer)| Ok((Some(text(node)?), parse(&text(answer)?))))
                .collect()
        }
    }
}

fn text(value: Value) -> RedisResult<String> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => Ok(text),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> redis::RedisError {
    (
        ErrorKind::UnexpectedReturnType,
        "INFO is not answered with text",
    )
        .into()
}

fn parse(info: &str) -> Info {
    info.lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

fn field<'a>(info: &'a Info, name: &str) -> &'a str {
    info.get(name).map_or("unknown", String::as_str)
}

fn number(info: &Info, name: &str) -> u64 {
    field(info, name).parse().unwrap_or(0)
}

fn summary(infos: &[(Option<String>, Info)]) -> Check {
    let empty = Info::new();
    let first = infos.first().map_or(&empty, |(_, info)| info);
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    for (node, info) in infos {
        let at = node
            .as_ref()
            .map_or_else(String::new, |node| format!("{node}: "));
        warnings.extend(
            warnings_of(info)
                .into_iter()
                .map(|text| format!("{at}{text}")),
        );
        notes.extend(notes_of(info).into_iter().map(|text| format!("{at}{text}")));
    }
    let mode = field(first, "redis_mode");
    Check {
        version: version(first),
        mode: first
            .get("server_mode")
            .map_or(mode, String::as_str)
            .to_owned(),
        nodes: infos.len(),
        maxmemory_policy: field(first, "maxmemory_policy").to_owned(),
        used_memory: infos
            .iter()
            .map(|(_, info)| number(info, "used_memory"))
            .sum(),
        warnings,
        notes,
    }
}

/// Valkey says 7.2.4 where it is asked for the version of Redis.
fn version(info: &Info) -> String {
    match info.get("valkey_version") {
        Some(version) => format!("valkey {version}"),
        None => format!("redis {}", field(info, "redis_version")),
    }
}

fn warnings_of(info: &Info) -> Vec<String> {
    let mut warnings = Vec::new();
    let version = field(info, "redis_version");
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    if major.is_none_or(|major: u32| major < MAJOR_MIN) {
        warnings.push(format!(
            "version {version} is not supported: use Redis {MAJOR_MIN} or Valkey"
        ));
    }
    let policy = field(info, "maxmemory_policy");
    if policy != "noeviction" {
        warnings.push(format!(
            "maxmemory-policy is {policy}: when memory is short, statuses vanish and buyers wait for the database; \
             set it to noeviction"
        ));
    }
    let (used, most) = (number(info, "used_memory"), number(info, "maxmemory"));
    if most > 0 && used / NEARLY_FULL_PERCENT >= most / 100 {
        warnings.push(format!("{used} of {most} bytes of memory are in use"));
    }
    if info.get("role").is_some_and(|role| role != "master") {
        warnings.push("it is a replica: statuses cannot be written".to_owned());
    }
    warnings
}

fn notes_of(info: &Info) -> Vec<String> {
    let mut notes = Vec::new();
    if number(info, "aof_enabled") == 0 {
        notes.push(
            "no append-only file: after a restart statuses are missing until they are asked for, or rebuilt by \
             `oms statuses rebuild`; nothing else is lost"
                .to_owned(),
        );
    }
    if number(info, "maxmemory") == 0 {
        notes.push("maxmemory is not set".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(extra: &str) -> Info {
        parse(&format!(
            "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nused_memory:1000\r\nmaxmemory:2000\r\n\
             maxmemory_policy:noeviction\r\naof_enabled:1\r\nrole:master\r\n{extra}"
        ))
    }

    #[test]
    fn a_server_in_good_order_gives_no_warning() {
        let check = summary(&[(None, info(""))]);
        assert_eq!(
            (check.version.as_str(), check.mode.as_str()),
            ("redis 7.0.15", "standalone")
        );
        assert_eq!((check.nodes, check.used_memory), (1, 1_000));
        assert!(
            check.warnings.is_empty() && check.notes.is_empty(),
            "{check:?}"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_the_node_it_is_wrong_on() {
        for (extra, expected) in [
            ("maxmemory_policy:allkeys-lru\r\n", "allkeys-lru"),
            ("redis_version:6.2.1\r\n", "version 6.2.1"),
            ("used_memory:1700\r\n", "1700 of 2000"),
            ("role:slave\r\n", "replica"),
        ] {
            let nodes = [
                (Some("a:1".to_owned()), info("")),
                (Some("b:2".to_owned()), info(extra)),
            ];
            let check = summary(&nodes);
            let [warning] = &check.warnings[..] else {
                panic!("{check:?}");
            };
            assert!(
                warning.starts_with("b:2: ") && warning.contains(expected),
                "{warning}"
            );
        }
        let check = summary(&[(None, info("aof_enabled:0\r\nvalkey_version:8.1.1\r\n"))]);
        assert_eq!(
            (check.version.as_str(), check.notes.len()),
            ("valkey 8.1.1", 1)
        );
    }
}
