//! One call: sent, answered, and what its failure means.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use crate::http_client::{Answer, Ask, Client, HttpUrl, Limits};
use crate::inventory::wire::{self, Call, PREFIX, REQUEST_BYTES_MAX};
use crate::ports::{Error, ErrorKind};

/// How long one call may take unless the URL says otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long the first answer may take.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);

/// The most calls under way unless the URL says otherwise; the others wait.
const CONNECTIONS: usize = 64;

/// The largest answer that is read, in bytes. A decided order is longer than its cart, with its prices and versions:
/// for the largest request there must be an answer that is read, or the batch would be repeated for ever.
const ANSWER_BYTES_MAX: usize = 8 * REQUEST_BYTES_MAX;

/// What the type of an oms problem document begins with.
const PROBLEM: &str = "urn:oms:problem:";

/// The inventory service of another process.
#[derive(Debug)]
pub struct HttpInventory {
    client: Client,
    timeout: Duration,
}

impl HttpInventory {
    /// The inventory service at a URL, which was read with [`HttpUrl::parse`]. Connects to nothing yet.
    ///
    /// # Errors
    /// When a file that the URL names cannot be used.
    pub fn open(url: &HttpUrl) -> Result<Self, Error> {
        let limits = Limits {
            connections_max: url.connections().unwrap_or(CONNECTIONS),
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let client = Client::open(url, limits).map_err(|error| {
            Error::permanent(format!("open the inventory service {url}")).because(error)
        })?;
        Ok(Self {
            client,
            timeout: url.timeout().unwrap_or(TIMEOUT),
        })
    }

    /// The inventory service at a URL, once it has answered.
    ///
    /// # Errors
    /// When it does not answer within 5 s, or cannot reach its own database.
    pub async fn connect(url: &HttpUrl) -> Result<Self, Error> {
        let service = Self::open(url)?;
        // Not its store's id, which it may remember: this question goes all the way to the database.
        let question = wire::Stock {
            skus: Vec::new(),
            with_holds: false,
        };
        let limit = service.timeout.min(CONNECT_TIME_MAX);
        let answer = service.call_within("read stock", &question, limit).await;
        match answer {
            Ok(_) => Ok(service),
            Err(error) => {
                let action = format!("open the inventory service {url}");
                Err(Error::new(error.kind(), action).because(error))
            }
        }
    }

    pub(super) async fn call<C: Call>(&self, action: &str, call: &C) -> Result<C::Answer, Error> {
        self.call_within(action, call, self.timeout).await
    }

    /// A call that is answered with one thing for each that was asked; callers rely on that.
    pub(super) async fn call_each<C: Call>(
        &self,
        action: &str,
        call: &C,
        asked: usize,
        count: impl FnOnce(&C::Answer) -> usize + Send,
    ) -> Result<C::Answer, Error> {
        let answer = self.call(action, call).await?;
        let told = count(&answer);
        if told == asked {
            return Ok(answer);
        }
        Err(in_doubt(action, C::CHANGES).because(Odd::Count { asked, told }))
    }

    pub(super) async fn call_within<C: Call>(
        &self,
        action: &str,
        call: &C,
        limit: Duration,
    ) -> Result<C::Answer, Error> {
        let body =
            serde_json::to_vec(call).map_err(|error| Error::permanent(action).because(error))?;
        if body.len() > REQUEST_BYTES_MAX {
            // Permanent, so that the flow halves the batch.
            let bytes = body.len();
            return Err(Error::permanent(action).because(Odd::Request { bytes }));
        }
        let path = format!("{PREFIX}{}", C::NAME);
        let sent = self.client.send(Ask::post(&path, body), limit).await;
        let answer = sent.map_err(|error| unanswered(action, C::CHANGES, error))?;
        if answer.status != StatusCode::OK {
            return Err(refused(action, C::CHANGES, &answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| in_doubt(action, C::CHANGES).because(Odd::Body(error)))
    }

    pub(super) async fn ask_store_id(&self) -> Result<Uuid, Error> {
        #[derive(Deserialize)]
        struct Info {
            store_id: Uuid,
        }
        let action = "read the store's id";
        let sent = self.client.send(Ask::get("/v1/info"), self.timeout).await;
        let answer = sent.map_err(|error| unanswered(action, false, error))?;
        if answer.status != StatusCode::OK {
            return Err(refused(action, false, &answer));
        }
        let info: Info = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::unavailable(action).because(Odd::Body(error)))?;
        Ok(info.store_id)
    }
}

/// The error of what may have been done, if it changes anything.
fn in_doubt(action: &str, changes: bool) -> Error {
    if changes {
        Error::outcome_unknown(action)
    } else {
        Error::unavailable(action)
    }
}

fn unanswered(action: &str, changes: bool, error: crate::http_client::Error) -> Error {
    in_doubt(action, changes && error.may_be_done()).because(error)
}

/// A problem document.
#[derive(Deserialize)]
struct Problem {
    #[serde(rename = "type")]
    uri: String,
    detail: String,
    kind: Option<ErrorKind>,
}

fn refused(action: &str, changes: bool, answer: &Answer) -> Error {
    let status = answer.status;
    let problem = serde_json::from_slice(&answer.body).ok();
    let Some(problem) = problem.filter(|problem: &Problem| problem.uri.starts_with(PROBLEM)) else {
        // Not from an inventory service: a proxy may have lost the answer, or never passed the request on.
        let lost = matches!(
            status,
            StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::INTERNAL_SERVER_ERROR
        );
        return in_doubt(action, changes && lost).because(Odd::Status { status });
    };
    let kind = match (problem.kind, status) {
        (Some(kind), _) => kind,
        // The request is at fault, and so will be every repeat of it.
        (
            None,
            StatusCode::BAD_REQUEST
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY,
        ) => ErrorKind::Permanent,
        (None, StatusCode::INTERNAL_SERVER_ERROR) if changes => ErrorKind::OutcomeUnknown,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, action).because(Odd::Told(problem.detail))
}

/// What is odd about an answer, or about the request.
#[derive(Debug, thiserror::Error)]
enum Odd {
    #[error("the inventory service says: {0}")]
    Told(String),
    #[error("no inventory service answered, but something else, with {status}")]
    Status { status: StatusCode },
    #[error("the answer of the inventory service is not understood")]
    Body(#[source] serde_json::Error),
    #[error("the inventory service answered {told} of {asked}")]
    Count { asked: usize, told: usize },
    #[error("the request has {bytes} bytes: at most {REQUEST_BYTES_MAX} are taken")]
    Request { bytes: usize },
}
