//! Key policies: the one document that rules a key (S8.36, S8.39, S8.43).
//!
//! Invariant: a stored policy was parsed, named only principals who existed, and keeps them by their ids; it does not lock its author
//! out unless it was told that it may.

use api::kms as model;
use api::kms::fault::{limit_exceeded_exception, malformed_policy_document_exception, not_found_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, ResourcePolicies, Result};
use policy::{Attached, Context, Policy, PolicyKind, substitute};
use std::sync::Arc;
use wire::Fault;
use wire::typed::Empty;

use crate::kms::key::{KeyTarget, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::page::Page;
use crate::kms::principal::{self, Names};

/// The only name that a key policy can have.
const NAME: &str = "default";
/// The name of the policy by which Resource Access Manager shares a key.
const RAM: &str = "AWS_RAM";
/// The most bytes of a key policy (KMS Developer Guide, "Resource quotas").
const BYTES_MAX: usize = 32 * 1024;
const PUT: Access = Access::permissions("kms:PutKeyPolicy");
/// The condition key of both operations that take a policy.
const BYPASS: &str = "kms:BypassPolicyLockoutSafetyCheck";

/// The policy of a key that was made without one: the account rules, and its IAM policies count (S8.37, S8.45). Formatted as AWS
/// answers it (KMS Developer Guide, "Default key policy").
pub(crate) fn standard(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// Sets the condition key of the lockout check. It is absent when the request does not say (KMS Developer Guide, "AWS KMS condition
/// keys", which asks for that with `Null`).
pub(crate) fn bypass(given: Option<bool>, context: &mut Context) {
    if let Some(given) = given {
        context.insert(BYPASS, if given { "true" } else { "false" });
    }
}

/// Checks a policy that is about to be a key's: its language, its principals, and that the caller is not locked out (S8.38, S8.61).
/// Tells how it is kept: with ids for the ARNs of users and roles, and which id stands for which.
pub(crate) fn check(
    call: &mut Call<'_>,
    arn: &str,
    account: &str,
    text: &str,
    bypass: bool,
) -> Result<(String, Names)> {
    if text.len() > BYTES_MAX {
        return Err(limit_exceeded_exception(format!(
            "The key policy is longer than {BYTES_MAX} bytes."
        )));
    }
    let parsed = Policy::parse(text, PolicyKind::Key).map_err(|error| {
        let said = error.to_string();
        if said.starts_with("Invalid principal") {
            invalid_principals()
        } else {
            malformed_policy_document_exception(said)
        }
    })?;
    let named: Vec<String> = parsed
        .statements()
        .flat_map(|statement| statement.principals().collect::<Vec<_>>())
        .filter_map(|(class, name)| (class == "AWS" && name != "*").then_some(name))
        .collect();
    let (mut ids, mut names) = (Names::new(), Names::new());
    for name in named {
        let kept = principal::keep(call, &name, &mut names)?.ok_or_else(invalid_principals)?;
        if kept != name {
            ids.insert(name, kept);
        }
    }
    let kept = substitute(text, &ids);
    if bypass {
        return Ok((kept, names));
    }
    let parsed = Policy::parse(&kept, PolicyKind::Key).map_err(Fault::internal)?;
    let policy = Attached::new(Arc::new(parsed), "the new key policy");
    let policies = ResourcePolicies::Key {
        policy,
        grants: Arc::default(),
    };
    if call.would_allow(PUT, arn, account, policies)? {
        return Ok((kept, names));
    }
    Err(malformed_policy_document_exception(
        "The new key policy will not allow you to update the key policy in the future.",
    ))
}

fn invalid_principals() -> Fault {
    malformed_policy_document_exception("Policy contains a statement with one or more invalid principals.")
}

fn expect_name(name: Option<&str>) -> Result<()> {
    if name.is_none_or(|name| name == NAME) {
        Ok(())
    } else {
        Err(not_found_exception("No such policy exists"))
    }
}

/// Shows a key's policy.
pub struct GetKeyPolicy;

impl Operation for GetKeyPolicy {
    type Input = model::GetKeyPolicyRequest;
    type Output = model::GetKeyPolicyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:GetKeyPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        expect_name(input.policy_name.as_deref())?;
        Ok(model::GetKeyPolicyResponse {
            policy: Some(principal::shown(call, &key.policy, &key.principals)?),
            policy_name: Some(NAME.to_owned()),
        })
    }
}

/// Gives a key another policy.
pub struct PutKeyPolicy;

impl Operation for PutKeyPolicy {
    type Input = model::PutKeyPolicyRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = PUT;
    const CONDITIONS: &'static [&'static str] = &[BYPASS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        bypass(input.bypass_policy_lockout_safety_check, context);
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        if input.policy_name.as_deref() == Some(RAM) {
            return Err(Fault::validation(
                "The AWS_RAM policy can only be managed by the RAM service.",
            ));
        }
        expect_name(input.policy_name.as_deref())?;
        let bypass = input.bypass_policy_lockout_safety_check == Some(true);
        let kept = check(call, &key.arn(), &key.account, &input.policy, bypass)?;
        let mut key = to_change(&key);
        (key.policy, key.principals) = kept;
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Lists the names of a key's policies: there is always one.
pub struct ListKeyPolicies;

impl Operation for ListKeyPolicies {
    type Input = model::ListKeyPoliciesRequest;
    type Output = model::ListKeyPoliciesResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::list("kms:ListKeyPolicies");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListKeyPolicies {}", key.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.limit, (100, 1000))?;
        let names = [NAME]
            .into_iter()
            .filter(|name| page.reaches(name))
            .map(|name| (name.to_owned(), name.to_owned()));
        let names: Vec<_> = names.collect();
        let paged = page.close(call, names.into_iter())?;
        Ok(model::ListKeyPoliciesResponse {
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
            policy_names: Some(paged.items),
        })
    }
}
