//! Secrets with their resource policies, for whoever asks who can reach them.

use pipeline::{Inventoried, Inventory, Look, Placed, ResourcePolicies, Result, Stretch};
use policy::Arn;

use super::naming::by_arn;
use super::secret::{SECRETS as ROWS, Secret};

/// The secrets of an account in a region.
pub static SECRETS: Inventory = Inventory {
    kind: "AWS::SecretsManager::Secret",
    service: "secretsmanager",
    page,
    find,
};

fn page(look: &mut Look<'_>, stretch: &Stretch<'_>) -> Result<Vec<Placed>> {
    let place = |name: &str| {
        (
            stretch.account.to_owned(),
            stretch.region.to_owned(),
            name.to_owned(),
        )
    };
    let after = stretch.after.map(place);
    let prefix = (stretch.account, stretch.region);
    let rows = look.range(&ROWS, &prefix, after.as_ref(), stretch.limit)?;
    rows.into_iter()
        .map(|((_, _, name), secret)| Ok((name, inventoried(&secret)?)))
        .collect()
}

fn find(look: &mut Look<'_>, arn: &Arn) -> Result<Option<Inventoried>> {
    let found = by_arn(look, arn.as_str())?;
    found.map(|secret| inventoried(&secret)).transpose()
}

fn inventoried(secret: &Secret) -> Result<Inventoried> {
    Ok(Inventoried {
        arn: secret.arn(),
        owner: secret.account.clone(),
        created: secret.created,
        policies: secret
            .attached()?
            .map_or(ResourcePolicies::None, ResourcePolicies::Policy),
        tags: secret.tags.clone().into_iter().collect(),
    })
}
