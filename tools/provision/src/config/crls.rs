//! CRLs for a server: of every CA, or none.

use std::path::PathBuf;

use provision_issuer::inspect::time_text;
use provision_issuer::{DocumentKind, RevocationList};

use super::material::values;
use super::{Material, Revocation};
use crate::fault::Fault;
use crate::{files, system};

/// CRLs that have not ended.
#[derive(Debug)]
pub(crate) struct Crls {
    path: PathBuf,
    /// DER.
    ders: Vec<Vec<u8>>,
    /// Who signed each.
    issuers: Vec<String>,
}

impl Crls {
    /// Reads those that are given, if they are still good: with others a server takes nobody. To be done before
    /// anything else, as long as little is in memory: one that is refused may be as long as any.
    pub(crate) fn read(revocation: &Revocation) -> Result<Option<Self>, Fault> {
        let Some(path) = revocation.crl.clone() else { return Ok(None) };
        let ders = files::read_all(&path, DocumentKind::Crl)?;
        let now_s = system::now_s()?;
        let mut issuers = Vec::new();
        for der in &ders {
            let crl = RevocationList::from_der(der.as_slice())
                .map_err(|error| files::document(&path, &error))?;
            let issuer = crl.issuer_text();
            if let Some(end_s) = crl.next_update_s().filter(|end_s| *end_s <= now_s) {
                let ended = time_text(end_s);
                let text = format!("the CRL of {issuer} ended on {ended}: servers take nobody");
                return Err(files::document(&path, &text));
            }
            issuers.push(issuer);
        }
        Ok(Some(Self { path, ders, issuers }))
    }

    /// Them, in DER, if they are of every CA: with less than that a server takes nobody.
    pub(crate) fn of_every_ca(self, material: &Material) -> Result<Vec<Vec<u8>>, Fault> {
        for der in &material.device_cas {
            let subject = values(&self.path, der)?.subject;
            if !self.issuers.contains(&subject) {
                let text = format!(
                    "no CRL of {subject} is in it: a server that has CRLs wants one of every CA, \
                     and takes nobody otherwise"
                );
                return Err(files::document(&self.path, &text));
            }
        }
        Ok(self.ders)
    }
}
