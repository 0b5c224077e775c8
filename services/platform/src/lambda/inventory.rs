//! Functions with their resource policies, for whoever asks who can reach them.

use pipeline::{Inventoried, Inventory, Look, Placed, ResourcePolicies, Result, Stretch};
use policy::Arn;

use super::function::{FUNCTIONS as ROWS, Function};

/// The functions of an account in a region, by the policy that is the function's own.
pub static FUNCTIONS: Inventory = Inventory {
    kind: "AWS::Lambda::Function",
    service: "lambda",
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
        .map(|((_, _, name), function)| Ok((name, inventoried(&function)?)))
        .collect()
}

fn find(look: &mut Look<'_>, arn: &Arn) -> Result<Option<Inventoried>> {
    let named = arn.resource().strip_prefix("function:");
    let Some(name) = named.filter(|name| arn.service() == "lambda" && !name.contains(':')) else {
        return Ok(None);
    };
    let found = look.get(&ROWS, &(arn.account(), arn.region(), name))?;
    found.map(|function| inventoried(&function)).transpose()
}

fn inventoried(function: &Function) -> Result<Inventoried> {
    let attached = function.attached("")?;
    Ok(Inventoried {
        arn: function.arn(None),
        owner: function.account.clone(),
        created: function.created,
        policies: attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy),
        tags: function.tags.clone().into_iter().collect(),
    })
}
