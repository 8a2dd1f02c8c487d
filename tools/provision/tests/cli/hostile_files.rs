//! Files that would take a careless reader's time and memory: truncated, endless, enormous, rubbish.
//! Every command that reads one names it, within a second of the processor and 64 MB.

use core::time::Duration;
use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use provision_testkit::cli::Ran;

use crate::site::{Site, free_address};
use crate::station::Station;
use crate::tools::openssl;

const WITHIN: Duration = Duration::from_secs(1);
const MEMORY_MAX: i64 = 64 << 20;

/// What the children of this process have cost so far. Other tests have children too, so this is for
/// a process with one test in it.
fn children() -> Usage {
    getrusage(UsageWho::RUSAGE_CHILDREN).unwrap()
}

fn processor_time() -> Duration {
    let usage = children();
    let spent = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(spent.try_into().unwrap())
}

/// Runs `test` in a process of its own: nextest has given it one already.
fn alone(name: &str, test: fn()) {
    if env::var_os("NEXTEST").is_some() || env::var_os(ALONE).is_some() {
        return test();
    }
    let mut again = Command::new(env::current_exe().unwrap());
    let status = again.args(["--exact", name, "--nocapture"]).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "{name}");
}

const ALONE: &str = "PROVISION_TEST_ALONE";

/// Runs a command, which must not take more than it may.
fn run(station: &Station, arguments: &[&str], stdin: impl Fn() -> Stdio) -> Ran {
    let before = processor_time();
    let ran = station.run_with(arguments, |command| command.stdin(stdin()));
    let spent = processor_time().saturating_sub(before);
    // In KiB, of the largest child so far: every one before was small enough.
    let peak = children().max_rss() * 1024;
    assert!(spent < WITHIN, "{arguments:?}: {spent:?}");
    assert!(peak < MEMORY_MAX, "{arguments:?}: {peak} bytes");
    assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {ran:?}");
    ran
}

/// The same, which must name what is wrong, and where.
fn refuses(station: &Station, arguments: &[&str], file: &str, stdin: impl Fn() -> Stdio) -> Ran {
    let ran = run(station, arguments, stdin);
    assert!(ran.code > 0, "{arguments:?}: {ran:?}");
    assert!(ran.stderr.contains(file), "{arguments:?}: no {file:?} in {ran:?}");
    assert!(ran.stderr.contains("\nhint: "), "{arguments:?}: {ran:?}");
    ran
}

/// Every command that reads a file, `FILE` being it.
const READERS: &[&str] = &[
    "inspect FILE",
    "inspect FILE --public-key",
    "verify FILE --trusted ca/device-root.crt",
    "verify client/client.crt --trusted FILE",
    "verify client/client.crt --trusted ca/device-root.crt --untrusted FILE",
    "verify client/client.crt --trusted ca/device-ca-bundle.crt --crl FILE",
    "check-end FILE --days 3",
    "match FILE client/client.key",
    "match client/client.key FILE",
    "key public FILE",
    "key encrypt FILE --new-passphrase-file pass --out new",
    "key decrypt FILE --key-passphrase-file pass --out new",
    "csr --key FILE --subject /CN=x",
    "convert FILE --outform der --out new",
    "fullchain FILE",
    "fullchain client/client.crt FILE",
    "p12 make --key FILE --certificate client/client.crt --new-passphrase-file pass --out new",
    "p12 make --key client/client.key --certificate FILE --new-passphrase-file pass --out new",
    "p12 make --key client/client.key --certificate client/client.crt --chain FILE --new-passphrase-file pass --out new",
    "p12 open FILE --key-passphrase-file pass --insecure-plaintext-key --out new",
    "sign --csr FILE --profile client --name x",
    "sign --csr good.csr --profile FILE --name x",
    "client-cert --name x --profile FILE --insecure-plaintext-key --out new",
    "ca import --certificate FILE --key ca/device-root.key --insecure-plaintext-keys --ca new",
    "ca import --certificate ca/device-root.crt --key FILE --insecure-plaintext-keys --ca new",
    "ca import --certificate ca/device-issuing.crt --key ca/device-issuing.key --chain FILE --insecure-plaintext-keys --ca new",
    "config nginx --certificate FILE --out new",
    "config nginx --key FILE --out new",
    "config nginx --crl FILE --out new",
    "revoke --certificate FILE",
    "doctor localhost:1 --ca FILE",
    "doctor localhost:1 --untrusted FILE",
    "doctor localhost:1 --client-ca FILE",
    "doctor localhost:1 --crl FILE",
    "doctor localhost:1 --cert FILE --key client/client.key",
    "doctor localhost:1 --cert client/client.crt --key FILE",
];

