//! Stations that are killed at random moments, with simulated devices and everything that goes
//! wrong on a line; and what must be true when every device is sealed at last.
//!
//! The ledger is one station's file, or a PostgreSQL that two stations share: then the server loses
//! its power again and again too, it is stopped where it is, and the network between is cut or falls
//! silent. With a file of its own (`--fallback`) a station goes on through that.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, sleep};
use std::time::Instant;

use serde_json::Value;

use crate::cli::{Running, Station};
use crate::random::Random;
use crate::relay::{Network, Relay};
use crate::servers::Postgres;

/// How often is looked whether anything ended.
const LOOK_EACH: Duration = Duration::from_millis(20);
/// The lot that all devices are made in.
const LOT: &str = "KILLS";

/// What to do.
#[derive(Debug, Clone)]
pub struct Kills {
    /// Devices to enroll.
    pub devices: u32,
    /// Ports they are put on.
    pub ports: u32,
    /// Times a station is killed, at least; it may take a few more until every device is sealed.
    pub times: u32,
    /// What faults and moments are drawn from.
    pub seed: u64,
    /// Longest life of a station, in milliseconds.
    pub life_ms_max: u64,
    /// Until when every device is to be sealed.
    pub within: Duration,
    /// Two stations with half of the ports each, and one PostgreSQL, instead of one and a file.
    pub postgres: bool,
    /// With PostgreSQL: each station has a file in which it goes on by itself.
    pub fallback: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survived {
    /// Times a station was killed.
    pub kills: u32,
    /// Of these, while devices were still to be enrolled.
    pub kills_at_work: u32,
    /// Times a station ended by itself: it does without a ledger.
    pub stops: u32,
    /// Devices that were enrolled, each once.
    pub enrolled: usize,
    /// Power cuts at the devices.
    pub power_cuts: u64,
    /// Times a cable was pulled.
    pub cables_out: u64,
    /// Times the database lost its power.
    pub database_crashes: u32,
    /// Times the database was stopped where it was, and let go on.
    pub database_freezes: u32,
    /// Times the way to the database was cut, or silent.
    pub network_outages: u32,
    /// Times a station went on by itself.
    pub alone: usize,
    /// Certificates that stations issued by themselves, as far as they said so before they were
    /// killed.
    pub brought: u64,
    /// Runs that a station reported as failed.
    pub failed_runs: usize,
    /// Of these, for what the ledger said.
    pub ledger_faults: usize,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What the threads of a campaign tell each other.
struct Shared {
    began: Instant,
    within: Duration,
    /// Every device is.
    sealed: AtomicBool,
    /// Something is not as it must be: all are to end.
    failed: AtomicBool,
    kills: AtomicU32,
    stops: AtomicU32,
    kills_at_work: AtomicU32,
}

impl Shared {
    fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Relaxed)
    }

    fn is_over(&self, times: u32) -> bool {
        let killed = self.kills.load(Ordering::Relaxed);
        self.failed.load(Ordering::Relaxed) || self.is_sealed() && killed >= times
    }

    /// Ends it all if it takes too long.
    fn check_time(&self) -> io::Result<()> {
        if self.began.elapsed() < self.within {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "not every device is sealed after {} s and {} kills",
            self.within.as_secs(),
            self.kills.load(Ordering::Relaxed)
        )))
    }
}

