//! What the line records to: one ledger, or a server with a file for when it is away.

use core::ops::ControlFlow;

use provision_csr::PublicKey;
use provision_ledger::{
    Certificates as _, Forwarding, Found, Holder, Issuance, Ledger as _, Look, Looked, Lot, LotUse,
    News, RevocationRecord, Search, SqlLedger, StorageError, StoreAndForward, Together,
};
use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;
use serde_json::json;

use crate::fault::Fault;
use crate::report::Report;
use crate::system;

pub(crate) enum LineLedger {
    One {
        ledger: SqlLedger,
        lot: Option<Lot>,
    },
    Forwarding {
        ledger: Box<StoreAndForward>,
        /// What was looked at for conflicts, and not told yet.
        news: Vec<News>,
    },
}

impl LineLedger {
    /// If the server was away: looks for it, now and then. What could not stand beside what it knew
    /// is on record when this says so, and stops the line.
    pub(crate) fn look_for_server(&mut self) -> Result<(), Fault> {
        let Self::Forwarding { ledger, news } = self else { return Ok(()) };
        ledger.look_for_server(system::now_s()?)?;
        hear(ledger, news)
    }

    /// Whether there is a server that may be away.
    pub(crate) const fn is_forwarding(&self) -> bool {
        matches!(self, Self::Forwarding { .. })
    }

    /// If the server was away, and it is time to look for it: how. At a server that is there, leases
    /// anew in time.
    pub(crate) fn begin_look(&mut self) -> Result<Option<Look>, Fault> {
        let Self::Forwarding { ledger, .. } = self else { return Ok(None) };
        if ledger.is_alone() {
            return Ok(ledger.begin_look(system::now_s()?));
        }
        self.look_for_server()?;
        Ok(None)
    }

    /// What came of it, as [`look_for_server`](Self::look_for_server) has it.
    pub(crate) fn end_look(&mut self, looked: Looked) -> Result<(), Fault> {
        let Self::Forwarding { ledger, news } = self else { return Ok(()) };
        ledger.end_look(looked, system::now_s()?)?;
        hear(ledger, news)
    }

    pub(crate) fn standing(
        &mut self,
        device: &DeviceSerial,
        key: &PublicKey,
    ) -> Result<Standing, Fault> {
        match self {
            Self::One { ledger, .. } => Ok(ledger.standing(device, key)?),
            Self::Forwarding { ledger, .. } => {
                Ok(ledger.standing(device, key, system::now_s()?)?)
            }
        }
    }

    pub(crate) fn live(&mut self, device: &DeviceSerial) -> Result<Option<LiveCertificate>, Fault> {
        match self {
            Self::One { ledger, .. } => Ok(ledger.live(device)?),
            Self::Forwarding { ledger, .. } => Ok(ledger.live(device, system::now_s()?)?),
        }
    }

    pub(crate) fn revocation_of(
        &mut self,
        device: &DeviceSerial,
    ) -> Result<Option<RevocationRecord>, Fault> {
        match self {
            Self::One { ledger, .. } => Ok(ledger.revocation_of(device)?),
            Self::Forwarding { ledger, .. } => Ok(ledger.revocation_of(device, system::now_s()?)?),
        }
    }

    pub(crate) fn check_lot(&mut self, profile: &str, now_s: u64) -> Result<(), Fault> {
        match self {
            Self::One { ledger, lot } => Ok(ledger.check_lot(lot.as_ref(), profile, now_s)?),
            Self::Forwarding { ledger, .. } => Ok(ledger.check_lot(now_s)?),
        }
    }

    /// How full the lot is, where there is one with a quota, and who knows it is there.
    pub(crate) fn lot_use(&mut self) -> Result<Option<LotUse>, Fault> {
        match self {
            Self::One { lot: None, .. } => Ok(None),
            Self::One { ledger, lot: Some(lot) } => Ok(ledger.lot_use(lot)?),
            Self::Forwarding { ledger, .. } => Ok(ledger.lot_use(system::now_s()?)?),
        }
    }

    /// What is on record of a device, oldest first. Alone, only the server knows the lot of one that
    /// was not made here: that is an error, whatever was handed over until then.
    pub(crate) fn search_device(
        &mut self,
        device: &DeviceSerial,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), Fault> {
        let search = Search::Device(device.clone());
        match self {
            Self::One { ledger, .. } => Ok(ledger.search(&search, each)?),
            Self::Forwarding { ledger, .. } => {
                let mut knows_lot = true;
                ledger.search(&search, system::now_s()?, &mut |found| {
                    knows_lot = !matches!(found.holder, Holder::Device { lot: None, .. });
                    each(found)
                })?;
                if ledger.is_alone() && !knows_lot {
                    let why = "its lot is on record at the server alone, which is away";
                    return Err(Fault::NoLabel { device: device.to_string(), why });
                }
                Ok(())
            }
        }
    }

