//! The example firmware.

use std::path::PathBuf;

use crate::process::{Fault, run as run_program};
use crate::toolchain::{TARGET, Toolchain, Way, target_dir};

/// The images that were built.
#[derive(Debug)]
pub(crate) struct Images {
    /// Enrollment and the cloud.
    pub(crate) whole: PathBuf,
    /// Enrollment alone.
    pub(crate) enroll_only: PathBuf,
    /// Neither: what a firmware on this board has before it can be provisioned.
    pub(crate) bare: PathBuf,
}

/// `cargo xtask firmware`
pub(crate) fn run(way: Option<Way>) -> Result<(), Fault> {
    let images = build(way)?;
    println!("{}", images.whole.display());
    println!("{}", images.enroll_only.display());
    println!("{}", images.bare.display());
    Ok(())
}

/// Builds the images, or finds them up to date.
pub(crate) fn build(way: Option<Way>) -> Result<Images, Fault> {
    let toolchain = Toolchain::find(way)?;
    eprintln!("building the firmware for {TARGET} by {}", toolchain.describe());
    run_program(toolchain.cargo("build")?.args(["--quiet", "--package", BOARD]))?;
    let built = target_dir().join(TARGET).join("release");
    Ok(Images {
        whole: built.join("firmware"),
        enroll_only: built.join("firmware-enroll-only"),
        bare: built.join("firmware-bare"),
    })
}

const BOARD: &str = "board-qemu-mps2-an386";
