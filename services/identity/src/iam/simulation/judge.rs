//! The verdicts of a simulation, resource by resource, and what they add up to for an action.
//!
//! Source: IAM API Reference, "EvaluationResult" and "ResourceSpecificResult".

use std::collections::BTreeMap;

use api::iam::{
    EvaluationResult, OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail,
    PolicyEvaluationDecisionType, PolicySourceType, Position, ResourceSpecificResult, SimulatePolicyResponse,
    Statement,
};
use pipeline::{Call, Result};
use policy::{Arn, Attached, Effect, KeyLayer, Layers, Policy, Reason, Request};

use super::input::Simulation;
use super::merge;
use crate::iam::page::Page;

/// Actions that a page has at most are this over the number of resources, so that a call's work is bounded.
const EVALUATIONS_MAX: usize = 10_000;

type Verdict = PolicyEvaluationDecisionType;

/// Judges the actions of one page.
pub(super) fn answer(
    call: &mut Call<'_>,
    simulation: &Simulation,
    list: &str,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<SimulatePolicyResponse> {
    let most = (EVALUATIONS_MAX / simulation.resources.len().max(1)).max(1);
    let most = i32::try_from(most).unwrap_or(i32::MAX);
    let limit = max_items.map_or(most.min(100), |items| items.min(most));
    let page = Page::read(call, &format!("simulation/{list}"), marker, Some(limit))?;
    let actions = simulation.actions.iter().enumerate();
    let numbered = actions.map(|(number, action)| (format!("{number:08}"), action));
    let paged = page.of_sorted(call, numbered)?;
    let truncated = paged.truncated();
    let results = paged.items.into_iter().map(|action| simulation.evaluate(action));
    Ok(SimulatePolicyResponse {
        evaluation_results: Some(results.collect()),
        is_truncated: truncated,
        marker: paged.marker,
    })
}

/// What was found for one resource.
struct Outcome {
    verdict: Verdict,
    matched: Vec<Statement>,
    missing: Vec<String>,
    organizations: Option<bool>,
    boundary: Option<bool>,
    /// By kind of policy; only across accounts.
    details: BTreeMap<String, Verdict>,
}

impl Simulation {
    fn evaluate(&self, action: &str) -> EvaluationResult {
        let outcomes: Vec<(&String, Outcome)> = self
            .resources
            .iter()
            .map(|resource| (resource, self.judge(action, resource)))
            .collect();
        let verdict = outcomes
            .iter()
            .map(|(_, outcome)| outcome.verdict)
            .max_by_key(|verdict| strictness(*verdict))
            .unwrap_or(Verdict::ImplicitDeny);
        let mut matched: Vec<Statement> = Vec::new();
        let mut missing = Vec::new();
        let mut details = BTreeMap::new();
        for (_, outcome) in &outcomes {
            if outcome.verdict == verdict {
                for statement in &outcome.matched {
                    if !matched.iter().any(|held| same(held, statement)) {
                        matched.push(statement.clone());
                    }
                }
            }
            merge(&mut missing, outcome.missing.clone());
            for (kind, verdict) in &outcome.details {
                let held = details.entry(kind.clone()).or_insert(*verdict);
                if strictness(*verdict) > strictness(*held) {
                    *held = *verdict;
                }
            }
        }
        let every = |part: fn(&Outcome) -> Option<bool>| {
            let mut parts = outcomes
                .iter()
                .filter_map(|(_, outcome)| part(outcome))
                .peekable();
            parts.peek().is_some().then(|| parts.all(|allowed| allowed))
        };
        let organizations = every(|outcome| outcome.organizations);
        let boundary = every(|outcome| outcome.boundary);
        let everything = matches!(self.resources.as_slice(), [only] if only == "*");
        let name = match self.resources.as_slice() {
            [only] => only.clone(),
            _ => "*".to_owned(),
        };
        let specific = outcomes
            .into_iter()
            .map(|(resource, outcome)| outcome.specific(resource));
        EvaluationResult {
            eval_action_name: action.to_owned(),
            eval_resource_name: Some(name),
            eval_decision: verdict,
            matched_statements: Some(matched),
            missing_context_values: Some(missing),
            organizations_decision_detail: organizations.map(|allowed| OrganizationsDecisionDetail {
                allowed_by_organizations: Some(allowed),
            }),
            permissions_boundary_decision_detail: boundary.map(bounded),
            eval_decision_details: (!everything).then_some(details),
            resource_specific_results: (!everything).then(|| specific.collect()),
        }
    }

    fn judge(&self, action: &str, resource: &str) -> Outcome {
        let named = Arn::parse(resource).map(|arn| arn.account().to_owned());
        let owner = named
            .filter(|account| !account.is_empty())
            .unwrap_or_else(|| self.owner.clone());
        let mut context = self.context.clone();
        if context.get("aws:ResourceAccount").is_none() {
            context.insert("aws:ResourceAccount", owner.clone());
        }
        let request = Request {
            principal: &self.principal,
            action,
            resource,
            resource_account: Some(&owner),
            context: &context,
        };
        let identity: Vec<Attached> = self.identity.iter().map(|held| held.attached.clone()).collect();
        let encryption: BTreeMap<String, String> = encryption_context(&context);
        let policy = self.resource_policy.as_ref();
        let layers = Layers {
            service_control: &self.service_control,
            resource: policy.filter(|_| !self.key_policy()),
            identity: &identity,
            boundary: self.boundary.as_ref(),
            key: policy.filter(|_| self.key_policy()).map(|policy| KeyLayer {
                policy,
                grants: &[],
                encryption_context: &encryption,
            }),
            ..Layers::default()
        };
        let verdict = match policy::decide(&request, &layers).reason {
            Reason::ExplicitDeny { .. } => Verdict::ExplicitDeny,
            Reason::ImplicitDeny { .. } => Verdict::ImplicitDeny,
            Reason::Allowed { .. } => Verdict::Allowed,
        };
        let said = |policies: &[&Policy]| standing(policies, &request, &layers);
        let boundary = self.boundary.as_ref().map(|held| said(&[&held.policy]));
        let mut details = BTreeMap::new();
        if owner != self.account {
            let own: Vec<&Policy> = identity.iter().map(|held| &*held.policy).collect();
            details.insert("IAM Policy".to_owned(), said(&own));
            let theirs: Vec<&Policy> = policy.iter().map(|held| &*held.policy).collect();
            details.insert("Resource Policy".to_owned(), said(&theirs));
            if let Some(boundary) = boundary {
                details.insert("Permissions Boundary Policy".to_owned(), boundary);
            }
        }
        let mut levels = self.service_control.iter().map(|level| {
            let level: Vec<&Policy> = level.iter().map(|held| &*held.policy).collect();
            said(&level) == Verdict::Allowed
        });
        let organizations = (!self.service_control.is_empty()).then(|| levels.all(|allows| allows));
        Outcome {
            verdict,
            matched: self.matched(verdict, &request, &layers),
            missing: self.missing(&request, &layers),
            organizations,
            boundary: boundary.map(|verdict| verdict == Verdict::Allowed),
            details,
        }
    }

    /// The statements of identity and resource policies that made the verdict.
    fn matched(&self, verdict: Verdict, request: &Request<'_>, layers: &Layers<'_>) -> Vec<Statement> {
        let wanted = match verdict {
            Verdict::Allowed => Effect::Allow,
            Verdict::ExplicitDeny => Effect::Deny,
            Verdict::ImplicitDeny => return Vec::new(),
        };
        let identity = self
            .identity
            .iter()
            .map(|held| (&held.attached, held.id.as_str(), held.kind));
        let resource = self.resource_policy.iter();
        let resource = resource.map(|held| (held, "ResourcePolicy", PolicySourceType::Resource));
        let mut found = Vec::new();
        for (attached, id, kind) in identity.chain(resource) {
            let matching = attached.policy.matching(request, layers).into_iter();
            for (index, _) in matching.filter(|(_, effect)| *effect == wanted) {
                found.extend(statement(&attached.policy, index, id, kind));
            }
        }
        found
    }

    fn missing(&self, request: &Request<'_>, layers: &Layers<'_>) -> Vec<String> {
        let mut keys = Vec::new();
        let identity = self.identity.iter().map(|held| &held.attached);
        for attached in identity.chain(&self.boundary).chain(&self.resource_policy) {
            merge(&mut keys, attached.policy.missing_keys(request, layers));
        }
        keys
    }
}

impl Outcome {
    fn specific(self, resource: &str) -> ResourceSpecificResult {
        ResourceSpecificResult {
            eval_resource_name: resource.to_owned(),
            eval_resource_decision: self.verdict,
            matched_statements: Some(self.matched),
            missing_context_values: Some(self.missing),
            eval_decision_details: (!self.details.is_empty()).then_some(self.details),
            permissions_boundary_decision_detail: self.boundary.map(bounded),
        }
    }
}

/// What policies say together, as if there were no others.
fn standing(policies: &[&Policy], request: &Request<'_>, layers: &Layers<'_>) -> Verdict {
    let mut verdict = Verdict::ImplicitDeny;
    for policy in policies {
        for (_, effect) in policy.matching(request, layers) {
            match effect {
                Effect::Deny => return Verdict::ExplicitDeny,
                Effect::Allow => verdict = Verdict::Allowed,
            }
        }
    }
    verdict
}

/// The order of "most restrictive".
const fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allowed => 0,
        Verdict::ImplicitDeny => 1,
        Verdict::ExplicitDeny => 2,
    }
}

