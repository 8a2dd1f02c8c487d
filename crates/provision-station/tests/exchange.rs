//! One question and its answer, as a conversation.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_station::exchange::{Exchange, Pace, Patience, Tick};
use provision_wire::{Answer, Ask, Deframer, Event, Header, Kind, encode_frame};

const PATIENCE: Patience = Patience { reply_within_ms: 100, attempts: 3 };
const SESSION: u32 = 0x5e55_1011;

/// A station that has just asked for the key, at time 0; and the header of its ask.
fn asked() -> (Exchange, Header) {
    let mut exchange = Exchange::new(SESSION);
    let sent = exchange.ask(&Ask::Key, PATIENCE, 0);
    let header = header_of(&sent);
    assert_eq!(header.session, SESSION);
    (exchange, header)
}

fn header_of(bytes: &[u8]) -> Header {
    let mut deframer = Deframer::<256>::new();
    for &byte in bytes {
        if let Event::Frame(frame) = deframer.push(byte) {
            return frame.header;
        }
    }
    panic!("no frame in {bytes:02x?}");
}

fn answer(ask: Header, answer: &Answer<'_>) -> Vec<u8> {
    let mut out = vec![0; 256];
    let len = encode_frame(Header { kind: Kind::Answer, ..ask }, answer, &mut out).unwrap();
    out.truncate(len);
    out
}

fn receive(exchange: &mut Exchange, bytes: &[u8]) -> Option<Vec<u8>> {
    bytes.iter().filter_map(|byte| exchange.receive(*byte)).next()
}

/// Lets time pass until the station gives up; returns what it says.
fn give_up(exchange: &mut Exchange) -> String {
    for now_ms in (0..1_000).step_by(50) {
        if let Some(Tick::GaveUp(no_answer)) = exchange.tick(now_ms) {
            return no_answer.to_string();
        }
    }
    panic!("it never gives up");
}

#[test]
fn an_answer_ends_the_wait() {
    let (mut exchange, ask) = asked();
    assert_eq!(exchange.tick(99), Some(Tick::Wait { until_ms: 100 }));
    let payload = receive(&mut exchange, &answer(ask, &Answer::Sealed)).unwrap();
    assert_eq!(Answer::decode(&payload), Ok(Answer::Sealed));
    assert_eq!(exchange.tick(10_000), None);
}

#[test]
fn silence_is_answered_by_the_same_question_and_then_by_giving_up() {
    let (mut exchange, ask) = asked();
    for now_ms in [100, 200] {
        let Some(Tick::Resend(again)) = exchange.tick(now_ms) else { panic!("at {now_ms}") };
        assert_eq!(header_of(&again), ask, "a repeat keeps its number");
    }
    let Some(Tick::GaveUp(no_answer)) = exchange.tick(300) else { panic!() };
    assert_eq!((no_answer.ask, no_answer.attempts, no_answer.waited_ms), ("key", 3, 300));
    assert_eq!(no_answer.to_string(), "no answer to `key` in 0.3 s (3 times asked)");
    assert_eq!(exchange.tick(400), None);
    assert_eq!(exchange.turns(), 3);
}

#[test]
fn an_answer_to_the_first_of_two_repeats_is_as_good() {
    let (mut exchange, ask) = asked();
    let _ = exchange.tick(100);
    assert!(receive(&mut exchange, &answer(ask, &Answer::Sealed)).is_some());
    // The second comes late, and is nobody's.
    assert!(receive(&mut exchange, &answer(ask, &Answer::Sealed)).is_none());
}

#[test]
fn what_is_no_answer_is_passed_over_and_counted() {
    let (mut exchange, ask) = asked();
    let other_session = Header { session: !SESSION, ..ask };
    let earlier = Header { sequence: ask.sequence.wrapping_sub(1), ..ask };
    for header in [other_session, earlier] {
        assert!(receive(&mut exchange, &answer(header, &Answer::Sealed)).is_none());
    }
    assert!(receive(&mut exchange, b"\0*** boot ***\0").is_none());
    let mut echo = vec![0; 256];
    let len = encode_frame(ask, &Ask::Key, &mut echo).unwrap();
    assert!(receive(&mut exchange, &echo[..len]).is_none());
    // An ask in an answer's clothes: whole, and no answer.
    let len = encode_frame(
        Header { kind: Kind::Answer, ..ask },
        &Ask::Csr { challenge: [0; 32] },
        &mut echo,
    )
    .unwrap();
    assert!(receive(&mut exchange, &echo[..len]).is_none());

    let said = give_up(&mut exchange);
    for part in [
        "1 pieces of noise",
        "2 answers for another session",
        "1 frames that are no answer",
        "1 echoes",
    ] {
        assert!(said.contains(part), "no `{part}` in `{said}`");
    }
}

#[test]
fn a_new_session_does_not_take_the_answers_of_the_old_one() {
    let (mut exchange, ask) = asked();
    exchange.next_session();
    let next = header_of(&exchange.ask(&Ask::Key, PATIENCE, 0));
    assert_ne!(next.session, ask.session);
    let late = Header { sequence: next.sequence, ..ask };
    assert!(receive(&mut exchange, &answer(late, &Answer::Sealed)).is_none());
    assert!(receive(&mut exchange, &answer(next, &Answer::Sealed)).is_some());
}

/// Patience is with the device; the line's time comes on top of it, each time it is asked.
#[test]
fn what_the_line_takes_is_no_silence() {
    let piece = [7; 900];
    let put = Ask::Put { offset: 0, bytes: &piece };
    for (baud, longest_ms) in [(0, 0), (115_200, 110), (2_400, 5_000), (1_200, 10_000)] {
        let pace = Pace::of_baud(baud);
        let mut exchange = Exchange::new(SESSION).at(pace);
        let sent = exchange.ask(&put, PATIENCE, 0);
        let on_line_ms = pace.ms_for(sent.len());
        let Some(Tick::Wait { until_ms }) = exchange.tick(0) else { panic!("it does not wait") };
        assert!(until_ms >= 100 + on_line_ms, "{baud}: {until_ms} of {on_line_ms} ms");
        assert!(until_ms <= 100 + longest_ms, "{baud}: {until_ms}");
        assert_eq!(exchange.tick(until_ms - 1), Some(Tick::Wait { until_ms }));
        assert_eq!(exchange.tick(until_ms), Some(Tick::Resend(sent)));
        let again = Some(Tick::Wait { until_ms: 2 * until_ms });
        assert_eq!(exchange.tick(until_ms), again, "as long once more");
    }
    // The pieces of a CSR come in answers that are long themselves.
    let mut exchange = Exchange::new(SESSION).at(Pace::of_baud(1_200));
    exchange.ask(&Ask::Read { offset: 0 }, PATIENCE, 0);
    assert!(matches!(exchange.tick(0), Some(Tick::Wait { until_ms: 8_600.. })));
}

#[test]
fn a_wait_for_the_first_answer_is_as_long_on_any_line() {
    for (baud, attempts) in [(0, 20), (115_200, 19), (9_600, 13), (1_200, 4)] {
        let pace = Pace::of_baud(baud);
        let hello = Patience::with_hello(10_000, 500, pace);
        assert_eq!((hello.reply_within_ms, hello.attempts), (500, attempts), "{baud}");
    }
    assert_eq!(Patience::with_hello(1, 500, Pace::of_baud(1)).attempts, 1);
}
