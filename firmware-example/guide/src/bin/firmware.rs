//! All steps together, on an emulated board in the place of yours.
#![no_std]
#![no_main]

use core::fmt::Write as _;

use board_qemu_mps2_an386::board;
use board_qemu_mps2_an386::clock::BoardClock;
use board_qemu_mps2_an386::lan9118::Lan9118;
use embedded_io::{Read, Write as _};
use firmware_guide::{connect, enroll, entropy, flash};
use provision_csr::Entropy as _;
use provision_firmware_app::{Clock as _, Network as _, Parts};
use provision_firmware_network::{Memory, SmoltcpNetwork};
use static_cell::StaticCell;

#[cortex_m_rt::entry]
fn main() -> ! {
    static ENROLL: StaticCell<enroll::Memory> = StaticCell::new();
    static CONNECT: StaticCell<connect::Memory> = StaticCell::new();
    static ETHERNET: StaticCell<Lan9118> = StaticCell::new();
    static NETWORK: StaticCell<Memory> = StaticCell::new();

    let Parts { device_serial, mut line, flash, entropy, mut clock, mut log, .. } =
        board::take().expect("main runs once");
    let mut vault = flash::open(flash).expect("two slots of whole pages");
    let mut entropy = entropy::watched(entropy);
    let memory = ENROLL.init(enroll::Memory::new(device_serial).expect("a serial number"));
    let _ = writeln!(log, "line ready");
    let sleep = || clock.sleep_ms(10);
    if let Err(fault) = enroll::until_sealed(memory, &mut line, &mut vault, &mut entropy, sleep) {
        panic!("{fault}");
    }

    let ethernet = ETHERNET.init_with(Lan9118::new);
    let address = ethernet.bring_up().expect("an Ethernet controller");
    let mut random = [0; 8];
    entropy.fill(&mut random).expect("entropy");
    let (ticks, random) = (BoardClock::running(), u64::from_le_bytes(random));
    let network = NETWORK.init_with(Memory::new);
    let mut network = SmoltcpNetwork::new(ethernet, address, network, ticks, random);
    network.up().expect("an address");

    let memory = CONNECT.init_with(connect::Memory::new);
    let now = clock.unix_seconds();
    let network = &mut network;
    match connect::to_the_cloud(memory, &mut vault, &mut entropy, now, |host, port| {
        network.connect(host, port).ok()
    }) {
        Ok(mut stream) => {
            let mut answer = [0; 12];
            let asked = stream
                .write_all(b"GET / HTTP/1.1\r\nHost: cloud\r\nConnection: close\r\n\r\n")
                .and_then(|()| stream.flush());
            let heard = stream.read_exact(&mut answer);
            let answer = core::str::from_utf8(&answer).unwrap_or_default();
            let _ = writeln!(log, "asked {asked:?}, heard {heard:?}: {answer}");
            let _ = stream.close();
        }
        Err(failure) => {
            let _ = writeln!(log, "not connected: {failure:?}");
        }
    }
    loop {
        clock.sleep_ms(1_000);
    }
}
