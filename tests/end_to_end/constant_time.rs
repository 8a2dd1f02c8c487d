//! Making a key and signing take the same instructions whatever the secret: counted on the emulated Cortex-M4, exact to
//! 40. `docs/constant-time.md` says what this shows and what it does not.

use provision_testkit::cli::built_firmware_for;
use provision_testkit::qemu::Image;

/// The counter ticks each 40 instructions, so a count is 40 more or less by when it began.
const TOLERANCE: u64 = 80;

#[test]
fn portable() {
    check("mps2-an386-bench", "bench-constant-time");
}

#[test]
fn assembler() {
    check("mps2-an386-asm", "bench-constant-time-asm");
}

fn check(board: &str, image: &str) {
    let image = built_firmware_for(board).unwrap().with_file_name(image);
    let log = Image::new(image).counting_instructions().run().unwrap();
    let spread = |what: &str| {
        let start = format!("constant-time {what} ");
        let line = log.lines().find_map(|line| line.strip_prefix(&start));
        let number = |name: &str| {
            let word = line?.split(' ').find_map(|word| word.strip_prefix(name))?;
            word.trim().parse::<u64>().ok()
        };
        match (number("min="), number("max=")) {
            (Some(min), Some(max)) => max - min,
            _ => panic!("{what} is not in the log:\n{log}"),
        }
    };
    assert!(spread("key") <= TOLERANCE, "{log}");
    assert!(spread("sign") <= TOLERANCE, "{log}");
    // Verification has no secrets and does depend on what it is given: so a difference would be seen.
    assert!(spread("verify") > TOLERANCE, "{log}");
}
