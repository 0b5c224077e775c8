//! Data keys of KMS, asked for in the caller's name (S21.11–S21.13, S21.26), and the keys that buckets keep for a while.
//!
//! KMS judges the caller by the key's policy and the caller's own; the ARN of the object, or with a bucket key of the bucket, is the
//! encryption context. A bucket key spares KMS: later calls of the same credentials use what the first one was given, for a few
//! minutes, and KMS neither judges nor records them (S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys").
//!
//! Invariant: nobody unsigned gets a data key, whatever a key's policy says of its account's callers; without KMS's leave, given in this call or to a bucket key within its time, no data key is in clear.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::s3 as model;
use crypto::Secret;
use pipeline::{Call, Result};
use wire::fault::{Code, Common, Side};
use wire::{Document, Fault, Timestamp};

use super::mode::{ARN, KmsMode};
use super::{Octets, UnderKms};
use crate::s3::bucket::Bucket;
use crate::s3::fault::invalid_argument;
use crate::s3::locate;

/// The service in whose name KMS is called, for `kms:ViaService`.
const BY: &str = "s3.amazonaws.com";
/// The account's AWS managed key, made at its first use (S8.14).
const DEFAULT_KEY: &str = "alias/aws/s3";
/// How long a bucket key serves, in milliseconds.
const BUCKET_KEY_TIME: i64 = 5 * 60 * 1000;
/// Bytes of a data key.
const DATA_KEY_BYTES: usize = 32;
const MADE: &str = "s3.bucket-key.made";
const OPENED: &str = "s3.bucket-key.opened";

/// A data key that was made under a bucket key's terms.
struct Made {
    plain: Secret,
    under: UnderKms,
}

/// Whose context a data key has.
fn context(bucket: &Bucket, key: &str, bucket_key: bool, more: &BTreeMap<String, String>) -> Document {
    let arn = if bucket_key {
        bucket.arn()
    } else {
        bucket.object_arn(key)
    };
    let own = (ARN.to_owned(), Document::String(arn));
    let more = more
        .iter()
        .map(|(key, value)| (key.clone(), Document::String(value.clone())));
    Document::Map(std::iter::once(own).chain(more).collect())
}

/// Refuses callers who signed nothing: KMS has no caller to judge then.
fn expect_signed(call: &Call<'_>) -> Result<()> {
    if !locate::anonymous(call) {
        return Ok(());
    }
    Err(invalid_argument(
        "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
        "Authorization",
        "null",
    ))
}

/// A data key for new contents, in clear, and what is kept of it.
pub(super) fn make(
    call: &mut Call<'_>,
    bucket: &Bucket,
    key: &str,
    mode: KmsMode,
) -> Result<(Secret, UnderKms)> {
    expect_signed(call)?;
    let named = mode.key.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned());
    let place = format!("{}\0{named}\0{:?}", bucket.name, mode.context);
    if mode.bucket_key
        && let Some(made) = call.recall::<Made>(MADE, place.as_bytes())
    {
        return Ok((made.plain.clone(), made.under.clone()));
    }
    let input = Document::Structure(vec![
        (
            "EncryptionContext",
            context(bucket, key, mode.bucket_key, &mode.context),
        ),
        ("KeyId", Document::String(named)),
        ("KeySpec", Document::String("AES_256".to_owned())),
    ]);
    let answer = call
        .invoke(BY, "kms", "GenerateDataKey", input)
        .map_err(refused)?;
    let plain = Secret::new(bytes(&answer, "Plaintext")?);
    let under = UnderKms {
        key: named_key(&answer),
        data_key: Octets(bytes(&answer, "CiphertextBlob")?),
        bucket_key: mode.bucket_key,
        context: mode.context,
    };
    if under.bucket_key {
        let made = Made {
            plain: plain.clone(),
            under: under.clone(),
        };
        let until = Timestamp(call.now.0.saturating_add(BUCKET_KEY_TIME));
        call.remember(MADE, place.as_bytes(), Arc::new(made), until);
    }
    Ok((plain, under))
}

