//! Content that no power cut leaves: rotten bits, foreign bytes, forged records.

use provision_device::{FlashVault, Stage, Vault, VaultFault};
use provision_testkit::flash::{Cut, Moment, PowerCutFlash};
use sha2_device::{Digest, Sha256};

use crate::harness::{
    Device, FIRST, SECOND, State, Step, TestEntropy, TestKey, TestVault, observe, perform,
};

const PAGE: usize = 1024;
const COMMIT_WORD: &[u8; 32] = b"provision vault record committed";

type Flash = PowerCutFlash<8, PAGE>;

/// A record of format 1, written here by hand. Devices in the field hold such records: if a test
/// of this fails, the vault has changed its format, and must learn to read both.
fn record(stage: u32, sequence: u32, delivery: &[u8]) -> Vec<u8> {
    let mut covered = b"vault\0\0\x01".to_vec();
    covered.extend(stage.to_le_bytes());
    covered.extend(sequence.to_le_bytes());
    covered.extend((delivery.len() as u32).to_le_bytes());
    covered.resize(32, 0xff);
    covered.extend(secret());
    covered.extend(TestKey::public_of(&secret()).as_sec1());
    covered.resize(160, 0xff);
    covered.extend(delivery);
    covered.resize(covered.len().next_multiple_of(32), 0xff);

    let mut record = COMMIT_WORD.to_vec();
    record.extend(Sha256::digest(&covered));
    record.extend(covered);
    record
}

/// The first key a test makes.
fn secret() -> [u8; 32] {
    TestEntropy::draw(1)
}

fn vault_over(first: &[u8], second: &[u8]) -> TestVault<Flash> {
    let mut content = vec![0xff; 2 * PAGE];
    content[..first.len()].copy_from_slice(first);
    content[PAGE..PAGE + second.len()].copy_from_slice(second);
    FlashVault::new(Flash::with_content(&content), 0..2 * PAGE as u32).unwrap()
}

/// The state all of these records hold, but for the stage.
fn state(stage: Stage, delivery: Option<&[u8]>) -> State {
    let key = Some(TestKey::public_of(&secret()));
    State { stage, key, delivery: delivery.map(<[u8]>::to_vec) }
}

#[test]
fn records_of_format_1_are_read() {
    let keyed = record(1, 1, &[]);
    let certified = record(2, 2, &FIRST);
    let sealed = record(3, 9, &SECOND);
    let read = |first: &[u8], second: &[u8]| observe(&mut vault_over(first, second)).unwrap();

    assert_eq!(read(&keyed, &[]), state(Stage::Keyed, None));
    assert_eq!(read(&[], &keyed), state(Stage::Keyed, None));
    assert_eq!(read(&certified, &[]), state(Stage::Certified, Some(&FIRST)));
    assert_eq!(read(&[], &sealed), state(Stage::Sealed, Some(&SECOND)));
}

#[test]
fn records_of_format_1_are_written() {
    let mut vault = vault_over(&[], &[]);
    vault.create_key(&mut TestEntropy::new()).unwrap();
    vault.store_delivery(&FIRST).unwrap();
    let flash = vault.into_inner();
    let expected = record(2, 2, &FIRST);
    assert_eq!(flash.bytes()[PAGE..PAGE + expected.len()], expected);
    assert!(flash.bytes()[..PAGE].iter().all(|byte| *byte == 0xff));
}

/// Every bit of a record, one at a time.
#[test]
fn a_rotten_bit_is_named_or_harmless() {
    let good = record(3, 4, &FIRST);
    for bit in 0..8 * good.len() {
        let mut rotten = good.clone();
        rotten[bit / 8] ^= 1 << (bit % 8);
        let found = observe(&mut vault_over(&rotten, &[]));
        if bit < 8 * COMMIT_WORD.len() {
            assert_eq!(found, Ok(state(Stage::Sealed, Some(&FIRST))), "bit {bit}");
        } else {
            assert_eq!(found, Err(VaultFault::Corrupt), "bit {bit}");
        }
    }
}

