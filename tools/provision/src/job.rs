//! What all runs of one call share: the plan, the CA, the ledger, and how ports are used.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use provision_issuer::{DocumentKind, FileIssuer, Lifetime, NameText, Profile, SignedBy};
use provision_ledger::{LeaseWish, Lot, StoreAndForward};
use provision_path::ServerName;
use provision_station::Plan;
use provision_station::enrollment::{EndpointPlan, Timing};
use provision_station::evidence::Policy;
use provision_station::exchange::{Pace, Patience};

use crate::arguments::values;
use crate::books::Books;
use crate::cli::{CaPlace, Unchecked};
use crate::fault::Fault;
use crate::label::LabelsArguments;
use crate::line_ledger::{LineLedger, conflicts_of};
use crate::operator::Operator;
use crate::records::RecordsArguments;
use crate::{ca, files, ledger, secret, system};

/// What every device of a call is given.
#[derive(Debug, Args)]
pub(crate) struct JobArguments {
    /// Where the device is to connect in the field: name or IP address, and port.
    #[arg(long, value_name = "HOST:PORT", env = "PROVISION_ENDPOINT")]
    pub endpoint: Option<String>,

    /// ALPN protocol the device offers there (RFC 7301), such as x-amzn-mqtt-ca.
    #[arg(long, value_name = "NAME")]
    pub alpn: Option<String>,

    #[command(flatten)]
    pub ca: CaPlace,

    /// The record of what was issued [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    #[command(flatten)]
    pub forward: Forward,

    /// Certificate (PEM) a device trusts for servers; may be given up to four times
    /// [default: server-root.crt in the CA's directory].
    #[arg(long, value_name = "FILE")]
    pub server_anchor: Vec<PathBuf>,

    /// What the certificate says: a shipped profile (device, idevid, ldevid, spiffe, aws, azure)
    /// or a file with one.
    #[arg(long, value_name = "NAME|FILE", default_value = "device")]
    pub profile: String,

    /// The operator's word that a device may have another key than the ledger knows: it gets a new
    /// certificate, and the one it had is revoked (superseded).
    #[arg(long)]
    pub accept_new_key: bool,

    /// Value for a variable of the profile; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Days the certificate is valid [default: as the profile says].
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// Organization in the certificate's subject.
    #[arg(long, value_name = "TEXT")]
    pub organization: Option<String>,

    /// Organizational unit in the certificate's subject.
    #[arg(long, value_name = "TEXT")]
    pub organizational_unit: Option<String>,

    /// Country in the certificate's subject, two letters.
    #[arg(long, value_name = "CC")]
    pub country: Option<String>,

    /// Have the device store its chain without this check, which it has no algorithm for; the
    /// station makes it instead. Everything else the device checks as always.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub unchecked_on_device: Option<Unchecked>,

    /// The lot these devices are made in: `provision revoke --lot` revokes all of it. Recorded with
    /// a new certificate; a device that has one keeps the lot it was made in. With `provision lot
    /// create` lots get quotas, and then a lot must be named.
    #[arg(long, value_name = "LOT")]
    pub lot: Option<Lot>,

    /// Leave the device open for another run instead of making its identity final.
    #[arg(long)]
    pub no_seal: bool,

    /// Who works here, for records, reports, events and the screen; not for the ledger. Up to 64
    /// characters: a name, initials, or a number.
    #[arg(long, value_name = "NAME", env = "PROVISION_OPERATOR")]
    pub operator: Option<Operator>,

    #[command(flatten)]
    pub records: RecordsArguments,

    #[command(flatten)]
    pub labels: LabelsArguments,

    #[command(flatten)]
    pub ports: PortUse,
}

/// How a station goes on while the ledger's server is away.
#[derive(Debug, Args)]
pub(crate) struct Forward {
    /// File of this station's own in which it goes on while the ledger's server is away, within the
    /// places of the lot that it has leased. With `--ledger postgres://…` and `--lot`; made if there
    /// is none. What is in it is merged when the server is there again: docs/ledger.md.
    #[arg(long, value_name = "FILE", env = "PROVISION_FALLBACK")]
    pub fallback: Option<PathBuf>,

    /// With `--fallback`: how many places of the lot to lease, at most half of those that are free.
    /// No more than 1000: a merge holds the other stations up for as long as it takes.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        requires = "fallback",
        value_parser = clap::value_parser!(u64).range(1..=1000)
    )]
    pub lease: u64,

    /// With `--fallback`: for how long a lease is good.
    #[arg(
        long,
        value_name = "HOURS",
        default_value_t = 72,
        requires = "fallback",
        value_parser = clap::value_parser!(u64).range(1..=8760)
    )]
    pub lease_hours: u64,

    /// With `--fallback`: keeps the lease when the run ends, so that this station can start while the
    /// ledger's server is away. Without it other stations have the places at once.
    #[arg(long, requires = "fallback")]
    pub keep_lease: bool,
}

