//! Multi-Region keys: one id and one material in several regions, so that what is encrypted in one decrypts in the others (S8.59 as
//! it is today; KMS Developer Guide, "Multi-Region keys in AWS KMS").
//!
//! Every key of a set is a row of its own region, with a policy, tags, aliases and a state of its own; each row knows the whole set.
//!
//! Invariant: all rows of a set tell the same primary region, the same regions and the same rotations; they change together.

use std::collections::BTreeSet;

use api::kms as model;
use api::kms::fault::{already_exists_exception, not_found_exception, unsupported_operation_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::kms::key::{self, DAY, Deletion, KEYS, Kept, Key, KeyTarget, Origin, State, metadata, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{deletion, imported, material, policy as key_policy, rotation, tag};

const CREATE: Access = Access::write("kms:CreateKey");
const UPDATE: Access = Access::write("kms:UpdatePrimaryRegion");

/// The set that a multi-Region key belongs to.
#[derive(Clone, Serialize, Deserialize)]
pub struct Set {
    /// The region of the primary key.
    pub(crate) primary: String,
    /// The regions of the replicas.
    pub(crate) replicas: BTreeSet<String>,
}

impl Set {
    /// The set of a key that was just made.
    pub(crate) fn beginning(region: &str) -> Self {
        Self {
            primary: region.to_owned(),
            replicas: BTreeSet::new(),
        }
    }
}

impl Key {
    /// Whether it is a replica of a primary key in another region.
    pub(crate) fn is_replica(&self) -> bool {
        self.set.as_ref().is_some_and(|set| set.primary != self.region)
    }

    /// `PRIMARY` or `REPLICA`; `None` for a key of a single region.
    pub(crate) fn set_type(&self) -> Option<&'static str> {
        let replica = self.is_replica();
        self.set
            .as_ref()
            .map(|_| if replica { "REPLICA" } else { "PRIMARY" })
    }

    /// What `DescribeKey` tells of the set.
    pub(crate) fn configuration(&self) -> Option<model::MultiRegionConfiguration> {
        let shown = |region: &String| model::MultiRegionKey {
            arn: Some(key::arn(region, &self.account, &self.id)),
            region: Some(region.clone()),
        };
        self.set.as_ref().map(|set| model::MultiRegionConfiguration {
            multi_region_key_type: self.set_type().and_then(model::MultiRegionKeyType::parse),
            primary_key: Some(shown(&set.primary)),
            replica_keys: Some(set.replicas.iter().map(shown).collect()),
        })
    }

    /// What only a primary key can do.
    fn expect_primary(&self) -> Result<()> {
        if self.set_type() == Some("PRIMARY") {
            return Ok(());
        }
        let arn = self.arn();
        Err(unsupported_operation_exception(format!(
            "{arn} is not a multi-Region primary key."
        )))
    }

    /// What replicas leave to their primary key.
    pub(crate) fn expect_no_replica(&self) -> Result<()> {
        if !self.is_replica() {
            return Ok(());
        }
        let arn = self.arn();
        Err(unsupported_operation_exception(format!(
            "{arn} is a multi-Region replica key; this operation is valid only for its primary key."
        )))
    }
}

/// The other keys of a set.
fn others(look: &mut Look<'_>, key: &Key) -> Result<Vec<Key>> {
    let mut found = Vec::new();
    let Some(set) = &key.set else { return Ok(found) };
    for region in set.replicas.iter().chain([&set.primary]) {
        if *region != key.region
            && let Some(other) = look.get(&KEYS, &(key.account.as_str(), region.as_str(), key.id.as_str()))?
        {
            found.push((*other).clone());
        }
    }
    Ok(found)
}

/// Gives the replicas what they share with their primary key: the rotations, and the material that the key makes itself.
pub(crate) fn synchronize(call: &mut Call<'_>, primary: &Key) -> Result<()> {
    for mut replica in others(call, primary)? {
        replica.rotation = primary.rotation.shared();
        replica.material.clone_from(&primary.material);
        if primary.origin == Origin::AwsKms {
            material::copy(call, primary, &replica)?;
        }
        replica.keep(call)?;
    }
    Ok(())
}

/// Lets the set know of material that was imported into one of its keys.
pub(crate) fn share_imports(call: &mut Call<'_>, key: &Key, id: &str) -> Result<()> {
    if key.is_replica() {
        return Ok(());
    }
    let description = key.imported.iter().find(|held| held.material == id);
    let description = description.and_then(|held| held.description.clone());
    for mut replica in others(call, key)? {
        match replica.imported.iter_mut().find(|held| held.material == id) {
            Some(held) => held.description.clone_from(&description),
            None => replica.imported.push(waited_for(id, description.clone())),
        }
        replica.rotation = key.rotation.shared();
        replica.material.clone_from(&key.material);
        replica.keep(call)?;
    }
    Ok(())
}

fn waited_for(id: &str, description: Option<String>) -> imported::Imported {
    imported::Imported {
        material: id.to_owned(),
        present: false,
        expires: None,
        description,
    }
}

/// Takes material that waited for a rotation from the replicas too.
pub(crate) fn forget_import(call: &mut Call<'_>, key: &Key, id: &str) -> Result<()> {
    for mut replica in others(call, key)? {
        material::remove(call, &replica, id)?;
        for held in replica.imported.iter().filter(|held| held.material == id) {
            if let Some((_, job)) = &held.expires {
                call.unschedule(job)?;
            }
        }
        replica.imported.retain(|held| held.material != id);
        replica.keep(call)?;
    }
    Ok(())
}

/// Whether every replica has the material that waits for a rotation.
pub(crate) fn everywhere(look: &mut Look<'_>, key: &Key, id: &str) -> Result<bool> {
    let has = |other: &Key| {
        other
            .imported
            .iter()
            .any(|held| held.material == id && held.present)
    };
    Ok(has(key) && others(look, key)?.iter().all(has))
}

/// Makes a replica of a primary key in another region.
pub struct ReplicateKey;

impl Operation for ReplicateKey {
    type Input = model::ReplicateKeyRequest;
    type Output = model::ReplicateKeyResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:ReplicateKey");
    const CONDITIONS: &'static [&'static str] = &["kms:ReplicaRegion"];
    const ALSO: &'static [Access] = &[CREATE, tag::TAG];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        tag::expect_few(input.tags.as_deref().unwrap_or_default())?;
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("kms:ReplicaRegion", input.replica_region.clone());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        key.expect_primary()?;
        key.expect_enabled()?;
        let (account, region) = (key.account.clone(), input.replica_region.clone());
        let arn = key::arn(&region, &account, &key.id);
        call.also(CREATE, "*", &account, Context::default())?;
        let tags = tag::read(input.tags.unwrap_or_default())?;
        if !tags.is_empty() {
            let mut context = Context::default();
            tag::in_request(&tags, &mut context);
            call.also(tag::TAG, &arn, &account, context)?;
        }
        let mut primary = to_change(&key);
        let row = (account.as_str(), region.as_str(), key.id.as_str());
        if region == key.region || call.get(&KEYS, &row)?.is_some() {
            return Err(already_exists_exception(format!(
                "{region} has a key of this set already."
            )));
        }
        let bypass = input.bypass_policy_lockout_safety_check == Some(true);
        let given = input.policy.unwrap_or_else(|| key_policy::standard(&account));
        let (policy, principals) = key_policy::check(call, &arn, &account, &given, bypass)?;
        let Some(set) = &mut primary.set else {
            return Err(Fault::internal("a primary key without a set"));
        };
        set.replicas.insert(region.clone());
        let set = primary.set.clone();
        for mut other in others(call, &key)? {
            other.set.clone_from(&set);
            other.keep(call)?;
        }
        let external = primary.origin == Origin::External;
        let replica = Key {
            region,
            created: call.now.0,
            description: input.description.unwrap_or_default(),
            state: if external {
                State::PendingImport
            } else {
                State::Enabled
            },
            deletion: None,
            window_days: None,
            policy,
            principals,
            tags,
            aliases: BTreeSet::new(),
            rotation: primary.rotation.shared(),
            grants: 0,
            imported: primary
                .imported
                .iter()
                .map(|held| waited_for(&held.material, held.description.clone()))
                .collect(),
            kept: Kept::default(),
            ..primary.clone()
        };
        if !external {
            material::copy(call, &primary, &replica)?;
        }
        primary.keep(call)?;
        let answer = model::ReplicateKeyResponse {
            replica_key_metadata: Some(metadata(&replica)),
            replica_policy: Some(given),
            replica_tags: Some(tag::listed(&replica.tags)),
        };
        replica.keep(call)?;
        Ok(answer)
    }
}

