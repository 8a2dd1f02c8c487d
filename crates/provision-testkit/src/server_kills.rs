//! Two stations over one PostgreSQL. All three are killed at random moments, and the server is
//! stopped where it is, too; and what must be true when every device is sealed at last.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Instant;

use serde_json::Value;

use crate::cli::{Ran, Running, Station};
use crate::kills::{events, text};
use crate::random::Random;
use crate::servers::Postgres;

/// What to do.
#[derive(Debug, Clone)]
pub struct ServerKills {
    /// Devices to enroll, by both stations together: as many as the lot has places.
    pub devices: u32,
    /// Ports they are put on, of both stations together.
    pub ports: u32,
    /// Times a station is killed, at least, of both stations together.
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
pub struct ServerSurvived {
    /// Times a station was killed.
    pub kills: u32,
    /// Times the server was killed and started again.
    pub crashes: u32,
    /// Times the server was stopped where it was, and let go on.
    pub freezes: u32,
    /// Times a station went on by itself.
    pub alone: usize,
    /// Certificates that a station issued by itself and brought to the server while it ran.
    pub brought: u64,
    /// Devices that were enrolled, each once.
    pub enrolled: usize,
    /// Runs that a station reported as failed.
    pub failed_runs: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// A station, its devices, and the file in which it goes on by itself.
struct Side {
    station: Station,
    line: Running,
    running: Option<Running>,
    dies_at: Instant,
}

/// What the server does, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Works,
    Down,
    Frozen,
}

impl ServerKills {
    /// Runs it with this `provision`.
    ///
    /// # Errors
    ///
    /// What is not as it must be: a device that is not sealed, or stores something else than the
    /// ledger says; a certificate or a place too many; a ledger that does not verify; a conflict;
    /// or a program that could not be started.
    pub fn run(&self, program: &Path) -> io::Result<ServerSurvived> {
        let (mut server, mut random) = (Postgres::start()?, Random::new(self.seed));
        let url = server.url();
        let mut sides = self.sides(program, &url)?;
        let mut survived = ServerSurvived::default();
        let (began, mut state) = (Instant::now(), Server::Works);
        let mut changes_at = began + Duration::from_millis(random.below(3000));
        while sides.iter_mut().any(Side::has_work) || survived.kills < self.times {
            if began.elapsed() > self.within {
                let report = format!("not every device is sealed after {survived:?}");
                return Err(io::Error::other(report));
            }
            if Instant::now() >= changes_at {
                let ms;
                (state, ms) = match (state, random.below(2)) {
                    (Server::Works, 0) => {
                        server.crash();
                        survived.crashes += 1;
                        (Server::Down, random.below(2500))
                    }
                    (Server::Works, _) => {
                        server.freeze()?;
                        survived.freezes += 1;
                        (Server::Frozen, random.below(4000))
                    }
                    (Server::Down, _) => {
                        server.go_on()?;
                        (Server::Works, 1000 + random.below(5000))
                    }
                    (Server::Frozen, _) => {
                        server.thaw()?;
                        (Server::Works, 1000 + random.below(5000))
                    }
                };
                changes_at = Instant::now() + Duration::from_millis(ms);
            }
            for side in &mut sides {
                let life_ms = if survived.kills < self.times {
                    random.below(self.life_ms_max)
                } else {
                    self.life_ms_max * 4
                };
                survived.kills += u32::from(side.step(&url, life_ms)?);
            }
            sleep(Duration::from_millis(20));
        }
        match state {
            Server::Works => {}
            Server::Down => server.go_on()?,
            Server::Frozen => server.thaw()?,
        }
        survived.seconds = began.elapsed().as_secs_f64();
        for side in &mut sides {
            side.running = None;
        }
        self.check(&sides, &url, &mut survived)?;
        Ok(survived)
    }

    /// Two machines with the same CA, each with a key and a file of its own.
    fn sides(&self, program: &Path, url: &str) -> io::Result<[Side; 2]> {
        let first = Station::with_ca(program)?;
        let second = Station::empty(program)?;
        fs::create_dir(second.path().join("ca"))?;
        for file in fs::read_dir(first.path().join("ca"))? {
            let file = file?;
            if !file.file_name().to_string_lossy().starts_with("ledger") {
                fs::copy(file.path(), second.path().join("ca").join(file.file_name()))?;
            }
        }
        let quota = self.devices.to_string();
        good(&first.run(&["ledger", "create", "--ledger", url])?)?;
        let lot = ["lot", "create", "--id", LOT, "--quota", &quota, "--ledger", url];
        good(&first.run(&lot)?)?;
        // The first has made the server's first entry: the second makes a key of its own.
        let half = self.devices / 2;
        let side = |station: Station, devices: u32, prefix: &str, seed: u64| -> io::Result<Side> {
            let [devices, seed] = [devices.to_string(), seed.to_string()];
            let what = ["--faults", "all", "--devices", &devices, "--seed", &seed];
            let what = [&what[..], &["--prefix", prefix]].concat();
            let line = station.simulate((self.ports / 2).max(1) as usize, &what)?;
            Ok(Side { station, line, running: None, dies_at: Instant::now() })
        };
        Ok([
            side(first, half, "a-", self.seed)?,
            side(second, self.devices - half, "b-", self.seed + 1)?,
        ])
    }

