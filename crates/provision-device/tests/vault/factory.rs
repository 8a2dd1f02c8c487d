//! What a station delivers, with toy signatures: the same for a key each time it is asked.

use core::cell::RefCell;
use std::collections::HashMap;

use provision_csr::PublicKey;
use provision_testkit::pki::rcgen::{CertificateParams, Issuer, PublicKeyData, SignatureAlgorithm};
use provision_testkit::pki::{self, rcgen};
use provision_testkit::toy_p256::ToyKey;
use provision_wire::{Delivery, Encodable, Endpoint};

/// Where a device is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cloud {
    Old,
    New,
}

impl Cloud {
    /// Longer than two units of a record, so that at least one of them has nothing else.
    pub(crate) const fn host(self) -> &'static str {
        match self {
            Self::Old => {
                "the-old-cloud.0123456789-abcdefghijklmnopqrstuvwxyz.example.com.0123456789-abcdefghi"
            }
            Self::New => {
                "the-new-cloud.9876543210-zyxwvutsrqponmlkjihgfedcba.example.net.9876543210-ihgfedcba"
            }
        }
    }
}

/// The delivery for the device with this key.
pub(crate) fn delivery(public: &PublicKey, cloud: Cloud) -> Vec<u8> {
    thread_local! {
        static FACTORY: Factory = Factory::new();
    }
    FACTORY.with(|factory| factory.delivery(public, cloud))
}

/// One for each thread that tests.
struct Factory {
    root: CertificateParams,
    root_key: ToyKey,
    root_der: Vec<u8>,
    time: u64,
    made: RefCell<HashMap<(PublicKey, Cloud), Vec<u8>>>,
}

impl Factory {
    fn new() -> Self {
        let root = pki::device_issuer("Device Root");
        let root_key = ToyKey::new([0x52; 32]);
        let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
        Self { root, root_key, root_der, time: pki::now(), made: RefCell::default() }
    }

    fn delivery(&self, public: &PublicKey, cloud: Cloud) -> Vec<u8> {
        let mut made = self.made.borrow_mut();
        made.entry((*public, cloud)).or_insert_with(|| self.make(public, cloud)).clone()
    }

    fn make(&self, public: &PublicKey, cloud: Cloud) -> Vec<u8> {
        let issuer = Issuer::from_params(&self.root, &self.root_key);
        let mut leaf = pki::device(super::dialogue::NAME);
        // Not drawn at random: a cloud more is the same leaf once more.
        leaf.serial_number = Some(rcgen::SerialNumber::from_slice(&public.as_sec1()[1..9]));
        let leaf = leaf.signed_by(&DeviceKey(*public), &issuer).unwrap();
        let delivery = Delivery {
            leaf: leaf.der(),
            issuers: [].into_iter().collect(),
            device_anchor: &self.root_der,
            server_anchors: [self.root_der.as_slice()].into_iter().collect(),
            endpoint: Endpoint { host: cloud.host(), port: 8883, alpn: None },
            time: self.time,
            foreign_signatures_unchecked: false,
        };
        let mut out = vec![0; 2048];
        let len = delivery.encode_into(&mut out).unwrap();
        out.truncate(len);
        out
    }
}

struct DeviceKey(PublicKey);

impl PublicKeyData for DeviceKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_sec1()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}
