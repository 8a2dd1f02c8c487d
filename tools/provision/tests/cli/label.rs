//! Labels, read back by another decoder than the one that encodes them.

use std::fs;
use std::path::Path;

use provision_testkit::impostor::Trick;
use provision_wire::Stage;
use rqrr::PreparedImage;
use scraper::{Html, Selector};
use serde_json::Value;

use crate::ledger_faults::with_an_accident;
use crate::station::{Station, assert_documented, device, events};

/// A picture: width, height, and whether a dot is black.
struct Picture {
    width: usize,
    height: usize,
    black: Vec<bool>,
}

impl Picture {
    fn of_png(path: &Path) -> Self {
        let decoder = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let (width, height) = (info.width as usize, info.height as usize);
        let dot = |at: usize| {
            let (x, y) = (at % width, at / width);
            bytes[y * info.line_size + x / 8] & (0x80 >> (x % 8)) == 0
        };
        Self { width, height, black: (0..width * height).map(dot).collect() }
    }

    /// The QR code of an SVG: its path is made of `Mx yhwvhh-wz`, a rectangle each.
    fn of_svg(svg: &str) -> Self {
        let parsed = Html::parse_fragment(svg);
        let first = |selector: &str| {
            let found = parsed.select(&Selector::parse(selector).unwrap()).next().unwrap();
            found.value().clone()
        };
        let side = |name: &str| first("rect").attr(name).unwrap().parse().unwrap();
        let (width, height): (usize, usize) = (side("width"), side("height"));
        let mut black = vec![false; width * height];
        for rectangle in first("path").attr("d").unwrap().trim_end_matches('z').split('z') {
            let numbers: Vec<usize> = rectangle
                .split(|c: char| !c.is_ascii_digit())
                .filter(|number| !number.is_empty())
                .map(|number| number.parse().unwrap())
                .collect();
            let [x, y, wide, high, _] = numbers[..] else { panic!("{rectangle}") };
            for y in y..y + high {
                black[y * width + x..y * width + x + wide].fill(true);
            }
        }
        Self { width, height, black }
    }

    /// What its only QR code says.
    fn claim(&self) -> String {
        let grey = |x: usize, y: usize| if self.black[y * self.width + x] { 0 } else { 255 };
        let mut image = PreparedImage::prepare_from_greyscale(self.width, self.height, grey);
        let grids = image.detect_grids();
        let [grid] = &grids[..] else { panic!("{} QR codes", grids.len()) };
        grid.decode().unwrap().1
    }

    /// Black dots right of that column.
    fn dots_from(&self, column: usize) -> usize {
        (0..self.black.len()).filter(|at| at % self.width >= column && self.black[*at]).count()
    }
}

/// With enrolled devices in a lot.
fn line(lot: &str, serials: &[&str]) -> Station {
    let station = Station::new();
    for serial in serials {
        let (port, _device) = device(serial, Trick::None);
        assert_eq!(station.enroll(&port, &["--lot", lot]).code, 0);
    }
    station
}

fn entry(station: &Station, serial: &str) -> Value {
    events(&station.run(&["--json", "ledger", "find", "--device", serial])).pop().unwrap()
}

