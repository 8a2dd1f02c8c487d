//! Other people's tools, run in a station's directory.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a tool printed, and whether it was content.
pub(crate) fn tool(dir: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).current_dir(dir).args(arguments).output().expect(program);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
}

/// Where `cargo xtask ci` put the programs of a package from PyPI.
pub(crate) fn from_pypi(package: &str) -> PathBuf {
    env::var_os(format!("PROVISION_{}", package.to_uppercase())).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(package).join("bin"),
        PathBuf::from,
    )
}

/// `openssl`, which must be content.
pub(crate) fn openssl(dir: &Path, arguments: &[&str]) -> String {
    let (content, text) = tool(dir, "openssl", arguments);
    assert!(content, "openssl {arguments:?}: {text}");
    text
}

/// `openssl`, which must not be.
pub(crate) fn openssl_refuses(dir: &Path, arguments: &[&str]) -> String {
    let (content, text) = tool(dir, "openssl", arguments);
    assert!(!content, "openssl {arguments:?}: {text}");
    text
}
