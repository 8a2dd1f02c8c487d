//! The CA and the ledger, as runs on many ports share them: one at a time, and those who wait to have
//! something recorded wait for the disk together.

use core::ops::ControlFlow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use provision_csr::PublicKey;
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{FileIssuer, Issuer as _, Profile};
use provision_ledger::{Found, LotUse, News, RecordIssuedError, StorageError, weak_key};
use provision_station::enrollment::Record;
use provision_station::evidence::{ApprovedCsr, Chain, LiveCertificate, Standing};
use provision_wire::DeviceSerial;

use crate::fault::Fault;
use crate::line_ledger::LineLedger;
use crate::shared_turn::SharedTurn;
use crate::system;

/// What signs and what remembers, each behind a lock. Who has the ledger's may take the CA's, and
/// nobody the other way round.
///
/// Once the line is stopped nothing more is signed. Runs whose certificate is in the ledger by then
/// go on: their devices are as good as any, and half-delivered ones help nobody.
pub(crate) struct Books {
    signing: Mutex<Signing>,
    /// The same ledger once more, for what is only looked up: so that waits for no write to the disk.
    /// What is decided by it is judged again when it is recorded. None where a server may be away:
    /// then what is known is in two places, and what is looked up is kept. Closed before the other
    /// one: who only looks leaves what is in SQLite's log there, and a copy of the file would lack it.
    looking: Option<Mutex<LineLedger>>,
    ledger: Mutex<LineLedger>,
    to_record: SharedTurn<Record, Result<(), Fault>>,
    /// What the operator should hear of the ledger's server. Apart, so that who shows it does not
    /// wait for a ledger that takes its time.
    news: Mutex<Vec<News>>,
    profile: Profile,
    accept_new_key: bool,
}

/// What a device had before it makes a new key.
pub(crate) enum Before {
    /// Nothing that the ledger knows.
    Nothing,
    /// A certificate that another may take the place of, by the operator's word.
    Replaceable {
        /// It is revoked already.
        revoked: bool,
    },
    /// A certificate that stays.
    Kept,
}

struct Signing {
    issuer: FileIssuer,
    stopped: bool,
}

impl Books {
    /// `looking` is the same ledger once more, if there can be one.
    pub(crate) fn new(
        issuer: FileIssuer,
        profile: Profile,
        mut ledger: LineLedger,
        looking: Option<LineLedger>,
        accept_new_key: bool,
    ) -> Self {
        Self {
            signing: Mutex::new(Signing { issuer, stopped: false }),
            news: Mutex::new(ledger.news()),
            ledger: Mutex::new(ledger),
            looking: looking.map(Mutex::new),
            to_record: SharedTurn::default(),
            profile,
            accept_new_key,
        }
    }

    /// What the ledger knows of a device and its key, before anything is signed.
    pub(crate) fn standing(
        &self,
        device: &DeviceSerial,
        key: &PublicKey,
    ) -> Result<Standing, Fault> {
        self.look(|ledger| {
            ledger.look_for_server()?;
            self.standing_in(ledger, device, key)
        })
    }

    fn standing_in(
        &self,
        ledger: &mut LineLedger,
        device: &DeviceSerial,
        key: &PublicKey,
    ) -> Result<Standing, Fault> {
        if let Some(weakness) = weak_key(key) {
            let device = device.clone();
            return Err(RecordIssuedError::WeakKey { device, weakness }.into());
        }
        let standing = match ledger.standing(device, key)? {
            // By the operator's word it is as good as new.
            Standing::OtherKey { .. } if self.accept_new_key => return Ok(Standing::Unknown),
            standing => standing,
        };
        if let Standing::KeyElsewhere { device: other } = standing {
            let device = device.clone();
            return Err(RecordIssuedError::KeyElsewhere { device, other }.into());
        }
        refuse_revoked(ledger, device)?;
        if standing == Standing::Unknown {
            self.check_lot_in(ledger)?;
        }
        Ok(standing)
    }

    /// The certificate in force of a device. One that was revoked is in force no more.
    pub(crate) fn live(&self, device: &DeviceSerial) -> Result<Option<LiveCertificate>, Fault> {
        self.look(|ledger| {
            ledger.look_for_server()?;
            let live = ledger.live(device)?;
            refuse_revoked(ledger, device)?;
            Ok(live)
        })
    }

