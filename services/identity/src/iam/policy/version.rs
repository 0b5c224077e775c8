//! Versions of a customer managed policy, and which of them counts.

use api::iam as model;
use api::iam::fault::{delete_conflict_exception, limit_exceeded_exception, no_such_entity_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use super::create::read_document;
use super::{AnyPolicy, ManagedPolicy, POLICIES, PolicyVersion, VERSIONS_MAX, named};
use crate::iam::document::encoded;
use crate::iam::page::Page;

impl ManagedPolicy {
    /// A version without its document, as lists and `CreatePolicyVersion` show it.
    fn shown_version(&self, version: &PolicyVersion) -> model::PolicyVersion {
        model::PolicyVersion {
            create_date: Some(Timestamp(version.created)),
            document: None,
            is_default_version: Some(version.number == self.default_version),
            version_id: Some(format!("v{}", version.number)),
        }
    }

    /// The version that an id names: `v2`.
    fn version(&self, id: &str) -> Result<&PolicyVersion> {
        let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
        let found =
            number.and_then(|number: u32| self.versions.iter().find(|version| version.number == number));
        found.ok_or_else(|| no_version(&self.arn, id))
    }

    /// Makes a version the one that counts.
    fn set_default(&mut self, number: u32, now: Timestamp) {
        self.default_version = number;
        self.updated = Timestamp::from_seconds(now.seconds()).0;
    }
}

fn no_version(arn: &str, id: &str) -> Fault {
    no_such_entity_exception(format!(
        "Policy {arn} version {id} does not exist or is not attachable."
    ))
}

/// Adds a version, which counts at once if asked.
pub struct CreatePolicyVersion;

impl Operation for CreatePolicyVersion {
    type Input = model::CreatePolicyVersionRequest;
    type Output = model::CreatePolicyVersionResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::permissions("iam:CreatePolicyVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        let document = read_document(&input.policy_document)?;
        if policy.versions.len() >= VERSIONS_MAX {
            return Err(limit_exceeded_exception(format!(
                "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must \
                 delete an existing version."
            )));
        }
        let number = policy.next_version;
        let version = PolicyVersion {
            number,
            created: Timestamp::from_seconds(call.now.seconds()).0,
            document,
        };
        policy.next_version += 1;
        if input.set_as_default == Some(true) {
            policy.set_default(number, call.now);
        }
        let shown = policy.shown_version(&version);
        policy.versions.push(version);
        call.put(&POLICIES, &policy.key(), policy)?;
        Ok(model::CreatePolicyVersionResponse {
            policy_version: Some(shown),
        })
    }
}

/// Shows a version with its document. Of AWS's policies the default version is known, and no older one.
pub struct GetPolicyVersion;

impl Operation for GetPolicyVersion {
    type Input = model::GetPolicyVersionRequest;
    type Output = model::GetPolicyVersionResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::read("iam:GetPolicyVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        _call: &mut Call<'_>,
        policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let shown = match &*policy {
            AnyPolicy::Customer(policy) => {
                let version = policy.version(&input.version_id)?;
                let document = Some(encoded(version.document.text()));
                model::PolicyVersion {
                    document,
                    ..policy.shown_version(version)
                }
            }
            AnyPolicy::Aws { entry, .. } if entry.version == input.version_id => model::PolicyVersion {
                create_date: Some(Timestamp::from_seconds(entry.updated)),
                document: Some(encoded(&entry.text()?)),
                is_default_version: Some(true),
                version_id: Some(entry.version.to_owned()),
            },
            AnyPolicy::Aws { .. } => return Err(no_version(&policy.arn(), &input.version_id)),
        };
        Ok(model::GetPolicyVersionResponse {
            policy_version: Some(shown),
        })
    }
}

/// Lists the versions, the newest first.
pub struct ListPolicyVersions;

impl Operation for ListPolicyVersions {
    type Input = model::ListPolicyVersionsRequest;
    type Output = model::ListPolicyVersionsResponse;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::list("iam:ListPolicyVersions");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        policy: Authorized<AnyPolicy>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListPolicyVersions/{}", input.policy_arn);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let versions: Vec<model::PolicyVersion> = match &*policy {
            AnyPolicy::Customer(policy) => policy
                .versions
                .iter()
                .rev()
                .map(|version| policy.shown_version(version))
                .collect(),
            AnyPolicy::Aws { entry, .. } => vec![model::PolicyVersion {
                create_date: Some(Timestamp::from_seconds(entry.updated)),
                document: None,
                is_default_version: Some(true),
                version_id: Some(entry.version.to_owned()),
            }],
        };
        let sorted = versions
            .into_iter()
            .enumerate()
            .map(|(place, version)| (format!("{place:02}"), version));
        let paged = page.of_sorted(call, sorted)?;
        Ok(model::ListPolicyVersionsResponse {
            is_truncated: paged.truncated(),
            versions: Some(paged.items),
            marker: paged.marker,
        })
    }
}

/// Makes another version the one that counts, for everyone who holds the policy, from the next call on.
pub struct SetDefaultPolicyVersion;

impl Operation for SetDefaultPolicyVersion {
    type Input = model::SetDefaultPolicyVersionRequest;
    type Output = Empty;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::permissions("iam:SetDefaultPolicyVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(call: &mut Call<'_>, policy: Authorized<AnyPolicy>, input: Self::Input) -> Result<Empty> {
        let mut policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        let number = policy.version(&input.version_id)?.number;
        policy.set_default(number, call.now);
        call.put(&POLICIES, &policy.key(), policy)?;
        Ok(Empty)
    }
}

/// Deletes a version that does not count.
pub struct DeletePolicyVersion;

impl Operation for DeletePolicyVersion {
    type Input = model::DeletePolicyVersionRequest;
    type Output = Empty;
    type Target = AnyPolicy;
    const ACCESS: Access = Access::permissions("iam:DeletePolicyVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AnyPolicy>> {
        named(look, &input.policy_arn)
    }

    fn handle(call: &mut Call<'_>, policy: Authorized<AnyPolicy>, input: Self::Input) -> Result<Empty> {
        let mut policy = policy.into_inner().changeable(call, Self::ACCESS)?;
        let number = policy.version(&input.version_id)?.number;
        if number == policy.default_version {
            return Err(delete_conflict_exception(
                "Cannot delete the default version of a policy.",
            ));
        }
        policy.versions.retain(|version| version.number != number);
        call.put(&POLICIES, &policy.key(), policy)?;
        Ok(Empty)
    }
}
