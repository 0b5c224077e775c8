//! What happens by the clock: a window opens, and the function is invoked step by step.
//!
//! A step that fails is told in the trail, and the whole rotation is tried again, with the version that it announced, until the
//! window closes or it was tried often enough (Secrets Manager User Guide, "Rotation by Lambda function"). After that the next
//! window tries it.
//!
//! Invariant: a step is taken only by the rotation that planned it; an answer to one that was stopped meanwhile changes nothing.

use std::sync::Arc;

use pipeline::schedule::MINUTE;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::fault::{Code, Common};
use wire::{Document, Timestamp};

use super::super::secret::{CURRENT, PENDING, SECRETS, Secret};
use super::{Running, STEP_JOB, STEPS, WINDOW_JOB, begin, drop_tested, named, plan, tell, unfinished};

/// The principal that functions let in.
pub(super) const BY: &str = "secretsmanager.amazonaws.com";
pub(super) const CANNOT_INVOKE: &str = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy \
     grants access to the principal secretsmanager.amazonaws.com.";
/// Minutes from a failure to the next attempt; all of them fit into the shortest window.
const RETRY_MINUTES: [i64; 4] = [5, 10, 15, 25];

/// Plans the step that is next.
pub(super) fn plan_step(call: &mut Call<'_>, secret: &Secret, running: &mut Running, due: i64) -> Result<()> {
    let mut payload = named(secret);
    if let Some(members) = payload.as_object_mut() {
        members.insert("version".to_owned(), json!(running.version));
        members.insert("step".to_owned(), json!(running.step));
        members.insert("failed".to_owned(), json!(running.failed));
    }
    running.job = call.schedule(STEP_JOB, Timestamp(due), payload)?;
    Ok(())
}

/// The secret that a job names, if it is still there.
fn find(call: &mut Call<'_>, payload: &Value) -> Result<Option<Arc<Secret>>> {
    let text = |member| payload.get(member).and_then(Value::as_str).unwrap_or_default();
    let region = call.region().to_owned();
    let found = call.get(&SECRETS, &(text("account"), region.as_str(), text("name")))?;
    Ok(found.filter(|secret| secret.suffix == text("suffix")))
}

/// Begins the rotation of a window that opens, or goes on with the one that earlier windows left unfinished.
pub(crate) fn window_opens(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some(secret) = find(call, payload)? else {
        return Ok(());
    };
    let mut secret = (*secret).clone();
    let now = call.now.0;
    let Some(rotation) = secret.rotation.as_mut().filter(|rotation| rotation.enabled) else {
        return Ok(());
    };
    rotation.job = None;
    let rules = rotation.rules.as_ref().and_then(|rules| rules.plan().ok());
    let closes = rules.map(|rules| rules.window_closes(now));
    // What is about to go is not rotated, and one rotation at a time is enough.
    if secret.deletion.is_some() || rotation.running.is_some() {
        plan(call, &mut secret, now)?;
        return secret.keep_here(call);
    }
    let id = match unfinished(&secret) {
        Some(id) => id.to_owned(),
        None => call.uuid()?,
    };
    begin(call, &mut secret, &id, (now, closes.unwrap_or(now)), false)?;
    secret.keep_here(call)
}

/// Takes one step: invokes the function and plans what follows.
pub(crate) fn step(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some(before) = find(call, payload)? else {
        return Ok(());
    };
    let Some(running) = running(&before, payload).cloned() else {
        return Ok(());
    };
    let pending = before.versions.get(&running.version);
    let staged =
        pending.is_some_and(|version| version.stages.contains(PENDING) || version.stages.contains(CURRENT));
    if !staged || before.deletion.is_some() {
        // Somebody took the label away: there is nothing to rotate to any more.
        let mut secret = (*before).clone();
        if let Some(rotation) = secret.rotation.as_mut() {
            rotation.running = None;
        }
        if secret
            .rotation
            .as_ref()
            .is_some_and(|rotation| rotation.job.is_none())
        {
            let now = call.now.0;
            plan(call, &mut secret, now)?;
        }
        return secret.keep_here(call);
    }
    let outcome = invoke(call, &before, &running)?;
    // The function has changed the secret meanwhile.
    let Some(after) = find(call, payload)? else {
        return Ok(());
    };
    let Some(running) = self::running(&after, payload).cloned() else {
        return Ok(());
    };
    let mut secret = (*after).clone();
    match outcome.and_then(|()| expect_effect(&secret, &running)) {
        Err(why) => failed(call, &mut secret, running, why)?,
        Ok(()) if running.test => {
            end(call, &mut secret, &running)?;
            tell(call, &secret, "TestRotationSucceeded", None);
        }
        Ok(()) if running.step + 1 < STEPS.len() => {
            let mut running = running;
            running.step += 1;
            let now = call.now.0;
            plan_step(call, &secret, &mut running, now)?;
            if let Some(rotation) = secret.rotation.as_mut() {
                rotation.running = Some(running);
            }
        }
        Ok(()) => succeeded(call, &mut secret, &running)?,
    }
    secret.keep_here(call)
}

