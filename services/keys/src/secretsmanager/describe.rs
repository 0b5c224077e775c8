//! What is known of a secret, without its values.

use api::secretsmanager as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::cross_account;
use super::naming::resolve;
use super::replica;
use super::rotation::Rotation;
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
        let rotation = secret.rotation.as_ref();
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
            last_rotated_date: rotation.and_then(Rotation::shown_last),
            next_rotation_date: rotation.and_then(Rotation::shown_next),
            owning_service: secret.owner.clone(),
            cross_account_primary: cross_account::shown_primary(&secret),
            cross_account_replicas: cross_account::shown_replicas(&secret),
            primary_region: secret.shown_primary(),
            replication_status: replica::shown(call, &secret)?,
            rotation_enabled: rotation.map(|rotation| rotation.enabled),
            rotation_lambda_arn: rotation.map(|rotation| rotation.lambda.clone()),
            rotation_rules: rotation.and_then(Rotation::shown_rules),
            ..model::DescribeSecretResponse::default()
        })
    }
}
