//! A factory and a cloud on one machine, with nothing mocked: the `provision` program with its CA
//! and ledger, nginx that demands client certificates, and emulated devices in between.
//!
//! ```no_run
//! use core::time::Duration;
//! use provision_testkit::cli::{built_firmware, built_program};
//! use provision_testkit::scene::Scene;
//!
//! let scene = Scene::open(built_program()?)?;
//! let firmware = built_firmware()?;
//! let device = scene.device(&firmware, "sensor-0001", "flash.bin".as_ref());
//!
//! let mut running = device.start()?;
//! assert_eq!(scene.enroll(running.line_port(), &[])?.code, 0);
//! running.kill()?;
//!
//! let running = device.start()?;
//! running.log().wait_for_line("http status=200", Duration::from_secs(60))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use core::net::{Ipv4Addr, SocketAddrV4};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::{Ran, Station};
use crate::qemu::{Machine, Network};
use crate::servers::{Nginx, ServerFiles};

/// Where devices find the cloud: an address on their emulated network.
pub const CLOUD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 100), 8883);

/// Station and cloud.
pub struct Scene {
    station: Station,
    cloud: Nginx,
}

impl Scene {
    /// Makes a CA and a server certificate with `program`, and starts nginx with them.
    ///
    /// # Errors
    ///
    /// What the program or nginx said.
    pub fn open(program: impl Into<PathBuf>) -> io::Result<Self> {
        Self::of(Station::with_ca(program)?)
    }

    /// Has a station with a CA make the server's certificate, and starts nginx with it.
    ///
    /// # Errors
    ///
    /// What the program or nginx said.
    pub fn of(station: Station) -> io::Result<Self> {
        let ip = CLOUD.ip().to_string();
        let made = station.run(&["server-cert", "--ip", &ip, "--out", "server"])?;
        if made.code != 0 {
            return Err(io::Error::other(made.stderr));
        }
        let read = |name: &str| fs::read_to_string(station.path().join(name));
        let files = ServerFiles {
            chain_pem: read("server/server.crt")?,
            key_pem: read("server/server.key")?,
            device_cas_pem: read("ca/device-ca-bundle.crt")?,
            crls_pem: None,
            ocsp_responder: None,
            crl_file: None,
        };
        let cloud = Nginx::start(Ipv4Addr::LOCALHOST, &files)?;
        Ok(Self { station, cloud })
    }

    /// The station.
    #[must_use]
    pub const fn station(&self) -> &Station {
        &self.station
    }

    /// The cloud.
    #[must_use]
    pub const fn cloud(&self) -> &Nginx {
        &self.cloud
    }

    /// An emulated Cortex-M4 with this firmware, serial and flash, on the cloud's network.
    #[must_use]
    pub fn device(&self, firmware: &Path, serial: &str, flash: &Path) -> Machine {
        self.connected(Machine::mps2_an386())
            .firmware(firmware)
            .flash_file(flash)
            .device_serial(serial)
    }

    /// Any device, on the cloud's network.
    #[must_use]
    pub fn connected(&self, device: Machine) -> Machine {
        device.network(Network::restricted_to(CLOUD, self.cloud.address()))
    }

    /// Runs `provision --port …` for a device that is to connect to the cloud.
    ///
    /// # Errors
    ///
    /// The program could not be started.
    pub fn enroll(&self, port: &Path, more: &[&str]) -> io::Result<Ran> {
        self.enroll_all(&[port], more)
    }

    /// The same for several devices at once.
    ///
    /// # Errors
    ///
    /// The program could not be started.
    pub fn enroll_all(&self, ports: &[&Path], more: &[&str]) -> io::Result<Ran> {
        let ports: Vec<_> = ports.iter().map(|port| port.display().to_string()).collect();
        let ports = ports.iter().flat_map(|port| ["--port", port]);
        let endpoint = CLOUD.to_string();
        let mut arguments: Vec<&str> = ports.chain(["--endpoint", &endpoint]).collect();
        arguments.extend_from_slice(more);
        self.station.run(&arguments)
    }
}