/// In a CA's directory, and who reads it there.
const IN_A_CA: &[(&str, &[&str])] = &[
    ("device-root.crt", &["ca show --ca odd", "config nginx --for odd --out new"]),
    ("device-issuing.crt", &["ca show --ca odd", "crl --ca odd --out new"]),
    ("device-ca-bundle.crt", &["config mosquitto --for odd --out new"]),
    (
        "device-issuing.key",
        &[
            "crl --ca odd --out new",
            "client-cert --name x --ca odd --insecure-plaintext-key --out new",
        ],
    ),
    ("server-root.key", &["server-cert --dns x.org --ca odd --out new"]),
];

fn words<'a>(line: &'a str, file: &'a str) -> Vec<&'a str> {
    line.split(' ').map(|word| if word == "FILE" { file } else { word }).collect()
}

/// A station with good files, and bad ones, which are returned.
fn material() -> (Site, Vec<&'static str>) {
    let site = Site::new();
    let dir = site.path();
    site.done(&["client-cert", "--name", "alice", "--insecure-plaintext-key"]);
    site.done(&["csr", "--key", "client/client.key", "--subject", "/CN=x", "--out", "good.csr"]);
    fs::write(dir.join("pass"), "secret\n").unwrap();
    let good = fs::read(dir.join("client/client.crt")).unwrap();
    openssl(dir, &["x509", "-in", "client/client.crt", "-outform", "DER", "-out", "good.der"]);
    let der = fs::read(dir.join("good.der")).unwrap();
    let crl = b"-----BEGIN X509 CRL-----\nMIIBMDCB1wIBATAKBggqhkjOPQQDAjAiMSAwHgYDVQQDDBdU\n";
    let noise: Vec<u8> =
        (0..100_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let small: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("noise", &noise),
        ("cut.der", &der[..der.len() - 7]),
        ("cut.pem", &good[..good.len() / 2]),
        ("base64.pem", b"-----BEGIN CERTIFICATE-----\nMIIB!!!!\n-----END CERTIFICATE-----\n"),
        ("one-byte", b"0"),
    ];
    // Two gigabytes, of which the disk holds the beginning.
    let large: [(&str, &[u8]); 7] = [
        ("large", b""),
        ("large-certificate.pem", b"-----BEGIN CERTIFICATE-----\nMIIB"),
        ("large-key.pem", b"-----BEGIN PRIVATE KEY-----\nMIIB"),
        ("large-crl.pem", crl),
        ("large-128.der", &[0x30, 0x84, 7, 0, 0, 0]),
        ("large-2048.der", &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xf0]),
        ("large-toml", b"[subject]\n# "),
    ];
    for (name, contents) in small.iter().chain(&large) {
        fs::write(dir.join(name), contents).unwrap();
    }
    for (name, _) in large {
        File::options().write(true).open(dir.join(name)).unwrap().set_len(2 << 30).unwrap();
    }
    fs::create_dir(dir.join("directory")).unwrap();
    let names = small.iter().chain(&large).map(|(name, _)| *name).chain(["directory"]).collect();
    (site, names)
}

