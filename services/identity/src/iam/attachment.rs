//! Managed policies on users, groups and roles: attached, detached, listed (S1.16).
//!
//! Invariant: an attachment stands in the bearer's row, which decisions read, and in `binding`'s, which lists read.

use api::iam as model;
use api::iam::fault::{invalid_input_exception, limit_exceeded_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use crate::iam::bearer::Bearer;
use crate::iam::binding;
use crate::iam::group::Group;
use crate::iam::page::{Page, path_fits};
use crate::iam::role::Role;
use crate::iam::user::User;

/// Managed policies that a user, group or role may have (IAM User Guide, "IAM and AWS STS quotas").
pub(crate) fn attached_max(kind: &str) -> usize {
    if kind == "role" { 20 } else { 10 }
}

/// Attaches a managed policy.
pub(crate) fn attach<B: Bearer>(call: &mut Call<'_>, mut bearer: B, arn: String) -> Result<Empty> {
    bearer.expect_modifiable()?;
    expect_arn(&arn)?;
    if bearer.attached().contains(&arn) {
        return Ok(Empty);
    }
    binding::bind(call, &arn, B::KIND, bearer.name(), bearer.id())?;
    let max = attached_max(B::KIND);
    if bearer.attached().len() >= max {
        return Err(limit_exceeded_exception(format!(
            "Cannot exceed quota for {}: {max}",
            B::QUOTA
        )));
    }
    bearer.attached().push(arn);
    bearer.keep(call)?;
    Ok(Empty)
}

fn detach<B: Bearer>(call: &mut Call<'_>, mut bearer: B, arn: &str) -> Result<Empty> {
    bearer.expect_modifiable()?;
    expect_arn(arn)?;
    let Some(place) = bearer.attached().iter().position(|attached| attached == arn) else {
        return Err(no_such_entity_exception(format!("Policy {arn} was not found.")));
    };
    bearer.attached().remove(place);
    binding::unbind(call, arn, B::KIND, bearer.name())?;
    bearer.keep(call)?;
    Ok(Empty)
}

fn expect_arn(arn: &str) -> Result<()> {
    if arn.starts_with("arn:aws:iam::") {
        return Ok(());
    }
    Err(invalid_input_exception(format!("ARN {arn} is not valid.")))
}

/// What the three lists answer: the policies, `IsTruncated`, the marker.
type Listed = (Option<Vec<model::AttachedPolicy>>, Option<bool>, Option<String>);

fn list<B: Bearer>(
    call: &mut Call<'_>,
    mut bearer: B,
    prefix: Option<&str>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Listed> {
    let page = Page::read(call, &format!("attached/{}", bearer.id()), marker, max_items)?;
    let mut policies = Vec::new();
    for arn in std::mem::take(bearer.attached()) {
        let Some((_, path_and_name)) = arn.split_once(":policy/") else {
            continue;
        };
        let (path, name) = path_and_name.rsplit_once('/').unwrap_or(("", path_and_name));
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            format!("/{path}/")
        };
        if path_fits(&path, prefix) {
            let name = Some(name.to_owned());
            policies.push((
                arn.clone(),
                model::AttachedPolicy {
                    policy_arn: Some(arn),
                    policy_name: name,
                },
            ));
        }
    }
    policies.sort_by(|one, other| one.0.cmp(&other.0));
    let paged = page.of_sorted(call, policies)?;
    let truncated = paged.truncated();
    Ok((Some(paged.items), truncated, paged.marker))
}

/// `AttachUserPolicy` and its like differ in the names alone.
macro_rules! changes {
    ($($(#[$about:meta])* $operation:ident($bearer:ident, $input:ident, $field:ident, $action:literal) $change:expr;)*) => {$(
        $(#[$about])*
        pub struct $operation;

        impl Operation for $operation {
            type Input = model::$input;
            type Output = Empty;
            type Target = $bearer;
            const ACCESS: Access = Access::permissions($action);
            const CONDITIONS: &'static [&'static str] = &["iam:PolicyARN"];

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn conditions(input: &Self::Input, context: &mut Context) {
                context.insert("iam:PolicyARN", input.policy_arn.clone());
            }

            fn handle(call: &mut Call<'_>, bearer: Authorized<$bearer>, input: Self::Input) -> Result<Empty> {
                $change(call, bearer.into_inner(), input.policy_arn)
            }
        }
    )*};
}

macro_rules! lists {
    ($($(#[$about:meta])* $operation:ident($bearer:ident, $input:ident, $output:ident, $field:ident, $action:literal);)*) => {$(
        $(#[$about])*
        pub struct $operation;

        impl Operation for $operation {
            type Input = model::$input;
            type Output = model::$output;
            type Target = $bearer;
            const ACCESS: Access = Access::list($action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(call: &mut Call<'_>, bearer: Authorized<$bearer>, input: Self::Input) -> Result<Self::Output> {
                let (prefix, marker) = (input.path_prefix.as_deref(), input.marker.as_deref());
                let listed = list(call, bearer.into_inner(), prefix, marker, input.max_items)?;
                let (attached_policies, is_truncated, marker) = listed;
                Ok(model::$output { attached_policies, is_truncated, marker })
            }
        }
    )*};
}

changes! {
    /// Attaches a managed policy to a user.
    AttachUserPolicy(User, AttachUserPolicyRequest, user_name, "iam:AttachUserPolicy") attach;
    /// Attaches a managed policy to a group, for all its members.
    AttachGroupPolicy(Group, AttachGroupPolicyRequest, group_name, "iam:AttachGroupPolicy") attach;
    /// Attaches a managed policy to a role.
    AttachRolePolicy(Role, AttachRolePolicyRequest, role_name, "iam:AttachRolePolicy") attach;
    /// Detaches a managed policy from a user.
    DetachUserPolicy(User, DetachUserPolicyRequest, user_name, "iam:DetachUserPolicy") |call, user, arn: String| {
        detach::<User>(call, user, &arn)
    };
    /// Detaches a managed policy from a group.
    DetachGroupPolicy(Group, DetachGroupPolicyRequest, group_name, "iam:DetachGroupPolicy") |call, group, arn: String| {
        detach::<Group>(call, group, &arn)
    };
    /// Detaches a managed policy from a role.
    DetachRolePolicy(Role, DetachRolePolicyRequest, role_name, "iam:DetachRolePolicy") |call, role, arn: String| {
        detach::<Role>(call, role, &arn)
    };
}

lists! {
    /// Lists the managed policies of a user.
    ListAttachedUserPolicies(User, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse, user_name,
        "iam:ListAttachedUserPolicies");
    /// Lists the managed policies of a group.
    ListAttachedGroupPolicies(Group, ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse, group_name,
        "iam:ListAttachedGroupPolicies");
    /// Lists the managed policies of a role.
    ListAttachedRolePolicies(Role, ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse, role_name,
        "iam:ListAttachedRolePolicies");
}
