//! A token that is replaced while a client uses it.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use oms::http_client::{Ask, Client, HttpUrl, Limits};

use super::server::Server;

#[tokio::test]
async fn a_client_whose_token_is_refused_reads_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "old").unwrap();
    let router = Router::new().fallback(async |request: Request| {
        match request.headers().get(header::AUTHORIZATION) {
            Some(value) if value == "Bearer new" => StatusCode::OK,
            _ => StatusCode::UNAUTHORIZED,
        }
    });
    let server = Server::start(router).await;
    let url = format!("http://{}?token-file={}", server.address, path.display());
    let limits = Limits {
        connections_max: 4,
        answer_bytes_max: 1_024,
    };
    let client = Client::open(&HttpUrl::parse(&url).unwrap(), limits).unwrap();
    let status = async || {
        let sent = client.send(Ask::get("/"), Duration::from_secs(20)).await;
        sent.unwrap().status
    };
    assert_eq!(status().await, StatusCode::UNAUTHORIZED);
    std::fs::write(&path, "new\n").unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while status().await != StatusCode::OK {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that is gone is no reason to fail while the last one is good.
    std::fs::remove_file(&path).unwrap();
    assert_eq!(status().await, StatusCode::OK);
}
