//! Inline policies: documents that live in one user, group or role and end with it (S1.22).
//!
//! Invariant: nothing else can use or list them (S1.23).

use api::iam as model;
use api::iam::fault::{limit_exceeded_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::PolicyKind;
use wire::Fault;
use wire::typed::Empty;

use crate::iam::bearer::Bearer;
use crate::iam::document::{self, StoredPolicy, encoded};
use crate::iam::group::Group;
use crate::iam::page::Page;
use crate::iam::role::Role;
use crate::iam::user::User;

fn missing<B: Bearer>(policy: &str) -> Fault {
    no_such_entity_exception(format!(
        "The {} policy with name {policy} cannot be found.",
        B::KIND
    ))
}

fn put<B: Bearer>(call: &mut Call<'_>, mut bearer: B, name: String, text: &str) -> Result<Empty> {
    bearer.expect_modifiable()?;
    let document = StoredPolicy::new(text, PolicyKind::Identity)?;
    bearer.inline().insert(name, document);
    let size: usize = bearer
        .inline()
        .values()
        .map(|document| document::size(document.text()))
        .sum();
    if size > B::INLINE_MAX {
        let (max, kind) = (B::INLINE_MAX, B::KIND);
        let message = format!(
            "Maximum policy size of {max} bytes exceeded for {kind} {}",
            bearer.name()
        );
        return Err(limit_exceeded_exception(message));
    }
    bearer.keep(call)?;
    Ok(Empty)
}

fn delete<B: Bearer>(call: &mut Call<'_>, mut bearer: B, name: &str) -> Result<Empty> {
    bearer.expect_modifiable()?;
    if bearer.inline().remove(name).is_none() {
        return Err(missing::<B>(name));
    }
    bearer.keep(call)?;
    Ok(Empty)
}

fn text<B: Bearer>(mut bearer: B, name: &str) -> Result<String> {
    let document = bearer.inline().get(name).ok_or_else(|| missing::<B>(name))?;
    Ok(encoded(document.text()))
}

/// What the three lists answer: the names, `IsTruncated`, the marker.
type Listed = (Vec<String>, Option<bool>, Option<String>);

fn list<B: Bearer>(
    call: &mut Call<'_>,
    mut bearer: B,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Listed> {
    let page = Page::read(call, &format!("inline/{}", bearer.id()), marker, max_items)?;
    let names = std::mem::take(bearer.inline())
        .into_keys()
        .map(|name| (name.clone(), name));
    let paged = page.of_sorted(call, names)?;
    let truncated = paged.truncated();
    Ok((paged.items, truncated, paged.marker))
}

/// The four operations on the inline policies of one kind of bearer; they differ in the names alone.
macro_rules! inline {
    ($bearer:ident, $field:ident; $put:ident($put_input:ident, $put_action:literal);
     $get:ident($get_input:ident, $get_output:ident, $get_action:literal);
     $delete:ident($delete_input:ident, $delete_action:literal);
     $list:ident($list_input:ident, $list_output:ident, $list_action:literal)) => {
        /// Writes an inline policy, over one of the same name.
        pub struct $put;

        impl Operation for $put {
            type Input = model::$put_input;
            type Output = Empty;
            type Target = $bearer;
            const ACCESS: Access = Access::permissions($put_action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(call: &mut Call<'_>, bearer: Authorized<$bearer>, input: Self::Input) -> Result<Empty> {
                put(
                    call,
                    bearer.into_inner(),
                    input.policy_name,
                    &input.policy_document,
                )
            }
        }

        /// Shows an inline policy.
        pub struct $get;

        impl Operation for $get {
            type Input = model::$get_input;
            type Output = model::$get_output;
            type Target = $bearer;
            const ACCESS: Access = Access::read($get_action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(
                _call: &mut Call<'_>,
                bearer: Authorized<$bearer>,
                input: Self::Input,
            ) -> Result<Self::Output> {
                let $field = Bearer::name(&*bearer).to_owned();
                let policy_document = text(bearer.into_inner(), &input.policy_name)?;
                Ok(model::$get_output {
                    $field,
                    policy_name: input.policy_name,
                    policy_document,
                })
            }
        }

        /// Deletes an inline policy.
        pub struct $delete;

        impl Operation for $delete {
            type Input = model::$delete_input;
            type Output = Empty;
            type Target = $bearer;
            const ACCESS: Access = Access::permissions($delete_action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(call: &mut Call<'_>, bearer: Authorized<$bearer>, input: Self::Input) -> Result<Empty> {
                delete(call, bearer.into_inner(), &input.policy_name)
            }
        }

        /// Lists the names of the inline policies.
        pub struct $list;

        impl Operation for $list {
            type Input = model::$list_input;
            type Output = model::$list_output;
            type Target = $bearer;
            const ACCESS: Access = Access::list($list_action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(
                call: &mut Call<'_>,
                bearer: Authorized<$bearer>,
                input: Self::Input,
            ) -> Result<Self::Output> {
                let listed = list(
                    call,
                    bearer.into_inner(),
                    input.marker.as_deref(),
                    input.max_items,
                )?;
                let (policy_names, is_truncated, marker) = listed;
                Ok(model::$list_output {
                    policy_names,
                    is_truncated,
                    marker,
                })
            }
        }
    };
}

inline!(User, user_name;
    PutUserPolicy(PutUserPolicyRequest, "iam:PutUserPolicy");
    GetUserPolicy(GetUserPolicyRequest, GetUserPolicyResponse, "iam:GetUserPolicy");
    DeleteUserPolicy(DeleteUserPolicyRequest, "iam:DeleteUserPolicy");
    ListUserPolicies(ListUserPoliciesRequest, ListUserPoliciesResponse, "iam:ListUserPolicies"));
inline!(Group, group_name;
    PutGroupPolicy(PutGroupPolicyRequest, "iam:PutGroupPolicy");
    GetGroupPolicy(GetGroupPolicyRequest, GetGroupPolicyResponse, "iam:GetGroupPolicy");
    DeleteGroupPolicy(DeleteGroupPolicyRequest, "iam:DeleteGroupPolicy");
    ListGroupPolicies(ListGroupPoliciesRequest, ListGroupPoliciesResponse, "iam:ListGroupPolicies"));
inline!(Role, role_name;
    PutRolePolicy(PutRolePolicyRequest, "iam:PutRolePolicy");
    GetRolePolicy(GetRolePolicyRequest, GetRolePolicyResponse, "iam:GetRolePolicy");
    DeleteRolePolicy(DeleteRolePolicyRequest, "iam:DeleteRolePolicy");
    ListRolePolicies(ListRolePoliciesRequest, ListRolePoliciesResponse, "iam:ListRolePolicies"));
