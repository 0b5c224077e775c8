//! Reports on an organization: which services its service control policies leave to a root, unit or account, and which account below
//! last tried each. Asked for, made by a job a stretch of notes at a time, and kept for seven days.
//!
//! Source: IAM API Reference, "GenerateOrganizationsAccessReport".
//! Invariant: a step of the job reads `NOTES_STEP` notes at most, however many principals an account has; the management account is
//! told of where the report is about itself alone, since no service control policy binds it.

use std::collections::{BTreeMap, BTreeSet};

use api::iam as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Result};
use policy::{Attached, Context};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::{ATTEMPTS, TRACKED, services};
use crate::iam::index::Present;
use crate::organizations::membership::{Membership, membership, path_text, path_to};
use crate::organizations::organization::{self, Organization};
use crate::organizations::policy::control;

/// The job that makes a report.
pub(crate) const ORGANIZATION_JOB: &str = "iam.GenerateOrganizationsAccessReport";
/// Milliseconds that a report is kept.
pub(super) const LIFETIME: i64 = 7 * 86_400_000;
/// Milliseconds between the request and the first step.
const DELAY: i64 = 1_000;
/// Notes that one step of the job reads.
const NOTES_STEP: usize = 1024;
/// Old reports that one request drops.
const DROPPED_MAX: usize = 8;
const POLICY_KEY: &str = "iam:OrganizationsPolicyId";

/// A report, or as much of it as is made. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OrganizationReport {
    /// The root, unit or account: `o-…/r-…/…`.
    path: String,
    /// The one service control policy that it is about.
    policy: Option<String>,
    pub(super) created: i64,
    pub(super) completed: Option<i64>,
    /// Why it could not be made: code and message.
    pub(super) error: Option<(String, String)>,
    /// By namespace.
    pub(super) services: BTreeMap<String, Tried>,
    /// The accounts that are still to be looked at, with their paths, last first.
    pending: Vec<(String, String)>,
    /// The last note that was read of the next account: principal and action.
    behind: Option<(String, String)>,
    /// The services that the next account tried, as far as it is read.
    tried: BTreeSet<String>,
}

/// How a service was tried.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Tried {
    pub(super) last: Option<Last>,
    /// Accounts that tried.
    pub(super) accounts: i32,
}

/// The last attempt: when, where, in which account.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Last {
    pub(super) at: i64,
    pub(super) region: String,
    /// The account's path.
    pub(super) path: String,
}

store::record!(OrganizationReport, 1);

/// By account and job id.
static REPORTS: Table<(String, String), OrganizationReport> =
    Table::new(0x0173, "iam.organization_access_reports");
/// Reports by age: account, creation, job id.
static AGES: Table<(String, i64, String), Present> =
    Table::new(0x0174, "iam.organization_access_report_ages");

/// Asks for a report on a root, unit or account, or on what a policy leaves to it.
pub struct GenerateOrganizationsAccessReport;

impl Operation for GenerateOrganizationsAccessReport {
    type Input = model::GenerateOrganizationsAccessReportRequest;
    type Output = model::GenerateOrganizationsAccessReportResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::read("iam:GenerateOrganizationsAccessReport");
    const CONDITIONS: &'static [&'static str] = &[POLICY_KEY];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = format!(
            "arn:aws:iam::{}:access-report/{}",
            look.account(),
            input.entity_path
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(policy) = &input.organizations_policy_id {
            context.insert(POLICY_KEY, policy.clone());
        }
    }

    fn handle(call: &mut Call<'_>, _place: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        drop_old(call)?;
        let (account, job, created) = (call.account().to_owned(), call.uuid()?, call.now.0);
        let report = OrganizationReport {
            path: input.entity_path,
            policy: input.organizations_policy_id,
            created,
            completed: None,
            error: None,
            services: BTreeMap::new(),
            pending: Vec::new(),
            behind: None,
            tried: BTreeSet::new(),
        };
        call.put(&REPORTS, &(account.clone(), job.clone()), report)?;
        call.put(&AGES, &(account, created, job.clone()), Present)?;
        let due = Timestamp(created.saturating_add(DELAY));
        call.schedule(
            ORGANIZATION_JOB,
            due,
            serde_json::json!({"job": job, "first": true}),
        )?;
        Ok(model::GenerateOrganizationsAccessReportResponse { job_id: Some(job) })
    }
}

