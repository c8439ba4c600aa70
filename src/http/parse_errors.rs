//! Problem documents for requests that hyper cannot read.
//!
//! hyper answers those itself, without a body, before any service sees them: 400 for what is not HTTP, 414 and 431 for
//! what is too long. This stream replaces that answer with a problem document as it is written. A request that begins
//! as HTTP/2 is closed by hyper without any answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use uuid::Uuid;

use super::connections::Activity;
use super::observe::REQUEST_ID;
use super::problem::{Kind, MEDIA_TYPE, Problem};

/// Whether hyper could not read a request.
#[derive(Debug, Clone, Default)]
pub(super) struct ParseFailed(Arc<AtomicBool>);

impl ParseFailed {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A stream that hyper writes to.
#[derive(Debug)]
pub(super) struct ParseErrors<T> {
    stream: T,
    activity: Arc<Activity>,
    failed: ParseFailed,
    /// What is written instead of hyper's answer, and how much of it is.
    document: Vec<u8>,
    written: usize,
}

impl<T> ParseErrors<T> {
    pub(super) fn new(stream: T, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            failed: ParseFailed::default(),
            document: Vec::new(),
            written: 0,
        }
    }

    /// Tells, also later, whether a request could not be read.
    pub(super) fn failed(&self) -> ParseFailed {
        self.failed.clone()
    }

    /// Whether these bytes are hyper's own answer, which is replaced.
    fn replaces(&mut self, bytes: &[u8]) -> bool {
        if !self.document.is_empty() {
            return true;
        }
        if self.activity.is_taken() {
            return false;
        }
        let Some(document) = document(bytes) else {
            return false;
        };
        self.failed.0.store(true, Ordering::Relaxed);
        self.document = document;
        true
    }
}

impl<T: AsyncWrite + Unpin> ParseErrors<T> {
    /// Writes the document; done, it says that all of hyper's bytes are written.
    fn poll_document(
        &mut self,
        context: &mut Context<'_>,
        bytes: usize,
    ) -> Poll<io::Result<usize>> {
        while self.written < self.document.len() {
            let rest = &self.document[self.written..];
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(bytes))
    }
}

/// The answer for hyper's own; none if it is something else.
fn document(head: &[u8]) -> Option<Vec<u8>> {
    let status = head.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    let (kind, line, detail) = match status {
        b"400" => (
            Kind::Malformed,
            "400 Bad Request",
            "the head of the request is not valid HTTP/1.1",
        ),
        b"414" => (
            Kind::UriTooLong,
            "414 URI Too Long",
            "the URI of the request is too long: at most 65534 bytes are accepted",
        ),
        b"431" => (
            Kind::HeadTooLarge,
            "431 Request Header Fields Too Large",
            "the head of the request is too large: at most 100 headers and 64 KiB are accepted",
        ),
        _ => return None,
    };
    let id = Uuid::new_v4();
    let body = Problem::new(kind, detail).into_body();
    let head = format!(
        "HTTP/1.1 {line}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n{REQUEST_ID}: {id}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    tracing::debug!(request_id = %id, "a request cannot be read: {detail}");
    Some([head.into_bytes(), body].concat())
}

impl<T: AsyncRead + Unpin> AsyncRead for ParseErrors<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for ParseErrors<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replaces(bytes) {
            return self.poll_document(context, bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.iter().find(|slice| !slice.is_empty());
        if self.replaces(first.map_or(&[], |slice| slice)) {
            let bytes = slices.iter().map(|slice| slice.len()).sum();
            return self.poll_document(context, bytes);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
