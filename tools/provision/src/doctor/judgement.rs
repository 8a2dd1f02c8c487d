//! Both certificates judged: the server's as a client has to, ours as the server will.
//!
//! The verdicts are those of [`verify`], which says which certificate is at fault and why.

use provision_issuer::inspect::CertificateValues;
use provision_issuer::verify::{
    CrlFault, CrlScope, Place, Purpose, VerifiedPath, VerifyError, VerifyFault, VerifyRequest,
    verify,
};
use provision_issuer::{IssuerHints, RevocationList, ServerName, organization_of_subject};

use super::cause::{Cause, Diagnosis};
use super::handshake::Asked;

/// What verdicts are founded on.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    /// Trusted for servers.
    pub anchors: Vec<Vec<u8>>,
    /// What the server trusts for clients, if that is known.
    pub client_cas: Vec<Vec<u8>>,
    /// CAs that we know, and that a server should have sent.
    pub untrusted: Vec<Vec<u8>>,
    /// What was revoked.
    pub crls: Vec<RevocationList>,
    /// The name the server must have.
    pub name: ServerName,
    /// Our clock, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

/// Of the server's chain.
#[derive(Debug)]
pub(crate) struct ServerVerdict {
    /// What decides.
    pub path: Result<VerifiedPath, Diagnosis>,
    /// What else is wrong.
    pub also: Vec<Diagnosis>,
    /// What could not be looked at.
    pub notes: Vec<String>,
}

impl Grounds {
    /// Judges what the server sent, leaf first.
    pub(crate) fn server(&self, chain: &[Vec<u8>]) -> ServerVerdict {
        let mut request = self.request(chain, Purpose::Server);
        request.name = Some(self.name.clone());
        let (path, notes) = verify_to_the_root(&request, "the server");
        let path = path.map_err(|error| self.of_server(&error, chain, &request));
        let also = match (&path, chain.first()) {
            (Err(decided), Some(leaf)) => {
                let faults = self.faults_alone(leaf, Purpose::Server, Some(&self.name));
                let all = faults.iter().map(|error| self.of_server(error, chain, &request));
                all.filter(|other| other.cause != decided.cause).collect()
            }
            _ => Vec::new(),
        };
        ServerVerdict { path, also, notes }
    }

    /// Judges our own chain, leaf first, as far as that can be done here. Returns every reason a
    /// server may have to refuse it, and what could not be looked at.
    pub(crate) fn client(
        &self,
        chain: &[Vec<u8>],
        asked: Option<&Asked>,
    ) -> (Vec<Diagnosis>, Vec<String>) {
        let mut faults = Vec::new();
        let Some(leaf) = chain.first() else { return (faults, Vec::new()) };
        let alone = self.faults_alone(leaf, Purpose::Client, None);
        faults.extend(alone.iter().map(of_client));

        let mut request = self.request(chain, Purpose::Client);
        let complete = !self.client_cas.is_empty();
        request.anchors.clone_from(&self.client_cas);
        if !complete {
            request.anchors = [&chain[1..], &self.anchors[..], &self.untrusted[..]].concat();
        }
        let (path, notes) = verify_to_the_root(&request, "us");
        if let Err(error) = path {
            let unknown =
                matches!(error.fault, VerifyFault::IssuerNotFound { .. } | VerifyFault::SelfSigned);
            let fault = of_client(&error);
            if (complete || !unknown) && !faults.iter().any(|known| known.cause == fault.cause) {
                faults.push(fault);
            }
        }
        if let Some(asked) = asked {
            let issuers = chain.iter().filter_map(|der| IssuerHints::of(der).ok());
            let issuers: Vec<Vec<u8>> = issuers.map(|hints| hints.issuer).collect();
            if !asked.cas.is_empty() && !asked.cas.iter().any(|ca| issuers.contains(ca)) {
                let values = CertificateValues::of(leaf);
                let issuer = values.map_or_else(|_| "?".into(), |values| values.issuer);
                faults.push(Diagnosis::new(
                    Cause::ClientIssuerNotNamed,
                    format!(
                        "our certificate is by {issuer}, which is none of the CAs the server names"
                    ),
                ));
            }
        }
        (faults, notes)
    }

