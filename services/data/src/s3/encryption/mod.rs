//! How objects are encrypted (S21): every content is sealed under random keys of its own, and these are wrapped by what the mode says.
//!
//! | mode | what wraps the content's key |
//! |---|---|
//! | SSE-S3 (`AES256`) | S3's own master key, of which there is a new generation every year (`master`) |
//! | SSE-KMS (`aws:kms`) | a data key that KMS makes for the caller, kept as KMS encrypted it; with a bucket key, one for many objects |
//! | DSSE-KMS (`aws:kms:dsse`) | two layers with a key each: the inner one as in SSE-KMS, the outer one as in SSE-S3 |
//! | SSE-C | the customer's own key, of which a salted HMAC is kept and nothing else |
//!
//! A write plans first (`Plan::of`), which is where a mode is refused or KMS asked, and wraps once the content is in; a read unwraps
//! (`Opener::of`). Read `mode` for what requests and buckets ask, then `plan`.
//!
//! AWS takes customers' keys over TLS alone. Ringwork's plaintext port is for the machine itself, so there is no wire to protect them
//! from, and they are taken there too.
//!
//! Invariant: a wrapped key opens only for the bucket, key and place that it was wrapped for; no key is kept in clear.

use std::collections::BTreeMap;

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

mod customer;
mod kms;
mod master;
mod mode;
mod plan;
mod update;

pub(crate) use customer::{Customer, Proof, customer, expect_no_customer};
pub use master::JOB as ROTATED;
pub(crate) use mode::{Asked, asked};
pub(crate) use plan::{Opener, Plan};
pub use update::UpdateObjectEncryption;

/// Octets of a record, in Base64.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes());
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}

/// The wrapped keys of one content: `GENERATION.BASE64`, or Base64 alone of what no generation of S3's own key wrapped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wrapped {
    /// Of S3's master key; 0 where the installation's seal or somebody else's key alone wrapped them.
    pub(crate) generation: u32,
    pub(crate) octets: Vec<u8>,
}

impl Serialize for Wrapped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let text = STANDARD.encode(&self.octets);
        match self.generation {
            0 => serializer.serialize_str(&text),
            number => serializer.collect_str(&format_args!("{number}.{text}")),
        }
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let (generation, text) = match text.split_once('.') {
            Some((number, text)) => (number.parse().map_err(serde::de::Error::custom)?, text),
            None => (0, &*text),
        };
        let octets = STANDARD.decode(text.as_bytes());
        Ok(Self {
            generation,
            octets: octets.map_err(serde::de::Error::custom)?,
        })
    }
}

/// What is kept of an object under a KMS key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct UnderKms {
    /// The key's ARN.
    #[serde(rename = "k")]
    pub(crate) key: String,
    /// The data key, as KMS encrypted it.
    #[serde(rename = "d")]
    pub(crate) data_key: Octets,
    /// The data key is the bucket's.
    #[serde(rename = "b", default)]
    pub(crate) bucket_key: bool,
    /// What the request added to the encryption context.
    #[serde(rename = "c", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) context: BTreeMap<String, String>,
}

/// How an object is encrypted, as its record has it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Applied {
    /// `AES256`
    #[default]
    #[serde(rename = "s3")]
    S3,
    /// `aws:kms`
    #[serde(rename = "kms")]
    Kms(Box<UnderKms>),
    /// `aws:kms:dsse`
    #[serde(rename = "dsse")]
    Dsse(Box<UnderKms>),
    /// Under the customer's own key.
    #[serde(rename = "c")]
    Customer(Box<Proof>),
}

/// How answers show it.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) mode: Option<model::ServerSideEncryption>,
    pub(crate) kms_key: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) customer_algorithm: Option<String>,
    pub(crate) customer_key_md5: Option<String>,
}

impl Applied {
    /// What answers say.
    pub(crate) fn shown(&self) -> Shown {
        let under_kms = |mode, under: &UnderKms| Shown {
            mode: Some(mode),
            kms_key: Some(under.key.clone()),
            bucket_key: under.bucket_key.then_some(true),
            ..Shown::default()
        };
        match self {
            Self::S3 => Shown {
                mode: Some(model::ServerSideEncryption::Aes256),
                ..Shown::default()
            },
            Self::Kms(under) => under_kms(model::ServerSideEncryption::AwsKms, under),
            Self::Dsse(under) => under_kms(model::ServerSideEncryption::AwsKmsDsse, under),
            Self::Customer(proof) => Shown {
                customer_algorithm: Some(customer::ALGORITHM.to_owned()),
                customer_key_md5: Some(proof.md5.clone()),
                ..Shown::default()
            },
        }
    }

    /// The encryption context that a request gave, as answers to writes repeat it.
    pub(crate) fn shown_context(&self) -> Option<String> {
        match self {
            Self::Kms(under) | Self::Dsse(under) if !under.context.is_empty() => {
                serde_json::to_vec(&under.context)
                    .ok()
                    .map(|json| STANDARD.encode(json))
            }
            _ => None,
        }
    }

    /// Whether the entity tag of a single content is the MD5 of its bytes (S3 API Reference, "Object": of objects under KMS and under
    /// customers' keys it is not).
    pub(crate) const fn tells_md5(&self) -> bool {
        matches!(self, Self::S3)
    }

    /// Layers of encryption.
    pub(crate) const fn layers(&self) -> u8 {
        match self {
            Self::Dsse(_) => 2,
            Self::S3 | Self::Kms(_) | Self::Customer(_) => 1,
        }
    }

    /// Holds the customer's key of a request against the object's, for requests that read no content: what is true of the object is
    /// told to those who have its key.
    ///
    /// # Errors
    /// 400 for a key that is missing or of no use, 403 for another key.
    pub(crate) fn expect_customer(&self, given: &Customer) -> pipeline::Result<()> {
        match self {
            Self::Customer(proof) => proof.check(given).map(|_| ()),
            _ => expect_no_customer(given),
        }
    }
}

/// Sets what an answer of any shape says of encryption.
macro_rules! show {
    ($output:expr, $applied:expr) => {{
        let shown = $applied.shown();
        $output.server_side_encryption = shown.mode;
        $output.sse_kms_key_id = shown.kms_key;
        $output.bucket_key_enabled = shown.bucket_key;
        $output.sse_customer_algorithm = shown.customer_algorithm;
        $output.sse_customer_key_md5 = shown.customer_key_md5;
    }};
}
pub(crate) use show;

/// Whose content a key is of: the bucket, the key, and the version's number or the upload's part.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) label: String,
}

impl Place<'_> {
    /// The octets that a wrapped key is bound to. A bucket's name and a label hold no NUL.
    fn bound(&self) -> Vec<u8> {
        format!("{}\0{}\0{}", self.bucket, self.label, self.key).into_bytes()
    }
}
