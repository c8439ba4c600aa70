//! `oms serve` as a process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::place::Place;
use crate::process::{PATIENCE, Serve};

#[test]
fn orders_are_taken_placed_and_kept_until_the_next_start() {
    let place = Place::new();
    let serve = Serve::start(&place, &[]);
    assert!(
        serve.line.starts_with("listening on http://127.0.0.1:"),
        "{}",
        serve.line
    );
    let (status, item) = serve.send(
        "PUT /v1/inventory/A",
        r#"{"name":"Lamp","price":5,"stock":2}"#,
    );
    assert_eq!((status, &item["available"]), (201, &json!(2)));
    let (status, accepted) = serve.send(
        "POST /v1/carts",
        r#"{"customer":"c1","lines":[{"sku":"A","quantity":2}]}"#,
    );
    assert_eq!(status, 202, "{accepted}");
    let id = accepted["order_id"].as_str().unwrap();
    let (status, placed) = serve.send(&format!("POST /v1/orders/{id}/place"), "{}");
    assert_eq!((status, &placed["status"]), (200, &json!("PLACED")));
    let (status, ready) = serve.send("GET /readyz", "");
    assert_eq!(status, 200, "{ready}");
    let (_, info) = serve.send("GET /v1/info", "");
    let done = serve.process.stopped_by(Signal::SIGTERM, PATIENCE);
    assert_eq!(done.code, Some(0));

    let serve = Serve::start(&place, &["--no-worker"]);
    let (_, again) = serve.send("GET /v1/info", "");
    assert_eq!(again, info);
    let (_, order) = serve.send(&format!("GET /v1/orders/{id}"), "");
    assert_eq!(
        (&order["status"], &order["amount"]),
        (&json!("PLACED"), &json!(10))
    );
    let done = serve.process.stopped_by(Signal::SIGINT, PATIENCE);
    assert_eq!(done.code, Some(0));
}

#[test]
fn json_says_where_it_listens() {
    let place = Place::new();
    let serve = Serve::start(&place, &["--json", "--no-worker"]);
    let line: Value = serde_json::from_str(&serve.line).unwrap();
    assert_eq!(
        line,
        json!({"listening": format!("http://{}", serve.address), "worker": false})
    );
}

#[test]
fn a_port_in_use_is_one_clear_error() {
    let place = Place::new();
    let serve = Serve::start(&place, &[]);
    let done = Place::new().run(&["serve", "--listen", &serve.address]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let text = done.stderr;
    assert!(
        text.starts_with("error: cannot listen on 127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.contains("choose another address with --listen"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(done.stdout.is_empty());
}

#[test]
fn stopping_does_not_wait_for_those_who_wait() {
    let place = Place::new();
    let serve = Serve::start(&place, &["--no-worker"]);
    serve.send(
        "PUT /v1/inventory/A",
        r#"{"name":"Lamp","price":5,"stock":2}"#,
    );
    let (_, accepted) = serve.send(
        "POST /v1/carts",
        r#"{"customer":"c1","lines":[{"sku":"A","quantity":1}]}"#,
    );
    let id = accepted["order_id"].as_str().unwrap();
    let mut waiting = TcpStream::connect(&serve.address).unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /v1/orders/{id}/place HTTP/1.1\r\nhost: oms\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    waiting.write_all(head.as_bytes()).unwrap();
    let (status, _) = serve.send("GET /healthz", "");
    assert_eq!(status, 200);
    serve.process.signal(Signal::SIGTERM);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(serve.process.ended().code, Some(0));
}
