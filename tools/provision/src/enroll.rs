//! The main job: one run of the dialogue on each port given, all at the same time.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use provision_station::enrollment::{Outcome, Progress};
use provision_station::exchange::Patience;

use crate::bars::{self, Bars};
use crate::cli::Enroll;
use crate::ending::Ending;
use crate::fault::Fault;
use crate::job::Job;
use crate::kept::{Keeper, Kept, Lost};
use crate::line::Line;
use crate::report::{At, Report};
use crate::{line_ledger, plan, run};

/// What a port's thread tells the one that prints.
enum Told {
    Progress(Progress),
    Ended(Box<Result<Outcome, Fault>>, f64),
    Unrecorded(Fault),
}

pub(crate) fn run(arguments: &Enroll, report: &mut Report) -> Result<(), Fault> {
    let ports = &arguments.port;
    if ports.is_empty() {
        return Err(Fault::Usage("which port? `--port PORT`, or a subcommand".into()));
    }
    if ports.iter().collect::<BTreeSet<_>>().len() < ports.len() {
        return Err(Fault::Usage("a port is named twice".into()));
    }
    if arguments.expect.is_some() && ports.len() > 1 {
        return Err(Fault::Usage("`--expect` names one device; give one port with it".into()));
    }
    report.by(arguments.job.operator.as_ref());
    let wait_ms = u64::from(arguments.wait) * 1000;
    let hello = Patience::with_hello(wait_ms, 500, arguments.job.ports.pace());
    if arguments.dry_run {
        let job = Job::open_to_look(&arguments.job, hello)?;
        for port in ports {
            let mut line = Line::open_for(port, port, &arguments.job.ports)?;
            let expected = arguments.expect.as_ref();
            plan::show(&job, &mut line, hello, expected, At::port(port), report)?;
        }
        return Ok(());
    }
    let job = Job::open(&arguments.job, hello)?;
    tell_news(&job, None, report)?;
    let kept = Kept::open(&arguments.job, &job)?;
    let ending = Ending::on_signals()?;
    let mut bars = (report.has_terminal() && !arguments.plain && ports.len() <= bars::PORTS_MAX)
        .then(|| Bars::open(ports));
    let (mut failed, mut exit_code, mut lost) = (0, None, Lost::default());
    let ran = thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for port in ports {
            let (tell, job, ending, kept) = (tell.clone(), &job, &ending, &kept);
            scope.spawn(move || {
                let started = Instant::now();
                let mut keeper = Keeper::new(kept, &job.books, None);
                let progress = |progress| {
                    keeper.hear(&progress);
                    // Nobody listens any more if the output is gone: the run goes on all the same.
                    let _ = tell.send((port.as_str(), Told::Progress(progress)));
                };
                let result = enroll(port, arguments, job, ending, progress);
                let seconds = started.elapsed().as_secs_f64();
                for fault in keeper.end(port, result.as_ref(), None, seconds) {
                    let _ = tell.send((port.as_str(), Told::Unrecorded(fault)));
                }
                let _ = tell.send((port.as_str(), Told::Ended(Box::new(result), seconds)));
            });
        }
        drop(tell);
        for (port, told) in told {
            tell_news(&job, bars.as_ref(), report)?;
            match told {
                Told::Progress(progress) => match &mut bars {
                    Some(bars) => bars.step(port, &progress),
                    None => report.progress(At::port(port), &progress)?,
                },
                Told::Unrecorded(fault) => {
                    lost.count(&fault);
                    aside(bars.as_ref(), || report.unrecorded(At::port(port), &fault))?;
                }
                Told::Ended(result, seconds) => {
                    if let Some(bars) = &bars {
                        bars.end(port, result.as_ref().as_ref(), seconds);
                    }
                    match *result {
                        Ok(outcome) => {
                            let at = At::port(port);
                            aside(bars.as_ref(), || report.enrolled(at, &outcome, seconds))?;
                        }
                        Err(fault) => {
                            if ports.len() == 1 {
                                return Err(fault);
                            }
                            aside(bars.as_ref(), || report.fault(Some(port), &fault));
                            failed += 1;
                            if fault.stops_the_line() || exit_code.is_none() {
                                exit_code = Some(fault.exit_code());
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    });
    let closed = job.books.close();
    tell_news(&job, bars.as_ref(), report)?;
    let result = match (exit_code, lost.fault()) {
        _ if ran.is_err() => ran,
        (None, Some(lost)) => Err(lost),
        (None, None) => return closed,
        (Some(exit_code), _) => Err(Fault::Some { failed, ports: ports.len(), exit_code }),
    };
    if let Err(fault) = closed {
        aside(bars.as_ref(), || report.fault(None, &fault));
    }
    result
}

/// What became of the ledger's server.
fn tell_news(job: &Job, bars: Option<&Bars>, report: &mut Report) -> Result<(), Fault> {
    let tell = |news| aside(bars, || line_ledger::tell(news, report));
    job.books.news().iter().try_for_each(tell)
}

/// Has something written that bars are not to run into.
fn aside<T>(bars: Option<&Bars>, write: impl FnOnce() -> T) -> T {
    match bars {
        Some(bars) => bars.aside(write),
        None => write(),
    }
}

fn enroll(
    port: &str,
    arguments: &Enroll,
    job: &Job,
    ending: &Ending,
    progress: impl FnMut(Progress),
) -> Result<Outcome, Fault> {
    let mut line = Line::open_for(port, port, &arguments.job.ports)?;
    line.reset(&arguments.job.ports)?;
    run::run(job, &mut line, arguments.expect.clone(), ending, progress)
}
