//! One call as it is kept: everything that CloudTrail, `why` and the engines tell of it later.
//!
//! Invariant: inputs and outputs are here only as `wire::redact` lets them; no secret reaches a record.

use policy::{Context, Digest};
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, IdentityType, SessionIssuer};
use crate::ledger::scan::{self, Attribute};
use crate::organization::Organizations;

/// How deep a record may be nested: more than any input is, which lies a level deeper here.
const DEPTH_MAX: usize = 256;
/// Bytes that most records fit in.
const ENCODED: usize = 2048;

/// A call, or an event of a service's own.
#[derive(Clone, Serialize, Deserialize)]
pub struct Record {
    /// The request id; its first 48 bits are wall milliseconds (UUID version 7), so that `why` finds it by time.
    pub id: String,
    /// CloudTrail's `eventID`, likewise a UUID of version 7.
    pub event: String,
    /// The cloud's time in milliseconds since the epoch.
    pub time: i64,
    /// The wall's time in milliseconds since the epoch.
    pub wall: i64,
    /// The account whose trail this is.
    pub account: String,
    pub region: String,
    /// botocore's service name.
    pub service: String,
    /// `kms.amazonaws.com`
    pub source: String,
    pub operation: String,
    /// `eventName`, where it is not the operation's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    /// A data event: done in or with a resource, not to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub data: bool,
    pub read_only: bool,
    #[serde(default, skip_serializing_if = "is_call")]
    pub kind: EventKind,
    pub caller: Caller,
    pub source_ip: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// `requestParameters`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<serde_json::Value>,
    /// `responseElements`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorFacts>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceFacts>,
    /// Whether the event names its `resources`; most services' events leave them to `LookupEvents`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_resources: bool,
    /// `additionalEventData`, or `serviceEventDetails` of a service's own event.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub additional: serde_json::Map<String, serde_json::Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judgements: Vec<Judged>,
    /// `sharedEventID`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
}

fn is_call(kind: &EventKind) -> bool {
    *kind == EventKind::AwsApiCall
}

/// CloudTrail's `eventType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum EventKind {
    #[default]
    AwsApiCall,
    AwsServiceEvent,
    AwsConsoleSignIn,
}

/// `userIdentity`, and what policies saw of the caller beside it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Caller {
    pub kind: IdentityType,
    pub principal_id: String,
    pub arn: String,
    pub account: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub access_key_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<(String, String)>,
}

/// `sessionContext`
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionFacts {
    pub issued: i64,
    pub mfa: Option<i64>,
    pub issuer: Option<SessionIssuer>,
    pub source_identity: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_provider: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assumed_root: bool,
    /// `sessionCredentialFromConsole`
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub console: bool,
    /// `ec2RoleDelivery`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_delivery: Option<String>,
}

/// `tlsDetails`
#[derive(Clone, Serialize, Deserialize)]
pub struct Tls {
    pub version: String,
    pub cipher_suite: String,
    pub host: Option<String>,
}

/// `errorCode` and `errorMessage`
#[derive(Clone, Serialize, Deserialize)]
pub struct ErrorFacts {
    pub code: String,
    pub message: String,
}

/// One of `resources`
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceFacts {
    pub arn: String,
    pub account: String,
    pub kind: String,
}

/// One decision: what was asked, and which policies judged it, by the digest under which their text is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Judged {
    pub action: String,
    pub resource: String,
    /// The account that owns the resource.
    pub owner: String,
    pub allowed: bool,
    /// The condition keys of the request and the resource; the global ones follow from the record itself.
    #[serde(default, skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Where both sides stood, if a policy asked.
    #[serde(default, skip_serializing_if = "Organizations::is_empty")]
    pub organizations: Organizations,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<PolicyReference>,
    /// The session had policies of its own, even if none is left to name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_limited: bool,
    /// KMS grants that were there to be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<serde_json::Value>,
}

