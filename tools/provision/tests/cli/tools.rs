//! Other people's tools, run in a station's directory.

use std::path::Path;
use std::process::Command;

/// What a tool printed, and whether it was content.
pub(crate) fn tool(dir: &Path, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).current_dir(dir).args(arguments).output().expect(program);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success(), text + &String::from_utf8_lossy(&output.stderr))
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
