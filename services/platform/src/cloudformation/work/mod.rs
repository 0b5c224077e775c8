//! Work: an operation of a stack on its way, one resource to a job.
//!
//! `forward` makes and changes resources in the order of their needs, `making` is one of these; `rollback` undoes an update; `removal`
//! deletes, whether for a deletion, for what a failed creation left, or for what an update replaced; `broken` goes on after a step that
//! could not be taken. Each step is one transaction with its
//! events, its rows, what the resource's service wrote, and the job of the next step.
//!
//! Invariant: a server that stops between two steps goes on with the second; one that stops within a step does that step again, of which
//! nothing was left.

use std::collections::BTreeSet;

use api::cloudformation as model;
use model::StackStatus;
use pipeline::jobs::JobId;
use pipeline::{Acting, Call, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::fault::{Code, Common};
use wire::{Fault, Timestamp};

use super::actor::Actor;
use super::evaluation::without_attributes;
use super::event::{self, By, Occurrence};
use super::hidden::Hidden;
use super::nesting;
use super::resource::StackResource;
use super::resource_type::{self, Await, code, is_absence};
use super::stack::{Place, STACKS, Stack};

mod broken;
mod forward;
mod making;
pub(crate) mod removal;
mod rollback;

#[cfg(test)]
mod tests;

/// The job that takes a step.
pub(crate) const JOB: &str = "cloudformation.Step";

/// What a stack is being brought to.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Create,
    Update,
    Delete,
}

/// Where an operation is.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Resources are made and changed.
    Forward,
    /// An update is undone.
    Rollback,
    /// What is no longer named is removed, after an update or its undoing.
    Cleanup,
    /// Everything is removed.
    Removal,
}

/// What a step changed, so that it can be undone.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Undo {
    pub logical_id: String,
    /// The row before; `None` for what was made.
    pub before: Option<StackResource>,
}

/// What an update changed of the stack itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Before {
    pub description: Option<String>,
    pub capabilities: Vec<String>,
    pub tags: std::collections::BTreeMap<String, String>,
    pub hidden: Hidden,
    pub imports: Vec<String>,
}

/// Something that is to be removed, though its logical id may stand for something else by now.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Garbage {
    pub row: StackResource,
    pub retained: bool,
}

/// What the operation's next resource waits for.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub id: String,
    /// Milliseconds since the epoch.
    pub deadline: i64,
    /// The job that looks at it then.
    job: Option<JobId>,
    pub physical_id: String,
    /// The resource's events tell the physical id already.
    shown: bool,
    /// The resource's row before.
    before: Option<StackResource>,
    /// What was sent to the resource's address, sealed.
    pub answer: Option<Hidden>,
    /// It was longer than it may be.
    pub too_long: bool,
}

/// An operation on its way.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Work {
    pub id: String,
    pub(crate) kind: Kind,
    pub(crate) phase: Phase,
    pub token: Option<String>,
    pub(crate) actor: Actor,
    /// Milliseconds since the epoch.
    pub deadline: Option<i64>,
    /// Logical ids that are still to be dealt with, the next one first.
    pub queue: Vec<String>,
    /// The newest last.
    pub(crate) undo: Vec<Undo>,
    /// What could not be undone.
    pub(crate) deferred: Vec<Undo>,
    /// The last is removed first.
    pub(crate) garbage: Vec<Garbage>,
    pub(crate) before: Option<Before>,
    /// Resources that failed: the verb (`create`) and the logical id.
    pub failed: Vec<(String, String)>,
    /// A stack policy for this update alone.
    pub policy: Option<String>,
    pub disable_rollback: bool,
    pub retain_except_on_create: bool,
    /// Asked for by `CancelUpdateStack`.
    pub cancelled: bool,
    /// Resources that a deletion leaves alone.
    pub retain: BTreeSet<String>,
    /// Names of exports that were used so far.
    pub imports: BTreeSet<String>,
    /// Set while the next step waits.
    #[serde(default)]
    pub pending: Option<Pending>,
}

store::record!(Work, 1);

/// By account, region and the stack's id.
pub(crate) static WORK: Table<Place, Work> = Table::new(0x0629, "cloudformation.work");

