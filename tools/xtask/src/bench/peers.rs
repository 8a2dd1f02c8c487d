//! The device's half beside libraries in C, on the same emulated Cortex-M4, counted in the same way.
//!
//! Each library is compiled from its makers' sources by `arm-none-eabi-gcc`, twice (`-O2` and `-Os`), with one image for
//! each operation. An image runs its operation sixteen times, as ours do, and gives what it made to be checked: keys
//! and signatures by the crate `p256`, CSRs by `openssl req`, handshakes by an `openssl s_server` that has to
//! answer. What the device's own bench measures of us stands in the same table.
//!
//! Of choices that a library leaves open the faster was taken, as far as we know it; where that costs flash or
//! protection, there is a row for each.

mod build;
mod evidence;
mod library;
mod sources;

use std::fs;
use std::path::Path;
use std::process::Command;

use p256::SecretKey;
use p256::pkcs8::DecodePrivateKey as _;
use provision_testkit::qemu::Image;
use serde::Serialize;

use self::build::{Built, FLAGS, Optimisation, compiler_version};
use self::library::Library;
use self::sources::Sources;
use super::device::handshake::{Parties, repeat};
use super::device::{Cost, Images, cost, logged::Logged};
use crate::needs::{self, ARM_GCC, OPENSSL, QEMU};
use crate::process::{Fault, While as _, output, root};
use crate::sizes::sections;

/// What is measured: all, or one by its name.
pub(super) fn named(name: &str) -> Result<&'static str, String> {
    let names = || Library::ALL.iter().map(|library| library.name).chain([OURS]);
    names().find(|known| *known == name).ok_or_else(|| {
        format!("there is none of that name; there are {}", names().collect::<Vec<_>>().join(", "))
    })
}

/// Both of this project's, on the command line.
const OURS: &str = "provision";

/// What an operation takes.
#[derive(Debug, Clone, Copy, Serialize)]
struct PeerCost {
    #[serde(flatten)]
    cost: Cost,
    /// The most that was allocated since reset, with eight bytes for each block.
    heap_bytes: u64,
}

/// One library, compiled in one way.
#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    optimisation: &'static str,
    key: PeerCost,
    sign: PeerCost,
    verify: PeerCost,
    key_and_csr: PeerCost,
    /// `null` for what has no TLS 1.3.
    handshake: Option<PeerCost>,
}

/// What could not be measured.
#[derive(Debug, Serialize)]
struct LeftOut {
    name: &'static str,
    why: String,
    hint: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    compiler: String,
    flags: String,
    emulator: String,
    rows: Vec<Row>,
    left_out: Vec<LeftOut>,
}

/// `cargo xtask bench peers`
pub(super) fn run(json: bool, only: Option<&'static str>) -> Result<(), Fault> {
    needs::ensure(&[QEMU, OPENSSL, ARM_GCC])?;
    let is_wanted = |name: &str| only.is_none_or(|only| only == name);
    let mut report = Report {
        compiler: compiler_version()?,
        flags: FLAGS.join(" "),
        emulator: emulator_version()?,
        rows: Vec::new(),
        left_out: Vec::new(),
    };
    if is_wanted(OURS) {
        let images = Images::assembler()?;
        report.rows.push(ours("provision-asm", "this project, asm (RFC 6979)", &images)?);
        let images = Images::portable()?;
        report.rows.push(ours("provision-portable", "this project, portable (RFC 6979)", &images)?);
    }
    let wanted: Vec<_> = Library::ALL.iter().filter(|library| is_wanted(library.name)).collect();
    if !wanted.is_empty() {
        let target = root().join("target/peers");
        let sources = Sources::fetch(&target)?;
        for library in wanted {
            match sources.of(library.source) {
                Ok(found) => report.rows.extend(theirs(library, &found, &target)?),
                Err(Fault { what: why, hint }) => {
                    report.left_out.push(LeftOut { name: library.name, why, hint });
                }
            }
        }
    }
    if report.rows.is_empty()
        && let Some(LeftOut { name, why, hint }) = report.left_out.pop()
    {
        return Err(Fault { what: format!("{name} cannot be measured: {why}"), hint });
    }
    if json {
        let text = serde_json::to_string(&report).while_doing("JSON")?;
        println!("{text}");
    } else {
        print(&report);
    }
    Ok(())
}

fn ours(name: &'static str, title: &'static str, images: &Images) -> Result<Row, Fault> {
    let without_heap = |cost| PeerCost { cost, heap_bytes: 0 };
    let alone = |name: &str| images.alone(name).map(without_heap);
    Ok(Row {
        name,
        title,
        optimisation: "opt-level s",
        key: alone("bench-key")?,
        sign: alone("bench-sign")?,
        verify: alone("bench-verify")?,
        key_and_csr: alone("bench-csr")?,
        handshake: Some(without_heap(images.handshake()?)),
    })
}

