//! Rotation: new material under the same key (S8.46 to S8.51).
//!
//! Older generations stay, so that what they encrypted still decrypts. A key that is not enabled has no rotation planned: the plan is
//! suspended, and taken up again when the key is enabled, at once if its day has passed.
//!
//! Invariant: the last turn names the material that encrypts now.

use api::kms as model;
use api::kms::fault::{
    conflict_exception, kms_invalid_state_exception, limit_exceeded_exception,
    unsupported_operation_exception,
};
use crypto::kms::MaterialSpec;
use pipeline::jobs::JobId;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wire::Timestamp;
use wire::typed::Empty;

use crate::kms::key::{DAY, KEYS, Key, KeyTarget, Origin, State, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::page::Page;
use crate::kms::{material, multi_region};

/// The job that rotates a key.
pub(crate) const JOB: &str = "kms.RotateKey";
/// Days between rotations, unless told (S8.47). The model bounds what may be told to 90 to 2,560.
const PERIOD_DAYS: i32 = 365;
/// Rotations on demand that one key may ever have (KMS Developer Guide, "Resource quotas").
const ON_DEMAND_MAX: u32 = 25;

/// The generations of a key's material, and the plan for the next one.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Rotation {
    /// Days between automatic rotations; `None` while they are off.
    period_days: Option<i32>,
    /// When the next one is due, in milliseconds since the epoch.
    next: Option<i64>,
    /// The job that does it; `None` while the key is not enabled.
    job: Option<JobId>,
    /// A rotation on demand that has not been done yet: when it was asked for, and its job.
    asked: Option<(i64, JobId)>,
    asked_ever: u32,
    /// The generations, oldest first.
    turns: Vec<Turn>,
}

/// One generation.
#[derive(Clone, Serialize, Deserialize)]
struct Turn {
    material: String,
    /// When it became current, in milliseconds since the epoch.
    at: i64,
    /// What made it; `None` for the material that the key began with.
    cause: Option<Cause>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Cause {
    Automatic,
    OnDemand,
}

impl Rotation {
    /// The state of a key that was just made.
    pub(crate) fn beginning(material: &str, now: i64) -> Self {
        Self {
            turns: vec![Turn {
                material: material.to_owned(),
                at: now,
                cause: None,
            }],
            ..Self::default()
        }
    }

    /// Days between automatic rotations, and when the next one is due.
    pub(crate) const fn plan(&self) -> (Option<i32>, Option<i64>) {
        match &self.job {
            Some(_) => (self.period_days, self.next),
            // The plan is suspended, or its day belongs to the primary key.
            None => (self.period_days, None),
        }
    }

    /// Whether the key encrypts with a material, or ever did.
    pub(crate) fn has(&self, material: &str) -> bool {
        self.turns.iter().any(|turn| turn.material == material)
    }

