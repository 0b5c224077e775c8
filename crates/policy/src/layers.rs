//! What a decision is made from: the request, and every policy that applies to it, layer by layer.

use crate::{context::Context, document::Policy, grant::Grant, principal::Principal};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

/// One authorization question.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `service:Operation`.
    pub action: &'a str,
    /// The ARN, or `*` for actions that have no resource.
    pub resource: &'a str,
    /// The account that owns the resource. `None`: the one in the ARN, else the caller's own.
    pub resource_account: Option<&'a str>,
    /// Condition keys.
    pub context: &'a Context,
}

/// A policy and where it comes from, as a person would name it: an ARN, or "user/alice inline X". Many decisions share one.
#[derive(Debug, Clone)]
pub struct Attached(Arc<Attachment>);

/// What decisions share of an attached policy.
#[derive(Debug)]
pub struct Attachment {
    /// The parsed document.
    pub policy: Arc<Policy>,
    /// The ARN of a managed policy, else a description.
    pub origin: Arc<str>,
    /// For whoever records decisions.
    pub mark: Mark,
}

impl Attached {
    /// Names a policy's origin.
    pub fn new(policy: Arc<Policy>, origin: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Attachment {
            policy,
            origin: origin.into(),
            mark: Mark::default(),
        }))
    }

    /// Another policy of the same origin.
    pub(crate) fn replace(&mut self, policy: Policy) {
        *self = Self::new(Arc::new(policy), Arc::clone(&self.origin));
    }
}

impl Deref for Attached {
    type Target = Attachment;

    fn deref(&self) -> &Attachment {
        &self.0
    }
}

/// What the records of decisions have found out about a policy, kept with it so that it is found out once: the digest that they name it
/// by, and the era of the store that was last seen to hold its text.
#[derive(Debug, Default)]
pub struct Mark {
    digest: OnceLock<Digest>,
    era: AtomicU64,
}

/// Thirty-two hexadecimal digits that name a policy, with its origin, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; Self::DIGITS]);

impl Digest {
    const DIGITS: usize = 32;

    /// The digest that begins with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let mut digits = [b'0'; Self::DIGITS];
        let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        for (digit, nibble) in digits.iter_mut().zip(nibbles) {
            *digit = nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
        }
        Self(digits)
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl de::Visitor<'_> for Digits {
            type Value = Digest;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{} hexadecimal digits", Digest::DIGITS)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                let digits = text.as_bytes().try_into();
                digits
                    .map(Digest)
                    .map_err(|_| E::invalid_length(text.len(), &self))
            }
        }

        deserializer.deserialize_str(Digits)
    }
}

impl Mark {
    /// The digest, reckoned by `reckon` the first time.
    pub fn digest(&self, reckon: impl FnOnce() -> Digest) -> Digest {
        *self.digest.get_or_init(reckon)
    }

    /// Whether the store is known to hold the text in this era.
    pub fn is_in(&self, era: u64) -> bool {
        self.era.load(Ordering::Relaxed) == era
    }

    /// Says that the store durably holds the text in this era.
    pub fn is_now_in(&self, era: u64) {
        self.era.store(era, Ordering::Relaxed);
    }
}

/// All policies that apply. `None` (or no level) is a layer that does not exist for the request and limits nothing;
/// an empty slice in `Some` is a layer that exists and allows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Resource control policies over the resource's account; empty outside an organization.
    pub resource_control: &'a [Attached],
    /// Service control policies over the caller's account, one slice for the root, each OU and the account; every
    /// level must allow. Empty outside an organization and for its management account.
    pub service_control: &'a [Vec<Attached>],
    /// The resource's policy, or a role's trust policy for AssumeRole.
    pub resource: Option<&'a Attached>,
    /// The caller's own and inherited policies (S1.8).
    pub identity: &'a [Attached],
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Attached>,
    /// The policies passed when the session was made; `None` if none were passed.
    pub session: Option<&'a [Attached]>,
    /// The policy of the VPC endpoint that the request came through.
    pub endpoint: Option<&'a Attached>,
    /// For actions on a KMS key: its policy and grants, which then stand in place of `resource`.
    pub key: Option<KeyLayer<'a>>,
}

/// What a KMS key says: unlike other resources it always has a policy, and IAM policies count only where that policy
/// delegates to the account.
#[derive(Debug, Clone, Copy)]
pub struct KeyLayer<'a> {
    /// The key policy.
    pub policy: &'a Attached,
    /// The grants on the key.
    pub grants: &'a [Grant],
    /// The request's encryption context, compared with case; empty if it has none.
    pub encryption_context: &'a BTreeMap<String, String>,
}
