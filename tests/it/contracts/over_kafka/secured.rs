//! Kafka behind TLS and SASL, where `OMS_TEST_KAFKA_SASL_URL` says that it is: a whole URL, with all that a client needs.

use std::time::Duration;

use oms::queue::kafka::{KafkaQueue, KafkaUrl};
use oms::queue::{Consumer, Message, Queue};

use super::TestTopic;
use crate::contracts::coverage;

const SUITE: &str = "TLS and SASL";
const VARIABLE: &str = "OMS_TEST_KAFKA_SASL_URL";

/// How long anything may take that is waited for.
const SOON: Duration = Duration::from_secs(20);

/// The same topic and group by the secured door, without some parameters and with others.
fn secured(topic: &TestTopic, left_out: &str, added: &str) -> Result<KafkaUrl, String> {
    let text = std::env::var(VARIABLE).map_err(|_| format!("{VARIABLE} is not set"))?;
    let (place, query) = text.split_once('?').unwrap_or((&text, ""));
    let (brokers, _) = place.rsplit_once('/').ok_or("it names no topic")?;
    let kept = query
        .split('&')
        .filter(|pair| pair.split('=').next() != Some(left_out));
    let kept: Vec<&str> = kept.collect();
    let (name, group) = (topic.url.topic(), topic.url.group());
    let text = format!(
        "{brokers}/{name}?group={group}&partitions=1&replication=1&{}{added}",
        kept.join("&")
    );
    KafkaUrl::parse(&text).map_err(|error| error.to_string())
}

async fn refusal(url: KafkaUrl) -> String {
    let error = KafkaQueue::connect(url).await.unwrap_err();
    error.chain()
}

#[tokio::test]
async fn carts_go_through_tls_and_sasl_and_strangers_do_not() {
    let prepared = TestTopic::named("").and_then(|topic| {
        let url = secured(&topic, "", "")?;
        Ok((topic, url))
    });
    let (topic, url) = match prepared {
        Ok(prepared) => prepared,
        Err(why) => return coverage::skipped(SUITE, "kafka", 1, &why),
    };
    KafkaQueue::migrate(&url).await.unwrap();
    let queue = KafkaQueue::connect(url.clone()).await.unwrap();
    let message = |payload: &[u8]| Message {
        key: b"A".to_vec(),
        payload: payload.to_vec(),
    };
    let sent = vec![message(b"one"), message(b"two")];
    queue.publish(sent).await.unwrap();
    let mut consumer = queue.subscribe().await.unwrap();
    let mut got = Vec::new();
    while got.len() < 2 {
        let part = tokio::time::timeout(SOON, consumer.poll(10, SOON)).await;
        got.extend(part.unwrap().unwrap());
    }
    assert_eq!(
        (&*got[0].payload, &*got[1].payload),
        (&b"one"[..], &b"two"[..])
    );
    consumer.commit(vec![got[1].position]).await.unwrap();
    assert_eq!(queue.backlog().await.unwrap(), 0);
    let checked = KafkaQueue::check(&url).await.unwrap();
    assert_eq!((checked.brokers, checked.lag.len()), (1, 1));
    consumer.close().await;

    let unknown = secured(&topic, "sasl.password", "&sasl.password=hunter2").unwrap();
    let refused = refusal(unknown).await;
    assert!(
        refused.to_lowercase().contains("authentication"),
        "{refused}"
    );
    assert!(!refused.contains("hunter2"), "{refused}");
    // Whoever does not know the authority does not send the password.
    let mistrusted = secured(&topic, "ssl.ca.location", "").unwrap();
    let refused = refusal(mistrusted).await;
    assert!(refused.contains("certificate"), "{refused}");
    coverage::ran(SUITE, "kafka", 1);
}