    /// Has it signed, and checks what came.
    pub(crate) fn issue(&self, approved: &ApprovedCsr) -> Result<Chain, Fault> {
        let mut signing = lock(&self.signing);
        if signing.stopped {
            return Err(Fault::LineStopped);
        }
        let issued = signing.issue(approved, &self.profile);
        signing.stop_for(&issued);
        issued
    }

    /// Returns once it is durable, with what others record at the same time.
    pub(crate) fn record(&self, record: Record) -> Result<(), Fault> {
        self.to_record.take(record, |turn| {
            let mut ledger = lock(&self.ledger);
            let recorded = self.record_all(&mut ledger, turn.jobs());
            self.heard().extend(ledger.news());
            recorded
        })
    }

    /// Each has an answer of its own. If the ledger fails with many in hand, each is tried alone: it
    /// may be one of them that it fails for.
    fn record_all(&self, ledger: &mut LineLedger, records: &[Record]) -> Vec<Result<(), Fault>> {
        if records.len() > 1
            && let Ok(recorded) = self.record_together(ledger, records)
        {
            return recorded;
        }
        records.chunks(1).flat_map(|one| self.record_alone(ledger, one)).collect()
    }

    fn record_alone(&self, ledger: &mut LineLedger, one: &[Record]) -> Vec<Result<(), Fault>> {
        self.record_together(ledger, one).unwrap_or_else(|fault| {
            let failed = Err(fault);
            self.stop_for(&failed);
            vec![failed]
        })
    }

    fn record_together(
        &self,
        ledger: &mut LineLedger,
        records: &[Record],
    ) -> Result<Vec<Result<(), Fault>>, Fault> {
        let stopped_before = lock(&self.signing).stopped;
        let issued: Vec<&Chain> = records
            .iter()
            .filter_map(|record| match record {
                Record::Issued(chain) if !stopped_before => Some(chain),
                _ => None,
            })
            .collect();
        let now_s = system::now_s()?;
        // What stops the line stays, even if the server that said it goes away before all is recorded:
        // the file that stands in for it may not know the other device of a cloned key.
        let mut stopping = BTreeMap::new();
        let recorded = ledger.together(&issued, self.accept_new_key, now_s, |ledger| {
            let each = records.iter().enumerate().map(|(at, record)| {
                let recorded = match record {
                    Record::Issued(_) if stopped_before || !stopping.is_empty() => {
                        Err(Fault::LineStopped)
                    }
                    Record::Issued(chain) => ledger.record(chain)?,
                    Record::Enrolled(enrolled) => ledger.record_enrolled(enrolled)?,
                };
                Ok(match recorded {
                    Err(fault) if fault.stops_the_line() => {
                        stopping.entry(at).or_insert(fault);
                        Err(Fault::LineStopped)
                    }
                    recorded => recorded,
                })
            });
            each.collect::<Result<Vec<_>, StorageError>>()
        });
        // If all of it failed, each is recorded by itself, and the cause is found again.
        let mut recorded = recorded?;
        lock(&self.signing).stopped |= !stopping.is_empty();
        for (at, fault) in stopping {
            recorded[at] = Err(fault);
        }
        Ok(recorded)
    }

    /// What the operator should hear of the ledger's server, once.
    pub(crate) fn news(&self) -> Vec<News> {
        core::mem::take(&mut *self.heard())
    }

    /// Whether the ledger has a server that may be away.
    pub(crate) fn have_a_server(&self) -> bool {
        lock(&self.ledger).is_forwarding()
    }

    /// How full the lot is, as far as that can be known now. To be looked at: what is wrong with the
    /// ledger is named when a device needs it.
    pub(crate) fn lot_use(&self) -> Option<LotUse> {
        let mut ledger = lock(self.to_look());
        let found = ledger.lot_use();
        self.heard().extend(ledger.news());
        found.ok().flatten()
    }

    /// Looks for a server that was away, now and then. Runs under way wait for what it is told, not
    /// for whether it answers.
    pub(crate) fn look_for_server(&self) -> Result<(), Fault> {
        let Some(look) = self.with(&self.ledger, LineLedger::begin_look)? else { return Ok(()) };
        let looked = look.run();
        self.with(&self.ledger, |ledger| ledger.end_look(looked))
    }