impl Work {
    pub(crate) fn new(call: &Call<'_>, kind: Kind, actor: Actor, token: Option<&str>) -> Result<Self> {
        Ok(Self {
            id: call.uuid()?,
            kind,
            phase: match kind {
                Kind::Delete => Phase::Removal,
                Kind::Create | Kind::Update => Phase::Forward,
            },
            token: token.map(str::to_owned),
            actor,
            deadline: None,
            queue: Vec::new(),
            undo: Vec::new(),
            deferred: Vec::new(),
            garbage: Vec::new(),
            before: None,
            failed: Vec::new(),
            policy: None,
            disable_rollback: false,
            retain_except_on_create: false,
            cancelled: false,
            retain: BTreeSet::new(),
            imports: BTreeSet::new(),
            pending: None,
        })
    }

    pub(crate) fn by(&self) -> By {
        By {
            token: self.token.clone(),
            operation: Some(self.id.clone()),
        }
    }
}

/// Begins an operation: from now on jobs bring it about.
pub(crate) fn begin(call: &mut Call<'_>, stack: &Stack, work: Work) -> Result<()> {
    plan(call, stack, &work)?;
    call.put(&WORK, &stack.place(), work)
}

fn plan(call: &mut Call<'_>, stack: &Stack, work: &Work) -> Result<()> {
    let payload = json!({ "stack": stack.uuid, "operation": work.id });
    let now = call.now;
    call.schedule(JOB, Timestamp(now.0), payload).map(drop)
}

/// Has the step looked at that waits.
pub(crate) fn wake(call: &mut Call<'_>, stack: &Stack, work: &Work) -> Result<()> {
    let now = call.now;
    let Some(pending) = &work.pending else {
        return Ok(());
    };
    plan_look(call, stack, work, (&pending.id, now)).map(drop)
}

fn plan_look(
    call: &mut Call<'_>,
    stack: &Stack,
    work: &Work,
    (awaited, at): (&str, Timestamp),
) -> Result<JobId> {
    let payload = json!({ "stack": stack.uuid, "operation": work.id, "awaited": awaited });
    call.schedule(JOB, at, payload)
}

/// The operation of a stack that is on its way, or was left as it failed.
pub(crate) fn find(call: &mut Call<'_>, stack: &Stack) -> Result<Option<Work>> {
    let found = call.get(&WORK, &stack.place())?;
    Ok(found.map(|work| (*work).clone()))
}

/// What follows a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// There is more to do.
    Step,
    /// The same is to be looked at again when something has come.
    Wait,
    /// The operation has ended.
    End,
    /// It has ended, but can be gone on with later (`ContinueUpdateRollback`).
    Rest,
}

/// A step: the stack and its operation, to be written when it is done.
struct Run {
    stack: Stack,
    work: Work,
    /// What the step waited for that is taken again.
    resumed: Option<Pending>,
}

/// Takes the step of a job.
pub(crate) fn step(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let text = |member| payload.get(member).and_then(Value::as_str).unwrap_or_default();
    let place = (
        call.account().to_owned(),
        call.region().to_owned(),
        text("stack").to_owned(),
    );
    let (Some(stack), Some(work)) = (call.get(&STACKS, &place)?, call.get(&WORK, &place)?) else {
        return Ok(());
    };
    // A look at what is waited for no longer is none.
    let awaited = payload.get("awaited").and_then(Value::as_str);
    let awaits = work.pending.as_ref().map(|pending| pending.id.as_str());
    if work.id != text("operation") || awaited != awaits {
        return Ok(());
    }
    let run = || Run {
        stack: (*stack).clone(),
        work: (*work).clone(),
        resumed: None,
    };
    let taken = call.attempt(|call| {
        let mut run = run();
        let next = run.advance(call)?;
        run.keep(call, next, &work)
    })?;
    let Err(fault) = taken else {
        return Ok(());
    };
    let gone_on = call.attempt(|call| {
        let mut run = run();
        let next = run.go_on(call, &fault)?;
        run.keep(call, next, &work)
    })?;
    if gone_on.is_ok() {
        return Ok(());
    }
    let mut run = run();
    let next = run.rest(call, &fault)?;
    run.keep(call, next, &work)
}

