//! The OpenAPI documents as a contract: every request and every answer of the tests that go through [`check`] is held
//! against them.
//!
//! An answer has to have a status, a media type and a body that its operation declares. A body that the schema accepts
//! must not be refused as malformed or invalid, and one that it does not accept must not be served.

use std::cell::RefCell;
use std::sync::LazyLock;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use boon::{Compiler, Schemas};

use http_body_util::BodyExt as _;
use oms::http::{document, internal_document};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::fixture::ShopPorts;

/// The largest body that is looked into, in bytes.
const BODY_BYTES_MAX: u64 = 4 << 20;

/// One of the two documents.
struct Document {
    url: &'static str,
    json: Value,
}

static DOCUMENTS: LazyLock<[Document; 2]> = LazyLock::new(|| {
    [
        ("http://oms/public", document::<ShopPorts>()),
        ("http://oms/internal", internal_document::<ShopPorts>()),
    ]
    .map(|(url, text)| Document {
        url,
        json: serde_json::from_str(text).unwrap(),
    })
});

thread_local! {
    /// The schemas that this thread has compiled so far.
    static COMPILED: RefCell<(Compiler, Schemas)> = RefCell::new({
        let mut compiler = Compiler::new();
        compiler.enable_format_assertions();
        for document in DOCUMENTS.iter() {
            let json = document.json.clone();
            compiler.add_resource(document.url, json).unwrap();
        }
        (compiler, Schemas::new())
    });
}

/// An operation: its document, and the steps of the pointer to it.
struct Operation {
    document: &'static Document,
    path: String,
    method: String,
}

impl Operation {
    /// The operation of a request, if the documents have one. Literal segments go before variable ones.
    fn of(method: &Method, path: &str) -> Option<Self> {
        // HEAD is answered like GET.
        let method = if method == Method::HEAD {
            "get".to_owned()
        } else {
            method.as_str().to_lowercase()
        };
        let matching = DOCUMENTS.iter().flat_map(|document| {
            let paths = document.json["paths"].as_object().unwrap();
            paths.keys().map(move |template| (document, template))
        });
        let (document, template) = matching
            .filter(|(_, template)| matches(template, path))
            .min_by_key(|(_, template)| template.matches('{').count())?;
        document.json["paths"][template].get(&method)?;
        Some(Self {
            document,
            path: template.clone(),
            method,
        })
    }

    fn json(&self) -> &Value {
        &self.document.json["paths"][&self.path][&self.method]
    }

    /// What a body is wrong with, by the schema at these steps below the operation.
    fn fault(&self, steps: &[&str], body: &Value) -> Option<String> {
        let mut at = vec!["paths", &self.path, &self.method];
        at.extend(steps);
        fault(self.document, &at, body)
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    template.clone().count() == path.clone().count()
        && (template.zip(path))
            .all(|(expected, found)| expected.starts_with('{') || expected == found)
}

fn fault(document: &Document, steps: &[&str], body: &Value) -> Option<String> {
    let mut url = format!("{}#", document.url);
    for step in steps {
        let step = step.replace('~', "~0").replace('/', "~1");
        url.push('/');
        url.extend(utf8_percent_encode(&step, NON_ALPHANUMERIC));
    }
    COMPILED.with_borrow_mut(|(compiler, schemas)| {
        let schema = compiler.compile(&url, schemas).unwrap();
        let fault = schemas.validate(body, schema).err();
        fault.map(|error| format!("{error:#}"))
    })
}

/// Holds a request and its answer against the documents.
pub async fn check(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (request, sent) = look_into(request).await;
    let response = next.run(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let name = format!("{method} {path}: {}", parts.status);
    let media_type = parts.headers.get(header::CONTENT_TYPE);
    let media_type = media_type.map_or("", |value| value.to_str().unwrap());
    let media_type = media_type.split(';').next().unwrap_or_default();
    let is_compressed = parts.headers.contains_key(header::CONTENT_ENCODING);
    let json = (media_type.ends_with("json") && !body.is_empty() && !is_compressed)
        .then(|| serde_json::from_slice::<Value>(&body).unwrap());
    let operation = Operation::of(&method, &path);
    if let (Some(operation), 404 | 405) = (&operation, parts.status.as_u16()) {
        let kind = json.as_ref().and_then(|problem| problem["type"].as_str());
        assert_ne!(
            kind,
            Some("urn:oms:problem:method-not-allowed"),
            "{name}: {}",
            operation.path
        );
        assert_ne!(
            kind,
            Some("urn:oms:problem:not-found"),
            "{name}: {}",
            operation.path
        );
    }
    let fault = match (&operation, &json) {
        (None, Some(problem)) => {
            assert!(parts.status.is_client_error(), "{name} is not documented");
            fault(
                &DOCUMENTS[0],
                &["components", "schemas", "Problem"],
                problem,
            )
        }
        (None, None) => None,
        (Some(operation), json) => {
            let status = parts.status.as_str();
            let declared = &operation.json()["responses"][status]["content"];
            assert!(
                declared[media_type].is_object(),
                "{name}: {media_type} is not declared: {declared}"
            );
            let steps = ["responses", status, "content", media_type, "schema"];
            json.as_ref().and_then(|json| operation.fault(&steps, json))
        }
    };
    assert_eq!(fault, None, "{name}: {}", String::from_utf8_lossy(&body));
    if let (Some(operation), Some(sent)) = (&operation, sent)
        && operation.json()["requestBody"].is_object()
    {
        let steps = ["requestBody", "content", "application/json", "schema"];
        let fault = operation.fault(&steps, &trimmed(&sent));
        let refused = json
            .as_ref()
            .is_some_and(|problem| problem["pointer"].is_string());
        let served = parts.status.is_success();
        assert!(
            !(refused && fault.is_none()),
            "{name}: the schema accepts {sent}"
        );
        assert!(
            !served || fault.is_none(),
            "{name}: the schema refuses {sent}: {fault:?}"
        );
    }
    Response::from_parts(parts, Body::from(body))
}

/// The JSON of a body that is there as a whole.
async fn look_into(request: Request) -> (Request, Option<Value>) {
    let bytes = request.body().size_hint().exact();
    if bytes.is_none_or(|bytes| bytes == 0 || bytes > BODY_BYTES_MAX) {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let json = serde_json::from_slice(&body).ok();
    (Request::from_parts(parts, Body::from(body)), json)
}

/// With every text trimmed, as the service does: no pattern says that.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text.trim()),
        Value::Array(values) => values.iter().map(trimmed).collect(),
        Value::Object(members) => (members.iter())
            .map(|(name, value)| (name.clone(), trimmed(value)))
            .collect(),
        other => other.clone(),
    }
}
