//! A function's variables, encrypted under KMS (Lambda Developer Guide, "Securing Lambda environment variables").
//!
//! Under the customer's key the caller needs `kms:Encrypt` and `kms:CreateGrant`: the grant lets the execution role, through Lambda and for
//! this function alone, decrypt the variables when the function runs. AWS's own key lets everyone in the account do so through Lambda.
//!
//! Invariant: variables are in clear only between a caller's request or KMS's answer and their use.

use std::collections::BTreeMap;

use api::lambda as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use wire::fault::{Code, Common};
use wire::{Document, Fault};

use super::fault::invalid;
use super::function::{Configuration, Function, PRINCIPAL};
use super::role::Session;

/// The key of functions that name none.
const DEFAULT_KEY: &str = "alias/aws/lambda";

/// Variables as KMS encrypted them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// In base64.
    ciphertext: String,
}

impl Sealed {
    /// The ARN of the key that encrypted them.
    pub(crate) fn key(&self, region: &str) -> Option<String> {
        let blob = STANDARD.decode(&self.ciphertext).ok()?;
        let ciphertext = crypto::kms::Ciphertext::parse(&blob).ok()?;
        let (account, id) = (ciphertext.key().account(), ciphertext.key().key_id());
        Some(format!("arn:aws:kms:{region}:{account}:key/{id}"))
    }
}

/// A grant of KMS that was made for a function.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// As the function named it.
    key: String,
    id: String,
}

/// Encrypts the variables of a function as the caller, and lets its role decrypt them; `granted` learns of the grant.
pub(crate) fn seal(
    call: &mut Call<'_>,
    (function_arn, role): (&str, &str),
    key: Option<&str>,
    variables: &BTreeMap<String, String>,
    granted: &mut Vec<Granted>,
) -> Result<Option<Sealed>> {
    if variables.is_empty() {
        return Ok(None);
    }
    let clear = serde_json::to_vec(variables).map_err(Fault::internal)?;
    let input = Document::Structure(vec![
        ("EncryptionContext", context(function_arn)),
        ("KeyId", Document::String(key.unwrap_or(DEFAULT_KEY).to_owned())),
        ("Plaintext", Document::Blob(clear)),
    ]);
    let made = call
        .invoke(PRINCIPAL, "kms", "Encrypt", input)
        .map_err(|fault| not_configured(&fault))?;
    let Some(Document::Blob(ciphertext)) = made.member("CiphertextBlob") else {
        return Err(Fault::internal("KMS answered without a ciphertext"));
    };
    let sealed = Sealed {
        ciphertext: STANDARD.encode(ciphertext),
    };
    if let Some(key) = key {
        granted.push(grant(call, function_arn, role, key)?);
    }
    Ok(Some(sealed))
}

/// Lets a role decrypt the variables of a function under the customer's key.
pub(crate) fn grant(call: &mut Call<'_>, function_arn: &str, role: &str, key: &str) -> Result<Granted> {
    let bound = Document::Structure(vec![("EncryptionContextEquals", context(function_arn))]);
    let input = Document::Structure(vec![
        ("Constraints", bound),
        ("GranteePrincipal", Document::String(role.to_owned())),
        ("KeyId", Document::String(key.to_owned())),
        (
            "Operations",
            Document::List(vec![Document::String("Decrypt".to_owned())]),
        ),
        ("RetiringServicePrincipal", Document::String(PRINCIPAL.to_owned())),
    ]);
    let made = call
        .invoke(PRINCIPAL, "kms", "CreateGrant", input)
        .map_err(|fault| not_configured(&fault))?;
    let id = made.member("GrantId").and_then(Document::as_str);
    let id = id.ok_or_else(|| Fault::internal("KMS answered without a grant"))?;
    Ok(Granted {
        key: key.to_owned(),
        id: id.to_owned(),
    })
}

/// Retires the oldest `count` grants of a function, as Lambda may without anybody's leave.
pub(crate) fn retire(call: &mut Call<'_>, function: &mut Function, count: usize) -> Result<()> {
    let (arn, account) = (function.arn(None), function.account.clone());
    for granted in function.grants.drain(..count) {
        let input = Document::Structure(vec![
            ("GrantId", Document::String(granted.id)),
            ("KeyId", Document::String(granted.key)),
        ]);
        let retired = call.within(&account, |call| {
            call.invoke_as_service(PRINCIPAL, Some(&arn), "kms", "RetireGrant", input)
        });
        // One that was revoked, or went with its key, is not there to be retired.
        if let Err(fault) = retired
            && !matches!(fault.code, Code::Modeled { .. })
        {
            return Err(fault);
        }
    }
    Ok(())
}

