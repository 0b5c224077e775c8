//! Keys by their ARN, for requests that are only described.

use pipeline::{Look, Resource, ResourcePolicies, Result};
use policy::{Arn, Context};

use super::key::{KEYS, KeyTarget};

/// The policy, the grants and the condition keys of a key; `None` if the ARN names none.
pub fn resource(look: &mut Look<'_>, text: &str) -> Result<Option<(ResourcePolicies, Context)>> {
    let Some(arn) = Arn::parse(text).filter(|arn| arn.service() == "kms") else {
        return Ok(None);
    };
    let Some(id) = arn.resource().strip_prefix("key/") else {
        return Ok(None);
    };
    let Some(key) = look.get(&KEYS, &(arn.account(), arn.region(), id))? else {
        return Ok(None);
    };
    let policies = ResourcePolicies::Key {
        policy: key.attached()?,
        grants: key.granted(look)?,
    };
    let mut context = Context::default();
    KeyTarget::new(look, key, None).conditions(&mut context);
    Ok(Some((policies, context)))
}
