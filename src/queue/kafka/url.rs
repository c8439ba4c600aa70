//! Where the Kafka topic is: `kafka://host:port,host2:port/topic?group=oms&partitions=6&replication=3&…`.
//!
//! | parameter | default | |
//! |---|---|---|
//! | `group` | `oms` | the consumer group |
//! | `partitions` | 6 | of a topic that is made |
//! | `replication` | 3, or the number of brokers if there are fewer | of a topic that is made |
//! | all others | | librdkafka's own names, such as `security.protocol=SASL_SSL`; see [`super::options`] for those refused |
//!
//! Keys and values are percent-encoded, as in a form: a `+` in a password is written `%2B`.

use std::fmt;

use url::form_urlencoded;

use super::options;

/// The port of a broker whose port is left out.
const DEFAULT_PORT: u16 = 9092;

/// The consumer group, unless the URL names one.
const DEFAULT_GROUP: &str = "oms";

/// How many partitions a topic is made with, unless the URL says so: that many workers can share the work.
const DEFAULT_PARTITIONS: u32 = 6;

/// The most partitions that a topic is made with.
const PARTITIONS_MAX: u32 = 10_000;

/// The most replicas that a topic is made with.
const REPLICATION_MAX: u16 = 100;

/// The longest name of a topic that Kafka takes.
const KAFKA_NAME_MAX: usize = 249;

/// What the topic of the dead letters is called after the topic's own name.
const DEAD_LETTERS: &str = ".dead-letters";

/// Where the queue is in Kafka. Shows no secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaUrl {
    /// Host and port of the brokers to ask first.
    brokers: Vec<String>,
    topic: String,
    group: String,
    partitions: Option<u32>,
    replication: Option<u16>,
    /// What is passed on to librdkafka.
    options: Vec<(String, String)>,
}

/// A text that is no URL of a Kafka topic. Shows no secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not of the form.
    #[error("no Kafka URL: write kafka://host:9092/topic")]
    Form,
    /// A user or password before the brokers.
    #[error("credentials do not stand before the brokers: write ?sasl.username=…&sasl.password=…")]
    Credentials,
    /// A broker that is no host and port.
    #[error("`{0}` is no broker: write host or host:port")]
    Broker(String),
    /// A topic that Kafka cannot have.
    #[error(
        "`{0}` is no topic: write 1 to {max} letters, digits, dots, dashes or underscores",
        max = KAFKA_NAME_MAX - DEAD_LETTERS.len()
    )]
    Topic(String),
    /// A value that one of the parameters of oms cannot have.
    #[error("`{name}` cannot be `{value}`: write {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should look like.
        expected: String,
    },
    /// A parameter that stands there more than once.
    #[error("`{0}` is given twice")]
    Twice(String),
    /// A parameter that would break what oms promises.
    #[error("`{name}` cannot be set: {reason}")]
    Refused {
        /// The parameter.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// A parameter that neither oms nor librdkafka has.
    #[error(
        "unknown parameter `{0}`; known are group, partitions, replication and librdkafka's own names"
    )]
    Unknown(String),
    /// A parameter of TLS, of which this program has none for Kafka.
    #[error(
        "`{0}` needs TLS for Kafka, and this program was built without: build it with `--features kafka-tls`"
    )]
    NoTls(String),
    /// A value that librdkafka does not take.
    #[error("`{name}` is not taken by librdkafka: {detail}")]
    Invalid {
        /// The parameter.
        name: String,
        /// What librdkafka says; nothing of a secret.
        detail: String,
    },
}

