//! Programs that a command needs, and Debian's packages of them.

use std::process::Command;

use crate::process::{Fault, find, run};

/// A program that is not Rust's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// What is looked for: a program, or a file by its whole path.
    program: &'static str,
    /// The packages of Debian and Ubuntu that have it, and what it does not work without.
    packages: &'static [&'static str],
}

pub(crate) const QEMU: Need = Need { program: "qemu-system-arm", packages: &["qemu-system-arm"] };
pub(crate) const QEMU_RISCV: Need =
    Need { program: "qemu-system-riscv32", packages: &["qemu-system-misc"] };
pub(crate) const NGINX: Need = Need { program: "nginx", packages: &["nginx"] };
pub(crate) const OPENSSL: Need = Need { program: "openssl", packages: &["openssl"] };
pub(crate) const CURL: Need = Need { program: "curl", packages: &["curl"] };
pub(crate) const CERTTOOL: Need = Need { program: "certtool", packages: &["gnutls-bin"] };
/// Java's own reader of PKCS#12.
pub(crate) const KEYTOOL: Need = Need { program: "keytool", packages: &["default-jre-headless"] };
pub(crate) const MOSQUITTO: Need = Need { program: "mosquitto", packages: &["mosquitto"] };
pub(crate) const MOSQUITTO_CLIENTS: Need =
    Need { program: "mosquitto_pub", packages: &["mosquitto-clients"] };
/// A terminal for the tests of the station's screen.
pub(crate) const TMUX: Need = Need { program: "tmux", packages: &["tmux"] };
/// Holds XML against its schema.
pub(crate) const XMLLINT: Need = Need { program: "xmllint", packages: &["libxml2-utils"] };
/// The server itself is not in PATH, where the ledger's tests find it; what starts it is.
pub(crate) const POSTGRES: Need = Need { program: "pg_ctlcluster", packages: &["postgresql"] };
pub(crate) const HAPROXY: Need = Need { program: "haproxy", packages: &["haproxy"] };
/// Makes a disk slow.
pub(crate) const STRACE: Need = Need { program: "strace", packages: &["strace"] };
/// Server and client; the package zookeeper adds scripts to it, and a whole desktop's Java.
pub(crate) const ZOOKEEPER: Need =
    Need { program: "/usr/share/java/zookeeper.jar", packages: &["libzookeeper-java"] };

/// Tokens in files. Its library is in the same package.
pub(crate) const SOFTHSM: Need = Need { program: "softhsm2-util", packages: &["softhsm2"] };

/// Runs what is on PyPI alone, from a virtual environment.
pub(crate) const PYTHON: Need = Need { program: "python3", packages: &["python3", "python3-venv"] };

/// Compiles libFuzzer.
pub(crate) const CXX: Need = Need { program: "c++", packages: &["g++"] };

/// Compiles the assembler's C.
pub(crate) const ARM_GCC: Need = Need {
    program: "arm-none-eabi-gcc",
    packages: &["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"],
};

/// Sees to it that these programs are there: installs what is missing, or says how.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), Fault> {
    let missing: Vec<&Need> = needs.iter().filter(|need| find(need.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    install(&packages)?;
    match missing.iter().find(|need| find(need.program).is_none()) {
        None => Ok(()),
        Some(need) => Err(Fault::new(format!(
            "{} is still not there after its package was installed",
            need.program
        ))),
    }
}

/// Installs packages if that is possible without asking anybody: as root, or by a `sudo` that wants no password.
pub(crate) fn install(packages: &[&str]) -> Result<(), Fault> {
    let by_hand = format!("sudo apt-get update && sudo apt-get install -y {}", packages.join(" "));
    let missing = || Fault::new(format!("not installed: {}", packages.join(", "))).hint(&*by_hand);

    if find("apt-get").is_none() {
        return Err(missing().hint(format!(
            "on Debian or Ubuntu: {by_hand}\n      elsewhere, install what these packages are called there"
        )));
    }
    let Some(prefix) = privilege() else { return Err(missing()) };
    eprintln!("installing {} (apt-get)", packages.join(", "));
    let apt_get = |arguments: &[&str]| {
        let mut words = prefix.iter().chain(&["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        let mut command = Command::new(words.next().unwrap_or(&"env"));
        run(command.args(words).args(["-q", "-y"]).args(arguments))
    };
    // The list of packages may be old, or not be there; whether it could be fetched shows when they are installed.
    let listed = apt_get(&["update"]);
    apt_get(&[&["install", "--no-install-recommends"], packages].concat())
        .map_err(|fault| listed.err().unwrap_or(fault).hint(by_hand))
}

/// What to put before a command so that root runs it; `None` if that needs a password.
fn privilege() -> Option<&'static [&'static str]> {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if is_root {
        return Some(&[]);
    }
    let sudo_asks_nothing = Command::new("sudo")
        .args(["-n", "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    sudo_asks_nothing.then_some(&["sudo", "-n"])
}