impl Kills {
    /// Runs it with this `provision`.
    ///
    /// # Errors
    ///
    /// What is not as it must be: a device that is not sealed, or stores something else than the
    /// ledger says; a certificate too many; a ledger that does not verify; a quota that is not used
    /// up; or a program that could not be started.
    pub fn run(&self, program: &Path) -> io::Result<Survived> {
        let station = Station::with_ca(program)?;
        let mut database = if self.postgres { Some(Postgres::start()?) } else { None };
        let relay = database.as_ref().map(|server| Relay::to(server.address())).transpose()?;
        let ledger = match (&database, &relay) {
            (Some(server), Some(relay)) => vec![
                // What is asked at the end goes straight there.
                server.tls_url(),
                server.tls_url_by(relay.address()),
            ],
            _ => Vec::new(),
        };
        let direct = Books { station: &station, ledger: ledger.first().map(String::as_str) };
        if self.postgres {
            direct.ask(&["ledger", "create"])?;
        }
        let quota = self.devices.to_string();
        direct.ask(&["lot", "create", "--id", LOT, "--quota", &quota])?;

        let mut random = Random::new(self.seed);
        let mut line = self.simulate(&station)?;
        let stations = self.stations(&station, ledger.get(1).map(String::as_str))?;
        let shared = Shared {
            began: Instant::now(),
            within: self.within,
            sealed: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            kills: AtomicU32::new(0),
            stops: AtomicU32::new(0),
            kills_at_work: AtomicU32::new(0),
        };
        let mut survived = Survived::default();
        thread::scope(|scope| {
            let serving: Vec<_> = stations
                .iter()
                .map(|arguments| {
                    let seed = random.bits();
                    let (shared, station) = (&shared, &station);
                    scope.spawn(move || {
                        let served = self.serve(station, arguments, shared, Random::new(seed));
                        shared.failed.fetch_or(served.is_err(), Ordering::Relaxed);
                        served
                    })
                })
                .collect();
            let watched = loop {
                let sealed = line.0.try_wait().map(|ended| ended.is_some());
                let seen = sealed.and_then(|sealed| {
                    shared.sealed.store(sealed, Ordering::Relaxed);
                    match (&mut database, &relay) {
                        (Some(server), Some(relay)) => {
                            disturb(server, relay, &mut random, &mut survived)
                        }
                        _ => {
                            sleep(LOOK_EACH);
                            Ok(())
                        }
                    }
                });
                let seen = seen.and_then(|()| shared.check_time());
                if seen.is_err() || shared.is_over(self.times) {
                    shared.failed.fetch_or(seen.is_err(), Ordering::Relaxed);
                    break seen;
                }
            };
            for served in serving {
                served.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))?;
            }
            watched
        })?;
        survived.kills = shared.kills.into_inner();
        survived.stops = shared.stops.into_inner();
        survived.kills_at_work = shared.kills_at_work.into_inner();
        survived.seconds = shared.began.elapsed().as_secs_f64();
        for event in events(&station.path().join("station.log"))? {
            survived.failed_runs += usize::from(event["event"] == "error");
            survived.ledger_faults += usize::from(event["exit_code"] == LEDGER_FAILED);
            survived.alone += usize::from(event["alone"] == true);
            survived.brought += event["certificates"].as_u64().unwrap_or_default();
        }
        if self.fallback {
            survived.brought += settle(&direct)?;
        }
        self.check(&direct, &mut survived)?;
        Ok(survived)
    }

    /// The devices, as a process of their own that outlives every station.
    fn simulate(&self, station: &Station) -> io::Result<Running> {
        let [devices, seed] = [self.devices.to_string(), self.seed.to_string()];
        let what = ["--faults", "all", "--devices", &devices, "--seed", &seed];
        station.simulate(self.ports as usize, &what)
    }

    /// The command line of each station. Each has a copy of the CA, and signs the ledger with a key
    /// of its own.
    fn stations(&self, station: &Station, ledger: Option<&str>) -> io::Result<Vec<Vec<String>>> {
        let at = |name: &str| station.path().join(name);
        let slots = fs::read_to_string(at("line/station.toml"))?;
        let slots: Vec<&str> = slots.split("[[slot]]").skip(1).collect();
        let count = if self.postgres { 2 } else { 1 };
        let mut stations = Vec::new();
        for (number, slots) in slots.chunks(slots.len().div_ceil(count)).enumerate() {
            let (ca, file) = (format!("ca-{number}"), format!("station-{number}.toml"));
            let text: String = slots.iter().map(|slot| format!("[[slot]]{slot}")).collect();
            fs::write(at(&file), text)?;
            let mut words = vec!["--json", "station", "--slots", &file, "--lot", LOT];
            words.extend(["--endpoint", "mqtt.example:8883"]);
            if let Some(ledger) = ledger {
                fs::create_dir(at(&ca))?;
                for entry in fs::read_dir(at("ca"))? {
                    let entry = entry?;
                    if entry.file_name() != "station.key" {
                        fs::copy(entry.path(), at(&ca).join(entry.file_name()))?;
                    }
                }
                words.extend(["--ca", &ca, "--ledger", ledger]);
            }
            let file = own_file(number);
            if self.fallback {
                words.extend(["--fallback", &file, "--lease", "20"]);
            }
            stations.push(words.into_iter().map(Into::into).collect());
        }
        Ok(stations)
    }

    /// Starts a station and kills it, again and again.
    fn serve(
        &self,
        station: &Station,
        arguments: &[String],
        shared: &Shared,
        mut random: Random,
    ) -> io::Result<()> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let log = station.path().join("station.log");
        let log = File::options().append(true).create(true).open(log)?;
        while !shared.is_over(self.times) {
            // Once they were killed often enough they may work in peace.
            let life_ms = if shared.kills.load(Ordering::Relaxed) < self.times {
                random.below(self.life_ms_max)
            } else {
                self.life_ms_max * 8
            };
            let mut command: Command = station.command(&arguments);
            command.stdout(log.try_clone()?).stderr(Stdio::null());
            let mut running = Running(command.spawn()?);
            let until = Instant::now() + Duration::from_millis(life_ms);
            while Instant::now() < until && !shared.is_sealed() && running.0.try_wait()?.is_none() {
                sleep(LOOK_EACH);
            }
            // Without a ledger it ends by itself, and whoever stands by starts it again.
            if running.0.try_wait()?.is_some() {
                sleep(RESTARTED_AFTER);
                shared.stops.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            running.0.kill()?;
            running.0.wait()?;
            shared.kills.fetch_add(1, Ordering::Relaxed);
            shared.kills_at_work.fetch_add(u32::from(!shared.is_sealed()), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Every device is sealed and stores the one certificate that the ledger has for it; there is no
    /// other certificate, the quota is used up, and the ledger verifies.
    fn check(&self, books: &Books<'_>, survived: &mut Survived) -> io::Result<()> {
        let wrong = |what: String| Err(io::Error::other(what));
        let mut stored = BTreeMap::new();
        for event in events(&books.station.path().join("line.log"))? {
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
        for entry in books.ask(&["ledger", "list", "--devices"])? {
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
        if let Some((device, _)) = stored.first_key_value() {
            return wrong(format!("{device} is sealed and not in the ledger"));
        }
        books.ask(&["ledger", "verify"])?;
        let lots = books.ask(&["lot", "show", "--id", LOT])?;
        match lots.as_slice() {
            [lot]
                if lot["used"] == self.devices
                    && lot["enrolled"] == self.devices
                    && lot["leased"] == 0 =>
            {
                Ok(())
            }
            other => wrong(format!("the quota was {}: {other:?}", self.devices)),
        }
    }
}

/// The ledger, as the program knows it.
struct Books<'a> {
    station: &'a Station,
    ledger: Option<&'a str>,
}

impl Books<'_> {
    /// What the program answers, which must be good.
    fn ask(&self, arguments: &[&str]) -> io::Result<Vec<Value>> {
        let mut words = [&["--json"], arguments].concat();
        if let Some(ledger) = self.ledger {
            words.extend(["--ledger", ledger]);
        }
        let ran = self.station.run(&words)?;
        if ran.code != 0 {
            return Err(io::Error::other(format!("{arguments:?}: {} {}", ran.stdout, ran.stderr)));
        }
        ran.stdout.lines().map(|line| serde_json::from_str(line).map_err(Into::into)).collect()
    }
}

/// Brings what the stations have left to tell to the server, and gives back what they leased. How
/// many certificates that were.
fn settle(books: &Books<'_>) -> io::Result<u64> {
    let mut brought = 0;
    for number in 0..2 {
        let (file, ca) = (own_file(number), format!("ca-{number}"));
        // And again: then there is nothing.
        for again in [false, true] {
            let merge = ["ledger", "merge", "--fallback", &file, "--ca", &ca];
            let merged = books.ask(&merge)?.pop().unwrap_or_default();
            let certificates = merged["certificates"].as_u64().unwrap_or_default();
            if again && (certificates != 0 || merged["proofs"] != 0 || merged["returned"] != 0) {
                return Err(io::Error::other(format!("there was more to merge: {merged}")));
            }
            brought += certificates;
        }
        Books { station: books.station, ledger: Some(&file) }.ask(&["ledger", "verify"])?;
    }
    let conflicts = books.ask(&["ledger", "conflicts"])?;
    if conflicts.is_empty() {
        return Ok(brought);
    }
    Err(io::Error::other(format!("conflicts: {conflicts:?}")))
}

/// The file in which a station goes on by itself.
fn own_file(number: usize) -> String {
    format!("own-{number}.db")
}

/// Leaves the database in peace for a moment; then one thing goes wrong with it, for as long.
fn disturb(
    server: &mut Postgres,
    relay: &Relay,
    random: &mut Random,
    survived: &mut Survived,
) -> io::Result<()> {
    let mut pause = || sleep(Duration::from_millis(random.below(PEACE_MS)));
    pause();
    pause();
    let what = random.below(4);
    let outage = Duration::from_millis(random.below(PEACE_MS));
    match what {
        0 => {
            server.crash();
            sleep(outage);
            server.go_on()?;
            survived.database_crashes += 1;
        }
        3 => {
            server.freeze()?;
            sleep(2 * outage);
            server.thaw()?;
            survived.database_freezes += 1;
        }
        cut => {
            relay.set(if cut == 1 { Network::Cut } else { Network::Silent });
            sleep(outage);
            relay.set(Network::Up);
            survived.network_outages += 1;
        }
    }
    Ok(())
}

/// Longest time that nothing happens to the database, and the longest that something lasts, in
/// milliseconds.
const PEACE_MS: u64 = 2000;
/// How long it takes until a station that ended by itself is started again.
const RESTARTED_AFTER: Duration = Duration::from_millis(200);
/// Exit code of a program whose ledger fails.
const LEDGER_FAILED: i32 = 15;

/// Events as far as they were written: a line that was cut off by a kill is left out.
fn events(log: &PathBuf) -> io::Result<impl Iterator<Item = Value>> {
    let text = fs::read_to_string(log)?;
    let lines: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok(lines.into_iter())
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}