/// How a port is used.
#[derive(Debug, Args)]
pub(crate) struct PortUse {
    #[command(flatten)]
    pub baud: crate::cli::Baud,

    /// Reset the device before a run: `none` touches no control line, `dtr-rts` pulses RTS with DTR
    /// released as boards with an automatic reset circuit want it, `command` runs `--reset-command`.
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Reset::None)]
    pub reset: Reset,

    /// Program that resets the device, with its arguments; `{port}` stands for the port. No shell
    /// is involved. It gets no passphrases from the environment, nor where the ledger is.
    #[arg(long, value_name = "COMMAND", required_if_eq("reset", "command"))]
    pub reset_command: Option<String>,

    /// Directory for what the device says besides the dialogue (boot logs): one file a port, added
    /// to at each run.
    #[arg(long, value_name = "DIR")]
    pub capture: Option<PathBuf>,
}

impl PortUse {
    /// How fast the line is.
    pub(crate) const fn pace(&self) -> Pace {
        Pace::of_baud(self.baud.baud)
    }

    /// What is given and would not be used is a slip of the pen.
    fn check(&self) -> Result<(), Fault> {
        match (&self.reset_command, self.reset) {
            (None, _) | (Some(_), Reset::Command) => Ok(()),
            (Some(_), Reset::None | Reset::DtrRts) => {
                Err(Fault::Usage("`--reset-command` goes with `--reset command`".into()))
            }
        }
    }
}

/// How a device is reset before a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reset {
    /// Not at all.
    None,
    /// By the port's control lines.
    DtrRts,
    /// By a program.
    Command,
}

/// What all runs of one call share.
pub(crate) struct Job {
    pub(crate) books: Books,
    /// But for the time, and which device is expected.
    pub(crate) plan: Plan,
}

impl Job {
    /// Opens CA and ledger. `hello` is the patience with a device's first answer.
    pub(crate) fn open(arguments: &JobArguments, hello: Patience) -> Result<Self, Fault> {
        Self::open_with(arguments, hello, |profile, now_s| {
            let ledger = line_ledger(arguments, profile, now_s)?;
            let looking = match &ledger {
                LineLedger::One { .. } => Some(ledger_to_look(arguments)?),
                LineLedger::Forwarding { .. } => None,
            };
            Ok((ledger, looking))
        })
    }

    /// The same, for what records nothing: nothing is leased, nothing is merged, and a ledger that
    /// may only be read will do.
    pub(crate) fn open_to_look(arguments: &JobArguments, hello: Patience) -> Result<Self, Fault> {
        Self::open_with(arguments, hello, |_, _| Ok((ledger_to_look(arguments)?, None)))
    }

    fn open_with(
        arguments: &JobArguments,
        hello: Patience,
        open: impl FnOnce(&Profile, u64) -> Result<(LineLedger, Option<LineLedger>), Fault>,
    ) -> Result<Self, Fault> {
        arguments.ports.check()?;
        let endpoint = arguments
            .endpoint
            .as_deref()
            .ok_or_else(|| {
                Fault::Usage("where is the device to connect? `--endpoint HOST:PORT`".into())
            })
            .and_then(|text| endpoint(text, arguments.alpn.clone()))?;
        let place = &arguments.ca;
        let now_s = system::now_s()?;
        let profile = profile(arguments)?;
        let anchors = match arguments.server_anchor.as_slice() {
            [] => vec![provision_issuer::CaDirectory::at(&place.ca).server_root_certificate()],
            given => given.to_vec(),
        };
        let protection = secret::for_opening(place, FileIssuer::needs_passphrase(&place.ca)?)?;
        let issuer = FileIssuer::open(&place.ca, &protection)?;
        let plan = Plan {
            policy: Policy { expected_device: None },
            server_anchors: anchors
                .iter()
                .map(|path| files::read_one(path, DocumentKind::Certificate))
                .collect::<Result<_, _>>()?,
            endpoint,
            time: now_s,
            foreign_signatures_unchecked: arguments.unchecked_on_device
                == Some(Unchecked::CaSignatures),
            seal: !arguments.no_seal,
            timing: Timing { hello, pace: arguments.ports.pace(), ..Timing::default() },
        };
        let (ledger, looking) = open(&profile, now_s)?;
        let accept_new_key = arguments.accept_new_key;
        Ok(Self { books: Books::new(issuer, profile, ledger, looking, accept_new_key), plan })
    }
}

