//! Making one resource what its template says: anew, in place, or by a replacement.
//!
//! Invariant: what dynamic references open to goes to the resource's service and into no row, event or message of ours.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::{Call, Result};
use serde_json::{Map, Value as Json};

use super::{Garbage, Next, Pending, Phase, Run, Undo, handler_words, words};
use crate::cloudformation::change::{differences, lives, properties, takes_tags};
use crate::cloudformation::evaluation::{Asking, Looking, from_json, masked, to_json, without};
use crate::cloudformation::export;
use crate::cloudformation::hidden::Hidden;
use crate::cloudformation::resource::{self, Contents, StackResource};
use crate::cloudformation::resource_type::{
    self, Await, Change, Existing, Made, ResourceType, Services, Subject, Wanted,
};
use crate::cloudformation::stack_policy::{self, Deed};
use crate::cloudformation::template::{Evaluation, Facts, Resource, Setting, Template, Value, dynamic};

/// The letters of names that are drawn.
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const RANDOM: usize = 12;

/// The template of an operation, with its settings.
pub(super) struct Plan {
    pub template: Template,
    pub settings: Vec<Setting>,
    pub facts: Facts,
}

/// A resource as its template wants it.
struct Draft {
    properties: Map<String, Json>,
    /// The same as it may be shown.
    shown: String,
    row: StackResource,
}

/// Why a resource was not made.
#[derive(Default)]
pub(super) struct Failure {
    pub reason: String,
    /// The physical id of what was begun.
    left: Option<String>,
    /// What was begun and is to be undone.
    row: Option<Box<StackResource>>,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self {
            reason,
            ..Self::default()
        }
    }
}

/// What a resource shall be: its properties and tags; and what was waited for, if it is looked at again.
pub(super) type Wish<'w> = (
    &'w Map<String, Json>,
    &'w BTreeMap<String, String>,
    Option<&'w Pending>,
);

/// What is done to a resource.
enum Done {
    Nothing,
    Created,
    Updated,
    Replaced,
}

impl Run {
    /// Makes one resource what the plan says. A failure is told, and noted; then there is nothing next.
    pub(super) fn make(&mut self, call: &mut Call<'_>, plan: &Plan, id: &str) -> Result<Option<Next>> {
        let evaluation = Evaluation::new(&plan.template, &plan.settings, &plan.facts)?;
        let Some(wanted) = plan.template.resource(id) else {
            return Ok(Some(Next::Step));
        };
        let resumed = self.resumed.take();
        let found = resource::find(call, &self.stack, id)?.map(|row| (*row).clone());
        let (before, underway) = match &resumed {
            Some(pending) => (pending.before.clone(), found),
            None => (found.filter(lives), None),
        };
        let drafted = call.attempt(|call| self.draft(call, plan, &evaluation, wanted))?;
        let made = match drafted {
            Ok(draft) => self.bring(call, before.as_ref(), draft, resumed)?,
            Err(fault) => Err(words(&fault).into()),
        };
        let failure = match made {
            Ok(next) => return Ok(Some(next)),
            Err(failure) => failure,
        };
        let silent = plan.settings.iter().filter(|setting| setting.no_echo);
        let silent = silent.flat_map(|setting| [Some(setting.value.as_str()), setting.resolved.as_deref()]);
        let reason = without(failure.reason, silent.flatten());
        let (verb, status) = match before {
            Some(_) => ("update", "UPDATE_FAILED"),
            None => ("create", "CREATE_FAILED"),
        };
        let begun = failure.row.map(|row| *row).or_else(|| before.clone());
        // What was begun stays known, so that it is removed.
        let begun = begun.or(underway);
        let mut row = begun.unwrap_or_else(|| blank(wanted));
        self.tell(call, &mut row, status, Some(&reason), None)?;
        resource::keep(call, &self.stack, row)?;
        self.work.failed.push((verb.to_owned(), id.to_owned()));
        self.work.undo.push(Undo {
            logical_id: id.to_owned(),
            before,
        });
        Ok(None)
    }

