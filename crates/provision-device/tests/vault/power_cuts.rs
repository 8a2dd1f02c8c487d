//! D2: power may be cut at any flash operation, any number of times.

use provision_testkit::flash::{Cut, Moment};

use crate::harness::{Device, SCRIPT};

/// Program sizes of 1 to 32 bytes on pages of 256 bytes to 8 kB: every cut of every step.
#[test]
fn every_cut_leaves_the_state_before_or_after() {
    fn check<const WRITE: usize, const ERASE: usize>() {
        let operations = operations::<WRITE, ERASE>();
        assert!(operations > 4 * SCRIPT.len(), "each step writes several times");
        for cut in cuts(0..operations, 4) {
            Device::<WRITE, ERASE>::new()
                .survives(cut)
                .unwrap_or_else(|error| panic!("{WRITE}/{ERASE} {cut:?}: {error}"));
        }
    }

    fn all_pages<const WRITE: usize>() {
        check::<WRITE, 256>();
        check::<WRITE, 512>();
        check::<WRITE, 1024>();
        check::<WRITE, 2048>();
        check::<WRITE, 4096>();
        check::<WRITE, 8192>();
    }

    all_pages::<1>();
    all_pages::<4>();
    all_pages::<8>();
    all_pages::<16>();
    all_pages::<32>();
}

/// The second cut hits the recovery from the first, or anything after it.
#[test]
fn every_pair_of_cuts_leaves_the_state_before_or_after() {
    fn check<const WRITE: usize, const ERASE: usize>() {
        for first in cuts(0..operations::<WRITE, ERASE>(), 1) {
            for second in 0.. {
                let mut reached = false;
                for cut in cuts(second..second + 1, 1) {
                    let mut device = Device::<WRITE, ERASE>::new();
                    let survived = survives_both(&mut device, first, cut);
                    reached |= survived.unwrap_or_else(|error| {
                        panic!("{WRITE}/{ERASE} {first:?} {cut:?}: {error}")
                    });
                }
                if !reached {
                    break;
                }
            }
        }
    }

    /// Whether the second cut was reached.
    fn survives_both<const WRITE: usize, const ERASE: usize>(
        device: &mut Device<WRITE, ERASE>,
        first: Cut,
        second: Cut,
    ) -> Result<bool, String> {
        device.flash.cut_at(first);
        device.run()?;
        device.flash.forget_journal();
        device.flash.cut_at(second);
        device.power_on()?;
        if device.flash.is_powered() {
            device.run()?;
        }
        let reached = !device.flash.is_powered();
        if reached {
            device.power_on()?;
        }
        device.finish()?;
        Ok(reached)
    }

    check::<4, 256>();
    check::<16, 1024>();
}

/// Power that fails again and again, each time a little later.
#[test]
fn any_number_of_cuts_ends_sealed() {
    /// Runs until the next cut. Whether the end was reached before it.
    fn attempt(device: &mut Device<8, 1024>, number: usize, seed: usize) -> Result<bool, String> {
        device.flash.forget_journal();
        device.flash.cut_at(Cut {
            // At first too few operations for any step, later enough.
            operation: (31 * seed + 7_919 * number) % (1 + number / 2),
            moment: Moment::Inside { seed: (seed * 1_000 + number) as u64 },
        });
        device.power_on()?;
        Ok(device.flash.is_powered() && device.run()?)
    }

    for seed in 0..500 {
        let mut device = Device::new();
        let mut number = 0;
        let end = loop {
            number += 1;
            match attempt(&mut device, number, seed) {
                Ok(false) => {}
                Ok(true) => break device.finish(),
                Err(error) => break Err(error),
            }
        };
        end.unwrap_or_else(|error| panic!("seed {seed}, cut {number}: {error}"));
        assert!(number > 4, "seed {seed} was hardly disturbed");
    }
}

/// Before the first, after each, and so many ways to be inside each operation. (Before any other
/// is after the one before it.)
fn cuts(operations: core::ops::Range<usize>, seeds: u64) -> impl Iterator<Item = Cut> {
    operations.flat_map(move |operation| {
        let inside = (0..seeds).map(move |seed| {
            // Seeds that differ between operations, so that pairs of cuts differ too.
            Moment::Inside { seed: seed * 1_000_003 + operation as u64 * 7_919 }
        });
        let before = (operation == 0).then_some(Moment::Before);
        before
            .into_iter()
            .chain([Moment::After])
            .chain(inside)
            .map(move |moment| Cut { operation, moment })
    })
}

/// Writes and erases of an undisturbed run.
fn operations<const WRITE: usize, const ERASE: usize>() -> usize {
    let mut device = Device::<WRITE, ERASE>::new();
    assert_eq!(device.run(), Ok(true));
    device.flash.operations()
}
