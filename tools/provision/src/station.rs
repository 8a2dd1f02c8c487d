//! `provision station`: enrolls what comes, on many ports, until it is told to end.
//!
//! ```text
//!   slots      which slots there are: from the command line, a file, and what is plugged in
//!   slot       one thread a slot: waits for a port, a device, perhaps a scan; runs; waits until
//!              the device is taken out
//!   scan       what the operator scans or types, and for which slot that is
//!   screen     what the operator sees, on a terminal
//!   tally      what has come of it so far
//!   watch      whether the ledger's server is there again, and how full the lot is, while no device
//!              asks for it
//! ```
//!
//! Slots tell the one thread that prints what they do; they share nothing but the CA and the
//! ledger.

mod scan;
mod screen;
mod slot;
mod slots;
mod tally;
mod watch;

use core::time::Duration;
use std::io::{BufRead as _, IsTerminal as _, stdin};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Instant;

use clap::{Args, ValueEnum};
use provision_ledger::Lot;
use provision_station::exchange::Patience;
use serde_json::json;

use crate::books::Books;
use crate::ending::Ending;
use crate::fault::Fault;
use crate::job::{Job, JobArguments, Reset};
use crate::kept::{Keeper, Kept, Lost};
use crate::line_ledger;
use crate::report::{At, Report};

use scan::{Given, Scans};
use screen::{Screen, Wish};
use slot::{Shared, Told};
use slots::{Slot, Wanted};
use watch::Watch;

pub(crate) use slot::State;
pub(crate) use slots::location_of;
pub(crate) use tally::Tally;

/// How often is looked for what was plugged in.
const LOOK_EACH: Duration = Duration::from_millis(500);
/// How often a screen is drawn at least.
const DRAW_EACH: Duration = Duration::from_millis(200);

/// Said once, with `--start scan`.
const NO_MORE_SCANS: &str = "standard input has ended: no scan can come any more, so the station ends; \
    a scanner types into a terminal, or is piped into this program";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  provision station --ports /dev/ttyUSB0 /dev/ttyUSB1 --endpoint mqtt.acme.com:8883
  provision station --ports 'usb:*' --endpoint mqtt.acme.com:8883 --json
  provision station --slots station.toml --start scan --endpoint mqtt.acme.com:8883

station.toml names fixtures by where they are plugged in:
  [[slot]]
  name = \"left\"
  usb = \"1-2.3\"            # as `provision ports` shows it; or  port = \"/dev/ttyS0\"

Ctrl-C lets devices under way finish; a second one leaves them where they are, which is safe: run
them again.")]
pub(crate) struct Station {
    /// Ports to serve: paths, paths with `*`, or `usb:` and a USB location, `usb:*` for all.
    #[arg(long, value_name = "PORT", num_args = 1..)]
    pub ports: Vec<String>,

    /// File with the station's slots and their names (TOML).
    #[arg(long, value_name = "FILE")]
    pub slots: Option<PathBuf>,

    /// When a run begins: `plug`, as soon as a device answers; `scan`, once its serial was scanned
    /// or typed, and only for that device. Where several slots wait, the slot's name comes first.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Start::Plug)]
    pub start: Start,

    /// End after so many devices have passed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,

    /// Runs more for a device that went silent or was reset, while it stays in the fixture.
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub retries: u32,

    /// On a terminal too, tell of each event on a line instead of showing a screen.
    #[arg(long)]
    pub plain: bool,

    #[command(flatten)]
    pub job: JobArguments,
}

/// When a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Start {
    /// As soon as a device answers.
    Plug,
    /// Once its serial was scanned.
    Scan,
}

/// What the thread that prints hears of.
enum News {
    Slot {
        slot: Slot,
        port: String,
        told: Told,
    },
    Scanned(String),
    /// What is scanned has come to its end.
    NoMoreScans,
    Unrecorded {
        slot: Slot,
        port: String,
        fault: Fault,
    },
}

