//! The buckets of an account.
//!
//! Source: S3 API Reference, "ListBuckets".

use api::s3 as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Timestamp;

use super::{OWNED, arn};
use crate::s3::{canonical, fault};

const PURPOSE: &str = "s3.buckets";
/// Rows that are read at a time while those of other regions are passed over.
const STRETCH: usize = 1000;
const MAX: i32 = 10_000;

/// Lists the caller's buckets, of all regions unless one is named.
pub struct ListBuckets;

impl Operation for ListBuckets {
    type Input = model::ListBucketsRequest;
    type Output = model::ListBucketsOutput;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("s3:ListAllMyBuckets");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _account: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let account = call.account().to_owned();
        let paged = input.max_buckets.is_some();
        let most = input.max_buckets.unwrap_or(MAX);
        if !(1..=MAX).contains(&most) {
            return Err(fault::invalid_argument(
                "Argument max-buckets must be an integer between 1 and 10000",
                "max-buckets",
                &most.to_string(),
            ));
        }
        let most = usize::try_from(most).unwrap_or_default();
        let prefix = input.prefix.clone().unwrap_or_default();
        let mut after = begin(call, &input, &account)?;
        let mut buckets = Vec::new();
        let mut more = false;
        'rows: loop {
            let rows = call.range(&OWNED, &(account.as_str(),), after.as_ref(), STRETCH)?;
            let ended = rows.len() < STRETCH;
            for ((_, name), owned) in rows {
                if !name.starts_with(&prefix) {
                    if name.as_str() > prefix.as_str() {
                        break 'rows;
                    }
                    continue;
                }
                after = Some((account.clone(), name.clone()));
                if input
                    .bucket_region
                    .as_ref()
                    .is_some_and(|region| *region != owned.region)
                {
                    continue;
                }
                if buckets.len() == most {
                    more = true;
                    break 'rows;
                }
                buckets.push(model::Bucket {
                    bucket_arn: Some(arn(&name)),
                    bucket_region: (paged || input.bucket_region.is_some() || !prefix.is_empty())
                        .then(|| owned.region.clone()),
                    creation_date: Some(Timestamp(owned.created)),
                    name: Some(name),
                });
            }
            if ended {
                break;
            }
        }
        let last = buckets.last().and_then(|bucket| bucket.name.clone());
        let continuation_token = match last.filter(|_| more) {
            Some(name) => Some(call.issue_token(PURPOSE, name.as_bytes())?),
            None => None,
        };
        Ok(model::ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token,
            owner: Some(model::Owner {
                display_name: None,
                id: Some(canonical::id_of(&account)),
            }),
            prefix: input.prefix,
        })
    }
}

/// The row that a list begins behind.
fn begin(
    call: &Call<'_>,
    input: &model::ListBucketsRequest,
    account: &str,
) -> Result<Option<(String, String)>> {
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let account = account.to_owned();
    let after = match &input.continuation_token {
        Some(token) => {
            let opened = call.open_token(PURPOSE, token);
            let text = opened.as_ref().and_then(|opened| opened.expose_text().ok());
            let invalid = || {
                fault::invalid_argument(
                    "The continuation token provided is incorrect",
                    "continuation-token",
                    token,
                )
            };
            Some((account.clone(), text.ok_or_else(invalid)?.to_owned()))
        }
        // The row before all that begin with the prefix, as no name of a bucket has such a character.
        None if !prefix.is_empty() => {
            let mut characters = prefix.chars();
            let last = characters.next_back().unwrap_or_default();
            let head = characters.as_str();
            let before = u32::from(last).checked_sub(1).and_then(char::from_u32);
            let start = before.map_or_else(|| head.to_owned(), |before| format!("{head}{before}\u{10ffff}"));
            Some((account.clone(), start))
        }
        None => None,
    };
    Ok(after)
}
