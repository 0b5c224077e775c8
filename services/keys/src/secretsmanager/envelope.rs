//! The encryption of values: a data key of KMS for each version, asked for in the caller's name (S11.9, S11.10).
//!
//! KMS judges the caller by the key's policy and the caller's own; the secret's ARN and the version's id are the encryption context
//! (Secrets Manager User Guide, "Secret encryption and decryption in AWS Secrets Manager").
//!
//! Invariant: the data key is in clear only while a value is sealed or opened.

use api::secretsmanager::fault::{decryption_failure, encryption_failure, invalid_request_exception};
use pipeline::{Call, Result};
use wire::fault::{Code, Common};
use wire::{Document, Fault};

use super::secret::Secret;

/// The service in whose name KMS is called, for `kms:ViaService`.
pub(crate) const BY: &str = "secretsmanager.amazonaws.com";
/// The key of secrets that name none: AWS's own, which KMS makes ready when it is asked for it.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";

/// What stands for the version where KMS is only asked whether the key can be used (User Guide, "Secret encryption and decryption").
const NO_VERSION: &str = "RequestToValidateKeyAccess";
/// Bytes of a data key.
const DATA_KEY: usize = 32;

/// A value as it is kept.
#[derive(Clone)]
pub(crate) struct Sealed {
    /// The data key, as KMS encrypted it.
    pub(crate) data_key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Encrypts a value under a new data key of the secret's key.
pub(crate) fn seal(call: &mut Call<'_>, secret: &Secret, version: &str, clear: &[u8]) -> Result<Sealed> {
    let key = key(call, secret)?;
    let input = Document::Structure(vec![
        ("EncryptionContext", context(secret, version)),
        ("KeyId", Document::String(key)),
        ("KeySpec", Document::String("AES_256".to_owned())),
    ]);
    let made = call
        .invoke(BY, "kms", "GenerateDataKey", input)
        .map_err(|fault| refused(fault, cannot_encrypt))?;
    let (data_key, clear_key) = (
        bytes(&made, "CiphertextBlob")?,
        crypto::Secret::new(bytes(&made, "Plaintext")?),
    );
    let value =
        crypto::envelope::seal(&clear_key, &bound(secret, version), clear).map_err(Fault::internal)?;
    Ok(Sealed { data_key, value })
}

/// The same value with its data key encrypted under the secret's present key; `None` if the caller may not encrypt under that (API
/// Reference, `UpdateSecret`: then it stays under the key that it was under).
pub(crate) fn seal_again(
    call: &mut Call<'_>,
    secret: &Secret,
    version: &str,
    sealed: &Sealed,
) -> Result<Option<Sealed>> {
    let clear_key = data_key(call, secret, version, sealed)?;
    let input = Document::Structure(vec![
        ("EncryptionContext", context(secret, version)),
        ("KeyId", Document::String(key(call, secret)?)),
        ("Plaintext", Document::Blob(clear_key.expose().to_vec())),
    ]);
    match call.invoke(BY, "kms", "Encrypt", input) {
        Ok(made) => Ok(Some(Sealed {
            data_key: bytes(&made, "CiphertextBlob")?,
            value: sealed.value.clone(),
        })),
        Err(Fault {
            code: Code::Common(Common::AccessDenied),
            ..
        }) => Ok(None),
        Err(fault) => Err(refused(fault, cannot_encrypt)),
    }
}

/// Asks KMS for an operation in somebody's name.
pub(crate) type Ask<'a> = &'a dyn Fn(&mut Call<'_>, &str, Document) -> Result<Document>;

/// The same value as another secret's: opened, and sealed for that secret under the same data key, which is encrypted under its key.
pub(crate) fn carry(
    call: &mut Call<'_>,
    ask: Ask<'_>,
    (from, to): (&Secret, &Secret),
    version: &str,
    sealed: &Sealed,
) -> Result<Sealed> {
    let input = Document::Structure(vec![
        ("CiphertextBlob", Document::Blob(sealed.data_key.clone())),
        ("EncryptionContext", context(from, version)),
    ]);
    let made = ask(call, "Decrypt", input).map_err(|fault| refused(fault, cannot_decrypt))?;
    let clear_key = crypto::Secret::new(bytes(&made, "Plaintext")?);
    let clear = crypto::envelope::open(&clear_key, &bound(from, version), &sealed.value);
    let clear = clear.map_err(Fault::internal)?;
    let value = crypto::envelope::seal(&clear_key, &bound(to, version), clear.expose());
    let value = value.map_err(Fault::internal)?;
    let input = Document::Structure(vec![
        ("EncryptionContext", context(to, version)),
        ("KeyId", Document::String(key(call, to)?)),
        ("Plaintext", Document::Blob(clear_key.expose().to_vec())),
    ]);
    let made = ask(call, "Encrypt", input).map_err(|fault| refused(fault, cannot_encrypt))?;
    Ok(Sealed {
        data_key: bytes(&made, "CiphertextBlob")?,
        value,
    })
}

/// Asks whether a value could be encrypted for a secret, without one.
pub(crate) fn try_encrypt(call: &mut Call<'_>, ask: Ask<'_>, secret: &Secret) -> Result<()> {
    let input = Document::Structure(vec![
        ("DryRun", Document::Boolean(true)),
        ("EncryptionContext", context(secret, NO_VERSION)),
        ("KeyId", Document::String(key(call, secret)?)),
        ("Plaintext", Document::Blob(vec![0; DATA_KEY])),
    ]);
    match ask(call, "Encrypt", input) {
        Err(Fault {
            code:
                Code::Modeled {
                    shape: "DryRunOperationException",
                    ..
                },
            ..
        }) => Ok(()),
        Ok(_) => Err(Fault::internal("KMS did what it was only to try")),
        Err(fault) => Err(refused(fault, cannot_encrypt)),
    }
}

/// Decrypts a value.
pub(crate) fn open(
    call: &mut Call<'_>,
    secret: &Secret,
    version: &str,
    sealed: &Sealed,
) -> Result<crypto::Secret> {
    let clear_key = data_key(call, secret, version, sealed)?;
    crypto::envelope::open(&clear_key, &bound(secret, version), &sealed.value).map_err(Fault::internal)
}

/// Decrypts the data key of a value.
fn data_key(call: &mut Call<'_>, secret: &Secret, version: &str, sealed: &Sealed) -> Result<crypto::Secret> {
    let input = Document::Structure(vec![
        ("CiphertextBlob", Document::Blob(sealed.data_key.clone())),
        ("EncryptionContext", context(secret, version)),
    ]);
    let made = call
        .invoke(BY, "kms", "Decrypt", input)
        .map_err(|fault| refused(fault, cannot_decrypt))?;
    Ok(crypto::Secret::new(bytes(&made, "Plaintext")?))
}

/// The key's name as KMS finds it for this caller: a stranger needs the ARN.
fn key(call: &Call<'_>, secret: &Secret) -> Result<String> {
    let own = secret.account == call.account();
    let Some(key) = &secret.kms_key else {
        expect_own_account(call, secret, None)?;
        return Ok(DEFAULT_KEY.to_owned());
    };
    if own || key.starts_with("arn:") {
        return Ok(key.clone());
    }
    let kind = if key.starts_with("alias/") { "" } else { "key/" };
    Ok(format!(
        "arn:aws:kms:{}:{}:{kind}{key}",
        secret.region, secret.account
    ))
}

/// Whether a secret's key, as it is named, is AWS's own.
pub(crate) fn is_aws_owned(key: &str) -> bool {
    key.rsplit_once("alias/")
        .is_some_and(|(_, name)| name.starts_with("aws/"))
}

/// AWS's own key serves its account only.
pub(crate) fn expect_own_account(call: &Call<'_>, secret: &Secret, key: Option<&str>) -> Result<()> {
    if key.is_some_and(|key| !key.ends_with(DEFAULT_KEY)) || secret.account == call.account() {
        return Ok(());
    }
    Err(invalid_request_exception(
        "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS service key.",
    ))
}

fn context(secret: &Secret, version: &str) -> Document {
    Document::Map(vec![
        ("SecretARN".to_owned(), Document::String(secret.arn())),
        ("SecretVersionId".to_owned(), Document::String(version.to_owned())),
    ])
}

/// What a value is bound to: it opens as no other version's.
fn bound(secret: &Secret, version: &str) -> Vec<u8> {
    format!("{}\n{version}", secret.arn()).into_bytes()
}

fn bytes(answer: &Document, member: &str) -> Result<Vec<u8>> {
    match answer.member(member) {
        Some(Document::Blob(bytes)) => Ok(bytes.clone()),
        _ => Err(Fault::internal(format!("KMS answered without {member}"))),
    }
}

fn cannot_encrypt() -> Fault {
    encryption_failure(
        "Secrets Manager can't encrypt the protected secret text using the provided KMS key. Check that the KMS key is available, \
         enabled, and not in an invalid state.",
    )
}

fn cannot_decrypt() -> Fault {
    decryption_failure("Secrets Manager can't decrypt the protected secret text using the provided KMS key.")
}

/// What KMS refused, as the caller of Secrets Manager may see it.
fn refused(fault: Fault, otherwise: fn() -> Fault) -> Fault {
    match fault.code {
        Code::Common(Common::AccessDenied) => Fault::access_denied("Access to KMS is not allowed"),
        Code::Modeled { status: 400, .. } | Code::Common(Common::Validation) => otherwise(),
        _ => fault,
    }
}
