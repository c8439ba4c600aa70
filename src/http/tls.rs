//! TLS of the listeners: a certificate and its key, read again when they change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::reload::{ReloadError, Reloaded};

/// A certificate with its chain, and its key.
pub type Certificate = Reloaded<ServerConfig>;

/// A certificate or a key that cannot be used. It shows nothing of the key.
#[derive(Debug, thiserror::Error)]
enum TlsError {
    #[error("{} holds no certificate; PEM is needed", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds no private key; PEM is needed, without a passphrase", .0.display())]
    NoKey(PathBuf),
    #[error("cannot use the certificate {} with the key {}", certificate.display(), key.display())]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        source: rustls::Error,
    },
}

/// Reads and watches a PEM file with a certificate and its chain, and one with its key.
///
/// # Errors
/// When a file cannot be read, or the two do not belong together.
pub fn certificate(certificate: PathBuf, key: PathBuf) -> Result<Certificate, ReloadError> {
    Reloaded::open(
        "certificate and key",
        vec![certificate, key],
        |paths, contents| {
            let ([certificate, key], [certificate_pem, key_pem]) = (paths, contents) else {
                return Err("a certificate and a key are needed".into());
            };
            config(certificate, certificate_pem, key, key_pem).map_err(Into::into)
        },
    )
}

fn config(
    certificate: &Path,
    certificate_pem: &[u8],
    key: &Path,
    key_pem: &[u8],
) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(certificate_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| TlsError::NoCertificate(certificate.to_owned()))?;
    // The error could repeat a part of the file.
    let private_key = PrivateKeyDer::from_pem_slice(key_pem);
    let private_key = private_key.map_err(|_| TlsError::NoKey(key.to_owned()))?;
    let unusable = |source| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    // The provider is named, since a process-wide one may be set once only.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private_key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::error::Error as StdError;

    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn pair() -> (String, String) {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn a_certificate_is_used_with_its_own_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let open = || certificate(path("cert.pem"), path("key.pem"));
        let chain = |error: ReloadError| {
            let error: &dyn StdError = &error;
            let source = error.source().map(ToString::to_string);
            format!("{error}: {}", source.unwrap_or_default())
        };
        assert!(chain(open().unwrap_err()).contains("cert.pem"));
        let ((cert, key), (_, other)) = (pair(), pair());
        std::fs::write(path("cert.pem"), &cert).unwrap();
        std::fs::write(path("key.pem"), &key).unwrap();
        open().unwrap();
        for (cert, key, what) in [
            ("", &*key, "holds no certificate"),
            ("nonsense", &key, "holds no certificate"),
            (&*key, &key, "holds no certificate"),
            (&cert, "", "holds no private key"),
            (&cert, &cert, "holds no private key"),
            (&cert, &other, "cannot use the certificate"),
        ] {
            std::fs::write(path("cert.pem"), cert).unwrap();
            std::fs::write(path("key.pem"), key).unwrap();
            let shown = chain(open().unwrap_err());
            assert!(shown.contains(what), "{shown}");
        }
    }
}
