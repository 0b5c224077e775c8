//! In whose name values are copied to another account: whoever changes the primary, or a role of the primary's account.
//!
//! Invariant: Secrets Manager has no way into a role but STS: the role's trust policy is judged each time, and each time is recorded.

use api::secretsmanager::fault::{invalid_parameter_exception, invalid_request_exception};
use pipeline::{Access, Call, Result};
use policy::{Arn, Context};
use wire::fault::{Code, Common};
use wire::{Document, Fault};

use crate::secretsmanager::envelope::BY;
use crate::secretsmanager::secret::Secret;

/// What it takes to hand a role to Secrets Manager.
pub(super) const PASS_ROLE: Access = Access::write("iam:PassRole");

/// Who asks KMS.
pub(super) enum Actor {
    Caller,
    /// A session of the role: its access key id and token.
    Role(String, crypto::Secret),
}

impl Actor {
    /// The role, assumed for a primary, or else the caller.
    pub(super) fn of(call: &mut Call<'_>, primary: &Secret, role: Option<&str>) -> Result<Self> {
        let Some(role) = role else {
            return Ok(Self::Caller);
        };
        let input = Document::Structure(vec![
            ("RoleArn", Document::String(role.to_owned())),
            (
                "RoleSessionName",
                Document::String("secretsmanager-replication".to_owned()),
            ),
        ]);
        let answer = call
            .invoke_as_service(BY, Some(&primary.arn()), "sts", "AssumeRole", input)
            .map_err(cannot_assume)?;
        let issued = answer.member("Credentials");
        let text = |member: &str| {
            let found = issued
                .and_then(|issued| issued.member(member))
                .and_then(Document::as_str);
            found.ok_or_else(|| Fault::internal(format!("STS answered without {member}")))
        };
        Ok(Self::Role(
            text("AccessKeyId")?.to_owned(),
            crypto::Secret::copy_of(text("SessionToken")?.as_bytes()),
        ))
    }

    /// Asks KMS for something.
    pub(super) fn ask(&self, call: &mut Call<'_>, operation: &str, input: Document) -> Result<Document> {
        match self {
            Self::Caller => call.invoke(BY, "kms", operation, input),
            Self::Role(id, token) => call.invoke_as_session(BY, (id, token), "kms", operation, input),
        }
    }
}

/// The replica's account reads it too, and is told no name of the primary's.
fn cannot_assume(fault: Fault) -> Fault {
    match fault.code {
        Code::Common(Common::AccessDenied) => {
            invalid_request_exception("Secrets Manager can't assume the replication role.")
        }
        _ => fault,
    }
}

/// Asks whether the caller may hand a role to Secrets Manager, and whether it is there, in the primary's account.
pub(super) fn pass(call: &mut Call<'_>, primary: &Secret, role: &str) -> Result<()> {
    let wrong = || invalid_parameter_exception(format!("The ReplicationRoleARN {role} is not valid."));
    let parsed = Arn::parse(role).filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
    let owner = parsed.ok_or_else(wrong)?.account().to_owned();
    if owner != primary.account {
        return Err(Fault::access_denied("Cross-account pass role is not allowed."));
    }
    let context = Context::default()
        .with("iam:PassedToService", BY)
        .with("iam:AssociatedResourceArn", primary.arn());
    call.also(PASS_ROLE, role, &owner, context)?;
    if !call.directory().principal_exists(call, role)? {
        return Err(wrong());
    }
    Ok(())
}
