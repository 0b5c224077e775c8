//! Buckets with what lets others in, for whoever asks who can reach them.

use pipeline::{Inventoried, Inventory, Look, Placed, Result, Stretch};
use policy::Arn;

use super::access;
use super::bucket::{BUCKETS as ROWS, Bucket, OWNED};

/// The buckets of an account in a region.
pub static BUCKETS: Inventory = Inventory {
    kind: "AWS::S3::Bucket",
    service: "s3",
    page,
    find,
};

fn page(look: &mut Look<'_>, stretch: &Stretch<'_>) -> Result<Vec<Placed>> {
    let mut after = stretch
        .after
        .map(|name| (stretch.account.to_owned(), name.to_owned()));
    let mut found = Vec::new();
    while found.len() < stretch.limit {
        let rows = look.range(&OWNED, &(stretch.account,), after.as_ref(), stretch.limit)?;
        let ended = rows.len() < stretch.limit;
        for ((account, name), owned) in rows {
            after = Some((account, name.clone()));
            if owned.region == stretch.region
                && found.len() < stretch.limit
                && let Some(bucket) = look.get(&ROWS, &name)?
            {
                found.push((name, inventoried(look, &bucket)?));
            }
        }
        if ended {
            break;
        }
    }
    Ok(found)
}

fn find(look: &mut Look<'_>, arn: &Arn) -> Result<Option<Inventoried>> {
    if arn.service() != "s3" || !arn.account().is_empty() || arn.resource().contains('/') {
        return Ok(None);
    }
    let found = look.get(&ROWS, arn.resource())?;
    found.map(|bucket| inventoried(look, &bucket)).transpose()
}

fn inventoried(look: &mut Look<'_>, bucket: &Bucket) -> Result<Inventoried> {
    Ok(Inventoried {
        arn: bucket.arn(),
        owner: bucket.account.clone(),
        created: bucket.created,
        policies: access::of_bucket(look, bucket)?,
        tags: bucket.tags.clone().into_iter().collect(),
    })
}