/// The ledger, to be read alone.
fn ledger_to_look(arguments: &JobArguments) -> Result<LineLedger, Fault> {
    let ledger = ledger::open_to_read(arguments.ledger.as_ref(), &arguments.ca.ca)?;
    Ok(LineLedger::One { ledger, lot: arguments.lot.clone() })
}

/// The ledger, with a file to go on in if one is named. Conflicts that a merge found end the program
/// before anything is signed.
fn line_ledger(
    arguments: &JobArguments,
    profile: &Profile,
    now_s: u64,
) -> Result<LineLedger, Fault> {
    let (given, ca) = (arguments.ledger.as_ref(), &arguments.ca.ca);
    let lot = arguments.lot.clone();
    let Some(file) = arguments.forward.fallback.as_deref() else {
        return Ok(LineLedger::One { ledger: ledger::open(given, ca)?, lot });
    };
    let Some(lot) = lot else {
        let why = "`--fallback` leases places of a lot: `--lot` names it";
        return Err(Fault::Usage(why.into()));
    };
    let Some(server) = ledger::server(given, ca)? else {
        let why = "`--fallback` is for a ledger on a server: `--ledger postgres://…`";
        return Err(Fault::Usage(why.into()));
    };
    let wish = LeaseWish {
        lot,
        profile: profile.name.clone(),
        places: arguments.forward.lease,
        lasts_s: arguments.forward.lease_hours * 3600,
        keep: arguments.forward.keep_lease,
    };
    let (key, ignore_clock) = (ledger::station_key(ca), system::clock_is_ignored());
    let mut opened = StoreAndForward::open(&server, &key, file, wish, ignore_clock, now_s)?;
    let news = opened.news();
    match conflicts_of(&news) {
        Some(conflicts) => Err(conflicts),
        None => Ok(LineLedger::Forwarding { ledger: Box::new(opened), news }),
    }
}

/// `host:port`, with an IPv6 address in brackets.
fn endpoint(text: &str, alpn: Option<String>) -> Result<EndpointPlan, Fault> {
    let wrong = || Fault::Usage(format!("`{text}` is no endpoint: HOST:PORT is expected"));
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    // Sealed into a device, a host that is none would make it useless: judged as the device will.
    let host_is_one = ServerName::parse(host).is_ok();
    if !host_is_one
        || port == 0
        || alpn.as_ref().is_some_and(|alpn| alpn.is_empty() || alpn.len() > 32)
    {
        return Err(wrong());
    }
    Ok(EndpointPlan { host: host.into(), port, alpn })
}

/// A profile for devices: a shipped one, or a file with one.
pub(crate) fn device_profile(name: &str) -> Result<Profile, Fault> {
    let profile = Profile::find(name)?;
    if profile.signed_by != SignedBy::Device {
        return Err(Fault::Usage(format!("the profile {} is no device's", profile.name)));
    }
    Ok(profile)
}

/// The profile, with what the command line says of the subject.
fn profile(arguments: &JobArguments) -> Result<Profile, Fault> {
    let usage = |fault: &dyn core::fmt::Display| Fault::Usage(fault.to_string());
    let mut profile = device_profile(&arguments.profile)?;
    if let Some(days) = arguments.days {
        profile.lifetime = Lifetime::Days(days);
    }
    let mut subject =
        ca::subject_of(arguments.country.as_deref(), arguments.organization.as_deref())?;
    if let Some(unit) = &arguments.organizational_unit {
        NameText::new(unit).map_err(|fault| usage(&fault))?;
        subject = subject.with("OU", unit).map_err(|fault| usage(&fault))?;
    }
    profile.subject = subject.followed_by(profile.subject);
    Ok(profile.with_values(&values(&arguments.set)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let good = |text| endpoint(text, None).map(|e| (e.host, e.port)).unwrap();
        assert_eq!(good("mqtt.acme.com:8883"), ("mqtt.acme.com".into(), 8883));
        assert_eq!(good("10.0.2.100:443"), ("10.0.2.100".into(), 443));
        assert_eq!(good("[fd00::1]:443"), ("fd00::1".into(), 443));
        for bad in [
            "mqtt.acme.com",
            ":443",
            "a:0",
            "a:70000",
            "fd00::1:443",
            "",
            "x y/z:1",
            "10.0.2.300:1",
        ] {
            assert!(endpoint(bad, None).is_err(), "{bad}");
        }
        assert!(endpoint("a:1", Some(String::new())).is_err());
    }
}
