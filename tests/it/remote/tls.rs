//! TLS: whom the client trusts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use oms::http_client::HttpUrl;
use oms::payments::http::HttpPayments;
use oms::payments::{Payments as _, Verdict};
use oms::ports::ErrorKind;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::make::id;
use crate::place::Place;
use crate::process::{Process, Serve};

const STRANGER: &[u8] =
    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// What speaks TLS under a name, and its certificate as PEM.
fn acceptor(name: &str) -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

/// A server for a name, and its certificate as PEM.
async fn serve(name: &str) -> (SocketAddr, String) {
    let (acceptor, pem) = acceptor(name);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that does not trust the certificate goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut piece = [0; 4_096];
            while stream.read(&mut piece).await.is_ok_and(|bytes| bytes > 0) {
                stream.write_all(ANSWER).await.unwrap();
            }
        }
    });
    (address, pem)
}

/// Speaks TLS for a server that does not, with those who bring the token; its certificate as PEM.
async fn front(server: String, token: &'static str) -> (SocketAddr, String) {
    let (acceptor, pem) = acceptor("127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(stream).await.unwrap();
                let mut first = vec![0; 4_096];
                let Ok(bytes @ 1..) = client.read(&mut first).await else {
                    return;
                };
                let head = String::from_utf8_lossy(&first[..bytes]);
                if !head.contains(&format!("authorization: Bearer {token}\r\n")) {
                    client.write_all(STRANGER).await.unwrap();
                    return;
                }
                let mut upstream = TcpStream::connect(server).await.unwrap();
                upstream.write_all(&first[..bytes]).await.unwrap();
                // Whoever goes away first ends it.
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    (address, pem)
}

fn open(url: &str, folder: &Path) -> Result<HttpPayments, oms::payments::Error> {
    HttpPayments::open(&HttpUrl::parse(url).unwrap().relative_to(folder))
}

#[tokio::test]
async fn a_certificate_is_trusted_if_its_authority_is_named_and_its_host_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let (address, pem) = serve("127.0.0.1").await;
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let client = open(&format!("https://{address}?tls-ca=ca.pem"), folder.path()).unwrap();
    for _ in 0..2 {
        let verdict = client.lookup(id(1)).await.unwrap();
        assert_eq!(verdict, Some(Verdict::Pending));
    }
    // Nobody named its authority.
    let strangers = open(&format!("https://{address}"), folder.path()).unwrap();
    // Its name is another.
    let port = address.port();
    let url = format!("https://localhost:{port}?tls-ca=ca.pem");
    let misnamed = open(&url, folder.path()).unwrap();
    // It speaks TLS only.
    let plain = open(&format!("http://{address}"), folder.path()).unwrap();
    for client in [strangers, misnamed, plain] {
        let error = client.lookup(id(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    }
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let url = "https://127.0.0.1:1?tls-ca=ca.pem";
    let missing = open(url, folder.path()).unwrap_err();
    std::fs::write(folder.path().join("ca.pem"), "no certificate").unwrap();
    let empty = open(url, folder.path()).unwrap_err();
    for error in [missing, empty] {
        assert!(!error.is_transient());
        let text = error.chain();
        assert!(text.contains("ca.pem"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_behind_tls_is_stormed_with_a_token() {
    let place = Place::seeded(5, 1_000);
    let serve = Serve::start(&place, &[]);
    let server = serve.url().trim_start_matches("http://").to_owned();
    let (address, pem) = front(server, "geheim-17").await;
    place.write("ca.pem", pem);
    place.write("token", "geheim-17\n");
    let storm = |url: String| {
        let args = ["simulate", "--target", &url, "--users", "50", "--json"];
        tokio::task::block_in_place(|| Process::start(&place, &args).ended())
    };
    let done = storm(format!("https://{address}?tls-ca=ca.pem&token-file=token"));
    assert_eq!(done.code, Some(0), "{done:?}");
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["orders"]["attempts"], 50, "{report:#}");
    assert!(
        !done.stdout.contains("geheim"),
        "the token is nobody's business"
    );
    // Nobody named its authority, or said who asks.
    let done = storm(format!("https://{address}?token-file=token"));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.error().contains("cannot connect"), "{done:?}");
    let done = storm(format!("https://{address}?tls-ca=ca.pem"));
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.error().contains("401"), "{done:?}");
}