    /// Evaluates what a resource shall be.
    fn draft(
        &mut self,
        call: &mut Call<'_>,
        plan: &Plan,
        evaluation: &Evaluation<'_>,
        wanted: &Resource,
    ) -> Result<Draft> {
        let none = BTreeSet::new();
        let mut asking = Asking::new(call, &self.stack, &none);
        let evaluated = properties(evaluation, wanted, &mut asking)?;
        let imports = std::mem::take(&mut asking.imports);
        export::hold(call, &self.stack, &imports)?;
        self.work.imports.extend(imports);
        let settings = masked(&plan.settings);
        // Conditions were decided by the true values, which a mask must not change.
        let shown = match Evaluation::new(&plan.template, &settings, &plan.facts) {
            Ok(veiled) => {
                let mut asking = Asking::new(call, &self.stack, &none);
                asking.mask = true;
                let shown = properties(&veiled, wanted, &mut asking).unwrap_or_default();
                Json::Object(shown).to_string()
            }
            Err(_) => "{}".to_owned(),
        };
        let row = StackResource {
            deletion_policy: evaluation.policy(wanted.deletion_policy.as_ref())?,
            update_replace_policy: evaluation.policy(wanted.update_replace_policy.as_ref())?,
            metadata: wanted.metadata.as_ref().map(Value::to_json),
            needs: evaluation.dependencies(wanted)?,
            ..blank(wanted)
        };
        Ok(Draft {
            properties: evaluated,
            shown,
            row,
        })
    }

    /// Brings a resource to what its draft says.
    fn bring(
        &mut self,
        call: &mut Call<'_>,
        before: Option<&StackResource>,
        draft: Draft,
        resumed: Option<Pending>,
    ) -> Result<std::result::Result<Next, Failure>> {
        let Draft {
            properties,
            shown,
            mut row,
        } = draft;
        let Some(kind) = resource_type::find(&row.kind) else {
            let reason = format!("Resource type {} is not supported", row.kind);
            return Ok(Err(reason.into()));
        };
        let tags = self.stack.resource_tags(&row.logical_id, kind.system_tags());
        let old = match before {
            Some(before) => Some((before, before.contents(call, &self.stack)?)),
            None => None,
        };
        let done = match &old {
            None => Done::Created,
            Some((before, old)) => {
                let failed = kind.waits() && before.status.ends_with("_FAILED");
                let anyhow = failed || kind.automatic();
                what_changes(kind, old, &properties, (tags != old.tags, anyhow))
            }
        };
        let deed = match done {
            Done::Nothing => {
                let (before, _) = old.unwrap_or_else(|| (&row, Contents::default()));
                return self.leave_alone(call, before, &row).map(Ok);
            }
            Done::Created => None,
            Done::Updated => Some(Deed::Modify),
            Done::Replaced => Some(Deed::Replace),
        };
        if let Some(deed) = deed.filter(|_| resumed.is_none()) {
            let policy = self.work.policy.as_deref().or(self.stack.policy.as_deref());
            if let Err(reason) = stack_policy::judge(policy, deed, &row.logical_id, &row.kind) {
                return Ok(Err(reason.into()));
            }
        }
        row.physical_id = before.and_then(|before| before.physical_id.clone());
        if resumed.is_none() {
            self.announce(call, &done, &mut row, &shown)?;
        }
        let old = old.filter(|_| matches!(done, Done::Updated));
        let existing = old.as_ref().and_then(|(before, old)| existing(before, old));
        let wish = (&properties, &tags, resumed.as_ref());
        let made = self.call_service(call, kind, &row, wish, existing.as_ref())?;
        let (made, failure) = match (made, &resumed) {
            (Ok(made), _) => (made, None),
            (Err(failure), Some(pending)) => {
                let physical = failure.left.clone().filter(|_| matches!(done, Done::Created));
                let physical = physical.unwrap_or_else(|| pending.physical_id.clone());
                (Made::new(physical), Some(failure))
            }
            (Err(failure), None) => return Ok(Err(failure)),
        };
        let contents = Contents {
            properties,
            attributes: made.attributes,
            tags,
            no_echo: made.no_echo,
        };
        row.hidden = Hidden::seal(call, self.stack.bond(), &contents)?;
        row.physical_id = Some(made.physical_id);
        if let Some(failure) = failure {
            let row = Some(Box::new(row));
            return Ok(Err(Failure { row, ..failure }));
        }
        if let Some(awaited) = made.awaits {
            let before = before.cloned();
            return self
                .begun(call, &done, (before, row), &shown, resumed, awaited)
                .map(Ok);
        }
        let told = resumed.is_some_and(|pending| pending.shown);
        self.finish(call, &done, before, row, (&shown, told))?;
        Ok(Ok(Next::Step))
    }

