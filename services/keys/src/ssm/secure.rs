//! Values of `SecureString`: encrypted and decrypted by KMS in the caller's name, bound to the parameter's ARN (KMS Developer
//! Guide, "How AWS Systems Manager Parameter Store uses AWS KMS"; S10.3).
//!
//! Invariant: a value is in clear only in the request that brings it and the answer that carries it.

use std::collections::BTreeMap;

use api::kms as keys;
use api::ssm::ParameterType;
use api::ssm::fault::invalid_key_id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Secret, envelope};
use pipeline::{Call, Result};
use wire::fault::Code;
use wire::typed::Blob;
use wire::{Fault, FromDocument, IntoDocument};

use crate::ssm::parameter::{Stored, Version};

/// The key of `SecureString` parameters that name none: the account's AWS managed key for Systems Manager.
pub(crate) const DEFAULT_KEY: &str = "alias/aws/ssm";
/// Who asks KMS in the caller's name.
const SERVICE: &str = "ssm.amazonaws.com";

/// The encryption context of a parameter's values.
fn context(arn: &str) -> Option<BTreeMap<String, String>> {
    Some(BTreeMap::from([("PARAMETER_ARN".to_owned(), arn.to_owned())]))
}

/// How a value of the version is kept: as it is, or encrypted under the version's key.
pub(crate) fn store(call: &mut Call<'_>, arn: &str, version: &Version, value: String) -> Result<Stored> {
    if version.kind() != ParameterType::SecureString {
        return Ok(Stored::Clear(value));
    }
    let key_id = version.key_id.clone().unwrap_or_else(|| DEFAULT_KEY.to_owned());
    let value = Secret::new(value.into_bytes());
    if version.advanced {
        let request = keys::GenerateDataKeyRequest {
            key_id,
            key_spec: Some(keys::DataKeySpec::Aes256),
            encryption_context: context(arn),
            ..keys::GenerateDataKeyRequest::default()
        };
        let answer: keys::GenerateDataKeyResponse = ask(call, "GenerateDataKey", request)?;
        let (Some(Blob(plain)), Some(Blob(key))) = (answer.plaintext, answer.ciphertext_blob) else {
            return Err(Fault::internal("KMS made no data key"));
        };
        let plain = Secret::new(plain);
        let value = envelope::seal(&plain, arn.as_bytes(), value.expose()).map_err(Fault::internal)?;
        return Ok(Stored::Enveloped { key, value });
    }
    let request = keys::EncryptRequest {
        key_id,
        plaintext: Blob(value.expose().to_vec()),
        encryption_context: context(arn),
        ..keys::EncryptRequest::default()
    };
    let answer: keys::EncryptResponse = ask(call, "Encrypt", request)?;
    match answer.ciphertext_blob {
        Some(Blob(ciphertext)) => Ok(Stored::Encrypted(ciphertext)),
        None => Err(Fault::internal("KMS encrypted nothing")),
    }
}

/// The value of a version as an answer shows it: decrypted if asked, else the ciphertext in Base64.
pub(crate) fn show(
    call: &mut Call<'_>,
    arn: &str,
    version: Version,
    decrypt: Option<bool>,
) -> Result<String> {
    let decrypt = decrypt.unwrap_or(false);
    match version.value {
        Stored::Clear(value) => Ok(value),
        Stored::Encrypted(ciphertext) if decrypt => {
            let plain = open(call, arn, ciphertext)?;
            plain.expose_text().map(str::to_owned).map_err(Fault::internal)
        }
        Stored::Enveloped { key, value } if decrypt => {
            let key = open(call, arn, key)?;
            let plain = envelope::open(&key, arn.as_bytes(), &value).map_err(Fault::internal)?;
            plain.expose_text().map(str::to_owned).map_err(Fault::internal)
        }
        Stored::Encrypted(ciphertext) => Ok(STANDARD.encode(ciphertext)),
        Stored::Enveloped { key, value } => Ok(STANDARD.encode([key, value].concat())),
    }
}

fn open(call: &mut Call<'_>, arn: &str, ciphertext: Vec<u8>) -> Result<Secret> {
    let request = keys::DecryptRequest {
        ciphertext_blob: Some(Blob(ciphertext)),
        encryption_context: context(arn),
        ..keys::DecryptRequest::default()
    };
    let answer: keys::DecryptResponse = ask(call, "Decrypt", request)?;
    match answer.plaintext {
        Some(Blob(plain)) => Ok(Secret::new(plain)),
        None => Err(Fault::internal("KMS decrypted nothing")),
    }
}

/// Runs an operation of KMS as the caller. What KMS refuses for the key's sake is the request's `InvalidKeyId`; a denial stays one.
fn ask<T: FromDocument>(
    call: &mut Call<'_>,
    operation: &'static str,
    request: impl IntoDocument,
) -> Result<T> {
    let answer = call.invoke(SERVICE, "kms", operation, request.into_document());
    let answer = answer.map_err(|fault| match &fault.code {
        Code::Modeled {
            code, status: 400, ..
        } => invalid_key_id(format!(
            "{} (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: {})",
            fault.message, call.request.id
        )),
        _ => fault,
    })?;
    T::from_document(answer).map_err(Fault::internal)
}
