//! Rotation: a function makes a new value of a secret, sets it where it is used, tests it, and makes it current; by schedule or when
//! asked (S11.2, S11.4).
//!
//! `rules` says when, `rotate` turns it on and off, `run` is what happens by the clock: a window opens, and four steps follow each
//! other as jobs, each of which invokes the function once.
//!
//! Invariant: the version that a rotation makes is announced with `AWSPENDING` before the function runs; what was current stays so
//! until the function itself moves the label. One rotation of a secret is underway at a time.

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_request_exception;
use pipeline::jobs::JobId;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wire::{Fault, Timestamp};

use super::secret::{CURRENT, PENDING, Secret, Version};
use super::{value, version};

mod rotate;
mod rules;
mod run;

pub use rotate::{CancelRotateSecret, RotateSecret};
pub use rules::Rules;
pub(crate) use run::{step, window_opens};

/// The job that begins a rotation when its window opens.
pub(crate) const WINDOW_JOB: &str = "secretsmanager.RotateSecret";
/// The job that invokes the function for one step.
pub(crate) const STEP_JOB: &str = "secretsmanager.RotationStep";

/// The steps, as the function is told them (Secrets Manager User Guide, "Four steps in a rotation function").
pub(crate) const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
/// The step that a test of the configuration takes.
const TEST_STEP: usize = 2;

/// How a secret is rotated.
#[derive(Clone, Serialize, Deserialize)]
pub struct Rotation {
    pub enabled: bool,
    /// The function's ARN.
    pub lambda: String,
    /// Absent of secrets that are rotated only when asked.
    pub rules: Option<Rules>,
    /// When it last came to its end, in milliseconds since the epoch.
    pub last: Option<i64>,
    /// By when the next one is planned, in milliseconds since the epoch; in the past while none succeeds.
    pub next: Option<i64>,
    /// What begins it.
    pub job: Option<JobId>,
    /// The one that is underway.
    pub running: Option<Running>,
    /// The token of the `RotateSecret` that was heard last, by which the same request is known when it comes again.
    #[serde(default)]
    pub asked: Option<String>,
}

/// A rotation underway.
#[derive(Clone, Serialize, Deserialize)]
pub struct Running {
    /// The version that it makes.
    pub version: String,
    /// Proves to `PutSecretValue` that the function called it for this rotation.
    pub token: String,
    /// Which of `STEPS` is next.
    pub step: usize,
    /// Attempts that failed.
    pub failed: usize,
    /// When its window opened and closes, in milliseconds since the epoch: later than that nothing is tried again.
    pub opened: i64,
    pub closes: i64,
    /// It only tests the configuration.
    pub test: bool,
    /// What runs the next step.
    pub job: JobId,
}

impl Rotation {
    pub(crate) fn shown_last(&self) -> Option<Timestamp> {
        self.last.filter(|_| self.enabled).map(Timestamp)
    }

    pub(crate) fn shown_next(&self) -> Option<Timestamp> {
        self.next.filter(|_| self.enabled).map(Timestamp)
    }

    pub(crate) fn shown_rules(&self) -> Option<model::RotationRulesType> {
        self.rules.as_ref().map(Rules::shown)
    }

    /// What a replica shows of it; nothing is planned there.
    pub(crate) fn shown_only(&self) -> Self {
        Self {
            job: None,
            running: None,
            ..self.clone()
        }
    }
}

/// Checks the proof that a rotation function shows with its value.
pub(crate) fn expect_rotation_token(secret: &Secret, version: &str, token: &str) -> Result<()> {
    let running = secret
        .rotation
        .as_ref()
        .and_then(|rotation| rotation.running.as_ref());
    match running {
        Some(running) if running.version == version && running.token == token => Ok(()),
        _ => Err(invalid_request_exception("The rotation token is invalid.")),
    }
}

/// What a new current value means for rotation: one that did not come of it counts as a rotation, and ends the one underway.
pub(crate) fn value_given(call: &mut Call<'_>, secret: &mut Secret, id: &str) -> Result<()> {
    let Some(rotation) = &secret.rotation else {
        return Ok(());
    };
    let own = rotation
        .running
        .as_ref()
        .is_some_and(|running| running.version == id);
    if own || !rotation.enabled {
        return Ok(());
    }
    stop(call, secret)?;
    if let Some(pending) = secret.labelled(PENDING).map(str::to_owned) {
        version::unlabel(secret, PENDING, &pending);
        drop_announced(secret, &pending);
        tell(call, secret, "RotationAbandoned", None);
    }
    plan(call, secret, call.now.0)
}

