//! What the server's application says: only that shows whether the server took us.
//!
//! In TLS 1.3 a client has finished before the server has looked at its certificate (RFC 8446
//! section 4.4.2.4), and nginx finishes the handshake with anybody and answers 400 then.

use core::time::Duration;

use der::DateTime;

use super::handshake::{Broken, Session};

/// Which protocol is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speak {
    /// `GET` of HTTP/1.1 (RFC 9112).
    Http,
    /// `CONNECT` of MQTT 3.1.1 (OASIS standard, section 3.1).
    Mqtt,
    /// Nothing: listen for what TLS says.
    Tls,
}

/// What the question is made of.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// `Host` of HTTP.
    pub host: String,
    /// What is asked for in HTTP.
    pub path: String,
    /// The client identifier of MQTT.
    pub client_id: String,
}

/// What the server's application said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A status line of HTTP, and some of what follows.
    Http(HttpAnswer),
    /// The return code of CONNACK (MQTT 3.1.1 section 3.2.2.3).
    Mqtt(u8),
    /// So many bytes of something else.
    Other(usize),
    /// Nothing, but by TLS it took us.
    Tls,
}

/// An answer in HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub status: u16,
    pub reason: String,
    /// The server's clock, in seconds since 1970-01-01 UTC.
    pub date_s: Option<u64>,
    /// Head and body as they came, or the beginning of them.
    pub text: String,
}

/// Asks, and reads the answer.
pub(crate) fn ask(
    session: &mut Session,
    speak: Speak,
    question: &Question,
) -> Result<Answer, Broken> {
    // A server that refuses us says so now and closes. Data that it has not read by then turns its
    // alert into a reset on some systems, so it is given a moment.
    if !session.took_us() && session.socket.readable_within(MOMENT) {
        session.process()?;
    }
    match speak {
        Speak::Http => http(session, question),
        Speak::Mqtt => mqtt(session, question),
        Speak::Tls => listen(session),
    }
}

