//! The main job: each port given, one run of the dialogue.

use std::time::Instant;

use provision_csr::PortableP256;
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{
    DocumentKind, FileIssuer, Issuer as _, Lifetime, NameText, Profile, SignedBy,
};
use provision_ledger::{Certificates as _, Ledger as _, Lot, SqliteLedger};
use provision_path::ServerName;
use provision_station::enrollment::{EndpointPlan, Outcome, Randomness, Record, Timing};
use provision_station::evidence::{Chain, Policy};
use provision_station::exchange::Patience;
use provision_station::{Enrollment, Input, Output, Plan};

use crate::arguments::values;
use crate::cli::{Enroll, Unchecked};
use crate::fault::Fault;
use crate::line::Line;
use crate::report::Report;
use crate::{ca, files, ledger, secret, system};

pub(crate) fn run(arguments: &Enroll, report: &mut Report) -> Result<(), Fault> {
    if arguments.port.is_empty() {
        return Err(Fault::Usage("which port? `--port PORT`, or a subcommand".into()));
    }
    let endpoint = arguments
        .endpoint
        .as_deref()
        .ok_or_else(|| {
            Fault::Usage("where is the device to connect? `--endpoint HOST:PORT`".into())
        })
        .and_then(|text| endpoint(text, arguments.alpn.clone()))?;
    let mut station = Station::open(arguments, endpoint)?;
    let (mut failed, mut exit_code) = (0, None);
    for (done, port) in arguments.port.iter().enumerate() {
        let started = Instant::now();
        match station.enroll(port, arguments.baud.baud, report) {
            Ok(outcome) => report.enrolled(port, &outcome, started.elapsed().as_secs_f64())?,
            Err(fault) if arguments.port.len() == 1 => return Err(fault),
            Err(fault) => {
                report.fault(Some(port), &fault);
                failed += 1;
                exit_code.get_or_insert(fault.exit_code());
                if fault.stops_the_line() {
                    failed += arguments.port.len() - done - 1;
                    break;
                }
            }
        }
    }
    match exit_code {
        None => Ok(()),
        Some(exit_code) => Err(Fault::Some { failed, ports: arguments.port.len(), exit_code }),
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

/// The profile, with what the command line says of the subject.
fn profile(arguments: &Enroll) -> Result<Profile, Fault> {
    let usage = |fault: &dyn core::fmt::Display| Fault::Usage(fault.to_string());
    let mut profile = Profile::find(&arguments.profile)?;
    if profile.signed_by != SignedBy::Device {
        return Err(Fault::Usage(format!("the profile {} is no device's", profile.name)));
    }
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

/// What is shared by all runs of one call.
struct Station {
    issuer: FileIssuer,
    profile: Profile,
    ledger: SqliteLedger,
    lot: Option<Lot>,
    plan: Plan,
}

impl Station {
    fn open(arguments: &Enroll, endpoint: EndpointPlan) -> Result<Self, Fault> {
        let place = &arguments.ca;
        let now_s = system::now_s()?;
        let profile = profile(arguments)?;
        let anchors = match arguments.server_anchor.as_slice() {
            [] => vec![provision_issuer::CaDirectory::at(&place.ca).server_root_certificate()],
            given => given.to_vec(),
        };
        let protection = secret::for_opening(place, FileIssuer::needs_passphrase(&place.ca)?)?;
        let issuer = FileIssuer::open(&place.ca, &protection)?;
        let hello = Patience { reply_within_ms: 500, attempts: arguments.wait.saturating_mul(2) };
        let plan = Plan {
            policy: Policy { expected_device: arguments.expect.clone() },
            server_anchors: anchors
                .iter()
                .map(|path| files::read_one(path, DocumentKind::Certificate))
                .collect::<Result<_, _>>()?,
            endpoint,
            time: now_s,
            foreign_signatures_unchecked: arguments.unchecked_on_device
                == Some(Unchecked::CaSignatures),
            seal: !arguments.no_seal,
            timing: Timing { hello, ..Timing::default() },
        };
        let ledger = SqliteLedger::open(&ledger::path(arguments.ledger.as_ref(), &place.ca))?;
        Ok(Self { issuer, profile, ledger, lot: arguments.lot.clone(), plan })
    }

    /// One run on one port. The machine says what it wants; this does it.
    fn enroll(&mut self, port: &str, baud: u32, report: &mut Report) -> Result<Outcome, Fault> {
        let mut line = Line::open(port, baud)?;
        let randomness = Randomness {
            session: u32::from_le_bytes(system::bytes()?),
            csr_challenge: system::bytes()?,
            proof_challenge: system::bytes()?,
        };
        let plan = Plan { time: system::now_s()?, ..self.plan.clone() };
        let mut enrollment = Enrollment::<PortableP256>::new(plan, randomness);
        let mut buffer = [0; 512];
        loop {
            let input = match enrollment.poll(line.now_ms()) {
                Output::Send(bytes) => {
                    line.send(&bytes)?;
                    continue;
                }
                Output::Progress(progress) => {
                    report.progress(port, &progress)?;
                    continue;
                }
                Output::LookUp { device, public_key } => {
                    // What was revoked is not delivered again, whatever else is known.
                    if let Some(revoked) = self.ledger.revocation_of(&device)? {
                        return Err(Fault::RevokedDevice {
                            device: device.to_string(),
                            cert_serial: revoked.cert_serial.to_string(),
                        });
                    }
                    Input::Standing(self.ledger.standing(&device, &public_key)?)
                }
                Output::LookUpDevice { device } => Input::Known(self.ledger.live(&device)?),
                Output::Issue(approved) => {
                    let now_s = system::now_s()?;
                    let chain = self.issuer.issue(&approved, &self.profile, now_s)?;
                    check_signatures(&chain, now_s)?;
                    Input::Issued(chain)
                }
                Output::Record(Record::Issued(chain)) => {
                    let now_s = system::now_s()?;
                    self.ledger.record_issued_in(self.lot.as_ref(), &chain, now_s)?;
                    Input::Recorded
                }
                Output::Record(Record::Enrolled(enrolled)) => {
                    self.ledger.record_enrolled(&enrolled, system::now_s()?)?;
                    Input::Recorded
                }
                Output::Wait { until_ms } => match line.receive(&mut buffer, until_ms)? {
                    [] => Input::Tick,
                    bytes => Input::Received(bytes),
                },
                Output::WaitForAnswer => Input::Tick,
                Output::Done(outcome) => return Ok(*outcome),
                Output::Failed(fault) => return Err(fault.into()),
            };
            enrollment.handle(input, line.now_ms());
        }
    }
}

/// A device may be told to take the chain's signatures on the station's word: here is what that
/// word stands on.
fn check_signatures(chain: &Chain, now_s: u64) -> Result<(), Fault> {
    let request = VerifyRequest {
        leaf: chain.leaf().to_vec(),
        untrusted: chain.issuers().to_vec(),
        anchors: vec![chain.anchor().to_vec()],
        purpose: Purpose::Client,
        name: None,
        at_s: now_s,
        crls: Vec::new(),
        crl_scope: CrlScope::Leaf,
    };
    verify(&request)?;
    Ok(())
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
