//! A ledger on a server, and a file for when the server is away.
//!
//! ```text
//!              the server cannot be reached, and a lease is open
//!   at the server ─────────────────────────────────────────────► alone
//!         ▲                                                        │
//!         └──── it can be reached again: merge, lease anew ────────┘
//! ```
//!
//! A certificate is noted in the file before the server is asked to record it, so that a station
//! that dies at any moment knows of it without the server. It leaves the station once the server has
//! it, or once a leased place is taken for it.

use core::ops::ControlFlow;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::Instant;

use provision_csr::PublicKey;
use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;

use crate::certificates::{Certificates as _, RevocationRecord};
use crate::fallback::{Fallback, FallbackError, Merged};
use crate::forwarding::Forwarding;
use crate::leases::{Lease, LeaseTerms};
use crate::ledger::{
    DatabaseRefusal, Ledger as _, RecordEnrolledError, RecordIssuedError, StorageError,
    StorageFault,
};
use crate::lot::Lot;
use crate::lots::{LotCheckError, LotRefusal, LotUse};
use crate::open_error::OpenError;
use crate::postgres::PostgresUrl;
use crate::search::{Found, Search};
use crate::sql_ledger::{Issuance, SqlLedger};

/// What a station records to: its server as long as it can, and a file of its own.
#[derive(Debug)]
pub struct StoreAndForward {
    server: PostgresUrl,
    station_key: PathBuf,
    fallback: Fallback,
    wish: LeaseWish,
    ignore_clock: bool,
    state: State,
    /// The last places of the lot were needed: nothing is leased any more.
    gave_up: bool,
    news: Vec<News>,
}

/// What a station would like to keep for when its server is away.
#[derive(Debug, Clone)]
pub struct LeaseWish {
    /// Of which lot.
    pub lot: Lot,
    /// By which profile it makes devices.
    pub profile: String,
    /// How many places at most.
    pub places: u64,
    /// For how long, in seconds.
    pub lasts_s: u64,
    /// Whether it is kept when the station ends, so that it can begin while its server is away.
    pub keep: bool,
}

#[derive(Debug)]
enum State {
    AtServer {
        server: Box<SqlLedger>,
        /// When to lease anew, in seconds since 1970-01-01 UTC: long before what it has expires.
        renew_at_s: u64,
    },
    Alone {
        /// When to look for it again, in seconds since 1970-01-01 UTC.
        look_at_s: u64,
        /// Why, in the word that the operator heard last.
        why: &'static str,
    },
}

/// What the operator should hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The server is away, or does not serve us; the station goes on by itself. Once more if the
    /// server came back meanwhile, and refuses.
    Alone {
        /// What happened.
        why: String,
        /// The same in one word, as [`StorageFault::word`] has it.
        cause: &'static str,
        /// How many devices may be made.
        left: u64,
        /// Until when, in seconds since 1970-01-01 UTC.
        expires_at_s: u64,
    },
    /// The server is there, and has what was recorded meanwhile.
    Merged(Merged),
    /// The station ends, and its server is away: what it recorded is in its file alone.
    Waiting {
        /// Why the server was not told.
        why: String,
        /// Which file.
        file: String,
        /// How many devices the server is to hear of.
        devices: u64,
        /// How many leased places are not given back.
        places: u64,
    },
}

/// A look whether the server is there again, apart from the station, which can go on meanwhile: that
/// a server says nothing takes seconds to find out.
#[derive(Debug)]
pub struct Look {
    server: PostgresUrl,
    station_key: PathBuf,
    ignore_clock: bool,
}

/// What came of a [`Look`].
#[derive(Debug)]
pub struct Looked {
    server: Result<Box<SqlLedger>, OpenError>,
    took: Duration,
}

impl Look {
    /// Connects to the server, and changes nothing.
    #[must_use]
    pub fn run(self) -> Looked {
        let began = Instant::now();
        let server = SqlLedger::connect(&self.server, &self.station_key).map(|mut server| {
            server.ignore_clock(self.ignore_clock);
            Box::new(server)
        });
        Looked { server, took: began.elapsed() }
    }
}

