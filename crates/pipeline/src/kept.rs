//! The texts of policies that took part in decisions, kept by digest, so that a record can be explained as it was
//! decided, whatever became of the policies since.

use policy::{Attached, Digest};
use serde::{Deserialize, Serialize};
use store::{Table, json};

use crate::authorize::{Judgement, LayerName};
use crate::ledger::record::{Judged, PolicyReference};

/// A policy as it was when it was judged.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptPolicy {
    /// `arn:aws:iam::aws:policy/ReadOnlyAccess`, or how an inline policy is attached.
    pub origin: String,
    pub text: String,
    /// A role's trust policy, which has no `Resource`.
    #[serde(default)]
    pub trust: bool,
}

impl store::Record for KeptPolicy {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        json::encode(self, "pipeline.kept_policies", out)
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        json::decode("pipeline.kept_policies", bytes)
    }
}

/// By digest.
pub(crate) static KEPT: Table<String, KeptPolicy> = Table::new(0x0f02, "pipeline.kept_policies");

/// What a policy is named by: a digest of its origin and its text.
fn digest(attached: &Attached) -> Digest {
    attached.mark.digest(|| {
        let mut hasher = crypto::digest::Sha256::new();
        hasher.update(attached.origin.as_bytes());
        hasher.update(&[0]);
        hasher.update(attached.policy.text().as_bytes());
        Digest::new(&hasher.finish())
    })
}

/// Texts that the record's transaction has to write, to be marked once it is durable.
#[derive(Clone, Default)]
pub(crate) struct Unkept {
    policies: Vec<Attached>,
    /// The store's era in which the other policies of the record were known to be kept; zero without a record.
    era: u64,
}

impl Unkept {
    /// Turns judgements into what the record keeps, noting texts that the store does not have yet.
    pub(crate) fn judged(&mut self, era: u64, judgements: Vec<Judgement>) -> Vec<Judged> {
        self.era = era;
        judgements
            .into_iter()
            .map(|judgement| self.one(judgement))
            .collect()
    }

    fn one(&mut self, judgement: Judgement) -> Judged {
        let gathered = &judgement.gathered;
        let mut policies = Vec::with_capacity(gathered.policies().count());
        for (layer, level, attached) in gathered.policies() {
            if !attached.mark.is_in(self.era) {
                self.policies.push(attached.clone());
            }
            policies.push(PolicyReference {
                layer,
                level,
                digest: digest(attached),
            });
        }
        let grants = gathered.key.as_ref();
        let grants = grants.map(|(_, grants)| grants.iter().map(grant_facts).collect());
        Judged {
            action: judgement.action.to_owned(),
            session_limited: gathered.principal.session.is_some(),
            resource: judgement.resource,
            owner: judgement.owner,
            allowed: judgement.allowed,
            context: judgement.context,
            organizations: judgement.organizations,
            policies,
            grants: grants.unwrap_or_default(),
        }
    }

    /// Takes the texts of other records too.
    pub(crate) fn extend(&mut self, more: Self) {
        self.policies.extend(more.policies);
    }

    /// Writes the missing texts in the record's transaction, or asks for another run if the store was wiped meanwhile.
    pub(crate) fn write(&self, tx: &mut store::Tx) -> store::Result<()> {
        if self.era != 0 && self.era != tx.era() {
            return Err(store::Error::Conflict);
        }
        for attached in &self.policies {
            let key = digest(attached).as_str().to_owned();
            if tx.get(&KEPT, &key)?.is_none() {
                let origin = attached.origin.to_string();
                let trust = attached.policy.kind() == policy::PolicyKind::Trust;
                tx.put(
                    &KEPT,
                    &key,
                    KeptPolicy {
                        origin,
                        text: attached.policy.text().to_owned(),
                        trust,
                    },
                )?;
            }
        }
        Ok(())
    }

    /// The transaction is durable.
    pub(crate) fn committed(self) {
        if self.era == 0 {
            return;
        }
        for attached in &self.policies {
            attached.mark.is_now_in(self.era);
        }
    }
}

fn grant_facts(grant: &policy::Grant) -> serde_json::Value {
    serde_json::json!({
        "id": grant.id,
        "grantee": grant.grantee,
        "operations": grant.operations,
        "equals": grant.context_equals,
        "subset": grant.context_subset,
        "sourceArn": grant.source_arn,
    })
}

/// The policy kind that a layer's documents are parsed as.
pub(crate) const fn kind_of(layer: LayerName) -> policy::PolicyKind {
    match layer {
        LayerName::ResourceControl => policy::PolicyKind::ResourceControl,
        LayerName::ServiceControl => policy::PolicyKind::ServiceControl,
        LayerName::Resource => policy::PolicyKind::Resource,
        LayerName::Key => policy::PolicyKind::Key,
        LayerName::Identity => policy::PolicyKind::Identity,
        LayerName::Boundary => policy::PolicyKind::Boundary,
        LayerName::Session => policy::PolicyKind::Session,
    }
}
