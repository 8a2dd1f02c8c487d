//! A station that is killed at random moments, with simulated devices and everything that goes
//! wrong on a line; and what must be true when every device is sealed at last.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::cli::{Running, Station};
use crate::random::Random;

/// What to do.
#[derive(Debug, Clone)]
pub struct Kills {
    /// Devices to enroll.
    pub devices: u32,
    /// Ports they are put on.
    pub ports: u32,
    /// Times the station is killed, at least; it may take a few more until every device is sealed.
    pub times: u32,
    /// What faults and moments are drawn from.
    pub seed: u64,
    /// Longest life of a station, in milliseconds.
    pub life_ms_max: u64,
    /// Until when every device is to be sealed.
    pub within: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survived {
    /// Times the station was killed.
    pub kills: u32,
    /// Of these, while devices were still to be enrolled.
    pub kills_at_work: u32,
    /// Devices that were enrolled, each once.
    pub enrolled: usize,
    /// Power cuts at the devices.
    pub power_cuts: u64,
    /// Times a cable was pulled.
    pub cables_out: u64,
    /// Runs that the station reported as failed.
    pub failed_runs: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Kills {
    /// Runs it with this `provision`.
    ///
    /// # Errors
    ///
    /// What is not as it must be: a device that is not sealed, or stores something else than the
    /// ledger says; a certificate too many; or a program that could not be started.
    pub fn run(&self, program: &Path) -> io::Result<Survived> {
        let station = Station::with_ca(program)?;
        let began = Instant::now();
        let mut random = Random::new(self.seed);
        let mut line = self.simulate(&station)?;
        let log = station.path().join("station.log");
        let mut survived = Survived::default();
        loop {
            let sealed = line.0.try_wait()?.is_some();
            if sealed && survived.kills >= self.times {
                break;
            }
            if began.elapsed() > self.within {
                return Err(io::Error::other(format!(
                    "not every device is sealed after {} s and {} kills",
                    self.within.as_secs(),
                    survived.kills
                )));
            }
            // Once it was killed often enough it may work in peace.
            let life_ms = if survived.kills < self.times {
                random.below(self.life_ms_max)
            } else {
                self.life_ms_max * 8
            };
            let mut running = Running(self.serve(&station, &log)?);
            let until = Instant::now() + Duration::from_millis(life_ms);
            while Instant::now() < until && line.0.try_wait()?.is_none() {
                sleep(Duration::from_millis(20).min(until - Instant::now()));
            }
            running.0.kill()?;
            running.0.wait()?;
            survived.kills += 1;
            survived.kills_at_work += u32::from(line.0.try_wait()?.is_none());
        }
        survived.seconds = began.elapsed().as_secs_f64();
        survived.failed_runs = events(&log)?.filter(|event| event["event"] == "error").count();
        self.check(&station, &mut survived)?;
        Ok(survived)
    }

    /// The devices, as a process of their own that outlives every station.
    fn simulate(&self, station: &Station) -> io::Result<Running> {
        let [devices, seed] = [self.devices.to_string(), self.seed.to_string()];
        let what = ["--faults", "all", "--devices", &devices, "--seed", &seed];
        station.simulate(self.ports as usize, &what)
    }

    fn serve(&self, station: &Station, log: &Path) -> io::Result<Child> {
        let slots = ["--json", "station", "--slots", "line/station.toml"];
        let arguments = [&slots[..], &["--endpoint", "mqtt.example:8883"]].concat();
        let log = File::options().append(true).create(true).open(log)?;
        let mut command: Command = station.command(&arguments);
        command.stdout(log.try_clone()?).stderr(Stdio::null()).spawn()
    }

    /// Every device is sealed and stores the one certificate that the ledger has for it; there is no
    /// other certificate.
    fn check(&self, station: &Station, survived: &mut Survived) -> io::Result<()> {
        let wrong = |what: String| Err(io::Error::other(what));
        let mut stored = BTreeMap::new();
        for event in events(&station.path().join("line.log"))? {
            if event["event"] == "sealed" {
                survived.power_cuts += event["power_cuts"].as_u64().unwrap_or_default();
                let before = stored.insert(text(&event, "device"), text(&event, "leaf_sha256"));
                if before.is_some() {
                    return wrong(format!("sealed twice: {event}"));
                }
            }
            survived.cables_out += u64::from(event["event"] == "cable-out");
        }
        if stored.len() != self.devices as usize {
            return wrong(format!("{} of {} devices are sealed", stored.len(), self.devices));
        }
        let listed = station.run(&["--json", "ledger", "list"])?;
        for line in listed.stdout.lines() {
            let entry: Value = serde_json::from_str(line)?;
            if entry["state"] != "enrolled" {
                return wrong(format!("issued, and never enrolled: {entry}"));
            }
            match stored.remove(&text(&entry, "device")) {
                Some(leaf_sha256) if leaf_sha256 == text(&entry, "leaf_sha256") => {}
                Some(stored) => return wrong(format!("the device stores {stored}: {entry}")),
                None => return wrong(format!("an entry too many: {entry}")),
            }
            survived.enrolled += 1;
        }
        match stored.first_key_value() {
            None => Ok(()),
            Some((device, _)) => wrong(format!("{device} is sealed and not in the ledger")),
        }
    }
}

/// Events as far as they were written: a line that was cut off by a kill is left out.
pub(crate) fn events(log: &PathBuf) -> io::Result<impl Iterator<Item = Value>> {
    let text = fs::read_to_string(log)?;
    let lines: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(lines.into_iter())
}

pub(crate) fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}
