//! The end of a key: a waiting period, and then the destruction of its material (S8.30, S8.65).

use api::kms as model;
use api::kms::fault::kms_invalid_state_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde_json::{Value, json};
use wire::{Fault, Timestamp};

use crate::kms::alias::ALIASES;
use crate::kms::key::{DAY, Deletion, KEYS, KeyTarget, State, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{grant, imported, material, multi_region, rotation, usage};

/// The job that destroys a key.
pub(crate) const JOB: &str = "kms.DeleteKey";
/// Days of waiting, unless told.
pub(crate) const WINDOW_DAYS: i32 = 30;
/// The shortest and the longest wait, in days (KMS API Reference, `ScheduleKeyDeletion`).
const WINDOW_DAYS_RANGE: (i32, i32) = (7, 30);

/// Starts the waiting period after which a key is destroyed (S8.65).
pub struct ScheduleKeyDeletion;

impl Operation for ScheduleKeyDeletion {
    type Input = model::ScheduleKeyDeletionRequest;
    type Output = model::ScheduleKeyDeletionResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:ScheduleKeyDeletion");
    const CONDITIONS: &'static [&'static str] =
        &["kms:ScheduleKeyDeletionPendingWindowInDays", usage::TRAILING];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let found = resolve(look, &input.key_id, Self::ACCESS, Reach::Own)?;
        usage::idle(look, found)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let days = input.pending_window_in_days.unwrap_or(WINDOW_DAYS);
        context.insert("kms:ScheduleKeyDeletionPendingWindowInDays", days.to_string());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_staying()?;
        let days = input.pending_window_in_days.unwrap_or(WINDOW_DAYS);
        let (least, most) = WINDOW_DAYS_RANGE;
        if !(least..=most).contains(&days) {
            return Err(Fault::validation(format!(
                "PendingWindowInDays must be between {least} and {most} days (inclusive)."
            )));
        }
        let mut key = to_change(&key);
        rotation::suspend(call, &mut key)?;
        if key.set.as_ref().is_some_and(|set| !set.replicas.is_empty()) && !key.is_replica() {
            // A primary key begins to wait when the last of its replicas is gone.
            key.state = State::PendingReplicaDeletion;
            key.window_days = Some(days);
            let arn = key.arn();
            key.keep(call)?;
            return Ok(model::ScheduleKeyDeletionResponse {
                key_id: Some(arn),
                key_state: Some(model::KeyState::PendingReplicaDeletion),
                pending_window_in_days: Some(days),
                ..model::ScheduleKeyDeletionResponse::default()
            });
        }
        let date = call.now.0 + i64::from(days) * DAY;
        let job = call.schedule(JOB, Timestamp(date), json!({ "key": key.id }))?;
        key.state = State::PendingDeletion;
        key.deletion = Some(Deletion { date, job });
        let arn = key.arn();
        key.keep(call)?;
        Ok(model::ScheduleKeyDeletionResponse {
            deletion_date: Some(Timestamp(date)),
            key_id: Some(arn),
            key_state: Some(model::KeyState::PendingDeletion),
            pending_window_in_days: Some(days),
        })
    }
}

/// Takes the plan back. The key comes back disabled.
pub struct CancelKeyDeletion;

impl Operation for CancelKeyDeletion {
    type Input = model::CancelKeyDeletionRequest;
    type Output = model::CancelKeyDeletionResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:CancelKeyDeletion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        let arn = key.arn();
        if !matches!(key.state, State::PendingDeletion | State::PendingReplicaDeletion) {
            return Err(kms_invalid_state_exception(format!(
                "{arn} is not pending deletion."
            )));
        }
        let mut key = to_change(&key);
        if let Some(deletion) = key.deletion.take() {
            call.unschedule(&deletion.job)?;
        }
        key.window_days = None;
        key.state = if key.is_complete() {
            State::Disabled
        } else {
            State::PendingImport
        };
        key.keep(call)?;
        Ok(model::CancelKeyDeletionResponse { key_id: Some(arn) })
    }
}

/// Destroys a key whose waiting period is over, with its material, grants and aliases.
pub(crate) fn delete_key(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let id = payload.get("key").and_then(Value::as_str).unwrap_or_default();
    let row = (call.account().to_owned(), call.region().to_owned(), id.to_owned());
    let Some(key) = call.get(&KEYS, &row)? else {
        return Ok(());
    };
    for alias in &key.aliases {
        call.delete(
            &ALIASES,
            &(key.account.as_str(), key.region.as_str(), alias.as_str()),
        )?;
    }
    grant::forget(call, &key)?;
    imported::forget(call, &key)?;
    multi_region::leave(call, &key)?;
    material::destroy(call, &key)?;
    usage::forget(call, &key)?;
    call.mention(key.arn(), &key.account, KeyTarget::TYPE);
    call.delete(&KEYS, &row)
}
