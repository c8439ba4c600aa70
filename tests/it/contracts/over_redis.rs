//! The contract of statuses over real servers: one Redis, and a cluster.
//!
//! `OMS_TEST_REDIS_URL` and `OMS_TEST_REDIS_CLUSTER_URL` name them. Every test has a prefix of its own, and leaves
//! keys that expire.

use oms::statuses::redis::{RedisStatuses, RedisUrl};
use uuid::Uuid;

use super::{Fixture, Opened};
use crate::model::ManualClock;

/// Connects twice, as two processes do.
async fn open(variable: &str) -> Opened<RedisStatuses<ManualClock>> {
    let url = std::env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    let separator = if url.contains('?') { '&' } else { '?' };
    let prefix = Uuid::new_v4().simple();
    let url: RedisUrl = format!("{url}{separator}prefix=oms-test-{prefix}:")
        .parse()
        .unwrap();
    let clock = ManualClock::default();
    let port = RedisStatuses::connect(&url, clock.clone()).await.unwrap();
    let other = RedisStatuses::connect(&url, clock.clone()).await.unwrap();
    Ok(Fixture::new(port, other, clock, ()))
}

async fn open_one() -> Opened<RedisStatuses<ManualClock>> {
    open("OMS_TEST_REDIS_URL").await
}

async fn open_cluster() -> Opened<RedisStatuses<ManualClock>> {
    open("OMS_TEST_REDIS_CLUSTER_URL").await
}

mod one {
    crate::contracts::statuses::statuses_suite!("redis", #[tokio::test], super::open_one);
}

mod cluster {
    crate::contracts::statuses::statuses_suite!("redis cluster", #[tokio::test], super::open_cluster);
}