    /// Keeps a resource as it is, with what its template says of its end.
    fn leave_alone(
        &mut self,
        call: &mut Call<'_>,
        before: &StackResource,
        row: &StackResource,
    ) -> Result<Next> {
        let kept = StackResource {
            deletion_policy: row.deletion_policy.clone(),
            update_replace_policy: row.update_replace_policy.clone(),
            metadata: row.metadata.clone(),
            needs: row.needs.clone(),
            ..before.clone()
        };
        // If the update goes back, so does what becomes of the resource in the end.
        self.work.undo.push(Undo {
            logical_id: kept.logical_id.clone(),
            before: Some(before.clone()),
        });
        resource::keep(call, &self.stack, kept)?;
        Ok(Next::Step)
    }

    /// Notes a resource whose deed is not done yet.
    fn begun(
        &mut self,
        call: &mut Call<'_>,
        done: &Done,
        (before, mut row): (Option<StackResource>, StackResource),
        shown: &str,
        resumed: Option<Pending>,
        awaited: Await,
    ) -> Result<Next> {
        let physical = row.physical_id.clone().unwrap_or_default();
        if resumed.is_none() {
            let (status, initiated) = match done {
                Done::Created | Done::Nothing => ("CREATE_IN_PROGRESS", true),
                Done::Updated => ("UPDATE_IN_PROGRESS", false),
                Done::Replaced => ("UPDATE_IN_PROGRESS", true),
            };
            if initiated && awaited.shown {
                let reason = Some("Resource creation Initiated");
                self.tell(call, &mut row, status, reason, Some(shown))?;
            }
            status.clone_into(&mut row.status);
            row.at = call.now.0;
            let row = match &before {
                Some(before) => StackResource {
                    status: row.status,
                    at: row.at,
                    ..before.clone()
                },
                None => row,
            };
            resource::keep(call, &self.stack, row)?;
        }
        self.wait(call, resumed, awaited, (physical, before))
    }

    fn announce(
        &mut self,
        call: &mut Call<'_>,
        done: &Done,
        row: &mut StackResource,
        shown: &str,
    ) -> Result<()> {
        let (status, reason) = match done {
            Done::Created | Done::Nothing => ("CREATE_IN_PROGRESS", None),
            Done::Updated => ("UPDATE_IN_PROGRESS", None),
            Done::Replaced => (
                "UPDATE_IN_PROGRESS",
                Some(
                    "Requested update requires the creation of a new physical resource; hence creating one.",
                ),
            ),
        };
        self.tell(call, row, status, reason, Some(shown))
    }