/// The rotation underway, if it is the one whose step a job takes.
fn running<'a>(secret: &'a Secret, payload: &Value) -> Option<&'a Running> {
    let running = secret.rotation.as_ref()?.running.as_ref()?;
    let same = payload.get("version").and_then(Value::as_str) == Some(&running.version)
        && payload.get("step") == Some(&json!(running.step))
        && payload.get("failed") == Some(&json!(running.failed));
    same.then_some(running)
}

fn step_name(running: &Running) -> &'static str {
    STEPS.get(running.step).copied().unwrap_or_default()
}

/// Invokes the function for a step. What it answers does not matter; that it failed, or could not be invoked, comes back as the
/// sentence that the trail tells.
fn invoke(
    call: &mut Call<'_>,
    secret: &Secret,
    running: &Running,
) -> Result<std::result::Result<(), String>> {
    let lambda = secret
        .rotation
        .as_ref()
        .map(|rotation| rotation.lambda.clone())
        .unwrap_or_default();
    let payload = json!({
        "Step": step_name(running),
        "SecretId": secret.arn(),
        "ClientRequestToken": running.version,
        "RotationToken": running.token,
    });
    let input = Document::Structure(vec![
        ("FunctionName", Document::String(lambda.clone())),
        ("InvocationType", Document::String("RequestResponse".to_owned())),
        ("Payload", Document::Blob(payload.to_string().into_bytes())),
    ]);
    let failed = || {
        let step = step_name(running);
        Ok(Err(format!(
            "Error when executing lambda {lambda} during {step} step"
        )))
    };
    match call.invoke_as_service(BY, Some(&secret.arn()), "lambda", "Invoke", input) {
        Ok(answer) if answer.member("FunctionError").is_none() => Ok(Ok(())),
        Ok(_) => failed(),
        Err(fault) => match &fault.code {
            Code::Common(Common::AccessDenied) => Ok(Err(CANNOT_INVOKE.to_owned())),
            // A run that must wait for the function ends here too, and is thrown away with all that follows.
            _ => failed(),
        },
    }
}

/// What a step must have brought about, whatever the function said.
fn expect_effect(secret: &Secret, running: &Running) -> std::result::Result<(), String> {
    let lambda = secret
        .rotation
        .as_ref()
        .map(|rotation| rotation.lambda.as_str())
        .unwrap_or_default();
    let version = secret.versions.get(&running.version);
    match step_name(running) {
        "createSecret" if version.is_none_or(|version| version.empty) => Err(format!(
            "Pending secret version {} for Secret {} was not created by Lambda {lambda}. Remove the AWSPENDING staging label and \
             restart rotation.",
            running.version,
            secret.arn()
        )),
        "finishSecret" if secret.labelled(CURRENT) != Some(&running.version) => Err(format!(
            "Error when executing lambda {lambda} during finishSecret step"
        )),
        _ => Ok(()),
    }
}

fn end(call: &mut Call<'_>, secret: &mut Secret, running: &Running) -> Result<()> {
    if let Some(rotation) = secret.rotation.as_mut() {
        rotation.running = None;
    }
    if running.test {
        drop_tested(call, secret, &running.version)?;
    }
    Ok(())
}

fn succeeded(call: &mut Call<'_>, secret: &mut Secret, running: &Running) -> Result<()> {
    let now = call.now.0;
    end(call, secret, running)?;
    if let Some(rotation) = secret.rotation.as_mut() {
        rotation.last = Some(now);
    }
    plan(call, secret, now)?;
    secret.changed = now;
    tell(call, secret, "RotationSucceeded", None);
    Ok(())
}

/// Plans another attempt within the window, or leaves it to the next one.
fn failed(call: &mut Call<'_>, secret: &mut Secret, mut running: Running, why: String) -> Result<()> {
    let now = call.now.0;
    if running.test {
        end(call, secret, &running)?;
        tell(call, secret, "TestRotationFailed", Some(why));
        return Ok(());
    }
    tell(call, secret, "RotationFailed", Some(why));
    let wait = RETRY_MINUTES
        .get(running.failed)
        .map(|minutes| now + minutes * MINUTE);
    if let Some(due) = wait.filter(|due| *due < running.closes) {
        running.failed += 1;
        running.step = 0;
        plan_step(call, secret, &mut running, due)?;
        if let Some(rotation) = secret.rotation.as_mut() {
            rotation.running = Some(running);
        }
        return Ok(());
    }
    end(call, secret, &running)?;
    let payload = named(secret);
    let Some(rotation) = secret.rotation.as_mut() else {
        return Ok(());
    };
    if rotation.job.is_some() {
        return Ok(());
    }
    let rules = rotation.rules.as_ref().and_then(|rules| rules.plan().ok());
    if let Some(window) = rules.and_then(|rules| rules.after_failure(running.opened, now)) {
        rotation.job = Some(call.schedule(WINDOW_JOB, Timestamp(window.opens), payload)?);
    }
    Ok(())
}