impl Run {
    fn advance(&mut self, call: &mut Call<'_>) -> Result<Next> {
        self.resumed = self.work.pending.take();
        match self.work.phase {
            Phase::Forward => self.go_forward(call),
            Phase::Rollback => self.go_back(call),
            Phase::Cleanup => self.clean_up(call),
            Phase::Removal => self.remove(call),
        }
    }

    /// Writes what came of a step that found the operation as `found`.
    fn keep(mut self, call: &mut Call<'_>, next: Next, found: &Work) -> Result<()> {
        let place = self.stack.place();
        if let Some(waited) = found.pending.as_ref().filter(|_| next != Next::Wait) {
            self.work.pending = None;
            // From then on it is no longer planned: it runs, or has run.
            if let Some(job) = waited.job.as_ref().filter(|_| call.now.0 < waited.deadline) {
                call.unschedule(job)?;
            }
        }
        match next {
            Next::Wait => {
                let mut imports = self.work.imports;
                imports.extend(found.imports.iter().cloned());
                let work = Work {
                    pending: self.work.pending,
                    imports,
                    ..found.clone()
                };
                call.put(&WORK, &place, work)?;
                return self.stack.keep(call);
            }
            Next::Step => {
                plan(call, &self.stack, &self.work)?;
                call.put(&WORK, &place, self.work)?;
            }
            Next::Rest => {
                self.hold();
                nesting::wake_parent(call, &self.stack)?;
                call.put(&WORK, &place, self.work)?;
            }
            Next::End => {
                self.hold();
                nesting::wake_parent(call, &self.stack)?;
                call.delete(&WORK, &place)?;
            }
        }
        self.stack.keep(call)
    }

    /// Notes what is held for a stack that did not come to its end, which is let go of with the stack.
    fn hold(&mut self) {
        let held: BTreeSet<String> = std::mem::take(&mut self.stack.imports).into_iter().collect();
        self.stack.imports = held.union(&self.work.imports).cloned().collect();
    }

    /// Notes what the step waits for: `resumed`, if it did before.
    fn wait(
        &mut self,
        call: &mut Call<'_>,
        resumed: Option<Pending>,
        awaited: Await,
        (physical_id, before): (String, Option<StackResource>),
    ) -> Result<Next> {
        if resumed.is_some() {
            self.work.pending = resumed;
            return Ok(Next::Wait);
        }
        let forward = self.work.phase == Phase::Forward;
        let limit = self.work.deadline.filter(|_| forward).unwrap_or(i64::MAX);
        let deadline = awaited.deadline.min(limit.saturating_add(1));
        let look = (awaited.id.as_str(), Timestamp(deadline));
        let job = match deadline {
            i64::MAX => None,
            _ => Some(plan_look(call, &self.stack, &self.work, look)?),
        };
        self.work.pending = Some(Pending {
            id: awaited.id,
            deadline,
            job,
            physical_id,
            shown: awaited.shown,
            before,
            answer: None,
            too_long: false,
        });
        Ok(Next::Wait)
    }

    /// Takes on the one in whose name the operation acts.
    fn act(&self, call: &mut Call<'_>) -> Result<Acting> {
        self.work.actor.act(call, &self.stack.id())
    }

    /// Tells what happened to a resource, and notes it in its row.
    fn tell(
        &mut self,
        call: &mut Call<'_>,
        row: &mut StackResource,
        status: &str,
        reason: Option<&str>,
        properties: Option<&str>,
    ) -> Result<()> {
        let hushed = match reason.filter(|_| status.ends_with("_FAILED")) {
            Some(reason) => Some(without_attributes(call, &self.stack, row, reason.to_owned())?),
            None => None,
        };
        let reason = hushed.as_deref().or(reason);
        status.clone_into(&mut row.status);
        row.reason = reason.map(str::to_owned);
        row.at = call.now.0;
        let by = self.work.by();
        let occurrence = Occurrence {
            logical_id: &row.logical_id,
            physical_id: row.physical_id.as_deref(),
            kind: &row.kind,
            status,
            reason,
            properties,
        };
        event::tell(call, &mut self.stack, &by, &occurrence)
    }

    /// Brings the stack into a state, and tells of it.
    fn turn(&mut self, call: &mut Call<'_>, status: StackStatus, reason: Option<&str>) -> Result<()> {
        let by = self.work.by();
        event::turn(call, &mut self.stack, &by, status, reason)
    }

