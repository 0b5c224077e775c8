//! The answers of the metadata service: headers and error pages.
//!
//! Invariant: no page says more than its status.

use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONTENT_TYPE, SERVER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;

fn made(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(SERVER, HeaderValue::from_static("EC2ws"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("none"));
    response
}

pub(super) fn text(body: Bytes) -> Response<Full<Bytes>> {
    made(StatusCode::OK, "text/plain", body)
}

pub(super) fn json(body: Bytes) -> Response<Full<Bytes>> {
    made(StatusCode::OK, "application/json", body)
}

pub(super) fn binary(body: Bytes) -> Response<Full<Bytes>> {
    made(StatusCode::OK, "application/octet-stream", body)
}

/// A token, and for how many seconds.
pub(super) fn token(token: String, seconds: u64) -> Response<Full<Bytes>> {
    let mut response = text(token.into());
    let name = HeaderName::from_static(super::TTL);
    response.headers_mut().insert(name, HeaderValue::from(seconds));
    response
}

/// The page of an error.
pub(super) fn error(status: StatusCode) -> Response<Full<Bytes>> {
    let title = format!(
        "{} - {}",
        status.as_str(),
        status.canonical_reason().unwrap_or_default()
    );
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
         <!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n\
         \t\"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n\
         <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n \
         <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    );
    made(status, "text/html", body.into())
}
