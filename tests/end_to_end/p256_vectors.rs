//! The same vectors for every implementation of P-256: portable on this machine, portable and assembler on the
//! emulated Cortex-M4.
//!
//! - signatures checked: Wycheproof's for P-256 with SHA-256, all of them;
//! - signatures made: RFC 6979 appendix A.2.5, and a hundred more, with digests and keys at the ends of their ranges,
//!   as another implementation makes them (`p256` 0.14);
//! - keys agreed: Wycheproof's for P-256 with uncompressed points.

use std::fs;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature as OtherSignature, SigningKey};
use provision_csr::{
    Entropy, IdentityKey as _, NoEntropy, PortableKey, PortableP256, PublicKey, Signature,
    SoftwareKey as _, StoredKey, VerifyP256 as _,
};
use provision_testkit::cli::built_firmware_for;
use provision_testkit::qemu::Image;
use provision_testkit::random::Random;
use sha2_device::{Digest as _, Sha256};
use wycheproof::TestResult;

/// One question, and its answer.
enum Vector {
    Verify { public: Vec<u8>, digest: [u8; 32], signature_der: Vec<u8>, is_good: bool },
    Sign { secret: [u8; 32], digest: [u8; 32], signature: [u8; 64] },
    Public { secret: [u8; 32], public: [u8; 65] },
    Agree { secret: [u8; 32], public: [u8; 65], shared: Option<[u8; 32]> },
}

fn vectors() -> Vec<Vector> {
    let mut vectors = verify_vectors();
    vectors.extend(sign_vectors());
    vectors.extend(agree_vectors());
    vectors
}

fn verify_vectors() -> Vec<Vector> {
    use wycheproof::ecdsa::{TestName, TestSet};

    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
    let mut vectors = Vec::new();
    for group in set.test_groups {
        for test in group.tests {
            // What the image has one byte for; the longest are far beyond any signature.
            if test.sig.len() > 255 {
                assert_eq!(test.result, TestResult::Invalid);
                continue;
            }
            vectors.push(Vector::Verify {
                public: group.key.key.to_vec(),
                digest: Sha256::digest(&*test.msg).into(),
                signature_der: test.sig.to_vec(),
                is_good: test.result == TestResult::Valid,
            });
        }
    }
    assert!(vectors.len() > 400, "{}", vectors.len());
    vectors
}

fn sign_vectors() -> Vec<Vector> {
    let a_2_5 = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    let mut vectors = vec![
        Vector::Sign {
            secret: a_2_5,
            digest: Sha256::digest(b"sample").into(),
            signature: hex(concat!(
                "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
                "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
            )),
        },
        Vector::Sign {
            secret: a_2_5,
            digest: Sha256::digest(b"test").into(),
            signature: hex(concat!(
                "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
                "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083"
            )),
        },
        Vector::Public {
            secret: a_2_5,
            public: hex(concat!(
                "04",
                "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
                "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
            )),
        },
    ];

    let mut random = Random::new(6979);
    let mut secrets: Vec<[u8; 32]> = (0..20).map(|_| random.bytes()).collect();
    let order: [u8; 32] = hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551");
    secrets.push(with_last_byte([0; 32], 1));
    secrets.push(with_last_byte(order, 0x50));
    let mut digests: Vec<[u8; 32]> = (0..3).map(|_| random.bytes()).collect();
    // Zero, and from just below the order to the largest there is: those have to be reduced.
    digests.extend([[0; 32], with_last_byte(order, 0x50), order, with_last_byte(order, 0x52)]);
    digests.push([0xff; 32]);
    for secret in secrets {
        let key = SigningKey::from_slice(&secret).unwrap();
        let point = key.verifying_key().to_sec1_point(false);
        let public = point.as_bytes().try_into().unwrap();
        if secret.iter().any(|byte| *byte != secret[0]) {
            vectors.push(Vector::Public { secret, public });
        }
        for digest in &digests {
            let signature: OtherSignature = key.sign_prehash(digest).unwrap();
            let signature = signature.to_bytes().into();
            vectors.push(Vector::Sign { secret, digest: *digest, signature });
        }
    }
    vectors
}

fn agree_vectors() -> Vec<Vector> {
    use wycheproof::ecdh::{TestName, TestSet};

    let set = TestSet::load(TestName::EcdhSecp256r1Ecpoint).unwrap();
    let tests = set.test_groups.into_iter().flat_map(|group| group.tests);
    let vectors: Vec<Vector> = tests
        .filter_map(|test| {
            // TLS 1.3 has no compressed points (RFC 8446 section 4.2.8.2), so neither have our types.
            let public: [u8; 65] = test.public_key.to_vec().try_into().ok()?;
            let digits = test.private_key.to_vec();
            let secret = core::array::from_fn(|at| {
                (digits.len() + at).checked_sub(32).map_or(0, |from| digits[from])
            });
            let shared = (test.result != TestResult::Invalid && public[0] == 4)
                .then(|| test.shared_secret.to_vec().try_into().unwrap());
            Some(Vector::Agree { secret, public, shared })
        })
        .collect();
    assert!(vectors.len() > 200, "{}", vectors.len());
    vectors
}

