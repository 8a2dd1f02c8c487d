//! What a station might send: one good delivery for each port, and some that must be refused.

use provision_csr::PublicKey;
use provision_testkit::pki;
use provision_testkit::pki::rcgen::{
    CertificateParams, Issuer, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use provision_testkit::toy_p256::ToyKey;
use provision_wire::{Delivery, Encodable as _, Endpoint};

/// Which delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    /// Good, for this port.
    Good(u16),
    /// Good, but for another device's key.
    OtherKey,
    /// With an issuer that did not issue the leaf.
    BrokenLink,
    /// The leaf is not signed by its issuer.
    BadSignature,
    /// Without its last byte.
    CutOff,
}

impl Variant {
    pub(super) fn numbered(number: u8) -> Self {
        match number % 8 {
            0..=3 => Self::Good(8883 + u16::from(number)),
            4 => Self::BadSignature,
            5 => Self::OtherKey,
            6 => Self::BrokenLink,
            _ => Self::CutOff,
        }
    }
}

/// A station's certificates. The same in every run.
pub(super) struct Deliveries {
    issuer: (CertificateParams, ToyKey),
    other: ToyKey,
    issuer_der: Vec<u8>,
    root_der: Vec<u8>,
    server_root_der: Vec<u8>,
    /// Of the key it was made for last.
    leaf: Option<(PublicKey, Vec<u8>)>,
}

impl Deliveries {
    pub(super) fn new() -> Self {
        let [root, issuer, server_root, other] = [1, 2, 3, 4].map(|nth| ToyKey::new([nth; 32]));
        let root_params = lasting(pki::root("Device Root"));
        let issuer_params = lasting(pki::device_issuer("Device Issuer"));
        let server_root_params = lasting(pki::root("Server Root"));
        let from_root = Issuer::from_params(&root_params, &root);
        Self {
            issuer_der: issuer_params.signed_by(&issuer, &from_root).expect("a CA").der().to_vec(),
            root_der: root_params.self_signed(&root).expect("a CA").der().to_vec(),
            server_root_der: server_root_params
                .self_signed(&server_root)
                .expect("a CA")
                .der()
                .to_vec(),
            issuer: (issuer_params, issuer),
            other,
            leaf: None,
        }
    }

    /// For the device with this key; for nobody, if it has none.
    pub(super) fn make(&mut self, variant: Variant, key: Option<PublicKey>) -> Vec<u8> {
        let nobody = ToyKey::public_of(&[0; 32]);
        let key = if variant == Variant::OtherKey { nobody } else { key.unwrap_or(nobody) };
        let mut leaf = self.leaf(key);
        if variant == Variant::BadSignature {
            let (params, _) = &self.issuer;
            leaf = signed_for(key, &Issuer::from_params(params, &self.other));
        }
        let (issuer, port) = match variant {
            Variant::Good(port) => (&self.issuer_der, port),
            Variant::BrokenLink => (&self.server_root_der, 1),
            Variant::OtherKey | Variant::BadSignature | Variant::CutOff => (&self.issuer_der, 2),
        };
        let mut delivery = Delivery {
            leaf: &leaf,
            issuers: Default::default(),
            device_anchor: &self.root_der,
            server_anchors: Default::default(),
            endpoint: Endpoint { host: "10.0.2.100", port, alpn: None },
            time: (FROM + TO) / 2,
            foreign_signatures_unchecked: false,
        };
        delivery.issuers.push(issuer).expect("room for one");
        delivery.server_anchors.push(&self.server_root_der).expect("room for one");
        let mut out = vec![0; 4096];
        let len = delivery.encode_into(&mut out).expect("four certificates fit");
        out.truncate(len - usize::from(variant == Variant::CutOff));
        out
    }

    fn leaf(&mut self, key: PublicKey) -> Vec<u8> {
        let (params, issuer) = &self.issuer;
        let made = |&(of, _): &(PublicKey, Vec<u8>)| of == key;
        if !self.leaf.as_ref().is_some_and(made) {
            self.leaf = Some((key, signed_for(key, &Issuer::from_params(params, issuer))));
        }
        self.leaf.as_ref().map(|(_, leaf)| leaf.clone()).expect("made just now")
    }
}

fn signed_for(key: PublicKey, issuer: &Issuer<'_, &ToyKey>) -> Vec<u8> {
    let params = lasting(pki::device("fuzzed"));
    params.signed_by(&Subject(key), issuer).expect("a leaf").der().to_vec()
}

fn lasting(params: CertificateParams) -> CertificateParams {
    pki::valid(params, FROM, TO)
}

struct Subject(PublicKey);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_sec1()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// 2020 and 2049, in seconds since 1970.
const FROM: u64 = 1_577_836_800;
const TO: u64 = 2_493_072_000;