    fn request(&self, chain: &[Vec<u8>], purpose: Purpose) -> VerifyRequest<'_> {
        VerifyRequest {
            leaf: chain.first().cloned().unwrap_or_default(),
            untrusted: chain.get(1..).unwrap_or_default().to_vec(),
            anchors: self.anchors.clone(),
            purpose,
            name: None,
            at_s: self.now_s,
            crls: &self.crls,
            crl_scope: CrlScope::Given,
        }
    }

    /// Everything that a certificate says against itself, whoever signed it.
    fn faults_alone(
        &self,
        leaf: &[u8],
        purpose: Purpose,
        name: Option<&ServerName>,
    ) -> Vec<VerifyError> {
        let Ok(values) = CertificateValues::of(leaf) else { return Vec::new() };
        let within_s = values.not_before_s;
        let trusted = VerifyRequest {
            leaf: leaf.to_vec(),
            untrusted: Vec::new(),
            anchors: vec![leaf.to_vec()],
            purpose: Purpose::Any,
            name: None,
            at_s: within_s,
            crls: &[],
            crl_scope: CrlScope::Leaf,
        };
        let time = VerifyRequest { at_s: self.now_s, ..trusted.clone() };
        let purpose = VerifyRequest { purpose, ..trusted.clone() };
        let name = VerifyRequest { name: name.cloned(), ..trusted };
        [time, purpose, name].iter().filter_map(|request| verify(request).err()).collect()
    }

    fn of_server(
        &self,
        error: &VerifyError,
        chain: &[Vec<u8>],
        request: &VerifyRequest<'_>,
    ) -> Diagnosis {
        let said = format!("of what the server sent, {error}");
        let cause = match &error.fault {
            VerifyFault::IssuerNotFound { issuer } => {
                return self.without_issuer(issuer, &said, chain, request);
            }
            VerifyFault::SelfSigned if error.place == Place::Leaf => Cause::ServerSelfSigned,
            VerifyFault::SelfSigned | VerifyFault::Signature { .. } => Cause::ServerUnknownIssuer,
            VerifyFault::NotYetValid { .. } => Cause::ServerNotYetValid,
            VerifyFault::Expired { .. } => Cause::ServerExpired,
            VerifyFault::Purpose { .. } | VerifyFault::KeyUsage => Cause::ServerWrongPurpose,
            VerifyFault::Name { .. } => Cause::ServerWrongName,
            VerifyFault::Revoked { .. } => Cause::ServerRevoked,
            VerifyFault::Crl { fault, .. } => of_crl(fault),
            _ => Cause::ServerBadChain,
        };
        Diagnosis::new(cause, said)
    }

    /// Whether a CA that is missing should have been sent, or is not trusted. By itself a
    /// certificate does not say whether its issuer is a root; what else is known decides.
    fn without_issuer(
        &self,
        issuer: &str,
        said: &str,
        chain: &[Vec<u8>],
        request: &VerifyRequest<'_>,
    ) -> Diagnosis {
        let untrusted = [&request.untrusted[..], &self.untrusted].concat();
        let helped = verify(&VerifyRequest { untrusted, ..request.clone() });
        let complete = |why: &str| {
            Diagnosis::new(
                Cause::ServerIncompleteChain,
                format!(
                    "the server sends {}, and not that of {issuer}: {why}",
                    if chain.len() == 1 {
                        "its own certificate alone".into()
                    } else {
                        format!("{} certificates", chain.len())
                    },
                ),
            )
        };
        match helped {
            Ok(_) => return complete("with it, which we have, the path is good"),
            Err(VerifyError { fault: VerifyFault::IssuerNotFound { issuer: other }, .. })
                if other == issuer => {}
            Err(_) => return complete("with it, which we have, the path goes on"),
        }
        let of_issuer = |values: &CertificateValues| values.subject == issuer;
        let anchors: Vec<CertificateValues> =
            self.anchors.iter().filter_map(|der| CertificateValues::of(der).ok()).collect();
        if anchors.iter().any(of_issuer) {
            let more =
                "a CA of that name is trusted, but it has another key: an older or a newer one";
            return Diagnosis::new(Cause::ServerUnknownIssuer, format!("{said} ({more})"));
        }
        let unsigned = chain
            .iter()
            .find(|der| CertificateValues::of(der).is_ok_and(|values| values.issuer == issuer));
        if let Some(hints) = unsigned.and_then(|der| IssuerHints::of(der).ok()) {
            if let Some(above) =
                hints.above.iter().find(|above| anchors.iter().any(|ca| ca.subject == **above))
            {
                return complete(&format!("that CA is certified by {above}, which is trusted"));
            }
            let kin = self.anchors.iter().zip(&anchors).find(|(der, _)| {
                hints.organization.is_some()
                    && organization_of_subject(der).ok().flatten() == hints.organization
            });
            if let Some((_, kin)) = kin {
                return complete(&format!(
                    "{} of the same organization is trusted, and has certified it as it seems",
                    kin.subject
                ));
            }
            if chain.len() == 1 && !hints.published_at.is_empty() {
                return complete("the certificate says where to get it, as those of public CAs do");
            }
        }
        let more = "if it is a CA below a trusted one, the server has to send its certificate";
        Diagnosis::new(Cause::ServerUnknownIssuer, format!("{said} ({more})"))
    }
}

