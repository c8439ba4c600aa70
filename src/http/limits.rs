//! How much one process takes on. Every bound is per process: several behind a load balancer take their sum.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Kind, Problem};
use crate::domain::Customer;
use crate::inventory::wire::REQUEST_BYTES_MAX;

/// The most bytes of request bodies in memory, unless told otherwise.
const BODIES_BYTES_MAX: usize = 256 << 20;

/// The most connections, unless told otherwise.
const CONNECTIONS_MAX: usize = 65_536;

/// Open files that are left for stores, logs and the program itself; at most half of all.
const FILES_FOR_STORES: usize = 512;

/// How many counters of requests there are per kind of key. Two keys that share one also share its rate, which is rare
/// as long as far fewer are active at once; memory is bounded, however many keys there are (40 MB at most).
const COUNTERS: u64 = 1 << 20;

/// How often counters that are full again are dropped.
const DROP_EVERY: Duration = Duration::from_secs(10);

/// The highest rate, in requests per second or minute.
const REQUESTS_MAX: u32 = 1_000_000;

/// How much one process takes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most orders that are being placed at once.
    pub placements_max: usize,
    /// The most ids at once that `place` waits for although neither the status store nor the database knows them.
    pub unknown_placements_max: usize,
    /// The most connections of all listeners together.
    pub connections_max: usize,
    /// The most bytes of request bodies in memory.
    pub bodies_bytes_max: usize,
    /// The most requests per customer and per address.
    pub rates: RateLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            placements_max: 65_536,
            unknown_placements_max: 1_024,
            connections_max: CONNECTIONS_MAX,
            bodies_bytes_max: BODIES_BYTES_MAX,
            rates: RateLimits::default(),
        }
    }
}

impl Limits {
    /// With as many connections as leave enough of the process's open files for everything else.
    #[must_use]
    pub fn for_open_files(mut self, files: u64) -> Self {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let spared = FILES_FOR_STORES.min(files / 2);
        self.connections_max = (files - spared).clamp(1, CONNECTIONS_MAX);
        self
    }
}

/// A rate such as `20/s` or `600/m`. All of a second's (or minute's) requests may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    requests: NonZeroU32,
    per: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Second,
    Minute,
}

/// The most requests of one customer and of one address; none where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// Of one customer: carts.
    pub customer: Option<Rate>,
    /// Of one IP address (IPv6: of one /64 network): all requests for carts and orders.
    pub address: Option<Rate>,
}

/// A text that is not a rate limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a rate limit; write one such as 20/s, 600/m or customer=5/s,address=100/s (1 to {REQUESTS_MAX})"
)]
pub struct RateLimitsError(String);

impl FromStr for RateLimits {
    type Err = RateLimitsError;

    fn from_str(text: &str) -> Result<Self, RateLimitsError> {
        let wrong = || RateLimitsError(text.chars().take(64).collect());
        if let Some(rate) = rate(text) {
            return Ok(Self {
                customer: Some(rate),
                address: Some(rate),
            });
        }
        let mut limits = Self::default();
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(wrong)?;
            let limit = match key.trim() {
                "customer" => &mut limits.customer,
                "address" => &mut limits.address,
                _ => return Err(wrong()),
            };
            if limit
                .replace(rate(value.trim()).ok_or_else(wrong)?)
                .is_some()
            {
                return Err(wrong());
            }
        }
        Ok(limits)
    }
}

fn rate(text: &str) -> Option<Rate> {
    let (requests, per) = text.trim().split_once('/')?;
    let per = match per {
        "s" => Period::Second,
        "m" => Period::Minute,
        _ => return None,
    };
    if !requests.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let requests = requests.parse().ok()?;
    (requests <= REQUESTS_MAX).then_some(())?;
    Some(Rate {
        requests: NonZeroU32::new(requests)?,
        per,
    })
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.per {
            Period::Second => 's',
            Period::Minute => 'm',
        };
        write!(f, "{}/{per}", self.requests)
    }
}

impl fmt::Display for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.customer, self.address) {
            (None, None) => f.write_str("none"),
            (Some(customer), Some(address)) if customer == address => customer.fmt(f),
            (Some(customer), Some(address)) => write!(f, "customer={customer},address={address}"),
            (Some(customer), None) => write!(f, "customer={customer}"),
            (None, Some(address)) => write!(f, "address={address}"),
        }
    }
}

/// Counts requests and refuses those that come too fast.
#[derive(Debug)]
pub(super) struct Rates {
    customers: Option<Limiter>,
    addresses: Option<Limiter>,
}

impl Rates {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self {
            customers: limits.customer.map(|rate| Limiter::new(rate, COUNTERS)),
            addresses: limits.address.map(|rate| Limiter::new(rate, COUNTERS)),
        }
    }

    /// Counts a request of a customer.
    ///
    /// # Errors
    /// [`Kind::RateLimited`], with the time after which the next one is taken.
    pub(super) fn count_customer(&self, customer: &Customer) -> Result<(), Problem> {
        match &self.customers {
            Some(limiter) => limiter.count(customer.as_str(), "this customer"),
            None => Ok(()),
        }
    }

    /// Counts a request from an address.
    ///
    /// # Errors
    /// As [`Rates::count_customer`].
    pub(super) fn count_address(&self, address: IpAddr) -> Result<(), Problem> {
        match &self.addresses {
            Some(limiter) => limiter.count(network(address), "this address"),
            None => Ok(()),
        }
    }

    /// Gives memory back from time to time; never ends.
    pub(super) async fn upkeep(&self) {
        loop {
            tokio::time::sleep(DROP_EVERY).await;
            for limiter in [&self.customers, &self.addresses].into_iter().flatten() {
                limiter.counters.retain_recent();
                limiter.counters.shrink_to_fit();
            }
        }
    }
}