/// A library, compiled in every way.
fn theirs(library: &Library, sources: &Path, target: &Path) -> Result<Vec<Row>, Fault> {
    let row = |optimisation: Optimisation| {
        eprintln!("measuring {} {}", library.name, optimisation.flag());
        let folder = |what: &str| target.join(library.name).join(what).join(optimisation.flag());
        let nothing = Built::nothing(optimisation, folder("nothing"))?;
        let nothing = sections(&nothing.link("main.c", None)?)?;
        let p256 = Built::new(sources, &library.p256, optimisation, folder("p256"))?;
        let alone = |operation: &str, check: fn(&str) -> Result<(), Fault>| {
            let image = p256.link("main.c", Some(operation))?;
            let log = Image::new(&image).counting_instructions().run().while_doing("QEMU")?;
            check(evidence::result(&log)?).while_doing(image.display())?;
            let cost = cost(&image, nothing, Logged::parse(&log)?)?;
            Ok(PeerCost { cost, heap_bytes: heap_bytes(&log)? })
        };
        let handshake = library.tls.as_ref().map(|parts| {
            let built = Built::new(sources, parts, optimisation, folder("tls"))?;
            handshakes(&built.link("handshake.c", None)?, nothing)
        });
        Ok(Row {
            name: library.name,
            title: library.title,
            optimisation: optimisation.flag(),
            key: alone("MEASURE_KEY", evidence::key)?,
            sign: alone("MEASURE_SIGN", evidence::signature)?,
            verify: alone("MEASURE_VERIFY", |result| evidence::says("refused", result))?,
            key_and_csr: alone("MEASURE_CSR", evidence::csr)?,
            handshake: handshake.transpose()?,
        })
    };
    let rows = Optimisation::ALL.into_iter().map(row).collect::<Result<_, Fault>>();
    rows.map_err(|Fault { what, hint }| Fault { what: format!("{}: {what}", library.name), hint })
}

/// Handshakes with the same server and such certificates as ours.
fn handshakes(image: &Path, nothing: (u64, u64)) -> Result<PeerCost, Fault> {
    let mut most_heap = 0;
    let logged = repeat(|| {
        let log = handshake(image)?;
        evidence::says("answered", evidence::result(&log)?)?;
        most_heap = most_heap.max(heap_bytes(&log)?);
        Logged::parse(&log)
    })?;
    Ok(PeerCost { cost: cost(image, nothing, logged)?, heap_bytes: most_heap })
}

/// The log of one handshake, after which the server was content with the device.
fn handshake(image: &Path) -> Result<String, Fault> {
    let parties = Parties::start()?;
    let folder = tempfile::tempdir().while_doing("temporary folder")?;
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).while_doing(name);
    let key = SecretKey::from_pkcs8_der(&parties.device.key_der()).while_doing("the key")?;
    write("key", &key.to_sec1_der().while_doing("the key")?)?;
    write("leaf", parties.device.der())?;
    write("anchor", parties.server_root.der())?;
    let image = Image::new(image).counting_instructions();
    let ran = image.in_folder(folder.path()).line_to(parties.server.address()).run();
    let log = ran.while_doing("QEMU")?;
    let server = parties.server.output();
    if server.lines().any(|line| line == "Verification: OK") {
        Ok(log)
    } else {
        Err(Fault::new(format!("the server did not take the device:\n{log}\n{server}")))
    }
}

/// `heap=240`, at the end of the line with the counts.
fn heap_bytes(log: &str) -> Result<u64, Fault> {
    let line = log.lines().find(|line| line.starts_with("measured "));
    line.and_then(|line| line.trim().rsplit_once(" heap=")?.1.parse().ok())
        .ok_or_else(|| Fault::new(format!("no heap in the log:\n{log}")))
}

fn emulator_version() -> Result<String, Fault> {
    let said = output(Command::new("qemu-system-arm").arg("--version"))?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// Tables as they stand in docs/benchmarks.md.
fn print(report: &Report) {
    let Report { compiler, flags, emulator, rows, left_out } = report;
    let million = |cost: &PeerCost| format!("{:.2}", cost.cost.instructions as f64 / 1e6);
    let memory = |cost: &PeerCost| {
        let PeerCost { cost: Cost { flash_bytes, static_bytes, stack_bytes, .. }, heap_bytes } =
            cost;
        let kilobytes = *flash_bytes as f64 / 1e3;
        format!("{kilobytes:.1} | {stack_bytes} | {}", static_bytes + heap_bytes)
    };
    println!("{compiler}: {flags}\n{emulator}\n");
    println!(
        "| implementation | key M | sign M | verify M | key + CSR M | flash kB | stack B | static + heap B |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for Row { title, optimisation, key, sign, verify, key_and_csr, .. } in rows {
        println!(
            "| {title}, {optimisation} | {} | {} | {} | {} | {} |",
            million(key),
            million(sign),
            million(verify),
            million(key_and_csr),
            memory(key_and_csr),
        );
    }
    if rows.iter().any(|row| row.handshake.is_some()) {
        println!("\n| TLS 1.3 mutual handshake | M | flash kB | stack B | static + heap B |");
        println!("|---|---|---|---|---|");
    }
    for Row { title, optimisation, handshake, .. } in rows {
        if let Some(handshake) = handshake {
            println!(
                "| {title}, {optimisation} | {} | {} |",
                million(handshake),
                memory(handshake)
            );
        }
    }
    for LeftOut { name, why, hint } in left_out {
        println!("\nleft out: {name}: {why}");
        if let Some(hint) = hint {
            println!("hint: {hint}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{heap_bytes, named};

    #[test]
    fn heap_is_read_off_the_line_with_the_counts() {
        let log = "measured instructions=5 min=0 max=40 stack=64 heap=1408\r\nresult 00\r\n";
        assert_eq!(heap_bytes(log).ok(), Some(1408));
        assert!(heap_bytes("measured instructions=5 min=0 max=40 stack=64\n").is_err());
        assert!(heap_bytes("failed the operation heap=3\n").is_err());
    }

    #[test]
    fn libraries_are_known_by_name() {
        assert_eq!(named("mbedtls"), Ok("mbedtls"));
        assert_eq!(named("provision"), Ok("provision"));
        assert!(named("mbed").is_err_and(|told| told.contains("wolfssl-fast")));
    }
}
