//! What to do about unused permissions: which policies to take from a role, and narrower ones to put in their place.
//!
//! Invariant: a recommended policy is the existing one without the unused actions; it allows nothing that the existing one does not.

use std::collections::BTreeSet;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Attached;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::Timestamp;
use wire::typed::Empty;

use super::analyzer::{self, Analyzer};
use super::fault::{invalid, missing};
use super::finding::{self, Finding, What};
use super::page;
use super::unused::permission::{Actions, statements};
use crate::iam::directory::described;

/// A recommendation. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Recommendation {
    resource: String,
    started: i64,
    steps: Vec<Step>,
}

store::record!(Recommendation, 1);

/// One thing to do.
#[derive(Clone, Serialize, Deserialize)]
struct Step {
    /// The ARN of a managed policy, or the name of an inline one.
    existing: String,
    /// What to put in its place; nothing if it is to be taken away.
    policy: Option<String>,
}

/// By account, region, analyzer and finding.
pub(super) static RECOMMENDATIONS: Table<(String, String, String, String), Recommendation> =
    Table::new(0x0156, "accessanalyzer.recommendations");

fn row(analyzer: &Analyzer, id: &str) -> (String, String, String, String) {
    let (account, region, name) = analyzer.key();
    (account, region, name, id.to_owned())
}

/// Has a recommendation made for a finding of unused permissions.
pub struct GenerateFindingRecommendation;

impl Operation for GenerateFindingRecommendation {
    type Input = model::GenerateFindingRecommendationRequest;
    type Output = Empty;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:GenerateFindingRecommendation");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(call: &mut Call<'_>, analyzer: Authorized<Analyzer>, input: Self::Input) -> Result<Empty> {
        let finding = finding::find(call, &analyzer, &input.id)?;
        // The operation knows no error for what is not there.
        let finding = finding.ok_or_else(|| invalid(format!("The finding {} was not found.", input.id)))?;
        let steps = steps(call, &finding)?;
        let recommendation = Recommendation {
            resource: finding.resource.clone(),
            started: call.now.0,
            steps,
        };
        call.put(&RECOMMENDATIONS, &row(&analyzer, &input.id), recommendation)?;
        Ok(Empty)
    }
}

/// Shows a recommendation.
pub struct GetFindingRecommendation;

impl Operation for GetFindingRecommendation {
    type Input = model::GetFindingRecommendationRequest;
    type Output = model::GetFindingRecommendationResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::read("access-analyzer:GetFindingRecommendation");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let held = call.get(&RECOMMENDATIONS, &row(&analyzer, &input.id))?;
        let held = held.ok_or_else(|| missing("Recommendation", &input.id))?;
        let steps: Vec<_> = held.steps.iter().flat_map(Step::shown).collect();
        let list = format!("recommendation/{}/{}", input.id, held.started);
        let (page, next_token) =
            page::cut(call, &list, steps, input.next_token.as_deref(), input.max_results)?;
        Ok(model::GetFindingRecommendationResponse {
            completed_at: Some(Timestamp(held.started)),
            error: None,
            next_token,
            recommendation_type: model::RecommendationType::UnusedPermissionRecommendation,
            recommended_steps: Some(page),
            resource_arn: held.resource.clone(),
            started_at: Timestamp(held.started),
            status: model::Status::Succeeded,
        })
    }
}

impl Step {
    /// The narrower policy is made before the existing one goes.
    fn shown(&self) -> Vec<model::RecommendedStep> {
        let step = |action, policy: Option<String>| model::RecommendedStep {
            unused_permissions_recommended_step: Some(model::UnusedPermissionsRecommendedStep {
                existing_policy_id: Some(self.existing.clone()),
                policy_updated_at: None,
                recommended_action: action,
                recommended_policy: policy,
            }),
        };
        let create = self
            .policy
            .clone()
            .map(|policy| step(model::RecommendedRemediationAction::CreatePolicy, Some(policy)));
        let detach = step(model::RecommendedRemediationAction::DetachPolicy, None);
        create.into_iter().chain([detach]).collect()
    }
}

/// What to do about a finding.
fn steps(call: &mut Call<'_>, finding: &Finding) -> Result<Vec<Step>> {
    let What::UnusedPermission { services } = &finding.what else {
        return Err(invalid(
            "Recommendations are made for findings of unused permissions only.",
        ));
    };
    let whole: BTreeSet<&str> = services
        .iter()
        .filter(|service| service.actions.is_empty())
        .map(|service| service.namespace.as_str())
        .collect();
    let single: BTreeSet<&str> = services
        .iter()
        .flat_map(|service| service.actions.iter().map(|(action, _)| action.as_str()))
        .collect();
    let unused = |action: &str| {
        let service = action.split(':').next().unwrap_or_default();
        whole.contains(service) || single.contains(action)
    };
    let identity = described::identity(call, &finding.resource)?;
    let Some(identity) = identity else {
        return Ok(Vec::new());
    };
    let directory = call.directory();
    let policies = directory.policies(call, &identity, None)?.identity;
    let known: Vec<&str> = call.actions().collect();
    Ok(policies
        .iter()
        .filter_map(|attached| narrowed(attached, &known, &unused))
        .collect())
}

/// What to do about one policy; nothing if all that it gives is used.
fn narrowed(attached: &Attached, known: &[&str], unused: &dyn Fn(&str) -> bool) -> Option<Step> {
    let mut document: Value = serde_json::from_str(attached.policy.text()).ok()?;
    let (mut kept, mut lost) = (Vec::new(), false);
    for statement in statements(&document) {
        let Some(actions) = Actions::of(statement) else {
            kept.push(statement.clone());
            continue;
        };
        let (gone, used): (Vec<&str>, Vec<&str>) = known
            .iter()
            .copied()
            .filter(|action| actions.cover(action))
            .partition(|action| unused(action));
        // Services that are not of this cloud are named by patterns alone.
        let foreign = statement
            .get("Action")
            .map(super::external::texts)
            .unwrap_or_default();
        let foreign = foreign.iter().any(|action| unused(action));
        if gone.is_empty() && !foreign {
            kept.push(statement.clone());
            continue;
        }
        lost = true;
        if !used.is_empty()
            && let Some(mut narrow) = statement.as_object().cloned()
        {
            narrow.remove("NotAction");
            narrow.insert("Action".to_owned(), json!(used));
            kept.push(Value::Object(narrow));
        }
    }
    if !lost {
        return None;
    }
    let gives = kept.iter().any(|statement| Actions::of(statement).is_some());
    let policy = gives.then(|| {
        if let Some(members) = document.as_object_mut() {
            members.insert("Statement".to_owned(), Value::Array(kept));
        }
        document.to_string()
    });
    let existing = attached.origin.rsplit(" inline ").next().unwrap_or_default();
    Some(Step {
        existing: existing.to_owned(),
        policy,
    })
}
