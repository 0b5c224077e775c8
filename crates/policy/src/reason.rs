//! What was decided and by which statement, and how AWS words a refusal.

use crate::layers::{Attached, Layers};
use serde::{Deserialize, Serialize};

/// The kinds of policy that take part in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layer {
    /// Resource control policies.
    ResourceControl,
    /// Service control policies.
    ServiceControl,
    /// The policy on the resource.
    Resource,
    /// A role's trust policy.
    Trust,
    /// A KMS key policy.
    Key,
    /// KMS grants.
    Grant,
    /// The caller's policies.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Session policies.
    Session,
    /// The VPC endpoint's policy.
    Endpoint,
    /// No policy: the account's root user, who is allowed by default (S2.11).
    Root,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether the request may proceed.
    pub allowed: bool,
    /// What decided.
    pub reason: Reason,
}

/// What decided. Indices are those of the slices in [`Layers`] and of the policy's statements, from 0; `level` is that
/// of service control policies, else 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A Deny statement matched (S2.10).
    ExplicitDeny {
        /// The layer.
        layer: Layer,
        /// Level of the organization.
        level: usize,
        /// Index of the policy in its layer.
        policy: usize,
        /// Index of the statement.
        statement: usize,
    },
    /// Nothing in this layer allowed (S2.9).
    ImplicitDeny {
        /// The first layer that would have had to allow.
        layer: Layer,
        /// Level of the organization.
        level: usize,
    },
    /// A statement allowed, and nothing limited it.
    Allowed {
        /// The layer that granted; for `Grant` the policy index is that of the grant.
        layer: Layer,
        /// Index of the policy in its layer.
        policy: usize,
        /// Index of the statement.
        statement: usize,
    },
}

impl Layer {
    /// AWS's name in messages ("service control policy").
    pub fn title(self) -> &'static str {
        match self {
            Self::ResourceControl => "resource control policy",
            Self::ServiceControl => "service control policy",
            Self::Resource | Self::Key | Self::Grant => "resource-based policy",
            Self::Trust => "role trust policy",
            Self::Identity | Self::Root => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Endpoint => "VPC endpoint policy",
        }
    }
}

impl Decision {
    /// The policy that denied or allowed, found again in the layers of the same call.
    pub fn policy<'a>(&self, layers: &Layers<'a>) -> Option<&'a Attached> {
        let (layer, level, policy) = match self.reason {
            Reason::ExplicitDeny {
                layer, level, policy, ..
            } => (layer, level, policy),
            Reason::Allowed { layer, policy, .. } => (layer, 0, policy),
            Reason::ImplicitDeny { .. } => return None,
        };
        match layer {
            Layer::ResourceControl => layers.resource_control.get(policy),
            Layer::ServiceControl => layers.service_control.get(level)?.get(policy),
            Layer::Resource | Layer::Trust => layers.resource,
            Layer::Key => layers.key.map(|key| key.policy),
            Layer::Identity => layers.identity.get(policy),
            Layer::Boundary => layers.boundary,
            Layer::Session => layers.session?.get(policy),
            Layer::Endpoint => layers.endpoint,
            Layer::Grant | Layer::Root => None,
        }
    }
}

/// What AWS puts after "is not authorized to perform: A on resource: R ", without naming the policy; empty if allowed.
///
/// Source: IAM User Guide, "Troubleshoot access denied error messages".
pub fn because(decision: &Decision, action: &str) -> String {
    match decision.reason {
        Reason::ExplicitDeny { layer, .. } => {
            let title = layer.title();
            let article = match layer {
                Layer::Trust => "the",
                Layer::Identity => "an",
                _ => "a",
            };
            format!("with an explicit deny in {article} {title}")
        }
        Reason::ImplicitDeny { layer, .. } => {
            format!("because no {} allows the {action} action", layer.title())
        }
        Reason::Allowed { .. } => String::new(),
    }
}

/// As [`because`], with the ARN of the denying policy where it is a managed one ("…policy: ARN").
pub fn because_naming(decision: &Decision, layers: &Layers<'_>, action: &str) -> String {
    let mut text = because(decision, action);
    let denied = matches!(decision.reason, Reason::ExplicitDeny { .. });
    let managed = decision
        .policy(layers)
        .filter(|attached| denied && attached.origin.starts_with("arn:"));
    if let Some(attached) =
        managed.filter(|_| !matches!(decision_layer(decision), Layer::Resource | Layer::Key))
    {
        text.push_str(": ");
        text.push_str(&attached.origin);
    }
    text
}

fn decision_layer(decision: &Decision) -> Layer {
    match decision.reason {
        Reason::ExplicitDeny { layer, .. }
        | Reason::ImplicitDeny { layer, .. }
        | Reason::Allowed { layer, .. } => layer,
    }
}