/// A policy that took part: its layer, the level within it, and the digest of its origin and text.
#[derive(Clone, Serialize, Deserialize)]
pub struct PolicyReference {
    pub layer: crate::authorize::LayerName,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub level: usize,
    pub digest: Digest,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
const fn is_zero(level: &usize) -> bool {
    *level == 0
}

impl ResourceFacts {
    pub(crate) fn new(arn: String, account: &str, kind: &str) -> Self {
        Self {
            arn,
            account: account.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// The last part of the ARN, by which people name the resource.
    pub fn short_name(&self) -> Option<&str> {
        scan::short_name(&self.arn)
    }
}

impl Caller {
    /// What the record keeps of a verified identity.
    pub(crate) fn of(identity: &Identity) -> Self {
        let session = identity.session.as_ref().map(|session| SessionFacts {
            issued: session.issued,
            mfa: session.mfa,
            issuer: session.issuer.clone(),
            source_identity: session.source_identity.clone(),
            federated_provider: session.federated_provider.clone(),
            assumed_root: session.assumed_root,
            console: session.console,
            role_delivery: session
                .provider_context
                .iter()
                .find(|(key, _)| key == "ec2:RoleDelivery")
                .and_then(|(_, values)| values.first().cloned()),
        });
        Self {
            kind: identity.kind,
            principal_id: String::from(&*identity.user_id),
            arn: String::from(&*identity.arn),
            account: String::from(&*identity.account),
            access_key_id: String::from(&*identity.access_key_id),
            user_name: identity.user_name.as_deref().map(str::to_owned),
            session,
            invoked_by: None,
            tags: identity.tags.to_vec(),
        }
    }

    /// A caller whom no credential vouched for.
    pub(crate) fn unknown(access_key_id: &str) -> Self {
        Self {
            kind: IdentityType::Unknown,
            principal_id: String::new(),
            arn: String::new(),
            account: String::new(),
            access_key_id: access_key_id.to_owned(),
            user_name: None,
            session: None,
            invoked_by: None,
            tags: Vec::new(),
        }
    }

    /// The name that CloudTrail's `Username` attribute knows the caller by.
    pub fn display_name(&self) -> Option<&str> {
        match self.kind {
            IdentityType::Root => Some("root"),
            IdentityType::IamUser => self.user_name.as_deref(),
            IdentityType::AssumedRole | IdentityType::FederatedUser => {
                self.principal_id.split_once(':').map(|(_, name)| name)
            }
            _ => self.invoked_by.as_deref().or(self.user_name.as_deref()),
        }
    }
}

impl Record {
    /// Whether the caller belongs to another account than the trail: then the trail tells of the caller only the account
    /// and the unique id (IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail").
    pub fn foreign(&self) -> bool {
        !self.caller.account.is_empty() && self.caller.account != self.account
    }

    /// `eventName`
    pub fn event_name(&self) -> &str {
        self.event_name.as_deref().unwrap_or(&self.operation)
    }

    /// `Username`, as `LookupEvents` shows and finds it.
    pub fn user_name(&self) -> Option<&str> {
        if self.foreign() {
            None
        } else {
            self.caller.display_name()
        }
    }

    /// `AccessKeyId`, as `LookupEvents` shows and finds it.
    pub fn access_key_id(&self) -> Option<&str> {
        Some(self.caller.access_key_id.as_str()).filter(|id| !id.is_empty() && !self.foreign())
    }

    /// The record as the store appends it: wall time, cloud time, attribute hashes, then the text, in MessagePack with named members.
    ///
    /// # Errors
    /// Only if serde refuses, which these types never make it do.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        let hashes = scan::hashes(self);
        let mut bytes = Vec::with_capacity(ENCODED);
        bytes.extend_from_slice(&self.wall.to_le_bytes());
        bytes.extend_from_slice(&self.time.to_le_bytes());
        bytes.push(u8::try_from(hashes.len()).unwrap_or(u8::MAX));
        for hash in hashes.iter().take(usize::from(u8::MAX)) {
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        rmp_serde::encode::write_named(&mut bytes, self)?;
        Ok(bytes)
    }

    /// The record of a text, or of the JSON that older ones are written in; `None` if it is neither. A map in MessagePack never begins
    /// with a brace.
    pub(crate) fn decode(text: &[u8]) -> Option<Self> {
        if text.first() == Some(&b'{') {
            return serde_json::from_slice(text).ok();
        }
        let mut decoder = rmp_serde::Deserializer::new(text);
        decoder.set_max_depth(DEPTH_MAX);
        let record = Self::deserialize(&mut decoder).ok()?;
        decoder.get_ref().is_empty().then_some(record)
    }

    /// The values that `LookupEvents` finds the record by.
    pub fn attributes(&self) -> impl Iterator<Item = (Attribute, &str)> {
        let single = [
            (Attribute::RequestId, Some(self.id.as_str())),
            (Attribute::EventId, Some(self.event.as_str())),
            (Attribute::EventName, Some(self.event_name())),
            (
                Attribute::ReadOnly,
                Some(if self.read_only { "true" } else { "false" }),
            ),
            (Attribute::Username, self.user_name()),
            (Attribute::EventSource, Some(self.source.as_str())),
            (Attribute::AccessKeyId, self.access_key_id()),
        ];
        let single = single
            .into_iter()
            .filter_map(|(attribute, value)| value.map(|value| (attribute, value)));
        let resources = self.resources.iter().flat_map(|resource| {
            [
                (Attribute::ResourceType, resource.kind.as_str()),
                (Attribute::ResourceName, resource.arn.as_str()),
            ]
        });
        single.chain(resources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let mut record: Record = serde_json::from_value(serde_json::json!({
            "id": "1", "event": "2", "time": -3, "wall": 1_763_840_000_000_i64, "account": "000000000000",
            "region": "eu-central-1", "service": "kms", "source": "kms.amazonaws.com", "operation": "Encrypt", "read_only": true,
            "caller": { "kind": "IAMUser", "principal_id": "AIDA", "arn": "arn", "account": "000000000000",
                "tags": [["team", "blue"]] },
            "source_ip": "127.0.0.1",
            "request": { "none": null, "list": [1, -1, 1.5, u64::MAX, true, "\u{e4}\n"], "map": { "a": {} } },
            "judgements": [{ "action": "kms:Encrypt", "resource": "*", "owner": "000000000000", "allowed": true,
                "context": [["kms:KeySpec", ["SYMMETRIC_DEFAULT"]]],
                "policies": [{ "layer": "key", "digest": "00ff00ff00ff00ff00ff00ff00ff00ff" }], "grants": [{ "id": "g", "equals": null }] }],
        }))
        .unwrap();
        record.kind = EventKind::AwsConsoleSignIn;
        record
    }

    #[test]
    fn a_record_comes_back_from_its_text_and_from_older_ones() {
        let record = record();
        let told = serde_json::to_value(&record).unwrap();
        let bytes = record.encode().unwrap();
        let text = bytes.get(17 + 4 * usize::from(bytes[16])..).unwrap();
        for text in [text, told.to_string().as_bytes()] {
            let back = Record::decode(text).unwrap();
            assert_eq!(serde_json::to_value(back).unwrap(), told);
        }
        assert!(Record::decode(&text[..text.len() - 1]).is_none());
        assert!(Record::decode(&[text, &[0]].concat()).is_none());
        assert!(Record::decode(&[]).is_none());
    }

    /// Records that were written before condition keys were a map there.
    #[test]
    fn condition_keys_in_pairs_are_read_too() {
        let mut context = Context::new().with("kms:KeySpec", "RSA_2048");
        context.insert_many("aws:TagKeys", ["a", "b"]);
        context.insert_many("kms:ResourceAliases", Vec::<String>::new());
        let pairs: Vec<(&str, &[policy::Value])> = context.iter().collect();
        let told = serde_json::to_value(&context).unwrap();
        for bytes in [
            rmp_serde::to_vec(&pairs).unwrap(),
            rmp_serde::to_vec(&context).unwrap(),
        ] {
            let back: Context = rmp_serde::from_slice(&bytes).unwrap();
            assert_eq!(serde_json::to_value(&back).unwrap(), told);
        }
        assert!(rmp_serde::from_slice::<Context>(&[0x81, 0xa1, b'a', 0x01]).is_err());
    }

    #[test]
    fn a_text_that_is_nested_without_end_is_refused() {
        // Maps of one member whose name is empty.
        let deep = [0x81, 0xa0].repeat(100_000);
        assert!(Record::decode(&deep).is_none());
        let mut inside = vec![0x81, 0xa7];
        inside.extend_from_slice(b"request");
        inside.extend_from_slice(&deep);
        assert!(Record::decode(&inside).is_none());
    }
}
