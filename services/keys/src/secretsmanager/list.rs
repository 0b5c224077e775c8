//! The list of an account's secrets in a region.

use std::sync::Arc;

use api::secretsmanager as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::filter::Filters;
use super::page::{self, Order};
use super::secret::{SECRETS, Secret};

/// What it takes to list secrets, also as a part of `BatchGetSecretValue`.
pub(crate) const LIST: Access = Access::list("secretsmanager:ListSecrets");
/// Rows read at once.
const STRETCH: usize = 500;

/// All secrets that filters accept; those that are about to go only if asked for.
pub(crate) fn accepted(look: &mut Look<'_>, filters: &Filters, leaving: bool) -> Result<Vec<Arc<Secret>>> {
    let (account, region) = (look.account().to_owned(), look.region().to_owned());
    let prefix = (account.as_str(), region.as_str());
    let (mut accepted, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&SECRETS, &prefix, after.as_ref(), STRETCH)?;
        let more = rows.len() == STRETCH;
        after = rows.last().map(|(row, _)| row.clone());
        let secrets = rows.into_iter().map(|(_, secret)| secret);
        accepted.extend(
            secrets.filter(|secret| (leaving || secret.deletion.is_none()) && filters.accept(secret)),
        );
        if !more {
            return Ok(accepted);
        }
    }
}

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
        let secrets = accepted(call, &filters, leaving)?;
        let placed = secrets.into_iter().map(|secret| (place(by, &secret), secret));
        let list = format!(
            "ListSecrets {leaving} {} {} {}",
            by.as_str(),
            order == Order::Ascending,
            filters.told()
        );
        let asked = (input.next_token.as_deref(), page::size(input.max_results, 100));
        let (secrets, next_token) = page::take(call, &list, asked, order, placed.collect())?;
        Ok(model::ListSecretsResponse {
            next_token,
            secret_list: Some(secrets.iter().map(|secret| entry(secret)).collect()),
        })
    }
}

/// Where a secret stands; names tell those of one moment apart.
fn place(by: model::SortByType, secret: &Secret) -> String {
    let moment = match by {
        model::SortByType::CreatedDate => secret.created,
        model::SortByType::LastAccessedDate => secret.accessed.unwrap_or_default(),
        model::SortByType::LastChangedDate => secret.changed,
        model::SortByType::Name => return secret.name.clone(),
    };
    format!("{moment:020} {}", secret.name)
}

fn entry(secret: &Secret) -> model::SecretListEntry {
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
        ..model::SecretListEntry::default()
    }
}
