//! The CA and the ledger, as runs on many ports share them: one at a time, in the order they come.

use core::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use provision_csr::PublicKey;
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{FileIssuer, Issuer as _, Profile};
use provision_ledger::{Found, LotUse, News, RecordIssuedError, weak_key};
use provision_station::enrollment::Record;
use provision_station::evidence::{ApprovedCsr, Chain, LiveCertificate, Standing};
use provision_wire::DeviceSerial;

use crate::fault::Fault;
use crate::line_ledger::LineLedger;
use crate::system;

/// What signs and what remembers, behind one lock.
///
/// Once the line is stopped nothing more is signed. Runs whose certificate is in the ledger by then
/// go on: their devices are as good as any, and half-delivered ones help nobody.
pub(crate) struct Books {
    inner: Mutex<Inner>,
    /// What the operator should hear of the ledger's server. Apart, so that who shows it does not
    /// wait for a ledger that takes its time.
    news: Mutex<Vec<News>>,
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

struct Inner {
    issuer: FileIssuer,
    profile: Profile,
    ledger: LineLedger,
    accept_new_key: bool,
    stopped: bool,
}

impl Books {
    pub(crate) fn new(
        issuer: FileIssuer,
        profile: Profile,
        mut ledger: LineLedger,
        accept_new_key: bool,
    ) -> Self {
        let news = Mutex::new(ledger.news());
        let inner = Inner { issuer, profile, ledger, accept_new_key, stopped: false };
        Self { inner: Mutex::new(inner), news }
    }

    /// What the ledger knows of a device and its key, before anything is signed.
    pub(crate) fn standing(
        &self,
        device: &DeviceSerial,
        key: &PublicKey,
    ) -> Result<Standing, Fault> {
        self.with(|books| {
            books.ledger.look_for_server()?;
            books.standing(device, key)
        })
    }

    /// The certificate in force of a device. One that was revoked is in force no more.
    pub(crate) fn live(&self, device: &DeviceSerial) -> Result<Option<LiveCertificate>, Fault> {
        self.with(|books| {
            books.ledger.look_for_server()?;
            let live = books.ledger.live(device)?;
            books.refuse_revoked(device)?;
            Ok(live)
        })
    }

    /// Has it signed, and checks what came.
    pub(crate) fn issue(&self, approved: &ApprovedCsr) -> Result<Chain, Fault> {
        self.with(|books| {
            if books.stopped {
                return Err(Fault::LineStopped);
            }
            let now_s = system::now_s()?;
            let chain = books.issuer.issue(approved, &books.profile, now_s)?;
            check_signatures(&chain, now_s)?;
            Ok(chain)
        })
    }

    /// Returns once it is durable.
    pub(crate) fn record(&self, record: &Record) -> Result<(), Fault> {
        self.with(|books| {
            let now_s = system::now_s()?;
            match record {
                Record::Issued(_) if books.stopped => Err(Fault::LineStopped),
                Record::Issued(chain) => books.ledger.record(chain, books.accept_new_key, now_s),
                Record::Enrolled(enrolled) => books.ledger.record_enrolled(enrolled, now_s),
            }
        })
    }

    /// What the operator should hear of the ledger's server, once.
    pub(crate) fn news(&self) -> Vec<News> {
        core::mem::take(&mut *self.heard())
    }

    /// Whether the ledger has a server that may be away.
    pub(crate) fn have_a_server(&self) -> bool {
        self.lock().ledger.is_forwarding()
    }

    /// How full the lot is, as far as that can be known now. To be looked at: what is wrong with the
    /// ledger is named when a device needs it.
    pub(crate) fn lot_use(&self) -> Option<LotUse> {
        let mut books = self.lock();
        let found = books.ledger.lot_use();
        self.heard().extend(books.ledger.news());
        found.ok().flatten()
    }

