//! References to secrets: names under a reserved path that read a secret of Secrets Manager through Parameter Store (Systems Manager
//! User Guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters").
//!
//! Invariant: nothing of a secret is kept here; whoever reads it so may read the parameter of that name and the secret.

use api::secretsmanager as secrets;
use api::ssm as model;
use api::ssm::fault::parameter_not_found;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Call, Result};
use serde_json::json;
use wire::fault::Code;
use wire::{Fault, FromDocument, IntoDocument};

/// What such names begin with.
const ROOT: &str = "/aws/reference/secretsmanager/";
/// Who asks Secrets Manager in the caller's name.
const SERVICE: &str = "ssm.amazonaws.com";
/// Characters of the id of a version, which tells it from a staging label (Secrets Manager API Reference, `GetSecretValue`).
const VERSION_ID: std::ops::RangeInclusive<usize> = 32..=64;

/// A secret as a name refers to it.
pub(crate) struct Reference {
    /// The whole name without the selector.
    pub(crate) name: String,
    secret: String,
    /// The id or a label of a version.
    selector: Option<String>,
}

impl Reference {
    /// Reads a name; `None` if it refers to no secret.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        let rest = text.strip_prefix(ROOT)?;
        let (secret, selector) = match rest.split_once(':') {
            Some((secret, selector)) => (secret, Some(selector.to_owned())),
            None => (rest, None),
        };
        Some(Self {
            name: format!("{ROOT}{secret}"),
            secret: secret.to_owned(),
            selector,
        })
    }

    /// Refuses what can be no reference, and to show a secret without decrypting it.
    fn expect_readable(&self, decrypt: Option<bool>) -> Result<()> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let readable = |selector: &String| !selector.is_empty() && selector.bytes().all(fits);
        if self.secret.is_empty() || !self.selector.as_ref().is_none_or(readable) {
            return Err(Fault::validation(
                "Invalid parameter name. Please use correct syntax for referencing a version/label  <name>:<version/label>",
            ));
        }
        if decrypt == Some(true) {
            return Ok(());
        }
        Err(Fault::validation(
            "WithDecryption flag must be True for retrieving a Secret Manager secret.",
        ))
    }

    /// Reads the secret as the caller, and shows it as a parameter.
    pub(crate) fn read(&self, call: &mut Call<'_>, decrypt: Option<bool>) -> Result<model::Parameter> {
        self.expect_readable(decrypt)?;
        let answer = self.ask(call)?;
        let binary = answer.secret_binary.map(|bytes| STANDARD.encode(bytes.0));
        let mut source = json!({
            "ARN": answer.arn,
            "Name": answer.name,
            "VersionId": answer.version_id,
            "VersionStages": answer.version_stages.unwrap_or_default(),
        });
        if let Some(members) = source.as_object_mut() {
            for (member, value) in [("SecretString", &answer.secret_string), ("SecretBinary", &binary)] {
                if let Some(value) = value {
                    members.insert(member.to_owned(), json!(value));
                }
            }
            if let Some(created) = answer.created_date {
                members.insert("CreatedDate".to_owned(), seconds(created.0));
            }
        }
        Ok(model::Parameter {
            name: Some(self.name.clone()),
            selector: self.selector.as_ref().map(|selector| format!(":{selector}")),
            r#type: Some(model::ParameterType::SecureString),
            version: Some(0),
            last_modified_date: answer.created_date,
            data_type: Some("text".to_owned()),
            value: answer.secret_string.or(binary),
            arn: answer.arn,
            source_result: Some(source.to_string()),
        })
    }

    fn ask(&self, call: &mut Call<'_>) -> Result<secrets::GetSecretValueResponse> {
        let wanted = |id: Option<&String>, stage: Option<&String>| secrets::GetSecretValueRequest {
            secret_id: self.secret.clone(),
            version_id: id.cloned(),
            version_stage: stage.cloned(),
        };
        let selector = self.selector.as_ref();
        let id = selector.filter(|selector| VERSION_ID.contains(&selector.len()));
        let first = match id {
            Some(id) => wanted(Some(id), None),
            None => wanted(None, selector),
        };
        let mut answer = self.get(call, first);
        if id.is_some() && matches!(&answer, Err(fault) if is_absent(fault)) {
            // A label may be as long as an id.
            answer = self.get(call, wanted(None, selector));
        }
        let answer = answer.map_err(|fault| {
            if !is_absent(&fault) {
                return fault;
            }
            let selector = selector.map(|selector| format!(":{selector}")).unwrap_or_default();
            parameter_not_found(format!(
                "An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {}{selector} not found.",
                self.name
            ))
        })?;
        secrets::GetSecretValueResponse::from_document(answer).map_err(Fault::internal)
    }

    fn get(&self, call: &mut Call<'_>, request: secrets::GetSecretValueRequest) -> Result<wire::Document> {
        call.invoke(
            SERVICE,
            "secretsmanager",
            "GetSecretValue",
            request.into_document(),
        )
    }
}

fn is_absent(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::Modeled {
            shape: "ResourceNotFoundException",
            ..
        }
    )
}

/// Seconds since the epoch, with milliseconds behind the point.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this age have fewer than 53 bits"
)]
fn seconds(millis: i64) -> serde_json::Value {
    json!(millis as f64 / 1000.0)
}
