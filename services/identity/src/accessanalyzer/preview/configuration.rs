//! The policies that a preview proposes. What is not proposed stays as it is, and is AWS's default for a resource that is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Inventoried, ResourcePolicies, Result};
use policy::{Arn, Attached, Grant, Policy, PolicyKind};
use serde::{Deserialize, Serialize};

use crate::accessanalyzer::fault::invalid;

/// What is proposed for one resource.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Configuration {
    Role {
        trust: Option<String>,
    },
    Key {
        /// By name; there is only `default`.
        policies: Option<BTreeMap<String, String>>,
        /// All grants that there would be.
        grants: Option<Vec<Proposed>>,
    },
}

/// A proposed grant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proposed {
    operations: Vec<String>,
    grantee: String,
    retiring: Option<String>,
    equals: Option<BTreeMap<String, String>>,
    subset: Option<BTreeMap<String, String>>,
    issuer: String,
}

impl Configuration {
    /// Reads a request's; only roles and keys can be previewed.
    pub(super) fn read(arn: &str, given: model::Configuration) -> Result<Self> {
        let parsed = Arn::parse(arn);
        let of = |service: &str, kind: &str| {
            parsed
                .as_ref()
                .is_some_and(|arn| arn.service() == service && arn.resource().starts_with(kind))
        };
        match given {
            model::Configuration {
                iam_role: Some(role), ..
            } if of("iam", "role/") => Ok(Self::Role {
                trust: role.trust_policy,
            }),
            model::Configuration {
                kms_key: Some(key), ..
            } if of("kms", "key/") => Ok(Self::Key {
                policies: key.key_policies,
                grants: key
                    .grants
                    .map(|grants| grants.into_iter().map(Proposed::read).collect()),
            }),
            model::Configuration {
                iam_role: Some(_), ..
            }
            | model::Configuration { kms_key: Some(_), .. } => Err(invalid(format!(
                "The configuration does not fit the resource {arn}."
            ))),
            _ => Err(invalid("Access previews are offered for IAM roles and KMS keys.")),
        }
    }

    /// CloudFormation's name of the resource's type.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Role { .. } => "AWS::IAM::Role",
            Self::Key { .. } => "AWS::KMS::Key",
        }
    }

    /// The policies that there would be; `None` if they cannot be read.
    pub(super) fn policies(&self, owner: &str, present: Option<Inventoried>) -> Option<ResourcePolicies> {
        let present = present.map(|found| found.policies);
        match self {
            Self::Role { trust: None } => Some(present.unwrap_or(ResourcePolicies::None)),
            Self::Role { trust: Some(text) } if text.is_empty() => Some(ResourcePolicies::None),
            Self::Role { trust: Some(text) } => parsed(text, PolicyKind::Trust).map(ResourcePolicies::Policy),
            Self::Key { policies, grants } => {
                let (held, held_grants) = match present {
                    Some(ResourcePolicies::Key { policy, grants }) => (Some(policy), grants),
                    _ => (None, Arc::default()),
                };
                let policy = match policies.as_ref().and_then(|policies| policies.get("default")) {
                    Some(text) => parsed(text, PolicyKind::Key)?,
                    None => match held {
                        Some(policy) => policy,
                        None => parsed(&default_policy(owner), PolicyKind::Key)?,
                    },
                };
                let grants = grants.as_ref().map_or(held_grants, |grants| {
                    grants.iter().map(Proposed::compiled).collect()
                });
                Some(ResourcePolicies::Key { policy, grants })
            }
        }
    }

    pub(super) fn shown(&self) -> model::Configuration {
        match self {
            Self::Role { trust } => model::Configuration {
                iam_role: Some(model::IamRoleConfiguration {
                    trust_policy: trust.clone(),
                }),
                ..model::Configuration::default()
            },
            Self::Key { policies, grants } => model::Configuration {
                kms_key: Some(model::KmsKeyConfiguration {
                    grants: grants
                        .as_ref()
                        .map(|grants| grants.iter().map(Proposed::shown).collect()),
                    key_policies: policies.clone(),
                }),
                ..model::Configuration::default()
            },
        }
    }
}

fn parsed(text: &str, kind: PolicyKind) -> Option<Attached> {
    let policy = Policy::parse(text, kind).ok()?;
    Some(Attached::new(Arc::new(policy), "the proposed policy"))
}

/// KMS Developer Guide, "Default key policy".
fn default_policy(owner: &str) -> String {
    let root = format!("arn:aws:iam::{owner}:root");
    serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}]})
    .to_string()
}

impl Proposed {
    fn read(given: model::KmsGrantConfiguration) -> Self {
        let constraints = given.constraints.unwrap_or_default();
        Self {
            operations: given
                .operations
                .iter()
                .map(|operation| operation.as_str().to_owned())
                .collect(),
            grantee: given.grantee_principal,
            retiring: given.retiring_principal,
            equals: constraints.encryption_context_equals,
            subset: constraints.encryption_context_subset,
            issuer: given.issuing_account,
        }
    }

    fn compiled(&self) -> Grant {
        Grant {
            id: String::new(),
            grantee: self.grantee.clone(),
            operations: self.operations.clone(),
            context_equals: self.equals.clone(),
            context_subset: self.subset.clone(),
            source_arn: None,
        }
    }

    fn shown(&self) -> model::KmsGrantConfiguration {
        let constrained = self.equals.is_some() || self.subset.is_some();
        let operations = self.operations.iter();
        model::KmsGrantConfiguration {
            constraints: constrained.then(|| model::KmsGrantConstraints {
                encryption_context_equals: self.equals.clone(),
                encryption_context_subset: self.subset.clone(),
            }),
            grantee_principal: self.grantee.clone(),
            issuing_account: self.issuer.clone(),
            operations: operations
                .filter_map(|operation| model::KmsGrantOperation::parse(operation))
                .collect(),
            retiring_principal: self.retiring.clone(),
        }
    }
}