    /// Has `work` record as much as it likes, `issued` all certificates among it; by the operator's
    /// word also in the place of others. What was accepted is durable once this returns `Ok`. `work`
    /// may be called again, and begins anew then.
    pub(crate) fn together<'e, T>(
        &mut self,
        issued: &[&Chain],
        replace: bool,
        now_s: u64,
        mut work: impl FnMut(&mut Recording<'_, '_, '_, 'e>) -> Result<T, StorageError>,
    ) -> Result<T, Fault> {
        Ok(match self {
            Self::One { ledger, lot } => ledger.together(now_s, |together| {
                work(&mut Recording::One { together, lot: lot.as_ref(), replace })
            }),
            // Which certificate ends by it, the server alone knows, and that may go away.
            Self::Forwarding { ledger, .. } if replace => {
                work(&mut Recording::OneByOne { ledger, now_s })
            }
            Self::Forwarding { ledger, .. } => ledger
                .together(issued, now_s, |forwarding| work(&mut Recording::Forwarding(forwarding))),
        }?)
    }

    /// The key by which this station signs.
    pub(crate) fn station_key(&mut self) -> Result<PublicKey, StorageError> {
        match self {
            Self::One { ledger, .. } => ledger.station_key(),
            Self::Forwarding { ledger, .. } => ledger.station_key(),
        }
    }

    pub(crate) fn news(&mut self) -> Vec<News> {
        let Self::Forwarding { ledger, news } = self else { return Vec::new() };
        news.extend(ledger.news());
        core::mem::take(news)
    }

    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        let Self::Forwarding { ledger, news } = self else { return Ok(()) };
        let ended = ledger.end(system::now_s()?);
        let heard = hear(ledger, news);
        ended?;
        heard
    }
}

/// What is recorded in one go; the inner result of each is its own.
pub(crate) enum Recording<'r, 's, 'w, 'e> {
    One {
        together: &'r mut Together<'s, 'w>,
        lot: Option<&'r Lot>,
        replace: bool,
    },
    /// To the server and to the file.
    Forwarding(&'r mut Forwarding<'s, 'w, 'e>),
    /// To both, each record by itself, and in the place of others.
    OneByOne {
        ledger: &'r mut StoreAndForward,
        now_s: u64,
    },
}

impl<'e> Recording<'_, '_, '_, 'e> {
    pub(crate) fn record(&mut self, chain: &Chain) -> Result<Result<(), Fault>, StorageError> {
        let recorded = match self {
            Self::One { together, lot, replace } => {
                together.record(&Issuance { chain, lot: *lot, replace: *replace })?
            }
            Self::Forwarding(forwarding) => forwarding.record(chain)?,
            Self::OneByOne { ledger, now_s } => ledger.record(chain, true, *now_s),
        };
        Ok(recorded.map_err(Fault::from))
    }

    pub(crate) fn record_enrolled(
        &mut self,
        enrolled: &'e Enrolled,
    ) -> Result<Result<(), Fault>, StorageError> {
        let recorded = match self {
            Self::One { together, .. } => together.record_enrolled(enrolled)?.map(drop),
            Self::Forwarding(forwarding) => forwarding.record_enrolled(enrolled)?,
            Self::OneByOne { ledger, now_s } => ledger.record_enrolled(enrolled, *now_s),
        };
        Ok(recorded.map_err(Fault::from))
    }
}

/// Keeps what there is to tell; conflicts are errors too.
fn hear(ledger: &mut StoreAndForward, news: &mut Vec<News>) -> Result<(), Fault> {
    let heard = ledger.news();
    let conflicts = conflicts_of(&heard);
    news.extend(heard);
    conflicts.map_or(Ok(()), Err)
}

/// What stops the line, of what was heard.
pub(crate) fn conflicts_of(news: &[News]) -> Option<Fault> {
    let conflicts: Vec<String> = news
        .iter()
        .filter_map(|news| match news {
            News::Merged(merged) => Some(&merged.conflicts),
            News::Alone { .. } | News::Waiting { .. } => None,
        })
        .flatten()
        .map(ToString::to_string)
        .collect();
    (!conflicts.is_empty()).then_some(Fault::Conflicts { conflicts })
}

/// Says it to people and programs.
pub(crate) fn tell(news: &News, report: &mut Report) -> Result<(), Fault> {
    let (text, event) = said(news);
    report.warning(&text, event)
}

/// What is said to people, and to programs.
pub(crate) fn said(news: &News) -> (String, serde_json::Value) {
    match news {
        News::Alone { why, cause, left, expires_at_s } => {
            let until = provision_issuer::inspect::time_text(*expires_at_s);
            (
                format!("{why}; this station goes on by itself: {left} devices, until {until}"),
                json!({
                    "alone": true,
                    "cause": cause,
                    "left": left,
                    "expires_at_s": expires_at_s,
                }),
            )
        }
        News::Waiting { why, file, devices, places } => (
            format!(
                "{why}: {devices} devices are in {file} alone, and {places} \
                 leased places are not given back; the next run with that file does it, or `provision \
                 ledger merge --fallback {file}`"
            ),
            json!({ "alone": true, "waiting": devices, "left": places, "file": file }),
        ),
        News::Merged(merged) => (
            format!(
                "the ledger's server is there again: {} certificates and {} proofs were brought \
                 to it, {} are in conflict",
                merged.certificates,
                merged.proofs,
                merged.conflicts.len()
            ),
            json!({
                "alone": false,
                "certificates": merged.certificates,
                "proofs": merged.proofs,
                "conflicts": merged.conflicts.len(),
            }),
        ),
    }
}
