//! The list of an account's secrets in a region.

use api::secretsmanager as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::filter::Filters;
use super::page::{self, Order};
use super::place::Walk;
use super::rotation::Rotation;
use super::secret::Secret;

/// What it takes to list secrets, also as a part of `BatchGetSecretValue`.
pub(crate) const LIST: Access = Access::list("secretsmanager:ListSecrets");
/// Lists secrets, without their values.
pub struct ListSecrets;

impl Operation for ListSecrets {
    type Input = model::ListSecretsRequest;
    type Output = model::ListSecretsResponse;
    type Target = AccountScope;
    const ACCESS: Access = LIST;

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let filters = Filters::read(input.filters)?;
        let leaving = input.include_planned_deletion == Some(true);
        let by = input.sort_by.unwrap_or(model::SortByType::CreatedDate);
        // Without an order the newest come first.
        let order = match input.sort_order {
            Some(model::SortOrderType::Asc) => Order::Ascending,
            _ => Order::Descending,
        };
        let told = format!(
            "ListSecrets {leaving} {} {} {}",
            by.as_str(),
            order == Order::Ascending,
            filters.told()
        );
        let walk = Walk {
            told,
            by,
            order,
            token: input.next_token.as_deref(),
            limit: page::size(input.max_results, 100),
        };
        let accept = |secret: &Secret| (leaving || secret.deletion.is_none()) && filters.accept(secret);
        let (secrets, next_token) = walk.take(call, accept)?;
        Ok(model::ListSecretsResponse {
            next_token,
            secret_list: Some(secrets.iter().map(|secret| entry(secret)).collect()),
        })
    }
}

fn entry(secret: &Secret) -> model::SecretListEntry {
    let rotation = secret.rotation.as_ref();
    model::SecretListEntry {
        arn: Some(secret.arn()),
        created_date: Some(Timestamp(secret.created)),
        deleted_date: secret.shown_deletion(),
        description: secret.description.clone(),
        kms_key_id: secret.kms_key.clone(),
        last_accessed_date: secret.accessed.map(Timestamp),
        last_changed_date: Some(Timestamp(secret.changed)),
        name: Some(secret.name.clone()),
        secret_versions_to_stages: secret.shown_stages(),
        tags: Some(secret.shown_tags()).filter(|tags| !tags.is_empty()),
        last_rotated_date: rotation.and_then(Rotation::shown_last),
        next_rotation_date: rotation.and_then(Rotation::shown_next),
        owning_service: secret.owner.clone(),
        primary_region: secret.shown_primary(),
        rotation_enabled: rotation.map(|rotation| rotation.enabled),
        rotation_lambda_arn: rotation.map(|rotation| rotation.lambda.clone()),
        rotation_rules: rotation.and_then(Rotation::shown_rules),
        ..model::SecretListEntry::default()
    }
}