    fn finish(
        &mut self,
        call: &mut Call<'_>,
        done: &Done,
        before: Option<&StackResource>,
        mut row: StackResource,
        (shown, told): (&str, bool),
    ) -> Result<()> {
        let initiated = Some("Resource creation Initiated");
        let status = match done {
            Done::Created | Done::Nothing => {
                if !told {
                    self.tell(call, &mut row, "CREATE_IN_PROGRESS", initiated, Some(shown))?;
                }
                "CREATE_COMPLETE"
            }
            Done::Updated => "UPDATE_COMPLETE",
            Done::Replaced => {
                if !told {
                    self.tell(call, &mut row, "UPDATE_IN_PROGRESS", initiated, Some(shown))?;
                }
                "UPDATE_COMPLETE"
            }
        };
        self.tell(call, &mut row, status, None, Some(shown))?;
        self.work.undo.push(Undo {
            logical_id: row.logical_id.clone(),
            before: before.cloned(),
        });
        // A custom resource says by another physical id that it was made anew.
        let other = before.filter(|before| before.physical_id != row.physical_id);
        if let (Done::Replaced, Some(before)) | (Done::Updated, Some(before)) = (done, other) {
            let policy = row.update_replace_policy.as_deref();
            self.work.garbage.push(Garbage {
                row: before.clone(),
                retained: policy == Some("Retain"),
            });
        }
        resource::keep(call, &self.stack, row)
    }

    /// Has the resource's service do it, with every dynamic reference opened.
    pub(super) fn call_service(
        &mut self,
        call: &mut Call<'_>,
        kind: &'static dyn ResourceType,
        row: &StackResource,
        (properties, tags, pending): Wish<'_>,
        existing: Option<&Existing<'_>>,
    ) -> Result<std::result::Result<Made, Failure>> {
        let acting = match call.attempt(|call| self.act(call))? {
            Ok(acting) => acting,
            Err(fault) => return Ok(Err(words(&fault).into())),
        };
        let random = random(call)?;
        let owner = self.stack.owner();
        let (mut failed_at, mut left, mut secrets) = (None, None, Vec::new());
        let subject = Subject {
            stack: &self.stack,
            actor: &self.work.actor,
            logical_id: &row.logical_id,
            kind: &row.kind,
            pending,
            back: self.work.phase == Phase::Rollback,
        };
        let made = call.attempt(|call| {
            let mut closed = properties.clone();
            let handed_on = kind.hands_on().and_then(|name| closed.remove_entry(name));
            let value = from_json(&Json::Object(closed))?;
            let mut looking = Looking {
                call,
                acting: &acting,
                secrets: Vec::new(),
            };
            let opened = dynamic::resolve(&value, &row.kind, &mut looking)?;
            secrets = looking.secrets;
            let Json::Object(mut opened) = to_json(&opened)? else {
                return Err(resource_type::invalid("Properties must be a map"));
            };
            opened.extend(handed_on);
            expect_properties(kind, &row.logical_id, &opened)?;
            let wanted = Wanted {
                stack: &owner,
                logical_id: &row.logical_id,
                properties: &opened,
                tags,
                random: &random,
            };
            let mut services = Services::new(call, &acting).about(subject);
            let made = match existing {
                Some(existing) => kind.update(&mut services, existing, &wanted),
                None => kind.create(&mut services, &wanted),
            };
            failed_at = services.failed;
            left = services.left;
            made.map(|made| veiled(made, properties, &opened, &secrets))
        })?;
        let reason = match (made, failed_at) {
            (Ok(made), _) => return Ok(Ok(made)),
            (Err(fault), Some(service)) => handler_words(call, service, &fault)?,
            (Err(fault), None) => words(&fault),
        };
        let secrets = secrets.iter().map(String::as_str);
        Ok(Err(Failure {
            left,
            ..without(reason, secrets).into()
        }))
    }
}

