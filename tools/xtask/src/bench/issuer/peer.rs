//! The same work by rcgen with ring: a CSR read and checked, a certificate of the same contents.

use core::hint::black_box;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

use super::name;
use crate::process::{Fault, While as _};

/// A CA of rcgen's.
pub(super) struct Peer(Issuer<'static, KeyPair>);

impl Peer {
    pub(super) fn new() -> Result<Self, Fault> {
        let key = KeyPair::generate().while_doing("a key")?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "Bench Device Issuing CA");
        Ok(Self(Issuer::new(params, key)))
    }

    pub(super) fn certify(&self, csrs: &[Vec<u8>]) -> Result<(), Fault> {
        for (at, csr) in csrs.iter().enumerate() {
            // Checks the CSR's signature.
            let mut request = CertificateSigningRequestParams::from_der(&csr.as_slice().into())
                .while_doing("a CSR")?;
            let params = &mut request.params;
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name(at));
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.use_authority_key_identifier_extension = true;
            black_box(request.signed_by(&self.0).while_doing("a certificate")?);
        }
        Ok(())
    }
}