fn http(session: &mut Session, question: &Question) -> Result<Answer, Broken> {
    let Question { host, path, .. } = question;
    session.send(
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: provision-doctor\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let mut data = Vec::new();
    let mut end = Ok(());
    while data.len() < ANSWER_LEN_MAX && !is_whole(&data) {
        match session.receive(&mut data) {
            Ok(true) => {}
            Ok(false) => break,
            Err(broken) => {
                end = Err(broken);
                break;
            }
        }
    }
    match (HttpAnswer::parse(&data), end) {
        // However it ended after that.
        (Some(answer), _) => Ok(Answer::Http(answer)),
        (None, Err(broken @ Broken::Alert(_))) => Err(broken),
        (None, _) if !data.is_empty() => Ok(Answer::Other(data.len())),
        (None, Err(broken)) => Err(broken),
        (None, Ok(())) => Err(Broken::Closed),
    }
}

/// Whether an answer in HTTP has come as a whole. One that does not say how long it is ends when
/// the server closes.
fn is_whole(data: &[u8]) -> bool {
    if data.len() >= 5 && !data.starts_with(b"HTTP/") {
        return true;
    }
    let text = String::from_utf8_lossy(data);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = header(head, "content-length").and_then(|value| value.parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

impl HttpAnswer {
    fn parse(data: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(data).into_owned();
        let line = text.lines().next()?.strip_prefix("HTTP/")?;
        let mut words = line.splitn(3, ' ').skip(1);
        let status = words.next()?.parse().ok()?;
        let reason = words.next().unwrap_or_default().trim().chars().take(80);
        let reason = reason.filter(|c| !c.is_control()).collect();
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let date_s = header(head, "date").and_then(date_s);
        Some(Self { status, reason, date_s, text })
    }
}

/// A date as HTTP writes it (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date_s(text: &str) -> Option<u64> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let day = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let year = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<u8>);
    let mut next = || clock.next()?.ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    let moment = DateTime::new(year, u8::try_from(month).ok()?, day, hour, minute, second).ok()?;
    Some(moment.unix_duration().as_secs())
}

fn mqtt(session: &mut Session, question: &Question) -> Result<Answer, Broken> {
    session.send(&mqtt_connect(&question.client_id))?;
    let mut data = Vec::new();
    while data.len() < CONNACK_LEN {
        if !session.receive(&mut data)? {
            break;
        }
    }
    match connack(&data) {
        Some(code) => {
            if code == 0 {
                // DISCONNECT: the broker need not guess (section 3.14).
                let _ = session.send(&[0xe0, 0]);
            }
            Ok(Answer::Mqtt(code))
        }
        None if data.is_empty() => Err(Broken::Closed),
        None => {
            // Web servers have something to say to this as well.
            while data.len() < ANSWER_LEN_MAX && matches!(session.receive(&mut data), Ok(true)) {}
            let answer = HttpAnswer::parse(&data);
            Ok(answer.map_or(Answer::Other(data.len()), Answer::Http))
        }
    }
}

/// CONNECT with a clean session and without user name, password or will.
pub(crate) fn mqtt_connect(client_id: &str) -> Vec<u8> {
    let id = &client_id.as_bytes()[..client_id.len().min(CLIENT_ID_LEN_MAX)];
    let id_len = id.len() as u8;
    let mut packet = vec![0x10, 12 + id_len];
    packet.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x1e\x00");
    packet.push(id_len);
    packet.extend_from_slice(id);
    packet
}

/// The return code, if this is a CONNACK; of MQTT 5 too, which is longer.
pub(crate) fn connack(data: &[u8]) -> Option<u8> {
    match data {
        &[0x20, length, flags, code, ..] if length >= 2 && flags <= 1 => Some(code),
        _ => None,
    }
}

/// Waits for what TLS alone can say.
fn listen(session: &mut Session) -> Result<Answer, Broken> {
    loop {
        if session.took_us() {
            return Ok(Answer::Tls);
        }
        session.process()?;
        let mut data = [0; 16];
        let mut reader = session.connection.reader();
        match std::io::Read::read(&mut reader, &mut data) {
            Ok(0) => return Err(Broken::Closed),
            Ok(count) => return Ok(Answer::Other(count)),
            Err(_) => {}
        }
    }
}

const MOMENT: Duration = Duration::from_millis(300);
const ANSWER_LEN_MAX: usize = 64 * 1024;
const CONNACK_LEN: usize = 4;
/// So that the packet's length fits into one byte (section 2.2.3).
const CLIENT_ID_LEN_MAX: usize = 100;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_answers() {
        let text = b"HTTP/1.1 403 Not You\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nno";
        let answer = HttpAnswer::parse(text).unwrap();
        assert_eq!((answer.status, &*answer.reason), (403, "Not You"));
        assert_eq!(answer.date_s, Some(784_111_777));
        assert_eq!(HttpAnswer::parse(b"HTTP/1.0 200\r\n\r\n").map(|a| a.status), Some(200));
        for other in [&b""[..], b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n", b"HTTP/1.1 abc\r\n"] {
            assert_eq!(HttpAnswer::parse(other), None, "{other:?}");
        }
        for wrong in ["", "Sun, 06 Nov 1994", "Sun, 36 Nov 1994 08:49:37 GMT", "now"] {
            assert_eq!(date_s(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_read_as_far_as_it_says() {
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n\r\nhello"), "until the end");
        assert!(is_whole(b"reversed"), "is no HTTP at all");
    }

    #[test]
    fn mqtt_packets() {
        assert_eq!(mqtt_connect("ab"), b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x1e\x00\x02ab");
        assert_eq!(connack(&[0x20, 2, 0, 5]), Some(5));
        assert_eq!(connack(&[0x20, 3, 0, 0x87, 0]), Some(0x87));
        for other in [&b"HTTP"[..], &[0x20, 2, 0], &[0x20, 2, 9, 0]] {
            assert_eq!(connack(other), None, "{other:?}");
        }
    }
}
