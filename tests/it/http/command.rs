//! `oms serve` as a process.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::place::Place;
use crate::process::{PATIENCE, Process, Serve, until};

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

/// A loopback address where nobody listens yet.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn a_service_whose_inventory_url_is_its_own_address_does_not_start() {
    let place = Place::new();
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}");
        let args = ["serve", "--listen", &address, "--inventory-url", &url];
        let error = place.fails(1, &args);
        for text in ["leads back to this process", &address, &url] {
            assert!(error.contains(text), "{error}");
        }
    }
}

#[test]
fn services_in_a_ring_do_not_start() {
    let place = Place::new();
    let first = Serve::start(&place, &["--no-worker"]);
    let (address, url) = (first.address.clone(), first.url());
    let second = Serve::start(&place, &["--no-worker", "--inventory-url", &url]);
    let (status, info) = second.send("GET /v1/info", "");
    assert_eq!(status, 200, "{info}");
    // What was the end of the chain becomes its beginning.
    first.process.kill();
    let url = second.url();
    let args = ["serve", "--listen", &address, "--inventory-url", &url];
    let error = place.fails(1, &args);
    assert!(error.contains("leads back to this process"), "{error}");
    // With a database again it serves, and so does the other.
    let first = Serve::start_at(&place, &address, &["--no-worker"]);
    let (status, items) = second.send("GET /v1/inventory", "");
    assert_eq!(status, 200, "{items}");
    drop(first);
}

#[test]
fn a_service_that_waits_for_its_inventory_says_so() {
    let place = Place::new();
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let address = free_address();
    let args = ["serve", "--listen", &address, "--inventory-url", &url];
    let process = Process::start(&place, &args);
    let answer = until("an answer", || {
        let mut stream = TcpStream::connect(&address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = b"GET /readyz HTTP/1.1\r\nhost: oms\r\n\r\n";
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    });
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("is starting"), "{answer}");
    let done = process.ended();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("no answer within"), "{done:?}");
}