impl StoreAndForward {
    /// Opens the ledger at the server, merges what is in the file, and leases places. If the server
    /// is away, and the file has a lease that is good for the lot, the station begins alone; but not
    /// if it is there and refuses what only somebody can mend, such as a password.
    ///
    /// # Errors
    ///
    /// [`FallbackError`].
    pub fn open(
        server: &PostgresUrl,
        station_key: &Path,
        file: &Path,
        wish: LeaseWish,
        ignore_clock: bool,
        at_s: u64,
    ) -> Result<Self, FallbackError> {
        let place = server.to_string();
        let mut fallback = Fallback::open_or_create(file, station_key, &place, at_s)?;
        fallback.ledger.ignore_clock(ignore_clock);
        let mut opened = Self {
            server: server.clone(),
            station_key: station_key.to_owned(),
            fallback,
            wish,
            ignore_clock,
            state: State::Alone { look_at_s: 0, why: "" },
            gave_up: false,
            news: Vec::new(),
        };
        let Err(error) = opened.connect(at_s) else { return Ok(opened) };
        let error = error.out_of_reach()?;
        if is_for_somebody_to_mend(&error) {
            return Err(error.into());
        }
        let LeaseWish { lot, profile, .. } = &opened.wish;
        match opened.fallback.check_lot(lot, profile, at_s) {
            Ok(()) => {
                opened.go_alone(&error, at_s)?;
                Ok(opened)
            }
            Err(LotCheckError::Lot(_)) => Err(error.into()),
            Err(LotCheckError::Storage(error)) => Err(error.into()),
        }
    }

