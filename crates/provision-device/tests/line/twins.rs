//! Blocking and async, the line says the same to the byte.

use provision_device::{Served, Stage};
use provision_wire::{Answer, Refusal};

use crate::ports::{Device, Hesitant, Port, answers, poll_at_most, script};

const MORE_THAN_ENOUGH: usize = 10_000;

#[test]
fn one_dialogue_through_both_adapters() {
    let mut port = Port::with(script());
    let mut blocking = Device::new(1);
    let mut served = Vec::new();
    while !port.input.is_empty() {
        served.push(blocking.serve(&mut port));
    }

    let mut hesitant = Hesitant(Port::with(script()));
    let mut asynchronous = Device::new(1);
    let mut served_async = Vec::new();
    while !hesitant.0.input.is_empty() {
        let future = asynchronous.serve_async(&mut hesitant);
        served_async.push(poll_at_most(MORE_THAN_ENOUGH, future).unwrap());
    }

    assert_eq!(served_async, served);
    assert_eq!(hesitant.0.output, port.output);
    assert_eq!((port.flushed, hesitant.0.flushed), (port.output.len(), port.output.len()));
    // And it is the dialogue that was meant: two asks are noise, the last is refused.
    let expected = [(1, false), (2, false), (4, false), (5, false), (6, true)];
    let refused = |answer: &Answer<'_>| matches!(answer, Answer::Refused(_));
    assert_eq!(answers(&port.output, |at, answer| Some((at, refused(answer)))), expected);
    assert_eq!(served.iter().filter(|served| **served == Served::Noise).count(), 3);
    let refusal = Some(Refusal::WrongStage { stage: Some(Stage::Keyed) });
    assert_eq!(served.last(), Some(&Served::Answered { refusal }));
}

#[test]
fn the_end_of_the_port_is_no_byte() {
    let mut port = Port::default();
    assert_eq!(Device::new(1).serve(&mut port), Served::Listened);
    let mut hesitant = Hesitant::default();
    let mut device = Device::new(1);
    let served = poll_at_most(MORE_THAN_ENOUGH, device.serve_async(&mut hesitant));
    assert_eq!(served, Some(Served::Listened));
    assert!(port.output.is_empty() && hesitant.0.output.is_empty());
}
