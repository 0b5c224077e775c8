//! Resource policies of parameters, by which an advanced parameter is shared with other accounts (Systems Manager User Guide,
//! "Working with shared parameters in Parameter Store").
//!
//! Invariant: a shared parameter is read by others and never written; a stored policy was parsed, names principals who exist, and
//! names no parameter but its own.

use std::sync::{Arc, OnceLock};

use api::ssm as model;
use api::ssm::fault::{
    malformed_resource_policy_document_exception, resource_not_found_exception,
    resource_policy_conflict_exception, resource_policy_invalid_parameter_exception,
    resource_policy_limit_exceeded_exception, resource_policy_not_found_exception,
};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::{Arn, Attached, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::Fault;
use wire::fault::Common;

use crate::ssm::name::{Reference, Selector};
use crate::ssm::page::Page;
use crate::ssm::parameter::{Named, Parameter};
use crate::ssm::secure;

/// Bytes of one policy (Systems Manager API Reference, `PutResourcePolicy`).
const POLICY_MAX: usize = 1024;
/// Policies of one parameter, as many as a page shows.
const COUNT_MAX: usize = 50;
/// What other accounts may be allowed ("Permissions sets for sharing parameters").
const SHARED: [&str; 4] = [
    "ssm:DescribeParameters",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParameterHistory",
];

/// The version of the language that policies of parameters are written in.
const VERSION: &str = "2012-10-17";

/// One policy, by its id.
#[derive(Clone, Serialize, Deserialize)]
struct Held {
    id: String,
    text: String,
}

impl Held {
    /// What a request that changes the policy must know of it.
    fn hash(&self) -> String {
        let digest = crypto::digest::sha256(format!("{}\n{}", self.id, self.text).as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The policies of a parameter.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Policies {
    held: Vec<Held>,
    /// All of them as one policy, compiled on first use.
    #[serde(skip)]
    kept: Compiled,
}

#[derive(Clone, Default)]
struct Compiled(OnceLock<Attached>);

store::record!(Policies, 1);

/// By account, region and the parameter's name.
pub(crate) static POLICIES: Table<(String, String, String), Policies> =
    Table::new(0x0244, "ssm.resource-policies");

impl Policies {
    /// What the evaluator takes.
    pub(crate) fn attached(&self, arn: &str) -> Result<Option<Attached>> {
        if let Some(attached) = self.kept.0.get() {
            return Ok(Some(attached.clone()));
        }
        let mut statements = Vec::new();
        for held in &self.held {
            let document: Value = serde_json::from_str(&held.text).map_err(Fault::internal)?;
            match document.get("Statement") {
                Some(Value::Array(several)) => statements.extend(several.iter().cloned()),
                Some(one) => statements.push(one.clone()),
                None => {}
            }
        }
        if statements.is_empty() {
            return Ok(None);
        }
        // One text, since the ledger keeps the text that a decision was made of.
        let text = json!({ "Version": VERSION, "Statement": statements }).to_string();
        let whole = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
        let attached = Attached::new(Arc::new(whole), format!("the resource policies of {arn}"));
        Ok(Some(self.kept.0.get_or_init(|| attached).clone()))
    }
}

/// The parameter that a resource policy is for; nothing else that has one exists here.
fn find(look: &mut Look<'_>, arn: &str) -> Result<Found<Named>> {
    if arn.contains(":opsitemgroup/") {
        let message = "Resource policies of OpsItemGroup are not implemented by this version of Ringwork: there are no OpsItems.";
        return Err(Fault::common(Common::NotImplemented, message));
    }
    let region = look.region().to_owned();
    let reference = Reference::parse(arn, &region).filter(|reference| reference.account.is_some());
    if !reference.is_some_and(|reference| reference.selector == Selector::Newest) {
        return Err(resource_policy_invalid_parameter_exception(
            "The ResourceArn is not the ARN of a parameter of this Region.",
        ));
    }
    let absent = |arn: String| Found::Absent {
        arn,
        fault: resource_not_found_exception("The specified parameter to be shared could not be found."),
    };
    let named = Named::read(look, arn)?;
    if named.is_public() {
        return Ok(absent(named.arn()));
    }
    Ok(match named.existing() {
        Found::Here(named) => Found::Here(named),
        Found::Absent { arn, .. } => absent(arn),
    })
}

/// Whether an account or principal exists here.
fn exists(look: &mut Look<'_>, name: &str) -> Result<bool> {
    let directory = look.directory();
    match Arn::parse(name) {
        None if name.bytes().all(|byte| byte.is_ascii_digit()) => directory.account_exists(look, name),
        None => directory.principal_exists(look, name),
        Some(arn) if !directory.account_exists(look, arn.account())? => Ok(false),
        Some(arn) if arn.service() == "iam" && arn.resource() != "root" => {
            directory.principal_exists(look, name)
        }
        Some(_) => Ok(true),
    }
}

/// Checks a policy that is about to share the parameter with this ARN.
fn check(look: &mut Look<'_>, arn: &str, text: &str) -> Result<()> {
    let wrong = |message: String| Err(malformed_resource_policy_document_exception(message));
    let parsed = match Policy::parse(text, PolicyKind::Resource) {
        Ok(parsed) => parsed,
        Err(error) => return wrong(error.to_string()),
    };
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    if document.get("Version").and_then(Value::as_str) != Some(VERSION) {
        return wrong(format!("The policy must name its version, {VERSION}."));
    }
    let mut principals = Vec::new();
    for statement in parsed.statements() {
        let (excluding, actions) = statement.actions();
        let foreign = actions
            .into_iter()
            .find(|action| !SHARED.iter().any(|shared| shared.eq_ignore_ascii_case(action)));
        if excluding || foreign.is_some() {
            return wrong(format!(
                "A parameter is shared for reading: the actions of its policy can be {}.",
                SHARED.join(", ")
            ));
        }
        let (excluding, mut resources) = statement.resources();
        if excluding || resources.any(|resource| resource != arn) {
            return wrong("The resource of the policy must be the parameter that it is put on.".to_owned());
        }
        principals.extend(statement.principals());
    }
    for (class, name) in principals {
        if class != "AWS" || name == "*" || !exists(look, &name)? {
            return wrong(format!(
                "{name} is not a principal that a parameter can be shared with."
            ));
        }
    }
    Ok(())
}

/// What only an advanced parameter may be, and only under a key that can be shared.
fn expect_sharable(parameter: &Parameter) -> Result<()> {
    let newest = &parameter.newest;
    if !newest.advanced {
        return Err(resource_policy_invalid_parameter_exception(
            "A parameter must be in the advanced parameter tier to be shared.",
        ));
    }
    if newest.key_id.as_deref() == Some(secure::DEFAULT_KEY) {
        return Err(resource_policy_invalid_parameter_exception(
            "A SecureString parameter must be encrypted with a customer managed key to be shared.",
        ));
    }
    Ok(())
}

/// Where the policy with an id and a hash is.
fn place(policies: &Policies, id: &str, hash: Option<&str>) -> Result<usize> {
    let found = policies.held.iter().position(|held| held.id == id);
    let Some((place, held)) = found.and_then(|place| Some((place, policies.held.get(place)?))) else {
        return Err(resource_policy_not_found_exception(
            "No policies with the specified policy ID and hash could be found.",
        ));
    };
    if hash != Some(held.hash().as_str()) {
        return Err(resource_policy_conflict_exception(
            "The hash provided in the call doesn't match the stored hash.",
        ));
    }
    Ok(place)
}

fn read(look: &mut Look<'_>, named: &Named) -> Result<Policies> {
    let held = look.get(&POLICIES, &named.row()?)?;
    Ok(held.map_or_else(Policies::default, |held| Policies {
        held: held.held.clone(),
        kept: Compiled::default(),
    }))
}

/// Gives a parameter a policy, or changes one that it has.
pub struct PutResourcePolicy;

impl Operation for PutResourcePolicy {
    type Input = model::PutResourcePolicyRequest;
    type Output = model::PutResourcePolicyResponse;
    type Target = Named;
    const ACCESS: Access = Access::permissions("ssm:PutResourcePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        find(look, &input.resource_arn)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        if input.policy.len() > POLICY_MAX {
            return Err(resource_policy_limit_exceeded_exception(format!(
                "A policy can't be greater than {POLICY_MAX} bytes in size."
            )));
        }
        expect_sharable(&*named.parameter()?)?;
        check(call, &named.arn(), &input.policy)?;
        let mut policies = read(call, &named)?;
        let held = match &input.policy_id {
            Some(id) => {
                let place = place(&policies, id, input.policy_hash.as_deref())?;
                let held = Held {
                    id: id.clone(),
                    text: input.policy,
                };
                if let Some(old) = policies.held.get_mut(place) {
                    *old = held.clone();
                }
                held
            }
            None => {
                if policies.held.len() >= COUNT_MAX {
                    return Err(resource_policy_limit_exceeded_exception(format!(
                        "A parameter can have {COUNT_MAX} policies."
                    )));
                }
                let held = Held {
                    id: call.uuid()?,
                    text: input.policy,
                };
                policies.held.push(held.clone());
                held
            }
        };
        call.put(&POLICIES, &named.row()?, policies)?;
        Ok(model::PutResourcePolicyResponse {
            policy_hash: Some(held.hash()),
            policy_id: Some(held.id),
        })
    }
}

/// Shows a parameter's policies.
pub struct GetResourcePolicies;

impl Operation for GetResourcePolicies {
    type Input = model::GetResourcePoliciesRequest;
    type Output = model::GetResourcePoliciesResponse;
    type Target = Named;
    const ACCESS: Access = Access::list("ssm:GetResourcePolicies");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        find(look, &input.resource_arn)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("GetResourcePolicies {}", named.arn());
        let page = Page::read(
            call,
            &list,
            input.next_token.as_deref(),
            input.max_results,
            COUNT_MAX,
        )?;
        let policies = read(call, &named)?;
        let begin = match &page.after {
            None => 0,
            Some(last) => policies
                .held
                .iter()
                .position(|held| held.id == *last)
                .map_or(0, |place| place + 1),
        };
        let shown: Vec<_> = policies.held.iter().skip(begin).take(page.limit).collect();
        let more = begin + shown.len() < policies.held.len();
        let next_token = match shown.last() {
            Some(last) if more => Some(page.next(call, &last.id)?),
            _ => None,
        };
        let entries = shown
            .into_iter()
            .map(|held| model::GetResourcePoliciesResponseEntry {
                policy_id: Some(held.id.clone()),
                policy_hash: Some(held.hash()),
                policy: Some(held.text.clone()),
            });
        Ok(model::GetResourcePoliciesResponse {
            policies: Some(entries.collect()),
            next_token,
        })
    }
}

/// Takes a policy off a parameter.
pub struct DeleteResourcePolicy;

impl Operation for DeleteResourcePolicy {
    type Input = model::DeleteResourcePolicyRequest;
    type Output = model::DeleteResourcePolicyResponse;
    type Target = Named;
    const ACCESS: Access = Access::permissions("ssm:DeleteResourcePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        find(look, &input.resource_arn)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut policies = read(call, &named)?;
        let place = place(&policies, &input.policy_id, Some(&input.policy_hash))?;
        policies.held.remove(place);
        let row = named.row()?;
        if policies.held.is_empty() {
            call.delete(&POLICIES, &row)?;
        } else {
            call.put(&POLICIES, &row, policies)?;
        }
        Ok(model::DeleteResourcePolicyResponse::default())
    }
}
