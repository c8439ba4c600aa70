//! Group commit: while one batch is under way the next gathers; when idle, a single item goes at once.
//!
//! The batch grows with the load by itself, without lingering: the slower the backend, the larger the next batch. After
//! one that took long, the next is smaller: whoever repeats their item finds it in a batch that may be done in time.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::batch_limit::{BatchLimit, SLOW};
use crate::ports::Error;
use crate::supervise::{Tasks, caught};

/// How long an item waits for its batch while batches fail. It is then refused without being tried: the backend is away,
/// and its caller has a deadline of its own.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What an item was refused for.
const WAITED: &str = "begin a batch, after those before it have failed";

/// Callers of one batched operation, and the task that serves them.
#[derive(Debug)]
pub(crate) struct Group<I, O> {
    inbox: mpsc::UnboundedSender<Entry<I, O>>,
}

#[derive(Debug)]
struct Entry<I, O> {
    item: I,
    since: Instant,
    reply: oneshot::Sender<Result<O, Error>>,
}

impl<I, O> Group<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    /// Starts the task, on its own. See [`Group::start_in`].
    pub(crate) fn start<B, F>(max: usize, batch: B) -> Self
    where
        B: Fn(Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<O>, Error>> + Send,
    {
        Self::start_in(&Tasks::default(), "batches", max, batch)
    }

    /// Starts the task, as one of a service's. It ends when the group is dropped.
    ///
    /// `batch` does at most `max` items at once and returns one result each, in the same order. The inbox needs no
    /// bound of its own: every caller waits for its one item. A batch that panics fails as [`each`] says, and the task
    /// goes on.
    pub(crate) fn start_in<B, F>(tasks: &Tasks, name: &'static str, max: usize, batch: B) -> Self
    where
        B: Fn(Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<O>, Error>> + Send,
    {
        let (inbox, mut waiting) = mpsc::unbounded_channel::<Entry<I, O>>();
        tasks.spawn(name, async move {
            let mut gathered = Vec::new();
            let mut limit = BatchLimit::new(max);
            let mut failing = false;
            while waiting.recv_many(&mut gathered, limit.get()).await > 0 {
                if failing {
                    for late in gathered.extract_if(.., |entry| entry.since.elapsed() > WAIT_MAX) {
                        let _ = late.reply.send(Err(Error::unavailable(WAITED)));
                    }
                    if gathered.is_empty() {
                        continue;
                    }
                }
                let (items, replies): (Vec<I>, Vec<_>) = gathered
                    .drain(..)
                    .map(|entry| (entry.item, entry.reply))
                    .unzip();
                let count = items.len();
                let began = Instant::now();
                let results = each(items, &batch).await;
                let passing =
                    |result: &Result<O, Error>| result.as_ref().is_err_and(Error::is_transient);
                let took = began.elapsed();
                failing = results.iter().any(passing);
                if !failing {
                    limit.succeeded(count, took);
                } else if took >= SLOW {
                    // One that fails sooner says nothing about its size, and smaller batches would have everyone else
                    // wait for many more failures.
                    limit.failed(count, took);
                }
                for (result, reply) in results.into_iter().zip(replies) {
                    // A caller that has gone does not need to know.
                    let _ = reply.send(result);
                }
            }
        });
        Self { inbox }
    }

    /// Hands in an item and waits for its result.
    pub(crate) async fn submit(&self, item: I) -> Result<O, Error> {
        let (reply, result) = oneshot::channel();
        let gone = || Error::outcome_unknown("finish a batch that was being stopped");
        let since = Instant::now();
        let entry = Entry { item, since, reply };
        self.inbox.send(entry).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

/// Does a batch; when it fails for good, or panics, halves it until the items at fault stand alone (rules 13 and 18).
pub(crate) async fn each<I, O, B, F>(items: Vec<I>, batch: &B) -> Vec<Result<O, Error>>
where
    I: Clone + Send + Sync,
    O: Send,
    B: Fn(Vec<I>) -> F + Send + Sync,
    F: Future<Output = Result<Vec<O>, Error>> + Send,
{
    let mut results = Vec::with_capacity(items.len());
    // Ranges still to do, the next one last.
    let mut todo = vec![(0, items.len())];
    while let Some((from, to)) = todo.pop() {
        let part = items[from..to].to_vec();
        // What the batch does before it first waits may panic, too.
        let done = caught("do a batch", async { batch(part).await }).await;
        let done = done.and_then(|done| {
            if done.len() == to - from {
                Ok(done)
            } else {
                Err(Error::permanent("tell every item of a batch its result"))
            }
        });
        match done {
            Ok(done) => results.extend(done.into_iter().map(Ok)),
            Err(error) if error.is_transient() || to - from <= 1 => {
                results.extend((from..to).map(|_| Err(error.clone())));
            }
            Err(_) => {
                let middle = from + (to - from) / 2;
                todo.push((middle, to));
                todo.push((from, middle));
            }
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn items_gather_while_a_batch_is_under_way() {
        let gate = Arc::new(Semaphore::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let group = {
            let (gate, sizes) = (Arc::clone(&gate), Arc::clone(&sizes));
            Group::start(100, move |items: Vec<u32>| {
                let (gate, sizes) = (Arc::clone(&gate), Arc::clone(&sizes));
                async move {
                    sizes.lock().push(items.len());
                    gate.acquire().await.expect("open").forget();
                    Ok(items.into_iter().map(|item| item * 2).collect())
                }
            })
        };
        let calls: Vec<_> = (0..10).map(|item| group.submit(item)).collect();
        let all = futures::future::join_all(calls);
        let open = async {
            tokio::task::yield_now().await;
            gate.add_permits(100);
        };
        let (results, ()) = tokio::join!(all, open);
        let doubled: Vec<u32> = results.into_iter().map(|result| result.unwrap()).collect();
        assert_eq!(doubled, (0..10).map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(sizes.lock().iter().sum::<usize>(), 10);
        assert!(sizes.lock().len() <= 2, "{:?}", sizes.lock());
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_that_times_out_is_followed_by_smaller_ones_until_one_is_done_in_time() {
        const TIME_MAX: Duration = Duration::from_secs(30);
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let group = {
            let sizes = Arc::clone(&sizes);
            Group::start(100, move |items: Vec<u32>| {
                let sizes = Arc::clone(&sizes);
                async move {
                    sizes.lock().push(items.len());
                    // A link that passes one item a second.
                    let needed = Duration::from_secs(items.len() as u64);
                    tokio::time::sleep(needed.min(TIME_MAX)).await;
                    if needed > TIME_MAX {
                        return Err(Error::unavailable("take so many"));
                    }
                    Ok(items)
                }
            })
        };
        // Everyone repeats their item until it is done, as sweeps and placements do.
        let calls = (0..100).map(async |item| {
            while group.submit(item).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let all = futures::future::join_all(calls);
        let done = tokio::time::timeout(Duration::from_secs(600), all).await;
        assert!(done.is_ok(), "{:?}", sizes.lock());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_while_the_backend_is_away_is_told_in_time() {
        for (attempt_s, all_s) in [(5, 60), (30, 120)] {
            let group = Group::start(100, move |_: Vec<u32>| async move {
                tokio::time::sleep(Duration::from_secs(attempt_s)).await;
                Err::<Vec<u32>, _>(Error::unavailable("take anything"))
            });
            let first = group.submit(0);
            // These come while the first is under way.
            let others = futures::future::join_all((1..1_000).map(async |item| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                group.submit(item).await
            }));
            let all = futures::future::join(first, others);
            let limit = Duration::from_secs(all_s);
            let (first, others) = tokio::time::timeout(limit, all).await.unwrap();
            assert!(first.is_err_and(|error| error.is_transient()));
            assert!(
                others
                    .iter()
                    .all(|result| result.as_ref().is_err_and(Error::is_transient))
            );
        }
    }

    #[tokio::test]
    async fn a_permanent_error_fails_only_the_item_at_fault() {
        let calls = Mutex::new(0);
        let batch = |items: Vec<u32>| {
            *calls.lock() += 1;
            async move {
                if items.contains(&13) {
                    Err(Error::permanent("take 13"))
                } else {
                    Ok(items)
                }
            }
        };
        let results = each((0..100).collect(), &batch).await;
        for (item, result) in results.iter().enumerate() {
            assert_eq!(result.is_err(), item == 13, "{item}");
        }
        assert!(*calls.lock() < 20, "bisecting takes about 2 log n calls");
    }

    #[tokio::test]
    async fn a_panic_fails_only_the_item_at_fault_and_the_task_goes_on() {
        let tasks = Tasks::default();
        let group = Group::start_in(&tasks, "double", 100, |items: Vec<u32>| async move {
            assert!(!items.contains(&13), "13 is unlucky");
            Ok(items.into_iter().map(|item| item * 2).collect())
        });
        for _ in 0..2 {
            let calls = (0..50).map(|item| group.submit(item));
            for (item, result) in futures::future::join_all(calls).await.iter().enumerate() {
                match result {
                    Ok(doubled) => assert_eq!(*doubled as usize, item * 2),
                    Err(error) => {
                        assert_eq!(item, 13);
                        assert!(error.chain().contains("13 is unlucky"), "{}", error.chain());
                        assert!(!error.is_transient());
                    }
                }
                assert_eq!(result.is_err(), item == 13);
            }
        }
        assert_eq!(tasks.trouble(), None);
    }

    #[tokio::test]
    async fn a_batch_that_does_not_answer_every_item_fails_instead_of_giving_one_the_result_of_another()
     {
        let batch = |items: Vec<u32>| async move { Ok(items.into_iter().skip(1).collect()) };
        let results: Vec<Result<u32, Error>> = each(vec![1, 2, 3], &batch).await;
        assert!(results.iter().all(Result::is_err), "{results:?}");
    }

    #[tokio::test]
    async fn a_transient_error_is_not_bisected() {
        let calls = Mutex::new(0);
        let batch = |_: Vec<u32>| {
            *calls.lock() += 1;
            async move { Err::<Vec<u32>, _>(Error::unavailable("take anything")) }
        };
        assert!(
            each((0..100).collect(), &batch)
                .await
                .iter()
                .all(Result::is_err)
        );
        assert_eq!(*calls.lock(), 1);
    }
}
