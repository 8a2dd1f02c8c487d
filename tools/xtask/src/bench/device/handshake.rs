//! A handshake with `openssl s_server`, over the emulated serial port instead of a network, so that nothing but TLS is
//! measured. The server's certificate is signed by the anchor, and so is the device's: two signatures are checked and
//! one is made, as in the measurements of other libraries.

use std::fs;
use std::path::Path;

use p256::SecretKey;
use p256::pkcs8::DecodePrivateKey;
use provision_testkit::pki::{self, Certified};
use provision_testkit::qemu::Image;
use provision_testkit::servers::{OpensslServer, ServerFiles};
use provision_wire::{Delivery, Encodable, Endpoint};

use super::logged::Logged;
use crate::process::{Fault, While};

/// Both sides, and a server that is running.
pub(crate) struct Parties {
    pub(crate) server_root: Certified,
    pub(crate) device_root: Certified,
    pub(crate) device: Certified,
    pub(crate) server: OpensslServer,
}

impl Parties {
    /// Makes the certificates, and starts the server.
    pub(crate) fn start() -> Result<Self, Fault> {
        let server_root = Certified::self_signed(pki::root("Bench Server Root"));
        let server = server_root.issue(pki::server(&[HOST]));
        let device_root = Certified::self_signed(pki::root("Bench Device Root"));
        let device = device_root.issue(pki::device("bench"));
        let files = ServerFiles::of(&server, &[], &[device_root.der()]);
        let server = OpensslServer::start(&files).while_doing("openssl s_server")?;
        Ok(Self { server_root, device_root, device, server })
    }
}

/// Handshakes several times: how long it takes to verify a signature depends on it, by a tenth, and others are checked
/// each time.
pub(crate) fn repeat(mut run: impl FnMut() -> Result<Logged, Fault>) -> Result<Logged, Fault> {
    const RUNS: usize = 8;

    let logged = (0..RUNS).map(|_| run()).collect::<Result<Vec<_>, _>>()?;
    Logged::of_all(&logged).ok_or_else(|| Fault::new("no handshake"))
}

/// Runs the image against a server of its own.
pub(super) fn run(image: &Path) -> Result<Logged, Fault> {
    let Parties { server_root, device_root, device, server } = Parties::start()?;
    let folder = tempfile::tempdir().while_doing("temporary folder")?;
    let write =
        |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).while_doing(name);
    let secret = SecretKey::from_pkcs8_der(&device.key_der()).while_doing("the device's key")?;
    write("secret", &secret.to_bytes())?;
    write("public", device.public_key().as_sec1())?;
    write("delivery", &delivery(&device, &device_root, &server_root)?)?;

    let image = Image::new(image).counting_instructions();
    let ran = image.in_folder(folder.path()).line_to(server.address()).run();
    Logged::parse(&ran.while_doing("QEMU")?)
}

/// The delivery, with its length in two bytes before it.
fn delivery(
    device: &Certified,
    device_root: &Certified,
    server_root: &Certified,
) -> Result<Vec<u8>, Fault> {
    let mut server_anchors = heapless::Vec::new();
    server_anchors.push(server_root.der()).map_err(|_| Fault::new("one anchor"))?;
    let delivery = Delivery {
        leaf: device.der(),
        issuers: heapless::Vec::new(),
        device_anchor: device_root.der(),
        server_anchors,
        endpoint: Endpoint { host: HOST, port: 8883, alpn: None },
        time: pki::now(),
        foreign_signatures_unchecked: false,
    };
    let mut out = [0; 2560];
    let len = delivery.encode_into(&mut out).while_doing("delivery")?;
    let document = out.get(..len).unwrap_or(&[]);
    let prefix = u16::try_from(len).while_doing("delivery")?.to_be_bytes();
    Ok([&prefix[..], document].concat())
}

const HOST: &str = "cloud.example";
