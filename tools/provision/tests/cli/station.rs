//! A station for a test, and devices on its ports.

use core::ops::Deref;
use std::io::BufReader;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use provision_testkit::cli::{self, Ran};
use provision_testkit::impostor::{Impostor, Trick};
use provision_testkit::pty::PtyPort;
use provision_wire::DeviceSerial;
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

/// The program while it runs; killed when dropped.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The JSON objects on standard output.
pub(crate) fn events(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// A device on a port, and a handle on it. Its key follows from the letters of its serial, in
/// whatever order.
pub(crate) fn device(serial: &str, trick: Trick) -> (PtyPort, Arc<Mutex<Impostor>>) {
    device_of_seed(serial, serial.bytes().map(u64::from).sum(), trick)
}

/// The same, with a key of this seed.
pub(crate) fn device_of_seed(
    serial: &str,
    seed: u64,
    trick: Trick,
) -> (PtyPort, Arc<Mutex<Impostor>>) {
    let serial = DeviceSerial::new(serial).unwrap();
    let device = Arc::new(Mutex::new(Impostor::new(&serial, seed, trick)));
    let shared = Arc::clone(&device);
    let port = PtyPort::serve(move |bytes| shared.lock().unwrap().receive(bytes)).unwrap();
    (port, device)
}