impl KafkaUrl {
    /// Reads a URL. Nothing is asked or opened.
    ///
    /// # Errors
    /// [`UrlError`], which shows no secrets.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix("kafka://").ok_or(UrlError::Form)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        // With an `@` it may hold a password that nobody encoded: then not a part of it is repeated.
        let mut url = match Self::place(place) {
            Ok(url) if !place.contains('@') => url,
            Err(error) if !rest.contains('@') => return Err(error),
            _ => return Err(UrlError::Credentials),
        };
        let mut seen = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(UrlError::Twice(name.into_owned()));
            }
            url.set(&name, &value)?;
            seen.push(name);
        }
        Ok(url)
    }

    /// A URL without parameters.
    fn place(text: &str) -> Result<Self, UrlError> {
        let (brokers, topic) = text.split_once('/').ok_or(UrlError::Form)?;
        Ok(Self {
            brokers: brokers.split(',').map(broker).collect::<Result<_, _>>()?,
            topic: topic_name(topic)?,
            group: DEFAULT_GROUP.to_owned(),
            partitions: None,
            replication: None,
            options: Vec::new(),
        })
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), UrlError> {
        match name {
            "group" if !value.is_empty() => value.clone_into(&mut self.group),
            "group" => return Err(wrong("group", value, "the name of a consumer group")),
            "partitions" => {
                self.partitions = Some(number("partitions", value, PARTITIONS_MAX)?);
            }
            "replication" => {
                self.replication = Some(number("replication", value, REPLICATION_MAX)?);
            }
            _ => {
                options::check(name, value)?;
                self.options.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(())
    }

    /// The brokers to ask first, as librdkafka takes them and as messages name them.
    pub fn brokers(&self) -> String {
        self.brokers.join(",")
    }

    /// The topic of the accepted carts.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The topic of the dead letters.
    pub fn dead_letter_topic(&self) -> String {
        format!("{}{DEAD_LETTERS}", self.topic)
    }

    /// The consumer group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// How many partitions the topic is made with.
    pub fn partitions(&self) -> u32 {
        self.partitions.unwrap_or(DEFAULT_PARTITIONS)
    }

    /// How many partitions the URL says the topic has.
    pub(super) fn partitions_asked(&self) -> Option<u32> {
        self.partitions
    }

    /// How many replicas the URL says the topic is made with.
    pub(super) fn replication_asked(&self) -> Option<u16> {
        self.replication
    }

    /// Names and values for librdkafka, secrets included.
    pub(super) fn options(&self) -> &[(String, String)] {
        &self.options
    }

    /// The value of one of librdkafka's parameters, if the URL has it.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let mut options = self.options.iter();
        options
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A broker with its port.
fn broker(text: &str) -> Result<String, UrlError> {
    let wrong = || UrlError::Broker(text.to_owned());
    // `[::1]:9092` has colons in the host.
    let colon = match text.rfind(']') {
        Some(end) => text[end..].find(':').map(|colon| end + colon),
        None => text.find(':'),
    };
    let (host, port) = match colon {
        Some(colon) => {
            let port: u16 = text[colon + 1..].parse().map_err(|_| wrong())?;
            (&text[..colon], port)
        }
        None => (text, DEFAULT_PORT),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || ".-_[]:%".contains(c);
    if host.is_empty() || port == 0 || !host.chars().all(named) {
        return Err(wrong());
    }
    Ok(format!("{host}:{port}"))
}

fn topic_name(text: &str) -> Result<String, UrlError> {
    let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let fits = (1..=KAFKA_NAME_MAX - DEAD_LETTERS.len()).contains(&text.len());
    if fits && text.chars().all(named) && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err(UrlError::Topic(text.to_owned()))
    }
}

fn wrong(name: &'static str, value: &str, expected: impl Into<String>) -> UrlError {
    UrlError::Value {
        name,
        value: value.to_owned(),
        expected: expected.into(),
    }
}

fn number<N>(name: &'static str, value: &str, max: N) -> Result<N, UrlError>
where
    N: std::str::FromStr + PartialOrd + From<u8> + fmt::Display + Copy,
{
    match value.parse::<N>() {
        Ok(number) if number >= N::from(1) && number <= max => Ok(number),
        _ => Err(wrong(name, value, format!("a number from 1 to {max}"))),
    }
}

impl fmt::Display for KafkaUrl {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kafka://{}/{}", self.brokers(), self.topic)?;
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self.group != DEFAULT_GROUP {
            query.append_pair("group", &self.group);
        }
        if let Some(partitions) = self.partitions {
            query.append_pair("partitions", &partitions.to_string());
        }
        if let Some(replication) = self.replication {
            query.append_pair("replication", &replication.to_string());
        }
        let mut separator = '?';
        let query = query.finish();
        if !query.is_empty() {
            write!(f, "?{query}")?;
            separator = '&';
        }
        for (name, value) in &self.options {
            let shown = options::shown(name, value);
            write!(f, "{separator}{name}={shown}")?;
            separator = '&';
        }
        Ok(())
    }
}

impl fmt::Debug for KafkaUrl {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KafkaUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KafkaUrl, UrlError> {
        KafkaUrl::parse(text)
    }

    #[test]
    fn a_url_names_brokers_topic_and_group() {
        let url = parse("kafka://a,b:9093,[::1]:1/carts").unwrap();
        assert_eq!(url.brokers(), "a:9092,b:9093,[::1]:1");
        assert_eq!((url.topic(), url.group()), ("carts", "oms"));
        assert_eq!(url.dead_letter_topic(), "carts.dead-letters");
        assert_eq!((url.partitions(), url.replication_asked()), (6, None));
        let url = parse("kafka://a/b?group=g+1&partitions=12&replication=3&linger.ms=5").unwrap();
        assert_eq!((url.group(), url.partitions()), ("g 1", 12));
        assert_eq!(url.replication_asked(), Some(3));
        assert_eq!(url.option("linger.ms"), Some("5"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "kafka:a/carts",
            "kafka://a",
            "kafka://a/",
            "kafka:///carts",
            "kafka://a,/carts",
            "kafka://a:0/carts",
            "kafka://a:65536/carts",
            "kafka://a:x/carts",
            "kafka://a b/carts",
            "kafka://a/carts/more",
            "kafka://a/ca rts",
            "kafka://a/..",
            "kafka://a/carts?group=",
            "kafka://a/carts?partitions=0",
            "kafka://a/carts?partitions=many",
            "kafka://a/carts?replication=101",
            "kafka://a/carts?linger.ms=1&linger.ms=2",
            "kafka://a/carts?linger.mss=1",
            "kafka://a/carts?linger.ms=soon",
            "redis://a/carts",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let long = format!("kafka://a/{}", "t".repeat(237));
        assert!(parse(&long).is_err());
        assert!(parse(&long[..long.len() - 1]).is_ok());
    }

    #[test]
    fn what_would_break_a_promise_is_refused_with_the_reason() {
        for (name, value, reason) in [
            ("enable.auto.commit", "true", "processed"),
            ("acks", "1", "replicas"),
            ("enable.idempotence", "false", "twice"),
            ("auto.offset.reset", "latest", "before"),
            ("group.id", "g", "group="),
            ("bootstrap.servers", "b:9092", "before the topic"),
            ("test.mock.num.brokers", "3", "memory"),
        ] {
            let error = parse(&format!("kafka://a/carts?{name}={value}")).unwrap_err();
            let shown = error.to_string();
            assert!(matches!(error, UrlError::Refused { .. }), "{shown}");
            assert!(shown.contains(name) && shown.contains(reason), "{shown}");
        }
    }

    #[test]
    fn no_secret_is_ever_shown() {
        for query in [
            "sasl.username=u&sasl.password=hunter2",
            "ssl.key.password=hunter2",
            "ssl.keystore.password=hunter2",
            "sasl.oauthbearer.config=hunter2",
            "ssl.key.pem=hunter2",
            "sasl%2Epassword=hunter2",
        ] {
            let url = match parse(&format!("kafka://a/carts?{query}")) {
                Ok(url) => url,
                // It names the parameter and no value.
                Err(error) => {
                    let name = query.split('=').next().unwrap_or_default();
                    assert_eq!(error, UrlError::NoTls(name.to_owned()));
                    continue;
                }
            };
            for shown in [url.to_string(), format!("{url:?}"), format!("{url:#?}")] {
                assert!(!shown.contains("hunter2"), "{shown}");
                assert!(shown.contains("***"), "{shown}");
            }
        }
        for text in [
            "kafka://u:hunter2@a/carts",
            "kafka://u:hun/ter2@a/carts",
            "kafka://u:ter2/hun?x@a/carts",
            "kafka://a/carts?sasl.passwort=hunter2",
            // Not built in.
            "kafka://a/carts?sasl.oauthbearer.client.secret=hunter2",
            "kafka://a/carts?sasl.password=hunter2&sasl.password=hunter2",
            "kafka://a/carts?ssl.endpoint.identification.algorithm=hunter&sasl.password=hunter2",
        ] {
            let error = parse(text).unwrap_err();
            for shown in [error.to_string(), format!("{error:?}")] {
                assert!(!shown.contains("ter2"), "{shown}");
            }
        }
    }

    #[test]
    fn a_url_without_secrets_is_shown_as_it_reads() {
        for text in [
            "kafka://a:9092/carts",
            "kafka://a:9092,b:9093/carts?group=g&partitions=3&replication=1&linger.ms=1",
            "kafka://a:9092/carts?security.protocol=SASL_PLAINTEXT&sasl.mechanism=PLAIN",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }
}
