//! What is known of a secret, without its values.

use api::secretsmanager as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::naming::resolve;
use super::secret::SecretTarget;

/// Shows a secret's metadata.
pub struct DescribeSecret;

impl Operation for DescribeSecret {
    type Input = model::DescribeSecretRequest;
    type Output = model::DescribeSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::read("secretsmanager:DescribeSecret");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        Ok(model::DescribeSecretResponse {
            arn: Some(secret.arn()),
            created_date: Some(Timestamp(secret.created)),
            deleted_date: secret.shown_deletion(),
            description: secret.description.clone(),
            kms_key_id: secret.kms_key.clone(),
            last_accessed_date: secret.accessed.map(Timestamp),
            last_changed_date: Some(Timestamp(secret.changed)),
            name: Some(secret.name.clone()),
            tags: Some(secret.shown_tags()).filter(|tags| !tags.is_empty()),
            version_ids_to_stages: secret.shown_stages(),
            ..model::DescribeSecretResponse::default()
        })
    }
}
