//! From a raw source to a key: what is good enough, and what never makes one.

use provision_csr::{Entropy, NoEntropy, PortableKey, RawEntropy, SoftwareKey, TestedEntropy};
use sha2_device::{Digest, Sha256};

/// A raw source that gives what a function of the byte's number says, and claims `BITS` per byte.
#[derive(Clone)]
struct Source<F, const BITS: u32> {
    byte: F,
    given: usize,
}

impl<F: FnMut(usize) -> Option<u8>, const BITS: u32> RawEntropy for Source<F, BITS> {
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = BITS;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            *byte = (self.byte)(self.given).ok_or(NoEntropy)?;
            self.given += 1;
        }
        Ok(())
    }
}

fn tested<F: FnMut(usize) -> Option<u8>, const BITS: u32>(
    byte: F,
) -> TestedEntropy<Source<F, BITS>> {
    TestedEntropy::new(Source { byte, given: 0 })
}

/// As good as it gets: the byte of that number.
fn good(number: usize) -> u8 {
    Sha256::digest((number / 32).to_be_bytes())[number % 32]
}

/// Good, with so many bits and no more.
fn with_bits(bits: u32) -> impl Fn(usize) -> Option<u8> {
    move |number| Some(good(number) & (0xff_u32 >> (8 - bits)) as u8)
}

const START_UP: usize = 1024;

#[test]
fn a_source_as_good_as_it_claims_passes_for_long() {
    fn check<const BITS: u32>() {
        let mut entropy = tested::<_, BITS>(with_bits(BITS));
        let mut out = [0; 32];
        for _ in 0..2_000 {
            entropy.fill(&mut out).unwrap();
        }
    }

    check::<1>();
    check::<2>();
    check::<3>();
    check::<4>();
    check::<5>();
    check::<6>();
    check::<7>();
    check::<8>();
}

/// The start-up test's bytes are thrown away; each 32 after them are the SHA-256 of enough raw ones.
#[test]
fn what_is_handed_out_is_sha_256_of_raw_bytes() {
    fn check<const BITS: u32>(raw_len: usize) {
        let raw: Vec<u8> = (0..START_UP + 3 * raw_len).map(good).collect();
        let blocks: Vec<[u8; 32]> =
            raw[START_UP..].chunks(raw_len).map(|raw| Sha256::digest(raw).into()).collect();

        let mut entropy = tested::<_, BITS>(|number| Some(good(number)));
        // What is left of a block is not kept.
        let mut out = [0; 40];
        entropy.fill(&mut out).unwrap();
        assert_eq!(out[..32], blocks[0]);
        assert_eq!(out[32..], blocks[1][..8]);
        entropy.fill(&mut out[..5]).unwrap();
        assert_eq!(out[..5], blocks[2][..5]);
        assert_eq!(entropy.into_inner().given, raw.len());
    }

    check::<8>(64);
    check::<7>(64);
    check::<5>(64);
    check::<4>(128);
    check::<3>(128);
    check::<2>(256);
    check::<1>(512);
}

#[test]
fn a_good_source_makes_keys_that_differ() {
    let mut entropy = tested::<_, 8>(|number| Some(good(number)));
    let first = PortableKey::generate(&mut entropy).unwrap().to_stored();
    let second = PortableKey::generate(&mut entropy).unwrap().to_stored();
    assert_ne!(first.secret(), second.secret());
}

/// Sources that are broken from the beginning, at every claim: no key, and none later.
#[test]
fn a_broken_source_never_makes_a_key() {
    fn check<const BITS: u32>(what: &str, byte: impl Fn(usize) -> u8 + Clone) {
        let mut entropy = tested::<_, BITS>(|number| Some(byte(number)));
        for attempt in 0..3 {
            let made = PortableKey::generate(&mut entropy);
            assert_eq!(made.err(), Some(NoEntropy), "{what}, {BITS} bits, attempt {attempt}");
        }
    }

    fn check_all(what: &str, byte: impl Fn(usize) -> u8 + Clone) {
        check::<8>(what, byte.clone());
        check::<4>(what, byte.clone());
        check::<2>(what, byte.clone());
        check::<1>(what, byte);
    }

    check_all("zero", |_| 0);
    check_all("all ones", |_| 0xff);
    check_all("stuck", |_| 0x5a);
    check_all("alternating", |number| [0x55, 0xaa][number % 2]);
    check_all("alternating words", |number| [0x00, 0xff][number / 4 % 2]);
    for period in 3..=16 {
        check_all("a short pattern", move |number| good(number % period));
    }
    // Each of these 32 comes again in each block, so that all blocks are the same.
    for period in [32, 64] {
        check_all("a longer pattern", move |number| good(number % period));
    }
    check_all("zero, nine times of ten", |number| {
        if good(number) < 230 { 0 } else { good(number + 1_000_000) }
    });
    check::<8>("a quarter of one value", |number| good(number) & good(number + 1_000_000) & 0x0f);
    check::<8>("four values", |number| good(number) & 3);
    check::<4>("two values", |number| good(number) & 1);
    check::<8>("a pattern of 26", |number| good(number % 26));
}

