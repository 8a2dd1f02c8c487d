//! What the example firmware takes of the part, and what it may take.
//!
//! Flash is held against the budget in two ways. Of the whole firmware it is all of the image. Of the enrollment-only
//! image it is what enrollment adds: its flash less that of the bare image, which has the same start-up, panic handler,
//! serial ports, formatted log, entropy, clock and flash driver in use, and nothing of this project. That is what
//! enrollment costs a firmware that exists already. RAM is always all of it, static and stack.
//!
//! Flash and static RAM are read off the images. Stack is measured: the images run in QEMU through a real enrollment,
//! and the whole firmware through a real handshake, and log how much of the painted stack was used.

use core::convert::identity;
use core::time::Duration;
use std::fs;
use std::path::Path;

use object::{Object, ObjectSection, SectionKind};
use provision_testkit::cli::built_program;
use provision_testkit::qemu::{Emulator, Machine};
use provision_testkit::scene::Scene;
use serde::Serialize;

use crate::boards::Board;
use crate::firmware;
use crate::needs::{self, NGINX, QEMU};
use crate::process::{Fault, While};

/// What an image may take, in bytes. One kB is 1,024 bytes.
#[derive(Debug, Clone, Copy, Serialize)]
struct Budget {
    /// For [`Size::flash_added`].
    flash: u64,
    /// Static and stack together.
    ram: u64,
}

/// Flash: what enrollment adds to the bare image.
const ENROLL_ONLY: Budget = Budget { flash: 48 * 1024, ram: 12 * 1024 };
/// Flash: the whole image.
const WHOLE: Budget = Budget { flash: 176 * 1024, ram: 44 * 1024 };
/// Enrollment on a part with 16 kB of RAM, of which it leaves four to others. Flash: the whole image.
const MICROBIT: Budget = Budget { flash: 60 * 1024, ram: 12 * 1024 };

/// Patience for what the device computes, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// What an image takes, in bytes.
#[derive(Debug, Serialize)]
struct Size {
    image: &'static str,
    /// Code, constants, and the first values of variables: the whole image.
    flash: u64,
    /// Of that, what the bare image has too; 0 where nothing is subtracted.
    flash_bare: u64,
    /// What is held against the budget: `flash` less `flash_bare`.
    flash_added: u64,
    /// Variables.
    static_ram: u64,
    /// The most stack that was used.
    stack: u64,
    budget: Budget,
    within_budget: bool,
}

/// `cargo xtask sizes`
pub(crate) fn run(json: bool) -> Result<(), Fault> {
    needs::ensure(&[QEMU, NGINX])?;
    let images = firmware::build(None)?;
    let microbit = Board::named("microbit").map_err(Fault::new)?;
    let on_microbit = firmware::build_for(microbit, None)?;
    let [on_microbit] = &on_microbit[..] else {
        return Err(Fault::new(format!("expected one image, found {on_microbit:?}")));
    };
    let program = built_program().while_doing("building the CLI")?;
    let scene = Scene::open(program).while_doing("opening the scene")?;
    let (bare, _) = sections(&images.bare)?;
    let sizes = [
        Size::new("enrollment only", &images.enroll_only, bare, ENROLL_ONLY, |image| {
            stack_of_enrollment(&scene, image)
        })?,
        Size::new("whole firmware", &images.whole, 0, WHOLE, |image| {
            stack_of_connection(&scene, image)
        })?,
        Size::new("microbit", on_microbit, 0, MICROBIT, |image| {
            let flash = scene.station().path().join("microbit.flash");
            let device = Machine::microbit().device_serial("microbit").flash_file(flash);
            logged_by_enrollment(&enroll(&scene, &device.firmware(image))?)
        })?,
    ];
    if json {
        let text = serde_json::to_string(&sizes).while_doing("JSON")?;
        println!("{text}");
    } else {
        print(&sizes);
    }
    let over: Vec<&str> =
        sizes.iter().filter(|size| !size.within_budget).map(|size| size.image).collect();
    if over.is_empty() {
        Ok(())
    } else {
        Err(Fault::new(format!("over budget: {}", over.join(", "))))
    }
}

