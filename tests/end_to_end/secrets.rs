//! D1: the private key is in the vault, and nowhere else. Not on a wire, not in a log or a file, not in the memory
//! of the device once it is enrolled or connected; and neither is what the key could be computed from.
//!
//! The key is known from the flash file, so the firmware needs no way out for it.

mod dialogue;
mod needles;
mod search;

use std::fs;
use std::path::{Path, PathBuf};

use provision_testkit::cli::{Station, built_firmware, built_firmware_for, built_program};
use provision_testkit::hostile_server::{Credentials, HostileServer, Script, Step};
use provision_testkit::pki::{self, Certified};
use provision_testkit::qemu::{Emulator, Machine, Network, QemuError, Region};
use provision_testkit::random::Random;
use provision_testkit::scene::CLOUD;
use provision_testkit::tap::{SerialTap, TcpTap};

use self::dialogue::{Dialogue, Signed};
use self::needles::{Needle, Secret};
use self::search::Search;
use crate::emulated::PATIENCE;

const DEVICE: &str = "sensor-0001";

/// What a server says that has nothing more to say.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A station, and a device with everything around it that listens in.
struct Bench {
    station: Station,
    server_root: Certified,
    firmware: PathBuf,
    flash: PathBuf,
}

impl Bench {
    /// For a device with P-256 in portable Rust.
    fn new() -> Self {
        Self::with(built_firmware().unwrap())
    }

    /// For a device with P-256 in assembler, key agreement included.
    fn in_assembler() -> Self {
        Self::with(built_firmware_for("mps2-an386-asm").unwrap().with_file_name("firmware-asm"))
    }

    fn with(firmware: PathBuf) -> Self {
        let station = Station::with_ca(built_program().unwrap()).unwrap();
        let server_root = Certified::self_signed(pki::root("Server Root"));
        fs::write(station.path().join("root.crt"), server_root.pem()).unwrap();
        let flash = station.path().join("device.flash");
        Self { station, server_root, firmware, flash }
    }

    fn server(&self, script: Script) -> HostileServer {
        let certificate = self.server_root.issue(pki::server(&[&CLOUD.ip().to_string()]));
        let credentials = Credentials::of(&certificate, &[]);
        HostileServer::start("127.0.0.1:0", credentials, script).unwrap()
    }

    fn machine(&self, serial: &str) -> Machine {
        Machine::mps2_an386()
            .firmware(&self.firmware)
            .flash_file(&self.flash)
            .arg(format!("device-serial={serial}"))
    }

    fn device(&self, cloud: &TcpTap) -> Machine {
        self.machine(DEVICE)
            .log_file(self.station.path().join("device.log"))
            .network(Network::restricted_to(CLOUD, cloud.address()))
    }

    /// Enrolls, and returns what the program said.
    fn enroll(&self, line: &SerialTap) -> String {
        let port = line.port().display().to_string();
        let endpoint = CLOUD.to_string();
        let ran = self
            .station
            .run(&["--port", &port, "--endpoint", &endpoint, "--server-anchor", "root.crt"])
            .unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout + &ran.stderr
    }

    /// The key in the flash file, whose public half is `public`.
    fn secret(&self, public: &[u8]) -> Secret {
        let flash = fs::read(&self.flash).unwrap();
        let (slot, _) = flash
            .chunks_exact(RECORD_ALIGN)
            .enumerate()
            .find(|(_, unit)| *unit == COMMIT_WORD)
            .unwrap();
        let secret = slot * RECORD_ALIGN + SECRET_AT;
        let secret = Secret::new(flash[secret..].first_chunk().unwrap()).unwrap();
        assert_eq!(secret.public(), public, "the record's secret is not the device's key");
        secret
    }
}

/// All that the key could be computed from, given what was signed.
fn needles(secret: &Secret, signed: &[Signed]) -> Vec<Needle> {
    let mut needles = secret.needles();
    for Signed { what, sha256, r } in signed {
        assert_eq!(secret.r(sha256).to_bytes()[..], r[..], "{what} was signed with another nonce");
        needles.extend(secret.needles_of_signature(what, sha256));
    }
    needles
}

