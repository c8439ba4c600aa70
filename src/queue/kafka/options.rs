//! librdkafka's own parameters in a URL: which are refused, which are secrets, and what librdkafka says to the others.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::url::UrlError;

const COMMITS: &str = "an offset is committed when its cart is processed, never before";
const ACKNOWLEDGED: &str = "a cart is accepted when all replicas in sync have it";
const ONCE: &str = "without idempotence a retry stores a cart twice, or out of order";
const EARLIEST: &str = "carts accepted before the first worker came must be read";
const BROKERS: &str = "the brokers stand before the topic, as in kafka://host:9092/topic";
const ASSIGNMENT: &str = "all members of a group must share out partitions in the same way";
const PLACEMENT: &str = "every process must find the same partition for a key";
const MAKES_NO_TOPIC: &str = "`oms migrate` makes the topic, with the settings it needs";
const MOCK: &str = "brokers in memory would lose carts";
const NOT_USED: &str = "oms does not use it";

/// Parameters that would break a promise, and why.
const REFUSED: [(&str, &str); 33] = [
    ("acks", ACKNOWLEDGED),
    ("allow.auto.create.topics", MAKES_NO_TOPIC),
    ("auto.commit.enable", COMMITS),
    ("auto.commit.interval.ms", COMMITS),
    ("auto.offset.reset", EARLIEST),
    ("bootstrap.servers", BROKERS),
    ("builtin.features", NOT_USED),
    ("delivery.timeout.ms", "write message.timeout.ms"),
    ("enable.auto.commit", COMMITS),
    ("enable.auto.offset.store", COMMITS),
    ("enable.gapless.guarantee", NOT_USED),
    ("enable.idempotence", ONCE),
    ("enable.partition.eof", NOT_USED),
    ("enabled_events", NOT_USED),
    ("group.id", "write group="),
    ("group.protocol", ASSIGNMENT),
    ("group.protocol.type", ASSIGNMENT),
    ("group.remote.assignor", ASSIGNMENT),
    ("log.queue", "the log goes to that of oms"),
    ("max.in.flight", ONCE),
    ("max.in.flight.requests.per.connection", ONCE),
    ("metadata.broker.list", BROKERS),
    ("msg_order_cmp", NOT_USED),
    ("offset.store.method", COMMITS),
    ("partition.assignment.strategy", ASSIGNMENT),
    ("partitioner", PLACEMENT),
    ("plugin.library.paths", NOT_USED),
    ("queue.buffering.max.ms", "write linger.ms"),
    ("queuing.strategy", NOT_USED),
    ("request.required.acks", ACKNOWLEDGED),
    ("sticky.partitioning.linger.ms", PLACEMENT),
    ("test.mock.num.brokers", MOCK),
    ("transactional.id", NOT_USED),
];

/// Parts of a name that mark its value as a secret; in doubt it is hidden.
const SECRETS: [&str; 9] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "pem",
    "jaas",
];

/// What librdkafka says of a parameter that it was built without, such as those of OIDC; it repeats no value.
const NOT_BUILT: &str = "not supported in this build";

/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// Whether librdkafka takes a parameter, and oms lets it.
///
/// # Errors
/// [`UrlError`], which shows no secrets.
pub(super) fn check(name: &str, value: &str) -> Result<(), UrlError> {
    let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
    if let Some((_, reason)) = refused {
        return Err(UrlError::Refused {
            name: name.to_owned(),
            reason,
        });
    }
    if cfg!(not(feature = "kafka-tls")) && needs_tls(name, value) {
        return Err(UrlError::NoTls(name.to_owned()));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Err(UrlError::Unknown(name.to_owned()))
        }
        Err(error) => Err(UrlError::Invalid {
            name: name.to_owned(),
            detail: match error {
                // Most details repeat the value.
                KafkaError::ClientConfig(_, detail, ..)
                    if !is_secret(name) || detail.contains(NOT_BUILT) =>
                {
                    detail
                }
                _ => "it cannot have this value".to_owned(),
            },
        }),
    }
}

/// Whether librdkafka needs OpenSSL for it.
fn needs_tls(name: &str, value: &str) -> bool {
    let value = value.to_uppercase();
    match name {
        "security.protocol" => value.ends_with("SSL"),
        "sasl.mechanism" | "sasl.mechanisms" => {
            value.starts_with("SCRAM") || value == "OAUTHBEARER"
        }
        _ => name.starts_with("ssl."),
    }
}

/// A value as it may be shown.
pub(super) fn shown<'a>(name: &str, value: &'a str) -> &'a str {
    if is_secret(name) { HIDDEN } else { value }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_tls_is_refused_where_there_is_none() {
        for (name, value) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("ssl.ca.location", "/etc/ca.pem"),
        ] {
            let outcome = check(name, value);
            if cfg!(feature = "kafka-tls") {
                assert_eq!(outcome, Ok(()), "{name}");
            } else {
                assert_eq!(outcome, Err(UrlError::NoTls(name.to_owned())));
            }
        }
        assert_eq!(check("security.protocol", "plaintext"), Ok(()));
        assert_eq!(check("sasl.mechanism", "PLAIN"), Ok(()));
    }
}