    fn check(&self, sides: &[Side; 2], url: &str, survived: &mut ServerSurvived) -> io::Result<()> {
        let wrong = |what: String| Err(io::Error::other(what));
        let mut stored = BTreeMap::new();
        for Side { station, .. } in sides {
            // What is left to be told; then there is nothing.
            for again in [false, true] {
                let merge = ["--json", "ledger", "merge", "--fallback", FILE, "--ledger", url];
                let merged = station.run(&merge)?;
                good(&merged)?;
                let merged: Value = serde_json::from_str(merged.stdout.trim())?;
                if again && (merged["certificates"] != 0 || merged["proofs"] != 0) {
                    return wrong(format!("there was more to merge: {merged}"));
                }
            }
            good(&station.run(&["ledger", "verify", "--ledger", FILE])?)?;
            for event in events(&station.path().join("line.log"))? {
                if event["event"] == "sealed"
                    && stored.insert(text(&event, "device"), text(&event, "leaf_sha256")).is_some()
                {
                    return wrong(format!("sealed twice: {event}"));
                }
            }
            for event in events(&station.path().join("station.log"))? {
                survived.failed_runs += usize::from(event["event"] == "error");
                survived.alone += usize::from(event["alone"] == true);
                survived.brought += event["certificates"].as_u64().unwrap_or_default();
            }
        }
        if stored.len() != self.devices as usize {
            return wrong(format!("{} of {} devices are sealed", stored.len(), self.devices));
        }
        let station = &sides[0].station;
        good(&station.run(&["ledger", "verify", "--ledger", url])?)?;
        let conflicts = station.run(&["--json", "ledger", "conflicts", "--ledger", url])?;
        if !conflicts.stdout.is_empty() {
            return wrong(format!("conflicts: {}", conflicts.stdout));
        }
        let lot = station.run(&["--json", "lot", "show", "--id", LOT, "--ledger", url])?;
        let lot: Value = serde_json::from_str(lot.stdout.trim())?;
        if lot["used"] != self.devices || lot["enrolled"] != self.devices || lot["leased"] != 0 {
            return wrong(format!("the quota is not exact: {lot}"));
        }
        let listed = station.run(&["--json", "ledger", "list", "--ledger", url])?;
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

impl Side {
    fn has_work(&mut self) -> bool {
        matches!(self.line.0.try_wait(), Ok(None))
    }

    /// Kills the station if its time has come, and starts it if it is not there. Whether it was
    /// killed.
    fn step(&mut self, url: &str, life_ms: u64) -> io::Result<bool> {
        let now = Instant::now();
        if let Some(running) = &mut self.running {
            if running.0.try_wait()?.is_some() {
                // It ended by itself: without its server, and without a lease.
                self.running = None;
                return Ok(false);
            }
            if now < self.dies_at {
                return Ok(false);
            }
            running.0.kill()?;
            running.0.wait()?;
            self.running = None;
            return Ok(true);
        }
        self.running = Some(Running(self.serve(url)?));
        self.dies_at = now + Duration::from_millis(life_ms);
        Ok(false)
    }

    fn serve(&self, url: &str) -> io::Result<Child> {
        let slots = ["--json", "station", "--slots", "line/station.toml"];
        let plan = ["--endpoint", "mqtt.example:8883", "--lot", LOT];
        let ledger = ["--ledger", url, "--fallback", FILE, "--lease", "20"];
        let log = self.station.path().join("station.log");
        let log = File::options().append(true).create(true).open(log)?;
        let mut command = self.station.command(&[&slots[..], &plan, &ledger].concat());
        command.stdout(log.try_clone()?).stderr(Stdio::null()).spawn()
    }
}

fn good(ran: &Ran) -> io::Result<()> {
    if ran.code == 0 { Ok(()) } else { Err(io::Error::other(format!("{ran:?}"))) }
}

const LOT: &str = "W47";
const FILE: &str = "own.db";
