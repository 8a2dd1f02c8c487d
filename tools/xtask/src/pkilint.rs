//! pkilint, which looks at certificates as a CA's auditor would. It is Python, so it lives in a place of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::needs::{self, PYTHON};
use crate::process::{Fault, root, run};

/// The version that is installed.
const VERSION: &str = "0.13.3";

/// Where its programs are; installs them if they are not there.
pub(crate) fn ensure() -> Result<PathBuf, Fault> {
    let place = root().join("target/pkilint");
    let programs = place.join("bin");
    if programs.join("lint_pkix_cert").is_file() {
        return Ok(programs);
    }
    needs::ensure(&[PYTHON])?;
    eprintln!("installing pkilint {VERSION} (pip)");
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place))?;
    let pip = ["install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(programs.join("pip")).args(pip).arg(format!("pkilint=={VERSION}"))).map_err(
        |fault| {
            let by_hand = format!(
                "python3 -m venv target/pkilint && target/pkilint/bin/pip install pkilint=={VERSION}"
            );
            fault.hint(by_hand)
        },
    )?;
    Ok(programs)
}
