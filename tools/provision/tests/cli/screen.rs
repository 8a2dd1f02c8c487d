//! The operator's screen and bars, in a real terminal: tmux, 80 by 24.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use provision_testkit::impostor::Trick;
use provision_testkit::pty::PtyPort;

use crate::station::{Fixture, Station, device, impostor};

/// A terminal with a program in it.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn open(station: &Station, arguments: &str) -> Self {
        let terminal = Self { socket: station.path().join("tmux") };
        let program = env!("CARGO_BIN_EXE_provision");
        let directory = station.path().to_str().unwrap();
        // What it ends with is left on the screen.
        let line = format!("{program} {arguments}; echo ended with $?; sleep 60");
        let size = ["new-session", "-d", "-x", "80", "-y", "24", "-c", directory];
        terminal.tmux(&[&size[..], &[line.as_str()]].concat());
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-f", "/dev/null", "-S"])
            .arg(&self.socket)
            .args(arguments)
            .env_remove("TMUX")
            .output()
            .expect("tmux: apt-get install tmux");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// The screen, once all of this is on it.
    fn wait_for(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.tmux(&["capture-pane", "-p"]);
            if parts.iter().all(|part| screen.contains(part)) {
                return screen;
            }
            assert!(Instant::now() < deadline, "no {parts:?} in\n{screen}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

fn slots(station: &Station, fixtures: &[(&str, &Fixture)]) {
    let text: String = fixtures
        .iter()
        .map(|(name, fixture)| {
            format!("[[slot]]\nname = \"{name}\"\nport = \"{}\"\n", fixture.path())
        })
        .collect();
    fs::write(station.path().join("station.toml"), text).unwrap();
}

/// Holds a screen against the one that is kept, but for times and rates. To keep a new one, run
/// with `PROVISION_BLESS=1`.
fn assert_as_kept(name: &str, screen: &str) {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let plain = |line: &str| {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        for at in 1..words.len() {
            let is_unit = matches!(words[at].as_str(), "s" | "an");
            let is_number = !words[at - 1].is_empty() && digits(&words[at - 1]);
            if is_unit && is_number {
                words[at - 1] = "N".into();
            }
        }
        // What the lines around a title make up for, and the room before the operator's name.
        let line = words.join(" ").replace('─', "");
        match line.split_once("  operator ") {
            Some((numbers, name)) => {
                format!("{}  operator {}", numbers.trim_end(), name.trim_end())
            }
            None => line.trim_end().to_owned(),
        }
    };
    let screen: String = screen.lines().map(|line| plain(line) + "\n").collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cli/screens").join(name);
    if std::env::var_os("PROVISION_BLESS").is_some() {
        fs::write(&path, &screen).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(screen, kept, "{}\n{screen}", path.display());
}

#[test]
fn pass_and_fail_are_seen_and_the_cause_with_what_to_do() {
    let station = Station::new();
    let (good, bad, none) = (Fixture::empty(), Fixture::empty(), Fixture::empty());
    slots(&station, &[("left", &good), ("middle", &bad), ("right", &none)]);
    good.put("sensor-0001", Trick::None);
    bad.put("sensor-0002", Trick::BrokenSelfSignature);
    let terminal = Terminal::open(
        &station,
        "station --slots station.toml --endpoint mqtt.example:8883 --lot L-7 --operator 'A. Meier'",
    );
    let screen = terminal.wait_for(&["passed 1  failed 1", "waits for a device"]);
    let hint = ["nothing was signed: this device does", "not show that it holds its key"];
    assert!(hint.iter().all(|part| screen.contains(part)), "{screen}");
    assert_as_kept("pass-fail-empty.txt", &screen);

    good.take_out();
    good.put("sensor-0003", Trick::None);
    terminal.wait_for(&["passed 2", "sensor-0003"]);
    terminal.keys(&["C-c"]);
    terminal.wait_for(&["2 passed, 1 failed (1 not-proven)", "ended with 0"]);
}

#[test]
fn one_slot_is_read_from_afar() {
    let station = Station::new();
    let fixture = Fixture::empty();
    slots(&station, &[("left", &fixture)]);
    let terminal =
        Terminal::open(&station, "station --slots station.toml --endpoint mqtt.example:8883");
    let screen = terminal.wait_for(&["waits for a device"]);
    assert_as_kept("one-slot-empty.txt", &screen);
    fixture.put("sensor-0001", Trick::None);
    let screen = terminal.wait_for(&["passed 1", "enrolled"]);
    assert_as_kept("one-slot-pass.txt", &screen);
    terminal.keys(&["q"]);
    terminal.wait_for(&["1 passed, 0 failed", "ended with 0"]);
}

#[test]
fn what_is_scanned_is_seen_and_starts_the_run() {
    let station = Station::new();
    let (left, right) = (Fixture::empty(), Fixture::empty());
    slots(&station, &[("left", &left), ("right", &right)]);
    left.put("sensor-0001", Trick::None);
    right.put("sensor-0002", Trick::None);
    let arguments = "station --slots station.toml --start scan --endpoint mqtt.example:8883";
    let terminal = Terminal::open(&station, arguments);
    terminal.wait_for(&["SCAN", "sensor-0001", "sensor-0002"]);
    terminal.keys(&["sensor-0002"]);
    terminal.wait_for(&["scan: sensor-0002_"]);
    terminal.keys(&["Enter"]);
    terminal.wait_for(&["2 slots wait: scan the slot's name before sensor-0002"]);
    terminal.keys(&["right sensor-0002", "Enter"]);
    let screen = terminal.wait_for(&["passed 1", "waits for its scan"]);
    assert!(screen.contains("SCAN") && screen.contains("enrolled"), "{screen}");
}

#[test]
fn a_station_whose_terminal_is_closed_ends() {
    let station = Station::new();
    let fixture = Fixture::empty();
    slots(&station, &[("left", &fixture)]);
    let terminal =
        Terminal::open(&station, "station --slots station.toml --endpoint mqtt.example:8883");
    terminal.wait_for(&["waits for a device"]);
    let pid: u32 = terminal.tmux(&["display-message", "-p", "#{pane_pid}"]).trim().parse().unwrap();
    // The shell's child.
    let children = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(children).unwrap();
    let program = PathBuf::from("/proc").join(children.trim());
    assert!(program.exists(), "{children}");
    drop(terminal);
    let deadline = Instant::now() + Duration::from_secs(10);
    while program.exists() {
        assert!(Instant::now() < deadline, "it runs on");
        thread::sleep(Duration::from_millis(100));
    }
}

/// A device that takes nothing it is delivered until it may.
fn waiting(serial: &str, may: &Arc<AtomicBool>) -> PtyPort {
    let (mut device, may) = (impostor(serial, Trick::None), Arc::clone(may));
    let mut heard = 0;
    let until = Instant::now() + Duration::from_secs(60);
    PtyPort::serve(move |bytes| {
        // All questions before that are shorter together, and a delivery's first piece is longer.
        heard += bytes.len();
        while heard > 300 && !may.load(Ordering::Relaxed) && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
        }
        device.receive(bytes)
    })
    .unwrap()
}

#[test]
fn a_few_ports_have_a_bar_each() {
    let station = Station::new();
    let may = Arc::new(AtomicBool::new(false));
    let good = waiting("sensor-0001", &may);
    let (bad, _device) = device("sensor-0002", Trick::BrokenSelfSignature);
    let ports = [&good, &bad].map(|port| port.path().to_str().unwrap());
    let arguments = format!("--port {} {} --endpoint mqtt.example:8883", ports[0], ports[1]);
    let terminal = Terminal::open(&station, &arguments);
    let screen = terminal.wait_for(&["sensor-0001  recorded in the ledger", "FAIL  sensor-0002"]);
    let line = |port: &str| screen.lines().find(|line| line.starts_with(port)).unwrap_or_default();
    for port in ports {
        let words: Vec<&str> = line(port).split_whitespace().collect();
        assert!(words[1].starts_with('█') && words[1].chars().count() == 20, "{screen}");
        assert!(words[2].parse::<f64>().is_ok() && words[3] == "s", "{screen}");
    }
    assert!(line(ports[0]).contains('░'), "{screen}");
    may.store(true, Ordering::Relaxed);
    let screen = terminal.wait_for(&["PASS  sensor-0001", "ended with 12"]);
    // What is said stands above the bars, each bar once; a step has no line of its own.
    let results = [format!("{}: sensor-0001 enrolled", ports[0]), "\nhint: ".into()];
    assert!(results.iter().all(|result| screen.contains(result)), "{screen}");
    let bars = screen.lines().filter(|line| line.contains('█')).count();
    assert_eq!((bars, screen.contains(": found sensor")), (2, false), "{screen}");
}

#[test]
fn a_run_of_one_port_ends_below_its_bar() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::BrokenSelfSignature);
    let arguments = format!("--port {} --endpoint mqtt.example:8883", port.path().display());
    let terminal = Terminal::open(&station, &arguments);
    let screen = terminal.wait_for(&["FAIL  sensor-0001", "hint: ", "ended with 12"]);
    let begins = |text: &str| screen.lines().position(|line| line.starts_with(text));
    let bar = begins(port.path().to_str().unwrap());
    assert!(bar.is_some() && bar < begins("error: "), "{screen}");
}

#[test]
fn there_is_no_bar_where_none_is_wanted() {
    for (more, said) in
        [("--plain", ": found sensor-0001 (blank)"), ("--json", "\"event\":\"found\"")]
    {
        let station = Station::new();
        let (port, _device) = device("sensor-0001", Trick::None);
        let port = port.path().to_str().unwrap();
        let arguments = format!("{more} --port {port} --endpoint mqtt.example:8883");
        let terminal = Terminal::open(&station, &arguments);
        let screen = terminal.wait_for(&["ended with 0"]);
        // JSON is longer than a line.
        let screen = screen.replace('\n', "");
        assert!(screen.contains(said) && !screen.contains('░'), "{screen}");
    }
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let ran = station.enroll(&port, &[]);
    assert!(ran.stderr.contains(": found sensor-0001 (blank)\n"), "{ran:?}");
    assert!(!ran.stderr.contains(['█', '░', '\u{1b}']), "{ran:?}");
}