    /// Nothing more will be recorded: brings the server what it does not have, and gives back what
    /// was leased.
    pub(crate) fn close(&self) -> Result<(), Fault> {
        self.with(&self.ledger, LineLedger::end)
    }

    /// The key by which this station signs the ledger.
    pub(crate) fn station_key(&self) -> Result<PublicKey, Fault> {
        self.with(&self.ledger, |ledger| Ok(ledger.station_key()?))
    }

    /// What a device that is about to make a new key had before.
    pub(crate) fn before(&self, device: &DeviceSerial) -> Result<Before, Fault> {
        self.look(|ledger| {
            let known = ledger.live(device)?.is_some();
            if !self.accept_new_key {
                refuse_revoked(ledger, device)?;
                return Ok(if known { Before::Kept } else { Before::Nothing });
            }
            let revoked = ledger.revocation_of(device)?.is_some();
            let replaceable = known || revoked;
            Ok(if replaceable { Before::Replaceable { revoked } } else { Before::Nothing })
        })
    }

    /// Whether a new device has a place in the lot.
    pub(crate) fn check_lot(&self) -> Result<(), Fault> {
        self.look(|ledger| self.check_lot_in(ledger))
    }

    fn check_lot_in(&self, ledger: &mut LineLedger) -> Result<(), Fault> {
        ledger.check_lot(&self.profile.name, system::now_s()?)
    }

    /// What the ledger has of a device, oldest first. To be looked at, as [`lot_use`](Self::lot_use).
    pub(crate) fn search_device(
        &self,
        device: &DeviceSerial,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut ledger = lock(self.to_look());
        let found = ledger.search_device(device, each);
        self.heard().extend(ledger.news());
        found
    }

    /// Name of the profile that certificates are made by.
    pub(crate) fn profile_name(&self) -> &str {
        &self.profile.name
    }

    /// Bytes of the certificates above a leaf.
    pub(crate) fn len_above_leaf(&self) -> usize {
        let mut signing = lock(&self.signing);
        let issuer = signing.issuer.inner();
        issuer.issuers().iter().map(Vec::len).sum::<usize>() + issuer.anchor().len()
    }

    fn look<T>(&self, work: impl FnOnce(&mut LineLedger) -> Result<T, Fault>) -> Result<T, Fault> {
        self.with(self.to_look(), work)
    }

    fn to_look(&self) -> &Mutex<LineLedger> {
        self.looking.as_ref().unwrap_or(&self.ledger)
    }

    fn with<T>(
        &self,
        ledger: &Mutex<LineLedger>,
        work: impl FnOnce(&mut LineLedger) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut ledger = lock(ledger);
        let result = work(&mut ledger);
        self.heard().extend(ledger.news());
        // Before anybody else has a turn: the next one to ask might be the clone's clone.
        self.stop_for(&result);
        result
    }

    fn stop_for<T>(&self, result: &Result<T, Fault>) {
        lock(&self.signing).stop_for(result);
    }

    fn heard(&self) -> MutexGuard<'_, Vec<News>> {
        lock(&self.news)
    }
}

impl Signing {
    fn issue(&mut self, approved: &ApprovedCsr, profile: &Profile) -> Result<Chain, Fault> {
        let now_s = system::now_s()?;
        let chain = self.issuer.issue(approved, profile, now_s)?;
        check_signatures(&chain, now_s)?;
        Ok(chain)
    }

    fn stop_for<T>(&mut self, result: &Result<T, Fault>) {
        self.stopped |= result.as_ref().is_err_and(Fault::stops_the_line);
    }
}

/// A run that panicked left a ledger whose transactions are whole or not there.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was revoked is not delivered again, and does not pass, whatever else is known.
fn refuse_revoked(ledger: &mut LineLedger, device: &DeviceSerial) -> Result<(), Fault> {
    match ledger.revocation_of(device)? {
        None => Ok(()),
        Some(revoked) => Err(Fault::RevokedDevice {
            device: device.to_string(),
            cert_serial: revoked.cert_serial.to_string(),
        }),
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
        crls: &[],
        crl_scope: CrlScope::Leaf,
    };
    verify(&request)?;
    Ok(())
}
