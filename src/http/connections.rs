//! The open connections of a listener: how many there may be, which of them does nothing, and who reads too slowly.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

/// How long a connection must have done nothing to be closed in favour of a new one.
const QUIET_TIME_MIN: Duration = Duration::from_secs(1);

/// Of how many connections one is closed at once when there are too many, so that looking for them is rarely needed.
const CLOSED_SHARE: usize = 16;

/// How long a new connection waits for one that was told to close: its file stays open until it has.
const ROOM_TIME_MAX: Duration = Duration::from_millis(100);

/// How long a client may take to read what is sent at first.
const WRITE_TIME_MAX: Duration = Duration::from_secs(30);

/// How fast a client must read from then on, in bytes per second.
const READ_BYTES_PER_SECOND_MIN: u64 = 4_096;

/// A connection does something.
const BUSY: u64 = u64::MAX;

/// The open connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    /// A place has become free.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Arc<Activity>>,
    /// How many of them were told to close.
    closing: usize,
    /// Nothing could be closed then.
    looked: Option<Instant>,
}

/// The place of a connection; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    activity: Arc<Activity>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(1),
            open: Mutex::default(),
            freed: Notify::new(),
        })
    }

    /// A place for a new connection. If there is none, those that have done nothing for longest are closed, and the new
    /// one waits for their end; none if all of them do something.
    pub(super) async fn place(self: &Arc<Self>) -> Option<Place> {
        let deadline = Instant::now() + ROOM_TIME_MAX;
        loop {
            if let Some(place) = self.free_place() {
                return Some(place);
            }
            if self.open.lock().closing == 0 {
                return None;
            }
            let freed = tokio::time::timeout_at(deadline, self.freed.notified());
            freed.await.ok()?;
        }
    }

    fn free_place(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.open.lock();
        if open.by_number.len() >= self.most {
            if open.closing == 0 {
                open.close_quiet(self.most);
            }
            return None;
        }
        let number = open.next;
        open.next += 1;
        let activity = Arc::new(Activity::new());
        open.by_number.insert(number, Arc::clone(&activity));
        Some(Place {
            connections: Arc::clone(self),
            number,
            activity,
        })
    }
}

impl Open {
    fn close_quiet(&mut self, most: usize) {
        // Looking at all of them again for each new connection would be slow.
        if self
            .looked
            .is_some_and(|at| at.elapsed() < QUIET_TIME_MIN / 10)
        {
            return;
        }
        let mut quiet: Vec<(u64, u64)> = self
            .by_number
            .iter()
            .filter_map(|(number, activity)| Some((activity.quiet_since(QUIET_TIME_MIN)?, *number)))
            .collect();
        self.looked = quiet.is_empty().then(Instant::now);
        quiet.sort_unstable();
        for (_, number) in quiet.into_iter().take((most / CLOSED_SHARE).max(1)) {
            if let Some(activity) = self.by_number.get(&number) {
                activity.closing.store(true, Ordering::Relaxed);
                activity.close.notify_one();
                self.closing += 1;
            }
        }
    }
}

impl Place {
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.by_number.remove(&self.number);
        if self.activity.closing.load(Ordering::Relaxed) {
            open.closing -= 1;
        }
        drop(open);
        self.connections.freed.notify_one();
    }
}

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Since when, in milliseconds after `began`, no request is being answered and nothing is read by the client.
    quiet_since_ms: AtomicU64,
    /// A request is being answered.
    answering: AtomicBool,
    /// A request was taken, and its answer is not written yet.
    taken: AtomicBool,
    close: Notify,
    /// It was told to close.
    closing: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            quiet_since_ms: AtomicU64::new(0),
            answering: AtomicBool::new(false),
            taken: AtomicBool::new(false),
            close: Notify::new(),
            closing: AtomicBool::new(false),
        }
    }

    /// A request has arrived.
    pub(super) fn begin_request(&self) {
        self.answering.store(true, Ordering::Relaxed);
        self.taken.store(true, Ordering::Relaxed);
        self.quiet_since_ms.store(BUSY, Ordering::Relaxed);
    }

    /// Its answer is ready to be written.
    pub(super) fn end_request(&self) {
        self.answering.store(false, Ordering::Relaxed);
    }

    /// Whether what is written answers a request; if not, it is hyper's own answer to what it could not read.
    pub(super) fn is_taken(&self) -> bool {
        self.taken.load(Ordering::Relaxed)
    }

    /// Resolves when the connection is to be closed in favour of another one.
    pub(super) async fn closed(&self) {
        self.close.notified().await;
    }

    fn written(&self) {
        self.quiet_since_ms.store(BUSY, Ordering::Relaxed);
    }

    /// The client does not take what is written.
    fn stalled(&self) {
        self.begin_quiet();
    }

    /// Everything is written.
    fn flushed(&self) {
        if !self.answering.load(Ordering::Relaxed) {
            self.taken.store(false, Ordering::Relaxed);
            self.begin_quiet();
        }
    }

    fn begin_quiet(&self) {
        if self.quiet_since_ms.load(Ordering::Relaxed) == BUSY {
            self.quiet_since_ms.store(self.now_ms(), Ordering::Relaxed);
        }
    }

    /// Since when it has done nothing, if that is at least `least` ago: the connections of one listener began at
    /// different times, so it is told as time that has passed, the longest first.
    fn quiet_since(&self, least: Duration) -> Option<u64> {
        let since = self.quiet_since_ms.load(Ordering::Relaxed);
        if since == BUSY {
            return None;
        }
        let passed = self.now_ms().saturating_sub(since);
        (u128::from(passed) >= least.as_millis()).then(|| u64::MAX - passed)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(BUSY - 1)
    }
}