#[test]
fn files_of_every_bad_kind_are_named_at_once() {
    alone("hostile_files::files_of_every_bad_kind_are_named_at_once", || {
        let (site, files) = material();
        for line in READERS {
            for file in &files {
                let ran = refuses(&site, &words(line, file), file, Stdio::null);
                // A profile is TOML, which has lines.
                if file.starts_with("cut.") && !line.contains("--profile FILE") {
                    assert!(ran.stderr.contains("byte "), "{line} {file}: {ran:?}");
                }
                assert!(!site.path().join("new").exists(), "{line} {file}");
            }
        }
    });
}

#[test]
fn a_cas_directory_with_a_bad_file_is_named_at_once() {
    alone("hostile_files::a_cas_directory_with_a_bad_file_is_named_at_once", || {
        let (site, files) = material();
        let (ca, odd) = (site.path().join("ca"), site.path().join("odd"));
        for (name, lines) in IN_A_CA {
            for file in &files {
                fs::create_dir(&odd).unwrap();
                for entry in fs::read_dir(&ca).unwrap() {
                    let entry = entry.unwrap();
                    if entry.file_name() != *name {
                        symlink(entry.path(), odd.join(entry.file_name())).unwrap();
                    }
                }
                symlink(site.path().join(file), odd.join(name)).unwrap();
                for line in *lines {
                    refuses(&site, &words(line, file), name, Stdio::null);
                }
                fs::remove_dir_all(&odd).unwrap();
                let _ = fs::remove_dir_all(site.path().join("new"));
            }
        }
    });
}

/// The header of a DER element.
fn header(tag: u8, len: usize) -> Vec<u8> {
    if len < 0x80 {
        return vec![tag, len as u8];
    }
    [&[tag, 0x84], &(len as u32).to_be_bytes()[..]].concat()
}

/// Writes a CRL of a million entries, which nobody signed, one of them with a tag of its own. Returns where that one
/// begins.
///
/// Piece by piece: what this process has in memory counts as its children's.
fn write_long_crl(path: &Path, odd: usize, tag: u8) -> usize {
    const COUNT: usize = 1_000_000;
    let reason = [0x30, 0x0c, 0x30, 0x0a, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 0x0a, 1, 1];
    let fields = [&[2, 16][..], &[7; 16], &[0x17, 13], b"260101000000Z", &reason].concat();
    let entry = [&header(0x30, fields.len()), &fields[..]].concat();
    let algorithm = [&[0x30, 10, 6, 8][..], &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]].concat();
    let list = header(0x30, COUNT * entry.len());
    let times = [&[0x17, 13][..], b"260101000000Z", &[0x17, 13], b"360101000000Z"].concat();
    let tbs = [&[2, 1, 1], &algorithm[..], &[0x30, 0], &times, &list].concat();
    let end = [&algorithm[..], &[3, 3, 0, 1, 1]].concat();
    let tbs_head = header(0x30, tbs.len() + COUNT * entry.len());
    let len = tbs_head.len() + tbs.len() + COUNT * entry.len() + end.len();
    let head = [&header(0x30, len), &tbs_head[..], &tbs].concat();
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(&head).unwrap();
    for at in 0..COUNT {
        let tag = if at == odd { tag } else { entry[0] };
        out.write_all(&[tag]).unwrap();
        out.write_all(&entry[1..]).unwrap();
    }
    out.write_all(&end).unwrap();
    out.flush().unwrap();
    head.len() + odd * entry.len()
}

/// Writes DER.pem beside DER.der.
fn write_pem(dir: &Path, name: &str) {
    openssl(dir, &["base64", "-in", &format!("{name}.der"), "-out", "base64"]);
    let mut out = File::create(dir.join(format!("{name}.pem"))).unwrap();
    out.write_all(b"-----BEGIN X509 CRL-----\n").unwrap();
    std::io::copy(&mut File::open(dir.join("base64")).unwrap(), &mut out).unwrap();
    out.write_all(b"-----END X509 CRL-----\n").unwrap();
}

