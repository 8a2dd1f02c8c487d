//! The libraries' sources: out of crates that carry them, and out of Debian's source packages. Nothing of them is in
//! this repository.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::library::Source;
use crate::process::{Fault, While as _, output};

/// The crates, each in the version that the figures were measured with.
const CRATES: [(&str, &str); 4] = [
    ("mbedtls-rs-sys", "0.3.1"),
    ("micro-ecc-sys", "0.3.2"),
    ("p256-cortex-m4-sys", "0.1.0"),
    ("wolfssl-sys", "5.3.0"),
];

/// Where sources are.
pub(super) struct Sources {
    crates: BTreeMap<String, PathBuf>,
    debian: PathBuf,
}

impl Sources {
    /// Gets the crates, by cargo; `folder` is for what is fetched besides.
    pub(super) fn fetch(folder: &Path) -> Result<Self, Fault> {
        Ok(Self { crates: crates(&folder.join("crates"))?, debian: folder.join("debian") })
    }

    /// The folder with a library's sources.
    pub(super) fn of(&self, source: Source) -> Result<PathBuf, Fault> {
        match source {
            Source::Crate { name, folder } => {
                let found = self.crates.get(name).map(|package| package.join(folder));
                found
                    .filter(|folder| folder.is_dir())
                    .ok_or_else(|| Fault::new(format!("the crate {name} has no folder {folder}")))
            }
            Source::Debian { package, folder } => debian(&self.debian, package, folder),
        }
    }
}

/// What `cargo metadata` says of a package.
#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Has cargo fetch the crates as dependencies of a package that is never built.
fn crates(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Fault> {
    fs::create_dir_all(folder.join("src")).while_doing(folder.display())?;
    let mut manifest = String::from(MANIFEST);
    for (name, version) in CRATES {
        let _ = writeln!(manifest, "{name} = \"={version}\"");
    }
    let path = folder.join("Cargo.toml");
    fs::write(&path, manifest).while_doing(path.display())?;
    fs::write(folder.join("src/lib.rs"), "").while_doing(folder.display())?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--quiet", "--format-version", "1", "--manifest-path"]).arg(&path);
    let metadata = output(&mut metadata).map_err(|fault| {
        fault.hint("the sources of other libraries come from crates.io; is it within reach?")
    })?;
    let metadata: Metadata = serde_json::from_str(&metadata).while_doing("cargo metadata")?;
    let folder_of = |package: Package| {
        package.manifest_path.parent().map(|folder| (package.name, folder.to_owned()))
    };
    Ok(metadata.packages.into_iter().filter_map(folder_of).collect())
}

/// A workspace of its own: it is below ours.
const MANIFEST: &str = "[package]
name = \"peers\"
edition = \"2024\"

[workspace]

[dependencies]
";

/// A Debian source package's upstream archive, unpacked.
fn debian(into: &Path, package: &str, folder: &str) -> Result<PathBuf, Fault> {
    let unpacked = into.join(folder);
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    fs::create_dir_all(into).while_doing(into.display())?;
    download(into, package)?;
    let archive = fs::read_dir(into)
        .while_doing(into.display())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(package) && name.contains(".orig.tar.") && !name.ends_with(".asc")
        });
    let archive =
        archive.ok_or_else(|| Fault::new(format!("no upstream archive of {package} came")))?;
    output(Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(into))?;
    if unpacked.is_dir() {
        Ok(unpacked)
    } else {
        Err(Fault::new(format!("{} has no folder {folder}", archive.display())))
    }
}

/// By the system's own list of source packages or, where it has none, by one that is made here of its list of binary
/// packages. Nothing of the system is changed, and nobody has to be root.
fn download(into: &Path, package: &str) -> Result<(), Fault> {
    let get = |options: &[String]| {
        let mut apt_get = Command::new("apt-get");
        apt_get.args(options).args(["-q", "source", "--download-only", package]);
        quietly(apt_get.current_dir(into))
    };
    if get(&[]).is_ok() {
        return Ok(());
    }
    let by_hand = |fault: Fault| {
        fault.hint("add a line with deb-src to apt's sources, then: sudo apt-get update")
    };
    let apt = into.join("apt");
    for folder in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(apt.join(folder)).while_doing(apt.display())?;
    }
    let list = apt.join("sources.list");
    let lines = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
        "Trusted: yes",
    ]))
    .map_err(by_hand)?;
    fs::write(&list, lines).while_doing(list.display())?;
    let option = |name: &str, value: &Path| ["-o".into(), format!("{name}={}", value.display())];
    let options = [
        option("Dir::Etc::sourcelist", &list),
        option("Dir::Etc::sourceparts", Path::new("/dev/null")),
        option("Dir::State::lists", &apt.join("lists")),
        option("Dir::Cache", &apt.join("cache")),
    ]
    .concat();
    // One of several repositories may have no sources; whether it mattered shows below.
    let updated = quietly(Command::new("apt-get").args(&options).args(["-q", "update"]));
    get(&options).map_err(|fault| by_hand(updated.err().unwrap_or(fault)))
}

/// Runs a program whose output matters only if it fails.
fn quietly(command: &mut Command) -> Result<(), Fault> {
    let ran = command.stdin(Stdio::null()).output().while_doing("apt-get")?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    let error = said.lines().find(|line| line.starts_with("E: ")).unwrap_or("apt-get failed");
    Err(Fault::new(error))
}
