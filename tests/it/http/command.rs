//! `oms serve` as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// A process that serves; killed when dropped.
struct Serve {
    child: Child,
    address: String,
    line: String,
    dir: Option<TempDir>,
}

impl Serve {
    fn start(args: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut serve = Self::start_in(dir.path(), args);
        serve.dir = Some(dir);
        serve
    }

    fn start_in(dir: &std::path::Path, args: &[&str]) -> Self {
        let mut child = command(dir)
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap_or_default();
        let end = address
            .find(['"', '\n'])
            .unwrap_or_else(|| panic!("it says `{line}`"));
        Self {
            address: address[..end].to_owned(),
            child,
            line,
            dir: None,
        }
    }

    /// Sends a request on a connection of its own: the status and the body.
    fn send(&self, head: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: oms\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(pid, signal).unwrap();
    }

    /// Waits for the end: the exit code.
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // Mostly it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.dir.take());
    }
}

fn command(dir: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oms"));
    command
        .current_dir(dir)
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg("serve");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OMS_") {
            command.env_remove(name);
        }
    }
    command
}

#[test]
fn orders_are_taken_placed_and_kept_until_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut serve = Serve::start_in(dir.path(), &[]);
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
    serve.signal(Signal::SIGTERM);
    assert_eq!(serve.ended(), Some(0));

    let mut serve = Serve::start_in(dir.path(), &["--no-worker"]);
    let (_, again) = serve.send("GET /v1/info", "");
    assert_eq!(again, info);
    let (_, order) = serve.send(&format!("GET /v1/orders/{id}"), "");
    assert_eq!(
        (&order["status"], &order["amount"]),
        (&json!("PLACED"), &json!(10))
    );
    serve.signal(Signal::SIGINT);
    assert_eq!(serve.ended(), Some(0));
}

#[test]
fn json_says_where_it_listens() {
    let serve = Serve::start(&["--json", "--no-worker"]);
    let line: Value = serde_json::from_str(&serve.line).unwrap();
    assert_eq!(
        line,
        json!({"listening": format!("http://{}", serve.address), "worker": false})
    );
}

#[test]
fn a_port_in_use_is_one_clear_error() {
    let serve = Serve::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path())
        .args(["--listen", &serve.address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("error: cannot listen on 127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.contains("choose another address with --listen"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn stopping_does_not_wait_for_those_who_wait() {
    let mut serve = Serve::start(&["--no-worker"]);
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
    serve.signal(Signal::SIGTERM);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert_eq!(serve.ended(), Some(0));
}