    /// Whether the server is away.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        matches!(self.state, State::Alone { .. })
    }

    /// The key by which this station signs, at the server and in its file.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if it cannot be read or made.
    pub fn station_key(&mut self) -> Result<PublicKey, StorageError> {
        self.fallback.ledger.station_key()
    }

    /// What the operator should hear, once.
    pub fn news(&mut self) -> Vec<News> {
        core::mem::take(&mut self.news)
    }

    /// The lease that the station has.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn lease(&mut self) -> Result<Option<Lease>, StorageError> {
        self.fallback.lease()
    }

    /// Looks whether a server that was away is there again, now and then, and merges. At a server
    /// that is there, leases anew before the lease is of no use. To be called before a device is
    /// begun.
    ///
    /// # Errors
    ///
    /// [`FallbackError`], but not for a server that is still away, refuses us, or has no turn for us.
    pub fn look_for_server(&mut self, at_s: u64) -> Result<(), FallbackError> {
        match &self.state {
            State::Alone { .. } => match self.begin_look(at_s) {
                Some(look) => self.end_look(look.run(), at_s),
                None => Ok(()),
            },
            State::AtServer { renew_at_s, .. } if at_s >= *renew_at_s && !self.gave_up => {
                self.renew(at_s)
            }
            _ => Ok(()),
        }
    }

    /// If the server was away, and it is time to look for it: how. What comes of it goes to
    /// [`end_look`](Self::end_look); until then nobody else looks.
    pub fn begin_look(&mut self, at_s: u64) -> Option<Look> {
        match &mut self.state {
            State::Alone { look_at_s, .. } if at_s >= *look_at_s => {
                *look_at_s = at_s.saturating_add(LOOK_AFTER_S);
                Some(self.a_look())
            }
            _ => None,
        }
    }

    /// If the look found the server: merges, and leases anew.
    ///
    /// # Errors
    ///
    /// As [`look_for_server`](Self::look_for_server).
    pub fn end_look(&mut self, looked: Looked, at_s: u64) -> Result<(), FallbackError> {
        let State::Alone { why, .. } = self.state else { return Ok(()) };
        let (began, took) = (Instant::now(), looked.took);
        let settled = match looked.server {
            Ok(server) => self.settle(server, at_s).map_err(FallbackError::from),
            Err(error) => Err(error.into()),
        };
        let Err(error) = settled else { return Ok(()) };
        let error = error.out_of_reach()?;
        // It is back, and somebody has to mend it: the operator heard of another reason.
        if is_for_somebody_to_mend(&error) && error.fault.word() != why {
            self.go_alone(&error, at_s)?;
        }
        // One that does not even refuse holds the line up, each time.
        let took_s = took.saturating_add(began.elapsed()).as_secs();
        let after_s = LOOK_AFTER_S + took_s.saturating_mul(12);
        if let State::Alone { look_at_s, .. } = &mut self.state {
            *look_at_s = at_s.saturating_add(after_s);
        }
        Ok(())
    }

    fn a_look(&self) -> Look {
        Look {
            server: self.server.clone(),
            station_key: self.station_key.clone(),
            ignore_clock: self.ignore_clock,
        }
    }

    fn renew(&mut self, at_s: u64) -> Result<(), FallbackError> {
        let Some(server) = self.leave_server(at_s) else { return Ok(()) };
        match self.settle(server, at_s) {
            Err(error) if error.is_out_of_reach() => Ok(self.go_alone(&error, at_s)?),
            settled => Ok(settled?),
        }
    }

    /// Ends the station: brings the server what it does not have yet, and gives back what is left of
    /// the lease, or leases anew, whichever was wished. If the server is away, refuses us, or has no
    /// turn for us, [`news`](Self::news) says what waits for it.
    ///
    /// # Errors
    ///
    /// [`FallbackError`], but not for a server that is away, refuses us, or has no turn for us.
    pub fn end(&mut self, at_s: u64) -> Result<(), FallbackError> {
        let Err(error) = self.end_at_server(at_s) else { return Ok(()) };
        self.tell_what_waits(error.to_string())?;
        error.out_of_reach()?;
        Ok(())
    }

    fn end_at_server(&mut self, at_s: u64) -> Result<(), FallbackError> {
        let mut server = match self.leave_server(at_s) {
            Some(server) => server,
            None => self.a_look().run().server?,
        };
        if self.wish.keep {
            return Ok(self.settle(server, at_s)?);
        }
        let merged = self.fallback.merge(&mut server, at_s)?;
        self.tell_of(merged);
        Ok(())
    }

    fn tell_what_waits(&mut self, why: String) -> Result<(), StorageError> {
        let devices = self.fallback.waiting()?;
        let lease = if self.wish.keep { None } else { self.fallback.lease()? };
        let places = lease.as_ref().map_or(0, Lease::left);
        if devices > 0 || places > 0 {
            let file = self.fallback.ledger.place().into();
            self.news.push(News::Waiting { why, file, devices, places });
        }
        Ok(())
    }

    /// As [`Ledger::standing`](crate::Ledger::standing).
    ///
    /// # Errors
    ///
    /// [`LotCheckError`]: alone, a certificate that the server may not have needs a leased place.
    pub fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
        at_s: u64,
    ) -> Result<Standing, LotCheckError> {
        if let State::AtServer { server, .. } = &mut self.state {
            match server.standing(device, public_key) {
                Err(error) if is_away(&error) => self.go_alone(&error, at_s)?,
                standing => {
                    let standing = standing?;
                    match &standing {
                        // It will be proven, perhaps when the server is away.
                        Standing::Live(LiveCertificate { chain, .. }) => {
                            self.fallback.keep_known(chain, at_s)?;
                        }
                        // So that this file knows what a new key would replace.
                        Standing::OtherKey { .. } => drop(self.live(device, at_s)?),
                        _ => {}
                    }
                    return Ok(standing);
                }
            }
        }
        let LeaseWish { lot, profile, .. } = &self.wish;
        self.fallback.standing(device, public_key, lot, profile, at_s)
    }

    /// As [`Ledger::live`](crate::Ledger::live).
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn live(
        &mut self,
        device: &DeviceSerial,
        at_s: u64,
    ) -> Result<Option<LiveCertificate>, StorageError> {
        if let State::AtServer { server, .. } = &mut self.state {
            match server.live(device) {
                Err(error) if is_away(&error) => self.go_alone(&error, at_s)?,
                live => {
                    let live = live?;
                    if let Some(LiveCertificate { chain, .. }) = &live {
                        self.fallback.keep_known(chain, at_s)?;
                    }
                    return Ok(live);
                }
            }
        }
        self.fallback.ledger.live(device)
    }

    /// As [`Certificates::revocation_of`](crate::Certificates::revocation_of); alone, as far as is
    /// known here.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn revocation_of(
        &mut self,
        device: &DeviceSerial,
        at_s: u64,
    ) -> Result<Option<RevocationRecord>, StorageError> {
        if let State::AtServer { server, .. } = &mut self.state {
            match server.revocation_of(device) {
                Err(error) if is_away(&error) => self.go_alone(&error, at_s)?,
                found => return found,
            }
        }
        self.fallback.ledger.revocation_of(device)
    }

    /// As [`SqlLedger::check_lot`]; alone, whether a leased place is left.
    ///
    /// # Errors
    ///
    /// [`LotCheckError`].
    pub fn check_lot(&mut self, at_s: u64) -> Result<(), LotCheckError> {
        let LeaseWish { lot, profile, .. } = self.wish.clone();
        if let State::AtServer { server, .. } = &mut self.state {
            let mut checked = server.check_lot(Some(&lot), &profile, at_s);
            if matches!(checked, Err(LotCheckError::Lot(LotRefusal::Leased { .. }))) {
                checked = match self.give_back_lease(at_s) {
                    Ok(Some(server)) => server.check_lot(Some(&lot), &profile, at_s),
                    Ok(None) => checked,
                    Err(error) => Err(error.into()),
                };
            }
            match checked {
                Err(LotCheckError::Storage(error)) if is_away(&error) => {
                    self.go_alone(&error, at_s)?;
                }
                checked => return checked,
            }
        }
        self.fallback.check_lot(&lot, &profile, at_s)
    }

    /// As [`SqlLedger::lot_use`], of the lot of the lease; none while the server is away.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn lot_use(&mut self, at_s: u64) -> Result<Option<LotUse>, StorageError> {
        let State::AtServer { server, .. } = &mut self.state else { return Ok(None) };
        match server.lot_use(&self.wish.lot) {
            Err(error) if is_away(&error) => self.go_alone(&error, at_s).map(|()| None),
            found => found,
        }
    }

    /// As [`SqlLedger::search`]; alone, as far as is known here.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn search(
        &mut self,
        search: &Search,
        at_s: u64,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), StorageError> {
        if let State::AtServer { server, .. } = &mut self.state {
            match server.search(search, each) {
                Err(error) if is_away(&error) => self.go_alone(&error, at_s)?,
                searched => return searched,
            }
        }
        self.fallback.ledger.search(search, each)
    }

    /// As [`SqlLedger::record`], in the lot of the lease. Alone, it takes a leased place, and a device
    /// that is known keeps its key whatever the operator says. If the server goes away while a key
    /// is replaced, that is an error: only the server knows which certificate ends by it.
    ///
    /// # Errors
    ///
    /// [`RecordIssuedError`].
    pub fn record(
        &mut self,
        chain: &Chain,
        replace: bool,
        at_s: u64,
    ) -> Result<(), RecordIssuedError> {
        let LeaseWish { lot, profile, .. } = self.wish.clone();
        let issuance = Issuance { chain, lot: Some(&lot), replace };
        if !self.is_alone() {
            self.fallback.keep(&lot, &[chain], at_s)?;
        }
        if let State::AtServer { server, .. } = &mut self.state {
            let mut recorded = server.record(&issuance, at_s);
            if matches!(recorded, Err(RecordIssuedError::Lot(LotRefusal::Leased { .. }))) {
                recorded = match self.give_back_lease(at_s) {
                    Ok(Some(server)) => server.record(&issuance, at_s),
                    Ok(None) => recorded,
                    Err(error) => Err(error.into()),
                };
            }
            match recorded {
                Err(RecordIssuedError::Storage(error)) if is_away(&error) => {
                    self.go_alone(&error, at_s)?;
                    let known = self.fallback.ledger.find(chain.device())?;
                    if replace && known.is_some_and(|e| e.leaf_sha256 != chain.leaf_sha256()) {
                        // Which certificate it replaces, the server knows.
                        return Err(error.into());
                    }
                }
                Ok(()) if replace => return Ok(self.fallback.keep_known(chain, at_s)?),
                recorded => return recorded,
            }
        }
        self.fallback.record(&lot, &profile, chain, at_s)
    }

    /// As [`Ledger::record_enrolled`](crate::Ledger::record_enrolled).
    ///
    /// # Errors
    ///
    /// [`RecordEnrolledError`].
    pub fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<(), RecordEnrolledError> {
        if let State::AtServer { server, .. } = &mut self.state {
            match server.record_enrolled(enrolled, at_s) {
                Err(RecordEnrolledError::Storage(error)) if is_away(&error) => {
                    self.go_alone(&error, at_s)?;
                }
                recorded => {
                    recorded?;
                    return Ok(self.fallback.keep_proofs(&[enrolled], at_s)?);
                }
            }
        }
        self.fallback.record_enrolled(enrolled, at_s).map(|_| ())
    }

    /// Several records in one transaction at the server, and one in the file before it (`issued`, all
    /// certificates among them) or after it (proofs): for many ports, which wait for one disk and one
    /// server. Alone, in one transaction of the file. No key is replaced by them.
    ///
    /// `work` records them, and is called again if the server goes away in the middle, or if the last
    /// places of the lot are those that this station has leased: what it found before counts no more.
    /// Nothing of it may be acted on until this returns `Ok`.
    ///
    /// # Errors
    ///
    /// [`StorageError`], and whatever else ends `work`; each can be recorded by itself then.
    pub fn together<'e, T>(
        &mut self,
        issued: &[&Chain],
        at_s: u64,
        mut work: impl FnMut(&mut Forwarding<'_, '_, 'e>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        if !self.is_alone() && !issued.is_empty() {
            self.fallback.keep(&self.wish.lot, issued, at_s)?;
        }
        while let State::AtServer { server, .. } = &mut self.state {
            let lot = &self.wish.lot;
            let recorded = server.write(at_s, |session| {
                let mut forwarding = Forwarding::new(session, lot, None);
                let done = work(&mut forwarding)?;
                Ok::<_, StorageError>((done, forwarding.proven, forwarding.wants_leased))
            });
            let given_back = match &recorded {
                Ok((_, _, true)) => self.give_back_lease(at_s).map(|server| server.is_some()),
                _ => Ok(false),
            };
            match given_back.and_then(|again| Ok((again, recorded?))) {
                Ok((true, _)) => {}
                Ok((false, (done, proven, _))) => {
                    if !proven.is_empty() {
                        self.fallback.keep_proofs(&proven, at_s)?;
                    }
                    return Ok(done);
                }
                Err(error) if is_away(&error) => self.go_alone(&error, at_s)?,
                Err(error) => return Err(error),
            }
        }
        let LeaseWish { lot, profile, .. } = &self.wish;
        let alone = Some((self.fallback.holder(), profile.as_str()));
        self.fallback.ledger.write(at_s, |session| work(&mut Forwarding::new(session, lot, alone)))
    }

    fn connect(&mut self, at_s: u64) -> Result<(), FallbackError> {
        let server = self.a_look().run().server?;
        Ok(self.settle(server, at_s)?)
    }

    /// Merges, and leases: from then on the station is at this server.
    fn settle(&mut self, mut server: Box<SqlLedger>, at_s: u64) -> Result<(), StorageError> {
        let merged = self.fallback.merge(&mut server, at_s)?;
        self.tell_of(merged);
        let LeaseWish { lot, profile, places, lasts_s, keep: _ } = &self.wish;
        let terms = LeaseTerms {
            holder: self.fallback.holder(),
            lot,
            profile,
            places: *places,
            lasts_s: *lasts_s,
        };
        if !self.gave_up {
            match self.fallback.lease_from(&mut server, &terms, at_s) {
                // The lot says so again, by name, when a device is made in it.
                Ok(_) | Err(LotCheckError::Lot(_)) => {}
                Err(LotCheckError::Storage(error)) => return Err(error),
            }
        }
        let renew_at_s = at_s.saturating_add(lasts_s / 2);
        self.state = State::AtServer { server, renew_at_s };
        Ok(())
    }

    /// Takes the server that the station is at: it is alone unless it settles again.
    fn leave_server(&mut self, at_s: u64) -> Option<Box<SqlLedger>> {
        match core::mem::replace(&mut self.state, State::Alone { look_at_s: at_s, why: "" }) {
            State::AtServer { server, .. } => Some(server),
            alone @ State::Alone { .. } => {
                self.state = alone;
                None
            }
        }
    }

    /// From now on by itself.
    fn go_alone(&mut self, error: &StorageError, at_s: u64) -> Result<(), StorageError> {
        let cause = error.fault.word();
        self.state = State::Alone { look_at_s: at_s.saturating_add(LOOK_AFTER_S), why: cause };
        let lease = self.fallback.lease()?;
        self.news.push(News::Alone {
            why: error.to_string(),
            cause,
            left: lease.as_ref().map_or(0, Lease::left),
            expires_at_s: lease.map_or(at_s, |lease| lease.expires_at_s),
        });
        Ok(())
    }

    /// The last places of a lot are for those who make devices now. None if there is nothing to give
    /// back.
    fn give_back_lease(&mut self, at_s: u64) -> Result<Option<&mut SqlLedger>, StorageError> {
        let State::AtServer { server, .. } = &mut self.state else { return Ok(None) };
        if self.fallback.lease()?.is_none() {
            return Ok(None);
        }
        let merged = self.fallback.merge(server, at_s)?;
        self.gave_up = true;
        self.tell_of(merged);
        match &mut self.state {
            State::AtServer { server, .. } => Ok(Some(server)),
            State::Alone { .. } => Ok(None),
        }
    }

    fn tell_of(&mut self, merged: Merged) {
        if !merged.is_nothing() {
            self.news.push(News::Merged(merged));
        }
    }
}

