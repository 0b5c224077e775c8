//! What narrows a session at its issue: session policies, and tags that conditions see.
//!
//! Source: STS API Reference, "AssumeRole" and "GetFederationToken"; IAM User Guide, "IAM and AWS STS quotas".

use api::sts::fault::{malformed_policy_document_exception, packed_policy_too_large_exception};
use api::sts::{PolicyDescriptorType, Tag};
use pipeline::identity::SessionPolicy;
use pipeline::{Look, Result};
use policy::{Policy, PolicyKind};
use wire::Fault;

use super::token;
use crate::iam::managed;
use crate::iam::tag::Tags;

/// Characters of the inline session policy, and of it and the ARNs of the managed ones together.
const POLICY_CHARACTERS_MAX: usize = 2048;
/// Managed session policies.
const POLICY_ARNS_MAX: usize = 10;
/// Packed bytes of all session policies and tags, which is 100 per cent.
const PACKED_BYTES_MAX: usize = 2048;

/// Session policies and tags, checked.
pub(super) struct Narrowing {
    pub(super) policies: Vec<SessionPolicy>,
    pub(super) tags: Tags,
    /// Per cent of what a session may carry; absent if nothing was passed.
    pub(super) packed_percent: Option<i32>,
}

/// Reads the members of a request that narrow its session. Managed policies must be of `account` or AWS's.
pub(super) fn read(
    look: &mut Look<'_>,
    account: &str,
    policy: Option<String>,
    arns: Option<Vec<PolicyDescriptorType>>,
    tags: Option<Vec<Tag>>,
) -> Result<Narrowing> {
    let mut policies = Vec::new();
    if let Some(text) = policy {
        if text.chars().count() > POLICY_CHARACTERS_MAX {
            let message = format!(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less \
                 than or equal to {POLICY_CHARACTERS_MAX}"
            );
            return Err(Fault::validation(message));
        }
        Policy::parse(&text, PolicyKind::Session)
            .map_err(|error| malformed_policy_document_exception(error.to_string()))?;
        policies.push(SessionPolicy::Document(text));
    }
    let arns: Vec<String> = arns
        .into_iter()
        .flatten()
        .filter_map(|descriptor| descriptor.arn)
        .collect();
    if arns.len() > POLICY_ARNS_MAX {
        let message = format!(
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less \
             than or equal to {POLICY_ARNS_MAX}"
        );
        return Err(Fault::validation(message));
    }
    let inline = policies.iter().map(|policy| match policy {
        SessionPolicy::Document(text) | SessionPolicy::Managed(text) => text.chars().count(),
    });
    if inline
        .chain(arns.iter().map(|arn| arn.chars().count()))
        .sum::<usize>()
        > POLICY_CHARACTERS_MAX
    {
        return Err(Fault::validation(format!(
            "The inline session policy and the ARNs of managed session policies can have {POLICY_CHARACTERS_MAX} characters together."
        )));
    }
    for arn in arns {
        let own = arn.starts_with(&format!("arn:aws:iam::{account}:policy/"));
        let known =
            (own || arn.starts_with("arn:aws:iam::aws:policy/")) && managed::find(look, &arn)?.is_some();
        if !known {
            let message =
                format!("The managed policy {arn} does not exist or cannot be used for this session.");
            return Err(malformed_policy_document_exception(message));
        }
        policies.push(SessionPolicy::Managed(arn));
    }
    let tags = read_tags(tags)?;
    let packed_percent = packed(&policies, &tags)?;
    Ok(Narrowing {
        policies,
        tags,
        packed_percent,
    })
}

fn read_tags(tags: Option<Vec<Tag>>) -> Result<Tags> {
    let mut read = Tags::new();
    for Tag { key, value } in tags.into_iter().flatten() {
        if read.iter().any(|(known, _)| known.eq_ignore_ascii_case(&key)) {
            return Err(Fault::validation(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(Fault::validation(
                "Tag keys must not begin with aws:, which is reserved.",
            ));
        }
        read.push((key, value));
    }
    Ok(read)
}

/// The packed size in per cent, or `PackedPolicyTooLarge`.
fn packed(policies: &[SessionPolicy], tags: &[(String, String)]) -> Result<Option<i32>> {
    if policies.is_empty() && tags.is_empty() {
        return Ok(None);
    }
    let plain = serde_json::to_vec(&(policies, tags)).map_err(Fault::internal)?;
    let bytes = token::deflate(&plain).map_err(Fault::internal)?.len();
    let percent = (bytes * 100).div_ceil(PACKED_BYTES_MAX);
    if percent > 100 {
        let message =
            format!("Packed size of session tags and policies consumes {percent}% of allotted space.");
        return Err(packed_policy_too_large_exception(message));
    }
    i32::try_from(percent).map(Some).map_err(Fault::internal)
}