/// A stream that ends when the client reads too slowly: [`WRITE_TIME_MAX`], and then [`READ_BYTES_PER_SECOND_MIN`].
#[derive(Debug)]
pub(super) struct PacedStream<T> {
    stream: T,
    activity: Arc<Activity>,
    /// Since when the client has not taken everything, and what it has taken since.
    behind: Option<Behind>,
    alarm: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Behind {
    since: Instant,
    bytes: u64,
}

impl Behind {
    fn deadline(&self) -> Instant {
        let seconds = self.bytes / READ_BYTES_PER_SECOND_MIN;
        self.since + WRITE_TIME_MAX + Duration::from_secs(seconds)
    }
}

impl<T> PacedStream<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            behind: None,
            alarm: None,
        }
    }

    fn after_write(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = written {
            if let (Some(behind), Ok(bytes)) = (&mut self.behind, &written) {
                behind.bytes += *bytes as u64;
            }
            self.activity.written();
            return Poll::Ready(written);
        }
        self.activity.stalled();
        let behind = self.behind.get_or_insert_with(|| Behind {
            since: Instant::now(),
            bytes: 0,
        });
        let deadline = behind.deadline();
        let alarm = self
            .alarm
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        match alarm.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client reads too slowly",
            ))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PacedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PacedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = flushed {
            self.behind = None;
            self.activity.flushed();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A connection that ends when it is told to.
    fn obey(place: Place) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            place.activity().closed().await;
            drop(place);
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_takes_the_place_of_the_one_that_is_quiet_for_longest() {
        let connections = Connections::new(3);
        let busy = connections.place().await.unwrap();
        busy.activity().begin_request();
        let oldest = obey(connections.place().await.unwrap());
        tokio::time::advance(Duration::from_millis(10)).await;
        let old = obey(connections.place().await.unwrap());
        assert!(connections.place().await.is_none(), "all have just come");
        tokio::time::advance(QUIET_TIME_MIN).await;
        let new = connections.place().await.unwrap();
        oldest.await.unwrap();
        assert!(!old.is_finished());
        new.activity().begin_request();
        let newer = connections.place().await.unwrap();
        old.await.unwrap();
        newer.activity().begin_request();
        tokio::time::advance(QUIET_TIME_MIN).await;
        assert!(connections.place().await.is_none(), "all are busy");
        drop(busy);
        assert!(connections.place().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_until_its_connection_has_ended() {
        let connections = Connections::new(1);
        let stubborn = connections.place().await.unwrap();
        tokio::time::advance(QUIET_TIME_MIN).await;
        for _ in 0..2 {
            let began = Instant::now();
            assert!(connections.place().await.is_none());
            assert_eq!(began.elapsed(), ROOM_TIME_MAX);
        }
        drop(stubborn);
        assert!(connections.place().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_cut_off_and_a_slow_one_is_not() {
        for (reads, served) in [
            (0, false),
            (READ_BYTES_PER_SECOND_MIN / 2, false),
            (8_192, true),
        ] {
            let (server, mut client) = tokio::io::duplex(64);
            let activity = Arc::new(Activity::new());
            activity.begin_request();
            let mut stream = PacedStream::new(server, Arc::clone(&activity));
            let reading = tokio::spawn(async move {
                let mut buffer = vec![0; usize::try_from(reads).unwrap().max(1)];
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if reads > 0 && client.read_exact(&mut buffer).await.is_err() {
                        return;
                    }
                }
            });
            let began = Instant::now();
            activity.end_request();
            let written = async {
                stream.write_all(&vec![0; 512 * 1_024]).await?;
                stream.flush().await
            };
            let written = written.await;
            assert_eq!(written.is_ok(), served, "{reads}");
            if let Err(error) = written {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                assert!(began.elapsed() >= WRITE_TIME_MAX && began.elapsed() < WRITE_TIME_MAX * 4);
            }
            reading.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_counts_as_quiet() {
        let (server, _client) = tokio::io::duplex(64);
        let connections = Connections::new(1);
        let place = connections.place().await.unwrap();
        let activity = Arc::clone(place.activity());
        let ended = obey(place);
        activity.begin_request();
        let mut stream = PacedStream::new(server, Arc::clone(&activity));
        activity.end_request();
        tokio::select! {
            written = stream.write_all(&[0; 1_024]) => panic!("{written:?}"),
            () = tokio::time::sleep(QUIET_TIME_MIN) => {}
        }
        assert!(connections.place().await.is_some());
        ended.await.unwrap();
    }
}