    /// Looks for a server that was away, now and then. Runs under way wait for what it is told, not
    /// for whether it answers.
    pub(crate) fn look_for_server(&self) -> Result<(), Fault> {
        let Some(look) = self.with(|books| books.ledger.begin_look())? else { return Ok(()) };
        let looked = look.run();
        self.with(|books| books.ledger.end_look(looked))
    }

    /// Nothing more will be recorded: brings the server what it does not have, and gives back what
    /// was leased.
    pub(crate) fn close(&self) -> Result<(), Fault> {
        self.with(|books| books.ledger.end())
    }

    /// The key by which this station signs the ledger.
    pub(crate) fn station_key(&self) -> Result<PublicKey, Fault> {
        self.with(|books| Ok(books.ledger.station_key()?))
    }

    /// What a device that is about to make a new key had before.
    pub(crate) fn before(&self, device: &DeviceSerial) -> Result<Before, Fault> {
        self.with(|books| {
            let known = books.ledger.live(device)?.is_some();
            if !books.accept_new_key {
                books.refuse_revoked(device)?;
                return Ok(if known { Before::Kept } else { Before::Nothing });
            }
            let revoked = books.ledger.revocation_of(device)?.is_some();
            let replaceable = known || revoked;
            Ok(if replaceable { Before::Replaceable { revoked } } else { Before::Nothing })
        })
    }

    /// Whether a new device has a place in the lot.
    pub(crate) fn check_lot(&self) -> Result<(), Fault> {
        self.with(|books| books.check_lot())
    }

    /// What the ledger has of a device, oldest first. To be looked at, as [`lot_use`](Self::lot_use).
    pub(crate) fn search_device(
        &self,
        device: &DeviceSerial,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let mut books = self.lock();
        let found = books.ledger.search_device(device, each);
        self.heard().extend(books.ledger.news());
        found
    }

    /// Name of the profile that certificates are made by.
    pub(crate) fn profile_name(&self) -> String {
        self.lock().profile.name.clone()
    }

    /// Bytes of the certificates above a leaf.
    pub(crate) fn len_above_leaf(&self) -> usize {
        let mut books = self.lock();
        let issuer = books.issuer.inner();
        issuer.issuers().iter().map(Vec::len).sum::<usize>() + issuer.anchor().len()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut books = self.lock();
        let result = work(&mut books);
        self.heard().extend(books.ledger.news());
        // Before anybody else has a turn: the next one to ask might be the clone's clone.
        if result.as_ref().is_err_and(Fault::stops_the_line) {
            books.stopped = true;
        }
        result
    }

    fn heard(&self) -> MutexGuard<'_, Vec<News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A run that panicked left a ledger whose transactions are whole or not there.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn standing(&mut self, device: &DeviceSerial, key: &PublicKey) -> Result<Standing, Fault> {
        if let Some(weakness) = weak_key(key) {
            let device = device.clone();
            return Err(RecordIssuedError::WeakKey { device, weakness }.into());
        }
        let standing = match self.ledger.standing(device, key)? {
            // By the operator's word it is as good as new.
            Standing::OtherKey { .. } if self.accept_new_key => return Ok(Standing::Unknown),
            standing => standing,
        };
        if let Standing::KeyElsewhere { device: other } = standing {
            let device = device.clone();
            return Err(RecordIssuedError::KeyElsewhere { device, other }.into());
        }
        self.refuse_revoked(device)?;
        if standing == Standing::Unknown {
            self.check_lot()?;
        }
        Ok(standing)
    }

    fn check_lot(&mut self) -> Result<(), Fault> {
        self.ledger.check_lot(&self.profile.name, system::now_s()?)
    }

    /// What was revoked is not delivered again, and does not pass, whatever else is known.
    fn refuse_revoked(&mut self, device: &DeviceSerial) -> Result<(), Fault> {
        match self.ledger.revocation_of(device)? {
            None => Ok(()),
            Some(revoked) => Err(Fault::RevokedDevice {
                device: device.to_string(),
                cert_serial: revoked.cert_serial.to_string(),
            }),
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
