//! Flash that holds anything when the firmware first looks at it: over the line it is blank, or
//! refused by name, or what it was; and there is always a way on.

use provision_device::Stage;
use provision_testkit::flash::PowerCutFlash;
use provision_testkit::random::Random;
use provision_wire::Refusal;

use crate::dialogue::Device;
use crate::factory::Cloud;

const PAGE: usize = 1024;
type Flash = PowerCutFlash<8, PAGE>;
type TestDevice = Device<8, PAGE>;

const COMMIT_WORD: core::ops::Range<usize> = 0..32;

/// What a device must make of its flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    Up(Stage),
    Corrupt,
}

/// Holds a device to it, and then enrolls it.
fn check(content: &[u8], comes: Comes) -> Result<(), String> {
    let mut device = TestDevice::found_with(Flash::with_content(content));
    match (comes, device.greet()?) {
        (Comes::Up(Stage::Blank), Ok(Stage::Blank)) => {
            let flash = device.flash.look();
            let erased = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0xff);
            if !erased(&flash.bytes()[TestDevice::range()]) {
                return Err("blank, and something can be read".to_owned());
            }
        }
        (Comes::Up(stage), Ok(found)) if found == stage => return Ok(()),
        (Comes::Corrupt, Err(Refusal::VaultCorrupt)) => {
            if device.flash.look().operations() > 0 {
                return Err("corrupt, and touched".to_owned());
            }
            // The way out is at the bench.
            device.wipe()?;
        }
        (expected, found) => return Err(format!("{found:?}, not {expected:?}")),
    }
    match device.enroll(Cloud::Old, true)? {
        true => Ok(()),
        false => Err("it has no power".to_owned()),
    }
}

fn noise(random: &mut Random) -> Vec<u8> {
    let mut content = vec![0; TestDevice::flash_len()];
    content.fill_with(|| random.bits() as u8);
    // The pages around are not the vault's, and looked at for that.
    let range = TestDevice::range();
    content[..range.start].fill(0xff);
    content[range.end..].fill(0xff);
    content
}

#[test]
fn noise_is_blank() {
    for seed in 0..500 {
        let content = noise(&mut Random::new(seed));
        check(&content, Comes::Up(Stage::Blank)).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

#[test]
fn one_value_everywhere_is_blank() {
    for value in 0..=u8::MAX {
        let mut content = vec![0xff; TestDevice::flash_len()];
        content[TestDevice::range()].fill(value);
        check(&content, Comes::Up(Stage::Blank)).unwrap_or_else(|e| panic!("{value:#04x}: {e}"));
    }
}

/// A real record, damaged in any way; the other slot blank, or noise.
#[test]
fn a_damaged_record_is_what_it_was_or_is_named() {
    let records: Vec<(Stage, Vec<u8>)> =
        [(Stage::Certified, false), (Stage::Sealed, true)].map(record_of_a_device).into();

    let mut seen = [0; 3];
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let (stage, record) = &records[random.below(2) as usize];
        let mut damaged = record.clone();
        damage(&mut damaged, &mut random);

        let mut content = if random.once_in(2) {
            noise(&mut random)
        } else {
            vec![0xff; TestDevice::flash_len()]
        };
        let slots = TestDevice::slots();
        let slot = slots[random.below(2) as usize].clone();
        content[slot.start..slot.start + damaged.len()].copy_from_slice(&damaged);

        let wrong_bits: u32 = COMMIT_WORD.map(|at| (damaged[at] ^ record[at]).count_ones()).sum();
        let whole = damaged[COMMIT_WORD.end..] == record[COMMIT_WORD.end..];
        let comes = match (whole, wrong_bits) {
            (true, _) => Comes::Up(*stage),
            (false, ..=32) => Comes::Corrupt,
            (false, _) => Comes::Up(Stage::Blank),
        };
        check(&content, comes).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        seen[match comes {
            Comes::Up(Stage::Blank) => 0,
            Comes::Up(_) => 1,
            Comes::Corrupt => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 100), "blank, whole, corrupt: {seen:?}");
}

/// From the commit word to the end of the delivery, as a device wrote it.
fn record_of_a_device((stage, seal): (Stage, bool)) -> (Stage, Vec<u8>) {
    let mut device = TestDevice::blank();
    assert_eq!(device.enroll(Cloud::Old, seal), Ok(true));
    let delivery_len = device.acknowledged().delivery.as_ref().map_or(0, Vec::len);
    let len = 224 + delivery_len.next_multiple_of(32);
    let flash = device.flash.look();
    let live = TestDevice::slots().into_iter().find(|slot| flash.bytes()[slot.start] != 0xff);
    let start = live.unwrap().start;
    (stage, flash.bytes()[start..start + len].to_vec())
}

fn damage(record: &mut [u8], random: &mut Random) {
    let len = record.len() as u64;
    match random.below(6) {
        0 => {}
        // Some bits, anywhere.
        1 => {
            for _ in 0..1 + random.below(8) {
                record[random.below(len) as usize] ^= 1 << random.below(8);
            }
        }
        // The commit word alone, a little or a lot.
        2 => {
            for _ in 0..random.below(80) {
                record[random.below(32) as usize] ^= 1 << random.below(8);
            }
        }
        // Written only so far.
        3 => record[random.below(len) as usize..].fill(0xff),
        // Erased only so far.
        4 => record[..random.below(len) as usize].fill(0xff),
        // Overwritten from somewhere to somewhere.
        _ => {
            let (one, other) = (random.below(len) as usize, random.below(len) as usize);
            for byte in &mut record[one.min(other)..one.max(other)] {
                *byte = random.bits() as u8;
            }
        }
    }
}

/// The test can fail: a record that is not what it must be is told from one that is.
#[test]
fn a_wrong_expectation_is_noticed() {
    let content = noise(&mut Random::new(1));
    assert!(check(&content, Comes::Corrupt).is_err());
    assert!(check(&content, Comes::Up(Stage::Sealed)).is_err());
}
