//! The device's half on the emulated Cortex-M4, with P-256 in portable Rust and in assembler.
//!
//! QEMU runs with `-icount shift=0`: one instruction takes one nanosecond of the board's time, whose timer ticks each 40.
//! So the counts are exact to 40 and the same each run; **instructions are not cycles**. The device is not counted while
//! it waits for the other side. Flash is what an image has more than one that measures nothing; stack is painted before
//! and looked at after. Enrollment is driven by the real CLI, the handshake by `openssl s_server`.

pub(super) mod handshake;
pub(super) mod logged;

use core::time::Duration;
use std::path::{Path, PathBuf};

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
pub(super) struct Cost {
    /// Mean over sixteen keys or digests, or eight handshakes; of enrollment, one run.
    pub(super) instructions: u64,
    instructions_min: u64,
    instructions_max: u64,
    /// Code and constants, over an image without the operation.
    pub(super) flash_bytes: u64,
    /// Variables, over an image without the operation.
    pub(super) static_bytes: u64,
    /// The most that was in use.
    pub(super) stack_bytes: u64,
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
        portable: Images::portable()?.measure(&scene)?,
        asm: Images::assembler()?.measure(&scene)?,
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

/// The images of one implementation of P-256.
pub(super) struct Images {
    folder: PathBuf,
    /// Of their names.
    suffix: &'static str,
    /// Flash and static RAM of the one that measures nothing.
    nothing: (u64, u64),
}

impl Images {
    /// Builds those with P-256 in Rust.
    pub(super) fn portable() -> Result<Self, Fault> {
        Self::build(&[Board::DEFAULT, &Board::BENCH], "")
    }

    /// Builds those with P-256 in assembler.
    pub(super) fn assembler() -> Result<Self, Fault> {
        Self::build(&[&Board::ASSEMBLER], "-asm")
    }

    fn build(packages: &[&'static Board], suffix: &'static str) -> Result<Self, Fault> {
        for package in packages {
            firmware::build_for(package, None)?;
        }
        let folder = toolchain::target_dir().join(Board::DEFAULT.target).join("release");
        let nothing = sections(&folder.join(format!("bench-nothing{suffix}")))?;
        Ok(Self { folder, suffix, nothing })
    }

    fn image(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{}", self.suffix))
    }

    /// Of an image that needs nobody.
    pub(super) fn alone(&self, name: &str) -> Result<Cost, Fault> {
        let image = self.image(name);
        let log = Image::new(&image).counting_instructions().run().while_doing(name)?;
        cost(&image, self.nothing, Logged::parse(&log)?)
    }

    /// Of handshakes, each with a server of its own.
    pub(super) fn handshake(&self) -> Result<Cost, Fault> {
        let image = self.image("bench-handshake");
        let logged = handshake::repeat(|| handshake::run(&image))?;
        cost(&image, self.nothing, logged)
    }

    fn enrollment(&self, scene: &Scene) -> Result<Cost, Fault> {
        let logged = enrollment(scene, &self.image("bench-enrollment"), self.suffix)?;
        let bare = sections(&self.image("firmware-bare"))?;
        cost(&self.image("firmware-enroll-only"), bare, logged)
    }

    fn measure(&self, scene: &Scene) -> Result<Costs, Fault> {
        Ok(Costs {
            key: self.alone("bench-key")?,
            sign: self.alone("bench-sign")?,
            verify: self.alone("bench-verify")?,
            agreement: self.alone("bench-agreement")?,
            key_and_csr: self.alone("bench-csr")?,
            enrollment: self.enrollment(scene)?,
            handshake: self.handshake()?,
        })
    }
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
pub(super) fn cost(image: &Path, base: (u64, u64), logged: Logged) -> Result<Cost, Fault> {
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
    // As in `cargo xtask sizes`.
    const KB: u64 = 1_024;
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
