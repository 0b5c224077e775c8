//! Policies of access points.
//!
//! Invariant: a kept policy was parsed, speaks of its own access point alone and names only principals who exist, as a bucket's does.

use api::s3control as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::StatementView;
use wire::Fault;
use wire::typed::Empty;

use super::{AccessPointTarget, find};
use crate::s3::access::ACCOUNT_BLOCKS;
use crate::s3::access_point::AccessPoint;
use crate::s3::bucket::policy as text_of;
use crate::s3::fault::text;

/// Declares an operation on an access point of the caller's own account.
macro_rules! on_access_point {
    ($(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr; |$call:ident, $point:ident, $in:ident| $body:block) => {
        $(#[$doc])*
        pub struct $name;

        impl Operation for $name {
            type Input = $input;
            type Output = $output;
            type Target = AccessPointTarget;
            const ACCESS: Access = $access;

            fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AccessPointTarget>> {
                find(look, &input.account_id, &input.name)
            }

            fn handle(
                $call: &mut Call<'_>,
                point: Authorized<AccessPointTarget>,
                $in: Self::Input,
            ) -> Result<Self::Output> {
                let $point = &*point.0;
                $body
            }
        }
    };
}

/// `NoSuchAccessPointPolicy`, 404.
fn none(point: &AccessPoint) -> Fault {
    Fault::plain(
        "NoSuchAccessPointPolicy",
        404,
        "The specified accesspoint policy does not exist",
    )
    .with("AccessPointName", text(&point.name))
}

on_access_point! {
    /// Gives an access point a policy in place of the one that it has.
    PutAccessPointPolicy(model::PutAccessPointPolicyRequest) -> Empty, Access::permissions("s3:PutAccessPointPolicy");
    |call, point, input| {
        let arn = point.arn();
        let kinds = ("accesspoint", "accesspointobject");
        let place = |statement: StatementView<'_>| text_of::check_place(&arn, "/object/", kinds, statement);
        let (policy, names) = text_of::check(call, &input.policy, &place)?;
        let account = call.get(&ACCOUNT_BLOCKS, &point.account)?;
        let account = account.map(|row| row.0).unwrap_or_default();
        if account.and(point.block).block_public_policy && point.is_public(&policy)? {
            return Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: s3:PutAccessPointPolicy on resource: \"{arn}\" because public policies are \
                 prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
                call.identity.arn,
            )));
        }
        let mut point = point.clone();
        point.policy = Some(policy);
        point.policy_names = names;
        point.keep(call)?;
        Ok(Empty)
    }
}

on_access_point! {
    /// Shows an access point's policy.
    GetAccessPointPolicy(model::GetAccessPointPolicyRequest) -> model::GetAccessPointPolicyResult,
    Access::read("s3:GetAccessPointPolicy");
    |call, point, _input| {
        let policy = point.policy.as_ref().ok_or_else(|| none(point))?;
        Ok(model::GetAccessPointPolicyResult {
            policy: Some(text_of::shown(call, policy, &point.policy_names)?),
        })
    }
}

on_access_point! {
    /// Takes an access point's policy away.
    DeleteAccessPointPolicy(model::DeleteAccessPointPolicyRequest) -> Empty, Access::permissions("s3:DeleteAccessPointPolicy");
    |call, point, _input| {
        if point.policy.is_none() {
            return Err(none(point));
        }
        let mut point = point.clone();
        point.policy = None;
        point.policy_names.clear();
        point.keep(call)?;
        Ok(Empty)
    }
}

on_access_point! {
    /// Says whether an access point's policy makes it public.
    GetAccessPointPolicyStatus(model::GetAccessPointPolicyStatusRequest) -> model::GetAccessPointPolicyStatusResult,
    Access::read("s3:GetAccessPointPolicyStatus");
    |_call, point, _input| {
        let policy = point.policy.as_ref().ok_or_else(|| none(point))?;
        Ok(model::GetAccessPointPolicyStatusResult {
            policy_status: Some(model::PolicyStatus {
                is_public: Some(point.is_public(policy)?),
            }),
        })
    }
}
