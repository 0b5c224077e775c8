//! Changes of a secret: its description, its key, its value.

use api::secretsmanager as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::create::{expect_none, key_conditions};
use super::cross_account;
use super::naming::resolve;
use super::secret::{CURRENT, SecretTarget, to_change};
use super::value;

/// Changes what the request names and leaves the rest. A value becomes a new current version; another key encrypts the labelled
/// versions anew.
pub struct UpdateSecret;

impl Operation for UpdateSecret {
    type Input = model::UpdateSecretRequest;
    type Output = model::UpdateSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:UpdateSecret");
    const CONDITIONS: &'static [&'static str] = &[
        "secretsmanager:Description",
        "secretsmanager:KmsKeyArn",
        "secretsmanager:KmsKeyId",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(description) = &input.description {
            context.insert("secretsmanager:Description", description.clone());
        }
        key_conditions(input.kms_key_id.as_ref(), context);
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_own(call)?;
        cross_account::expect_update(&secret, &input)?;
        expect_none("Type", input.r#type.is_some())?;
        let plain = value::given(input.secret_string, input.secret_binary)?;
        let mut secret = to_change(&secret);
        let mut changed = false;
        if input.description.is_some() && input.description != secret.description {
            secret.description = input.description;
            changed = true;
        }
        if let Some(key) = input.kms_key_id {
            let key = Some(key).filter(|key| !key.is_empty());
            if key != secret.kms_key {
                secret.kms_key = key;
                value::encrypt_again(call, &mut secret)?;
                changed = true;
            }
        }
        let version_id = match plain {
            Some(plain) => {
                let id = value::expect_token(input.client_request_token)?;
                changed |= value::add(call, &mut secret, &id, &plain, &[CURRENT.to_owned()])?;
                Some(id)
            }
            None => None,
        };
        let answer = model::UpdateSecretResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
            version_id,
        };
        // The same request again, or one that names nothing, leaves the secret as it is.
        if changed {
            secret.changed = call.now.0;
            secret.keep(call)?;
        }
        Ok(answer)
    }
}
