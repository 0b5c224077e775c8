//! Roles with their trust policies, for whoever asks who can put them on.

use std::sync::Arc;

use pipeline::{Inventoried, Inventory, Look, Placed, Resource, ResourcePolicies, Result, Stretch};
use policy::{Arn, Attached, Policy, PolicyKind};

use crate::iam::role::{ROLES as ROWS, Role, trust};

/// The roles of an account, which are in every region.
pub static ROLES: Inventory = Inventory {
    kind: Role::TYPE,
    service: "iam",
    page,
    find,
};

fn page(look: &mut Look<'_>, stretch: &Stretch<'_>) -> Result<Vec<Placed>> {
    let after = stretch
        .after
        .map(|name| (stretch.account.to_owned(), name.to_owned()));
    let rows = look.range(&ROWS, &(stretch.account,), after.as_ref(), stretch.limit)?;
    rows.into_iter()
        .map(|((_, name), role)| Ok((name, inventoried(look, &role)?)))
        .collect()
}

fn find(look: &mut Look<'_>, arn: &Arn) -> Result<Option<Inventoried>> {
    let path = arn
        .resource()
        .strip_prefix("role/")
        .filter(|_| arn.service() == "iam");
    let Some(path) = path else { return Ok(None) };
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let found = look.get(&ROWS, &(arn.account().to_owned(), name))?;
    found
        .filter(|role| Arn::parse(&role.arn()).as_ref() == Some(arn))
        .map(|role| inventoried(look, &role))
        .transpose()
}

/// The trust policy names its principals by their ARNs, as it is shown: unique ids would not tell their accounts.
fn inventoried(look: &mut Look<'_>, role: &Role) -> Result<Inventoried> {
    let text = trust::shown(look, role)?;
    let policy =
        Policy::parse(&text, PolicyKind::Trust).map_or_else(|_| Arc::clone(role.trust.policy()), Arc::new);
    let origin = format!("role/{} trust policy", role.name);
    Ok(Inventoried {
        arn: role.arn(),
        owner: role.account.clone(),
        created: role.created,
        policies: ResourcePolicies::Policy(Attached::new(policy, origin)),
        tags: role.tags.clone(),
    })
}