    /// What the replicas of a multi-Region key share; the plan is their primary key's.
    pub(crate) fn shared(&self) -> Self {
        Self {
            job: None,
            asked: None,
            ..self.clone()
        }
    }
}

/// Takes back what is planned, since the key is not enabled any more (S8.51).
pub(crate) fn suspend(call: &mut Call<'_>, key: &mut Key) -> Result<()> {
    if let Some(job) = key.rotation.job.take() {
        call.unschedule(&job)?;
    }
    if let Some((_, job)) = key.rotation.asked.take() {
        call.unschedule(&job)?;
    }
    Ok(())
}

/// Takes the plan up again. A rotation whose day has passed is due at once.
pub(crate) fn resume(call: &mut Call<'_>, key: &mut Key) -> Result<()> {
    match (key.rotation.next, &key.rotation.job) {
        (Some(next), None) if !key.is_replica() => {
            let due = next.max(call.now.0);
            plan(call, key, due)
        }
        _ => Ok(()),
    }
}

fn plan(call: &mut Call<'_>, key: &mut Key, due: i64) -> Result<()> {
    if let Some(job) = key.rotation.job.take() {
        call.unschedule(&job)?;
    }
    key.rotation.next = Some(due);
    key.rotation.job = Some(call.schedule_in(
        &key.region,
        JOB,
        Timestamp(due),
        json!({ "key": key.id, "onDemand": false }),
    )?);
    Ok(())
}

/// Begins the rotation of an AWS managed key (S8.52 as it is today).
pub(crate) fn every_year(call: &mut Call<'_>, key: &mut Key) -> Result<()> {
    key.rotation.period_days = Some(PERIOD_DAYS);
    let due = call.now.0 + i64::from(PERIOD_DAYS) * DAY;
    plan(call, key, due)
}

/// Gives a key new material, which encrypts from now on.
pub(crate) fn rotate_key(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let id = payload.get("key").and_then(Value::as_str).unwrap_or_default();
    let row = (call.account().to_owned(), call.region().to_owned(), id.to_owned());
    let Some(found) = call.get(&KEYS, &row)? else {
        return Ok(());
    };
    if found.state != State::Enabled {
        return Ok(());
    }
    let mut key = (*found).clone();
    let before = key.material.clone();
    let on_demand = payload.get("onDemand").and_then(Value::as_bool) == Some(true);
    let material = match key.origin {
        Origin::AwsKms => material::make(call, &key.account, &key.region, &key.id, key.spec)?,
        Origin::External => match key.pending() {
            Some(held) if multi_region::everywhere(call, &key, &held.material)? => held.material.clone(),
            _ => {
                // It was deleted, or has expired, since the rotation was asked for.
                key.rotation.asked = None;
                return key.keep(call);
            }
        },
    };
    let cause = if on_demand {
        Cause::OnDemand
    } else {
        Cause::Automatic
    };
    key.rotation.turns.push(Turn {
        material: material.clone(),
        at: call.now.0,
        cause: Some(cause),
    });
    key.material = material;
    if on_demand {
        key.rotation.asked = None;
    } else {
        // The job that runs takes its own row away.
        key.rotation.job = None;
        match key.rotation.period_days {
            Some(days) => {
                let due = call.now.0 + i64::from(days) * DAY;
                plan(call, &mut key, due)?;
            }
            None => key.rotation.next = None,
        }
    }
    call.mention(key.arn(), &key.account, KeyTarget::TYPE);
    for (name, value) in [
        ("keyId", &key.id),
        ("previousKeyMaterialId", &before),
        ("currentKeyMaterialId", &key.material),
    ] {
        call.add_event_data(name, value.clone());
    }
    let rotation_type = if on_demand { "ON_DEMAND" } else { "AUTOMATIC" };
    call.add_event_data("rotationType", rotation_type);
    call.add_event_data("keyOrigin", key.origin.as_str());
    multi_region::synchronize(call, &key)?;
    key.keep(call)
}

/// Only symmetric keys whose material is made here rotate (KMS Developer Guide, "Rotate AWS KMS keys").
fn expect_rotating(key: &Key) -> Result<()> {
    if key.spec == MaterialSpec::Symmetric {
        return Ok(());
    }
    let (arn, spec) = (key.arn(), key.spec.name());
    Err(unsupported_operation_exception(format!(
        "{arn} key spec is {spec} which is not valid for this operation."
    )))
}

/// Material that was imported has no automatic rotation.
fn expect_automatic(key: &Key) -> Result<()> {
    expect_rotating(key)?;
    if key.origin == Origin::External {
        let arn = key.arn();
        return Err(unsupported_operation_exception(format!(
            "{arn} origin is EXTERNAL which is not valid for this operation."
        )));
    }
    key.expect_no_replica()
}

/// Turns automatic rotation on, or changes its period.
pub struct EnableKeyRotation;

impl Operation for EnableKeyRotation {
    type Input = model::EnableKeyRotationRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:EnableKeyRotation");
    const CONDITIONS: &'static [&'static str] = &["kms:RotationPeriodInDays"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let days = input.rotation_period_in_days.unwrap_or(PERIOD_DAYS);
        context.insert("kms:RotationPeriodInDays", days.to_string());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        expect_automatic(&key)?;
        key.expect_enabled()?;
        let mut key = to_change(&key);
        // What is not said is a year, also of a key that rotates by another period: `kms:RotationPeriodInDays` was judged on that.
        let days = input.rotation_period_in_days.unwrap_or(PERIOD_DAYS);
        key.rotation.period_days = Some(days);
        let due = call.now.0 + i64::from(days) * DAY;
        plan(call, &mut key, due)?;
        multi_region::synchronize(call, &key)?;
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Turns automatic rotation off.
pub struct DisableKeyRotation;

impl Operation for DisableKeyRotation {
    type Input = model::DisableKeyRotationRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:DisableKeyRotation");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Empty> {
        expect_automatic(&key)?;
        key.expect_enabled()?;
        let mut key = to_change(&key);
        if let Some(job) = key.rotation.job.take() {
            call.unschedule(&job)?;
        }
        key.rotation.next = None;
        key.rotation.period_days = None;
        multi_region::synchronize(call, &key)?;
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Tells whether and when a key rotates.
pub struct GetKeyRotationStatus;

impl Operation for GetKeyRotationStatus {
    type Input = model::GetKeyRotationStatusRequest;
    type Output = model::GetKeyRotationStatusResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:GetKeyRotationStatus");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Arn)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        // A key that is about to go, or whose spec never rotates by itself, is shown as one that does not rotate (KMS API
        // Reference, `GetKeyRotationStatus`).
        let period = key
            .rotation
            .period_days
            .filter(|_| !matches!(key.state, State::PendingDeletion | State::PendingReplicaDeletion));
        Ok(model::GetKeyRotationStatusResponse {
            key_id: Some(key.arn()),
            key_rotation_enabled: Some(period.is_some()),
            next_rotation_date: period.and(key.rotation.next).map(Timestamp),
            on_demand_rotation_start_date: key.rotation.asked.as_ref().map(|(at, _)| Timestamp(*at)),
            rotation_period_in_days: period,
        })
    }
}

/// Rotates a key now (S8.48). As on AWS the answer comes before the rotation, which is a job that is due at once.
pub struct RotateKeyOnDemand;

impl Operation for RotateKeyOnDemand {
    type Input = model::RotateKeyOnDemandRequest;
    type Output = model::RotateKeyOnDemandResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:RotateKeyOnDemand");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        expect_rotating(&key)?;
        key.expect_no_replica()?;
        key.expect_enabled()?;
        let mut key = to_change(&key);
        let arn = key.arn();
        let waits = match key.pending() {
            Some(held) => multi_region::everywhere(call, &key, &held.material)?,
            None => false,
        };
        if key.origin == Origin::External && !waits {
            return Err(kms_invalid_state_exception(format!(
                "{arn} has no key material that is pending rotation."
            )));
        }
        if key.rotation.asked.is_some() {
            return Err(conflict_exception(format!(
                "A rotation of {arn} is in progress already."
            )));
        }
        if key.rotation.asked_ever >= ON_DEMAND_MAX {
            return Err(limit_exceeded_exception(format!(
                "{arn} was rotated on demand {ON_DEMAND_MAX} times."
            )));
        }
        let now = call.now;
        let job = call.schedule(JOB, now, json!({ "key": key.id, "onDemand": true }))?;
        key.rotation.asked = Some((now.0, job));
        key.rotation.asked_ever += 1;
        key.keep(call)?;
        Ok(model::RotateKeyOnDemandResponse { key_id: Some(arn) })
    }
}

/// Lists the rotations of a key, and with them its generations if asked for.
pub struct ListKeyRotations;

impl Operation for ListKeyRotations {
    type Input = model::ListKeyRotationsRequest;
    type Output = model::ListKeyRotationsResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::list("kms:ListKeyRotations");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        expect_rotating(&key)?;
        let all = input.include_key_material == Some(model::IncludeKeyMaterial::AllKeyMaterial);
        let list = format!("ListKeyRotations {} {all}", key.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.limit, (100, 1000))?;
        let turns = key
            .rotation
            .turns
            .iter()
            .enumerate()
            .filter(|(_, turn)| all || turn.cause.is_some());
        let mut named: Vec<_> = turns
            .map(|(number, turn)| (format!("{number:06}"), shown(&key, turn)))
            .collect();
        if let Some(held) = key.pending().filter(|_| all) {
            let ready = multi_region::everywhere(call, &key, &held.material)?;
            let state = if ready || key.set.is_none() {
                "PENDING_ROTATION"
            } else {
                "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
            };
            let mut entry = about_import(&key, &held.material);
            entry.key_material_state = model::KeyMaterialState::parse(state);
            named.push((format!("{:06}", key.rotation.turns.len()), entry));
        }
        let named = named.into_iter();
        let named: Vec<_> = named.filter(|(name, _)| page.reaches(name)).collect();
        let paged = page.close(call, named.into_iter())?;
        Ok(model::ListKeyRotationsResponse {
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
            rotations: Some(paged.items),
        })
    }
}