/// Whether a station that has begun goes on without it. One whose certificate has ended over night,
/// or is another's, is away for those who do not believe it; and where somebody changes passwords or
/// rights during a shift, the line does not stand still for it.
fn is_away(error: &StorageError) -> bool {
    use StorageFault::{Refused, Tls, Unreachable};
    matches!(error.fault, Unreachable { .. } | Tls { .. } | Refused { .. })
}

/// It will refuse the next time as well, until somebody has changed something. That it has no
/// connection left passes by itself.
fn is_for_somebody_to_mend(error: &StorageError) -> bool {
    matches!(&error.fault, StorageFault::Refused { refusal, .. }
        if *refusal != DatabaseRefusal::TooManyConnections)
}

impl StorageError {
    /// It is away, or others write to it all the time, as when all stations come back to it at once.
    fn is_out_of_reach(&self) -> bool {
        is_away(self) || matches!(self.fault, StorageFault::Locked)
    }
}

impl FallbackError {
    /// What says that the server is out of reach, if this does.
    fn out_of_reach(self) -> Result<StorageError, Self> {
        match self {
            Self::Storage(error) | Self::Open(OpenError::Storage(error))
                if error.is_out_of_reach() =>
            {
                Ok(error)
            }
            other => Err(other),
        }
    }
}

/// How long after a server went away it is looked for, at least.
const LOOK_AFTER_S: u64 = 5;