/// A data key of our own, encrypted by KMS: what the role of a replication rule is allowed to ask for (S3 User Guide, "Replicating
/// encrypted objects").
pub(super) fn encrypt(
    call: &mut Call<'_>,
    bucket: &Bucket,
    key: &str,
    (named, bucket_key, more): (String, bool, BTreeMap<String, String>),
) -> Result<(Secret, UnderKms)> {
    let plain = crypto::random::bytes(call.random(), DATA_KEY_BYTES).map_err(Fault::internal)?;
    let input = Document::Structure(vec![
        ("EncryptionContext", context(bucket, key, bucket_key, &more)),
        ("KeyId", Document::String(named)),
        ("Plaintext", Document::Blob(plain.expose().to_vec())),
    ]);
    let answer = call.invoke(BY, "kms", "Encrypt", input).map_err(refused)?;
    let under = UnderKms {
        key: answer
            .member("KeyId")
            .and_then(Document::as_str)
            .unwrap_or_default()
            .to_owned(),
        data_key: Octets(bytes(&answer, "CiphertextBlob")?),
        bucket_key,
        context: more,
    };
    Ok((plain, under))
}

/// The data key of contents that there are.
pub(super) fn open(call: &mut Call<'_>, bucket: &Bucket, key: &str, under: &UnderKms) -> Result<Secret> {
    expect_signed(call)?;
    let place = crypto::digest::sha256(&under.data_key.0);
    if under.bucket_key
        && let Some(opened) = call.recall::<Secret>(OPENED, &place)
    {
        return Ok((*opened).clone());
    }
    let input = Document::Structure(vec![
        ("CiphertextBlob", Document::Blob(under.data_key.0.clone())),
        (
            "EncryptionContext",
            context(bucket, key, under.bucket_key, &under.context),
        ),
    ]);
    let answer = call.invoke(BY, "kms", "Decrypt", input).map_err(refused)?;
    let plain = Secret::new(bytes(&answer, "Plaintext")?);
    if under.bucket_key {
        let until = Timestamp(call.now.0.saturating_add(BUCKET_KEY_TIME));
        call.remember(OPENED, &place, Arc::new(plain.clone()), until);
    }
    Ok(plain)
}

/// A data key as KMS encrypts it anew under another key, without showing it; its context is then the object's or the bucket's alone.
pub(super) fn renew(
    call: &mut Call<'_>,
    bucket: &Bucket,
    key: &str,
    under: &UnderKms,
    to: &model::SSEKMSEncryption,
) -> Result<UnderKms> {
    let bucket_key = to.bucket_key_enabled.unwrap_or(false);
    let input = Document::Structure(vec![
        ("CiphertextBlob", Document::Blob(under.data_key.0.clone())),
        ("DestinationKeyId", Document::String(to.kms_key_arn.clone())),
        (
            "SourceEncryptionContext",
            context(bucket, key, under.bucket_key, &under.context),
        ),
        (
            "DestinationEncryptionContext",
            context(bucket, key, bucket_key, &BTreeMap::new()),
        ),
    ]);
    let answer = call.invoke(BY, "kms", "ReEncrypt", input).map_err(refused)?;
    Ok(UnderKms {
        key: named_key(&answer),
        data_key: Octets(bytes(&answer, "CiphertextBlob")?),
        bucket_key,
        context: BTreeMap::new(),
    })
}

fn named_key(answer: &Document) -> String {
    let named = answer.member("KeyId").and_then(Document::as_str);
    named.unwrap_or_default().to_owned()
}

fn bytes(answer: &Document, member: &str) -> Result<Vec<u8>> {
    match answer.member(member) {
        Some(Document::Blob(bytes)) => Ok(bytes.clone()),
        _ => Err(Fault::internal(format!("KMS answered without {member}"))),
    }
}

/// What KMS refused, as S3 answers it: a denial stays one, any other code gets KMS's name before it (`KMS.DisabledException`).
fn refused(fault: Fault) -> Fault {
    let code = match &fault.code {
        Code::Modeled {
            code, status: 400, ..
        } => *code,
        Code::Common(Common::Validation) => "ValidationException",
        _ => return fault,
    };
    Fault {
        code: Code::Plain {
            code: Cow::Owned(format!("KMS.{code}")),
            status: 400,
            side: Side::Sender,
        },
        members: Vec::new(),
        ..fault
    }
}
