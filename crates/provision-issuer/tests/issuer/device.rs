//! Certificates for devices.

use std::collections::HashSet;

use provision_issuer::{
    CaFault, CaIssuer, CaSigner, CertifyError, FileIssuer, IssueError, Issuer as _, KeyProtection,
    Lifetime, Profile, SignatureAlgorithm, SignerFault, ValidityError,
};
use provision_station::evidence::Chain;
use webpki::KeyUsage;

use crate::support::{
    Ca, ChainFiles, DAY_S, NOW_S, accepted, approved, der_of, openssl, openssl_verify, refused,
    request, run, text_of, webpki_verify,
};

/// 2049-12-31T23:59:59Z.
const LAST_OF_2049_S: u64 = 2_524_607_999;

fn issuer(ca: &Ca) -> FileIssuer {
    FileIssuer::open(ca.dir(), &KeyProtection::InsecurePlaintext).unwrap()
}

fn issue(ca: &Ca, profile: &Profile, now_s: u64) -> Result<Chain, IssueError> {
    issuer(ca).issue(&approved("sensor-0042"), profile, now_s)
}

fn full_profile() -> Profile {
    let subject = "/C=DE/O=Grüne Wiese GmbH, O=x/OU=Feuchte/CN={device_serial}";
    Profile::new(Lifetime::Days(3650)).with_subject(subject.parse().unwrap())
}

#[test]
fn openssl_accepts_it_for_a_client_and_refuses_it_for_a_server_and_a_ca() {
    let ca = Ca::new();
    let chain = issue(&ca, &full_profile(), NOW_S).unwrap();
    let files = ChainFiles::write(&ca, &chain);
    let verify = |purpose, at_s| {
        openssl_verify(&files.anchor, Some(&files.issuers), &files.leaf, purpose, at_s)
    };
    accepted(&verify("sslclient", NOW_S));
    let said = refused(&verify("sslserver", NOW_S));
    assert!(said.contains("unsuitable certificate purpose"), "{said}");
    refused(&verify("crlsign", NOW_S));
    // In its time only.
    accepted(&verify("sslclient", NOW_S - 300));
    refused(&verify("sslclient", NOW_S - 301));
    // OpenSSL does not count the last second.
    accepted(&verify("sslclient", NOW_S + 3650 * DAY_S - 1));
    let said = refused(&verify("sslclient", NOW_S + 3650 * DAY_S));
    assert!(said.contains("certificate has expired"), "{said}");
    // And as a server trusts it: the bundle, and nothing sent along.
    let bundle = ca.files.device_ca_bundle();
    accepted(&openssl_verify(&bundle, None, &files.leaf, "sslclient", NOW_S));
    let server_root = ca.files.server_root_certificate();
    refused(&openssl_verify(&server_root, None, &files.leaf, "sslclient", NOW_S));
}

#[test]
fn webpki_accepts_it_for_a_client_and_refuses_it_for_a_server() {
    let ca = Ca::new();
    let chain = issue(&ca, &full_profile(), NOW_S).unwrap();
    let verify = |usage| webpki_verify(chain.anchor(), chain.issuers(), chain.leaf(), usage, NOW_S);
    assert_eq!(verify(KeyUsage::client_auth()), Ok(()));
    let verdict = verify(KeyUsage::server_auth());
    assert!(matches!(verdict, Err(webpki::Error::RequiredEkuNotFoundContext(_))), "{verdict:?}");
}

#[test]
fn gnutls_accepts_it() {
    let ca = Ca::new();
    // GnuTLS asks the machine for the time; this certificate is valid whenever the test runs.
    let profile = Profile::new(Lifetime::UntilIssuerEnds).with_backdate_s(3600);
    let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut request = request(KeyProtection::InsecurePlaintext);
    request.now_s = now_s;
    let ca_now = Ca::of(&request);
    let chain = issue(&ca_now, &profile, now_s).unwrap();
    let files = ChainFiles::write(&ca_now, &chain);
    let verify = |anchors: &std::path::Path| {
        let mut sent = std::fs::read(&files.leaf).unwrap();
        sent.extend(std::fs::read(&files.issuers).unwrap());
        let sent = ca_now.file("sent.crt", &sent);
        let arguments = ["--verify", "--load-ca-certificate"].map(std::ffi::OsStr::new);
        let rest = [anchors.as_os_str(), "--infile".as_ref(), sent.as_os_str()];
        run("certtool", arguments.iter().chain(&rest))
    };
    let said = accepted(&verify(&files.anchor));
    assert!(said.contains("Verified. The certificate is trusted."), "{said}");
    refused(&verify(&ca.files.device_root_certificate()));
}

