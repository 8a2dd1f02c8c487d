//! The harness against a real QEMU, and an image of 104 bytes.

use core::time::Duration;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::Instant;

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use tempfile::TempDir;

use super::{Emulator, Machine, Network, QemuError, create_erased_flash};

const PATIENCE: Duration = Duration::from_secs(20);

/// A plain binary for address 0. At reset it logs the first byte of the flash. Then each byte of the line is
/// stored there, sent back, and logged; a `q` ends the emulator with status 7.
const IMAGE: [u16; 52] = [
    0x1000, 0x2000, // initial stack pointer
    0x0009, 0x0000, // reset: start, in Thumb
    0xf04f, 0x2440, // start: mov.w r4, #0x40004000    the log's port
    0x4d14, //              ldr   r5, =0x40005000      the line's port
    0xf04f, 0x5604, //      mov.w r6, #0x21000000      the flash
    0x2010, //              movs  r0, #16
    0x6120, //              str   r0, [r4, #16]        speed
    0x6128, //              str   r0, [r5, #16]
    0x2003, //              movs  r0, #3
    0x60a0, //              str   r0, [r4, #8]         send and receive
    0x60a8, //              str   r0, [r5, #8]
    0x7830, //              ldrb  r0, [r6]
    0xf000, 0xf815, //      bl    log
    0x200a, //              movs  r0, #'\n'
    0xf000, 0xf812, //      bl    log
    0x6868, // next:        ldr   r0, [r5, #4]         wait for a byte
    0x0780, //              lsls  r0, r0, #30
    0xd5fc, //              bpl   next
    0x6828, //              ldr   r0, [r5]
    0x7030, //              strb  r0, [r6]
    0x6028, //              str   r0, [r5]
    0xf000, 0xf80a, //      bl    log
    0x200a, //              movs  r0, #'\n'
    0xf000, 0xf807, //      bl    log
    0x7830, //              ldrb  r0, [r6]
    0x2871, //              cmp   r0, #'q'
    0xd1f1, //              bne   next
    0x2020, //              movs  r0, #0x20            SYS_EXIT_EXTENDED
    0x4906, //              ldr   r1, =exit
    0xbeab, //              bkpt  0xab
    0xe7ed, //              b     next
    0x6861, // log:         ldr   r1, [r4, #4]         wait for room
    0x07c9, //              lsls  r1, r1, #31
    0xd4fc, //              bmi   log
    0x6020, //              str   r0, [r4]
    0x4770, //              bx    lr
    0x0026, 0x0002, // exit: ADP_Stopped_ApplicationExit
    0x0007, 0x0000, //       status
    0x5000, 0x4000, // literals
    0x0058, 0x0000,
];

/// What the log shows for the byte 0xFF.
const ERASED: &str = "\u{fffd}";

#[test]
fn log_line_and_exit() {
    let bench = Bench::new();
    let mut emulator = bench.machine().start().unwrap();
    let mut line = open(&emulator);

    send(&mut line, b"x");
    assert_eq!(emulator.log().wait_for_line("x", PATIENCE).unwrap(), "x");
    let mut back = [0; 1];
    line.read_exact(&mut back).unwrap();
    assert_eq!(&back, b"x");
    send(&mut line, b"q");
    assert_eq!(code(emulator.wait_exit(PATIENCE).unwrap()), Some(7));
    assert_eq!(emulator.log().lines()[1..], [ERASED, "x", "q"]);
}

#[test]
fn every_byte_of_the_line_arrives() {
    let bench = Bench::new();
    let emulator = bench.machine().start().unwrap();
    let mut line = open(&emulator);
    let mut back = line.try_clone().unwrap();
    // All bytes but those that end the emulator.
    let sent: Vec<u8> = (0..=u8::MAX).cycle().filter(|&byte| byte != b'q').take(20_000).collect();

    send(&mut line, b"\0");
    let reader = thread::spawn(move || {
        let mut received = vec![0; 20_001];
        back.read_exact(&mut received).unwrap();
        received
    });
    for chunk in sent.chunks(64) {
        send(&mut line, chunk);
    }
    assert_eq!(reader.join().unwrap()[1..], sent);
}