/// The variables as an answer shows them: those who may not use the key learn that.
pub(crate) fn shown(
    call: &mut Call<'_>,
    function: &Function,
    configuration: &Configuration,
) -> Result<Option<model::EnvironmentResponse>> {
    let Some(sealed) = &configuration.environment else {
        return Ok(None);
    };
    let input = opening(&function.arn(None), sealed)?;
    match call.invoke(PRINCIPAL, "kms", "Decrypt", input) {
        Ok(answer) => Ok(Some(model::EnvironmentResponse {
            error: None,
            variables: Some(variables(&answer)?),
        })),
        Err(fault) => {
            let (code, message) = words(&fault);
            let error = model::EnvironmentError {
                error_code: Some(code.to_owned()),
                message: Some(message),
            };
            Ok(Some(model::EnvironmentResponse {
                error: Some(error),
                variables: None,
            }))
        }
    }
}

/// The variables, decrypted as the caller, to be encrypted under another key.
pub(crate) fn of_caller(
    call: &mut Call<'_>,
    function: &Function,
    configuration: &Configuration,
) -> Result<BTreeMap<String, String>> {
    let Some(sealed) = &configuration.environment else {
        return Ok(BTreeMap::new());
    };
    let input = opening(&function.arn(None), sealed)?;
    let answer = call
        .invoke(PRINCIPAL, "kms", "Decrypt", input)
        .map_err(|fault| invalid(words(&fault).1))?;
    variables(&answer)
}

/// The variables for a run, decrypted as the execution role.
pub(crate) fn opened(
    call: &mut Call<'_>,
    function: &Function,
    configuration: &Configuration,
    session: &Session,
) -> Result<Vec<(String, crypto::Secret)>> {
    let Some(sealed) = &configuration.environment else {
        return Ok(Vec::new());
    };
    let input = opening(&function.arn(None), sealed)?;
    let answer = call
        .invoke_as_session(PRINCIPAL, session.credential(), "kms", "Decrypt", input)
        .map_err(|fault| {
            let (code, message) = words(&fault);
            match code {
                "AccessDeniedException" => model::fault::kms_access_denied_exception(message),
                "DisabledException" => model::fault::kms_disabled_exception(message),
                "NotFoundException" => model::fault::kms_not_found_exception(message),
                _ => model::fault::kms_invalid_state_exception(message),
            }
        })?;
    let variables = variables(&answer)?.into_iter();
    Ok(variables
        .map(|(name, value)| (name, crypto::Secret::new(value.into_bytes())))
        .collect())
}

fn opening(function_arn: &str, sealed: &Sealed) -> Result<Document> {
    let ciphertext = STANDARD.decode(&sealed.ciphertext).map_err(Fault::internal)?;
    Ok(Document::Structure(vec![
        ("CiphertextBlob", Document::Blob(ciphertext)),
        ("EncryptionContext", context(function_arn)),
    ]))
}

fn variables(answer: &Document) -> Result<BTreeMap<String, String>> {
    match answer.member("Plaintext") {
        Some(Document::Blob(clear)) => serde_json::from_slice(clear).map_err(Fault::internal),
        _ => Err(Fault::internal("KMS answered without a plaintext")),
    }
}

fn context(function_arn: &str) -> Document {
    Document::Map(vec![(
        "aws:lambda:FunctionArn".to_owned(),
        Document::String(function_arn.to_owned()),
    )])
}

/// KMS's code, and why variables could not be decrypted, in AWS's words.
fn words(fault: &Fault) -> (&str, String) {
    let denied = "AccessDeniedException";
    let (code, why) = match &fault.code {
        Code::Common(Common::AccessDenied) => {
            (denied, "KMS access was denied. Please check your KMS permissions")
        }
        Code::Modeled { shape, .. } => (
            *shape,
            match *shape {
                "DisabledException" => "the KMS key used is disabled. Please check your KMS key settings",
                "NotFoundException" => "the KMS key was not found. Please check your KMS key settings",
                _ => {
                    "the state of the KMS key used is not valid for Decrypt. Please check your KMS key settings"
                }
            },
        ),
        _ => ("InternalFailure", "KMS could not be asked. Please try again"),
    };
    let told = &fault.message;
    let message = format!(
        "Lambda was unable to decrypt the environment variables because {why}. KMS Exception: {code} KMS Message: {told}"
    );
    (code, message)
}

fn not_configured(fault: &Fault) -> Fault {
    let code = words(fault).0.to_owned();
    invalid(format!(
        "Lambda was unable to configure access to your environment variables because the KMS key is invalid for CreateGrant. Please check \
         your KMS key settings. KMS Exception: {code} KMS Message: {}",
        fault.message
    ))
}
