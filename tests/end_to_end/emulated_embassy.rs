//! The firmware under embassy, end to end: real CLI, real serial port, real nginx; and a heartbeat
//! that must not notice.
//!
//! The board's time is counted in instructions, 31 million of them a second, so that a beat that is
//! late was late by the program and not by this machine.

use provision_testkit::cli::{built_firmware_for, built_program};
use provision_testkit::qemu::Emulator;
use provision_testkit::scene::Scene;

use crate::emulated::PATIENCE;

const DEVICE: &str = "sensor-0001";
/// An instruction takes 2^5 nanoseconds.
const INSTRUCTION_NS_LOG2: u8 = 5;

/// How the device's heartbeat did, by its own count, from `began` to `ended`.
#[derive(Debug)]
struct Beats {
    elapsed_us: u64,
    count: u64,
    period_us: u64,
    largest_gap_us: u64,
}

impl Beats {
    /// `heartbeat: enrollment ended, elapsed_us=2614341 beats=130 period_us=20000 largest_gap_us=20004`
    fn of(running: &Emulator, what: &str) -> Self {
        let wait = |event: &str| {
            let line = format!("heartbeat: {what} {event}");
            running.log().wait_for_line(&line, PATIENCE).unwrap()
        };
        wait("began");
        let line = wait("ended");
        let value = |name: &str| {
            let (_, rest) = line.split_once(name).expect(name);
            rest.split(' ').next().unwrap().parse().expect(name)
        };
        Self {
            elapsed_us: value(" elapsed_us="),
            count: value(" beats="),
            period_us: value(" period_us="),
            largest_gap_us: value(" largest_gap_us="),
        }
    }

    /// As many beats as the time demands, none of them missing for two periods.
    fn went_on(&self) -> bool {
        let due = self.elapsed_us / self.period_us;
        self.count.abs_diff(due) <= 1 && self.largest_gap_us < 2 * self.period_us
    }
}

/// Enrolls a device and has it connect; gives how its heart beat meanwhile.
fn enroll_and_connect(arguments: &[&str]) -> [Beats; 2] {
    let scene = Scene::open(built_program().unwrap()).unwrap();
    let firmware = built_firmware_for("mps2-an386-embassy").unwrap();
    let flash = scene.station().path().join("embassy.flash");
    let machine = scene.device(&firmware, DEVICE, &flash).at_instruction_ns(INSTRUCTION_NS_LOG2);
    let mut running = machine.args(arguments.iter().copied()).start().unwrap();

    let ran = scene.enroll(running.line_port(), &[]).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}\n{}", running.log().lines().join("\n"));
    let enrollment = Beats::of(&running, "enrollment");
    let handshake = Beats::of(&running, "handshake");
    let status = running.log().wait_for_line("http status=", PATIENCE).unwrap();
    assert!(status.contains("http status=200"), "{status}: {}", scene.cloud().errors());
    let seen = scene.cloud().access_log(1).pop().unwrap();
    assert_eq!((seen.status, seen.verify.as_str()), (200, "SUCCESS"));
    assert!(seen.subject.contains(&format!("CN={DEVICE}")), "{}", seen.subject);

    // It is still there to be asked.
    let again = scene.enroll(running.line_port(), &[]).unwrap();
    assert_eq!(again.code, 0, "{again:?}");
    running.shutdown().unwrap();
    [enrollment, handshake]
}

/// A busy host may keep QEMU itself waiting, and the guest's clock goes on meanwhile. What the
/// firmware does, it does each time, as the twin shows.
const ATTEMPTS: usize = 3;

#[test]
fn the_heartbeat_goes_on_during_enrollment_and_handshake() {
    let went_on = (0..ATTEMPTS).any(|_| {
        let both = enroll_and_connect(&[]);
        println!("{both:?}");
        // Or there was nothing to go on during.
        assert!(both.iter().all(|beats| beats.elapsed_us > 10 * beats.period_us), "{both:?}");
        both.iter().all(Beats::went_on)
    });
    assert!(went_on, "it stood still each time");
}

/// The twin, and why there are two executors: on the one that computes, the heart stands still.
#[test]
fn a_heartbeat_that_waits_its_turn_stands_still_meanwhile() {
    for beats in enroll_and_connect(&["heartbeat=cooperative"]) {
        println!("{beats:?}");
        assert!(!beats.went_on(), "{beats:?}");
        assert!(beats.largest_gap_us > 4 * beats.period_us, "{beats:?}");
    }
}