/// Where something was found in memory, for a person to read.
fn finds_in_memory(search: &Search, when: &str, memory: &[Region]) -> Vec<String> {
    let mut found = Vec::new();
    for Region { name, address, bytes } in memory {
        let finds = search.in_bytes(bytes);
        found.extend(finds.iter().map(|find| format!("{when}, {name} at {address:#x}: {find:?}")));
    }
    found
}

fn holds(memory: &[Region], bytes: &[u8]) -> bool {
    memory.iter().any(|region| region.bytes.windows(bytes.len()).any(|window| window == bytes))
}

/// Every file below a directory, but for the flash.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|extension| extension != "flash") {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found
}

fn wait(device: &Emulator, pattern: &str) -> String {
    device.log().wait_for_line(pattern, PATIENCE).unwrap()
}

#[test]
fn the_key_is_in_the_vault_and_nowhere_else() {
    is_in_the_vault_and_nowhere_else(&Bench::new());
}

/// What the assembler leaves on the stack is overwritten too.
#[test]
fn the_key_in_assembler_is_in_the_vault_and_nowhere_else() {
    is_in_the_vault_and_nowhere_else(&Bench::in_assembler());
}

fn is_in_the_vault_and_nowhere_else(bench: &Bench) {
    let answering = Script::honest().replacing(Step::Echo, Step::Send(ANSWER.to_vec()));
    let server = bench.server(answering);
    let cloud = TcpTap::on(server.address()).unwrap();
    let mut device = bench.device(&cloud).start().unwrap();
    let line = SerialTap::on(device.line_port()).unwrap();

    let said = bench.enroll(&line);
    let sealed = device.memory().unwrap();
    wait(&device, "http status=200");
    let connected = device.memory().unwrap();
    device.kill().unwrap();
    let seen = server.seen();
    assert!(seen.authenticated(), "{seen:?}");

    let dialogue = Dialogue::of(&line.heard());
    assert!(dialogue.signed.len() >= 2, "a CSR and a proof: {:?}", dialogue.signed);
    let secret = bench.secret(&dialogue.public);
    let of_enrollment = needles(&secret, &dialogue.signed);
    let of_handshake = secret.needles_of_signature("the handshake", &seen.signed_sha256.unwrap());
    let of_both = [of_enrollment.clone(), of_handshake].concat();
    let (of_enrollment, of_both) = (Search::new(of_enrollment), Search::new(of_both));

    // The search finds what is there: the key in the flash, once; and in the dumps, what is no secret.
    let flash = fs::read(&bench.flash).unwrap();
    let kept = of_both.in_bytes(&flash);
    assert!(kept.len() == 1 && kept[0].len == 32, "the vault keeps one key, once: {kept:#?}");
    let leaf = &seen.certificates[0];
    assert!(holds(&sealed, leaf) && holds(&connected, leaf), "the dumps are not of this device");

    let line = line.heard();
    of_both.assert_absent("what the station sent", &line.there);
    of_both.assert_absent("what the device sent", &line.back);
    let cloud = cloud.heard();
    assert!(!cloud.there.is_empty() && !cloud.back.is_empty());
    of_both.assert_absent("what the device sent over TLS", &cloud.there);
    of_both.assert_absent("what the server sent over TLS", &cloud.back);
    of_both
        .assert_absent("what the server was shown", format!("{:?}", seen.certificates).as_bytes());
    of_both.assert_absent("what the program said", said.as_bytes());
    of_both.assert_absent("the device's log", device.log().lines().join("\n").as_bytes());
    for (path, content) in files(bench.station.path()) {
        of_both.assert_absent(&path.display().to_string(), &content);
    }
    let mut left = finds_in_memory(&of_enrollment, "sealed", &sealed);
    left.extend(finds_in_memory(&of_both, "connected", &connected));
    assert!(left.is_empty(), "left in memory: {left:#?}");
}

