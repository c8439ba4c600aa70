//! `oms serve` as a process that others can reach: tokens, certificates, and clients that do it harm.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use crate::place::{Place, clear_settings};
use crate::process::{PATIENCE, Process, Serve, until};

/// A token with these scopes, appended to the token file; the token.
fn add_token(place: &Place, scopes: &str) -> String {
    let line = place.ok(&["token", "new", "--scope", scopes]);
    let token = line.split(' ').next().unwrap().to_owned();
    let known = std::fs::read_to_string(place.path("tokens")).unwrap_or_default();
    place.write("tokens", known + &line);
    place.write(&format!("token-{scopes}"), &token);
    token
}

fn put_certificate(place: &Place) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    place.write("cert.pem", cert.pem());
    place.write("key.pem", signing_key.serialize_pem());
}

#[test]
fn new_tokens_are_random_and_go_straight_into_a_token_file() {
    let place = Place::new();
    let (one, two) = (place.ok(&["token", "new"]), place.ok(&["token", "new"]));
    assert_ne!(one, two);
    assert!(one.trim().len() >= 43 && !one.trim().contains(' '), "{one}");
    let line = place.ok(&["token", "new", "--scope", "internal,orders"]);
    assert!(line.ends_with(" orders,internal\n"), "{line}");
    let object = place.json(&["token", "new", "--scope", "stock"]);
    assert_eq!(object["scopes"], json!(["stock"]));
    assert!(object["token"].as_str().unwrap().starts_with("oms_"));
    let error = place.fails(2, &["token", "new", "--scope", "admin"]);
    assert!(
        error.contains("known are orders, stock and internal"),
        "{error}"
    );
    assert!(!place.data_dir().exists(), "it opens nothing");
}

#[test]
fn others_reach_a_service_with_tokens_or_at_an_announced_risk() {
    let place = Place::new();
    for args in [
        &["serve", "--listen", "0.0.0.0:0"][..],
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--internal-listen",
            "0.0.0.0:0",
        ],
    ] {
        let error = place.fails(2, args);
        assert!(
            error.contains("cannot listen on 0.0.0.0:0 without tokens"),
            "{error}"
        );
    }
    assert!(!place.data_dir().exists(), "it opens nothing");
    let risky = ["--no-worker", "--insecure-no-auth", "--quiet"];
    let serve = Serve::start_at(&place, "0.0.0.0:0", &risky);
    serve.process.complains("INSECURE");
    drop(serve);
    add_token(&place, "orders");
    let args = ["--no-worker", "--tokens", "tokens"];
    let serve = Serve::start_at(&place, "0.0.0.0:0", &args);
    let (status, problem) = serve.send("GET /v1/inventory", "");
    assert_eq!(status, 401, "{problem}");
    assert_eq!(serve.process.stderr(), "");
}

#[test]
fn a_token_file_that_is_wrong_is_told_by_line_without_its_tokens() {
    let place = Place::new();
    for (text, what) in [
        ("# none\n", "tokens lists no token"),
        ("\nkanarie7 orders\n", "tokens:2: the token is too short"),
        (
            "kanarie7-kanarie7-kanarie7-kanarie7 kanarie7\n",
            "tokens:1: unknown scope",
        ),
    ] {
        place.write("tokens", text);
        let error = place.fails(
            2,
            &["serve", "--listen", "127.0.0.1:0", "--tokens", "tokens"],
        );
        assert!(error.contains(what), "{error}");
        assert!(!error.contains("kanarie7"), "{error}");
    }
    let error = place.fails(
        2,
        &["serve", "--listen", "127.0.0.1:0", "--tokens", "absent"],
    );
    assert!(error.contains("cannot read absent"), "{error}");
}

#[test]
fn tokens_are_read_again_and_a_broken_file_changes_nothing() {
    let place = Place::seeded(1, 5);
    let old = add_token(&place, "orders");
    let serve = Serve::start(&place, &["--no-worker", "--tokens", "tokens"]);
    let status = |token: &str| serve.send_as(token, "GET /v1/inventory", "").0;
    assert_eq!(status(&old), 200);
    std::fs::remove_file(place.path("tokens")).unwrap();
    let new = add_token(&place, "orders");
    until("the new token", || (status(&new) == 200).then_some(()));
    assert_eq!(status(&old), 401);
    place.write("tokens", "nonsense\n");
    serve.process.complains("the new tokens cannot be used");
    assert_eq!(status(&new), 200);
    let log = serve.process.stderr();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("tokens:1: "), "{log}");
    assert!(!log.contains("nonsense"), "{log}");
}

