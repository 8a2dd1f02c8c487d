//! The main job: one run of the dialogue on each port given, all at the same time.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use provision_station::enrollment::{Outcome, Progress};
use provision_station::exchange::Patience;

use crate::cli::Enroll;
use crate::ending::Ending;
use crate::fault::Fault;
use crate::job::Job;
use crate::line::Line;
use crate::report::{At, Report};
use crate::{line_ledger, plan, run};

/// What a port's thread tells the one that prints.
enum Told {
    Progress(Progress),
    Ended(Box<Result<Outcome, Fault>>, f64),
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
    let hello = Patience { reply_within_ms: 500, attempts: arguments.wait.saturating_mul(2) };
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
    tell_news(&job, report)?;
    let ending = Ending::on_signals()?;
    let (mut failed, mut exit_code) = (0, None);
    let ran = thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        for port in ports {
            let (tell, job, ending) = (tell.clone(), &job, &ending);
            scope.spawn(move || {
                let started = Instant::now();
                let progress = |progress| {
                    // Nobody listens any more if the output is gone: the run goes on all the same.
                    let _ = tell.send((port.as_str(), Told::Progress(progress)));
                };
                let result = enroll(port, arguments, job, ending, progress);
                let seconds = started.elapsed().as_secs_f64();
                let _ = tell.send((port.as_str(), Told::Ended(Box::new(result), seconds)));
            });
        }
        drop(tell);
        for (port, told) in told {
            tell_news(&job, report)?;
            match told {
                Told::Progress(progress) => report.progress(At::port(port), &progress)?,
                Told::Ended(result, seconds) => match *result {
                    Ok(outcome) => report.enrolled(At::port(port), &outcome, seconds)?,
                    Err(fault) if ports.len() == 1 => return Err(fault),
                    Err(fault) => {
                        report.fault(Some(port), &fault);
                        failed += 1;
                        if fault.stops_the_line() || exit_code.is_none() {
                            exit_code = Some(fault.exit_code());
                        }
                    }
                },
            }
        }
        Ok(())
    });
    let closed = job.books.close();
    tell_news(&job, report)?;
    ran?;
    match exit_code {
        None => closed,
        Some(exit_code) => Err(Fault::Some { failed, ports: ports.len(), exit_code }),
    }
}

/// What became of the ledger's server.
fn tell_news(job: &Job, report: &mut Report) -> Result<(), Fault> {
    job.books.news().iter().try_for_each(|news| line_ledger::tell(news, report))
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
