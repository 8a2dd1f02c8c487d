//! A source that is broken never makes a key: the device says so, and stays blank.

use provision_csr::{Entropy, NoEntropy, RawEntropy, TestedEntropy};
use provision_device::{FlashVault, Stage, Vault, VaultFault};
use provision_testkit::flash::PowerCutFlash;
use provision_testkit::toy_p256::ToyKey;
use provision_wire::{Answer, Refusal};
use sha2_device::{Digest, Sha256};

use crate::dialogue::ask_for_key;

/// Gives what a function of the byte's number says.
struct Source<F>(F, usize);

impl<F: FnMut(usize) -> Option<u8>> RawEntropy for Source<F> {
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 6;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for byte in out {
            *byte = (self.0)(self.1).ok_or(NoEntropy)?;
            self.1 += 1;
        }
        Ok(())
    }
}

fn good(number: usize) -> u8 {
    Sha256::digest((number / 32).to_be_bytes())[number % 32]
}

/// Asks a blank device for its key, twice, over the line.
fn answers(entropy: &mut impl Entropy) -> ([Result<(), Refusal>; 2], Stage, usize) {
    let flash = PowerCutFlash::<4, 1024>::new(4);
    let mut vault = FlashVault::<_, ToyKey>::new(flash, 0..4 * 1024).unwrap();
    let answers = [(); 2].map(|()| {
        ask_for_key(&mut vault, entropy, |answer| match answer {
            Answer::Key { .. } => Ok(()),
            Answer::Refused(refusal) => Err(*refusal),
            other => panic!("{other:?}"),
        })
    });
    let stage = vault.stage().unwrap();
    (answers, stage, vault.into_inner().operations())
}

#[test]
fn a_broken_source_is_refused_over_the_line_and_the_vault_stays_blank() {
    let check = |what: &str, byte: &mut dyn FnMut(usize) -> Option<u8>| {
        let mut entropy = TestedEntropy::new(Source(byte, 0));
        let (answers, stage, operations) = answers(&mut entropy);
        assert_eq!(answers, [Err(Refusal::NoEntropy); 2], "{what}");
        assert_eq!((stage, operations), (Stage::Blank, 0), "{what}");
    };
    check("zero", &mut |_| Some(0));
    check("stuck", &mut |_| Some(0x5a));
    check("alternating", &mut |number| Some([0x55, 0xaa][number % 2]));
    check("a short pattern", &mut |number| Some(good(number % 7)));
    check("biased", &mut |number| Some(if good(number) < 128 { 0 } else { good(number + 9_999) }));
    check("gone", &mut |_| None);
    check("gone after the start-up test", &mut |number| (number < 1_030).then(|| good(number)));
    check("stuck after the start-up test", &mut |number| {
        Some(if number < 1_030 { good(number) } else { 0x77 })
    });
}

#[test]
fn a_good_source_makes_a_key_and_one_only() {
    let mut entropy = TestedEntropy::new(Source(|number| Some(good(number)), 0));
    let (answers, stage, operations) = answers(&mut entropy);
    assert_eq!(answers, [Ok(()); 2]);
    assert_eq!(stage, Stage::Keyed);
    assert!(operations > 0);
}

/// A source that fails once the device has its key takes nothing away from it.
#[test]
fn a_source_that_fails_later_takes_no_key_away() {
    let flash = PowerCutFlash::<4, 1024>::new(4);
    let mut vault = FlashVault::<_, ToyKey>::new(flash, 0..4 * 1024).unwrap();
    let mut entropy =
        TestedEntropy::new(Source(|number| Some(if number < 1_100 { good(number) } else { 0 }), 0));
    vault.create_key(&mut entropy).unwrap();
    assert_eq!(entropy.fill(&mut [0; 64]), Err(NoEntropy));
    assert_eq!(vault.create_key(&mut entropy), Ok::<_, VaultFault>(()));
    assert!(ask_for_key(&mut vault, &mut entropy, |answer| matches!(answer, Answer::Key { .. })));
}
