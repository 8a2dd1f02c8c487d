//! SHA-256 as NIST validates it (the files of CAVP's Secure Hash Algorithm Validation System): on this machine, and on
//! the emulated Cortex-M4 with the crate `sha2`'s compression and with the assembler's.
//!
//! Of the long messages, the first twenty: up to 2,044 bytes.

use std::fs;

use provision_csr::{Sha256, sha256};
use provision_testkit::cli::built_firmware_for;
use provision_testkit::qemu::Image;

/// One question, and its answer.
#[derive(Clone)]
enum Vector {
    Message {
        message: Vec<u8>,
        digest: [u8; 32],
    },
    /// Section 6.4 of SHAVS: a thousand digests, each of the three before it.
    MonteCarlo {
        seed: [u8; 32],
        digest: [u8; 32],
    },
}

fn vectors() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for file in [include_str!("nist/SHA256ShortMsg.rsp"), include_str!("nist/SHA256LongMsg.rsp")] {
        let lens = values(file, "Len").map(|bits| bits.parse::<usize>().unwrap() / 8);
        let messages = values(file, "Msg").map(bytes);
        for ((len, mut message), digest) in lens.zip(messages).zip(values(file, "MD")) {
            // One of no bytes is written as a byte of zero.
            message.truncate(len);
            vectors.push(Vector::Message { message, digest: digest_of(digest) });
        }
    }
    let file = include_str!("nist/SHA256Monte.rsp");
    let mut seed = digest_of(values(file, "Seed").next().unwrap());
    for digest in values(file, "MD").map(digest_of) {
        vectors.push(Vector::MonteCarlo { seed, digest });
        seed = digest;
    }
    assert_eq!(vectors.len(), 65 + 20 + 100);
    vectors
}

#[test]
fn on_this_machine() {
    for vector in vectors() {
        match vector {
            Vector::Message { message, digest } => {
                assert_eq!(sha256(&message), digest, "{} bytes", message.len());
                // In pieces that end nowhere near a block's end.
                let mut hash = Sha256::new();
                message.chunks(61).for_each(|piece| hash.update(piece));
                assert_eq!(hash.finish(), digest, "{} bytes by 61", message.len());
            }
            Vector::MonteCarlo { seed, digest } => {
                let mut last = [seed; 3];
                for _ in 0..1_000 {
                    let [_, second, third] = last;
                    last = [second, third, sha256(last.as_flattened())];
                }
                assert_eq!(last[2], digest);
            }
        }
    }
}

#[test]
fn on_the_emulated_board() {
    let checked = run_on_board("mps2-an386-bench", "bench-hashes", &vectors());
    assert_eq!(checked, (185, 0));
}

#[test]
fn in_assembler_on_the_emulated_board() {
    let checked = run_on_board("mps2-an386-asm", "bench-hashes-asm", &vectors());
    assert_eq!(checked, (185, 0));
}

#[test]
fn wrong_digests_are_noticed() {
    let mut vectors = vectors();
    for at in [0, 1, 184] {
        let (Vector::Message { digest, .. } | Vector::MonteCarlo { digest, .. }) = &mut vectors[at];
        digest[31] ^= 1;
    }
    assert_eq!(run_on_board("mps2-an386-asm", "bench-hashes-asm", &vectors), (185, 3));
}

/// How many were checked, and how many were wrong.
fn run_on_board(board: &str, image: &str, vectors: &[Vector]) -> (usize, usize) {
    let image = built_firmware_for(board).unwrap().with_file_name(image);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hashes"), encoded(vectors)).unwrap();
    let log = Image::new(image).in_folder(folder.path()).run().unwrap();
    let number = |name: &str| {
        let line = log.lines().find(|line| line.starts_with("hashes checked="));
        let word = line.and_then(|line| line.split(' ').find_map(|word| word.strip_prefix(name)));
        word.and_then(|word| word.trim().parse().ok()).unwrap_or_else(|| panic!("{log}"))
    };
    (number("checked="), number("wrong="))
}

/// As the image reads them: see `bench-hashes.rs`.
fn encoded(vectors: &[Vector]) -> Vec<u8> {
    let mut out = Vec::new();
    for vector in vectors {
        match vector {
            Vector::Message { message, digest } => {
                let len = u16::try_from(message.len()).unwrap().to_be_bytes();
                out.extend([&[1], &len[..], message, digest].concat());
            }
            Vector::MonteCarlo { seed, digest } => out.extend([&[2], &seed[..], digest].concat()),
        }
    }
    out.push(0);
    out
}

/// What stands behind each `name = `.
fn values<'a>(file: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    file.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(" = "))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn digest_of(hex: &str) -> [u8; 32] {
    bytes(hex).try_into().unwrap()
}
