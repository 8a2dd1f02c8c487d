//! What `sign`, `client-cert` and `server-cert` share: profile, CA and ledger.

use provision_issuer::{
    FileIssuer, Lifetime, Profile, ServerName, Variables, inspect::CertificateValues,
};
use provision_ledger::{Certificates as _, SqlLedger};

use crate::arguments::Signing;
use crate::fault::Fault;
use crate::{arguments, ledger, secret, system};

/// Everything that is needed to sign, checked as far as it can be before a key is touched.
pub(crate) struct Desk {
    pub(crate) issuer: FileIssuer,
    pub(crate) profile: Profile,
    pub(crate) values: Variables,
    pub(crate) now_s: u64,
    ledger: SqlLedger,
}

impl Desk {
    pub(crate) fn open(
        signing: &Signing,
        profile: Profile,
        values: Variables,
    ) -> Result<Self, Fault> {
        let values = arguments::values(&signing.set)?
            .into_iter()
            .fold(values, |values, (name, value)| values.with(name, value));
        let mut profile = profile;
        if let Some(days) = signing.days {
            profile.lifetime = Lifetime::Days(days);
        }
        if let Some(subject) = &signing.subject {
            profile.subject = subject.clone();
        }
        profile.check(&values)?;
        let place = &signing.place;
        let ledger = ledger::open(signing.ledger.as_ref(), &place.ca)?;
        let encrypted = FileIssuer::needs_passphrase_for(&place.ca, profile.signed_by)?;
        let protection = secret::for_opening(place, encrypted)?;
        let issuer = FileIssuer::open_for(&place.ca, profile.signed_by, &protection)?;
        Ok(Self { issuer, profile, values, now_s: system::now_s()?, ledger })
    }

    /// Records a certificate. Nothing leaves before that.
    pub(crate) fn record(&mut self, der: &[u8]) -> Result<CertificateValues, Fault> {
        let values = CertificateValues::of(der).map_err(|error| Fault::Usage(error.to_string()))?;
        self.ledger.record_certificate(der, &values.subject, &self.profile.name, self.now_s)?;
        Ok(values)
    }
}

/// A profile and its variables for a host of these names, or for whom the name stands.
pub(crate) fn for_names(
    profile: Profile,
    name: Option<&str>,
    names: &[ServerName],
) -> Result<(Profile, Variables), Fault> {
    let (profile, values) = if names.is_empty() {
        (profile, Variables::default())
    } else {
        profile.for_server(names)?
    };
    Ok(match name {
        Some(name) => (profile, values.with("common_name", name).with("device_serial", name)),
        None => (profile, values),
    })
}