#[test]
fn flash_outlives_the_emulator() {
    let bench = Bench::new();
    let machine = bench.machine().flash_file(bench.path("flash"));

    let mut emulator = machine.start().unwrap();
    emulator.log().wait_for_line(ERASED, PATIENCE).unwrap();
    send(&mut open(&emulator), b"k");
    emulator.log().wait_for_line("k", PATIENCE).unwrap();
    let status = emulator.kill().unwrap();
    assert_eq!(code(status), None, "ended by a signal");
    assert_eq!(fs::read(bench.path("flash")).unwrap()[..2], [b'k', 0xff]);

    let emulator = machine.start().unwrap();
    emulator.log().wait_for_line("k", PATIENCE).unwrap();

    // And without a file, nothing is kept.
    let emulator = bench.machine().start().unwrap();
    emulator.log().wait_for_line(ERASED, PATIENCE).unwrap();
}

#[test]
fn shutdown_ends_it_and_dropping_kills_it() {
    let bench = Bench::new();
    let mut emulator = bench.machine().start().unwrap();
    emulator.log().wait_for_line(ERASED, PATIENCE).unwrap();
    assert_eq!(code(emulator.shutdown().unwrap()), Some(0));
    // Again does no harm.
    emulator.kill().unwrap();

    let process = {
        let emulator = bench.machine().start().unwrap();
        PathBuf::from(format!("/proc/{}", emulator.id()))
    };
    assert!(!process.exists());
}

#[test]
fn a_wait_ends_when_its_time_or_the_emulator_does() {
    let bench = Bench::new();
    let mut emulator = bench.machine().start().unwrap();

    let error = emulator.log().wait_for_line("never", Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, QemuError::TimedOut { .. }), "{error}");
    let error = emulator.wait_exit(Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, QemuError::TimedOut { .. }), "{error}");

    let log = emulator.log().clone();
    let waiting = thread::spawn(move || {
        let began = Instant::now();
        (log.wait_for_line("never", PATIENCE), began.elapsed())
    });
    emulator.kill().unwrap();
    let (result, waited) = waiting.join().unwrap();
    assert!(matches!(result, Err(QemuError::Ended { .. })), "{result:?}");
    assert!(waited < PATIENCE, "{waited:?}");
}