#[test]
fn portable_on_this_machine() {
    for vector in vectors() {
        match vector {
            Vector::Verify { public, digest, signature_der, is_good } => {
                let public = PublicKey::from_sec1_slice(&public).unwrap();
                let found = Signature::from_der(&signature_der).is_ok_and(|signature| {
                    PortableP256::verify_digest(&public, &digest, &signature).is_ok()
                });
                assert_eq!(found, is_good, "{signature_der:02x?}");
            }
            Vector::Sign { secret, digest, signature } => {
                let public = PublicKey::from_sec1([4; 65]).unwrap();
                let key = PortableKey::from_stored(&StoredKey::new(secret, public)).unwrap();
                assert_eq!(key.sign_digest(&digest).unwrap().as_raw(), &signature, "{secret:02x?}");
            }
            Vector::Public { secret, public } => {
                let key = PortableKey::generate(&mut Given { secret, first: true }).unwrap();
                assert_eq!(key.public_key().as_sec1(), &public);
            }
            // The device's portable agreement is embedded-tls's own; it is tested on the board.
            Vector::Agree { .. } => {}
        }
    }
}

#[test]
fn portable_on_the_emulated_board() {
    let checked = run_on_board("mps2-an386-bench", "bench-vectors", &encoded(&vectors()));
    assert_eq!(checked, Ok(vectors().len()));
}

#[test]
fn assembler_on_the_emulated_board() {
    let checked = run_on_board("mps2-an386-asm", "bench-vectors-asm", &encoded(&vectors()));
    assert_eq!(checked, Ok(vectors().len()));
}

#[test]
fn a_wrong_vector_of_each_kind_is_noticed() {
    let mut wrong = Vec::new();
    let mut seen = [false; 4];
    for vector in vectors() {
        let (kind, bent) = match vector {
            Vector::Verify { public, digest, signature_der, is_good } => {
                (0, Vector::Verify { public, digest, signature_der, is_good: !is_good })
            }
            Vector::Sign { secret, digest, mut signature } => {
                signature[63] ^= 1;
                (1, Vector::Sign { secret, digest, signature })
            }
            Vector::Public { secret, mut public } => {
                public[64] ^= 1;
                (2, Vector::Public { secret, public })
            }
            Vector::Agree { secret, public, shared } => {
                (3, Vector::Agree { secret, public, shared: shared.xor(Some([7; 32])) })
            }
        };
        if !core::mem::replace(&mut seen[kind], true) {
            wrong.push(bent);
        }
    }
    assert_eq!(wrong.len(), 4);
    let noticed = run_on_board("mps2-an386-asm", "bench-vectors-asm", &encoded(&wrong));
    assert_eq!(noticed, Err(4));
}

/// The number that was checked, or the number that was wrong.
fn run_on_board(board: &str, image: &str, records: &[u8]) -> Result<usize, usize> {
    let image = built_firmware_for(board).unwrap().with_file_name(image);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vectors"), records).unwrap();
    let log = Image::new(image).in_folder(folder.path()).run().unwrap();
    let number = |name: &str| {
        let line = log.lines().find(|line| line.starts_with("vectors checked="));
        let word = line.and_then(|line| line.split(' ').find_map(|word| word.strip_prefix(name)));
        word.and_then(|word| word.trim().parse().ok()).unwrap_or_else(|| panic!("{log}"))
    };
    match number("wrong=") {
        0 => Ok(number("checked=")),
        wrong => Err(wrong),
    }
}

/// As the image reads them: see `bench-vectors.rs`.
fn encoded(vectors: &[Vector]) -> Vec<u8> {
    let mut out = Vec::new();
    for vector in vectors {
        match vector {
            Vector::Verify { public, digest, signature_der, is_good } => {
                let len = u8::try_from(signature_der.len()).unwrap();
                out.push(1);
                out.extend([public, &digest[..], &[len], signature_der].concat());
                out.push(u8::from(*is_good));
            }
            Vector::Sign { secret, digest, signature } => {
                out.push(2);
                out.extend([&secret[..], digest, signature].concat());
            }
            Vector::Public { secret, public } => {
                out.push(3);
                out.extend([&secret[..], public].concat());
            }
            Vector::Agree { secret, public, shared } => {
                out.push(4);
                out.extend([&secret[..], public, &shared.unwrap_or_default()].concat());
                out.push(u8::from(shared.is_some()));
            }
        }
    }
    out.push(0);
    out
}

/// Gives this secret, after a first draw that is only compared with.
struct Given {
    secret: [u8; 32],
    first: bool,
}

impl Entropy for Given {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&self.secret);
        if core::mem::take(&mut self.first) {
            out.reverse();
        }
        Ok(())
    }
}

fn with_last_byte(mut bytes: [u8; 32], last: u8) -> [u8; 32] {
    bytes[31] = last;
    bytes
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    core::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
}