    /// `The following resource(s) failed to create: [A, B]. `, for each verb.
    fn failures(&self) -> String {
        let mut told = String::new();
        for verb in ["create", "update", "delete"] {
            let ids: Vec<&str> = self
                .work
                .failed
                .iter()
                .filter(|(of, _)| of == verb)
                .map(|(_, id)| id.as_str())
                .collect();
            if !ids.is_empty() {
                let ids = ids.join(", ");
                told.push_str(&format!("The following resource(s) failed to {verb}: [{ids}]. "));
            }
        }
        told
    }
}

/// What a fault is told with.
fn words(fault: &Fault) -> String {
    if fault.code == Code::Common(Common::Internal) {
        return "Internal Failure".to_owned();
    }
    fault.message.clone()
}

/// What the fault of a resource's service is told with, as CloudFormation tells it.
fn handler_words(call: &Call<'_>, service: &'static str, fault: &Fault) -> Result<String> {
    let code = code(fault);
    let status = match &fault.code {
        Code::Modeled { status, .. } | Code::Plain { status, .. } => *status,
        Code::Common(Common::Internal) => 500,
        Code::Common(Common::NotImplemented) => 501,
        Code::Common(Common::AccessDenied) if matches!(service, "iam" | "sts" | "s3" | "lambda") => 403,
        Code::Common(_) => 400,
    };
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    let handler = if has(&["AccessDenied", "ExpiredToken"]) {
        "AccessDenied"
    } else if has(&[
        "AlreadyExists",
        "ResourceExists",
        "AlreadyOwnedByYou",
        "ResourceConflict",
    ]) {
        "AlreadyExists"
    } else if is_absence(fault) {
        "NotFound"
    } else if has(&["LimitExceeded", "TooMany"]) {
        "ServiceLimitExceeded"
    } else if has(&["Throttl"]) {
        "Throttling"
    } else if has(&["InternalFailure"]) {
        "InternalFailure"
    } else if has(&["Validation", "Invalid", "Malformed"]) {
        "InvalidRequest"
    } else {
        "GeneralServiceException"
    };
    let request = call.uuid()?;
    let told = words(fault);
    Ok(format!(
        "Resource handler returned message: \"{told} (Service: {service}, Status Code: {status}, Request ID: {request})\" \
         (RequestToken: {}, HandlerErrorCode: {handler})",
        call.uuid()?
    ))
}

/// Removes the thing that a row stands for. What is told is what must be waited for, or why it failed.
fn dispose(
    call: &mut Call<'_>,
    run: &Run,
    row: &StackResource,
    pending: Option<&Pending>,
) -> Result<std::result::Result<Option<Await>, String>> {
    let Some(physical_id) = row.physical_id.clone() else {
        return Ok(Ok(None));
    };
    let Some(kind) = resource_type::find(&row.kind) else {
        return Ok(Err(format!("Resource type {} is not supported", row.kind)));
    };
    let contents = row.contents(call, &run.stack)?;
    let acting = match call.attempt(|call| run.act(call))? {
        Ok(acting) => acting,
        Err(fault) => return Ok(Err(words(&fault))),
    };
    let mut failed_at = None;
    let deleted = call.attempt(|call| {
        let subject = resource_type::Subject {
            stack: &run.stack,
            actor: &run.work.actor,
            logical_id: &row.logical_id,
            kind: &row.kind,
            pending,
            back: false,
        };
        let mut services = resource_type::Services::new(call, &acting).about(subject);
        let existing = resource_type::Existing {
            physical_id: &physical_id,
            properties: &contents.properties,
            attributes: &contents.attributes,
            tags: &contents.tags,
        };
        let deleted = kind.remove(&mut services, &existing);
        failed_at = services.failed;
        deleted
    })?;
    match (deleted, failed_at) {
        (Ok(awaited), _) => Ok(Ok(awaited)),
        (Err(fault), _) if is_absence(&fault) => Ok(Ok(None)),
        (Err(fault), Some(service)) => handler_words(call, service, &fault).map(Err),
        (Err(fault), None) => Ok(Err(words(&fault))),
    }
}
