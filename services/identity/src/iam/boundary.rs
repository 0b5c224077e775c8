//! Permissions boundaries of users and roles: a managed policy that says the most they may do (S2.17).
//!
//! Source: IAM User Guide, "Permissions boundaries for IAM entities".

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use crate::iam::bearer::{Bearer, Bounded};
use crate::iam::binding;
use crate::iam::role::Role;
use crate::iam::user::User;

/// A boundary as answers show it.
pub(crate) fn shown(boundary: Option<&String>) -> Option<model::AttachedPermissionsBoundary> {
    boundary.map(|arn| model::AttachedPermissionsBoundary {
        permissions_boundary_arn: Some(arn.clone()),
        permissions_boundary_type: Some(model::PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy),
    })
}

fn set<B: Bounded>(call: &mut Call<'_>, mut bearer: B, arn: String) -> Result<Empty> {
    bearer.expect_modifiable()?;
    if let Some(older) = bearer.boundary().take() {
        binding::unbind(call, &older, B::BOUNDARY, bearer.name())?;
    }
    binding::bind(call, &arn, B::BOUNDARY, bearer.name(), bearer.id())?;
    *bearer.boundary() = Some(arn);
    bearer.keep(call)?;
    Ok(Empty)
}

fn clear<B: Bounded>(call: &mut Call<'_>, mut bearer: B) -> Result<Empty> {
    bearer.expect_modifiable()?;
    let Some(older) = bearer.boundary().take() else {
        let message = format!(
            "The permissions boundary of {} {} cannot be found.",
            B::KIND,
            bearer.name()
        );
        return Err(no_such_entity_exception(message));
    };
    binding::unbind(call, &older, B::BOUNDARY, bearer.name())?;
    bearer.keep(call)?;
    Ok(Empty)
}

macro_rules! boundaries {
    ($bearer:ident, $field:ident; $put:ident($put_input:ident, $put_action:literal);
     $delete:ident($delete_input:ident, $delete_action:literal)) => {
        /// Sets the permissions boundary, in place of an older one.
        pub struct $put;

        impl Operation for $put {
            type Input = model::$put_input;
            type Output = Empty;
            type Target = $bearer;
            const ACCESS: Access = Access::permissions($put_action);
            const CONDITIONS: &'static [&'static str] = &["iam:PermissionsBoundary"];

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            /// The boundary that is asked for, not the one that stands: whoever may set boundaries is held to one by it.
            fn conditions(input: &Self::Input, context: &mut Context) {
                context.insert(
                    "iam:PermissionsBoundary",
                    input.permissions_boundary.clone(),
                );
            }

            fn handle(call: &mut Call<'_>, bearer: Authorized<$bearer>, input: Self::Input) -> Result<Empty> {
                set(call, bearer.into_inner(), input.permissions_boundary)
            }
        }

        /// Takes the permissions boundary away.
        pub struct $delete;

        impl Operation for $delete {
            type Input = model::$delete_input;
            type Output = Empty;
            type Target = $bearer;
            const ACCESS: Access = Access::permissions($delete_action);

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<$bearer>> {
                <$bearer as Bearer>::named(look, &input.$field)
            }

            fn handle(
                call: &mut Call<'_>,
                bearer: Authorized<$bearer>,
                _input: Self::Input,
            ) -> Result<Empty> {
                clear(call, bearer.into_inner())
            }
        }
    };
}

boundaries!(User, user_name;
    PutUserPermissionsBoundary(PutUserPermissionsBoundaryRequest, "iam:PutUserPermissionsBoundary");
    DeleteUserPermissionsBoundary(DeleteUserPermissionsBoundaryRequest, "iam:DeleteUserPermissionsBoundary"));
boundaries!(Role, role_name;
    PutRolePermissionsBoundary(PutRolePermissionsBoundaryRequest, "iam:PutRolePermissionsBoundary");
    DeleteRolePermissionsBoundary(DeleteRolePermissionsBoundaryRequest, "iam:DeleteRolePermissionsBoundary"));