fn label(station: &Station, serial: &str, more: &[&str]) -> Value {
    let ran = station.run(&[&["--json", "label", "--device", serial], more].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    events(&ran).pop().unwrap()
}

#[test]
fn a_picture_says_what_the_ledger_says() {
    let station = line("W47", &["sensor-0001"]);
    let sha256 = entry(&station, "sensor-0001")["leaf_sha256"].as_str().unwrap().to_owned();
    let expected = format!("provision:sensor-0001?sha256={sha256}");
    for (at, (size, dpi, width)) in [
        ("50x25", "203", 400),
        ("50x25", "300", 600),
        ("30x20", "600", 720),
        ("100x60", "203", 800),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{at}.png");
        let more = ["--format", "png", "--size", size, "--dpi", dpi, "--out", &name];
        let made = label(&station, "sensor-0001", &more);
        assert_eq!(
            (made["claim"].as_str(), &made["leaf_sha256"]),
            (Some(&*expected), &sha256.as_str().into())
        );
        let picture = Picture::of_png(&station.path().join(&name));
        assert_eq!(picture.width, width);
        assert_eq!(picture.claim(), expected, "{size} at {dpi}");
        // What stands there depends on the fingerprint: of some, few letters reach so far.
        assert!(picture.dots_from(picture.width * 3 / 4) > 30, "no text");
    }
    let there =
        station.run(&["label", "--device", "sensor-0001", "--format", "png", "--out", "0.png"]);
    assert_eq!(there.code, 1, "{there:?}");
    assert!(there.stderr.contains("nothing that is there is overwritten"), "{there:?}");
}

#[test]
fn a_drawing_has_the_same_code_and_its_text_is_text() {
    let station = line("<W&47>", &["sensor-0001"]);
    label(&station, "sensor-0001", &["--format", "svg", "--out", "a.svg"]);
    let svg = fs::read_to_string(station.path().join("a.svg")).unwrap();
    let sha256 = entry(&station, "sensor-0001")["leaf_sha256"].as_str().unwrap().to_owned();
    assert_eq!(Picture::of_svg(&svg).claim(), format!("provision:sensor-0001?sha256={sha256}"));
    let xmllint = std::process::Command::new("xmllint")
        .args(["--xpath", "//*[local-name()='text']/text()"])
        .arg(station.path().join("a.svg"))
        .output()
        .expect("xmllint: apt-get install libxml2-utils");
    let text = String::from_utf8(xmllint.stdout).unwrap();
    let shown: Vec<&str> = text.split_whitespace().collect();
    let fours = [0, 4, 8, 12].map(|at| &sha256[at..at + 4]);
    assert_eq!(shown, [&["sensor-0001"], &fours[..], &["&lt;W&amp;47&gt;"]].concat());
}

#[test]
fn a_printer_gets_the_code_and_no_command_from_a_name() {
    let station = line("W^XZ~JR_5E\u{e4}", &["sensor_0001"]);
    let more = ["--format", "zpl", "--claim-url", "https://acme.com/~c_1/{device}?f={sha256}"];
    let ran = station.run(&[&["label", "--device", "sensor_0001"], &more[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let commands = commands(&ran.stdout);
    let names: Vec<&str> = commands.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("XA", "XZ"), "{}", ran.stdout);
    assert_eq!(names.iter().filter(|name| **name == "XZ").count(), 1);
    let expected = ["XA", "CI", "PW", "LL", "LH", "FO", "BQ", "FH", "FD", "FS"];
    assert_eq!(names[..10], expected);
    // ^BQ: orientation, model 2, magnification from 1 to 10.
    let code: Vec<&str> = commands[6].1.split(',').collect();
    let magnification: u32 = code[2].parse().unwrap();
    assert!(code[..2] == ["N", "2"] && (2..=10).contains(&magnification), "{code:?}");
    // ^FD of a QR code: error correction, input mode, comma, data.
    let sha256 = entry(&station, "sensor_0001")["leaf_sha256"].as_str().unwrap().to_owned();
    let claim = format!("MA,https://acme.com/~c_1/sensor_0001?f={sha256}");
    assert_eq!(commands[8].1, claim);
    let texts: Vec<&str> = commands
        .iter()
        .skip(9)
        .filter(|(name, _)| name == "FD")
        .map(|(_, data)| data.as_str())
        .collect();
    let fours = [0, 4, 8, 12].map(|at| &sha256[at..at + 4]).join(" ");
    assert_eq!(texts, ["sensor_0001", &fours, "W^XZ~JR_5E\u{e4}"]);
}

/// Commands and what they are given, as a printer takes them apart: everything from ^ or ~ and two
/// letters to the next; in data behind ^FH, _ and two digits are a byte.
fn commands(zpl: &str) -> Vec<(String, String)> {
    assert!(!zpl.contains('~'), "an immediate command in {zpl}");
    let mut is_hex = false;
    let mut commands = Vec::new();
    for command in zpl.split('^').skip(1) {
        let command = command.trim_end_matches('\n');
        let (name, given) = command.split_at(2);
        let mut bytes = Vec::new();
        let mut rest = given.bytes();
        while let Some(byte) = rest.next() {
            if is_hex && name == "FD" && byte == b'_' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap());
            } else {
                bytes.push(byte);
            }
        }
        is_hex = name == "FH" || is_hex && name != "FS";
        commands.push((name.to_owned(), String::from_utf8(bytes).unwrap()));
    }
    commands
}

#[test]
fn a_lot_has_a_file_for_each_device_that_is_enrolled() {
    let station = line("W47", &["b-2", "b:2", "sensor-0003"]);
    let revoke = ["revoke", "--device", "sensor-0003", "--reason", "keyCompromise"];
    assert_eq!(station.run(&revoke).code, 0);
    let ran =
        station.run(&["--json", "label", "--lot", "W47", "--format", "png", "--out", "labels"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = events(&ran).pop().unwrap();
    assert_eq!((&told["labels"], &told["left_out"]), (&2.into(), &1.into()));
    let dir = station.path().join("labels");
    let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    // Not every system takes a colon in a name; two devices have two files all the same.
    assert_eq!(names, ["b%3A2.png", "b-2.png"]);
    for (file, claim) in [("b-2.png", "provision:b-2?"), ("b%3A2.png", "provision:b%3A2?")] {
        let said = Picture::of_png(&dir.join(file)).claim();
        assert!(said.starts_with(claim), "{said}");
    }
    let again = station.run(&["label", "--lot", "W47", "--format", "png", "--out", "labels"]);
    assert_eq!(again.code, 1, "{again:?}");
}

#[test]
fn who_has_not_proven_anything_gets_no_label() {
    let station = line("W47", &["sensor-0001"]);
    // It is cut off once its certificate is on record.
    let mut half = crate::station::impostor("sensor-0002", Trick::None);
    let mut asked = 0;
    let port = provision_testkit::pty::PtyPort::serve(move |bytes| {
        asked += bytes.len();
        if asked > 600 { Vec::new() } else { half.receive(bytes) }
    })
    .unwrap();
    assert_eq!(station.enroll(&port, &["--lot", "W47"]).code, 10);
    assert_eq!(entry(&station, "sensor-0002")["state"], "issued");
    assert_eq!(
        station.run(&["revoke", "--device", "sensor-0001", "--reason", "superseded"]).code,
        0
    );
    for (device, why) in [
        ("sensor-0001", "its certificate was revoked"),
        ("sensor-0002", "it has not proven that it stores its certificate"),
        ("sensor-0003", "it is not in the ledger"),
    ] {
        let ran = station.run(&["label", "--device", device, "--format", "svg"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (15, ""), "{ran:?}");
        assert!(ran.stderr.contains(why) && ran.stderr.contains("\nhint: "), "{ran:?}");
    }
    let none = station.run(&["label", "--lot", "W47", "--format", "png", "--out", "labels"]);
    assert_eq!(none.code, 15, "{none:?}");
    assert!(!station.path().join("labels").exists());
}

#[test]
fn what_makes_no_label_is_refused() {
    let station = line("W47", &["sensor-0001"]);
    let long = format!("https://acme.com/{}/{{device}}", "x".repeat(900));
    for (more, cause) in [
        (&["--claim-url", "https://acme.com/"][..], "the same for all devices"),
        (&["--claim-url", "https://acme.com/{name}"], "the places are"),
        (&["--claim-url", &long], "too fine for a label of 50 by 25 mm"),
        (&["--size", "5x5"], "WIDTHxHEIGHT in millimetres"),
        (&["--size", "10x10"], "too fine for a label"),
        (&["--dpi", "72"], "72"),
    ] {
        let arguments = ["label", "--device", "sensor-0001", "--format", "png", "--out", "a.png"];
        let ran = station.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(cause), "{cause} in {ran:?}");
    }
    for more in [&["--format", "png"][..], &["--format", "png", "--device", "a", "--lot", "b"]] {
        assert_eq!(station.run(&[&["label"], more].concat()).code, 2);
    }
    let lot = station.run(&["label", "--lot", "W47", "--format", "zpl"]);
    assert_eq!((lot.code, lot.stderr.contains("`--out DIR`")), (2, true), "{lot:?}");
}

/// A run's labels are those that the command makes, whatever it is that a device passes by.
#[test]
fn a_device_that_passes_has_its_label() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let (bad, _other) = device("sensor-0002", Trick::BrokenSelfSignature);
    let ports = [&bad, &port].map(|port| port.path().to_str().unwrap());
    let line = ["--endpoint", "10.0.2.100:8883", "--lot", "W47", "--labels", "labels"];
    let zpl = ["--label-format", "zpl", "--label-size", "60x30", "--label-dpi", "300"];
    let claim = ["--label-claim-url", "https://acme.com/{device}?f={sha256}"];
    let both = station.run(&[&["--port"], &ports[..], &line, &zpl, &claim].concat());
    assert_eq!(both.code, 12, "{both:?}");
    let dir = station.path().join("labels");
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["sensor-0001.zpl"], "and none of the device that failed");
    // Again, by a station, and in the form that is made if nothing is said; the lot is the device's.
    let serve = ["station", "--stop-after", "1", "--ports", ports[1], "--labels", "labels"];
    let serve = [&serve[..], &line[..2]].concat();
    assert_eq!(station.run(&serve).code, 0);
    let same = station.run(&serve);
    assert_eq!(same.code, 0, "the same label once more is none: {same:?}");
    assert_eq!(names(), ["sensor-0001.png", "sensor-0001.zpl"]);

    label(&station, "sensor-0001", &["--format", "png", "--out", "by-hand.png"]);
    let more = ["--size", "60x30", "--dpi", "300", "--claim-url", claim[1], "--out", "by-hand.zpl"];
    label(&station, "sensor-0001", &[&["--format", "zpl"], &more[..]].concat());
    for form in ["png", "zpl"] {
        let read = |name: String| fs::read(station.path().join(name)).unwrap();
        assert_eq!(read(format!("labels/sensor-0001.{form}")), read(format!("by-hand.{form}")));
    }
}

/// It has its identity all the same; the program says what is missing, and ends with that.
#[test]
fn a_label_that_cannot_be_written_is_told_of_and_the_device_is_enrolled() {
    let station = Station::new();
    let dir = station.path().join("labels");
    let labels = ["--json", "--labels", "labels"];
    // Another label is there: of an earlier certificate, perhaps, and perhaps on a device.
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("sensor-0001.png"), "another").unwrap();
    let (port, first) = device("sensor-0001", Trick::None);
    let differs = station.enroll(&port, &labels);
    assert_eq!(fs::read(dir.join("sensor-0001.png")).unwrap(), b"another");
    // The directory is taken away while the device is at it.
    let away = dir.clone();
    let accident = move || fs::remove_dir_all(away).unwrap();
    let (port, second) = with_an_accident("sensor-0002", Stage::Keyed, accident);
    let gone = station.enroll(&port, &labels);
    for (ran, device, said) in [
        (differs, &first, "is there already, with other contents"),
        (gone, &second, "cannot write labels/sensor-0002.png"),
    ] {
        assert_eq!(ran.code, 1, "{ran:?}");
        let events = events(&ran);
        events.iter().for_each(assert_documented);
        assert_eq!(events.iter().filter(|event| event["event"] == "result").count(), 1);
        let told = events.iter().find(|event| event["event"] == "warning").unwrap();
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("has passed, and has no label in labels"), "{message}");
        assert!(message.contains(said), "{message}");
        assert!(told["hint"].as_str().unwrap().contains("provision label --device"), "{told}");
        assert_eq!(events.last().unwrap()["error"], "labels");
        assert_eq!(device.lock().unwrap().stage(), Some(Stage::Sealed));
    }

    // What can be known before is said before.
    let (port, third) = device("sensor-0003", Trick::None);
    fs::write(station.path().join("file"), "").unwrap();
    for (more, code, said) in [
        (&["--labels", "file/labels"][..], 1, "cannot write labels into file/labels"),
        (&["--labels", "labels", "--label-size", "10x10"], 2, "too fine for a label"),
        (&["--label-format", "zpl"], 2, "--labels <DIR>"),
    ] {
        let refused = station.enroll(&port, more);
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert_eq!(third.lock().unwrap().stage(), Some(Stage::Blank));
}
