//! `provision lot …`: how many devices, of what, until when.

use clap::{Args, Subcommand};
use provision_issuer::inspect::time_text;
use provision_ledger::{Lease, Lot, LotRecord, LotTerms};
use serde_json::{Value, json};

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::job::device_profile;
use crate::report::Report;
use crate::{ledger, system};

const EXAMPLES: &str = "\
Examples:
  provision lot create --id 2026-W47 --quota 5000 --profile device --not-after 2026-12-31
  provision --lot 2026-W47 --port /dev/ttyUSB0 --endpoint mqtt.acme.com:8883
  provision lot show --id 2026-W47
  provision lot close --id 2026-W47

Terms are never changed: close the lot, and make another. docs/ledger.md says what counts.";

#[derive(Debug, Subcommand)]
pub(crate) enum LotCommand {
    /// Make a lot: from now on, devices are made in lots alone.
    Create(Create),
    /// Show what a lot is allowed, and how much of it is used.
    #[command(after_help = "Example:\n  provision lot show --id 2026-W47")]
    Show(Which),
    /// List every lot.
    #[command(after_help = "Example:\n  provision lot list")]
    List(LedgerPlace),
    /// Close a lot for good: it takes no more devices.
    #[command(after_help = "Example:\n  provision lot close --id 2026-W47")]
    Close(Which),
    /// List the places that stations have leased, for when their server is away.
    #[command(
        after_help = "Example:\n  provision lot leases --ledger postgres://db.acme.com/ledger"
    )]
    Leases(LedgerPlace),
    /// End a lease of a station that will never come back: its places are free again.
    #[command(
        after_help = "Example:\n  provision lot end-lease --lease 7 --ledger postgres://db.acme.com/ledger"
    )]
    EndLease(EndLease),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Create {
    /// Name of the lot.
    #[arg(long, value_name = "LOT")]
    pub id: Lot,

    /// How many devices it may have. However many stations there are, and whatever happens to them,
    /// it is not exceeded.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub quota: u64,

    /// The profile its certificates are made by: a shipped one, or a file with one.
    #[arg(long, value_name = "NAME|FILE", default_value = "device")]
    pub profile: String,

    /// It takes no more devices after this: a day, which counts, or a time
    /// (2026-12-31T18:00:00Z).
    #[arg(long, value_name = "TIME", value_parser = system::until)]
    pub not_after: Option<u64>,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Name of the lot.
    #[arg(long, value_name = "LOT")]
    pub id: Lot,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
pub(crate) struct EndLease {
    /// Number of the lease, as `provision lot leases` shows it. What the station made under it and
    /// did not bring to the server has no place any more: if the lot is full by then, it is a conflict.
    #[arg(long, value_name = "N")]
    pub lease: u64,

    #[command(flatten)]
    pub place: LedgerPlace,
}

pub(crate) fn run(command: &LotCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        LotCommand::Create(arguments) => create(arguments, report),
        LotCommand::Show(which) => {
            let lot = ledger::open_to_read_in(&which.place)?.lot(&which.id)?;
            show(&lot, "result", report)
        }
        LotCommand::List(place) => {
            let lots = ledger::open_to_read_in(place)?.lots()?;
            if lots.is_empty() {
                report.note("there are no lots")?;
            }
            lots.iter().try_for_each(|lot| show(lot, "lot", report))
        }
        LotCommand::Close(which) => {
            let now_s = system::now_s()?;
            let lot = ledger::open_in(&which.place)?.close_lot(&which.id, now_s)?;
            show(&lot, "result", report)
        }
        LotCommand::Leases(place) => {
            let leases = ledger::open_to_read_in(place)?.leases()?;
            if leases.is_empty() {
                report.note("there are no leases")?;
            }
            leases.iter().try_for_each(|lease| show_lease(lease, "lease", report))
        }
        LotCommand::EndLease(EndLease { lease, place }) => {
            let lease = ledger::open_in(place)?.end_lease(*lease, system::now_s()?)?;
            show_lease(&lease, "result", report)
        }
    }
}

fn show_lease(lease: &Lease, event: &str, report: &mut Report) -> Result<(), Fault> {
    let Lease { id, holder, lot, places, used, granted_at_s, expires_at_s, ended_at_s, .. } = lease;
    let state = match ended_at_s {
        Some(ended_at_s) => format!("ended {}", time_text(*ended_at_s)),
        None => format!("until {}", time_text(*expires_at_s)),
    };
    report.result(
        &format!("{id}  {lot}  {used} of {places}  {state}  held by {holder}"),
        &json!({
            "event": event,
            "lease": id,
            "holder": holder.to_string(),
            "lot": lot.as_str(),
            "places": places,
            "used": used,
            "granted_at_s": granted_at_s,
            "expires_at_s": expires_at_s,
            "ended_at_s": ended_at_s,
        }),
    )
}

fn create(arguments: &Create, report: &mut Report) -> Result<(), Fault> {
    let profile = device_profile(&arguments.profile)?;
    let now_s = system::now_s()?;
    if arguments.not_after.is_some_and(|not_after_s| not_after_s < now_s) {
        return Err(Fault::Usage("`--not-after` is over already".into()));
    }
    let terms = LotTerms {
        lot: arguments.id.clone(),
        quota: arguments.quota,
        profile: profile.name,
        not_after_s: arguments.not_after,
    };
    let mut ledger = ledger::open_in(&arguments.place)?;
    ledger.create_lot(&terms, now_s)?;
    show(&ledger.lot(&arguments.id)?, "result", report)
}

fn show(lot: &LotRecord, event: &str, report: &mut Report) -> Result<(), Fault> {
    let LotRecord { terms, used, leased, enrolled, created_at_s, closed_at_s, .. } = lot;
    let quota = terms.as_ref().map(|terms| terms.quota);
    let not_after_s = terms.as_ref().and_then(|terms| terms.not_after_s);
    let mut text = match terms {
        Some(terms) => {
            format!("{}  {used} of {}  {}", lot.lot, terms.quota, terms.profile)
        }
        None => format!("{}  {used}, without a quota", lot.lot),
    };
    if *leased > 0 {
        text.push_str(&format!("  {leased} leased"));
    }
    text.push_str(&format!("  {enrolled} enrolled"));
    if let Some(not_after_s) = not_after_s {
        text.push_str(&format!("  until {}", time_text(not_after_s)));
    }
    if let Some(closed_at_s) = closed_at_s {
        text.push_str(&format!("  closed {}", time_text(*closed_at_s)));
    }
    let left: Value = quota
        .map_or(Value::Null, |quota| quota.saturating_sub(*used).saturating_sub(*leased).into());
    report.result(
        &text,
        &json!({
            "event": event,
            "lot": lot.lot.as_str(),
            "quota": quota,
            "used": used,
            "leased": leased,
            "left": left,
            "enrolled": enrolled,
            "profile": terms.as_ref().map(|terms| &terms.profile),
            "not_after_s": not_after_s,
            "created_at_s": created_at_s,
            "closed_at_s": closed_at_s,
        }),
    )
}
