//! Reading request bodies: bounded in size and time, JSON only, nothing unknown in them.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::limits::NoBodyMemory;
use super::problem::{Kind, Problem, RETRY_AFTER};
use crate::json::{self, JsonError};

/// The largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// How much of a body that is too large is read and thrown away: closing at once would reset the connection, and the
/// client might never see the answer.
const DRAINED_BYTES_MAX: usize = 32 << 20;

/// How long that may take.
const DRAINED_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads a JSON body.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    read_up_to(BODY_BYTES_MAX, headers, body).await
}

/// Reads a JSON body of at most so many bytes.
pub(super) async fn read_up_to(
    bytes_max: usize,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Problem> {
    let bytes = read_bounded(bytes_max, headers, body).await?;
    if bytes.is_empty() {
        return Err(match check_media_type(headers) {
            Ok(()) => Problem::new(
                Kind::Malformed,
                "the body is empty: a JSON object is needed",
            ),
            Err(problem) => problem,
        });
    }
    Ok(bytes)
}

/// Reads a JSON body that may be empty, and what it holds.
pub(super) async fn read_or_default<T: DeserializeOwned + Default>(
    headers: &HeaderMap,
    body: Body,
) -> Result<T, Problem> {
    let bytes = read_bounded(BODY_BYTES_MAX, headers, body).await?;
    if bytes.is_empty() {
        return Ok(T::default());
    }
    parse(&bytes)
}

async fn read_bounded(bytes_max: usize, headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max as u64) {
        discard(headers, body).await;
        return Err(too_large(bytes_max));
    }
    if let Err(problem) = check_encoding(headers) {
        discard(headers, body).await;
        return Err(problem);
    }
    let mut body = body;
    let collected = tokio::time::timeout(BODY_TIME_MAX, collect(&mut body, bytes_max)).await;
    let bytes = match collected {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(Fault::TooLarge)) => {
            drain(body).await;
            return Err(too_large(bytes_max));
        }
        Ok(Err(Fault::NoMemory)) => {
            let detail = "too many bytes of requests are in memory: try again later";
            return Err(Problem::new(Kind::Overloaded, detail).retry_after(RETRY_AFTER));
        }
        Ok(Err(Fault::Broken)) => {
            return Err(Problem::new(
                Kind::Malformed,
                "the body ended before it was complete",
            ));
        }
        Err(_) => {
            let seconds = BODY_TIME_MAX.as_secs();
            return Err(Problem::new(
                Kind::BodyTimeout,
                format!("the body was not complete after {seconds} s"),
            ));
        }
    };
    if !bytes.is_empty() {
        check_media_type(headers)?;
    }
    Ok(bytes)
}

/// Reads JSON and says where it is wrong.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    json::read(bytes).map_err(|error| match error {
        JsonError::Syntax(what) => {
            Problem::new(Kind::Malformed, format!("the body is not JSON: {what}"))
        }
        JsonError::Data { pointer, detail } => Problem::invalid_at(pointer, &detail),
    })
}

/// Nothing is decompressed: a small body could become a very large one.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    let detail = "the body has a content encoding: send it without `content-encoding`";
    Err(Problem::new(Kind::EncodedBody, detail))
}

/// Only JSON is taken: a page in a browser cannot send it elsewhere without asking first.
fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let shown: String = essence.chars().take(64).collect();
    Err(Problem::new(
        Kind::NotJson,
        format!("the content type is `{shown}`: send `content-type: application/json`"),
    ))
}

/// Why a body cannot be had.
enum Fault {
    TooLarge,
    NoMemory,
    Broken,
}

impl From<axum::Error> for Fault {
    fn from(error: axum::Error) -> Self {
        if error.into_inner().is::<NoBodyMemory>() {
            Self::NoMemory
        } else {
            Self::Broken
        }
    }
}

/// All of a body. Nearly always it is one piece, which is not copied.
async fn collect(body: &mut Body, bytes_max: usize) -> Result<Bytes, Fault> {
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if first.len() + joined.len() + data.len() > bytes_max {
            return Err(Fault::TooLarge);
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.into()
    })
}

/// Reads a body and throws it away, unless the client waits for a word before it sends it.
pub(super) async fn discard(headers: &HeaderMap, body: Body) {
    if !headers.contains_key(header::EXPECT) {
        drain(body).await;
    }
}

async fn drain(body: Body) {
    let mut rest = Limited::new(body, DRAINED_BYTES_MAX);
    let end = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Too much, too slow, or gone: the connection is closed then.
    let _ = tokio::time::timeout(DRAINED_TIME_MAX, end).await;
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Kind::BodyTooLarge,
        format!("the body is too large: at most {bytes_max} bytes are allowed"),
    )
}
