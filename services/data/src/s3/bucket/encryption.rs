//! How a bucket encrypts objects whose request does not say, and which kinds of encryption it refuses.
//!
//! Source: S3 API Reference, "PutBucketEncryption"; S3 User Guide, "Setting default server-side encryption behavior", "Blocking or
//! unblocking SSE-C".

use api::s3 as model;
use pipeline::{Access, Result};
use wire::typed::Empty;

use super::{DefaultEncryption, Encryption, on_bucket::on_bucket, to_change};
use crate::s3::fault::{invalid_argument, malformed_xml};

const PUT: Access = Access::write("s3:PutEncryptionConfiguration");

/// What a rule asks for, over what the bucket has.
fn asked(rule: &model::ServerSideEncryptionRule, before: &Encryption) -> Result<Encryption> {
    let default = match &rule.apply_server_side_encryption_by_default {
        None => before.default.clone(),
        Some(by_default) => {
            let key = by_default.kms_master_key_id.clone();
            match by_default.sse_algorithm.as_str() {
                "AES256" if key.is_some() => {
                    return Err(invalid_argument(
                        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
                        "ApplyServerSideEncryptionByDefault",
                        key.as_deref().unwrap_or_default(),
                    ));
                }
                "AES256" => DefaultEncryption::S3,
                "aws:kms" => DefaultEncryption::Kms { key },
                "aws:kms:dsse" => DefaultEncryption::Dsse { key },
                _ => return Err(malformed_xml()),
            }
        }
    };
    let bucket_key = rule.bucket_key_enabled == Some(true);
    if bucket_key && matches!(default, DefaultEncryption::Dsse { .. }) {
        return Err(invalid_argument(
            "BucketKeyEnabled is not applicable if the default sse algorithm is aws:kms:dsse",
            "BucketKeyEnabled",
            "true",
        ));
    }
    let blocked = rule
        .blocked_encryption_types
        .as_ref()
        .and_then(|blocked| blocked.encryption_type.as_ref());
    let blocks_customer_keys = match blocked.map(Vec::as_slice) {
        None => before.blocks_customer_keys,
        Some([model::EncryptionType::None]) => false,
        Some([model::EncryptionType::SseC]) => true,
        Some(_) => return Err(malformed_xml()),
    };
    Ok(Encryption {
        default,
        bucket_key,
        blocks_customer_keys,
    })
}

on_bucket! {
    /// Shows how a bucket encrypts, which it always does.
    GetBucketEncryption(model::GetBucketEncryptionRequest) -> model::GetBucketEncryptionOutput,
    Access::read("s3:GetEncryptionConfiguration");
    |_call, bucket, _input| {
        let (algorithm, key) = match &bucket.encryption.default {
            DefaultEncryption::S3 => ("AES256", None),
            DefaultEncryption::Kms { key } => ("aws:kms", key.clone()),
            DefaultEncryption::Dsse { key } => ("aws:kms:dsse", key.clone()),
        };
        let blocked = if bucket.encryption.blocks_customer_keys {
            model::EncryptionType::SseC
        } else {
            // Only who said NONE has a bucket that blocks nothing.
            model::EncryptionType::None
        };
        let blocked = model::BlockedEncryptionTypes {
            encryption_type: Some(vec![blocked]),
        };
        let rule = model::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(model::ServerSideEncryptionByDefault {
                kms_master_key_id: key,
                sse_algorithm: model::ServerSideEncryption::parse(algorithm).unwrap_or_default(),
            }),
            blocked_encryption_types: Some(blocked),
            bucket_key_enabled: Some(bucket.encryption.bucket_key),
        };
        Ok(model::GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(model::ServerSideEncryptionConfiguration {
                rules: vec![rule],
            }),
        })
    }
}

on_bucket! {
    /// Says how a bucket encrypts objects whose request does not.
    PutBucketEncryption(model::PutBucketEncryptionRequest) -> Empty, PUT;
    |call, bucket, input| {
        let [rule] = input.server_side_encryption_configuration.rules.as_slice() else {
            return Err(malformed_xml());
        };
        let encryption = asked(rule, &bucket.encryption)?;
        let mut bucket = to_change(&bucket);
        bucket.encryption = encryption;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Lets a bucket encrypt as new ones do, under the installation's own keys.
    DeleteBucketEncryption(model::DeleteBucketEncryptionRequest) -> Empty, PUT;
    |call, bucket, _input| {
        let mut bucket = to_change(&bucket);
        bucket.encryption.default = DefaultEncryption::S3;
        bucket.encryption.bucket_key = false;
        bucket.keep(call)?;
        Ok(Empty)
    }
}
