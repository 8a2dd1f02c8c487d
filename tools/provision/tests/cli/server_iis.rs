//! IIS's script: there is no Windows where this is tested, so it is read by tree-sitter's grammar of
//! PowerShell, which says where a script is none.

use std::fs;

use tree_sitter::{Node, Parser};

use crate::site::{Site, free_address};

/// What a reader of PowerShell does not understand: where, and what stands there.
fn not_understood(script: &str) -> Vec<String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).unwrap();
    let tree = parser.parse(script, None).unwrap();
    let mut found = Vec::new();
    walk(tree.root_node(), script, &mut found);
    assert_eq!(found.is_empty(), !tree.root_node().has_error());
    found
}

fn walk(node: Node<'_>, script: &str, found: &mut Vec<String>) {
    if node.is_error() || node.is_missing() {
        let line = node.start_position().row + 1;
        found.push(format!("line {line}: {:?} {}", node.kind(), &script[node.byte_range()]));
    }
    let mut cursor = node.walk();
    node.children(&mut cursor).for_each(|child| walk(child, script, found));
}

fn script(site: &Site, more: &[&str]) -> String {
    site.config("iis", free_address(), more);
    fs::read_to_string(site.path().join("iis/install.ps1")).unwrap()
}

#[test]
fn iis_script_is_powershell() {
    let site = Site::new();
    let crls = site.crls("iis");
    for more in [
        &[][..],
        &["--crl", &crls, "--verify-client", "optional"],
        // A quote in a name stays one.
        &["--site", "Bob's $site `\"#"],
    ] {
        let script = script(&site, more);
        assert_eq!(not_understood(&script), [""; 0], "{script}");
    }
    let bobs = script(&site, &["--site", "Bob's"]);
    assert!(bobs.contains("$site = 'Bob''s'"));
    // PowerShell's variables stay its own.
    let line = "$binding = if ($address.Contains(':')) { \"[$address]:$port\" } else { \
                \"${address}:$port\" }\r\n";
    assert!(bobs.contains(line), "{bobs}");
    assert!(bobs.contains("$address = '127.0.0.1'\r\n"), "{bobs}");
}

/// Each line of it counts: without a bracket it is no script any more.
#[test]
fn what_is_no_powershell_is_noticed() {
    let site = Site::new();
    let script = script(&site, &[]);
    let mut tried = 0;
    assert!(!not_understood(&format!("{script}$open = 'for ever\r\n")).is_empty());
    for what in ["{", "}", "(", ")"] {
        for line in script.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            // Inside of a string a bracket may be missing.
            let counts = line.starts_with(what) || line.ends_with(what);
            if counts && !line.contains("appid") {
                let broken = script.replacen(line, &line.replacen(what, "", 1), 1);
                assert!(!not_understood(&broken).is_empty(), "without {what} in {line}");
                tried += 1;
            }
        }
    }
    assert!(tried > 8, "{tried}");
}