pub(crate) fn run(arguments: &Station, report: &mut Report) -> Result<(), Fault> {
    report.by(arguments.job.operator.as_ref());
    let mut wanted = Wanted::new(&arguments.ports, arguments.slots.as_deref())?;
    // Who came this far has answered a moment ago, unless it is reset first.
    let wait_ms = if arguments.job.ports.reset == Reset::None { 3_000 } else { 10_000 };
    let hello = Patience::with_hello(wait_ms, 500, arguments.job.ports.pace());
    let job = Job::open(&arguments.job, hello)?;
    let kept = Kept::open(&arguments.job, &job)?;
    let ending = Ending::on_signals()?;
    let shared = Shared {
        job,
        ending: ending.clone(),
        scans: Scans::new(arguments.start == Start::Scan),
        ports: &arguments.job.ports,
        retries: arguments.retries,
    };
    let (mut tally, mut lost) = (Tally::default(), Lost::default());
    let scans = arguments.start == Start::Scan;
    // A scanner that is no terminal types into a pipe.
    let typed = !scans || stdin().is_terminal();
    let mut screen = (report.is_watched() && typed && !arguments.plain)
        .then(|| {
            let JobArguments { lot, operator, .. } = &arguments.job;
            Screen::open(lot.as_ref().map(Lot::as_str), operator.as_ref(), scans)
        })
        .transpose()?;
    let (watch, mut unsaid) = (Watch::default(), None);
    let stopped_by = thread::scope(|scope| {
        if shared.job.books.have_a_server() || screen.is_some() {
            scope.spawn(|| watch.run(&shared.job.books, &ending));
        }
        let mut work = || -> Result<Option<u8>, Fault> {
            let (tell, news) = mpsc::channel();
            if scans && screen.is_none() {
                listen_for_scans(tell.clone());
            }
            let (mut serving, mut stopped_by) = (0_usize, None);
            let (mut look_at, mut has_looked) = (Instant::now(), false);
            let mut scans_ended = false;
            loop {
                tell_of_server(&shared.job.books, screen.as_mut(), report)?;
                // What was scanned by then is run.
                if scans_ended && !ending.is_wished() && !shared.scans.are_pending() {
                    report.warning(NO_MORE_SCANS, json!({}))?;
                    ending.after_runs();
                }
                if let Some(fault) = watch.found() {
                    stopped_by.get_or_insert(fault.exit_code());
                    ending.after_runs();
                    match &mut screen {
                        Some(screen) => {
                            screen.stop(&fault);
                            unsaid = Some(fault);
                        }
                        None => report.fault(None, &fault),
                    }
                }
                if !ending.is_wished() && Instant::now() >= look_at {
                    look_at = Instant::now() + LOOK_EACH;
                    let (slots, fault) = wanted.look();
                    if fault.is_none()
                        && !core::mem::replace(&mut has_looked, true)
                        && let Some(text) = wanted.none_yet()
                    {
                        match &mut screen {
                            Some(screen) => screen.note(&text),
                            None => report.warning(&text, json!({}))?,
                        }
                    }
                    match (&mut screen, fault) {
                        (_, None) => {}
                        (Some(screen), Some(fault)) => screen.note(&fault.to_string()),
                        (None, Some(fault)) => report.fault(None, &fault),
                    }
                    for slot in slots {
                        serving += 1;
                        let (shared, tell, kept) = (&shared, tell.clone(), &kept);
                        scope.spawn(move || {
                            let ended = Ended { slot, tell };
                            let name = ended.slot.name();
                            let mut keeper = Keeper::new(kept, &shared.job.books, Some(name));
                            slot::serve(&ended.slot, shared, |port, told| {
                                // Before anybody is told: who sees PASS can count on the record,
                                // and on the label.
                                let lost = keep(&mut keeper, port, &told);
                                ended.tell(port, told);
                                for fault in lost {
                                    ended.unrecorded(port, fault);
                                }
                            });
                        });
                    }
                }
                if serving == 0 && ending.is_wished() {
                    return Ok(stopped_by);
                }
                let mut next = match news.recv_timeout(DRAW_EACH) {
                    Ok(news) => Some(news),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return Ok(stopped_by),
                };
                // All that has come is taken in before anything is drawn.
                while let Some(told) = next {
                    // Before what came of it: a run that was made alone passes after that was said.
                    tell_of_server(&shared.job.books, screen.as_mut(), report)?;
                    let result = match told {
                        News::Scanned(text) => {
                            scanned(&shared.scans, &text, screen.as_mut(), report)
                        }
                        News::NoMoreScans => {
                            scans_ended = true;
                            Ok(())
                        }
                        News::Unrecorded { slot, port, fault } => {
                            lost.count(&fault);
                            let at = At { slot: Some(slot.name()), port: &port };
                            match &mut screen {
                                Some(screen) => {
                                    screen.note(&format!("{}: {fault}", slot.name()));
                                    Ok(())
                                }
                                None => report.unrecorded(at, &fault),
                            }
                        }
                        News::Slot { told: Told::Ended, .. } => {
                            serving -= 1;
                            Ok(())
                        }
                        News::Slot { slot, port, told } => {
                            let at = At { slot: Some(slot.name()), port: &port };
                            count(&told, slot.name(), &mut tally, &mut stopped_by);
                            match &mut screen {
                                Some(screen) => {
                                    screen.take(slot.name(), &told);
                                    Ok(())
                                }
                                None => tell_of(at, &told, report),
                            }
                        }
                    };
                    result?;
                    if stopped_by.is_some() || tally.is(arguments.stop_after) {
                        ending.after_runs();
                    }
                    next = news.try_recv().ok();
                }
                if let Some(screen) = &mut screen {
                    for wish in screen.wishes() {
                        match wish {
                            Wish::End => {
                                ending.wish();
                                screen.note("ends; once more leaves devices where they are");
                            }
                            Wish::Scanned(text) => {
                                scanned(&shared.scans, &text, Some(screen), report)?;
                            }
                        }
                    }
                    screen.draw(&tally, watch.lot())?;
                }
            }
        };
        let result = work();
        // However it ends, the slots end too: they would be waited for.
        ending.after_runs();
        result
    });
    drop(screen);
    let closed = shared.job.books.close();
    let mut stopped_by = stopped_by?;
    // Shown on a screen that is gone now, or found while the last slots ended.
    for fault in unsaid.into_iter().chain(watch.found()) {
        stopped_by.get_or_insert(fault.exit_code());
        report.fault(None, &fault);
    }
    for news in shared.job.books.news() {
        line_ledger::tell(&news, report)?;
    }
    report.station(&tally)?;
    let result = match (stopped_by, lost.fault()) {
        (None, Some(lost)) => Err(lost),
        (None, None) => return closed,
        (Some(exit_code), _) => Err(Fault::StationStopped { exit_code }),
    };
    if let Err(fault) = closed {
        report.fault(None, &fault);
    }
    result
}

