//! A CA in a directory that goes away, devices to certify, and the tools that judge.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use provision_csr::{
    CSR_LEN_MAX, Entropy, NoEntropy, PortableKey, PortableP256, SoftwareKey as _, Subject,
    write_csr,
};
use provision_issuer::{CaDirectory, CaNames, CaRequest, KeyProtection, Passphrase, init};
use provision_station::evidence::{ApprovedCsr, Chain, Csr, Decision, Policy, Standing};
use provision_wire::DeviceSerial;
use tempfile::TempDir;

/// 2027-01-15T08:00:00Z.
pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const DAY_S: u64 = 86_400;

/// A CA with keys in the clear (quick to make), at [`NOW_S`], with default validity.
pub(crate) struct Ca {
    pub(crate) place: TempDir,
    pub(crate) files: CaDirectory,
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::of(&request(KeyProtection::InsecurePlaintext))
    }

    pub(crate) fn of(request: &CaRequest) -> Self {
        let place = tempfile::tempdir().unwrap();
        let files = init(&place.path().join("ca"), request).unwrap();
        Self { place, files }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.files.path()
    }

    /// Writes a file beside the CA.
    pub(crate) fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.place.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }
}

pub(crate) fn request(protection: KeyProtection) -> CaRequest {
    CaRequest {
        subject: "/C=DE/O=Acme, Inc.".parse().unwrap(),
        ..CaRequest::new(CaNames::of("Acme").unwrap(), protection, NOW_S)
    }
}

pub(crate) fn encrypted(passphrase: &str) -> KeyProtection {
    KeyProtection::Encrypted(Passphrase::new(passphrase.to_owned()).unwrap())
}

/// Goes the whole way: a key, a CSR over a challenge, possession proven, nothing known yet.
pub(crate) fn approved(device: &str) -> ApprovedCsr {
    let key = PortableKey::generate(&mut SystemEntropy).unwrap();
    let mut buffer = [0; CSR_LEN_MAX];
    let challenge = [7; 32];
    let csr = write_csr(&Subject::new(device).unwrap(), &key, &challenge, &mut buffer).unwrap();
    let csr = Csr::parse(csr.as_bytes()).unwrap();
    let csr = csr.prove_possession::<PortableP256>(&challenge).unwrap();
    let announced = *csr.public_key();
    let device = DeviceSerial::new(device).unwrap();
    let decision = Policy::default().decide(csr, &device, &announced, Standing::Unknown).unwrap();
    match decision {
        Decision::Issue(approved) => approved,
        Decision::DeliverAgain(live) => panic!("{live:?}"),
    }
}

struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(out).map_err(|_| NoEntropy)
    }
}

pub(crate) fn pem(der: &[u8]) -> Vec<u8> {
    der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der).unwrap().into_bytes()
}

pub(crate) fn der_of(path: &Path) -> Vec<u8> {
    der::pem::decode_vec(&fs::read(path).unwrap()).unwrap().1
}

/// Runs `openssl`. Paths and words may be mixed.
pub(crate) fn openssl<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    run("openssl", arguments)
}

pub(crate) fn run<A: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = A>,
) -> Output {
    Command::new(program).args(arguments).output().expect(program)
}

/// Output of a run that succeeded.
pub(crate) fn accepted(output: &Output) -> String {
    assert!(output.status.success(), "{}", both(output));
    both(output)
}

/// What a run that succeeded printed for programs.
pub(crate) fn accepted_stdout(output: &Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", both(output));
    output.stdout.clone()
}

/// Output of a run that failed.
pub(crate) fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", both(output));
    both(output)
}

fn both(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// `openssl x509 -text` of a certificate in DER.
pub(crate) fn text_of(ca: &Ca, der: &[u8]) -> String {
    let path = ca.file("shown.crt", &pem(der));
    accepted(&openssl(["x509", "-noout", "-text", "-in", path.to_str().unwrap()]))
}

/// `openssl verify` as strict as it gets, at `at_s`, for `purpose`.
pub(crate) fn openssl_verify(
    anchors: &Path,
    untrusted: Option<&Path>,
    leaf: &Path,
    purpose: &str,
    at_s: u64,
) -> Output {
    let at = at_s.to_string();
    let mut arguments: Vec<&OsStr> = vec!["verify".as_ref(), "-x509_strict".as_ref()];
    arguments.extend(["-no-CApath", "-no-CAstore", "-check_ss_sig"].map(OsStr::new));
    arguments.extend([OsStr::new("-attime"), at.as_ref(), OsStr::new("-purpose")]);
    arguments.extend([OsStr::new(purpose), OsStr::new("-CAfile"), anchors.as_ref()]);
    if let Some(untrusted) = untrusted {
        arguments.extend([OsStr::new("-untrusted"), untrusted.as_ref()]);
    }
    arguments.push(leaf.as_ref());
    openssl(arguments)
}

/// The same question to webpki.
pub(crate) fn webpki_verify(
    anchor: &[u8],
    intermediates: &[Vec<u8>],
    leaf: &[u8],
    usage: webpki::KeyUsage,
    at_s: u64,
) -> Result<(), webpki::Error> {
    use pki_types::{CertificateDer, UnixTime};
    let anchor = CertificateDer::from(anchor);
    let anchors = [webpki::anchor_from_trusted_cert(&anchor)?];
    let intermediates: Vec<_> =
        intermediates.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let leaf = CertificateDer::from(leaf);
    let at = UnixTime::since_unix_epoch(core::time::Duration::from_secs(at_s));
    let algorithms = [webpki::aws_lc_rs::ECDSA_P256_SHA256];
    webpki::EndEntityCert::try_from(&leaf)?
        .verify_for_usage(&algorithms, &anchors, &intermediates, at, usage, None, None)
        .map(|_| ())
}

/// Leaf and issuers of a chain in files, for tools.
pub(crate) struct ChainFiles {
    pub(crate) leaf: PathBuf,
    pub(crate) issuers: PathBuf,
    pub(crate) anchor: PathBuf,
}

impl ChainFiles {
    pub(crate) fn write(ca: &Ca, chain: &Chain) -> Self {
        let issuers: Vec<u8> = chain.issuers().iter().flat_map(|der| pem(der)).collect();
        Self {
            leaf: ca.file("leaf.crt", &pem(chain.leaf())),
            issuers: ca.file("issuers.crt", &issuers),
            anchor: ca.file("anchor.crt", &pem(chain.anchor())),
        }
    }
}
