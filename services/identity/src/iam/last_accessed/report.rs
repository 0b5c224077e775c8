//! The reports: asked for, made by a job a few entities at a time, and kept for seven days.
//!
//! Invariant: a step of the job reads the notes of `ENTITIES_STEP` users and roles at most, so that a report over thousands of them
//! neither holds them all in memory nor races with their calls for long.

use std::collections::BTreeMap;

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::index::Present;
use crate::iam::role::ROLES;
use crate::iam::user::USERS;

use super::subject::{Subject, reach_action, reach_service};
use super::{attempts, services};

/// The job that makes a report.
pub(crate) const JOB: &str = "iam.GenerateServiceLastAccessedDetails";
/// Milliseconds that a report is kept.
const LIFETIME: i64 = 7 * 86_400_000;
/// Milliseconds between the request and the first step.
const DELAY: i64 = 1_000;
/// Entities that one step of the job looks at.
const ENTITIES_STEP: usize = 64;
/// Old reports that one request drops.
const DROPPED_MAX: usize = 8;

/// A report, or as much of it as is made. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Report {
    /// The ARN that it is about.
    pub(super) subject: String,
    /// `aws:userid` of the one who asked: the report is nobody else's.
    pub(super) owner: String,
    pub(super) by_action: bool,
    pub(super) created: i64,
    pub(super) completed: Option<i64>,
    /// Why it could not be made: code and message.
    pub(super) error: Option<(String, String)>,
    /// The services that the policies allow, by namespace.
    pub(super) services: BTreeMap<String, Use>,
    /// Who is still to be looked at, last first.
    pending: Vec<(bool, String)>,
}

/// How a service was used.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Use {
    pub(super) last: Option<Last>,
    /// Users and roles that tried.
    pub(super) entities: i32,
    /// The tracked actions that the policies allow.
    pub(super) actions: BTreeMap<String, Option<Last>>,
}

/// The last attempt: when, where, by whom.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) at: i64,
    pub(super) region: String,
    /// The ARN of the user or role.
    pub(super) entity: String,
}

/// A user or role that could have used the policies, with the last attempt at each service.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entity {
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) path: String,
    pub(super) role: bool,
    pub(super) services: BTreeMap<String, i64>,
}

store::record!(Report, 1);
store::record!(Entity, 1);

/// By account and job id.
static REPORTS: Table<(String, String), Report> = Table::new(0x0179, "iam.access_reports");
/// By account, job id, and unique id of the entity.
static ENTITIES: Table<(String, String, String), Entity> = Table::new(0x017a, "iam.access_report_entities");
/// Reports by age: account, creation, job id.
static AGES: Table<(String, i64, String), Present> = Table::new(0x017b, "iam.access_report_ages");

/// Asks for a report on what a user, group, role or policy last used.
pub struct GenerateServiceLastAccessedDetails;

impl Operation for GenerateServiceLastAccessedDetails {
    type Input = model::GenerateServiceLastAccessedDetailsRequest;
    type Output = model::GenerateServiceLastAccessedDetailsResponse;
    type Target = Subject;
    const ACCESS: Access = Access::read("iam:GenerateServiceLastAccessedDetails");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Subject>> {
        Subject::named(look, &input.arn)
    }

    fn handle(
        call: &mut Call<'_>,
        _subject: Authorized<Subject>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        drop_old(call)?;
        let (account, job, created) = (call.account().to_owned(), call.uuid()?, call.now.0);
        let granularity = input.granularity;
        let report = Report {
            subject: input.arn,
            owner: call.identity.user_id.to_string(),
            by_action: matches!(
                granularity,
                Some(model::AccessAdvisorUsageGranularityType::ActionLevel)
            ),
            created,
            completed: None,
            error: None,
            services: BTreeMap::new(),
            pending: Vec::new(),
        };
        call.put(&REPORTS, &(account.clone(), job.clone()), report)?;
        call.put(&AGES, &(account, created, job.clone()), Present)?;
        let due = Timestamp(created.saturating_add(DELAY));
        call.schedule(JOB, due, serde_json::json!({"job": job, "first": true}))?;
        Ok(model::GenerateServiceLastAccessedDetailsResponse { job_id: Some(job) })
    }
}

/// Drops reports that are too old to be shown, a few at a time.
fn drop_old(call: &mut Call<'_>) -> Result<()> {
    let account = call.account().to_owned();
    let oldest = call.now.0.saturating_sub(LIFETIME);
    let rows = call.range(&AGES, &(account.as_str(),), None, DROPPED_MAX)?;
    for ((_, created, job), _) in rows {
        if created > oldest {
            break;
        }
        let mut after = None;
        loop {
            let entities = call.range(
                &ENTITIES,
                &(account.as_str(), job.as_str()),
                after.as_ref(),
                super::STRIDE,
            )?;
            let Some((last, _)) = entities.last() else { break };
            after = Some(last.clone());
            for (key, _) in &entities {
                call.delete(&ENTITIES, key)?;
            }
        }
        call.delete(&REPORTS, &(account.clone(), job.clone()))?;
        call.delete(&AGES, &(account.clone(), created, job))?;
    }
    Ok(())
}