#[test]
fn a_damaged_vault_refuses_everything_and_touches_nothing() {
    let mut rotten = record(3, 4, &FIRST);
    rotten[300] ^= 1;
    // Rot in the commit word as well does not make it look like a torn write.
    rotten[3] ^= 0xff;
    let mut vault = vault_over(&rotten, &[0x77; 100]);

    let corrupt = VaultFault::Corrupt;
    assert_eq!(vault.stage(), Err(corrupt));
    assert_eq!(vault.key().map(|_| ()), Err(corrupt));
    assert_eq!(vault.read_delivery(&mut [0; 400]), Err(corrupt));
    assert_eq!(vault.create_key(&mut TestEntropy::new()), Err(corrupt));
    assert_eq!(vault.store_delivery(&SECOND), Err(corrupt));
    assert_eq!(vault.seal(), Err(corrupt));

    let flash = vault.into_inner();
    assert_eq!(flash.operations(), 0);
    let mut vault: TestVault<_> = FlashVault::new(flash, 0..2 * PAGE as u32).unwrap();
    vault.wipe().unwrap();
    assert_eq!(observe(&mut vault), Ok(State::BLANK));
}

#[test]
fn damage_that_sets_in_later_is_named_too() {
    let mut vault = vault_over(&record(3, 4, &FIRST), &[]);
    assert_eq!(vault.stage(), Ok(Stage::Sealed));
    let mut flash = vault.into_inner();
    flash.flip(300, 0x10);
    let mut vault: TestVault<_> = FlashVault::new(&mut flash, 0..2 * PAGE as u32).unwrap();
    assert_eq!(vault.read_delivery(&mut [0; 400]), Err(VaultFault::Corrupt));
}

/// A record whose commit word has bad bits is written again, so that it cannot get worse.
#[test]
fn a_rotten_commit_word_is_repaired() {
    let mut rotten = record(3, 4, &FIRST);
    for byte in &mut rotten[..32] {
        *byte ^= 0x01;
    }
    let mut vault = vault_over(&rotten, &[]);
    assert_eq!(observe(&mut vault), Ok(state(Stage::Sealed, Some(&FIRST))));

    let flash = vault.into_inner();
    let repaired = record(3, 5, &FIRST);
    assert_eq!(flash.bytes()[PAGE..PAGE + repaired.len()], repaired);
    assert!(flash.bytes()[..PAGE].iter().all(|byte| *byte == 0xff));
}

#[test]
fn of_two_records_the_newer_wins_also_where_the_sequence_wraps() {
    for (older, newer) in [(1, 2), (41, 42), (u32::MAX - 1, u32::MAX), (u32::MAX, 0), (0, 1)] {
        let (old, new) = (record(2, older, &FIRST), record(3, newer, &SECOND));
        for mut vault in [vault_over(&old, &new), vault_over(&new, &old)] {
            assert_eq!(observe(&mut vault), Ok(state(Stage::Sealed, Some(&SECOND))));
            let flash = vault.into_inner();
            let secrets = flash.bytes().chunks(32).filter(|unit| **unit == secret()).count();
            assert_eq!(secrets, 1, "the older one is erased");
        }
    }
}

#[test]
fn two_records_that_do_not_follow_each_other_are_nobodys() {
    for (first, second) in [(7, 7), (7, 9), (9, 7), (0, 0x8000_0000)] {
        let mut vault = vault_over(&record(2, first, &FIRST), &record(3, second, &SECOND));
        assert_eq!(vault.stage(), Err(VaultFault::Corrupt), "{first} and {second}");
    }
}

/// The whole script, every cut, where the sequence number wraps.
#[test]
fn cuts_are_survived_where_the_sequence_wraps() {
    const SCRIPT: &[Step] =
        &[Step::Store(&FIRST), Step::Store(&SECOND), Step::Store(&FIRST), Step::Seal];
    let device = || {
        let mut content = vec![0xff; 4 * PAGE];
        let keyed = record(1, u32::MAX - 2, &[]);
        content[PAGE..PAGE + keyed.len()].copy_from_slice(&keyed);
        let flash = Flash::with_content(&content);
        Device::with(flash, state(Stage::Keyed, None), SCRIPT).whose_entropy_gave(1)
    };

    let mut undisturbed = device();
    assert_eq!(undisturbed.run(), Ok(true));
    for operation in 0..undisturbed.flash.operations() {
        let inside = (0..6).map(|seed| Moment::Inside { seed });
        for moment in [Moment::Before, Moment::After].into_iter().chain(inside) {
            let cut = Cut { operation, moment };
            device().survives(cut).unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        }
    }
}