const fn bounded(allowed: bool) -> PermissionsBoundaryDecisionDetail {
    PermissionsBoundaryDecisionDetail {
        allowed_by_permissions_boundary: Some(allowed),
    }
}

fn encryption_context(context: &policy::Context) -> BTreeMap<String, String> {
    let pairs = context.iter().filter_map(|(key, values)| {
        let name = key.strip_prefix("kms:EncryptionContext:")?;
        Some((name.to_owned(), values.first()?.to_string()))
    });
    pairs.collect()
}

/// A matched statement by its place in the text. As in AWS's answers, a statement that stands alone begins behind its brace,
/// the first of a list behind the list's bracket, and every one ends behind its brace (AWS CLI reference,
/// "simulate-custom-policy", example 1).
fn statement(policy: &Policy, index: usize, id: &str, kind: PolicySourceType) -> Option<Statement> {
    let span = policy.statements().nth(index)?.span();
    let text = policy.text();
    let before = text.get(..span.start)?.trim_end();
    let start = match before.chars().next_back() {
        Some(':') => span.start + 1,
        Some('[') => before.len(),
        _ => span.start,
    };
    Some(Statement {
        source_policy_id: Some(id.to_owned()),
        source_policy_type: Some(kind),
        start_position: Some(position(text, start)),
        end_position: Some(position(text, span.end)),
    })
}

fn same(one: &Statement, other: &Statement) -> bool {
    let place = |statement: &Statement| {
        let start = statement
            .start_position
            .as_ref()
            .map(|start| (start.line, start.column));
        (
            statement.source_policy_id.clone(),
            statement.source_policy_type,
            start,
        )
    };
    place(one) == place(other)
}

fn position(text: &str, offset: usize) -> Position {
    let place = policy::Position::of(text, offset);
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    Position {
        line: Some(number(place.line)),
        column: Some(number(place.column)),
    }
}
