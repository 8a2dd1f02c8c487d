//! The main job, for people: what a factory and a cloud do, on this machine, with nothing mocked.

use core::time::Duration;
use std::path::Path;
use std::process::Command;

use provision_testkit::cli::{Ran, built_program};
use provision_testkit::qemu::{Emulator, Machine};
use provision_testkit::scene::{CLOUD, Scene};
use provision_testkit::servers::AccessLine;

use crate::firmware;
use crate::needs::{self, CURL, NGINX, OPENSSL, QEMU};
use crate::process::{Fault, While as _, output};

const DEVICE: &str = "sensor-0001";
const STRANGER: &str = "sensor-0002";

/// Patience for what an emulated device computes, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// `cargo xtask demo`
pub(crate) fn run() -> Result<(), Fault> {
    needs::ensure(&[QEMU, NGINX, OPENSSL, CURL])?;
    let images = firmware::build(None)?;
    let program = built_program().while_doing("building the CLI")?;

    step("a CA, a server certificate, and nginx that demands a client certificate");
    let scene = Scene::open(program).while_doing("opening the scene")?;
    say(&format!("CA and ledger in {}", scene.station().path().join("ca").display()));
    say(&format!("nginx on {}, which devices reach as {CLOUD}", scene.cloud().address()));

    step("a blank device: an emulated Cortex-M4, its line a serial port");
    let flash = |name: &str| scene.station().path().join(format!("{name}.flash"));
    let device = scene.device(&images.whole, DEVICE, &flash(DEVICE));
    let mut running = start(&device)?;
    let port = running.line_port().to_owned();

    step(&format!("provision --port {} --endpoint {CLOUD}", port.display()));
    let first = enroll(&scene, &port)?;
    let cert_serial = word_after(&first.stdout, "certificate ")?;

    step("the power is cut, and comes back: same flash, new boot");
    running.kill().while_doing("killing the emulator")?;
    let running = start(&device)?;
    let answer = wait(&running, "http status=")?;
    expect(answer.contains("http status=200"), &format!("the server said {answer:?}"))?;
    say(&answer);
    let verdict = last_request(&scene, 1)?;
    let AccessLine { status, verify, serial, subject } = &verdict;
    say(&format!("nginx saw: {verify}, {subject}, serial {serial}, and said {status}"));
    let verified = *status == 200 && verify == "SUCCESS";
    expect(verified && *serial == cert_serial, &format!("nginx's log says {verdict:?}"))?;
    expect(subject.contains(&format!("CN={DEVICE}")), &format!("nginx saw {subject}"))?;

    step(
        "a second device is refused: blank (curl asks in its place), then with an identity of a stranger's CA",
    );
    let no_certificate = without_certificate(&scene)?;
    say(&format!("no certificate: nginx said {no_certificate}"));
    expect(no_certificate == "400", "nginx took a client without a certificate")?;
    let refused = stranger(&scene, &images.whole, &flash(STRANGER))?;
    say(&refused);

    step("the same command again");
    let again = enroll(&scene, running.line_port())?;
    expect(again.stdout.contains("nothing changed"), "the second run changed something")?;
    expect(word_after(&again.stdout, "certificate ")? == cert_serial, "another certificate")?;

    println!(
        "demo ok: device {DEVICE}, certificate {cert_serial}, nginx says {} {}",
        verdict.verify, verdict.status
    );
    Ok(())
}

/// What a client that has nothing gets: the firmware of a blank device does not even try, so curl
/// asks in its place.
fn without_certificate(scene: &Scene) -> Result<String, Fault> {
    let root = scene.station().path().join("ca/server-root.crt");
    output(
        Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}"])
            .arg("--cacert")
            .arg(root)
            .arg("--connect-to")
            .arg(format!("{CLOUD}:{}", scene.cloud().address()))
            .arg(format!("https://{CLOUD}/")),
    )
}

/// Blank at first; then enrolled by a CA that nginx does not know, and turned away.
fn stranger(scene: &Scene, image: &Path, flash: &Path) -> Result<String, Fault> {
    let device = scene.device(image, STRANGER, flash);
    let mut blank = start(&device)?;
    wait(&blank, "stage=blank")?;
    let other = Scene::open(built_program().while_doing("building the CLI")?)
        .while_doing("opening another scene")?;
    // It trusts this cloud, by this server root; only its own identity is of the other CA.
    let root = scene.station().path().join("ca/server-root.crt").display().to_string();
    let enrolled = other
        .enroll(blank.line_port(), &["--server-anchor", &root])
        .while_doing("enrolling the stranger")?;
    succeeded(&enrolled)?;
    blank.kill().while_doing("killing the emulator")?;

    let running = start(&device)?;
    let answer = wait(&running, "http status=")?;
    expect(!answer.contains("http status=200"), "nginx took a device of another CA")?;
    let verdict = last_request(scene, 3)?;
    expect(verdict.verify.starts_with("FAILED"), &format!("nginx's log says {verdict:?}"))?;
    Ok(format!("{answer}; nginx saw: {}, and said {}", verdict.verify, verdict.status))
}

fn start(device: &Machine) -> Result<Emulator, Fault> {
    device.start().while_doing("starting the emulator")
}

fn wait(running: &Emulator, pattern: &str) -> Result<String, Fault> {
    running.log().wait_for_line(pattern, PATIENCE).while_doing("the device's log")
}

fn last_request(scene: &Scene, count: usize) -> Result<AccessLine, Fault> {
    let mut log = scene.cloud().access_log(count);
    log.pop().ok_or_else(|| Fault::new("nginx has logged no request"))
}

fn enroll(scene: &Scene, port: &Path) -> Result<Ran, Fault> {
    let ran = scene.enroll(port, &[]).while_doing("provision")?;
    for line in ran.stderr.lines().chain(ran.stdout.lines()) {
        say(line);
    }
    succeeded(&ran)?;
    Ok(ran)
}

fn succeeded(ran: &Ran) -> Result<(), Fault> {
    expect(ran.code == 0, &format!("provision ended with {}: {}", ran.code, ran.stderr))
}

fn expect(holds: bool, otherwise: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(otherwise)) }
}

/// The word after the last `lead`, without what ends a clause.
fn word_after(text: &str, lead: &str) -> Result<String, Fault> {
    let word = text.rsplit_once(lead).and_then(|(_, rest)| rest.split([',', ' ', '\n']).next());
    word.map(str::to_owned).ok_or_else(|| Fault::new(format!("no `{lead}` in {text:?}")))
}

fn step(text: &str) {
    println!("\n── {text}");
}

fn say(text: &str) {
    println!("   {text}");
}