/// What one client has to itself: an IPv4 address, or the first half of an IPv6 address.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

struct Limiter {
    counters: DefaultKeyedRateLimiter<u64>,
    counters_max: u64,
    /// Keyed at random, so that nobody can choose a key that shares another one's counter.
    hasher: RandomState,
    clock: DefaultClock,
    rate: Rate,
}

impl Limiter {
    fn new(rate: Rate, counters_max: u64) -> Self {
        let quota = match rate.per {
            Period::Second => Quota::per_second(rate.requests),
            Period::Minute => Quota::per_minute(rate.requests),
        };
        Self {
            counters: RateLimiter::keyed(quota),
            counters_max,
            hasher: RandomState::new(),
            clock: DefaultClock::default(),
            rate,
        }
    }

    fn count(&self, key: impl Hash, whose: &str) -> Result<(), Problem> {
        let counter = self.hasher.hash_one(key) % self.counters_max;
        self.counters.check_key(&counter).map_err(|denied| {
            let wait = denied.wait_time_from(self.clock.now());
            let detail = format!(
                "too many requests of {whose}: at most {} are taken",
                self.rate
            );
            // At least 1 ms: a wait of 0 would say that it may come at once.
            Problem::new(Kind::RateLimited, detail).retry_after(wait.max(Duration::from_millis(1)))
        })
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// The memory for request bodies of all requests together.
#[derive(Debug)]
pub(super) struct BodyMemory {
    free: Arc<Semaphore>,
}

impl BodyMemory {
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = bytes_max.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(bytes_max)),
        }
    }

    /// Counts what is read of a body, until what is returned with it is dropped.
    pub(super) fn counted(&self, body: Body) -> (Body, Held) {
        let held = Held::default();
        if body.is_end_stream() {
            return (body, held);
        }
        let counted = CountedBody {
            body,
            free: Arc::clone(&self.free),
            held: held.clone(),
            counted: 0,
        };
        (Body::new(counted), held)
    }
}

/// The memory that one body takes up.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

/// The body did not fit into the memory that is left.
#[derive(Debug, thiserror::Error)]
#[error("too many bytes of request bodies are in memory")]
pub(super) struct NoBodyMemory;

struct CountedBody {
    body: Body,
    free: Arc<Semaphore>,
    held: Held,
    counted: usize,
}

impl HttpBody for CountedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // What no route keeps is read only to be thrown away.
        if self.counted <= REQUEST_BYTES_MAX
            && let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let bytes @ 1.. = data.len()
        {
            self.counted += bytes;
            let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(&self.free).try_acquire_many_owned(bytes) else {
                return Poll::Ready(Some(Err(Box::new(NoBodyMemory))));
            };
            match &mut *self.held.0.lock() {
                Some(held) => held.merge(permit),
                none => *none = Some(permit),
            }
        }
        polled.map_err(axum::Error::into_inner)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn rate_limits_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<RateLimits>();
        for text in [
            "20/s",
            "600/m",
            "customer=5/s",
            "address=100/s",
            "customer=5/s,address=100/m",
        ] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        let both = read("20/s").unwrap();
        assert!(both.customer.is_some() && both.customer == both.address);
        for text in [
            "",
            "20",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "20/h",
            "20/sec",
            "1000001/s",
            "user=1/s",
            "customer=1/s,customer=2/s",
            "20/s,30/s",
            "customer=1/s,",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("20/s"), "{text}: {error}");
        }
    }

    #[test]
    fn each_key_has_its_own_rate_and_is_told_when_to_return() {
        let rates = Rates::new("customer=2/m".parse().unwrap());
        let customer = |name: &str| Customer::new(name).unwrap();
        for _ in 0..2 {
            rates.count_customer(&customer("c1")).unwrap();
        }
        assert!(rates.count_customer(&customer("c1")).is_err());
        rates.count_customer(&customer("c2")).unwrap();
        // There is no limit of addresses.
        for _ in 0..100 {
            rates.count_address(IpAddr::from([127, 0, 0, 1])).unwrap();
        }
    }

    #[test]
    fn counters_take_bounded_memory_however_many_keys_there_are() {
        let limiter = Limiter::new(rate("1/m").unwrap(), 1_000);
        let taken = (0..50_000).filter(|number| limiter.count(number, "").is_ok());
        assert_eq!(taken.count(), 1_000);
        assert_eq!(limiter.counters.len(), 1_000);
    }

    #[test]
    fn a_client_has_an_ipv4_address_or_half_of_an_ipv6_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
        assert_eq!(of("10.0.0.1"), of("::ffff:10.0.0.1"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn connections_leave_files_for_everything_else() {
        let connections = |files| Limits::default().for_open_files(files).connections_max;
        assert_eq!(connections(150), 75);
        assert_eq!(connections(1_024), 512);
        assert_eq!(connections(20_000), 19_488);
        assert_eq!(connections(u64::MAX), CONNECTIONS_MAX);
        assert_eq!(connections(0), 1);
    }

    #[tokio::test]
    async fn bodies_share_the_memory_until_they_are_dropped() {
        let memory = BodyMemory::new(10);
        let read = async |bytes: usize| {
            let (body, held) = memory.counted(Body::from(vec![0; bytes]));
            body.collect().await.map(|_| held)
        };
        let first = read(6).await.unwrap();
        let error = read(5).await.unwrap_err();
        assert!(error.into_inner().is::<NoBodyMemory>());
        let second = read(4).await.unwrap();
        drop(first);
        read(6).await.unwrap();
        drop(second);
        read(10).await.unwrap();
    }
}