/// The attributes that are a property again (the `Value` of a parameter) are kept and shown as that is, with the references to secrets in it
/// unopened: whatever refers to the attribute opens them anew.
fn veiled(mut made: Made, kept: &Map<String, Json>, opened: &Map<String, Json>, secrets: &[String]) -> Made {
    let secret = |value: &Json| {
        let text = value.as_str().unwrap_or_default();
        secrets.iter().any(|secret| text.contains(secret.as_str()))
    };
    for (name, value) in opened.iter().filter(|(_, value)| secret(value)) {
        let Some(reference) = kept.get(name).filter(|kept| *kept != value) else {
            continue;
        };
        for attribute in made
            .attributes
            .values_mut()
            .filter(|attribute| *attribute == value)
        {
            attribute.clone_from(reference);
        }
    }
    made
}

/// A resource that is there, if it is.
fn existing<'r>(row: &'r StackResource, contents: &'r Contents) -> Option<Existing<'r>> {
    Some(Existing {
        physical_id: row.physical_id.as_deref()?,
        properties: &contents.properties,
        attributes: &contents.attributes,
        tags: &contents.tags,
    })
}

/// What brings a resource from its properties to those that it shall have.
fn what_changes(
    kind: &dyn ResourceType,
    old: &Contents,
    new: &Map<String, Json>,
    (tags_differ, anyhow): (bool, bool),
) -> Done {
    let differences = differences(kind, &old.properties, new);
    if differences
        .iter()
        .any(|difference| difference.change == Change::Replaces)
    {
        return Done::Replaced;
    }
    if !differences.is_empty() || anyhow || tags_differ && takes_tags(kind) {
        return Done::Updated;
    }
    Done::Nothing
}

/// A row of a resource that nothing was done for.
fn blank(wanted: &Resource) -> StackResource {
    StackResource {
        logical_id: wanted.logical_id.clone(),
        physical_id: None,
        kind: wanted.kind.clone(),
        status: String::new(),
        reason: None,
        at: 0,
        deletion_policy: None,
        update_replace_policy: None,
        metadata: None,
        needs: BTreeSet::new(),
        hidden: Hidden::default(),
    }
}

/// Refuses properties that the type does not have, and the want of those that it must have.
fn expect_properties(
    kind: &dyn ResourceType,
    logical_id: &str,
    properties: &Map<String, Json>,
) -> Result<()> {
    let known = kind.properties();
    let mut wrong = Vec::new();
    for property in known.iter().filter(|property| property.required) {
        if properties.get(property.name).is_none_or(Json::is_null) {
            wrong.push(format!("#: required key [{}] not found", property.name));
        }
    }
    for name in properties.keys().filter(|_| !kind.open()) {
        if !known.iter().any(|property| property.name == name) {
            wrong.push(format!("#: extraneous key [{name}] is not permitted"));
        }
    }
    for property in known.iter().filter(|property| property.name.ends_with("Tags")) {
        let tags = resource_type::own_tags(properties, property.name);
        let own = |key: &String| key.to_ascii_lowercase().starts_with("aws:");
        if let Some(key) = tags.into_keys().find(own) {
            // The services let CloudFormation set these, but only CloudFormation knows what is true.
            wrong.push(format!("#/{}: tag key {key} is reserved for AWS", property.name));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(resource_type::invalid(format!(
        "Properties validation failed for resource {logical_id} with message:\n{}",
        wrong.join("\n")
    )))
}

/// Twelve letters and digits.
fn random(call: &Call<'_>) -> Result<String> {
    let mut drawn = String::with_capacity(RANDOM);
    while drawn.len() < RANDOM {
        let id = call.uuid()?;
        // The digits of a UUID that are random, two to a letter; a few of 256 are passed over so that every letter is as likely.
        let digits: Vec<u8> = id.bytes().filter(u8::is_ascii_hexdigit).collect();
        for pair in digits.chunks_exact(2).take(6) {
            let text = std::str::from_utf8(pair).unwrap_or_default();
            let byte = usize::from_str_radix(text, 16).unwrap_or_default();
            let letter = LETTERS.get(byte % LETTERS.len());
            if byte < 252 && drawn.len() < RANDOM {
                drawn.extend(letter.map(|letter| char::from(*letter)));
            }
        }
    }
    Ok(drawn)
}
