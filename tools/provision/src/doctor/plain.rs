//! What it is that speaks on a port, if it is not TLS.

use core::time::Duration;
use std::io::{Read as _, Write as _};

use super::answer::{connack, mqtt_connect};
use super::cause::{Cause, Diagnosis};
use super::socket::Socket;

/// By the first bytes that came. `None` if they may be TLS.
pub(crate) fn of_banner(head: &[u8]) -> Option<Diagnosis> {
    if head.is_empty() || matches!(head, [20..=24, 3, ..] | [20..=24]) {
        return None;
    }
    let line: String = String::from_utf8_lossy(head)
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(60)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let starts =
        |with: &[u8]| head.len() >= with.len() && head[..with.len()].eq_ignore_ascii_case(with);
    let what = if starts(b"HTTP/") || starts(b"<!DOCTYPE") || starts(b"<html") {
        return Some(Diagnosis::new(
            Cause::PlainHttp,
            format!("it answered our ClientHello in HTTP without TLS: {line}"),
        ));
    } else if connack(head).is_some() {
        return Some(Diagnosis::new(Cause::PlainMqtt, "it speaks MQTT without TLS"));
    } else if starts(b"SSH-") {
        "an SSH server"
    } else if starts(b"220") {
        "a mail or FTP server, which begins TLS later if at all (STARTTLS)"
    } else if starts(b"* OK") || starts(b"+OK") {
        "a mail server, which begins TLS later if at all (STARTTLS)"
    } else if starts(b"-ERR") || starts(b"-DENIED") {
        "Redis or something like it"
    } else if head.get(4) == Some(&10) && head.get(3) == Some(&0) {
        "MySQL or MariaDB, which begins TLS later if at all"
    } else {
        "not TLS"
    };
    Some(Diagnosis::new(Cause::NotTls, format!("what speaks there is {what}: {line}")))
}

/// By questions in the clear, of a server that did not answer a ClientHello. Each has a connection
/// of its own, and nothing secret in it.
pub(crate) fn of_questions(
    mut connect: impl FnMut(Duration) -> Option<Socket>,
    patience: Duration,
) -> Option<Diagnosis> {
    let http = b"GET / HTTP/1.0\r\n\r\n".to_vec();
    for question in [mqtt_connect("doctor"), http] {
        let Some(mut socket) = connect(patience) else { continue };
        let mut answer = [0; 64];
        if socket.write_all(&question).is_err() {
            continue;
        }
        let Ok(count) = socket.read(&mut answer) else { continue };
        let answer = &answer[..count];
        if connack(answer).is_some() {
            let message = "it does not answer a ClientHello, and speaks MQTT without TLS";
            return Some(Diagnosis::new(Cause::PlainMqtt, message));
        }
        if answer.starts_with(b"HTTP/") {
            let message = "it does not answer a ClientHello, and speaks HTTP without TLS";
            return Some(Diagnosis::new(Cause::PlainHttp, message));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banners() {
        let cause = |head: &[u8]| of_banner(head).map(|diagnosis| diagnosis.cause);
        for (head, expected) in [
            (&b""[..], None),
            (b"\x15\x03\x03\x00\x02\x02\x28", None),
            (b"\x16", None),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Cause::PlainHttp)),
            (b"<!doctype html>", Some(Cause::PlainHttp)),
            (b"\x20\x02\x00\x01", Some(Cause::PlainMqtt)),
            (b"SSH-2.0-OpenSSH_9\r\n", Some(Cause::NotTls)),
            (b"\x00\x01\x02\x03", Some(Cause::NotTls)),
        ] {
            assert_eq!(cause(head), expected, "{head:?}");
        }
        let said = of_banner(b"220 mail\x1b[2J ESMTP\r\n").unwrap().message;
        assert!(said.contains("STARTTLS") && !said.contains('\x1b'), "{said}");
    }
}
