//! What goes back to a browser, with the headers that shut it in.
//!
//! Invariant: no answer may be framed, sniffed, cached, or run a script; each says so.

use askama::Template;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use pipeline::Answer;

use crate::PATH;

const STYLE: &[u8] = include_bytes!("../templates/style.css");

/// Nothing but our own style and forms that come back to us.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The cookie of the session, and of the region that the user has chosen.
pub(crate) const SESSION: &str = "ringwork-console";
pub(crate) const REGION: &str = "ringwork-region";

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let strict = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            header::HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    let headers = strict
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)));
    Answer {
        status: status.as_u16(),
        headers: headers.collect(),
        body: body.into(),
    }
}

/// A page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Answer {
    match template.render() {
        Ok(text) => answer(status, "text/html; charset=utf-8", Bytes::from(text)),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A status in a few words.
pub(crate) fn plain(status: StatusCode) -> Answer {
    let reason = status.canonical_reason().unwrap_or("Error");
    answer(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(reason.as_bytes()),
    )
}

pub(crate) fn style() -> Answer {
    answer(
        StatusCode::OK,
        "text/css; charset=utf-8",
        Bytes::from_static(STYLE),
    )
}

/// On to another room, by a `GET` of its own.
pub(crate) fn redirect(room: &str) -> Answer {
    let mut answer = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    if let Ok(location) = HeaderValue::from_str(&format!("{PATH}/{room}")) {
        answer.headers.insert(header::LOCATION, location);
    }
    answer
}

/// JSON, for programs.
pub(crate) fn json(value: &serde_json::Value) -> Answer {
    answer(StatusCode::OK, "application/json", Bytes::from(value.to_string()))
}

/// A refusal in words, for programs and people who follow a link of theirs.
pub(crate) fn refusal(status: StatusCode, words: &'static str) -> Answer {
    answer(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(words.as_bytes()),
    )
}

/// Has the browser keep a cookie; an empty value has it forget one. Scripts can't read it, other sites can't send it.
pub(crate) fn with_cookie(mut answer: Answer, name: &str, value: &str, secure: bool) -> Answer {
    let age = if value.is_empty() { "; Max-Age=0" } else { "" };
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={PATH}; HttpOnly; SameSite=Strict{age}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        answer.headers.append(header::SET_COOKIE, cookie);
    }
    answer
}

/// The value of a cookie that a request carries.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut values = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| value.to_owned());
    values.next()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode, header};

    use super::{SESSION, cookie, plain, redirect, with_cookie};

    #[test]
    fn every_answer_is_shut_in() {
        for answer in [plain(StatusCode::NOT_FOUND), redirect("signin"), super::style()] {
            let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
            assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
        let set = |secure| {
            let answer = with_cookie(redirect(""), SESSION, "abc", secure);
            answer.headers[header::SET_COOKIE].to_str().unwrap().to_owned()
        };
        let plain = "ringwork-console=abc; Path=/_ringwork/console; HttpOnly; SameSite=Strict";
        assert_eq!(set(false), plain);
        assert_eq!(set(true), format!("{plain}; Secure"));
        let gone = with_cookie(redirect(""), SESSION, "", true);
        let gone = gone.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(gone.starts_with("ringwork-console=;") && gone.contains("Max-Age=0"));
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        let line = "xringwork-console=1; ringwork-console=; a=b; ringwork-console=2";
        headers.insert(header::COOKIE, HeaderValue::from_static(line));
        assert_eq!(cookie(&headers, SESSION).as_deref(), Some("2"));
        assert_eq!(cookie(&headers, "ringwork"), None);
    }
}
