//! The end of a secret: a recovery window in which it can be brought back, or none.
//!
//! Invariant: a secret goes together with the values of all its versions.

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_parameter_exception, invalid_request_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde_json::{Value, json};
use wire::Timestamp;

use super::cross_account;
use super::naming::{resolve, resolve_or_ghost};
use super::secret::{DAY, Deletion, SECRETS, Secret, SecretTarget, to_change};
use super::value;
use super::{replica, rotation};

/// The job that deletes a secret.
pub(crate) const JOB: &str = "secretsmanager.EndSecretVersionDelete";
/// Days of the recovery window, unless told.
const WINDOW_DAYS: i64 = 30;
/// The shortest and the longest window, in days (Secrets Manager API Reference, `DeleteSecret`).
const WINDOW_DAYS_RANGE: (i64, i64) = (7, 30);

/// Deletes a secret at the end of its recovery window, or at once if told so.
pub struct DeleteSecret;

impl Operation for DeleteSecret {
    type Input = model::DeleteSecretRequest;
    type Output = model::DeleteSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:DeleteSecret");
    const CONDITIONS: &'static [&'static str] = &[
        "secretsmanager:ForceDeleteWithoutRecovery",
        "secretsmanager:RecoveryWindowInDays",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        if input.force_delete_without_recovery == Some(true) {
            // A forced deletion of what is not there is answered like any other (API Reference, `DeleteSecret`).
            resolve_or_ghost(look, &input.secret_id)
        } else {
            resolve(look, &input.secret_id)
        }
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(days) = input.recovery_window_in_days {
            context.insert("secretsmanager:RecoveryWindowInDays", days.to_string());
        }
        if let Some(force) = input.force_delete_without_recovery {
            context.insert("secretsmanager:ForceDeleteWithoutRecovery", force.to_string());
        }
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        secret.expect_primary()?;
        replica::expect_none(&secret)?;
        cross_account::expect_none(&secret)?;
        let force = input.force_delete_without_recovery == Some(true);
        if force && input.recovery_window_in_days.is_some() {
            return Err(invalid_parameter_exception(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = input.recovery_window_in_days.unwrap_or(WINDOW_DAYS);
        let (least, most) = WINDOW_DAYS_RANGE;
        if !(least..=most).contains(&days) {
            return Err(invalid_parameter_exception(format!(
                "The RecoveryWindowInDays value must be between {least} and {most} days (inclusive)."
            )));
        }
        let mut secret = to_change(&secret);
        let answer = |secret: &Secret, date: i64| model::DeleteSecretResponse {
            arn: Some(secret.arn()),
            deletion_date: Some(Timestamp(date)),
            name: Some(secret.name.clone()),
        };
        if force {
            let shown = answer(&secret, call.now.0);
            if let Some(planned) = secret.deletion.take() {
                call.unschedule(&planned.job)?;
            }
            if secret.exists() {
                remove(call, &secret)?;
            }
            return Ok(shown);
        }
        if secret.deletion.is_some() {
            return Err(invalid_request_exception(
                "You can't perform this operation on the secret because it was already scheduled for deletion.",
            ));
        }
        let date = call.now.0 + days * DAY;
        let payload = json!({ "account": secret.account, "name": secret.name });
        let job = call.schedule(JOB, Timestamp(date), payload)?;
        secret.deletion = Some(Deletion { date, job });
        let shown = answer(&secret, date);
        secret.keep(call)?;
        Ok(shown)
    }
}

/// Takes the plan back.
pub struct RestoreSecret;

impl Operation for RestoreSecret {
    type Input = model::RestoreSecretRequest;
    type Output = model::RestoreSecretResponse;
    type Target = SecretTarget;
    const ACCESS: Access = Access::write("secretsmanager:RestoreSecret");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<SecretTarget>> {
        resolve(look, &input.secret_id)
    }

    fn handle(
        call: &mut Call<'_>,
        secret: Authorized<SecretTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&secret.account);
        let answer = model::RestoreSecretResponse {
            arn: Some(secret.arn()),
            name: Some(secret.name.clone()),
        };
        let mut secret = to_change(&secret);
        if let Some(planned) = secret.deletion.take() {
            call.unschedule(&planned.job)?;
            secret.keep(call)?;
        }
        Ok(answer)
    }
}

/// Deletes a secret whose recovery window is over.
pub(crate) fn end(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let text = |member| payload.get(member).and_then(Value::as_str).unwrap_or_default();
    let region = call.region().to_owned();
    let Some(secret) = call.get(&SECRETS, &(text("account"), region.as_str(), text("name")))? else {
        return Ok(());
    };
    call.mention(secret.arn(), &secret.account, SecretTarget::TYPE);
    remove(call, &secret)
}

/// Removes a secret with all that was planned for it.
pub(crate) fn remove(call: &mut Call<'_>, secret: &Secret) -> Result<()> {
    for id in secret.versions.keys() {
        value::forget(call, secret, id)?;
    }
    rotation::forget(call, secret)?;
    secret.drop_row(call)
}