/// Forgets all that is planned for a secret.
pub(crate) fn forget(call: &mut Call<'_>, secret: &Secret) -> Result<()> {
    let rotation = secret.rotation.as_ref();
    let running = rotation.and_then(|rotation| rotation.running.as_ref());
    let jobs = [
        rotation.and_then(|rotation| rotation.job.as_ref()),
        running.map(|running| &running.job),
    ];
    for job in jobs.into_iter().flatten() {
        call.unschedule(job)?;
    }
    Ok(())
}

/// Ends the rotation underway, if there is one. Its version keeps its label.
fn stop(call: &mut Call<'_>, secret: &mut Secret) -> Result<()> {
    let running = secret
        .rotation
        .as_mut()
        .and_then(|rotation| rotation.running.take());
    let Some(running) = running else {
        return Ok(());
    };
    call.unschedule(&running.job)?;
    if running.test {
        drop_tested(call, secret, &running.version)?;
    }
    Ok(())
}

/// Takes back the version that a test made.
fn drop_tested(call: &mut Call<'_>, secret: &mut Secret, id: &str) -> Result<()> {
    value::forget(call, secret, id)?;
    secret.versions.remove(id);
    Ok(())
}

/// A version that was announced and never got a value is nothing once its label is gone.
fn drop_announced(secret: &mut Secret, id: &str) {
    let announced = |version: &Version| version.empty && version.stages.is_empty();
    if secret.versions.get(id).is_some_and(announced) {
        secret.versions.remove(id);
    }
}

/// Plans the next rotation by the rules, `last` having been the latest one.
fn plan(call: &mut Call<'_>, secret: &mut Secret, last: i64) -> Result<()> {
    let payload = named(secret);
    let Some(rotation) = secret.rotation.as_mut() else {
        return Ok(());
    };
    if let Some(job) = rotation.job.take() {
        call.unschedule(&job)?;
    }
    rotation.next = None;
    let Some(rules) = rotation.rules.as_ref().filter(|_| rotation.enabled) else {
        return Ok(());
    };
    if let Some(window) = rules
        .plan()
        .map_err(|wrong| Fault::internal(wrong.0))?
        .upcoming(last, call.now.0)
    {
        rotation.next = Some(window.shown());
        rotation.job = Some(call.schedule(WINDOW_JOB, Timestamp(window.opens), payload)?);
    }
    Ok(())
}

/// How jobs name a secret.
fn named(secret: &Secret) -> Value {
    json!({ "account": secret.account, "name": secret.name, "suffix": secret.suffix })
}

/// Begins a rotation that makes the version `id`: announces it and plans the first step, which is due at once.
fn begin(
    call: &mut Call<'_>,
    secret: &mut Secret,
    id: &str,
    (opened, closes): (i64, i64),
    test: bool,
) -> Result<()> {
    let now = call.now.0;
    let announced = Version {
        created: now,
        accessed: None,
        stages: std::collections::BTreeSet::new(),
        kms_key: secret.kms_key.clone(),
        empty: true,
    };
    secret.versions.entry(id.to_owned()).or_insert(announced);
    version::label(secret, PENDING, id)?;
    let step = if test { TEST_STEP } else { 0 };
    let mut running = Running {
        version: id.to_owned(),
        token: call.uuid()?,
        step,
        failed: 0,
        opened,
        closes,
        test,
        job: JobId::default(),
    };
    run::plan_step(call, secret, &mut running, now)?;
    if let Some(rotation) = secret.rotation.as_mut() {
        rotation.running = Some(running);
    }
    let event = if test {
        "TestRotationStarted"
    } else {
        "RotationStarted"
    };
    tell(call, secret, event, None);
    Ok(())
}

/// The version that an earlier rotation left unfinished.
fn unfinished(secret: &Secret) -> Option<&str> {
    let pending = secret.labelled(PENDING);
    pending.filter(|pending| secret.labelled(CURRENT) != Some(pending))
}

/// Tells of the rotation in the trail, as AWS does.
fn tell(call: &mut Call<'_>, secret: &Secret, event: &'static str, error: Option<String>) {
    let details = Map::from_iter([("SecretId".to_owned(), Value::String(secret.arn()))]);
    call.service_event(event, details, error);
}