/// Verifies, and asks every CRL about every certificate up to the root.
///
/// For [`verify`] any trusted certificate ends a path; a server that has root and issuing CA in one
/// file goes on to the root (OpenSSL knows no other end) and asks whether that revoked the issuing
/// CA. Returns also what no CRL says.
fn verify_to_the_root(
    request: &VerifyRequest<'_>,
    whom: &str,
) -> (Result<VerifiedPath, VerifyError>, Vec<String>) {
    if request.crls.is_empty() {
        return (verify(request), Vec::new());
    }
    let is_root = |der: &Vec<u8>| {
        CertificateValues::of(der).is_ok_and(|values| values.subject == values.issuer)
    };
    let (roots, others): (Vec<_>, Vec<_>) = request.anchors.iter().cloned().partition(is_root);
    let untrusted = [&request.untrusted[..], &others].concat();
    let whole = VerifyRequest { anchors: roots, untrusted, ..request.clone() };
    let (decided, request) = match verify(&whole) {
        Err(error) if !is_about_revocation(&error.fault) => (verify(request), request),
        decided => (decided, &whole),
    };
    let every = VerifyRequest { crl_scope: CrlScope::All, ..request.clone() };
    let note = match (&decided, verify(&every)) {
        (Ok(_), Err(VerifyError { place, subject, fault })) => {
            let whom = if place == Place::Leaf { whom.to_owned() } else { subject };
            let why = match &fault {
                VerifyFault::NoCrl { issuer } => Some(format!("no CRL given is by {issuer}")),
                VerifyFault::UnfitCrls { .. } => Some(format!("{whom} {fault}")),
                _ => None,
            };
            why.map(|why| format!("{why}: whether it revoked {whom} is not known"))
        }
        _ => None,
    };
    (decided, note.into_iter().collect())
}

const fn is_about_revocation(fault: &VerifyFault) -> bool {
    matches!(fault, VerifyFault::Revoked { .. } | VerifyFault::Crl { .. })
}

fn of_client(error: &VerifyError) -> Diagnosis {
    let cause = match &error.fault {
        VerifyFault::NotYetValid { .. } => Cause::ClientNotYetValid,
        VerifyFault::Expired { .. } => Cause::ClientExpired,
        VerifyFault::Purpose { .. } | VerifyFault::KeyUsage => Cause::ClientWrongPurpose,
        VerifyFault::Revoked { .. } => Cause::ClientRevoked,
        VerifyFault::IssuerNotFound { .. }
        | VerifyFault::SelfSigned
        | VerifyFault::Signature { .. } => Cause::ClientUnknownIssuer,
        VerifyFault::Crl { fault, .. } => of_crl(fault),
        _ => Cause::ClientRefused,
    };
    Diagnosis::new(cause, format!("of what we sent, {error}"))
}

fn of_crl(fault: &CrlFault) -> Cause {
    match fault {
        CrlFault::Expired { .. } | CrlFault::NotYetValid { .. } => Cause::CrlExpired,
        _ => Cause::CrlUnusable,
    }
}
