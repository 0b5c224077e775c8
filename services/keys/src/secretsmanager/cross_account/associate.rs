//! The tie between a primary and its replica in another account: made and undone by the primary's account.
//!
//! Invariant: an association that cannot be made leaves both secrets as they were.

use api::secretsmanager as model;
use api::secretsmanager::fault::{
    invalid_request_exception, limit_exceeded_exception, resource_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::actor::{PASS_ROLE, pass};
use super::copy::{Proof, copy, follows};
use super::{ACCEPT, Follower, State, expect_elsewhere, expect_no_replica};
use crate::secretsmanager::naming::{by_arn, resolve};
use crate::secretsmanager::secret::{CURRENT, Secret, SecretTarget, to_change};
use crate::secretsmanager::value::GET;

const ACCEPT_ACCESS: Access = Access::write(ACCEPT);

/// Starts the replication to a secret that another account made for it. Asked again, it copies what the replica lacks.
pub struct AssociateCrossAccountReplica;

impl Operation for AssociateCrossAccountReplica {
    type Input = model::AssociateCrossAccountReplicaRequest;
    type Output = model::AssociateCrossAccountReplicaResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:AssociateCrossAccountReplica");
    const ALSO: &'static [Access] = &[GET, ACCEPT_ACCESS, PASS_ROLE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own_account(call, &secret)?;
        secret.expect_own(call)?;
        expect_no_replica(&secret)?;
        expect_elsewhere(call, "CrossAccountReplicaARN", &input.cross_account_replica_arn)?;
        let mut context = Context::default();
        context.insert("secretsmanager:VersionStage", CURRENT);
        call.authorize(GET, Found::Here((*secret).clone()), context)?;
        let other = secret.follower.as_ref();
        if other.is_some_and(|other| other.arn != input.cross_account_replica_arn) {
            return Err(limit_exceeded_exception(
                "A primary secret can have no more than one cross-account replica.",
            ));
        }
        let role = input.replication_role_arn;
        if let Some(role) = &role {
            pass(call, &secret, role)?;
        }
        let replica = resolve(call, &input.cross_account_replica_arn)?;
        let replica = call.authorize(ACCEPT_ACCESS, replica, Context::default())?;
        call.share_with(&replica.account);
        replica.expect_staying()?;
        if !follows(&replica, &secret) {
            return Err(invalid_request_exception(format!(
                "The secret {} was not created as a cross-account replica of {}.",
                replica.arn(),
                secret.arn()
            )));
        }
        expect_allowed_account(call, &secret, &replica, input.replica_restriction)?;
        copy(call, &secret, &replica, role.as_deref(), Proof::Key)?;
        let mut secret = to_change(&secret);
        secret.follower = Some(Follower {
            arn: replica.arn(),
            role,
            state: State::InSync,
        });
        let answer = model::AssociateCrossAccountReplicaResponse {
            arn: Some(secret.arn()),
            cross_account_replica_arn: Some(replica.arn()),
            replication_status: Some(model::StatusType::InSync),
        };
        secret.keep_here(call)?;
        Ok(answer)
    }
}

/// Both operations are the primary's account's own.
fn expect_own_account(call: &Call<'_>, secret: &Secret) -> Result<()> {
    if secret.account == call.account() {
        return Ok(());
    }
    Err(invalid_request_exception(
        "You must call this operation from the AWS account that owns the primary secret.",
    ))
}

/// Unless told otherwise, both accounts are of one organization.
fn expect_allowed_account(
    call: &mut Call<'_>,
    secret: &Secret,
    replica: &Secret,
    restriction: Option<model::ReplicaRestrictionType>,
) -> Result<()> {
    if restriction == Some(model::ReplicaRestrictionType::NoRestriction) {
        return Ok(());
    }
    let directory = call.directory();
    let own = directory.organization(call, &secret.account)?;
    let other = directory.organization(call, &replica.account)?;
    if own.zip(other).is_some_and(|(own, other)| own.id == other.id) {
        return Ok(());
    }
    Err(invalid_request_exception(
        "The account of the cross-account replica isn't in the same organization as the account of the primary secret.",
    ))
}

/// Ends the replication from the primary's side: the replica stays, detached.
pub struct DisassociateCrossAccountReplica;

impl Operation for DisassociateCrossAccountReplica {
    type Input = model::DisassociateCrossAccountReplicaRequest;
    type Output = model::DisassociateCrossAccountReplicaResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:DisassociateCrossAccountReplica");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_own_account(call, &secret)?;
        secret.expect_staying()?;
        let mut secret = to_change(&secret);
        let follower = secret
            .follower
            .take()
            .filter(|follower| follower.arn == input.cross_account_replica_arn);
        let Some(follower) = follower else {
            return Err(resource_not_found_exception(format!(
                "The secret {} is not associated with the cross-account replica {}.",
                secret.name, input.cross_account_replica_arn
            )));
        };
        let replica = by_arn(call, &follower.arn)?.filter(|replica| follows(replica, &secret));
        if let Some(replica) = replica {
            let mut replica = (*replica).clone();
            if let Some(followed) = &mut replica.followed {
                followed.state = State::Detached;
            }
            replica.keep_here(call)?;
        }
        let answer = model::DisassociateCrossAccountReplicaResponse {
            arn: Some(secret.arn()),
            cross_account_replica_arn: Some(follower.arn),
        };
        secret.keep_here(call)?;
        Ok(answer)
    }
}
