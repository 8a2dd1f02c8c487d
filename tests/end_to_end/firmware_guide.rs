//! The guide for firmware engineers: its text is the files that are compiled, and the firmware that
//! the steps make is enrolled and connects.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use provision_testkit::cli::{built_firmware_for, built_program};
use provision_testkit::scene::Scene;

use crate::emulated::PATIENCE;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn guide() -> String {
    fs::read_to_string(root().join("docs/firmware-guide.md")).unwrap()
}

/// The blocks that are files, by the comment in front: `<!-- path -->`.
fn blocks() -> BTreeMap<String, String> {
    let guide = guide();
    let mut found = BTreeMap::new();
    for piece in guide.split("<!-- ").skip(1) {
        let (path, rest) = piece.split_once(" -->\n```rust\n").expect("a block after its file");
        let (text, _) = rest.split_once("```\n").expect("the end of a block");
        assert!(found.insert(path.to_owned(), text.to_owned()).is_none(), "{path} twice");
    }
    found
}

#[test]
fn the_text_is_what_is_compiled() {
    let blocks = blocks();
    let count = guide().matches("```rust").count();
    assert_eq!(count, blocks.len(), "a block of Rust that is no file");
    for (path, text) in blocks {
        let file = fs::read_to_string(root().join(&path)).unwrap_or_else(|_| panic!("no {path}"));
        assert_eq!(text, file, "{path} and the guide differ");
    }
}

#[test]
fn no_step_is_left_out() {
    let source = root().join("firmware-example/guide/src");
    let in_guide: BTreeSet<String> = blocks().into_keys().collect();
    for entry in fs::read_dir(source).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".rs") && name != "lib.rs" {
            let path = format!("firmware-example/guide/src/{name}");
            assert!(in_guide.contains(&path), "{path} is not in the guide");
        }
    }
}

/// What it says to depend on is what the steps are compiled with, apart from what each needs more.
#[test]
fn the_dependencies_are_those_of_the_steps() {
    let manifest = fs::read_to_string(root().join("firmware-example/guide/Cargo.toml")).unwrap();
    let guide = guide();
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let names = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| line.starts_with("provision-"));
        let names = lines.map(|line| line.split([' ', '.']).next().unwrap().to_owned());
        names.filter(|name| !name.starts_with("provision-firmware")).collect()
    };
    assert_eq!(names(block), names(&manifest));
    assert!(block.contains("features = [\"portable\"]"));
}

/// Who copies a step has all it names, in the version it was compiled with.
#[test]
fn what_the_steps_use_is_depended_on() {
    let manifest = fs::read_to_string(root().join("firmware-example/Cargo.toml")).unwrap();
    let guide = guide();
    let (_, rest) = guide.split_once("```toml\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let version = |text: &str, name: &str| -> Option<String> {
        let start = format!("{name} = ");
        let line = text.lines().find_map(|line| line.strip_prefix(&start))?;
        line.split('"').nth(1).map(str::to_owned)
    };
    let steps = blocks().into_iter().filter(|(path, _)| !path.contains("/bin/"));
    let used: BTreeSet<String> = steps
        .flat_map(|(_, text)| {
            let words = text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            words.into_iter().filter_map(|word| Some(word.split_once("::")?.0.replace('_', "-")))
        })
        .filter(|name| version(&manifest, name).is_some() && !name.starts_with("provision"))
        .collect();
    assert!(used.len() >= 6, "only {used:?}");
    for name in used {
        let said = version(block, &name).unwrap_or_else(|| panic!("{name} is not depended on"));
        let compiled_with = version(&manifest, &name).unwrap();
        assert!(format!("{compiled_with}.").starts_with(&format!("{said}.")), "{name} {said}");
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let rust = version(&workspace, "rust-version").unwrap();
    assert!(guide.contains(&format!("It takes Rust {rust} or later.")), "{rust}");
}

/// Each feature that a device's crate has, and no other.
#[test]
fn all_features_are_told() {
    let guide = guide();
    let (_, rest) = guide.split_once("| Feature | of | adds |\n|---|---|---|\n").unwrap();
    let (table, _) = rest.split_once("\n\n").unwrap();
    let told: BTreeSet<String> =
        table.lines().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    let metadata =
        MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap();
    let there: BTreeSet<String> = metadata
        .packages
        .into_iter()
        .filter(|package| {
            ["wire", "csr", "path", "device", "tls", "p256-asm", "sha256-asm"]
                .iter()
                .any(|name| package.name.strip_prefix("provision-") == Some(name))
        })
        .flat_map(|package| package.features.into_keys())
        .filter(|feature| feature != "default")
        .collect();
    assert_eq!(told, there);
}

#[test]
fn the_firmware_that_the_steps_make_is_enrolled_and_connects() {
    let scene = Scene::open(built_program().unwrap()).unwrap();
    let firmware = built_firmware_for("mps2-an386-guide").unwrap();
    let flash = scene.station().path().join("guide.flash");
    let mut running = scene.device(&firmware, "sensor-0001", &flash).start().unwrap();
    let ran = scene.enroll(running.line_port(), &[]).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    let answer = running.log().wait_for_line("heard ", PATIENCE).unwrap();
    assert!(answer.contains("HTTP/1.1 200"), "{answer}: {}", scene.cloud().errors());
    let seen = scene.cloud().access_log(1).pop().unwrap();
    assert_eq!((seen.status, seen.verify.as_str()), (200, "SUCCESS"));
    running.shutdown().unwrap();
}