#[test]
fn commands_use_a_guarded_inventory_service_with_a_token() {
    let place = Place::seeded(2, 5);
    let internal = add_token(&place, "internal");
    add_token(&place, "orders");
    let serve = Serve::start(&place, &["--tokens", "tokens"]);
    let client = Place::new();
    let url = |token: &str| {
        let path = place.path(&format!("token-{token}"));
        format!("{}?token-file={}", serve.url(), path.display())
    };
    // A store's payments stay at one gateway.
    let ledger = place.data_dir().join("payments.db");
    let gateway = format!("simulated:?ledger={}", ledger.display());
    let at = |url: &str, command: &[&str]| {
        let urls = ["--inventory-url", url, "--payment-url", &gateway];
        let args: Vec<&str> = command.iter().copied().chain(urls).collect();
        client.run(&args)
    };
    let good = url("internal");
    for command in [
        &["inventory", "list"][..],
        &[
            "inventory",
            "adjust",
            "SKU-00001",
            "--by",
            "3",
            "--reason",
            "recount",
        ],
        &["order", "list"],
        &["dead-letters", "list"],
        &["doctor"],
        &["audit"],
        &["worker", "--drain"],
        &["statuses", "rebuild"],
    ] {
        let done = at(&good, command);
        assert_eq!(done.code, Some(0), "{command:?}: {done:?}");
        assert!(!format!("{done:?}").contains(&internal), "{command:?}");
    }
    for (url, what) in [
        (serve.url(), "this needs a token"),
        (url("orders"), "this needs a token with the scope internal"),
    ] {
        let done = at(&url, &["inventory", "list"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.error().contains(what), "{done:?}");
    }
    let (_, item) = serve.send_as(&internal, "GET /v1/info", "");
    assert!(item["store_id"].is_string(), "{item}");
}

#[test]
fn a_storm_over_http_brings_a_token() {
    let place = Place::seeded(5, 100);
    add_token(&place, "orders");
    let serve = Serve::start(&place, &["--tokens", "tokens"]);
    let target = format!("{}?token-file=token-orders", serve.url());
    let storm = ["simulate", "--users", "20", "--target"];
    let args: Vec<&str> = storm.iter().copied().chain([&*target]).collect();
    let done = place.run(&args);
    assert_eq!(done.code, Some(0), "{done:?}");
    let bare = serve.url();
    let args: Vec<&str> = storm.iter().copied().chain([&*bare]).collect();
    let done = place.run(&args);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.error().contains("401"), "{done:?}");
}

