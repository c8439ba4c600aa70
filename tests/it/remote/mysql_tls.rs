//! TLS to MySQL: whom the client trusts. The server greets as MySQL does, and ends once it is trusted.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use oms::inventory::mysql::{MysqlInventory, MysqlUrl};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// What a client asks for before TLS: a header of 4 bytes, and 32 bytes.
const SSL_REQUEST_BYTES: usize = 36;

/// A greeting of protocol 10 that offers TLS.
fn greeting() -> Vec<u8> {
    // Protocol 4.1, transactions, secure passwords, plugins, TLS, databases, found rows.
    let capabilities: u32 = 0x0008_AA0B;
    let [a, b, c, d] = capabilities.to_le_bytes();
    let mut payload = vec![10];
    payload.extend(b"8.4.0\0");
    payload.extend(7_u32.to_le_bytes());
    payload.extend(b"12345678\0");
    payload.extend([a, b, 255, 2, 0, c, d, 21]);
    payload.extend([0; 10]);
    payload.extend(b"123456789012\0caching_sha2_password\0");
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&length[..3], &[0], &payload].concat()
}

/// A server with a certificate of an authority for these names: its address, the authority as PEM, and a word whenever
/// a client has trusted it.
async fn serve(names: &[&str]) -> (SocketAddr, String, mpsc::UnboundedReceiver<()>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_cert = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let issuer = Issuer::new(authority, authority_key);
    let cert = CertificateParams::new(names).unwrap();
    let cert = cert.signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trusted, trusts) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&greeting()).await.unwrap();
            let mut request = [0; SSL_REQUEST_BYTES];
            if stream.read_exact(&mut request).await.is_err() {
                continue;
            }
            // A client that does not trust the certificate goes away, at the latest when it should say who it is.
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            if stream.read_u8().await.is_ok() {
                let _ = trusted.send(());
            }
        }
    });
    (address, authority_cert.pem(), trusts)
}

/// Connects, which fails one way or another: what it says.
async fn told(address: SocketAddr, parameters: &str, folder: &Path) -> String {
    let url = format!("mysql://oms:hunter2@{address}/oms?{parameters}");
    let url = MysqlUrl::parse(&url).unwrap().relative_to(folder);
    let error = MysqlInventory::connect(&url).await.unwrap_err();
    let told = error.chain();
    assert!(!told.contains("hunter2"), "{told}");
    told
}

#[tokio::test]
async fn by_verify_ca_the_authority_counts_and_the_name_does_not() {
    let folder = tempfile::tempdir().unwrap();
    // As MySQL makes certificates for itself: for no name at all.
    for names in [&["another.example"][..], &[]] {
        let (address, pem, mut trusts) = serve(names).await;
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        told(address, "tls=verify-ca&tls-ca=ca.pem", folder.path()).await;
        trusts.try_recv().expect("it was not trusted");
        let by_name = told(address, "tls=verify-identity&tls-ca=ca.pem", folder.path()).await;
        assert!(by_name.contains("certificate"), "{by_name}");
        assert!(trusts.try_recv().is_err(), "its name was not looked at");
    }
}

#[tokio::test]
async fn by_verify_ca_a_stranger_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // The name that is asked for where any will do is worth nothing by itself.
    let (address, _, mut trusts) = serve(&["127.0.0.1", "NotValidForName"]).await;
    let (_, other_authority, _) = serve(&["127.0.0.1"]).await;
    std::fs::write(folder.path().join("ca.pem"), other_authority).unwrap();
    for parameters in ["tls=verify-ca&tls-ca=ca.pem", "tls=verify-ca"] {
        let refused = told(address, parameters, folder.path()).await;
        assert!(refused.contains("certificate"), "{refused}");
        assert!(trusts.try_recv().is_err(), "a stranger was trusted");
    }
}

#[tokio::test]
async fn by_verify_identity_the_name_counts_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let (address, pem, mut trusts) = serve(&["db.example"]).await;
    std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
    let parameters = "tls=verify-identity&tls-ca=ca.pem&tls-name=db.example";
    told(address, parameters, folder.path()).await;
    trusts.try_recv().expect("it was not trusted");
}
