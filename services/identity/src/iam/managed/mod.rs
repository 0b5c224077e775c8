//! Managed policies by their ARN, whoever manages them: AWS's (S1.17) and the customers' (S1.18).

use pipeline::{Look, Result};
use policy::Attached;

use crate::iam::policy::{self as customer, ManagedPolicy};

pub mod catalogue;

/// The default version of the managed policy that bears an ARN, as decisions take it; its origin is the ARN. Asked for each
/// attached policy of every call, so what was parsed stays parsed.
pub fn find(look: &mut Look<'_>, arn: &str) -> Result<Option<Attached>> {
    if arn.starts_with(catalogue::PREFIX) {
        return catalogue::parsed(arn);
    }
    let found = customer::by_arn(look, arn)?;
    Ok(found.as_deref().and_then(ManagedPolicy::attached))
}