#[test]
fn certificates_are_read_again() {
    let place = Place::seeded(1, 5);
    put_certificate(&place);
    let args = [
        "--no-worker",
        "--tls-cert",
        "cert.pem",
        "--tls-key",
        "key.pem",
    ];
    let serve = Serve::start(&place, &args);
    assert!(
        serve.line.starts_with("listening on https://"),
        "{}",
        serve.line
    );
    let client = Place::new();
    let port = serve.address.rsplit(':').next().unwrap();
    let trusts = |authority: &Path| {
        let url = format!("https://127.0.0.1:{port}?tls-ca={}", authority.display());
        let done = client.run(&["inventory", "list", "--inventory-url", &url]);
        done.code == Some(0)
    };
    let first = place.path("first.pem");
    std::fs::copy(place.path("cert.pem"), &first).unwrap();
    assert!(trusts(&first));
    // A certificate without its key keeps the old pair.
    place.write("key.pem", "nonsense");
    serve
        .process
        .complains("the new certificate and key cannot be used");
    assert!(trusts(&first));
    put_certificate(&place);
    let second = place.path("cert.pem");
    until("the new certificate", || trusts(&second).then_some(()));
    assert!(!trusts(&first));
    let plain = format!("http://127.0.0.1:{port}");
    let done = client.run(&["inventory", "list", "--inventory-url", &plain]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let done = serve.process.stopped_by(Signal::SIGTERM, PATIENCE);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_service_behind_tls_whose_inventory_url_is_its_own_does_not_start() {
    let place = Place::new();
    put_certificate(&place);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let url = format!("https://{address}?tls-ca=cert.pem");
    let args = ["serve", "--listen", &address, "--inventory-url", &url];
    let tls = ["--tls-cert", "cert.pem", "--tls-key", "key.pem"];
    let args: Vec<&str> = args.iter().copied().chain(tls).collect();
    let error = place.fails(1, &args);
    assert!(error.contains("leads back to this process"), "{error}");
}

#[test]
fn the_internal_listener_is_announced() {
    let place = Place::new();
    let args = ["--no-worker", "--json", "--internal-listen", "127.0.0.1:0"];
    let mut serve = Serve::start(&place, &args);
    let line: serde_json::Value = serde_json::from_str(&serve.line).unwrap();
    let internal = line["internal_listening"].as_str().unwrap();
    let (status, _) = serve.send("GET /readyz", "");
    assert_eq!(status, 404);
    serve.address = internal.strip_prefix("http://").unwrap().to_owned();
    let (status, _) = serve.send("GET /readyz", "");
    assert_eq!(status, 200);
}

#[test]
fn a_drain_delay_keeps_the_service_reachable_after_a_signal() {
    let place = Place::new();
    let serve = Serve::start(&place, &["--no-worker", "--drain-delay", "10m"]);
    serve.process.signal(Signal::SIGTERM);
    serve.process.complains("requests are still taken for 10m");
    let (status, problem) = serve.send("GET /readyz", "");
    assert_eq!(status, 503, "{problem}");
    let (status, _) = serve.send("GET /v1/inventory", "");
    assert_eq!(status, 200);
    // A second signal ends it at once.
    let done = serve.process.stopped_by(Signal::SIGTERM, PATIENCE);
    assert_eq!(done.code, Some(143), "{done:?}");
}

/// More clients that read nothing than the process may have open files.
#[test]
fn clients_that_read_nothing_leave_the_service_reachable() {
    let place = Place::seeded(1, 5);
    let program = env!("CARGO_BIN_EXE_oms");
    let mut command = Command::new("sh");
    command.current_dir(place.path("")).args([
        "-c",
        "ulimit -n 150; exec \"$0\" serve --no-worker --listen 127.0.0.1:0",
        program,
    ]);
    clear_settings(&mut command);
    let mut process = Process::spawn(command);
    let line = process.says("http://");
    let address = line.split("http://").nth(1).unwrap().to_owned();
    let serve = Serve {
        process,
        address,
        line,
    };
    let request = "GET /openapi.json HTTP/1.1\r\nhost: oms\r\n\r\n".repeat(1_000);
    let mut stalled = Vec::new();
    for _ in 0..160 {
        let mut stream = TcpStream::connect(&serve.address).unwrap();
        // Those that are closed already need not take it.
        let _ = stream.write_all(request.as_bytes());
        stalled.push(stream);
    }
    for _ in 0..3 {
        let (status, health) = serve.send("GET /healthz", "");
        assert_eq!(status, 200, "{health}");
    }
    // Those who make room get no more; others are served again.
    until("a place for others", || {
        let (status, _) = serve.send("GET /v1/inventory", "");
        (status == 200).then_some(())
    });
    let mut closed = 0;
    for stream in &mut stalled {
        stream.set_nonblocking(true).unwrap();
        let mut piece = vec![0; 1 << 20];
        closed += usize::from(loop {
            match stream.read(&mut piece) {
                Ok(0) => break true,
                Ok(_) => {}
                Err(error) => break error.kind() != std::io::ErrorKind::WouldBlock,
            }
        });
    }
    assert!(closed > 10, "{closed}");
}

#[test]
fn the_log_names_the_request() {
    let place = Place::new();
    let behind = Serve::start(&place, &["--no-worker"]);
    let url = behind.url();
    let front = Serve::start(&place, &["--no-worker", "--inventory-url", &url]);
    behind.process.kill();
    let mut stream = TcpStream::connect(&front.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /v1/inventory/A HTTP/1.1\r\nhost: oms\r\nrequest-id: basket-7\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("request-id: basket-7\r\n"), "{answer}");
    front.process.complains("request{id=\"basket-7\"}");
}
