//! The texts of policies that took part in decisions, kept by digest, so that a record can be explained as it was
//! decided, whatever became of the policies since.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;
use parking_lot::Mutex;
use policy::{Attached, Policy};
use serde::{Deserialize, Serialize};
use store::{Table, json};

use crate::authorize::{Judgement, LayerName};
use crate::ledger::record::{Judged, PolicyReference};

/// Digests that are known to be kept, in about 20 MiB; a miss costs a digest and a look. Every KMS key has a policy of its own.
const KNOWN_MAX: usize = 65_536;

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

/// Digests by the address of the parsed policy. The place of the policy is held, though not the policy, so that its address stays its
/// own.
#[derive(Default)]
pub(crate) struct KnownPolicies(Mutex<HashMap<Address, Known, RandomState>>);

/// The addresses of a parsed policy and of its origin.
type Address = (usize, usize);

struct Known {
    /// Held so that the addresses stay its own.
    held: (Weak<Policy>, Weak<str>),
    digest: Arc<str>,
    stored: bool,
}

impl KnownPolicies {
    /// The digest, and whether the text is known to be in the store.
    fn digest(&self, attached: &Attached) -> (Arc<str>, bool) {
        let address = address(attached);
        if let Some(known) = self.0.lock().get(&address) {
            return (Arc::clone(&known.digest), known.stored);
        }
        let mut hasher = crypto::digest::Sha256::new();
        hasher.update(attached.origin.as_bytes());
        hasher.update(&[0]);
        hasher.update(attached.policy.text().as_bytes());
        let full = crypto::digest::hex(&hasher.finish());
        let digest: Arc<str> = full.get(..32).unwrap_or(&full).into();
        let held = (Arc::downgrade(&attached.policy), Arc::downgrade(&attached.origin));
        let mut known = self.0.lock();
        if known.len() >= KNOWN_MAX {
            // Some policies are parsed for one call alone.
            known.retain(|_, known| known.held.0.strong_count() > 0);
            if known.len() > KNOWN_MAX / 2 {
                known.clear();
            }
        }
        known.insert(
            address,
            Known {
                held,
                digest: Arc::clone(&digest),
                stored: false,
            },
        );
        (digest, false)
    }

    fn mark_stored(&self, attached: &Attached) {
        if let Some(known) = self.0.lock().get_mut(&address(attached)) {
            known.stored = true;
        }
    }

    /// Forgets everything, after the store was reset.
    pub(crate) fn clear(&self) {
        self.0.lock().clear();
    }
}

fn address(attached: &Attached) -> Address {
    (
        Arc::as_ptr(&attached.policy) as usize,
        attached.origin.as_ptr() as usize,
    )
}

/// Texts that the record's transaction has to write, to be marked once it is durable.
#[derive(Clone, Default)]
pub(crate) struct Unkept(Vec<(Attached, Arc<str>)>);

impl Unkept {
    /// Turns judgements into what the record keeps, noting texts that the store does not have yet.
    pub(crate) fn judged(&mut self, known: &KnownPolicies, judgements: Vec<Judgement>) -> Vec<Judged> {
        judgements
            .into_iter()
            .map(|judgement| self.one(known, judgement))
            .collect()
    }

    fn one(&mut self, known: &KnownPolicies, judgement: Judgement) -> Judged {
        let gathered = &judgement.gathered;
        let mut policies = Vec::with_capacity(gathered.policies().count());
        for (layer, level, attached) in gathered.policies() {
            let (digest, stored) = known.digest(attached);
            if !stored {
                self.0.push((attached.clone(), Arc::clone(&digest)));
            }
            policies.push(PolicyReference { layer, level, digest });
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
        self.0.extend(more.0);
    }

    /// Writes the missing texts in the record's transaction.
    pub(crate) fn write(&self, tx: &mut store::Tx) -> store::Result<()> {
        for (attached, digest) in &self.0 {
            let key = digest.to_string();
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
    pub(crate) fn committed(self, known: &KnownPolicies) {
        for (attached, _) in &self.0 {
            known.mark_stored(attached);
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