/// Makes a replica the primary key of its set, and the primary key a replica.
pub struct UpdatePrimaryRegion;

impl Operation for UpdatePrimaryRegion {
    type Input = model::UpdatePrimaryRegionRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = UPDATE;
    const CONDITIONS: &'static [&'static str] = &["kms:PrimaryRegion"];
    const ALSO: &'static [Access] = &[UPDATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("kms:PrimaryRegion", input.primary_region.clone());
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        key.expect_primary()?;
        key.expect_enabled()?;
        let region = input.primary_region;
        let row = (key.account.as_str(), region.as_str(), key.id.as_str());
        let arn = key::arn(&region, &key.account, &key.id);
        let found = call.get(&KEYS, &row)?.filter(|_| region != key.region);
        let replica = found.ok_or_else(|| {
            not_found_exception(format!("Key '{arn}' does not exist or is not a replica key."))
        })?;
        let target = KeyTarget::new(call, replica, None);
        let mut context = Context::default();
        context.insert("kms:PrimaryRegion", region.clone());
        let replica = call.authorize(UPDATE, Found::Here(target), context)?;
        replica.expect_enabled()?;
        let (mut old, mut new) = (to_change(&key), to_change(&replica));
        let Some(set) = &mut old.set else {
            return Err(Fault::internal("a primary key without a set"));
        };
        set.replicas.remove(&region);
        set.replicas.insert(key.region.clone());
        set.primary.clone_from(&region);
        let set = old.set.clone();
        for mut other in others(call, &key)? {
            if other.region != region {
                other.set.clone_from(&set);
                other.keep(call)?;
            }
        }
        // The plan of the next rotation goes where the primary key is.
        new.rotation = old.rotation.shared();
        rotation::suspend(call, &mut old)?;
        new.set = set;
        rotation::resume(call, &mut new)?;
        old.keep(call)?;
        new.keep(call)?;
        Ok(Empty)
    }
}

/// Takes a key that is destroyed out of its set; a primary key that waited for its last replica begins to wait for its own end.
pub(crate) fn leave(call: &mut Call<'_>, key: &Key) -> Result<()> {
    for mut other in others(call, key)? {
        let Some(set) = &mut other.set else { continue };
        set.replicas.remove(&key.region);
        let alone = set.replicas.is_empty();
        if alone && other.state == State::PendingReplicaDeletion {
            let days = other.window_days.take().unwrap_or(deletion::WINDOW_DAYS);
            let date = call.now.0 + i64::from(days) * DAY;
            let payload = json!({ "key": other.id });
            let job = call.schedule_in(&other.region, deletion::JOB, Timestamp(date), payload)?;
            other.state = State::PendingDeletion;
            other.deletion = Some(Deletion { date, job });
        }
        other.keep(call)?;
    }
    Ok(())
}
