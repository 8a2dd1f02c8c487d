//! The ledger in memory against the one in SQLite: random calls, the same answers.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_csr::IdentityKey as _;
use provision_issuer::{Issuer as _, Lifetime, Profile};
use provision_ledger::{Ledger, SqliteLedger};
use provision_station::evidence::{
    ApprovedCsr, Chain, Csr, Decision, Policy, Standing, StoredProof,
};
use provision_testkit::memory_ledger::MemoryLedger;
use provision_testkit::planted::Bug;
use provision_testkit::random::Random;
use provision_testkit::toy::ToyCa;
use provision_testkit::toy_p256::{ToyKey, ToyP256};
use provision_wire::{DeviceSerial, proof_message};
use sha2_device::{Digest as _, Sha256};

const CHALLENGE: [u8; 32] = [7; 32];
const NOW_S: u64 = 1_800_000_000;

fn key(number: u64) -> ToyKey {
    ToyKey::new([number as u8 + 1; 32])
}

fn serial(number: u64) -> DeviceSerial {
    DeviceSerial::new(&format!("device-{number}")).unwrap()
}

/// As a station would come by it.
fn approved(device: u64, key: &ToyKey) -> ApprovedCsr {
    let serial = serial(device);
    let subject = provision_csr::Subject::new(serial.as_str()).unwrap();
    let mut out = [0; provision_csr::CSR_LEN_MAX];
    let csr = provision_csr::write_csr(&subject, key, &CHALLENGE, &mut out).unwrap();
    let proven = Csr::parse(csr.as_bytes()).unwrap();
    let proven = proven.prove_possession::<ToyP256>(&CHALLENGE).unwrap();
    let policy = Policy::default();
    match policy.decide(proven, &serial, &key.public_key(), Standing::Unknown).unwrap() {
        Decision::Issue(approved) => approved,
        Decision::DeliverAgain(_) => unreachable!("it is unknown"),
    }
}

fn proof_of(chain: &Chain, key: &ToyKey, delivery: u64) -> StoredProof {
    let (leaf_sha256, delivery_sha256) = (chain.leaf_sha256(), [delivery as u8; 32]);
    let message = proof_message(&CHALLENGE, &leaf_sha256, &delivery_sha256);
    let signature = key.sign_digest(&Sha256::digest(message).into()).unwrap();
    StoredProof { signature, leaf_sha256, delivery_sha256 }
}

#[test]
fn it_answers_as_the_one_in_sqlite() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        // One issuer in three repeats its serial numbers.
        let bug = if random.once_in(3) { Bug::IssuerRepeatsSerials } else { Bug::None };
        let mut issuer = ToyCa::new().issuer(Random::new(seed), random.once_in(2), bug);
        let mut one = MemoryLedger::new();
        let mut other = SqliteLedger::open_in_memory().unwrap();
        let mut chains: Vec<(Chain, u64)> = Vec::new();
        for at_s in NOW_S..NOW_S + 60 {
            let (device, number) = (random.below(4), random.below(4));
            let serial = serial(device);
            let public_key = key(number).public_key();
            match random.below(5) {
                0 => {
                    let profile = Profile::new(Lifetime::Days(1));
                    let approved = approved(device, &key(number));
                    let chain = issuer.issue(&approved, &profile, at_s).unwrap();
                    let answers =
                        (one.record_issued(&chain, at_s), other.record_issued(&chain, at_s));
                    assert_eq!(format!("{:?}", answers.0), format!("{:?}", answers.1));
                    chains.push((chain, number));
                }
                1 if !chains.is_empty() => {
                    let (chain, _) = &chains[random.below(chains.len() as u64) as usize];
                    let answers =
                        (one.record_issued(chain, at_s), other.record_issued(chain, at_s));
                    assert_eq!(format!("{:?}", answers.0), format!("{:?}", answers.1));
                }
                2 if !chains.is_empty() => {
                    let (chain, number) = &chains[random.below(chains.len() as u64) as usize];
                    let proof = proof_of(chain, &key(*number), random.below(3));
                    let enrolled = chain.confirm::<ToyP256>(&CHALLENGE, &proof, None).unwrap();
                    let answers = (
                        one.record_enrolled(&enrolled, at_s),
                        other.record_enrolled(&enrolled, at_s),
                    );
                    assert_eq!(format!("{:?}", answers.0), format!("{:?}", answers.1));
                }
                _ => {}
            }
            let standings =
                (one.standing(&serial, &public_key), other.standing(&serial, &public_key));
            assert_eq!(standings.0.unwrap(), standings.1.unwrap());
            assert_eq!(one.find(&serial).unwrap(), other.find(&serial).unwrap());
            assert_eq!(one.live(&serial).unwrap(), other.live(&serial).unwrap());
        }
        assert_eq!(one.entries().unwrap(), other.entries().unwrap());
        assert!(!chains.is_empty());
    }
}