/// How far repetition is found, and from where on it is not: `docs/entropy.md` says so. Patterns as
/// long as a draw, or as a whole part of it, are found at the key.
#[test]
fn longer_patterns_are_found_as_far_as_is_written_down() {
    fn check<const BITS: u32>() {
        let bits = with_bits(BITS);
        for period in (2..=80).chain((97..960).step_by(61)).chain(955..=965) {
            let mut entropy = tested::<_, BITS>(|number| bits(number % period));
            let made = PortableKey::generate(&mut entropy);
            assert_eq!(made.is_err(), period <= 960, "a pattern of {period}, {BITS} bits");
        }
    }

    check::<8>();
    check::<7>();
    check::<6>();
    check::<4>();
    check::<2>();
    check::<1>();
}

/// Wherever in the middle of the stream it breaks: the draw that it broke in is refused, and all
/// draws after it, though the source mends itself.
#[test]
fn a_source_that_breaks_on_the_way_is_refused_for_good() {
    let breaks_at = (0..START_UP).step_by(97).chain(START_UP..START_UP + 3 * 64);
    for breaks_at in breaks_at {
        let broken = breaks_at..breaks_at + 6;
        let mut entropy = tested::<_, 8>(|number| {
            Some(if broken.contains(&number) { 0x77 } else { good(number) })
        });
        let mut out = [0; 32];
        // The last of the stuck bytes is the one that is noticed.
        let good_draws = (breaks_at + 5).saturating_sub(START_UP) / 64;
        for _ in 0..good_draws {
            entropy.fill(&mut out).unwrap();
        }
        for _ in 0..50 {
            assert_eq!(entropy.fill(&mut out), Err(NoEntropy), "broke at {breaks_at}");
        }
    }
}

/// Five in a row may be chance.
#[test]
fn less_than_the_cutoff_is_no_failure() {
    let mut entropy = tested::<_, 8>(|number| {
        Some(if (500..505).contains(&number) { 0x77 } else { good(number) })
    });
    assert_eq!(entropy.fill(&mut [0; 32]), Ok(()));
}

/// A refusal by the hardware is its own: it may be ready later, and is tested anew.
#[test]
fn a_refusal_is_passed_on_and_the_start_up_test_done_again() {
    let mut ready = false;
    let mut given = 0;
    let mut out = [0; 32];
    {
        let mut entropy = tested::<_, 8>(|number| {
            ready |= number > START_UP + 100;
            given = number + 1;
            // Not ready once, after some bytes.
            if number == START_UP + 100 && !core::mem::replace(&mut ready, true) {
                return None;
            }
            Some(good(number))
        });
        entropy.fill(&mut out).unwrap();
        assert_eq!(entropy.fill(&mut out), Err(NoEntropy));
        entropy.fill(&mut out).unwrap();
    }
    assert_eq!(given, START_UP + 100 + START_UP + 64);
}

#[test]
fn a_source_that_is_gone_makes_no_key() {
    let mut entropy = tested::<_, 8>(|_| None);
    assert_eq!(PortableKey::generate(&mut entropy).err(), Some(NoEntropy));
    for gone_at in [1, 1000, START_UP, START_UP + 64, START_UP + 127] {
        let mut entropy = tested::<_, 8>(|number| (number < gone_at).then(|| good(number)));
        assert_eq!(PortableKey::generate(&mut entropy).err(), Some(NoEntropy), "{gone_at}");
    }
}

/// What these tests would let through if there were no health tests: a source can look random
/// enough for the key's own checks, and still be broken.
#[test]
fn without_the_tests_it_would_make_a_key() {
    /// The raw bytes handed out as they are.
    struct Untested<R>(R);

    impl<R: RawEntropy> Entropy for Untested<R> {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            self.0.fill_raw(out)
        }
    }

    let source = Source::<_, 8> { byte: |number: usize| Some(good(number % 5)), given: 0 };
    assert!(PortableKey::generate(&mut Untested(source.clone())).is_ok());
    assert!(PortableKey::generate(&mut TestedEntropy::new(source)).is_err());
}
