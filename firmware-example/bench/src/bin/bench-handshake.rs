//! A whole mutual handshake with a server on the other end of the line, until its first answer.
//!
//! What the device was delivered, and its key, are files of the host.
#![no_std]
#![no_main]

use board_qemu_common::semihosting::{HostFile, unix_seconds};
use board_qemu_mps2_an386::board::{Key, P256};
use board_qemu_mps2_an386::counter::Counter;
use board_qemu_mps2_an386::stack;
use board_qemu_mps2_an386::uart;
use embedded_io::{Read, Write};
use firmware_bench::{CountedStream, Measured, RepeatableEntropy, report};
use provision_csr::{PublicKey, SoftwareKey, StoredKey};
use provision_tls::{Buffers, ClientIdentity, Endpoint, ServerName, UnixSeconds, connect};
use provision_wire::Delivery;
use static_cell::StaticCell;

/// As the example firmware's.
static BUFFERS: StaticCell<Buffers<4_352, 1_024>> = StaticCell::new();
static DELIVERY: StaticCell<[u8; 2560]> = StaticCell::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    // Not `expect`: printing errors would be kilobytes of what is measured.
    let Ok(public) = PublicKey::from_sec1(read_array(c"public")) else { panic!("begins with 04") };
    let stored = StoredKey::new(read_array(c"secret"), public);
    let Ok(key) = Key::from_stored(&stored) else { panic!("a scalar") };
    let document = read_delivery();
    let Ok(delivery) = Delivery::decode(document) else { panic!("a delivery") };
    let Ok(name) = ServerName::parse(delivery.endpoint.host) else { panic!("a name") };
    let buffers = BUFFERS.init_with(Buffers::new);
    let mut entropy = RepeatableEntropy::new();
    let now = UnixSeconds(u64::from(unix_seconds()));

    let mut socket = CountedStream::new(uart::open_line(), Counter::start());
    let stack_bytes = stack::used_by(&mut || {
        socket.start();
        let endpoint =
            Endpoint { name: name.clone(), anchors: &delivery.server_anchors, alpn: &[] };
        let identity = ClientIdentity { leaf_der: delivery.leaf, key: &key };
        let connected =
            connect::<P256, _>(&mut socket, &mut *buffers, &endpoint, &identity, now, &mut entropy);
        let Ok(mut stream) = connected else { panic!("no handshake") };
        let sent = stream.write_all(b"hello\n").and_then(|()| stream.flush());
        // Until it answers, the server may not have taken the device.
        let mut answer = [0; 6];
        let answered = stream.read_exact(&mut answer);
        assert!(sent.is_ok() && answered.is_ok() && &answer == b"olleh\n", "no answer");
    });
    let instructions = socket.instructions();
    report(&Measured {
        instructions,
        instructions_min: instructions,
        instructions_max: instructions,
        stack_bytes,
    })
}

fn read_array<const N: usize>(name: &core::ffi::CStr) -> [u8; N] {
    let mut bytes = [0; N];
    let mut file = HostFile::open(name).expect("a file beside the emulator");
    assert!(file.read_exact(&mut bytes), "a file of that length");
    bytes
}

/// The delivery, whose length stands before it in two bytes.
fn read_delivery() -> &'static [u8] {
    let bytes = DELIVERY.init_with(|| [0; 2560]);
    let mut file = HostFile::open(c"delivery").expect("a file beside the emulator");
    let mut len = [0; 2];
    assert!(file.read_exact(&mut len), "a length");
    let document = bytes.get_mut(..usize::from(u16::from_be_bytes(len))).expect("a short one");
    assert!(file.read_exact(document), "as many bytes as it says");
    document
}