/// Drops reports that are too old to be shown, a few at a time.
fn drop_old(call: &mut Call<'_>) -> Result<()> {
    let account = call.account().to_owned();
    let oldest = call.now.0.saturating_sub(LIFETIME);
    for (key, _) in call.range(&AGES, &(account.as_str(),), None, DROPPED_MAX)? {
        if key.1 <= oldest {
            call.delete(&REPORTS, &(account.clone(), key.2.clone()))?;
            call.delete(&AGES, &key)?;
        }
    }
    Ok(())
}

/// The report of a job of the caller's account, if it is young enough.
pub(super) fn find(look: &mut Look<'_>, job: &str) -> Result<Option<OrganizationReport>> {
    let key = (look.account().to_owned(), job.to_owned());
    let oldest = look.now.0.saturating_sub(LIFETIME);
    let report = look.get(&REPORTS, &key)?;
    Ok(report
        .filter(|report| report.created > oldest)
        .map(|report| (*report).clone()))
}

/// A step of the job.
pub(crate) fn generate_for_organization(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let job = payload.get("job").and_then(serde_json::Value::as_str);
    let key = (call.account().to_owned(), job.unwrap_or_default().to_owned());
    // One that was dropped in the meantime is nobody's any more.
    let Some(report) = call.get(&REPORTS, &key)? else {
        return Ok(());
    };
    let mut report = (*report).clone();
    if payload.get("first").is_some()
        && let Err(error) = begin(call, &mut report)?
    {
        report.error = Some(error);
    }
    let mut left = NOTES_STEP;
    while left > 0 && !report.pending.is_empty() {
        left = read_on(call, &mut report, left)?;
    }
    if report.pending.is_empty() {
        report.completed = Some(call.now.0);
    } else {
        let next = serde_json::json!({ "job": key.1 });
        call.schedule(ORGANIZATION_JOB, call.now, next)?;
    }
    call.put(&REPORTS, &key, report)
}

/// Why a report is not made: code and message.
type Unmade = (String, String);

fn unmade<T>(code: &str, message: impl Into<String>) -> Result<std::result::Result<T, Unmade>> {
    Ok(Err((code.to_owned(), message.into())))
}

/// What a report is about.
enum Entity {
    /// From the root down to a root or unit.
    Node(Vec<String>),
    Member(Membership, Vec<String>),
}

impl Entity {
    fn of(look: &mut Look<'_>, organization: &Organization, path: &str) -> Result<Option<Self>> {
        let mut parts = path.trim_end_matches('/').split('/').map(str::to_owned);
        if parts.next().as_ref() != Some(&organization.id) {
            return Ok(None);
        }
        let nodes: Vec<String> = parts.collect();
        let Some((last, above)) = nodes.split_last() else {
            return Ok(None);
        };
        if last.starts_with("r-") || last.starts_with("ou-") {
            if !exists(look, organization, last)? {
                return Ok(None);
            }
            let whole = path_to(look, &organization.management, last)?;
            return Ok((whole == nodes).then_some(Self::Node(nodes)));
        }
        let member = membership(look, last)?.filter(|member| member.organization == organization.id);
        let Some(member) = member else { return Ok(None) };
        let whole = path_to(look, &organization.management, &member.parent)?;
        Ok((whole == above).then(|| Self::Member((*member).clone(), whole)))
    }
}

fn exists(look: &mut Look<'_>, organization: &Organization, node: &str) -> Result<bool> {
    Ok(node == organization.root_id
        || crate::organizations::unit::unit(look, &organization.management, node)?.is_some())
}

