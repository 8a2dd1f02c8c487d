//! `provision crl watch`: new CRLs ahead of their end, and as soon as something is revoked.

use core::time::Duration;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

use clap::Args;
use provision_issuer::inspect::time_text;
use provision_issuer::{CrlSource, KeyProtection};
use provision_ledger::{Certificates as _, CrlRecord, SqlLedger};
use serde_json::json;

use super::{Making, make};
use crate::fault::Fault;
use crate::report::Report;
use crate::{secret, system};

const EXAMPLES: &str = "\
Examples:
  provision crl watch --out /etc/nginx/crl --hook \"nginx -s reload\"
  provision crl watch --lifetime 24h --renew-at 50 --out crl --hook-shell \"cp crl/*.crl /srv && ./tell\"

Every CRL is made when it starts; then when that share of its life is over, and within --poll seconds
of a revocation. Files are replaced at once; then the hook is run. A hook that fails is reported, and
the watch goes on. So is whatever else goes wrong: it is tried again. It goes on too when nobody reads
what it says any more.

The CRL of a CA whose key is not there (device-root.key belongs in a safe) cannot be made. It is
warned of, from the same share of its life on: `provision crl` where the key is, --root-lifetime 365d.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub making: Making,

    /// Make a new one when so much of its life is over, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(1..=95))]
    pub renew_at: u64,

    /// Seconds between two looks into the ledger for what was revoked.
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub poll: u64,

    /// Program to run after CRLs were replaced, with its arguments. No shell sees it; quotes hold
    /// words together. It gets no passphrases from the environment, nor where the ledger is.
    #[arg(long, value_name = "COMMAND", conflicts_with = "hook_shell")]
    pub hook: Option<String>,

    /// The same, by `sh -c`.
    #[arg(long, value_name = "COMMAND")]
    pub hook_shell: Option<String>,

    /// Seconds after which a hook that does not end is ended; what it started itself is not.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub hook_seconds: u64,
}

/// Returns only if it cannot begin: the first CRLs must succeed, or whoever started it would not
/// know.
pub(crate) fn run(arguments: &Watch, report: &mut Report) -> Result<(), Fault> {
    let making = &arguments.making;
    // Servers wait for the CRLs, whether anybody reads of them or not.
    report.go_on_unheard();
    let mut hook = Hook::of(arguments)?;
    let mut ledger = making.open_ledger()?;
    // Asked for once; kept, because there is nobody to ask later.
    let protection = making.protection()?;
    renew(making, &mut ledger, &protection, report)?;
    let mut warned = Warned::default();
    warned.look(arguments, &mut ledger, report)?;
    hook.run(report)?;
    loop {
        thread::sleep(Duration::from_secs(arguments.poll));
        if let Err(fault) =
            turn(arguments, &mut ledger, &protection, &mut hook, &mut warned, report)
        {
            report.warning(
                &format!("no new CRLs, trying again in {} s: {fault}", arguments.poll),
                json!({ "fault": fault.to_string() }),
            )?;
        }
    }
}

fn turn(
    arguments: &Watch,
    ledger: &mut SqlLedger,
    protection: &KeyProtection,
    hook: &mut Hook,
    warned: &mut Warned,
    report: &mut Report,
) -> Result<(), Fault> {
    let making = &arguments.making;
    let now_s = system::now_after_sleep_s()?;
    let mut due = false;
    for source in CrlSource::all(&making.place.ca)? {
        due |= match ledger.latest_crl(&source.key_id()?)? {
            Some(latest) => latest.revoked_since > 0 || is_late(latest, arguments.renew_at, now_s),
            // A CA that is new here, or whose key came back.
            None => true,
        };
        // Somebody took it away, or it was never there.
        due |= !making.out.join(source.crl_file()).exists();
    }
    if due {
        renew(making, ledger, protection, report)?;
    }
    if due || hook.is_owed() {
        hook.run(report)?;
    }
    warned.look(arguments, ledger, report)
}

/// Makes new ones. One that is there and cannot be used is named, and is no reason not to go on.
fn renew(
    making: &Making,
    ledger: &mut SqlLedger,
    protection: &KeyProtection,
    report: &mut Report,
) -> Result<(), Fault> {
    match make(making, ledger, protection, report)? {
        None => Ok(()),
        Some(unfit) => report.warning(
            &format!("all.crl lacks a CRL that cannot be made here: {unfit}"),
            json!({ "fault": unfit.to_string() }),
        ),
    }
}