/// What there is to hear of the ledger's server.
fn tell_of_server(
    books: &Books,
    mut screen: Option<&mut Screen>,
    report: &mut Report,
) -> Result<(), Fault> {
    books.news().iter().try_for_each(|news| match &mut screen {
        Some(screen) => {
            screen.note(&line_ledger::said(news).0);
            Ok(())
        }
        None => line_ledger::tell(news, report),
    })
}

/// Hands a scan to the slot it is for.
fn scanned(
    scans: &Scans,
    text: &str,
    screen: Option<&mut Screen>,
    report: &mut Report,
) -> Result<(), Fault> {
    let said = match scans.take(text) {
        Given::To { slot } => format!("{slot} runs"),
        Given::Slot { slot } => format!("{slot}: now its device"),
        Given::Nobody { why } => {
            return match screen {
                Some(screen) => {
                    screen.note(&why);
                    Ok(())
                }
                None => report.warning(&why, json!({ "scanned": text })),
            };
        }
    };
    if let Some(screen) = screen {
        screen.note(&said);
    }
    Ok(())
}

fn count(told: &Told, slot: &str, tally: &mut Tally, stopped_by: &mut Option<u8>) {
    match told {
        Told::Passed { outcome, seconds } => {
            tally.count_passed(outcome.enrolled.device(), *seconds);
        }
        Told::Failed { fault, device, .. } => {
            tally.count_failed(fault, device.as_ref(), slot);
            if fault.stops_the_line() {
                stopped_by.get_or_insert(fault.exit_code());
            }
        }
        _ => {}
    }
}

/// Keeps what becomes of a run; gives back what could not be kept.
fn keep(keeper: &mut Keeper<'_>, port: &str, told: &Told) -> Vec<Fault> {
    match told {
        Told::Progress(progress) => keeper.hear(progress),
        Told::Passed { outcome, seconds } => {
            return keeper.end(port, Ok(outcome), None, *seconds);
        }
        Told::Failed { fault, device, seconds } => {
            return keeper.end(port, Err(fault), device.as_ref(), *seconds);
        }
        Told::State(_) | Told::Ended => {}
    }
    Vec::new()
}

/// Tells of one slot, on a line.
fn tell_of(at: At<'_>, told: &Told, report: &mut Report) -> Result<(), Fault> {
    match told {
        Told::Ended => Ok(()),
        Told::State(state) => report.slot(at, state),
        Told::Progress(progress) => report.progress(at, progress),
        Told::Passed { outcome, seconds } => report.enrolled(at, outcome, *seconds),
        Told::Failed { fault, device, seconds } => {
            report.failed(at, device.as_ref(), fault, *seconds);
            Ok(())
        }
    }
}

/// Says that a slot is not served any more, however its thread ended.
struct Ended {
    slot: Slot,
    tell: Sender<News>,
}

impl Ended {
    fn tell(&self, port: &str, told: Told) {
        // Nobody listens any more if the output is gone.
        let _ = self.tell.send(News::Slot { slot: self.slot.clone(), port: port.into(), told });
    }

    fn unrecorded(&self, port: &str, fault: Fault) {
        let news = News::Unrecorded { slot: self.slot.clone(), port: port.into(), fault };
        let _ = self.tell.send(news);
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.tell("", Told::Ended);
    }
}

/// Reads what a scanner types, for as long as the program runs. The thread is not waited for: it
/// would wait for a line that nobody scans.
fn listen_for_scans(tell: Sender<News>) {
    thread::spawn(move || {
        let (mut input, mut line) = (stdin().lock(), Vec::new());
        while input.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            // A byte that is no text makes a scan that fits no slot, and is said so.
            let text = String::from_utf8_lossy(&line).into_owned();
            if tell.send(News::Scanned(text)).is_err() {
                break;
            }
            line.clear();
        }
        let _ = tell.send(News::NoMoreScans);
    });
}
