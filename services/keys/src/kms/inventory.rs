//! Keys with their policies and grants, for whoever asks who can reach them.

use pipeline::{Inventoried, Inventory, Look, Placed, ResourcePolicies, Result, Stretch};
use policy::Arn;

use super::key::{KEYS as ROWS, Key};

/// The keys of an account in a region.
pub static KEYS: Inventory = Inventory {
    kind: "AWS::KMS::Key",
    service: "kms",
    page,
    find,
};

fn page(look: &mut Look<'_>, stretch: &Stretch<'_>) -> Result<Vec<Placed>> {
    let place = |id: &str| {
        (
            stretch.account.to_owned(),
            stretch.region.to_owned(),
            id.to_owned(),
        )
    };
    let after = stretch.after.map(place);
    let prefix = (stretch.account, stretch.region);
    let rows = look.range(&ROWS, &prefix, after.as_ref(), stretch.limit)?;
    rows.into_iter()
        .map(|((_, _, id), key)| Ok((id, inventoried(look, &key)?)))
        .collect()
}

fn find(look: &mut Look<'_>, arn: &Arn) -> Result<Option<Inventoried>> {
    let id = arn
        .resource()
        .strip_prefix("key/")
        .filter(|_| arn.service() == "kms");
    let Some(id) = id else { return Ok(None) };
    let found = look.get(&ROWS, &(arn.account(), arn.region(), id))?;
    found.map(|key| inventoried(look, &key)).transpose()
}

fn inventoried(look: &mut Look<'_>, key: &Key) -> Result<Inventoried> {
    let (policy, grants) = key.named(look)?;
    Ok(Inventoried {
        arn: key.arn(),
        owner: key.account.clone(),
        created: key.created,
        policies: ResourcePolicies::Key { policy, grants },
        tags: key.tags.clone().into_iter().collect(),
    })
}
