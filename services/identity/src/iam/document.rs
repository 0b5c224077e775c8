//! A policy document as rows keep it: its text, parsed once when it is given or read.
//!
//! Invariant: what is stored was parsed for its kind, so a row never holds a document that the evaluator cannot judge.

use std::sync::{Arc, OnceLock};

use pipeline::Result;
use policy::{Attached, Policy, PolicyKind};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parsed document with its text. The store's cache keeps it parsed.
pub struct StoredPolicy {
    policy: Arc<Policy>,
    /// With the name that decisions give it, made at the first decision and stable from then on.
    attached: OnceLock<Attached>,
}

impl StoredPolicy {
    /// Parses a document for its kind.
    ///
    /// # Errors
    /// `MalformedPolicyDocument` with AWS's message.
    pub fn new(text: &str, kind: PolicyKind) -> Result<Self> {
        Self::parse(text, kind)
            .map_err(|error| api::iam::fault::malformed_policy_document_exception(error.to_string()))
    }

    /// The same, for callers that word the refusal themselves.
    ///
    /// # Errors
    /// Why AWS would refuse the document.
    pub fn parse(text: &str, kind: PolicyKind) -> std::result::Result<Self, policy::Error> {
        let policy = Arc::new(Policy::parse(text, kind)?);
        Ok(Self {
            policy,
            attached: OnceLock::new(),
        })
    }

    /// The document as it was given.
    pub fn text(&self) -> &str {
        self.policy.text()
    }

    /// The document as the evaluator takes it.
    pub const fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The document with its origin, which `name` words at the first call for this row.
    pub fn attached<N: Into<Arc<str>>>(&self, name: impl FnOnce() -> N) -> Attached {
        let attached = self
            .attached
            .get_or_init(|| Attached::new(Arc::clone(&self.policy), name()));
        attached.clone()
    }
}

/// A document as answers carry it: percent-encoded but for unreserved characters (RFC 3986, section 2.3).
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write as _;

    let mut out = String::with_capacity(text.len() * 3 / 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The size that quotas count: characters other than whitespace (IAM User Guide, "IAM and AWS STS quotas").
pub(crate) fn size(text: &str) -> usize {
    text.chars()
        .filter(|character| !character.is_whitespace())
        .count()
}

impl Clone for StoredPolicy {
    /// The copy forgets its name, since it may become part of a row of another name.
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            attached: OnceLock::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    kind: PolicyKind,
    text: T,
}

impl Serialize for StoredPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        Kept {
            kind: self.policy.kind(),
            text: self.text(),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StoredPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let kept = Kept::<String>::deserialize(deserializer)?;
        Self::parse(&kept.text, kept.kind).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_documents_percent_encoded() {
        assert_eq!(
            encoded("{\"a\": [\"é*~\"]}"),
            "%7B%22a%22%3A%20%5B%22%C3%A9%2A~%22%5D%7D"
        );
    }

    #[test]
    fn whitespace_does_not_count() {
        assert_eq!(size("{ \"é\" :\n\t1 }"), 7);
    }
}
