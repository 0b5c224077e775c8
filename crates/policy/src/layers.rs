//! What a decision is made from: the request, and every policy that applies to it, layer by layer.

use crate::{context::Context, document::Policy, grant::Grant, principal::Principal};
use std::{collections::BTreeMap, sync::Arc};

/// One authorization question.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `service:Operation`.
    pub action: &'a str,
    /// The ARN, or `*` for actions that have no resource.
    pub resource: &'a str,
    /// The account that owns the resource. `None`: the one in the ARN, else the caller's own.
    pub resource_account: Option<&'a str>,
    /// Condition keys.
    pub context: &'a Context,
}

/// A policy and where it comes from, as a person would name it: an ARN, or "user/alice inline X".
#[derive(Debug, Clone)]
pub struct Attached {
    /// The parsed document.
    pub policy: Arc<Policy>,
    /// The ARN of a managed policy, else a description.
    pub origin: Arc<str>,
}

impl Attached {
    /// Names a policy's origin.
    pub fn new(policy: Arc<Policy>, origin: impl Into<Arc<str>>) -> Self {
        Self {
            policy,
            origin: origin.into(),
        }
    }
}

/// All policies that apply. `None` (or no level) is a layer that does not exist for the request and limits nothing;
/// an empty slice in `Some` is a layer that exists and allows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layers<'a> {
    /// Resource control policies over the resource's account; empty outside an organization.
    pub resource_control: &'a [Attached],
    /// Service control policies over the caller's account, one slice for the root, each OU and the account; every
    /// level must allow. Empty outside an organization and for its management account.
    pub service_control: &'a [Vec<Attached>],
    /// The resource's policy, or a role's trust policy for AssumeRole.
    pub resource: Option<&'a Attached>,
    /// The caller's own and inherited policies (S1.8).
    pub identity: &'a [Attached],
    /// The permissions boundary of the user or role.
    pub boundary: Option<&'a Attached>,
    /// The policies passed when the session was made; `None` if none were passed.
    pub session: Option<&'a [Attached]>,
    /// The policy of the VPC endpoint that the request came through.
    pub endpoint: Option<&'a Attached>,
    /// For actions on a KMS key: its policy and grants, which then stand in place of `resource`.
    pub key: Option<KeyLayer<'a>>,
}

/// What a KMS key says: unlike other resources it always has a policy, and IAM policies count only where that policy
/// delegates to the account.
#[derive(Debug, Clone, Copy)]
pub struct KeyLayer<'a> {
    /// The key policy.
    pub policy: &'a Attached,
    /// The grants on the key.
    pub grants: &'a [Grant],
    /// The request's encryption context, compared with case; empty if it has none.
    pub encryption_context: &'a BTreeMap<String, String>,
}
