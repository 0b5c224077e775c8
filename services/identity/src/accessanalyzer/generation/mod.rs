//! Policies made from what a principal did (S1.20): asked for, made by a job from the ledger, and fetched.
//!
//! Invariant: a generated policy has the actions that were allowed, and none that were only tried.

mod list;
pub mod policy;
mod start;

use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::activity::{self, Activity, Cursor, Span};
use super::fault::invalid;
use crate::iam::directory::described;

pub use list::{CancelPolicyGeneration, GetGeneratedPolicy, ListPolicyGenerations};
pub use start::StartPolicyGeneration;

/// The job that makes a policy.
pub(super) const JOB: &str = "accessanalyzer.GeneratePolicy";

/// What became of a request for a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum State {
    InProgress,
    Succeeded,
    Failed,
    Canceled,
}

/// A trail that a request named.
#[derive(Clone, Serialize, Deserialize)]
struct NamedTrail {
    arn: String,
    regions: Option<Vec<String>>,
    all_regions: Option<bool>,
}

/// A request for a policy, and what its principal did. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Generation {
    id: String,
    principal: String,
    started: i64,
    completed: Option<i64>,
    state: State,
    from: i64,
    to: i64,
    /// The trails that were named; the source is the ledger in any case.
    trails: Option<Vec<NamedTrail>>,
    token: Option<String>,
    activity: Activity,
    /// Where the reading of the ledger goes on, while it runs.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Why it failed: the code and the message.
    error: Option<(String, String)>,
}

store::record!(Generation, 1);

/// By account, region and job.
static GENERATIONS: Table<(String, String, String), Generation> =
    Table::new(0x0155, "accessanalyzer.generations");

/// Rows read in one step; older ones are forgotten.
const GENERATIONS_MAX: usize = 1000;

fn row(look: &Look<'_>, id: &str) -> (String, String, String) {
    (look.account().to_owned(), look.region().to_owned(), id.to_owned())
}

/// The requests of the caller's account in the region, the newest first.
fn all(look: &mut Look<'_>) -> Result<Vec<Arc<Generation>>> {
    let prefix = (look.account().to_owned(), look.region().to_owned());
    let rows = look.range(
        &GENERATIONS,
        &(prefix.0.as_str(), prefix.1.as_str()),
        None,
        GENERATIONS_MAX,
    )?;
    let mut all: Vec<_> = rows.into_iter().map(|(_, generation)| generation).collect();
    all.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
    Ok(all)
}

/// The request of a job id.
fn named(look: &mut Look<'_>, id: &str) -> Result<Generation> {
    let key = row(look, id);
    let found = look.get(&GENERATIONS, &key)?;
    found
        .map(|generation| (*generation).clone())
        .ok_or_else(|| invalid(format!("There is no policy generation with the job id {id}.")))
}

impl State {
    const fn shown(self) -> model::JobStatus {
        match self {
            Self::InProgress => model::JobStatus::InProgress,
            Self::Succeeded => model::JobStatus::Succeeded,
            Self::Failed => model::JobStatus::Failed,
            Self::Canceled => model::JobStatus::Canceled,
        }
    }
}

impl Generation {
    fn job(&self) -> model::JobDetails {
        let error = self.error.as_ref().map(|(code, message)| model::JobError {
            code: model::JobErrorCode::parse(code).unwrap_or_default(),
            message: message.clone(),
        });
        model::JobDetails {
            completed_on: self.completed.map(Timestamp),
            job_error: error,
            job_id: self.id.clone(),
            started_on: Timestamp(self.started),
            status: self.state.shown(),
        }
    }

    fn properties(&self) -> model::GeneratedPolicyProperties {
        let trails = self.trails.as_ref().map(|trails| model::CloudTrailProperties {
            end_time: Timestamp(self.to),
            start_time: Timestamp(self.from),
            trail_properties: trails
                .iter()
                .map(|trail| model::TrailProperties {
                    all_regions: trail.all_regions,
                    cloud_trail_arn: trail.arn.clone(),
                    regions: trail.regions.clone(),
                })
                .collect(),
        });
        model::GeneratedPolicyProperties {
            cloud_trail_properties: trails,
            is_complete: Some(self.activity.values().all(|used| !used.many)),
            principal_arn: self.principal.clone(),
        }
    }
}

/// Reads on for the policy of a request that was not canceled, and makes it when all is read.
pub(super) fn run(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let id = payload
        .as_str()
        .ok_or_else(|| Fault::internal("a job without its id"))?;
    let key = row(call, id);
    let Some(held) = call.get(&GENERATIONS, &key)? else {
        return Ok(());
    };
    if held.state != State::InProgress {
        return Ok(());
    }
    let mut generation = (*held).clone();
    if described::identity(call, &generation.principal)?.is_some() {
        let span = Span {
            from: generation.from,
            to: generation.to,
        };
        let (cursor, activity) = (generation.cursor.take(), &mut generation.activity);
        generation.cursor = activity::note(call, &generation.principal, span, cursor, activity)?;
        if generation.cursor.is_some() {
            call.schedule(JOB, call.now, id.into())?;
            return call.put(&GENERATIONS, &key, generation);
        }
        generation.state = State::Succeeded;
    } else {
        let message = format!("The principal {} was not found.", generation.principal);
        generation.error = Some(("RESOURCE_NOT_FOUND_ERROR".to_owned(), message));
        generation.state = State::Failed;
    }
    generation.completed = Some(call.now.0);
    call.put(&GENERATIONS, &key, generation)
}
