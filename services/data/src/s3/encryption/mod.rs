//! How the keys of objects are kept: every content is sealed under keys of its own, and these are wrapped.
//!
//! A write plans first (`Plan::of`), which is where a mode is refused or its key's owner asked, and wraps once the content is in. A read
//! unwraps. Invariant: a wrapped key opens only for the bucket, key and place that it was wrapped for.

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;

use super::bucket::{Bucket, DefaultEncryption};
use super::object::refusal;

/// Bytes of a content's key.
const KEY_BYTES: usize = 32;
/// What the seal binds wrapped keys to, beside their place.
const DOMAIN: &str = "s3.object-keys";

/// What a request says of encryption.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) mode: Option<model::ServerSideEncryption>,
    pub(crate) kms_key: Option<String>,
    /// `x-amz-server-side-encryption-context`: JSON in Base64.
    pub(crate) kms_context: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) customer: Customer,
}

/// A customer's own key, as a request gives it.
#[derive(Default)]
pub(crate) struct Customer {
    pub(crate) algorithm: Option<String>,
    /// In Base64.
    pub(crate) key: Option<Secret>,
    pub(crate) key_md5: Option<String>,
}

impl Customer {
    /// Whether the request names one.
    pub(crate) const fn is_given(&self) -> bool {
        self.algorithm.is_some() || self.key.is_some() || self.key_md5.is_some()
    }
}

/// Reads the customer's key of a request of any shape that may carry one.
macro_rules! customer {
    ($input:expr) => {
        $crate::s3::encryption::Customer {
            algorithm: $input.sse_customer_algorithm.take(),
            key: $input
                .sse_customer_key
                .take()
                .map(|key| crypto::Secret::new(key.into_bytes())),
            key_md5: $input.sse_customer_key_md5.take(),
        }
    };
}
pub(crate) use customer;

/// Reads what a request of any shape that makes an object says of its encryption.
macro_rules! asked {
    ($input:expr) => {
        $crate::s3::encryption::Asked {
            mode: $input.server_side_encryption.take(),
            kms_key: $input.sse_kms_key_id.take(),
            kms_context: $input.sse_kms_encryption_context.take(),
            bucket_key: $input.bucket_key_enabled.take(),
            customer: $crate::s3::encryption::customer!($input),
        }
    };
}
pub(crate) use asked;

/// How an object is encrypted, as its record has it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) enum Applied {
    /// `AES256`: under the installation's seal (SSE-S3).
    #[default]
    #[serde(rename = "s3")]
    S3,
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
        match self {
            Self::S3 => Shown {
                mode: Some(model::ServerSideEncryption::Aes256),
                ..Shown::default()
            },
        }
    }

    /// Whether the entity tag of a single content is the MD5 of its bytes (S3 API Reference, "Object": of objects under KMS and under
    /// customers' keys it is not).
    pub(crate) const fn tells_md5(&self) -> bool {
        match self {
            Self::S3 => true,
        }
    }

    /// Layers of encryption.
    pub(crate) const fn layers(&self) -> u8 {
        match self {
            Self::S3 => 1,
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

/// The wrapped keys of one content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wrapped(Vec<u8>);

impl Serialize for Wrapped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Wrapped {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text.as_bytes());
        bytes.map(Self).map_err(serde::de::Error::custom)
    }
}

/// How the contents of one write will be encrypted. Made before a body is taken in, so that nobody sends a body in vain.
pub(crate) struct Plan {
    applied: Applied,
}

impl Plan {
    /// Plans for a new object, or an upload of many parts.
    ///
    /// # Errors
    /// `NotImplemented` for modes other than SSE-S3.
    pub(crate) fn of(_call: &mut Call<'_>, bucket: &Bucket, _key: &str, asked: &Asked) -> Result<Self> {
        if asked.customer.is_given() {
            return Err(refusal::not_implemented(
                "x-amz-server-side-encryption-customer-algorithm",
            ));
        }
        let asks_kms = asked.kms_key.is_some() || asked.kms_context.is_some();
        let applied = match (asked.mode, &bucket.encryption.default) {
            (None, DefaultEncryption::S3) | (Some(model::ServerSideEncryption::Aes256), _) => Applied::S3,
            _ => return Err(refusal::not_implemented("x-amz-server-side-encryption")),
        };
        if asks_kms {
            return Err(refusal::invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
                "x-amz-server-side-encryption",
                asked.mode.map_or("null", model::ServerSideEncryption::as_str),
            ));
        }
        Ok(Self { applied })
    }

    /// Plans for a further part of an upload.
    ///
    /// # Errors
    /// As `of`, and for a customer's key that is not the upload's.
    pub(crate) fn resume(
        _call: &mut Call<'_>,
        applied: &Applied,
        _bucket: &Bucket,
        _key: &str,
        customer: &Customer,
    ) -> Result<Self> {
        expect_no_customer(customer)?;
        Ok(Self {
            applied: applied.clone(),
        })
    }

    /// What the object's record will say.
    pub(crate) const fn applied(&self) -> &Applied {
        &self.applied
    }

    /// Wraps the keys of a content that was taken in.
    pub(crate) fn wrap(&self, call: &mut Call<'_>, place: &Place<'_>, keys: &[Secret]) -> Result<Wrapped> {
        let mut all = Vec::with_capacity(keys.len() * KEY_BYTES);
        for key in keys {
            all.extend_from_slice(key.expose());
        }
        let all = Secret::new(all);
        call.seal(DOMAIN, &place.bound(), all.expose()).map(Wrapped)
    }
}

/// How the contents of one object are read.
pub(crate) struct Opener {
    applied: Applied,
}

impl Opener {
    /// Proves that the caller may have the object's keys.
    ///
    /// # Errors
    /// For a customer's key that an object of another mode has no use for.
    pub(crate) fn of(
        _call: &mut Call<'_>,
        applied: &Applied,
        _bucket: &Bucket,
        _key: &str,
        customer: &Customer,
    ) -> Result<Self> {
        expect_no_customer(customer)?;
        Ok(Self {
            applied: applied.clone(),
        })
    }

    /// The keys of one content.
    pub(crate) fn unwrap(
        &self,
        look: &Look<'_>,
        place: &Place<'_>,
        wrapped: &Wrapped,
    ) -> Result<Vec<Secret>> {
        let all = look.open(DOMAIN, &place.bound(), &wrapped.0)?;
        let keys: Vec<Secret> = all
            .expose()
            .chunks_exact(KEY_BYTES)
            .map(Secret::copy_of)
            .collect();
        if keys.len() == usize::from(self.applied.layers()) {
            Ok(keys)
        } else {
            Err(Fault::internal(
                "a content has another number of keys than layers",
            ))
        }
    }
}

/// A customer's key is of no use for objects that are encrypted otherwise.
pub(crate) fn expect_no_customer(customer: &Customer) -> Result<()> {
    if customer.is_given() {
        return Err(refusal::invalid_request(
            "The encryption parameters are not applicable to this object.",
        ));
    }
    Ok(())
}