impl Size {
    fn new(
        name: &'static str,
        image: &Path,
        flash_bare: u64,
        budget: Budget,
        measure_stack: impl FnOnce(&Path) -> Result<u64, Fault>,
    ) -> Result<Self, Fault> {
        let (flash, static_ram) = sections(image)?;
        let stack = measure_stack(image).while_doing(name)?;
        let flash_added = flash.saturating_sub(flash_bare);
        let within_budget = flash_added <= budget.flash && static_ram + stack <= budget.ram;
        Ok(Self {
            image: name,
            flash,
            flash_bare,
            flash_added,
            static_ram,
            stack,
            budget,
            within_budget,
        })
    }
}

/// Bytes in flash and in RAM, by the image's sections.
pub(crate) fn sections(image: &Path) -> Result<(u64, u64), Fault> {
    let bytes = fs::read(image).while_doing(image.display())?;
    let file = object::File::parse(&*bytes).while_doing(image.display())?;
    let (mut flash, mut ram) = (0, 0);
    for section in file.sections() {
        match section.kind() {
            SectionKind::Text | SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => {
                flash += section.size();
            }
            // Their first values are in flash, from where the start-up code copies them.
            SectionKind::Data => {
                flash += section.size();
                ram += section.size();
            }
            SectionKind::UninitializedData => ram += section.size(),
            _ => {}
        }
    }
    Ok((flash, ram))
}

fn stack_of_enrollment(scene: &Scene, image: &Path) -> Result<u64, Fault> {
    logged_by_enrollment(&enrolled(scene, image, "enroll-only", identity)?)
}

fn logged_by_enrollment(device: &Emulator) -> Result<u64, Fault> {
    let line = device.log().wait_for_line("stack high-water=", PATIENCE).while_doing("stack")?;
    logged_stack(&line)
}

fn stack_of_connection(scene: &Scene, image: &Path) -> Result<u64, Fault> {
    let device = enrolled(scene, image, "whole", identity)?;
    // Without a reset in between, so that the figure is that of both.
    let log = device.log();
    log.wait_for_line("http status=200", PATIENCE).while_doing("connection")?;
    logged_stack(&log.wait_for_line("stack high-water=", PATIENCE).while_doing("stack")?)
}

/// A blank device that was just enrolled, and is still running, on a machine that `prepare` has made ready.
pub(crate) fn enrolled(
    scene: &Scene,
    image: &Path,
    serial: &str,
    prepare: impl FnOnce(Machine) -> Machine,
) -> Result<Emulator, Fault> {
    let flash = scene.station().path().join(format!("{serial}.flash"));
    enroll(scene, &prepare(scene.device(image, serial, &flash)))
}

/// Starts a blank device, and enrolls it.
fn enroll(scene: &Scene, machine: &Machine) -> Result<Emulator, Fault> {
    let device = machine.start().while_doing("QEMU")?;
    let ran = scene.enroll(device.line_port(), &[]).while_doing("provision")?;
    if ran.code == 0 { Ok(device) } else { Err(Fault::new(ran.stderr)) }
}

/// `stack high-water=5280 bytes after enrollment`
fn logged_stack(line: &str) -> Result<u64, Fault> {
    line.split_once("high-water=")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .ok_or_else(|| Fault::new(format!("no number in the log line {line:?}")))
}

fn print(sizes: &[Size]) {
    println!(
        "{:<16} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>12} {:>9}",
        "bytes", "flash", "less bare", "adds", "of", "static RAM", "stack", "static+stack", "of"
    );
    for size in sizes {
        println!(
            "{:<16} {:>9} {:>9} {:>9} {:>9} {:>11} {:>9} {:>12} {:>9}{}",
            size.image,
            size.flash,
            size.flash_bare,
            size.flash_added,
            size.budget.flash,
            size.static_ram,
            size.stack,
            size.static_ram + size.stack,
            size.budget.ram,
            if size.within_budget { "" } else { "  over budget" }
        );
    }
    println!(
        "less bare: a program with the same board, log, entropy, clock and flash in use, and no enrollment"
    );
}

#[cfg(test)]
mod tests {
    use super::logged_stack;

    #[test]
    fn stack_is_read_off_the_log() {
        assert_eq!(logged_stack("stack high-water=5280 bytes after enrollment").ok(), Some(5280));
        assert!(logged_stack("stack high-water= bytes").is_err());
        assert!(logged_stack("http status=200").is_err());
    }
}
