//! As much HTTP/1.1 as one question takes (RFC 9112): for the firmware here, and for one that waits in another way.

use core::fmt;

use embedded_io::{Read, Write};

/// `HTTP/1.1 200 `: where a status line has its code.
const CODE_AT: core::ops::Range<usize> = 9..12;
/// Length of what [`parse_status`] reads: version, code and the space behind it, in bytes.
pub const STATUS_LEN: usize = 13;

/// Why there is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpError<E> {
    /// The stream failed.
    Stream(E),
    /// The server closed after so many bytes, and a status line is longer.
    Ended {
        /// Bytes that came.
        len: usize,
    },
    /// What came does not begin with a status line.
    NotHttp,
}

impl<E: fmt::Display> fmt::Display for HttpError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream(error) => error.fmt(f),
            Self::Ended { len } => write!(f, "the server closed after {len} bytes of its answer"),
            Self::NotHttp => f.write_str("the answer is not HTTP/1"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for HttpError<E> {}

/// The pieces of a request for `/`.
///
/// `device_serial` and `host` are of letters, digits and `. _ : -` by then, so they cannot end their header.
#[must_use]
pub const fn request_root<'a>(host: &'a str, device_serial: &'a str) -> [&'a str; 5] {
    [
        "GET / HTTP/1.1\r\nHost: ",
        host,
        "\r\nX-Device-Id: ",
        device_serial,
        "\r\nConnection: close\r\n\r\n",
    ]
}

/// Asks for `/` and returns the status code of the answer.
pub(crate) fn get_root<S: Read + Write>(
    stream: &mut S,
    host: &str,
    device_serial: &str,
) -> Result<u16, HttpError<S::Error>> {
    for piece in request_root(host, device_serial) {
        stream.write_all(piece.as_bytes()).map_err(HttpError::Stream)?;
    }
    stream.flush().map_err(HttpError::Stream)?;

    let mut status_line = [0; STATUS_LEN];
    let mut len = 0;
    while let Some(rest @ [_, ..]) = status_line.get_mut(len..) {
        match stream.read(rest).map_err(HttpError::Stream)? {
            0 => return Err(HttpError::Ended { len }),
            more => len += more,
        }
    }
    parse_status(&status_line).ok_or(HttpError::NotHttp)
}

/// The status code, if this is how an answer begins.
///
/// ```text
/// status-line = HTTP-version SP status-code SP [ reason-phrase ]      -- RFC 9112 section 4
/// ```
#[must_use]
pub fn parse_status(line: &[u8; STATUS_LEN]) -> Option<u16> {
    if !line.starts_with(b"HTTP/1.") || line[8] != b' ' || line[12] != b' ' {
        return None;
    }
    line.get(CODE_AT)?
        .iter()
        .try_fold(0, |code, byte| byte.is_ascii_digit().then(|| code * 10 + u16::from(byte - b'0')))
}
