//! The execution role: who may hand it to a function, and the credentials that a function runs with.
//!
//! Invariant: Lambda has no way into a role but STS: the role's trust policy is judged each time, and each time is recorded.

use api::lambda::fault::service_exception;
use pipeline::functions::Credentials;
use pipeline::{Access, Call, Result};
use policy::{Arn, Context};
use wire::fault::{Code, Common};
use wire::{Document, Fault, Timestamp};

use super::fault::invalid;
use super::function::PRINCIPAL;

/// What it takes to hand a role to a function.
pub(crate) const PASS: Access = Access::write("iam:PassRole");

/// Credentials of a role, issued to Lambda.
pub(crate) struct Session {
    access_key_id: String,
    secret_access_key: crypto::Secret,
    session_token: crypto::Secret,
    expires: Timestamp,
}

impl Session {
    /// By which the session is known.
    pub(crate) fn credential(&self) -> (&str, &crypto::Secret) {
        (&self.access_key_id, &self.session_token)
    }

    pub(crate) fn into_credentials(self) -> Credentials {
        Credentials {
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            session_token: self.session_token,
            expires: self.expires,
        }
    }
}

/// Asks whether the caller may hand the role to Lambda for this function, and whether the role trusts Lambda.
pub(crate) fn pass(call: &mut Call<'_>, function_arn: &str, name: &str, role: &str) -> Result<()> {
    let owner = Arn::parse(role).map(|arn| arn.account().to_owned());
    let owner = owner.unwrap_or_default();
    let own = Arn::parse(function_arn).is_some_and(|arn| arn.account() == owner);
    if !own {
        return Err(Fault::access_denied("Cross-account pass role is not allowed."));
    }
    let context = Context::new()
        .with("iam:PassedToService", PRINCIPAL)
        .with("iam:AssociatedResourceArn", function_arn.to_owned());
    call.also(PASS, role, &owner, context)?;
    match assume(call, function_arn, name, role) {
        Ok(_) => Ok(()),
        Err(fault) if refused(&fault) => Err(invalid(
            "The role defined for the function cannot be assumed by Lambda.",
        )),
        Err(fault) => Err(fault),
    }
}

/// Assumes the role as Lambda, for a function: the session bears the function's name.
pub(crate) fn assume(call: &mut Call<'_>, function_arn: &str, name: &str, role: &str) -> Result<Session> {
    // STS takes no session name of one letter, a function may have one.
    let session = if name.len() < 2 {
        format!("{name}@lambda")
    } else {
        name.to_owned()
    };
    let input = Document::Structure(vec![
        ("RoleArn", Document::String(role.to_owned())),
        ("RoleSessionName", Document::String(session)),
    ]);
    let answer = call.invoke_as_service(PRINCIPAL, Some(function_arn), "sts", "AssumeRole", input)?;
    let issued = answer.member("Credentials");
    let text = |member: &str| {
        let found = issued
            .and_then(|issued| issued.member(member))
            .and_then(Document::as_str);
        found.ok_or_else(|| Fault::internal(format!("STS answered without {member}")))
    };
    let Some(Document::Timestamp(expires)) = issued.and_then(|issued| issued.member("Expiration")) else {
        return Err(Fault::internal("STS answered without an expiration"));
    };
    Ok(Session {
        access_key_id: text("AccessKeyId")?.to_owned(),
        secret_access_key: crypto::Secret::copy_of(text("SecretAccessKey")?.as_bytes()),
        session_token: crypto::Secret::copy_of(text("SessionToken")?.as_bytes()),
        expires: *expires,
    })
}

/// The same for a run: a role that no longer trusts Lambda, or is gone, is the function's own fault.
pub(crate) fn assume_to_run(
    call: &mut Call<'_>,
    function_arn: &str,
    name: &str,
    role: &str,
) -> Result<Session> {
    assume(call, function_arn, name, role).map_err(|fault| {
        if refused(&fault) {
            invalid("The role defined for the function cannot be assumed by Lambda.")
        } else {
            let mut failed = service_exception("The execution role's credentials could not be issued.");
            failed.source = Some(fault.message.into());
            failed
        }
    })
}

/// Whether STS said no, and not that it failed.
fn refused(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::Common(Common::AccessDenied | Common::Validation)
            | Code::Modeled {
                status: 400..=499,
                ..
            }
    )
}
