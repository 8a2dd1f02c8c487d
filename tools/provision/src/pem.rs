//! Certificates from files.

use std::fs;
use std::path::Path;

use der::{Decode as _, DecodePem as _, Encode as _};
use x509_cert::certificate::Certificate;

use crate::fault::Fault;

/// Reads a certificate, PEM or DER; returns DER.
pub(crate) fn read_certificate(path: &Path) -> Result<Vec<u8>, Fault> {
    let bytes = fs::read(path).map_err(|cause| Fault::Read { path: path.into(), cause })?;
    let certificate = if bytes.starts_with(b"-----") {
        Certificate::from_pem(&bytes)
    } else {
        Certificate::from_der(&bytes)
    };
    certificate
        .and_then(|certificate| certificate.to_der())
        .map_err(|_| Fault::NotACertificate { path: path.into() })
}