fn is_late(crl: CrlRecord, renew_at: u64, now_s: u64) -> bool {
    let life_s = crl.next_update_s.saturating_sub(crl.this_update_s);
    // A clock that was turned back makes it look young; it ends at the same time all the same.
    now_s >= crl.this_update_s.saturating_add(life_s * renew_at / 100) || now_s < crl.this_update_s
}

/// What was warned of, so that it is said once an hour and not at each look.
#[derive(Default)]
struct Warned(Option<Instant>);

impl Warned {
    /// CRLs that nobody here can make anew.
    fn look(
        &mut self,
        arguments: &Watch,
        ledger: &mut SqlLedger,
        report: &mut Report,
    ) -> Result<(), Fault> {
        if self.0.is_some_and(|at| at.elapsed() < WARN_AGAIN) {
            return Ok(());
        }
        let now_s = system::now_after_sleep_s()?;
        let mut sources = CrlSource::every(&arguments.making.place.ca)?;
        sources.retain(|source| !source.has_key());
        for source in sources {
            let Some(crl) = ledger.latest_crl(&source.key_id()?)? else { continue };
            let lacks = crl.revoked_since > 0;
            if !lacks && !is_late(crl, arguments.renew_at, now_s) {
                continue;
            }
            self.0 = Some(Instant::now());
            let until = time_text(crl.next_update_s);
            let what = if crl.next_update_s <= now_s {
                format!("ended on {until}: servers that read it take nobody")
            } else if lacks {
                format!("lacks {} that were revoked since", crl.revoked_since)
            } else {
                format!("ends on {until}")
            };
            let name = &source.name;
            report.warning(
                &format!("the CRL of {name} {what}; its key is needed, and is not here: run `provision crl` where it is"),
                json!({ "ca": name, "next_update_s": crl.next_update_s, "revoked_since": crl.revoked_since }),
            )?;
        }
        Ok(())
    }
}

/// What is run when CRLs were replaced.
struct Hook {
    /// Program and arguments; none if there is no hook.
    words: Vec<String>,
    within: Duration,
    /// It failed then: servers still have the old CRLs.
    failed: Option<Instant>,
}

impl Hook {
    fn of(arguments: &Watch) -> Result<Self, Fault> {
        let words = match (&arguments.hook, &arguments.hook_shell) {
            (Some(line), _) => {
                let words = shlex::split(line).filter(|words| !words.is_empty());
                words.ok_or_else(|| Fault::Usage(format!("`--hook {line}` is no command")))?
            }
            (None, Some(line)) => vec!["sh".into(), "-c".into(), line.clone()],
            (None, None) => Vec::new(),
        };
        let within = Duration::from_secs(arguments.hook_seconds);
        Ok(Self { words, within, failed: None })
    }

    /// Whether it failed a while ago.
    fn is_owed(&self) -> bool {
        self.failed.is_some_and(|at| at.elapsed() >= HOOK_AGAIN)
    }

    /// Runs it and says how it ended. What it prints goes to standard error: standard output is for
    /// results.
    fn run(&mut self, report: &mut Report) -> Result<(), Fault> {
        let Some((program, rest)) = self.words.split_first() else { return Ok(()) };
        let ended = secret::keep_from(&mut Command::new(program))
            .args(rest)
            .stdin(Stdio::null())
            .stdout(Stdio::from(io::stderr()))
            .spawn()
            .and_then(|child| self.wait(child));
        let code = match &ended {
            Ok(Some(status)) => status.code(),
            _ => None,
        };
        let text = match &ended {
            Ok(Some(status)) if status.success() => "done".to_owned(),
            Ok(Some(status)) => format!("failed ({status})"),
            Ok(None) => format!("did not end within {} s, and was ended", self.within.as_secs()),
            Err(cause) => format!("could not be started: {cause}"),
        };
        let line = self.words.join(" ");
        self.failed = (code != Some(0)).then(Instant::now);
        if self.failed.is_some() {
            report.warning(
                &format!("hook `{line}` {text}"),
                json!({ "hook": line, "exit_code": code }),
            )
        } else {
            report.result(
                &format!("hook `{line}` {text}"),
                &json!({ "event": "hook", "hook": line, "exit_code": code }),
            )
        }
    }

    fn wait(&self, mut child: Child) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + self.within;
        while Instant::now() < until {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    }
}

const HOOK_AGAIN: Duration = Duration::from_secs(60);
const WARN_AGAIN: Duration = Duration::from_secs(3600);
