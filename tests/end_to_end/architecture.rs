//! The rules of ARCHITECTURE.md, held against what cargo says of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Crates that run on a device.
const DEVICE: [&str; 7] = [
    "provision-wire",
    "provision-csr",
    "provision-p256-asm",
    "provision-sha256-asm",
    "provision-path",
    "provision-device",
    "provision-tls",
];
/// Have or call assembler, which is `unsafe`; besides them only boards do anything of the kind.
const ASSEMBLER: [&str; 2] = ["provision-p256-asm", "provision-sha256-asm"];
/// The workspaces: of the host, of the emulated boards, of the same with the assembler, of the real
/// boards.
const MANIFESTS: [&str; 4] = [
    "Cargo.toml",
    "firmware-example/Cargo.toml",
    "firmware-example/assembler/Cargo.toml",
    "firmware-example/boards/Cargo.toml",
];
/// Crates under crates/ that may do IO, read a clock and take randomness from the system.
const WITH_IO: [&str; 3] = ["provision-issuer", "provision-ledger", "provision-testkit"];

fn metadata(manifest: &str) -> Metadata {
    MetadataCommand::new()
        .manifest_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(manifest))
        .no_deps()
        .exec()
        .unwrap()
}

fn workspace() -> Metadata {
    metadata("Cargo.toml")
}

/// Names of what a package is built with, without what only its tests need.
fn dependencies(package: &Package) -> BTreeSet<String> {
    let built_with = package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development);
    built_with.map(|d| d.name.clone()).collect()
}

/// Everything a package of this workspace is built with, by way of packages of this workspace.
fn closure(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let all: BTreeMap<String, BTreeSet<String>> = metadata
        .packages
        .iter()
        .map(|package| (package.name.to_string(), dependencies(package)))
        .collect();
    let mut found = BTreeSet::new();
    let mut open = vec![name.to_owned()];
    while let Some(next) = open.pop() {
        for dependency in all.get(&next).into_iter().flatten() {
            if found.insert(dependency.clone()) {
                open.push(dependency.clone());
            }
        }
    }
    found
}

/// All Rust source below a folder, tests left out.
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
        }
    }
    found
}

fn source_of(metadata: &Metadata, name: &str) -> Vec<(String, String)> {
    let package = metadata.packages.iter().find(|p| p.name.as_str() == name).expect(name);
    sources(package.manifest_path.parent().unwrap().join("src").as_std_path())
}

#[test]
fn device_and_station_never_meet() {
    let metadata = workspace();
    assert!(!closure(&metadata, "provision-device").contains("provision-station"));
    assert!(!closure(&metadata, "provision-station").contains("provision-device"));
}

#[test]
fn embedded_tls_has_one_door() {
    for manifest in MANIFESTS {
        for package in metadata(manifest).packages {
            let uses = package.dependencies.iter().any(|d| d.name == "embedded-tls");
            assert_eq!(uses, package.name.as_str() == "provision-tls", "{}", package.name);
        }
    }
}

#[test]
fn embedded_tls_brings_no_verifier_of_its_own() {
    let metadata = workspace();
    let tls = metadata.packages.iter().find(|p| p.name.as_str() == "provision-tls").unwrap();
    let dependency = tls.dependencies.iter().find(|d| d.name == "embedded-tls").unwrap();
    assert!(!dependency.uses_default_features);
    for verifier in ["rustpki", "webpki", "std"] {
        assert!(!dependency.features.iter().any(|f| f == verifier), "{verifier}");
    }
    for (file, text) in source_of(&metadata, "provision-tls") {
        for bypass in ["UnsecureProvider", "NoVerify"] {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            assert!(!code.into_iter().any(|line| line.contains(bypass)), "{bypass} in {file}");
        }
    }
}

#[test]
fn device_crates_have_neither_std_nor_an_allocator() {
    let metadata = workspace();
    for name in DEVICE {
        let source = source_of(&metadata, name);
        let (_, lib) = source.iter().find(|(file, _)| file.ends_with("src/lib.rs")).unwrap();
        assert!(lib.contains("#![no_std]"), "{name}");
        for (file, text) in &source {
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("extern crate std"), "{file}");
            assert!(!code.contains("extern crate alloc"), "{file}");
        }
    }
}

#[test]
fn no_type_of_a_cryptography_crate_stands_in_a_device_crates_signature() {
    let metadata = workspace();
    for name in DEVICE {
        for (file, text) in source_of(&metadata, name) {
            let public = text.lines().filter(|line| {
                let line = line.trim_start();
                line.starts_with("pub fn") || line.starts_with("pub use")
            });
            for line in public {
                for foreign in ["p256", "ecdsa", "sha2", "primeorder", "embedded_tls", "rand_core"]
                {
                    assert!(!line.contains(&format!("{foreign}::")), "{file}: {line}");
                    assert!(!line.contains(&format!("{foreign}_device::")), "{file}: {line}");
                }
            }
        }
    }
}

#[test]
fn io_clocks_and_randomness_are_where_they_are_allowed() {
    let metadata = workspace();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let library = package.manifest_path.as_str().contains("/crates/");
        if !library || WITH_IO.contains(&name) {
            continue;
        }
        let built_with = dependencies(package);
        for forbidden in ["getrandom", "rand", "rusqlite", "serialport", "libc", "nix", "time"] {
            assert!(!built_with.contains(forbidden), "{name} is built with {forbidden}");
        }
        for (file, text) in source_of(&metadata, name) {
            for forbidden in ["std::fs", "std::net", "std::time", "SystemTime", "Instant::now"] {
                assert!(!text.contains(forbidden), "{forbidden} in {file}");
            }
        }
    }
}

#[test]
fn every_member_inherits_the_lints_and_says_what_it_is() {
    for manifest in MANIFESTS {
        for package in metadata(manifest).packages {
            let text = fs::read_to_string(&package.manifest_path).unwrap();
            let inherits = text.contains("[lints]\nworkspace = true");
            // A board needs unsafe code, and so does the assembler, and a lint table is inherited whole or not at all.
            let board = (package.name.starts_with("board-")
                || ASSEMBLER.contains(&package.name.as_str()))
                && text.contains("undocumented_unsafe_blocks = \"deny\"");
            assert!(inherits || board, "{}", package.name);
            assert!(package.description.is_some(), "{}", package.name);
            assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{}", package.name);
        }
    }
}

#[test]
fn unsafe_code_is_forbidden_but_on_boards_and_around_assembler() {
    for manifest in MANIFESTS {
        for package in metadata(manifest).packages {
            if package.name.starts_with("board-") || ASSEMBLER.contains(&package.name.as_str()) {
                continue;
            }
            let folder = package.manifest_path.parent().unwrap().join("src");
            // firmware-example/assembler has none: it compiles what lies beside it.
            if !folder.is_dir() {
                assert_eq!(package.name.as_str(), "firmware-assembler");
                continue;
            }
            for (file, text) in sources(folder.as_std_path()) {
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
                let found = code.into_iter().find(|line| line.contains("unsafe {"));
                assert_eq!(found, None, "{file}");
            }
        }
    }
}

#[test]
fn the_picture_in_the_manifest_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    for folder in ["crates", "tools"] {
        for entry in fs::read_dir(root.join(folder)).unwrap().map(Result::unwrap) {
            let member = format!("\"{folder}/{}\",", entry.file_name().to_string_lossy());
            let line = manifest.lines().find(|line| line.contains(&member));
            let line = line.unwrap_or_else(|| panic!("{member} is no member"));
            assert!(line.contains("# "), "{member} has no comment");
        }
    }
}
