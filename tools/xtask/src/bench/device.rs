//! The device's half on the emulated Cortex-M4, with P-256 in portable Rust and in assembler.
//!
//! QEMU runs with `-icount shift=0`: one instruction takes one nanosecond of the board's time, whose timer ticks each 40.
//! So the counts are exact to 40 and the same each run; **instructions are not cycles**. The device is not counted while
//! it waits for the other side. Flash is what an image has more than one that measures nothing; stack is painted before
//! and looked at after. Enrollment is driven by the real CLI, the handshake by `openssl s_server`.

mod handshake;
mod logged;

use core::time::Duration;
use std::path::Path;

use provision_testkit::cli::built_program;
use provision_testkit::qemu::{Image, Machine};
use provision_testkit::scene::Scene;
use serde::Serialize;

use self::logged::Logged;
use crate::boards::Board;
use crate::needs::{self, ARM_GCC, NGINX, OPENSSL, QEMU};
use crate::process::{Fault, While};
use crate::sizes::{enrolled, sections};
use crate::{firmware, toolchain};

/// What an operation takes.
#[derive(Debug, Clone, Copy, Serialize)]
struct Cost {
    /// Mean over sixteen keys or digests; of enrollment and handshake, one run.
    instructions: u64,
    instructions_min: u64,
    instructions_max: u64,
    /// Code and constants, over an image without the operation.
    flash_bytes: u64,
    /// Variables, over an image without the operation.
    static_bytes: u64,
    /// The most that was in use.
    stack_bytes: u64,
}

/// All operations with one implementation of P-256.
#[derive(Debug, Serialize)]
struct Costs {
    key: Cost,
    sign: Cost,
    verify: Cost,
    /// An ephemeral key and a shared secret, as in a handshake.
    agreement: Cost,
    key_and_csr: Cost,
    enrollment: Cost,
    handshake: Cost,
}

#[derive(Debug, Serialize)]
struct Report {
    portable: Costs,
    asm: Costs,
}

/// `cargo xtask bench device`
pub(crate) fn run(json: bool) -> Result<(), Fault> {
    needs::ensure(&[QEMU, NGINX, OPENSSL, ARM_GCC])?;
    let program = built_program().while_doing("building the CLI")?;
    let scene = Scene::open(program).while_doing("opening the scene")?;
    let report = Report {
        portable: measure(&[Board::DEFAULT, &Board::BENCH], "", &scene)?,
        asm: measure(&[&Board::ASSEMBLER], "-asm", &scene)?,
    };
    if json {
        let text = serde_json::to_string(&report).while_doing("JSON")?;
        println!("{text}");
    } else {
        print(&report);
    }
    let over = over_budget(&report);
    if over.is_empty() { Ok(()) } else { Err(Fault::new(over.join("\n"))) }
}

/// Builds and runs the images of one implementation; their names end in `suffix`.
fn measure(packages: &[&'static Board], suffix: &str, scene: &Scene) -> Result<Costs, Fault> {
    for package in packages {
        firmware::build_for(package, None)?;
    }
    let built = toolchain::target_dir().join(Board::DEFAULT.target).join("release");
    let image = |name: &str| built.join(format!("{name}{suffix}"));
    let nothing = sections(&image("bench-nothing"))?;
    let alone = |name: &str| {
        let image = image(name);
        let log = Image::new(&image).counting_instructions().run().while_doing(name)?;
        cost(&image, nothing, Logged::parse(&log)?)
    };
    let enrollment = {
        let logged = enrollment(scene, &image("bench-enrollment"), suffix)?;
        let bare = sections(&image("firmware-bare"))?;
        cost(&image("firmware-enroll-only"), bare, logged)?
    };
    let handshake = {
        let image = image("bench-handshake");
        cost(&image, nothing, handshake::run(&image)?)?
    };
    Ok(Costs {
        key: alone("bench-key")?,
        sign: alone("bench-sign")?,
        verify: alone("bench-verify")?,
        agreement: alone("bench-agreement")?,
        key_and_csr: alone("bench-csr")?,
        enrollment,
        handshake,
    })
}

/// A blank device enrolled by the real station.
fn enrollment(scene: &Scene, image: &Path, suffix: &str) -> Result<Logged, Fault> {
    let serial = format!("bench{suffix}");
    let device = enrolled(scene, image, &serial, Machine::counting_instructions)?;
    let line = device.log().wait_for_line("measured ", PATIENCE).while_doing("enrollment")?;
    Logged::parse(&line)
}

/// For QEMU, which has to count.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was logged, and what the image has over another.
fn cost(image: &Path, base: (u64, u64), logged: Logged) -> Result<Cost, Fault> {
    let (flash, static_ram) = sections(image)?;
    let Logged { instructions, instructions_min, instructions_max, stack_bytes } = logged;
    Ok(Cost {
        instructions,
        instructions_min,
        instructions_max,
        flash_bytes: flash.saturating_sub(base.0),
        static_bytes: static_ram.saturating_sub(base.1),
        stack_bytes,
    })
}

/// What is promised, and held by CI.
fn over_budget(report: &Report) -> Vec<String> {
    // One kB is 1,000 bytes.
    const KB: u64 = 1_000;
    let Report { portable, asm } = report;
    let budgets = [
        ("portable key + CSR, instructions", portable.key_and_csr.instructions, 5_750_000),
        ("portable handshake, instructions", portable.handshake.instructions, 29_000_000),
        ("asm key + CSR, instructions", asm.key_and_csr.instructions, 550_000),
        ("asm key + CSR, flash", asm.key_and_csr.flash_bytes, 14 * KB),
        ("asm key + CSR, stack", asm.key_and_csr.stack_bytes, 3 * KB),
        ("portable enrollment, instructions", portable.enrollment.instructions, 24_500_000),
        ("asm enrollment, instructions", asm.enrollment.instructions, 4_750_000),
        ("asm enrollment, flash", asm.enrollment.flash_bytes, 32 * KB),
        ("asm handshake, instructions", asm.handshake.instructions, 4_800_000),
        ("asm handshake, stack", asm.handshake.stack_bytes, 12 * KB),
    ];
    budgets
        .into_iter()
        .filter(|(_, found, budget)| found > budget)
        .map(|(what, found, budget)| format!("over budget: {what} {found}, at most {budget}"))
        .collect()
}

fn print(report: &Report) {
    println!(
        "{:<26} {:>14} {:>9} {:>10} {:>9}",
        "mps2-an386, Cortex-M4", "instructions", "flash", "static", "stack"
    );
    for (name, costs) in [("portable", &report.portable), ("asm", &report.asm)] {
        let Costs { key, sign, verify, agreement, key_and_csr, enrollment, handshake } = costs;
        for (what, cost) in [
            ("key", key),
            ("sign", sign),
            ("verify", verify),
            ("agreement", agreement),
            ("key + CSR", key_and_csr),
            ("enrollment", enrollment),
            ("mutual handshake", handshake),
        ] {
            println!(
                "{:<26} {:>14} {:>9} {:>10} {:>9}",
                format!("{name} {what}"),
                cost.instructions,
                cost.flash_bytes,
                cost.static_bytes,
                cost.stack_bytes,
            );
        }
    }
    println!(
        "instructions are not cycles; bytes of flash and static RAM are over an image without the operation"
    );
}
