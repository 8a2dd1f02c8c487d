//! OCSP over HTTP (RFC 6960 appendix A): a request by POST, or in the path of a GET.

use core::time::Duration;
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use provision_issuer::OCSP_REQUEST_LEN_MAX;
use tokio::time::timeout;

use super::serve::Shared;

/// Whatever is asked, there is an answer.
pub(super) async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Response<Full<Bytes>> {
    let asked = match *request.method() {
        Method::GET => Ok(in_path(request.uri().path(), &shared.path)),
        Method::POST => body(request).await,
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    let answer = match asked {
        Ok(asked) => shared.answer(asked).await.ok_or(StatusCode::INTERNAL_SERVER_ERROR),
        Err(status) => Err(status),
    };
    match answer {
        Ok(der) => {
            let mut response = Response::new(Full::new(Bytes::from(der)));
            let headers = response.headers_mut();
            let kind = HeaderValue::from_static("application/ocsp-response");
            headers.insert(CONTENT_TYPE, kind);
            // What was revoked a minute ago must not be good because a proxy remembers.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(status) => {
            let text = format!("{status}: OCSP by POST, or by GET with the request in the path\n");
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            response
        }
    }
}

/// `GET {path}/{request}`, in Base64 with its `/`, `+` and `=` escaped or not. What is none comes
/// out empty, which is no request either.
fn in_path(path: &str, under: &str) -> Vec<u8> {
    let request = path.strip_prefix(under).unwrap_or_default();
    let base64: Vec<u8> = percent_decode_str(request).collect();
    // nginx puts two slashes where its URL ends with one.
    let start = base64.iter().position(|byte| *byte != b'/').unwrap_or(base64.len());
    BASE64.decode(&base64[start..]).unwrap_or_default()
}

async fn body(request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    let limited = Limited::new(request.into_body(), OCSP_REQUEST_LEN_MAX);
    match timeout(BODY_WITHIN, limited.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// Some clients leave the padding away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const BODY_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_in_a_path() {
        // Base64 of these has +, / and =.
        let request = [0xfb, 0xff, 0xbf, 0x01];
        assert_eq!(BASE64.decode("+/+/AQ==").unwrap(), request);
        for path in ["/%2B%2F%2B%2FAQ%3D%3D", "/+%2f+%2fAQ%3d%3d", "//+/+/AQ==", "/+/+/AQ"] {
            assert_eq!(in_path(path, ""), request, "{path}");
            assert_eq!(in_path(&format!("/ocsp{path}"), "/ocsp"), request, "{path}");
        }
        for path in ["", "/", "/%zz", "/ocsp/AQ==", "/*", "/%ff%00"] {
            assert_eq!(in_path(path, ""), [0_u8; 0], "{path}");
        }
        assert_eq!(in_path("/AQ==", "/ocsp"), [0_u8; 0]);
    }
}