/// The longest thing that is read: it must be read for long until it shows that it is bad.
#[test]
fn a_long_crl_that_is_bad_at_its_end_is_named_at_once() {
    const NAME: &str = "hostile_files::a_long_crl_that_is_bad_at_its_end_is_named_at_once";
    alone(NAME, || {
        let (site, _) = material();
        let dir = site.path();
        let odd_at = write_long_crl(&dir.join("entry.der"), 998_000, 2);
        write_pem(dir, "entry");
        write_long_crl(&dir.join("good.der"), 0, 0x30);
        write_pem(dir, "good");
        let cut = |from: &str, bytes: u64, to: &str| {
            fs::copy(dir.join(from), dir.join(to)).unwrap();
            let file = File::options().write(true).open(dir.join(to)).unwrap();
            file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
            file
        };
        cut("good.pem", 30, "end.pem");
        cut("good.pem", 3, "line.pem");
        cut("good.der", 1, "end.der");
        cut("good.pem", 0, "byte.pem").write_all_at(b"!", 65_000_000).unwrap();
        let character = odd_at / 3 * 4 + odd_at % 3;
        let in_pem = "-----BEGIN X509 CRL-----\n".len() + character / 64 * 65 + character % 64;
        let no_crl = format!("from DER byte {odd_at} on no CRL");
        for (file, expected) in [
            ("end.pem", "the PEM block at byte 0 is broken: it has no END line"),
            ("line.pem", "its END line does not end"),
            ("end.der", "but the file has "),
            ("byte.pem", "byte 65000000 of the file is 0x21"),
            ("entry.der", &no_crl),
            ("entry.pem", &format!("{no_crl} (byte {in_pem} of the file)")),
        ] {
            let crl = READERS.iter().filter(|line| line.contains("--crl FILE"));
            let others = ["inspect FILE", "inspect FILE --dates", "convert FILE --out new"];
            for line in crl.chain(&others) {
                let ran = refuses(&site, &words(line, file), file, Stdio::null);
                assert!(ran.stderr.contains(expected), "{line} {file}: {ran:?}");
            }
        }
    });
}

/// A good one is in memory once, in DER, whatever is done with it.
#[test]
fn a_long_crl_that_is_good_is_in_memory_once() {
    // 47 MiB, and the program itself.
    const ONCE: i64 = 80 << 20;
    const NAME: &str = "hostile_files::a_long_crl_that_is_good_is_in_memory_once";
    alone(NAME, || {
        let site = Site::new();
        let dir = site.path();
        site.client("alice", &[]);
        site.crls("short");
        write_long_crl(&dir.join("good.der"), 0, 0x30);
        write_pem(dir, "good");
        fs::copy(dir.join("short/crl/all.crl"), dir.join("all.pem")).unwrap();
        let mut all = File::options().append(true).open(dir.join("all.pem")).unwrap();
        std::io::copy(&mut File::open(dir.join("good.pem")).unwrap(), &mut all).unwrap();
        let address = free_address();
        site.config("nginx", address, &[]);
        let nginx = site.nginx(address);
        let doctor = format!(
            "doctor localhost:{} --ca ca/server-root.crt --cert alice/client.crt --key alice/client.key \
             --crl FILE",
            address.port()
        );
        for (line, file, code) in [
            ("inspect FILE --dates", "good.der", 0),
            ("convert FILE --out new.pem", "good.der", 0),
            ("convert FILE --outform der --out new.der", "good.pem", 0),
            // By no CA that is known here.
            (
                "verify alice/client.crt --trusted ca/device-ca-bundle.crt --crl FILE",
                "good.pem",
                18,
            ),
            ("config nginx --crl FILE --out new", "all.pem", 0),
            // Once more: what is there is compared with it.
            ("config nginx --crl FILE --out new", "all.pem", 0),
            (&doctor, "all.pem", 0),
        ] {
            let ran = site.run(&words(line, file));
            assert_eq!(ran.code, code, "{line}: {ran:?}");
            let peak = children().max_rss() * 1024;
            assert!(peak < ONCE, "{line}: {peak} bytes");
        }
        drop(nginx);
        for (made, from) in
            [("new.pem", "good.pem"), ("new.der", "good.der"), ("new/crl/all.crl", "all.pem")]
        {
            let same = Command::new("cmp").args([made, from]).current_dir(dir).status().unwrap();
            assert!(same.success(), "{made} is not {from}");
        }
    });
}