fn shown(key: &Key, turn: &Turn) -> model::RotationsListEntry {
    let current = turn.material == key.material;
    model::RotationsListEntry {
        key_material_state: Some(if current {
            model::KeyMaterialState::Current
        } else {
            model::KeyMaterialState::NonCurrent
        }),
        rotation_date: turn.cause.map(|_| Timestamp(turn.at)),
        rotation_type: turn.cause.map(|cause| match cause {
            Cause::Automatic => model::RotationType::Automatic,
            Cause::OnDemand => model::RotationType::OnDemand,
        }),
        ..about_import(key, &turn.material)
    }
}

/// What is told of a material apart from its rotation.
fn about_import(key: &Key, material: &str) -> model::RotationsListEntry {
    let held = key.imported.iter().find(|held| held.material == material);
    let here = held.filter(|held| held.present);
    let expires = here.and_then(|held| held.expires.as_ref().map(|(at, _)| Timestamp(*at)));
    model::RotationsListEntry {
        key_id: Some(key.arn()),
        key_material_id: Some(material.to_owned()),
        key_material_description: held.and_then(|held| held.description.clone()),
        import_state: held.and_then(|held| {
            model::ImportState::parse(if held.present {
                "IMPORTED"
            } else {
                "PENDING_IMPORT"
            })
        }),
        expiration_model: here.and_then(|_| {
            model::ExpirationModelType::parse(if expires.is_some() {
                "KEY_MATERIAL_EXPIRES"
            } else {
                "KEY_MATERIAL_DOES_NOT_EXPIRE"
            })
        }),
        valid_to: expires,
        ..model::RotationsListEntry::default()
    }
}
