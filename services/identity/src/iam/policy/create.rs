//! The beginning and the end of a customer managed policy.

use api::iam as model;
use api::iam::fault::{delete_conflict_exception, entity_already_exists_exception, limit_exceeded_exception};
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::{Context, PolicyKind};
use wire::Timestamp;
use wire::typed::Empty;

use super::{AnyPolicy, DOCUMENT_MAX, ManagedPolicy, POLICIES, PolicyVersion, arn, named};
use crate::iam::binding::{self, Usage};
use crate::iam::count::{self, Counted};
use crate::iam::document::{self, StoredPolicy};
use crate::iam::tag::{self, Tags};

/// Parses the document of a managed policy, within its quota.
pub(super) fn read_document(text: &str) -> Result<StoredPolicy> {
    let document = StoredPolicy::new(text, PolicyKind::Identity)?;
    if document::size(text) > DOCUMENT_MAX {
        return Err(limit_exceeded_exception(format!(
            "Cannot exceed quota for PolicySize: {DOCUMENT_MAX}"
        )));
    }
    Ok(document)
}

/// Makes a customer managed policy (S1.18, S1.21), often from a copy of one of AWS's (S1.19).
pub struct CreatePolicy;

const TAG_POLICY: Access = Access::tagging("iam:TagPolicy");

impl Operation for CreatePolicy {
    type Input = model::CreatePolicyRequest;
    type Output = model::CreatePolicyResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::permissions("iam:CreatePolicy");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_POLICY];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.account(),
            input.path.as_deref().unwrap_or("/"),
            &input.policy_name,
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_POLICY, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerPolicy")?;
        let key = (call.account().to_owned(), input.policy_name.to_lowercase());
        if call.get(&POLICIES, &key)?.is_some() {
            let name = input.policy_name;
            let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
            return Err(entity_already_exists_exception(message));
        }
        let document = read_document(&input.policy_document)?;
        count::add(call, Counted::Policies)?;
        let created = Timestamp::from_seconds(call.now.seconds()).0;
        let policy = ManagedPolicy {
            account: key.0.clone(),
            arn: target.arn().into(),
            name: input.policy_name,
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            id: call.unique_id(IdPrefix::ManagedPolicy)?,
            created,
            updated: created,
            description: input.description,
            default_version: 1,
            next_version: 2,
            versions: vec![PolicyVersion {
                number: 1,
                created,
                document,
            }],
            tags,
        };
        let mut shown = policy.shown(Usage::default());
        shown.description.clone_from(&policy.description);
        shown.tags = tag::shown(&policy.tags);
        call.mention(policy.arn.to_string(), &policy.account, AnyPolicy::TYPE);
        call.put(&POLICIES, &key, policy)?;
        Ok(model::CreatePolicyResponse { policy: Some(shown) })
    }
}

/// Deletes a policy that nothing uses and that has no version left beside the default one.
pub struct DeletePolicy;

impl Operation for DeletePolicy {
    type Input = model::DeletePolicyRequest;
    type Output = Empty;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::permissions("iam:DeletePolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(call: &mut Call<'_>, policy: Authorized<AnyPolicy>, _input: Self::Input) -> Result<Empty> {
        let policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        let usage = binding::usage(call, &policy.arn)?;
        if usage.attached + usage.boundaries > 0 {
            return Err(delete_conflict_exception(
                "Cannot delete a policy attached to entities.",
            ));
        }
        if policy.versions.len() > 1 {
            return Err(delete_conflict_exception(
                "This policy has more than one version. Before you delete a policy, you must delete the policy's \
                 versions. The default version is deleted with the policy.",
            ));
        }
        count::remove(call, Counted::Policies)?;
        call.delete(&POLICIES, &policy.key())?;
        Ok(Empty)
    }
}
