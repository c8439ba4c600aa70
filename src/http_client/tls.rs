//! Whom to trust.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::OpenError;

/// TLS that trusts the authorities in a PEM file and no others; without one, those that browsers trust, which are
/// built in.
///
/// The provider is named, since a process-wide one may be set once only, by whoever comes first.
pub(super) fn config(ca: Option<&Path>) -> Result<Arc<ClientConfig>, OpenError> {
    let roots = match ca {
        Some(path) => authorities(path)?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, OpenError> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| OpenError::File {
        path: path.to_owned(),
        source,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.into()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| unreadable(error.into()))?;
        roots
            .add(certificate)
            .map_err(|error| unreadable(error.into()))?;
    }
    if roots.is_empty() {
        return Err(OpenError::NoCertificate(path.to_owned()));
    }
    Ok(roots)
}