#[test]
fn what_it_says() {
    let ca = Ca::new();
    let chain = issue(&ca, &full_profile(), NOW_S).unwrap();
    let text = text_of(&ca, chain.leaf());
    for expected in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: C = DE, O = \"Acme, Inc.\", CN = Acme Device Issuing CA\n",
        "Not Before: Jan 15 07:55:00 2027 GMT\n",
        "Not After : Jan 12 08:00:00 2037 GMT\n",
        "OU = Feuchte, CN = sensor-0042\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    assert!(!text.contains("Subject Alternative Name"), "{text}");
    let serial = chain.cert_serial().to_string();
    let shown: String = serial
        .as_bytes()
        .chunks(2)
        .map(|pair| core::str::from_utf8(pair).unwrap().to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join(":");
    assert!(text.contains(&shown), "{shown} is not in {text}");
    assert_eq!(chain.device().as_str(), "sensor-0042");
    assert_eq!(chain.not_after(), NOW_S + 3650 * DAY_S);
}

/// What is written, by type: UTF8String but for the country, and no attribute that is empty.
#[test]
fn its_subject_is_the_profiles_and_nothing_of_the_devices_but_its_name() {
    let ca = Ca::new();
    let subject_strings = |profile: &Profile| -> Vec<String> {
        let chain = issue(&ca, profile, NOW_S).unwrap();
        let path = ca.file("leaf.der", chain.leaf());
        let path = path.to_str().unwrap().to_owned();
        let parsed = accepted(&openssl(["asn1parse", "-inform", "DER", "-in", &path]));
        // The issuer's name comes first; the subject's is after the times.
        let after_times = parsed.rsplit_once("TIME").unwrap().1;
        after_times
            .lines()
            .filter(|line| line.contains("STRING") && !line.contains("BIT STRING"))
            .take_while(|line| !line.contains("OCTET STRING"))
            .map(|line| line.split_once("prim: ").unwrap().1.replace(' ', ""))
            .collect()
    };
    assert_eq!(
        subject_strings(&full_profile()),
        [
            "PRINTABLESTRING:DE",
            "UTF8STRING:GrüneWieseGmbH,O=x",
            "UTF8STRING:Feuchte",
            "UTF8STRING:sensor-0042"
        ]
    );
    assert_eq!(subject_strings(&Profile::new(Lifetime::Days(1))), ["UTF8STRING:sensor-0042"]);
}

#[test]
fn utc_time_through_2049_and_generalized_time_from_2050() {
    let ca = Ca::new();
    let times = |now_s| {
        let chain = issue(&ca, &Profile::new(Lifetime::Days(3650)), now_s).unwrap();
        let files = ChainFiles::write(&ca, &chain);
        accepted(&openssl_verify(
            &files.anchor,
            Some(&files.issuers),
            &files.leaf,
            "sslclient",
            now_s,
        ));
        let leaf = files.leaf.to_str().unwrap().to_owned();
        let parsed = accepted(&openssl(["asn1parse", "-in", &leaf]));
        let times = parsed.lines().filter_map(|line| line.split_once("prim: "));
        times.map(|(_, time)| time.to_owned()).filter(|time| time.contains("TIME")).collect()
    };
    let last: Vec<String> = times(LAST_OF_2049_S - 3650 * DAY_S);
    assert_eq!(last, ["UTCTIME           :400103235459Z", "UTCTIME           :491231235959Z"]);
    let first: Vec<String> = times(LAST_OF_2049_S + 1 - 3650 * DAY_S);
    assert_eq!(first, ["UTCTIME           :400103235500Z", "GENERALIZEDTIME   :20500101000000Z"]);
}

#[test]
fn it_never_outlives_its_issuer() {
    let ca = Ca::new();
    let ends_s = issuer(&ca).not_after_s();
    assert_eq!(ends_s, NOW_S + 9131 * DAY_S);

    let same = issue(&ca, &Profile::new(Lifetime::Days(9131)), NOW_S).unwrap();
    assert_eq!(same.not_after(), ends_s);
    let longer = issue(&ca, &Profile::new(Lifetime::Days(9131)), NOW_S + 1);
    assert!(
        matches!(
            longer,
            Err(IssueError::OutlivesIssuer { not_after_s, issuer_not_after_s })
                if not_after_s == ends_s + 1 && issuer_not_after_s == ends_s
        ),
        "{longer:?}"
    );
    assert_eq!(
        longer.unwrap_err().to_string(),
        "the certificate would be valid until 2052-01-15T08:00:01Z, but the issuing CA only until \
         2052-01-15T08:00:00Z"
    );

    let until = issue(&ca, &Profile::new(Lifetime::UntilIssuerEnds), NOW_S + 1).unwrap();
    assert_eq!(until.not_after(), ends_s);
    let profile = Profile::new(Lifetime::Days(0));
    assert!(matches!(
        issue(&ca, &profile, NOW_S),
        Err(IssueError::Validity(ValidityError::NoTime))
    ));
}

#[test]
fn an_issuer_that_has_ended_or_not_begun_issues_nothing() {
    let ca = Ca::new();
    let profile = Profile::new(Lifetime::UntilIssuerEnds);
    let ends_s = issuer(&ca).not_after_s();
    for now_s in [0, NOW_S - 3601, ends_s + 1] {
        let result = issue(&ca, &profile, now_s);
        assert!(
            matches!(result, Err(IssueError::IssuerNotValid { now_s: at, .. }) if at == now_s),
            "{result:?}"
        );
    }
    // Backdating stops where the issuer begins.
    let begun = issue(&ca, &profile, NOW_S - 3600).unwrap();
    let text = text_of(&ca, begun.leaf());
    assert!(text.contains("Not Before: Jan 15 07:00:00 2027 GMT"), "{text}");
    issue(&ca, &profile, ends_s).unwrap();
}

#[test]
fn every_certificate_has_its_own_serial() {
    let ca = Ca::new();
    let mut issuer = issuer(&ca);
    let approved = approved("sensor-0042");
    let profile = Profile::new(Lifetime::Days(30));
    let serials: HashSet<Vec<u8>> = (0..200)
        .map(|_| issuer.issue(&approved, &profile, NOW_S).unwrap())
        .map(|chain| chain.cert_serial().as_bytes().to_vec())
        .collect();
    assert_eq!(serials.len(), 200);
    assert!(serials.iter().all(|serial| serial.len() == 20 && serial[0] < 0x80));
}

/// A token that answers with a signature over something else, or with rubbish.
struct Faulty {
    public_key: Vec<u8>,
    answer: Result<Vec<u8>, &'static str>,
}

impl CaSigner for Faulty {
    fn public_key(&self) -> Vec<u8> {
        self.public_key.clone()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaSha256
    }

    fn sign(&mut self, _: &[u8]) -> Result<Vec<u8>, SignerFault> {
        self.answer.clone().map_err(SignerFault::new)
    }
}

#[test]
fn a_signature_that_does_not_verify_never_gets_out() {
    let ca = Ca::new();
    let issuing = der_of(&ca.files.device_issuing_certificate());
    let root = der_of(&ca.files.device_root_certificate());
    let public_key = spki_of(&issuing);
    let issue_with = |answer| {
        let signer = Faulty { public_key: public_key.clone(), answer };
        CaIssuer::new(vec![issuing.clone()], root.clone(), signer).unwrap().issue(
            &approved("d1"),
            &Profile::new(Lifetime::Days(1)),
            NOW_S,
        )
    };
    // Rubbish, and a pair of numbers in DER that is no signature over this.
    for rubbish in [vec![1; 64], vec![], vec![0x30, 6, 2, 1, 1, 2, 1, 1]] {
        let result = issue_with(Ok(rubbish));
        assert!(
            matches!(result, Err(IssueError::Certify(CertifyError::BadSignature))),
            "{result:?}"
        );
    }
    let result = issue_with(Err("the token was pulled"));
    let error = result.unwrap_err();
    assert_eq!(error.to_string(), "the CA's key could not sign: the token was pulled");
}

#[test]
fn a_ca_put_together_wrongly_is_refused() {
    let ca = Ca::new();
    let other = Ca::new();
    let issuing = der_of(&ca.files.device_issuing_certificate());
    let root = der_of(&ca.files.device_root_certificate());
    let other_root = der_of(&other.files.device_root_certificate());
    let put = |issuers: Vec<Vec<u8>>, anchor: &[u8], key_of: &[u8]| {
        let signer = Faulty { public_key: spki_of(key_of), answer: Err("unused") };
        CaIssuer::new(issuers, anchor.to_vec(), signer).map(|_| ())
    };
    assert!(put(vec![issuing.clone()], &root, &issuing).is_ok());
    assert!(put(vec![], &root, &root).is_ok());
    let result = put(vec![issuing.clone()], &root, &root);
    assert!(matches!(result, Err(CaFault::OtherKey)), "{result:?}");
    // Same name, other key: the signature decides.
    let result = put(vec![issuing.clone()], &other_root, &issuing);
    assert!(matches!(result, Err(CaFault::NotSignedBy { .. })), "{result:?}");
    let result = put(vec![], &issuing, &issuing);
    assert!(matches!(result, Err(CaFault::NotSignedBy { .. })), "{result:?}");
    let leaf = issue(&ca, &Profile::new(Lifetime::Days(1)), NOW_S).unwrap();
    let result = put(vec![leaf.leaf().to_vec(), issuing.clone()], &root, leaf.leaf());
    assert!(matches!(result, Err(CaFault::NotACa)), "{result:?}");
    let result = put(vec![b"rubbish".to_vec()], &root, &issuing);
    assert!(matches!(result, Err(CaFault::NotACertificate(_))), "{result:?}");
}

/// The public key in a certificate, DER.
fn spki_of(der: &[u8]) -> Vec<u8> {
    use der::{Decode as _, Encode as _};
    let certificate = x509_cert::Certificate::from_der(der).unwrap();
    certificate.tbs_certificate().subject_public_key_info().to_der().unwrap()
}
