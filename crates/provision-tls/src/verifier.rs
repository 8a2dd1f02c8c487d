//! The server's two proofs, each demanded once and in order.

use embedded_tls::{
    CertificateEntryRef, CertificateRef, CertificateVerifyRef, SignatureScheme, TlsCipherSuite,
    TlsError, TlsVerifier,
};
use provision_csr::{Sha256, Signature, VerifyP256};
use provision_path::{ISSUERS_MAX, PathFault, ServerKey, UnixSeconds, check_server};
use sha2_device::Digest;

use crate::{
    ConnectError, Endpoint,
    cipher::InspectingSuite,
    watch::{Proof, Stop, Watch},
};

pub(crate) struct ServerVerifier<'a, V> {
    endpoint: &'a Endpoint<'a>,
    now: UnixSeconds,
    watch: &'a Watch,
    expect: Expect,
    verifier: core::marker::PhantomData<fn() -> V>,
}

/// The message that must come next, and what is known by then.
#[derive(Clone, Copy)]
enum Expect {
    Certificate,
    CertificateVerify { key: ServerKey, transcript_sha256: [u8; 32] },
    Nothing,
}

impl<'a, V: VerifyP256> ServerVerifier<'a, V> {
    pub(crate) fn new(endpoint: &'a Endpoint<'a>, now: UnixSeconds, watch: &'a Watch) -> Self {
        Self {
            endpoint,
            now,
            watch,
            expect: Expect::Certificate,
            verifier: core::marker::PhantomData,
        }
    }

    fn check_certificate(&self, message: &CertificateRef<'_>) -> Result<ServerKey, ConnectError> {
        let mut certificates = message.entries.iter().filter_map(|entry| match entry {
            CertificateEntryRef::X509(der) => Some(*der),
            CertificateEntryRef::RawPublicKey(_) => None,
        });
        let end_entity = certificates.next().ok_or(ConnectError::NoCertificate)?;

        let found = message.entries.len().saturating_sub(1);
        let mut issuers = [&[][..]; ISSUERS_MAX];
        for (place, certificate) in issuers.iter_mut().zip(certificates) {
            *place = certificate;
        }
        let issuers = issuers
            .get(..found)
            .ok_or(PathFault::TooManyIssuers { found, max: ISSUERS_MAX })
            .map_err(|fault| ConnectError::Server(fault.into()))?;

        check_server::<V>(end_entity, issuers, self.endpoint.anchors, &self.endpoint.name, self.now)
            .map_err(ConnectError::Server)
    }

    fn check_signature(
        key: &ServerKey,
        transcript_sha256: &[u8; 32],
        message: &CertificateVerifyRef<'_>,
    ) -> Result<(), ConnectError> {
        if message.signature_scheme != SignatureScheme::EcdsaSecp256r1Sha256 {
            return Err(ConnectError::UnsupportedSignature {
                scheme: message.signature_scheme.as_u16(),
            });
        }
        // RFC 8446 section 4.4.3.
        let mut hash = Sha256::new();
        hash.update(&[0x20; 64]);
        hash.update(b"TLS 1.3, server CertificateVerify\x00");
        hash.update(transcript_sha256);
        let digest = hash.finish();
        Signature::from_der(message.signature)
            .ok()
            .and_then(|signature| key.verify::<V>(&digest, &signature).ok())
            .ok_or(ConnectError::WrongHandshakeSignature)
    }

    fn refuse<T>(&self, result: Result<T, ConnectError>) -> Result<T, TlsError> {
        result.map_err(|error| {
            self.watch.stop(Stop::Connect(error));
            TlsError::InvalidCertificate
        })
    }
}

impl<V: VerifyP256> TlsVerifier<InspectingSuite> for ServerVerifier<'_, V> {
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        // The name to prove may be an address, which is never indicated. It is in `endpoint`.
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &<InspectingSuite as TlsCipherSuite>::Hash,
        message: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        let Expect::Certificate = self.expect else {
            return self.refuse(Err(ConnectError::OutOfOrder));
        };
        // Whatever comes of this, it is not asked again.
        self.expect = Expect::Nothing;
        let key = self.refuse(self.check_certificate(&message))?;

        self.watch.prove(Proof::Certificate);
        // The transcript ends with this very message: what the server signs next.
        let transcript_sha256 = transcript.clone().finalize().into();
        self.expect = Expect::CertificateVerify { key, transcript_sha256 };
        Ok(())
    }

    fn verify_signature(&mut self, message: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        let Expect::CertificateVerify { key, transcript_sha256 } = self.expect else {
            return self.refuse(Err(ConnectError::OutOfOrder));
        };
        self.expect = Expect::Nothing;
        self.refuse(Self::check_signature(&key, &transcript_sha256, &message))?;
        self.watch.prove(Proof::Both);
        Ok(())
    }
}