/// The report of a job, if it is the caller's and young enough.
pub(super) fn find(look: &mut Look<'_>, job: &str) -> Result<Option<Report>> {
    let key = (look.account().to_owned(), job.to_owned());
    let caller = look.caller().map(|caller| caller.user_id.to_string());
    let oldest = look.now.0.saturating_sub(LIFETIME);
    let report = look.get(&REPORTS, &key)?;
    let shown = report.filter(|report| report.created > oldest && caller.as_deref() == Some(&report.owner));
    Ok(shown.map(|report| (*report).clone()))
}

/// The entities of a report.
pub(super) fn entities(look: &mut Look<'_>, job: &str) -> Result<Vec<Entity>> {
    let account = look.account().to_owned();
    let mut entities = Vec::new();
    let mut after = None;
    loop {
        let rows = look.range(&ENTITIES, &(account.as_str(), job), after.as_ref(), super::STRIDE)?;
        let full = rows.len() == super::STRIDE;
        after = rows.last().map(|(key, _)| key.clone());
        entities.extend(rows.into_iter().map(|(_, entity)| (*entity).clone()));
        if !full {
            return Ok(entities);
        }
    }
}

/// A step of the job.
pub(crate) fn generate(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let text = |name: &str| payload.get(name).and_then(serde_json::Value::as_str);
    let job = text("job").unwrap_or_default().to_owned();
    let key = (call.account().to_owned(), job.clone());
    // One that was dropped in the meantime is nobody's any more.
    let Some(report) = call.get(&REPORTS, &key)? else {
        return Ok(());
    };
    let mut report = (*report).clone();
    if payload.get("first").is_some() {
        begin(call, &mut report)?;
    }
    for _ in 0..ENTITIES_STEP {
        let Some((role, name)) = report.pending.pop() else {
            break;
        };
        if let Some(entity) = look_at(call, &mut report, role, name)? {
            let key = (key.0.clone(), key.1.clone(), entity.id.clone());
            call.put(&ENTITIES, &key, entity)?;
        }
    }
    if report.pending.is_empty() {
        report.completed = Some(call.now.0);
    } else {
        call.schedule(JOB, call.now, serde_json::json!({ "job": job }))?;
    }
    call.put(&REPORTS, &key, report)
}

/// Which services and actions the policies allow, and who is to be looked at.
fn begin(call: &mut Call<'_>, report: &mut Report) -> Result<()> {
    let subject = match Subject::named(call, &report.subject)? {
        Found::Here(subject) => subject,
        Found::Absent { fault, .. } => {
            report.error = Some(("NoSuchEntity".to_owned(), fault.message));
            return Ok(());
        }
    };
    let policies = subject.granting(call)?;
    for service in services::all().filter(|service| reach_service(&policies, service.namespace)) {
        let mut used = Use::default();
        for action in service.tracked().filter(|_| report.by_action) {
            if reach_action(&policies, &format!("{}:{action}", service.namespace)) {
                used.actions.insert(action.to_owned(), None);
            }
        }
        report.services.insert(service.namespace.to_owned(), used);
    }
    report.pending = subject.entities(call)?;
    report.pending.reverse();
    Ok(())
}

/// Adds what one user or role tried.
fn look_at(call: &mut Call<'_>, report: &mut Report, role: bool, name: String) -> Result<Option<Entity>> {
    let key = (call.account().to_owned(), name);
    let found = if role {
        let found = call.get(&ROLES, &key)?;
        found.map(|role| (role.arn(), role.id.clone(), role.name.clone(), role.path.clone()))
    } else {
        let found = call.get(&USERS, &key)?;
        found.map(|user| (user.arn(), user.id.clone(), user.name.clone(), user.path.clone()))
    };
    let Some((arn, id, name, path)) = found else {
        return Ok(None);
    };
    let mut services: BTreeMap<String, i64> = BTreeMap::new();
    for (action, attempt) in attempts(call, &key.0, &id)? {
        let (namespace, action) = action
            .split_once(':')
            .ok_or_else(|| Fault::internal(format!("{action} was noted as an action")))?;
        let Some(used) = report.services.get_mut(namespace) else {
            continue;
        };
        let last = Last {
            at: attempt.at,
            region: attempt.region,
            entity: arn.clone(),
        };
        if let Some(tracked) = used.actions.get_mut(action) {
            later(tracked, &last);
        }
        later(&mut used.last, &last);
        match services.get_mut(namespace) {
            Some(at) => *at = (*at).max(last.at),
            None => {
                used.entities = used.entities.saturating_add(1);
                services.insert(namespace.to_owned(), last.at);
            }
        }
    }
    Ok(Some(Entity {
        arn,
        id,
        name,
        path,
        role,
        services,
    }))
}

fn later(held: &mut Option<Last>, last: &Last) {
    if held.as_ref().is_none_or(|held| held.at < last.at) {
        *held = Some(last.clone());
    }
}
