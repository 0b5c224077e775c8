//! In whose name a stack acts: its caller's, or that of a role which was handed to it.
//!
//! Source: CloudFormation User Guide, "CloudFormation service role"; IAM User Guide, "Forward access sessions".
//!
//! Invariant: a role is taken on through STS each time, so that its trust policy decides each time.

use pipeline::{Access, Acting, Call, Forwarded, Result};
use policy::{Arn, Context};
use serde::{Deserialize, Serialize};
use wire::{Document, Fault};

use super::PRINCIPAL;
use super::fault::invalid;

/// What it takes to hand a role to a stack.
pub(crate) const PASS: Access = Access::write("iam:PassRole");

/// In whose name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Actor {
    Caller(Box<Forwarded>),
    Role(String),
}

impl Actor {
    /// The one for an operation of the call's caller: the role that is handed over, the one that the stack has, or the caller.
    pub(crate) fn of(
        call: &mut Call<'_>,
        stack_id: &str,
        given: Option<&str>,
        had: Option<&str>,
    ) -> Result<Self> {
        if let Some(role) = given {
            pass(call, stack_id, role)?;
        }
        match given.or(had) {
            Some(role) => Ok(Self::Role(role.to_owned())),
            None => Ok(Self::Caller(Box::new(call.forward()?))),
        }
    }

    /// Takes it on.
    pub(crate) fn act(&self, call: &mut Call<'_>, stack_id: &str) -> Result<Acting> {
        match self {
            Self::Caller(forwarded) => call.act_as(forwarded),
            Self::Role(role) => assume(call, stack_id, role),
        }
    }
}

fn pass(call: &mut Call<'_>, stack_id: &str, role: &str) -> Result<()> {
    let owner = Arn::parse(role).map(|arn| arn.account().to_owned());
    let owner = owner.unwrap_or_default();
    if owner != call.account() {
        return Err(Fault::access_denied("Cross-account pass role is not allowed."));
    }
    let context = Context::new()
        .with("iam:PassedToService", PRINCIPAL)
        .with("iam:AssociatedResourceArn", stack_id.to_owned());
    call.also(PASS, role, &owner, context)?;
    assume(call, stack_id, role).map(drop)
}

fn assume(call: &mut Call<'_>, stack_id: &str, role: &str) -> Result<Acting> {
    let input = Document::Structure(vec![
        ("RoleArn", Document::String(role.to_owned())),
        (
            "RoleSessionName",
            Document::String("AWSCloudFormation".to_owned()),
        ),
    ]);
    let answer = call.invoke_as_service(PRINCIPAL, Some(stack_id), "sts", "AssumeRole", input);
    let answer = answer.map_err(|fault| {
        let mut refused = invalid(format!("Role {role} is invalid or cannot be assumed"));
        refused.source = fault.source.or_else(|| Some(fault.message.into()));
        refused
    })?;
    let issued = answer.member("Credentials");
    let text = |member: &str| {
        let found = issued
            .and_then(|issued| issued.member(member))
            .and_then(Document::as_str);
        found.ok_or_else(|| Fault::internal(format!("STS answered without {member}")))
    };
    let token = crypto::Secret::copy_of(text("SessionToken")?.as_bytes());
    call.act_for_session(text("AccessKeyId")?, &token)
}
