//! The custom policy checks: whether a policy grants what it must not, more than before, or to the public.
//!
//! Sources: IAM Access Analyzer API Reference, "CheckAccessNotGranted", "CheckNoNewAccess", "CheckNoPublicAccess"; IAM User
//! Guide, "Validate policies with custom policy checks". Invariant: PASS is proven by `policy::contain`; what cannot be proven
//! is FAIL.

use api::accessanalyzer as model;
use model::AccessCheckResourceType as Checked;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::{
    Policy, PolicyKind,
    contain::{granted, new_access},
    public::public_statements,
};

/// Checks that a policy does not allow listed actions or resources.
pub struct CheckAccessNotGranted;

impl Operation for CheckAccessNotGranted {
    type Input = model::CheckAccessNotGrantedRequest;
    type Output = model::CheckAccessNotGrantedResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:CheckAccessNotGranted");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        _call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let policy = parsed(&input.policy_document, kind(input.policy_type))?;
        let mut actions = Vec::new();
        let mut resources = Vec::new();
        for access in input.access {
            actions.extend(access.actions.unwrap_or_default());
            resources.extend(access.resources.unwrap_or_default());
        }
        if actions.is_empty() && resources.is_empty() {
            return Err(refused(
                "The access to check names neither actions nor resources.",
            ));
        }
        let found = granted(&policy, &actions, &resources);
        let (result, message) = if found.is_empty() {
            (
                model::CheckAccessNotGrantedResult::Pass,
                "The policy document does not grant access to perform the listed actions or resources."
                    .to_owned(),
            )
        } else {
            (
                model::CheckAccessNotGrantedResult::Fail,
                "The policy document grants access to perform one or more of the listed actions or resources."
                    .to_owned(),
            )
        };
        let statements = found.iter().map(|gain| gain.statement);
        Ok(model::CheckAccessNotGrantedResponse {
            reasons: reasons(
                &policy,
                statements,
                "One or more of the listed actions or resources in the statement",
            ),
            message: Some(message),
            result: Some(result),
        })
    }
}

/// Checks that an updated policy allows nothing that the existing one does not.
pub struct CheckNoNewAccess;

impl Operation for CheckNoNewAccess {
    type Input = model::CheckNoNewAccessRequest;
    type Output = model::CheckNoNewAccessResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:CheckNoNewAccess");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        _call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let kind = kind(input.policy_type);
        let updated = parsed(&input.new_policy_document, kind)?;
        let existing = parsed(&input.existing_policy_document, kind)?;
        let found = new_access(&updated, &existing);
        let (result, message) = if found.is_empty() {
            (
                model::CheckNoNewAccessResult::Pass,
                "The modified permissions do not grant new access compared to your existing policy.",
            )
        } else {
            (
                model::CheckNoNewAccessResult::Fail,
                "The modified permissions grant new access compared to your existing policy.",
            )
        };
        let statements = found.iter().map(|gain| gain.statement);
        Ok(model::CheckNoNewAccessResponse {
            reasons: reasons(&updated, statements, "New access in the statement"),
            message: Some(message.to_owned()),
            result: Some(result),
        })
    }
}

/// Checks that the policy of a resource grants nothing to the public.
pub struct CheckNoPublicAccess;

impl Operation for CheckNoPublicAccess {
    type Input = model::CheckNoPublicAccessRequest;
    type Output = model::CheckNoPublicAccessResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("access-analyzer:CheckNoPublicAccess");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        _call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let kind = match input.resource_type {
            Checked::AwsIamAssumeRolePolicyDocument => PolicyKind::Trust,
            Checked::AwsKmsKey => PolicyKind::Key,
            _ => PolicyKind::Resource,
        };
        let policy = parsed(&input.policy_document, kind)?;
        let found = public_statements(&policy);
        let (result, message) = if found.is_empty() {
            (
                model::CheckNoPublicAccessResult::Pass,
                "The resource policy does not grant public access for the given resource type.",
            )
        } else {
            (
                model::CheckNoPublicAccessResult::Fail,
                "The resource policy grants public access for the given resource type.",
            )
        };
        let reasons = reasons(
            &policy,
            found.into_iter(),
            "Public access granted in the following statement",
        );
        Ok(model::CheckNoPublicAccessResponse {
            reasons,
            message: Some(message.to_owned()),
            result: Some(result),
        })
    }
}

const fn kind(policy_type: model::AccessCheckPolicyType) -> PolicyKind {
    match policy_type {
        model::AccessCheckPolicyType::IdentityPolicy => PolicyKind::Identity,
        // Trust policies are resource policies here too: they leave out the resource, which is the role itself.
        model::AccessCheckPolicyType::ResourcePolicy => PolicyKind::Resource,
    }
}

fn parsed(text: &str, kind: PolicyKind) -> Result<Policy> {
    let read = match kind {
        PolicyKind::Identity => Policy::parse(text, kind),
        _ => Policy::parse_attached(text, kind),
    };
    read.map_err(|error| refused(&format!("The policy document is not valid: {}", error.located())))
}

fn refused(message: &str) -> wire::Fault {
    api::accessanalyzer::fault::invalid_parameter_exception(message)
}

/// One reason for each statement; nothing if there is none.
fn reasons(
    policy: &Policy,
    statements: impl Iterator<Item = usize>,
    what: &str,
) -> Option<Vec<model::ReasonSummary>> {
    let reasons: Vec<model::ReasonSummary> = statements
        .map(|index| {
            let sid = policy
                .statements()
                .nth(index)
                .and_then(|statement| statement.sid());
            let which = sid.map_or_else(|| format!("index: {index}"), |sid| format!("sid: {sid}"));
            model::ReasonSummary {
                description: Some(format!("{what} with {which}.")),
                statement_id: sid.map(str::to_owned),
                statement_index: i32::try_from(index).ok(),
            }
        })
        .collect();
    (!reasons.is_empty()).then_some(reasons)
}