#[test]
fn records_that_lie_about_themselves_are_damaged() {
    let vault = |record: &[u8]| observe(&mut vault_over(record, &[]));
    let forged = |change: fn(&mut Vec<u8>)| {
        let mut record = record(2, 1, &FIRST);
        change(&mut record);
        let digest = Sha256::digest(&record[64..]);
        record[32..64].copy_from_slice(&digest);
        vault(&record)
    };
    let corrupt = Err(VaultFault::Corrupt);

    assert_eq!(forged(|_| ()), Ok(state(Stage::Certified, Some(&FIRST))));
    assert_eq!(forged(|record| record[64] = b'V'), corrupt, "magic");
    assert_eq!(forged(|record| record[71] = 2), corrupt, "format 2");
    assert_eq!(forged(|record| record[72] = 0), corrupt, "a record of stage blank");
    assert_eq!(forged(|record| record[72] = 4), corrupt, "no such stage");
    assert_eq!(forged(|record| record[80] = 0xff), corrupt, "length past the delivery");
    assert_eq!(forged(|record| record[80..84].fill(0xff)), corrupt, "longest length");
    assert_eq!(forged(|record| record[83] = 0x7f), corrupt, "length past the flash");
    assert_eq!(forged(|record| record[128] = 0x02), corrupt, "compressed public key");
    assert_eq!(forged(|record| record[130] ^= 1), corrupt, "a key that refuses to be loaded");
}

#[test]
fn noise_comes_up_blank_or_damaged() {
    let mut entropy = TestEntropy::new();
    for round in 0..5_000_usize {
        let mut content = noise(&mut entropy);
        // Some of it with pieces of a real record, cut at any length.
        let piece = record(1 + round as u32 % 3, 1, &FIRST);
        let len = round * 13 % piece.len();
        let start = PAGE * (round % 2);
        match round % 4 {
            0 => {}
            1 => content[start..start + len].copy_from_slice(&piece[..len]),
            2 => content[start + len..start + piece.len()].copy_from_slice(&piece[len..]),
            _ => content[start + 64..start + piece.len()].copy_from_slice(&piece[64..]),
        }

        let flash = Flash::with_content(&content);
        let mut vault: TestVault<_> = FlashVault::new(flash, 0..2 * PAGE as u32).unwrap();
        match observe(&mut vault) {
            // All but its commit word, or part of that: complete, and so as good as a record.
            Ok(found) if round % 4 == 2 && len <= 32 => {
                assert_eq!(found.key, state(Stage::Keyed, None).key, "round {round}");
            }
            Ok(found) => {
                assert_eq!(found, State::BLANK, "round {round}");
                let flash = vault.into_inner();
                assert!(flash.bytes().iter().all(|byte| *byte == 0xff), "round {round}: remains");
                vault = FlashVault::new(flash, 0..2 * PAGE as u32).unwrap();
                perform(&mut vault, Step::CreateKey, &mut entropy).unwrap();
                assert_eq!(vault.stage(), Ok(Stage::Keyed), "round {round}");
            }
            // Only where a commit word says that something was there.
            Err(fault) => {
                assert_eq!(fault, VaultFault::Corrupt, "round {round}");
                assert!(round % 4 == 1 && len >= 20, "round {round}: {len} bytes");
            }
        }
    }
}

fn noise(entropy: &mut TestEntropy) -> Vec<u8> {
    use provision_csr::Entropy;

    let mut content = vec![0; 2 * PAGE];
    for unit in content.chunks_mut(32) {
        entropy.fill(unit).unwrap();
    }
    content
}
