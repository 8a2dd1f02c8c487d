//! A station for a test, and devices on its ports.

use core::ops::Deref;
use core::time::Duration;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Instant;

use boon::{Compiler, SchemaIndex, Schemas};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use provision_testkit::cli::{self, Ran, Running};
use provision_testkit::impostor::{Impostor, Trick};
use provision_testkit::pty::PtyPort;
use provision_wire::{DeviceSerial, Stage};
use serde_json::Value;

/// A directory with `ca/`, and the CLI.
pub(crate) struct Station(cli::Station);

impl Deref for Station {
    type Target = cli::Station;

    fn deref(&self) -> &cli::Station {
        &self.0
    }
}

impl Station {
    pub(crate) fn new() -> Self {
        Self(cli::Station::with_ca(env!("CARGO_BIN_EXE_provision")).unwrap())
    }

    /// One without a CA.
    pub(crate) fn bare() -> Self {
        Self(cli::Station::empty(env!("CARGO_BIN_EXE_provision")).unwrap())
    }

    /// One with a client's `client/client.crt` and `client/client.key`, which is not encrypted.
    pub(crate) fn with_client() -> Self {
        let station = Self::new();
        let made = station.run(&["client-cert", "--name", "alice", "--insecure-plaintext-key"]);
        assert_eq!(made.code, 0, "{made:?}");
        station
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.0.run(arguments).unwrap()
    }

    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        change: impl Fn(&mut Command) -> &mut Command,
    ) -> Ran {
        self.0.run_with(arguments, change).unwrap()
    }

    /// Starts what goes on running, and gives what it prints.
    pub(crate) fn start(&self, arguments: &[&str]) -> (Running, BufReader<ChildStdout>) {
        let mut process = self.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        (Running(process), output)
    }

    /// Starts what goes on running, and follows its events: give `--json`.
    pub(crate) fn follow(&self, arguments: &[&str]) -> Following {
        let process = self.command(arguments).stdout(Stdio::piped()).spawn().unwrap();
        Following::of(process)
    }

    /// `provision --port … --endpoint …` and what else is given.
    pub(crate) fn enroll(&self, port: &PtyPort, more: &[&str]) -> Ran {
        let port = port.path().to_str().unwrap();
        let mut arguments = vec!["--port", port, "--endpoint", "10.0.2.100:8883"];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// (device, state, certificate serial) of every entry of the ledger.
    pub(crate) fn entries(&self) -> Vec<(String, String, String)> {
        let listed = self.run(&["--json", "ledger", "list"]);
        assert_eq!(listed.code, 0, "{listed:?}");
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        events(&listed)
            .iter()
            .map(|e| (text(e, "device"), text(e, "state"), text(e, "cert_serial")))
            .collect()
    }

    /// No device counts as enrolled.
    pub(crate) fn assert_none_enrolled(&self) {
        let entries = self.entries();
        assert!(entries.iter().all(|(_, state, _)| state == "issued"), "{entries:?}");
    }
}

/// The program while it runs, and its events.
pub(crate) struct Following {
    pub(crate) process: Running,
    lines: Receiver<String>,
    check: fn(&Value),
}

impl Following {
    /// Follows what was started with a pipe for its output.
    pub(crate) fn of(mut process: Child) -> Self {
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { process: Running(process), lines, check: |_| {} }
    }

    /// With each event held against the schema of the line's.
    pub(crate) fn documented(self) -> Self {
        Self { check: assert_documented, ..self }
    }

    /// The next event of which that is so.
    pub(crate) fn wait_for(&self, what: &str, mut is: impl FnMut(&Value) -> bool) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else { panic!("no {what} in {seen:?}") };
            let event = self.event(&line);
            if is(&event) {
                return event;
            }
            seen.push(event);
        }
    }

    fn event(&self, line: &str) -> Value {
        let event = serde_json::from_str(line).expect(line);
        (self.check)(&event);
        event
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.0.id().cast_signed()), signal).unwrap();
    }

    /// What is left of its events, and its exit code.
    pub(crate) fn end(mut self) -> (Vec<Value>, Option<i32>) {
        let events = self.lines.iter().map(|line| self.event(&line)).collect();
        (events, self.process.0.wait().unwrap().code())
    }
}

/// A holder on a port, whose device can be taken out.
pub(crate) struct Fixture {
    pub(crate) port: PtyPort,
    device: Arc<Mutex<Option<Impostor>>>,
}

impl Fixture {
    pub(crate) fn empty() -> Self {
        let device = Arc::new(Mutex::new(None::<Impostor>));
        let inside = Arc::clone(&device);
        let answer = move |bytes: &[u8]| {
            inside.lock().unwrap().as_mut().map(|device| device.receive(bytes)).unwrap_or_default()
        };
        Self { port: PtyPort::serve(answer).unwrap(), device }
    }

    pub(crate) fn path(&self) -> &str {
        self.port.path().to_str().unwrap()
    }

    /// Puts a device in, in place of one that is there.
    pub(crate) fn put(&self, serial: &str, trick: Trick) {
        *self.device.lock().unwrap() = Some(impostor(serial, trick));
    }

    pub(crate) fn take_out(&self) {
        self.device.lock().unwrap().take();
    }

    pub(crate) fn stage(&self) -> Option<Stage> {
        self.device.lock().unwrap().as_mut().and_then(Impostor::stage)
    }
}

/// Holds an event of the line against docs/events.schema.json.
pub(crate) fn assert_documented(event: &Value) {
    static SCHEMA: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
        let text = include_str!("../../../../docs/events.schema.json");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("events", serde_json::from_str(text).unwrap()).unwrap();
        let index = compiler.compile("events", &mut schemas).unwrap();
        (schemas, index)
    });
    let (schemas, index) = &*SCHEMA;
    if let Err(fault) = schemas.validate(event, *index) {
        panic!("{fault}: {event}");
    }
}

/// The JSON objects on standard output.
pub(crate) fn events(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A device. Its key follows from the letters of its serial, in whatever order.
pub(crate) fn impostor(serial: &str, trick: Trick) -> Impostor {
    let seed = serial.bytes().map(u64::from).sum();
    Impostor::new(&DeviceSerial::new(serial).unwrap(), seed, trick)
}

/// The same on a port, and a handle on it.
pub(crate) fn device(serial: &str, trick: Trick) -> (PtyPort, Arc<Mutex<Impostor>>) {
    on_a_port(impostor(serial, trick))
}

/// The same, with a key of this seed.
pub(crate) fn device_of_seed(
    serial: &str,
    seed: u64,
    trick: Trick,
) -> (PtyPort, Arc<Mutex<Impostor>>) {
    on_a_port(Impostor::new(&DeviceSerial::new(serial).unwrap(), seed, trick))
}

fn on_a_port(device: Impostor) -> (PtyPort, Arc<Mutex<Impostor>>) {
    let device = Arc::new(Mutex::new(device));
    let shared = Arc::clone(&device);
    let port = PtyPort::serve(move |bytes| shared.lock().unwrap().receive(bytes)).unwrap();
    (port, device)
}