/// While a server lets it wait, the device holds the key in its memory: the dump shows it. What the firmware says of
/// its own death at that moment does not, nor what it says when it cannot start.
#[test]
fn a_key_in_use_is_in_memory_and_not_in_the_last_words() {
    let bench = Bench::new();
    let silent = bench.server(Script::of(vec![Step::ServerHello]));
    let cloud = TcpTap::on(silent.address()).unwrap();
    let mut device = bench.device(&cloud).start().unwrap();
    let line = SerialTap::on(device.line_port()).unwrap();
    bench.enroll(&line);
    wait(&device, "tcp connected");
    let waiting = device.memory().unwrap();
    device.write(ICSR, &[NMI_PENDING]).unwrap();
    device.wait_exit(PATIENCE).unwrap();

    let dialogue = Dialogue::of(&line.heard());
    let secret = bench.secret(&dialogue.public);
    let search = Search::new(needles(&secret, &dialogue.signed));
    let finds = finds_in_memory(&search, "waiting", &waiting);
    assert!(!finds.is_empty(), "the key is in use, and the search does not find it");
    let fault = device.log().lines().join("\n");
    assert!(fault.contains("no handler"), "{fault}");
    search.assert_absent("the words of a fault", fault.as_bytes());

    // It may be gone before the emulator was asked anything.
    let panic = match bench.machine("sensor/0001").start() {
        Ok(mut misnamed) => {
            misnamed.wait_exit(PATIENCE).unwrap();
            misnamed.log().lines().join("\n")
        }
        Err(QemuError::Ended { said, .. }) => said,
        Err(other) => panic!("{other}"),
    };
    assert!(panic.contains("panicked"), "{panic}");
    search.assert_absent("the words of a panic", panic.as_bytes());
}

/// The search is worth something: it finds a key that is put where none should be, whole or in part, in each form.
#[test]
fn a_planted_key_is_found() {
    let mut random = Random::new(8);
    let planted: [u8; 32] = random.bytes();
    let secret = Secret::new(&planted).unwrap();
    let needles = [secret.needles(), secret.needles_of_signature("a test", &[7; 32])].concat();
    let search = Search::new(needles.clone());
    let noise: [u8; 4096] = random.bytes();
    search.assert_absent("noise", &noise);
    for Needle { name, bytes, part } in &needles {
        for bytes in [&bytes[..], &bytes[..*part], &bytes[bytes.len() - part..]] {
            let haystack = [&noise[..1000], bytes, &noise[1000..]].concat();
            let finds = search.in_bytes(&haystack);
            assert!(finds.iter().any(|find| find.at == 1000 && find.name == *name), "{name}");
        }
    }

    let bench = Bench::new();
    let device = bench.machine(DEVICE).start().unwrap();
    wait(&device, "line ready");
    let memory = || finds_in_memory(&search, "planted", &device.memory().unwrap());
    assert_eq!(memory(), Vec::<String>::new());
    let (words, _) = planted.as_chunks();
    device
        .write(UNUSED_MEMORY, &words.iter().copied().map(u32::from_le_bytes).collect::<Vec<_>>())
        .unwrap();
    assert!(memory()[0].contains("32 bytes at 0x2f0000: key, big-endian"), "{:?}", memory());
}

/// Interrupt Control and State Register, and its bit that raises the interrupt which cannot be masked; the firmware
/// has no handler for it (ARMv7-M Architecture Reference Manual, B3.2.4).
const ICSR: u64 = 0xe000_ed04;
const NMI_PENDING: u32 = 1 << 31;

/// RAM of the emulated board that the linker script does not give to the firmware.
const UNUSED_MEMORY: u64 = 0x202f_0000;

/// Where a record may begin: the vault's slots are whole pages.
const RECORD_ALIGN: usize = 32;
/// The start of a live record; see `FlashVault`.
const COMMIT_WORD: &[u8] = b"provision vault record committed";
/// Where a record has the secret.
const SECRET_AT: usize = 96;