/// Which services the policies leave, and which accounts are to be looked at.
fn begin(call: &mut Call<'_>, report: &mut OrganizationReport) -> Result<std::result::Result<(), Unmade>> {
    let account = call.account().to_owned();
    let Some(organization) = organization::organization(call, &account)? else {
        return unmade(
            "AccessDenied",
            "The account is not the management account of an organization.",
        );
    };
    if !control::binds(&organization) {
        return unmade(
            "InvalidInput",
            "Service control policies are not enabled in the root of the organization.",
        );
    }
    let Some(entity) = Entity::of(call, &organization, &report.path)? else {
        return unmade(
            "NoSuchEntity",
            format!("The entity {} cannot be found.", report.path),
        );
    };
    if let Entity::Member(member, above) = &entity
        && member.is_management()
    {
        report.pending = vec![(member.account.clone(), path_of(member, above))];
        report.services = named(|_| true);
        return Ok(Ok(()));
    }
    let mut targets = match &entity {
        Entity::Node(nodes) => nodes.clone(),
        Entity::Member(member, above) => {
            let mut nodes = above.clone();
            nodes.push(member.account.clone());
            nodes
        }
    };
    let levels = match report.policy.clone() {
        None => control::levels_of(call, &organization, &targets)?,
        Some(id) => match control::service_control_policy(call, &organization, &id)? {
            Some(policy) => vec![vec![policy]],
            None => return unmade("NoSuchEntity", format!("The policy {id} cannot be found.")),
        },
    };
    report.services = named(|namespace| leave(&levels, namespace));
    let entity = targets.pop().unwrap_or_default();
    for member in organization::members(call, &organization)? {
        let above = path_to(call, &organization.management, &member.parent)?;
        let below = member.account == entity || above.contains(&entity);
        if member.is_management() || !below {
            continue;
        }
        let bound = match &report.policy {
            None => true,
            Some(id) => control::is_bound(call, &organization, &above, &member.account, id)?,
        };
        if bound {
            report
                .pending
                .push((member.account.clone(), path_of(&member, &above)));
        }
    }
    report.pending.reverse();
    Ok(Ok(()))
}

fn path_of(member: &Membership, above: &[String]) -> String {
    format!("{}{}", path_text(&member.organization, above), member.account)
}

fn named(keep: impl Fn(&str) -> bool) -> BTreeMap<String, Tried> {
    let kept = services::all().filter(|service| keep(service.namespace));
    kept.map(|service| (service.namespace.to_owned(), Tried::default()))
        .collect()
}

/// Whether every level leaves actions of a service, and none denies it wholly.
fn leave(levels: &[Vec<Attached>], namespace: &str) -> bool {
    levels.iter().all(|level| {
        let policies = || level.iter().map(|held| &held.policy);
        policies().any(|policy| policy.may_allow_service(namespace))
            && !policies().any(|policy| policy.always_denies_service(namespace))
    })
}

/// Reads notes of the next account, `limit` at most, and tells how many more may be read in this step.
fn read_on(call: &mut Call<'_>, report: &mut OrganizationReport, limit: usize) -> Result<usize> {
    let Some((account, path)) = report.pending.last().cloned() else {
        return Ok(0);
    };
    let earliest = call.now.0.saturating_sub(TRACKED);
    let after = report
        .behind
        .take()
        .map(|(principal, action)| (account.clone(), principal, action));
    let rows = call.range(&ATTEMPTS, &(account.as_str(),), after.as_ref(), limit)?;
    for ((_, _, action), attempt) in rows.iter().filter(|(_, attempt)| attempt.at >= earliest) {
        let (namespace, _) = action
            .split_once(':')
            .ok_or_else(|| Fault::internal(format!("{action} was noted as an action")))?;
        let Some(tried) = report.services.get_mut(namespace) else {
            continue;
        };
        if tried.last.as_ref().is_none_or(|last| last.at < attempt.at) {
            tried.last = Some(Last {
                at: attempt.at,
                region: attempt.region.clone(),
                path: path.clone(),
            });
        }
        if report.tried.insert(namespace.to_owned()) {
            tried.accounts = tried.accounts.saturating_add(1);
        }
    }
    if rows.len() == limit {
        report.behind = rows
            .into_iter()
            .next_back()
            .map(|((_, principal, action), _)| (principal, action));
        return Ok(0);
    }
    report.tried.clear();
    report.pending.pop();
    Ok(limit.saturating_sub(rows.len()))
}
