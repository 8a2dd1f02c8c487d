//! `serve_async` may be dropped wherever it waits.

use provision_wire::{Answer, Ask, Kind, VersionRange};

use crate::ports::{Device, Hesitant, Port, answers, frame, poll_at_most};

/// An answer to `Key` has about 90 bytes: it is sent in 18 writes, each after a wait.
const POLLS: usize = 30;

/// At each place where it waits the future is dropped once; then the ask comes again, as the
/// station repeats it, and is answered with the key that was made the first time.
#[test]
fn dropped_anywhere_the_ask_is_answered_when_it_comes_again() {
    let ask = frame(Kind::Ask, 2, &Ask::Key);
    let (end, start) = ask.split_last().unwrap();
    let mut device = greeted();
    let mut port = Hesitant(Port::with(ask.clone()));
    serve_all(&mut device, &mut port);
    let undisturbed = keys(&port.0.output);
    assert_eq!(undisturbed.len(), 1);

    let mut cut_short = 0;
    for polls in 1..POLLS {
        let mut device = greeted();
        let mut port = Hesitant(Port::with(start.to_vec()));
        serve_all(&mut device, &mut port);
        port.0.input.push_back(*end);
        cut_short += usize::from(poll_at_most(polls, device.serve_async(&mut port)).is_none());

        port.0.input.extend(&ask);
        serve_all(&mut device, &mut port);
        assert_eq!(keys(&port.0.output).last(), undisturbed.last(), "dropped at poll {polls}");
    }
    assert!(cut_short > 15, "only {cut_short} were dropped before they were done");
}

fn greeted() -> Device {
    let mut device = Device::new(3);
    let hello = frame(Kind::Ask, 1, &Ask::Hello { versions: VersionRange::OURS });
    serve_all(&mut device, &mut Hesitant(Port::with(hello)));
    device
}

fn serve_all(device: &mut Device, port: &mut Hesitant) {
    while !port.0.input.is_empty() {
        assert!(poll_at_most(1_000, device.serve_async(port)).is_some());
    }
}

fn keys(bytes: &[u8]) -> Vec<[u8; 65]> {
    answers(bytes, |_, answer| match answer {
        Answer::Key { public } => Some(*public),
        _ => None,
    })
}
