//! What a request and its bucket ask of encryption, and which mode comes of it (S21.3, S21.11).
//!
//! Invariant: a request that names a mode is served under that mode or refused; only one that names none gets the bucket's default.

use std::collections::BTreeMap;

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::ServerSideEncryption as Sse;
use pipeline::Result;
use wire::Fault;

use super::customer::{Customer, CustomerKey};
use crate::s3::bucket::{Bucket, DefaultEncryption};
use crate::s3::fault::invalid_argument;

const HEADER: &str = "x-amz-server-side-encryption";
const CONTEXT: &str = "x-amz-server-side-encryption-context";
/// The pair of the context that S3 adds, and nobody else.
pub(super) const ARN: &str = "aws:s3:arn";

/// What a request says of encryption.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) mode: Option<Sse>,
    pub(crate) kms_key: Option<String>,
    /// `x-amz-server-side-encryption-context`: JSON in Base64.
    pub(crate) kms_context: Option<String>,
    pub(crate) bucket_key: Option<bool>,
    pub(crate) customer: Customer,
}

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

/// What a new object is to be encrypted under.
pub(super) enum Mode {
    S3,
    Kms(KmsMode),
    Dsse(KmsMode),
    Customer(CustomerKey),
}

/// A mode of KMS.
pub(super) struct KmsMode {
    /// As it was named; `None` is the account's AWS managed key.
    pub(super) key: Option<String>,
    pub(super) bucket_key: bool,
    pub(super) context: BTreeMap<String, String>,
}

impl Mode {
    /// The mode of a new object.
    ///
    /// # Errors
    /// `InvalidArgument` for what does not go together, `AccessDenied` for a mode that the bucket blocks.
    pub(super) fn choose(asked: &Asked, bucket: &Bucket) -> Result<Self> {
        if asked.customer.is_given() {
            if let Some(mode) = asked.mode {
                return Err(invalid_argument(
                    "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
                    HEADER,
                    mode.as_str(),
                ));
            }
            let key = asked.customer.read()?;
            expect_unblocked(bucket)?;
            return Ok(Self::Customer(key));
        }
        let default = &bucket.encryption;
        let kms = |key: &Option<String>, bucket_key| -> Result<KmsMode> {
            Ok(KmsMode {
                key: key.clone(),
                bucket_key,
                context: context(asked.kms_context.as_deref())?,
            })
        };
        let bucket_key = asked.bucket_key.unwrap_or(default.bucket_key);
        let key = &asked.kms_key;
        let asks_kms = key.is_some() || asked.kms_context.is_some();
        match (asked.mode, &default.default) {
            (Some(Sse::AwsKms), _) => kms(key, bucket_key).map(Self::Kms),
            (Some(Sse::AwsKmsDsse), _) => kms(key, false).map(Self::Dsse),
            (mode, _) if asks_kms => Err(invalid_argument(
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
                HEADER,
                mode.map_or("null", Sse::as_str),
            )),
            (None, DefaultEncryption::Kms { key }) => kms(key, bucket_key).map(Self::Kms),
            (None, DefaultEncryption::Dsse { key }) => kms(key, false).map(Self::Dsse),
            (None, DefaultEncryption::S3) | (Some(Sse::Aes256), _) => Ok(Self::S3),
            (Some(other), _) => Err(invalid_argument(
                "The encryption method specified is not supported",
                HEADER,
                other.as_str(),
            )),
        }
    }
}

/// New buckets take no customers' keys unless their owner says so (S21.19; S3 User Guide, "Blocking or unblocking SSE-C for a general
/// purpose bucket").
pub(super) fn expect_unblocked(bucket: &Bucket) -> Result<()> {
    if !bucket.encryption.blocks_customer_keys {
        return Ok(());
    }
    Err(Fault::access_denied(format!(
        "Server-side encryption with customer-provided keys (SSE-C) is blocked by the encryption configuration of the bucket {}.",
        bucket.name
    )))
}

/// The pairs of a request's encryption context.
fn context(text: Option<&str>) -> Result<BTreeMap<String, String>> {
    let Some(text) = text else {
        return Ok(BTreeMap::new());
    };
    let decoded = STANDARD.decode(text).unwrap_or_default();
    let pairs: BTreeMap<String, String> = serde_json::from_slice(&decoded).map_err(|_| {
        invalid_argument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which represents a \
             string-string map",
            CONTEXT,
            text,
        )
    })?;
    if pairs.contains_key(ARN) {
        return Err(invalid_argument(
            "The encryption context cannot have the key aws:s3:arn, which Amazon S3 adds itself",
            CONTEXT,
            text,
        ));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_a_map_of_texts_in_base64_without_the_pair_of_s3() {
        let read = |json: &str| context(Some(&STANDARD.encode(json)));
        assert_eq!(read(r#"{"team":"blue"}"#).ok().unwrap().len(), 1);
        assert!(context(None).ok().unwrap().is_empty());
        for wrong in ["", "[]", r#"{"a":1}"#, r#"{"aws:s3:arn":"arn:aws:s3:::other"}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(context(Some("{}")).is_err());
    }
}
