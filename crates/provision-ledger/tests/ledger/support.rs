//! Real certificates for made-up devices.

use provision_csr::{
    CSR_LEN_MAX, Entropy, IdentityKey as _, NoEntropy, PortableKey, PortableP256, PublicKey,
    SoftwareKey as _, Subject, write_csr,
};
use provision_issuer::{
    CaNames, CaRequest, FileIssuer, Issuer as _, KeyProtection, Lifetime, Profile,
};
use provision_station::evidence::{
    ApprovedCsr, Chain, Csr, Decision, Enrolled, Policy, Standing, StoredProof,
};
use provision_wire::{DeviceSerial, proof_message};
use sha2::{Digest as _, Sha256};

pub(crate) const NOW_S: u64 = 1_800_000_000;

pub(crate) fn serial(text: &str) -> DeviceSerial {
    DeviceSerial::new(text).unwrap()
}

/// A key as a device makes it.
pub(crate) struct Key(PortableKey);

impl Key {
    pub(crate) fn new() -> Self {
        Self(PortableKey::generate(&mut SystemEntropy).unwrap())
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.0.public_key()
    }
}

/// A CA that certifies whatever a test wants.
pub(crate) struct Ca(FileIssuer);

impl Ca {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let dir = place.path().join("ca");
        let names = CaNames::of("Acme").unwrap();
        let request = CaRequest::new(names, KeyProtection::InsecurePlaintext, NOW_S);
        provision_issuer::init(&dir, &request).unwrap();
        Self(FileIssuer::open(&dir, &request.protection).unwrap())
    }

    pub(crate) fn certify(&mut self, device: &str, key: &Key) -> Chain {
        let approved = approved(&serial(device), key);
        self.0.issue(&approved, &Profile::new(Lifetime::Days(3650)), NOW_S).unwrap()
    }
}

/// Goes the whole way, as if the ledger knew nothing.
fn approved(device: &DeviceSerial, key: &Key) -> ApprovedCsr {
    let mut buffer = [0; CSR_LEN_MAX];
    let challenge = [7; 32];
    let subject = Subject::new(device.as_str()).unwrap();
    let csr = write_csr(&subject, &key.0, &challenge, &mut buffer).unwrap();
    let csr = Csr::parse(csr.as_bytes()).unwrap();
    let csr = csr.prove_possession::<PortableP256>(&challenge).unwrap();
    let announced = key.public();
    match Policy::default().decide(csr, device, &announced, Standing::Unknown).unwrap() {
        Decision::Issue(approved) => approved,
        Decision::DeliverAgain(live) => panic!("{live:?}"),
    }
}

/// The device has proven that it stores `chain` in a delivery with this digest.
pub(crate) fn enrolled(chain: &Chain, key: &Key, delivery_sha256: [u8; 32]) -> Enrolled {
    let challenge = [9; 32];
    let leaf_sha256 = chain.leaf_sha256();
    let message = proof_message(&challenge, &leaf_sha256, &delivery_sha256);
    let digest = Sha256::digest(message).into();
    let signature = key.0.sign_digest(&digest).unwrap();
    let proof = StoredProof { signature, leaf_sha256, delivery_sha256 };
    chain.confirm::<PortableP256>(&challenge, &proof, Some(&delivery_sha256)).unwrap()
}

/// The same chain, but for the serial number of its leaf. (Nobody signed that; the ledger does not
/// look at signatures.)
pub(crate) fn with_cert_serial_of(chain: &Chain, other: &Chain) -> Chain {
    let (from, to) = (chain.cert_serial().as_bytes(), other.cert_serial().as_bytes());
    assert_eq!(from.len(), to.len());
    let mut leaf = chain.leaf().to_vec();
    let at = leaf.windows(from.len()).position(|window| window == from).unwrap();
    leaf[at..at + to.len()].copy_from_slice(to);
    Chain::from_der(leaf, chain.issuers().to_vec(), chain.anchor().to_vec()).unwrap()
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(out).map_err(|_| NoEntropy)
    }
}
