//! TLS for HTTP, over the library that asks for pictures and sends them.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{Error, Kind, Result};

/// TLS that trusts the certificates in the file `ca`, or those that the system trusts. `key` is the key of the
/// configuration that names the file; errors are of `kind`.
///
/// # Errors
/// When the file cannot be read or holds no certificate, or the system trusts none.
pub(crate) fn trusting(ca: Option<&Path>, kind: Kind, key: &str) -> Result<TlsConfig> {
    let certificates: Vec<Certificate<'static>> = match ca {
        Some(path) => {
            let fault = |what: &str| Error::new(kind, format!("{key}: {} {what}", path.display()));
            let text = std::fs::read(path).map_err(|e| fault("cannot be read").caused_by(e))?;
            let found = parse_pem(&text)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
                    Ok(_) => None,
                    Err(e) => Some(Err(fault("is not a PEM file").caused_by(e))),
                })
                .collect::<Result<Vec<_>>>()?;
            if found.is_empty() {
                return Err(fault("holds no certificate"));
            }
            found
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            if found.certs.is_empty() {
                return Err(Error::new(kind, "this system trusts no certificate authority")
                    .help(format!("install Debian's ca-certificates, or set {key}")));
            }
            found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
        }
    };
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build())
}