#[test]
fn what_is_wrong_is_named() {
    let bench = Bench::new();

    let error = bench.machine().program("qemu-system-none").start().unwrap_err();
    assert_eq!(
        error.to_string(),
        "qemu-system-none not found\nhint: apt-get install qemu-system-arm"
    );

    let error = Machine::mps2_an386().firmware(bench.path("no-image")).start().unwrap_err();
    assert!(matches!(error, QemuError::NoFirmware { .. }), "{error}");

    let short = bench.path("short");
    fs::write(&short, [0xff; 4096]).unwrap();
    let error = bench.machine().flash_file(&short).start().unwrap_err();
    assert!(error.to_string().contains("4096 bytes long, expected 16777216"), "{error}");

    // QEMU refuses by itself, and its words are in the error.
    let elsewhere =
        Network::restricted_to("192.0.2.1:8883".parse().unwrap(), "127.0.0.1:9".parse().unwrap());
    let error = bench.machine().network(elsewhere).start().unwrap_err();
    assert!(matches!(error, QemuError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("guest forwarding rule"), "{error}");
}

#[test]
fn arguments_reach_qemu_whole() {
    let bench = Bench::new();
    let odd = bench.path("flash, and more");
    let emulator = bench.machine().flash_file(&odd).arg("name=a,b").start().unwrap();
    emulator.log().wait_for_line(ERASED, PATIENCE).unwrap();
    assert_eq!(fs::metadata(odd).unwrap().len(), bench.machine().flash_len());
    let words = fs::read_to_string(format!("/proc/{}/cmdline", emulator.id())).unwrap();
    assert!(words.contains("arg=firmware,arg=name=a,,b"), "{words}");
}

#[test]
fn a_flash_file_is_erased_and_never_overwritten() {
    let bench = Bench::new();
    let path = bench.path("flash");
    create_erased_flash(&path, 100_000).unwrap();
    assert!(fs::read(&path).unwrap().iter().all(|&byte| byte == 0xff));
    assert_eq!(fs::metadata(&path).unwrap().len(), 100_000);
    assert!(create_erased_flash(&path, 100_000).is_err());
}

/// For the micro:bit: clears the first word of the vault by the flash controller, then says so.
const CLEARS_A_WORD: [u16; 24] = [
    0x1000, 0x2000, // initial stack pointer
    0x0009, 0x0000, // reset: start, in Thumb
    0x4805, // start: ldr   r0, =0x4001e504      CONFIG of the flash controller
    0x2101, //        movs  r1, #1               write enable
    0x6001, //        str   r1, [r0]
    0x4805, //        ldr   r0, =0x3dc00
    0x2100, //        movs  r1, #0
    0x6001, //        str   r1, [r0]
    0x2004, //        movs  r0, #4               SYS_WRITE0
    0x4904, //        ldr   r1, =text
    0xbeab, //        bkpt  0xab
    0xbf30, //        wfi                        one that spins would starve a busy host's QEMU
    0xe7fd, //        b     . - 2
    0x46c0, //        nop
    0xe504, 0x4001, // literals
    0xdc00, 0x0003, //
    0x002c, 0x0000, //
    0x6b6f, 0x000a, // text: "ok\n"
];

#[test]
fn a_flash_that_qemu_keeps_to_itself_is_saved_when_power_is_cut() {
    let bench = Bench::with_image(&CLEARS_A_WORD);
    let flash = bench.path("flash");
    let machine = Machine::microbit().firmware(bench.path("image")).flash_file(&flash);
    let mut vault = vec![0xff; usize::try_from(machine.flash_len()).unwrap()];
    vault[100] = b'k';
    fs::write(&flash, &vault).unwrap();

    for end in [Emulator::kill, Emulator::shutdown] {
        let mut emulator = machine.start().unwrap();
        emulator.log().wait_for_line("ok", PATIENCE).unwrap();
        end(&mut emulator).unwrap();
        vault[..4].fill(0);
        assert_eq!(fs::read(&flash).unwrap(), vault, "what was there, and what was written");
    }
}

#[test]
fn a_board_without_network_is_not_given_one() {
    let bench = Bench::with_image(&CLEARS_A_WORD);
    let network =
        Network::restricted_to("10.0.2.100:1".parse().unwrap(), "127.0.0.1:9".parse().unwrap());
    let machine = Machine::microbit().firmware(bench.path("image")).network(network);
    assert!(matches!(machine.start().unwrap_err(), QemuError::NoNetwork));
}

/// A directory with the image in it.
struct Bench {
    directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with_image(&IMAGE)
    }

    fn with_image(words: &[u16]) -> Self {
        let directory = TempDir::new().unwrap();
        let image: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        fs::write(directory.path().join("image"), image).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn machine(&self) -> Machine {
        Machine::mps2_an386().firmware(self.path("image"))
    }
}

fn open(emulator: &Emulator) -> File {
    let path: &Path = emulator.line_port();
    let line = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut settings = tcgetattr(&line).unwrap();
    cfmakeraw(&mut settings);
    tcsetattr(&line, SetArg::TCSANOW, &settings).unwrap();
    // QEMU looks once a second whether someone opened it.
    thread::sleep(Duration::from_millis(1500));
    line
}

fn send(line: &mut File, bytes: &[u8]) {
    line.write_all(bytes).unwrap();
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}
