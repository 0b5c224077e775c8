//! Refusals as web pages: what a website's visitor is told, who has a browser and no client of AWS.
//!
//! Invariant: what a visitor sent is shown as text and never as markup.
//!
//! Source: S3 User Guide, "Configuring a custom error document".

use std::fmt::Write as _;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};

use super::fault_answer::shown_message;
use super::{Encoded, host_id, name_request, spell};
use crate::model::{Protocol, Service};
use crate::{Document, Fault};

/// Writes the page of a fault. `beside` is why the website's own page for it cannot be shown.
pub fn encode_page(
    service: Option<&Service>,
    fault: &Fault,
    beside: Option<&Fault>,
    request_id: &str,
) -> Encoded {
    let (code, status, message) = told(service, fault, request_id);
    let mut headers = HeaderMap::new();
    name_request(true, &mut headers, request_id);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let mut add = |name: &str, value: &str| {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
    };
    add("x-amz-error-code", &code);
    add("x-amz-error-message", &message);
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    let title = format!("{status} {reason}");
    let mut page = format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n");
    item(&mut page, "Code", &code);
    item(&mut page, "Message", &message);
    for (name, value) in &fault.members {
        let Document::String(value) = value else { continue };
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            item(&mut page, name, value);
            add(&format!("x-amz-error-detail-{name}"), value);
        } else {
            add(name, value);
        }
    }
    item(&mut page, "RequestId", request_id);
    item(&mut page, "HostId", &host_id(request_id));
    page.push_str("</ul>\n");
    if let Some(beside) = beside {
        let (code, _, message) = told(service, beside, request_id);
        page.push_str(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n",
        );
        item(&mut page, "Code", &code);
        item(&mut page, "Message", &message);
        page.push_str("</ul>\n");
    }
    page.push_str("<hr/>\n</body>\n</html>\n");
    Encoded {
        status,
        headers,
        body: page.into_bytes(),
    }
}

/// An answer without content that sends its reader elsewhere.
pub fn encode_redirect(status: u16, location: &str, request_id: &str) -> Encoded {
    let mut headers = HeaderMap::new();
    name_request(true, &mut headers, request_id);
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(http::header::LOCATION, location);
    }
    Encoded {
        status,
        headers,
        body: Vec::new(),
    }
}

fn told(service: Option<&Service>, fault: &Fault, request_id: &str) -> (String, u16, String) {
    let spelling = spell(service, Protocol::RestXml, fault);
    (
        spelling.code.into_owned(),
        spelling.status,
        shown_message(fault, request_id),
    )
}

fn item(page: &mut String, name: &str, value: &str) {
    let _ = writeln!(page, "<li>{name}: {}</li>", escaped(value));
}

/// Text that a browser takes for text.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_visitor_sent_is_text() {
        let fault = Fault::plain("NoSuchKey", 404, "The specified key does not exist.")
            .with("Key", Document::String("<script>alert('x')</script>".to_owned()));
        let page = encode_page(None, &fault, Some(&Fault::plain("Other", 403, "a & b")), "r");
        let text = String::from_utf8(page.body).unwrap();
        assert_eq!(page.status, 404);
        assert!(!text.contains("<script>"), "{text}");
        assert!(
            text.contains("<li>Key: &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</li>"),
            "{text}"
        );
        assert!(text.contains("<li>Message: a &amp; b</li>"), "{text}");
        assert_eq!(page.headers["x-amz-error-code"], "NoSuchKey");
    }
}
