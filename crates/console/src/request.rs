//! What a browser sent: its form and query, its cookies, and whether the page that sent them was ours.
//!
//! Invariant: a request that changes something counts only if the browser says that it comes from a page of this very origin, and, in a
//! session, if the form carries the session's own mark.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};
use pipeline::front::Standing;
use pipeline::signin::{ConsoleSession, Keys, Visitor};
use pipeline::{Gateway, Incoming};
use wire::protocol::told;

use crate::answer::{REGION, SESSION, cookie};

/// More than any form of ours: twenty policies, fifty tags and the longest trust policy.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// The fields of a form or query.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    fn read(text: &str) -> Option<Self> {
        told::pairs(text).ok().map(Self)
    }

    /// The text of a field, without the white space around it; empty if there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The text of a field as it was typed.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    pub(crate) fn all<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let own = self.0.iter().filter(move |(key, _)| key == name);
        own.map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }
}

/// A request, whoever sent it.
pub(crate) struct Guest {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) visitor: Visitor,
    pub(crate) posted: bool,
    pub(crate) query: Form,
    pub(crate) form: Form,
    pub(crate) cookie: Option<String>,
    pub(crate) region: String,
    standing: Standing,
    headers: HeaderMap,
}

impl Guest {
    pub(crate) fn of(gateway: &Arc<Gateway>, incoming: Incoming) -> Result<Self, StatusCode> {
        let body = incoming.body.at_hand();
        if body.len() > FORM_BYTES_MAX {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let posted = incoming.method == Method::POST;
        let body = std::str::from_utf8(body)
            .ok()
            .filter(|_| posted)
            .unwrap_or_default();
        let header = |name| {
            let value = incoming.headers.get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned)
        };
        let region = cookie(&incoming.headers, REGION).filter(|name| is_region(name));
        Ok(Self {
            gateway: Arc::clone(gateway),
            visitor: Visitor {
                peer: incoming.peer,
                user_agent: header(header::USER_AGENT),
                host: header(header::HOST),
                tls: incoming.tls,
            },
            posted,
            query: Form::read(&incoming.query).ok_or(StatusCode::BAD_REQUEST)?,
            form: Form::read(body).ok_or(StatusCode::BAD_REQUEST)?,
            cookie: cookie(&incoming.headers, SESSION),
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            standing: incoming.standing,
            headers: incoming.headers,
        })
    }

    /// Somebody who is signed in is no stranger to the listener either.
    pub(crate) fn prove(&self) {
        self.standing.prove();
    }

    pub(crate) const fn secure(&self) -> bool {
        self.visitor.tls.is_some()
    }

    /// Whether a link of another site's page brought the browser here: it then withholds our cookies from where it is sent on to.
    pub(crate) fn is_from_elsewhere(&self) -> bool {
        let site = self.headers.get("sec-fetch-site");
        site.is_some_and(|site| site != "none" && site != "same-origin")
    }

    /// Whether a page of this origin sent the request, as the browser says.
    pub(crate) fn is_at_home(&self) -> bool {
        let scheme = if self.secure() { "https" } else { "http" };
        let host = self.visitor.host.as_deref();
        host.is_some_and(|host| is_from(&self.headers, &format!("{scheme}://{host}")))
    }

    /// What forms of the session carry, and nobody knows who does not see its pages.
    pub(crate) fn mark(&self) -> String {
        mark_of(self.cookie.as_deref().unwrap_or_default())
    }

    /// Whether the form carries it.
    pub(crate) fn is_ours(&self) -> bool {
        crypto::digest::equal(self.form.get("mark").as_bytes(), self.mark().as_bytes())
    }
}

/// Whether the headers say that a page of `origin` sent the request. A browser that is told to keep its referrer to itself calls the
/// origin `null`; then it says in `Sec-Fetch-Site` where it comes from.
fn is_from(headers: &HeaderMap, origin: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text("sec-fetch-site");
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    match text("origin") {
        Some("null") => site.is_some(),
        said => said == Some(origin),
    }
}

/// Follows from the cookie and does not lead back to it.
fn mark_of(cookie: &str) -> String {
    crypto::digest::hex(&crypto::digest::hmac_sha256(cookie.as_bytes(), b"console form"))
}

/// Whether a name is formed like a region's: it goes into signatures.
pub(crate) fn is_region(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (5..=24).contains(&name.len()) && name.bytes().all(plain)
}

/// A request of somebody who is signed in.
pub(crate) struct Visit {
    pub(crate) guest: Guest,
    pub(crate) session: ConsoleSession,
}

impl Visit {
    pub(crate) const fn new(guest: Guest, session: ConsoleSession) -> Self {
        Self { guest, session }
    }

    /// Whose credentials are used: the role's that the user has switched to, or the user's.
    pub(crate) fn keys(&self) -> Option<&Keys> {
        let role = self.session.role.as_ref().map(|(_, keys)| keys);
        role.or(self.session.keys.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Form, is_from, is_region, mark_of};

    #[test]
    fn only_pages_of_this_origin_are_at_home() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_from(&pairs.collect::<HeaderMap>(), "http://localhost:4566")
        };
        let own = ("origin", "http://localhost:4566");
        assert!(from(&[own]) && from(&[own, ("sec-fetch-site", "same-origin")]));
        assert!(from(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for other in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://localhost:4566")],
            &[("origin", "http://localhost")],
            &[("sec-fetch-site", "same-origin")],
            &[own, ("sec-fetch-site", "same-site")],
            &[own, ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!from(other), "{other:?}");
        }
    }

    #[test]
    fn each_session_marks_its_own_forms() {
        assert_eq!(mark_of("one"), mark_of("one"));
        assert_ne!(mark_of("one"), mark_of("two"));
        assert!(!mark_of("one").contains("one"));
    }

    #[test]
    fn a_form_is_read_by_its_fields() {
        let form = Form::read("a=+1%202+&policy=x&policy=y&empty=").unwrap();
        assert_eq!(form.get("a"), "1 2");
        assert_eq!(form.raw("a"), " 1 2 ");
        assert_eq!(form.all("policy").collect::<Vec<_>>(), ["x", "y"]);
        assert!(form.has("empty") && !form.has("none"));
        assert!(Form::read("a=%zz").is_none());
    }

    #[test]
    fn what_is_no_region_is_not_signed_for() {
        assert!(is_region("eu-central-1"));
        for other in ["", "US-EAST-1", "us/east", "a b c d"] {
            assert!(!is_region(other), "{other}");
        }
    }
}