/// A pipe that never ends.
struct Endless(Child);

impl Endless {
    fn start(head: &'static [u8], line: &'static [u8]) -> (Self, Stdio) {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        thread::spawn(move || {
            let lines = line.repeat(10_000);
            // Until nobody reads any more.
            let mut written = to.write_all(head);
            while written.is_ok() {
                written = to.write_all(&lines);
            }
        });
        (Self(child), from.into())
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn input_without_an_end_is_given_up_at_once() {
    alone("hostile_files::input_without_an_end_is_given_up_at_once", || {
        let (site, _) = material();
        // These take a name, and not what comes in: a profile, or what is copied to a server.
        let named = ["--profile FILE", "config ", "doctor ", "ca import"];
        for line in READERS.iter().filter(|line| !named.iter().any(|part| line.contains(part))) {
            refuses(&site, &words(line, "-"), "-:", || File::open("/dev/zero").unwrap().into());
        }
        for line in READERS {
            let zero = words(line, "/dev/zero");
            refuses(&site, &zero, "/dev/zero", Stdio::null);
        }
        for (head, more) in [
            (&b""[..], &b"y\n"[..]),
            (b"-----BEGIN CERTIFICATE-----\n", b"MIIBMIIB\n"),
            (b"-----BEGIN PRIVATE KEY-----\n", b"MIIBMIIB\n"),
            (b"-----BEGIN X509 CRL-----\n", b"MIIBMIIB\n"),
            (&[0x30, 0x84, 7, 0, 0, 0], b"\x30\x02\x05\x00"),
        ] {
            for line in ["inspect FILE", "verify FILE --trusted ca/device-root.crt", "convert FILE"]
            {
                let before = processor_time();
                let (endless, stdin) = Endless::start(head, more);
                let stdin = core::cell::Cell::new(Some(stdin));
                refuses(&site, &words(line, "-"), "-:", || {
                    stdin.take().unwrap_or_else(Stdio::null)
                });
                drop(endless);
                assert!(processor_time().saturating_sub(before) < 2 * WITHIN, "{line}");
            }
        }
    });
}

/// Thousands of certificates are no error, and no reason to think for long.
#[test]
fn files_with_thousands_of_certificates_are_read_at_once() {
    alone("hostile_files::files_with_thousands_of_certificates_are_read_at_once", || {
        let (site, _) = material();
        let dir = site.path();
        // Of one name and key, certified by each other: every one may be the issuer of all.
        let new =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let to = ["-subj", "/CN=Test Device Issuing CA", "-keyout", "k", "-out", "c"];
        openssl(dir, &[&new[..], &to].concat());
        let mut heap = Vec::new();
        for _ in 0..200 {
            let more = ["req", "-x509", "-key", "k", "-subj", "/CN=Test Device Issuing CA"];
            openssl(dir, &[&more[..], &["-out", "c"]].concat());
            heap.extend(fs::read(dir.join("c")).unwrap());
        }
        fs::write(dir.join("heap"), &heap).unwrap();
        let leaf = ["req", "-x509", "-key", "client/client.key", "-subj", "/CN=x", "-out", "leaf"];
        openssl(dir, &[&leaf[..], &["-CA", "c", "-CAkey", "k"]].concat());
        let path = ["verify", "leaf", "--trusted", "ca/device-root.crt", "--untrusted", "heap"];
        let ran = run(&site, &path, Stdio::null);
        assert_eq!(ran.code, 18, "{ran:?}");
        let many = heap.repeat(3 * (1 << 20) / heap.len());
        fs::write(dir.join("many"), many).unwrap();
        for line in
            ["inspect many --serial", "check-end many", "convert many --outform der --out x"]
        {
            run(&site, &words(line, ""), Stdio::null);
        }
        let trusted = run(&site, &["verify", "leaf", "--trusted", "many"], Stdio::null);
        assert_eq!(trusted.code, 0, "{trusted:?}");
    });
}

/// Wrong passphrases, and files that ask for years of work to try one.
#[test]
fn passphrases_that_open_nothing_are_named_at_once() {
    alone("hostile_files::passphrases_that_open_nothing_are_named_at_once", || {
        let (site, _) = material();
        let dir = site.path();
        fs::write(dir.join("good"), "good\n").unwrap();
        let out = ["-in", "client/client.key", "-passout", "pass:good"];
        let pkcs8 = |name: &str, more: &[&str]| {
            openssl(dir, &[&["pkcs8", "-topk8", "-out", name], &out[..], more].concat());
        };
        // Without optimisation the 600,000 of OWASP take longer than a second.
        pkcs8("pbkdf2", &["-iter", "100000"]);
        pkcs8("scrypt", &["-scrypt"]);
        pkcs8("old", &["-v1", "PBE-SHA1-3DES"]);
        openssl(dir, &[&["ec", "-aes256", "-out", "traditional"], &out[..]].concat());
        let p12 = ["pkcs12", "-export", "-in", "client/client.crt", "-inkey", "client/client.key"];
        openssl(dir, &[&p12[..], &["-passout", "pass:good", "-out", "p12"]].concat());
        let encrypt = ["key", "encrypt", "client/client.key", "--new-passphrase-file", "good"];
        site.done(&[&encrypt[..], &["--out", "own"]].concat());
        for (file, command) in [
            ("pbkdf2", "key public FILE --key-passphrase-file PASS"),
            ("scrypt", "key public FILE --key-passphrase-file PASS"),
            ("own", "key public FILE --key-passphrase-file PASS"),
            ("own", "match FILE client/client.crt --key-passphrase-file PASS"),
            ("own", "inspect FILE --public-key --key-passphrase-file PASS"),
            ("traditional", "key public FILE --key-passphrase-file PASS"),
            (
                "p12",
                "p12 open FILE --key-passphrase-file PASS --insecure-plaintext-key --out opened",
            ),
            ("p12", "inspect FILE --key-passphrase-file PASS"),
        ] {
            let line = |pass| command.replace("PASS", pass);
            let (wrong, right) = (line("pass"), line("good"));
            let ran = refuses(&site, &words(&wrong, file), file, Stdio::null);
            assert!(ran.stderr.contains("does not open it"), "{command}: {ran:?}");
            assert_eq!(run(&site, &words(&right, file), Stdio::null).code, 0, "{command}");
        }
        // What openssl itself calls outdated is named as well.
        refuses(
            &site,
            &words("key public FILE --key-passphrase-file pass", "old"),
            "old",
            Stdio::null,
        );

        // 100,000 rounds, and then 8,388,607: nobody waits for it to be made.
        pkcs8("years", &["-iter", "100000", "-outform", "DER"]);
        let mut years = fs::read(dir.join("years")).unwrap();
        let rounds = years.windows(5).position(|part| part == [2, 3, 1, 0x86, 0xa0]).unwrap();
        years[rounds + 2..rounds + 5].copy_from_slice(&[0x7f, 0xff, 0xff]);
        fs::write(dir.join("years"), years).unwrap();
        let scrypt = ["-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "17"];
        pkcs8("more-years", &scrypt);
        for file in ["years", "more-years"] {
            let line = "key public FILE --key-passphrase-file good";
            let ran = refuses(&site, &words(line, file), file, Stdio::null);
            assert!(ran.stderr.contains("cost too much"), "{ran:?}");
        }
        // What can be meant by a passphrase is short, and one line.
        for file in ["large", "noise", "directory", "empty", "not-there"] {
            let line = ["key", "public", "own", "--key-passphrase-file", file];
            let ran = run(&site, &line, Stdio::null);
            assert!(ran.code > 0 && ran.stderr.contains("\nhint: "), "{file}: {ran:?}");
        }
    });
}
