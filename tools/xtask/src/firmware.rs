//! The example firmware.

use std::path::PathBuf;

use crate::boards::Board;
use crate::process::{Fault, run as run_program};
use crate::toolchain::{Toolchain, Way, target_dir};

/// The images of [`Board::DEFAULT`] that were built.
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
pub(crate) fn run(board: &'static Board, way: Option<Way>) -> Result<(), Fault> {
    for image in build_for(board, way)? {
        println!("{}", image.display());
    }
    Ok(())
}

/// Builds the default board's images, or finds them up to date.
pub(crate) fn build(way: Option<Way>) -> Result<Images, Fault> {
    let images = build_for(Board::DEFAULT, way)?;
    let [whole, enroll_only, bare] = images
        .try_into()
        .map_err(|images| Fault::new(format!("expected three images, found {images:?}")))?;
    Ok(Images { whole, enroll_only, bare })
}

/// Builds a board's images, or finds them up to date; in the order of [`Board::images`].
pub(crate) fn build_for(board: &'static Board, way: Option<Way>) -> Result<Vec<PathBuf>, Fault> {
    let toolchain = Toolchain::find(board, way)?;
    eprintln!("building the firmware for {} by {}", board.name, toolchain.describe());
    run_program(toolchain.cargo("build")?.arg("--quiet"))?;
    let built = target_dir().join(board.target).join("release");
    Ok(board.images.iter().map(|image| built.join(image)).collect())
}
