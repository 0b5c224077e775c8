//! The key: its record, its states, and how it looks to policies (S8.33).
//!
//! A key is a logical thing: identifiers, metadata, a policy, and the id of the material that encrypts now. `Kept` holds what is
//! costly to make from the row (the parsed policy, the grants, the open material); it lives as long as the store's cache holds this
//! version of the row, so that every change of the key, and of its grants, drops it.
//!
//! Invariant: whoever changes a key's grants or material rewrites the key's row in the same transaction.

mod create;
mod describe;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use api::kms as model;
use api::kms::fault::{disabled_exception, invalid_key_usage_exception, kms_invalid_state_exception};
use crypto::kms::{KeyMaterial, MaterialSpec, PairSpec};
use pipeline::jobs::JobId;
use pipeline::{Authorized, Call, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Context, Grant, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use crate::kms::grant;
use crate::kms::imported::Imported;
use crate::kms::multi_region::Set;
use crate::kms::principal;
use crate::kms::rotation::Rotation;
use crate::kms::usage::{Noted, condition as idle_condition};

pub use create::CreateKey;
pub(crate) use describe::{Abilities, metadata};
pub use describe::{DescribeKey, ListKeys, UpdateKeyDescription};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// What a key may be used for now (KMS Developer Guide, "Key states of AWS KMS keys").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    Enabled,
    Disabled,
    PendingDeletion,
    /// Material that was to be imported is not here.
    PendingImport,
    /// A primary key whose deletion waits for that of its replicas.
    PendingReplicaDeletion,
}

/// Where the material comes from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum Origin {
    /// Made here.
    #[default]
    AwsKms,
    /// Imported by the key's owner.
    External,
}

impl Origin {
    /// As AWS spells it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }
}

/// A planned end.
#[derive(Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// Milliseconds since the epoch.
    pub date: i64,
    /// The job that destroys the key then.
    pub job: JobId,
}

/// A KMS key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Key {
    pub account: String,
    pub region: String,
    /// A UUID in lower case.
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub description: String,
    #[serde(with = "spec")]
    pub spec: MaterialSpec,
    #[serde(with = "usage")]
    pub usage: model::KeyUsageType,
    pub state: State,
    pub deletion: Option<Deletion>,
    /// The key policy, with unique ids for the ARNs of users and roles.
    pub policy: String,
    /// The ARNs that the policy was given with, by those ids.
    #[serde(default)]
    pub principals: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Names of the aliases that point here, `alias/` included.
    pub aliases: BTreeSet<String>,
    /// The id of the material that encrypts now; empty while none was ever imported.
    pub material: String,
    #[serde(default)]
    pub origin: Origin,
    /// The materials of a key whose origin is external.
    #[serde(default)]
    pub imported: Vec<Imported>,
    /// The set of a multi-Region key.
    #[serde(default)]
    pub set: Option<Set>,
    /// Days that a primary key will wait for its end once its replicas are gone.
    #[serde(default)]
    pub window_days: Option<i32>,
    /// The service whose AWS managed key it is.
    #[serde(default)]
    pub service: Option<String>,
    pub rotation: Rotation,
    /// How many grants there are.
    pub grants: u32,
    #[serde(skip)]
    pub(crate) kept: Kept,
}

/// What is costly to make from a row.
#[derive(Default)]
pub(crate) struct Kept {
    policy: OnceLock<Attached>,
    grants: OnceLock<Arc<[Grant]>>,
    pub(crate) material: OnceLock<Arc<KeyMaterial>>,
    pub(crate) used: Noted,
}

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

store::record!(Key, 1);

/// By account, region and id.
pub static KEYS: Table<(String, String, String), Key> = Table::new(0x0201, "kms.keys");

impl Key {
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`
    pub fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.id)
    }

    /// The key of its row.
    pub(crate) fn row(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.id.clone())
    }

    /// Writes the row.
    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let row = self.row();
        call.put(&KEYS, &row, self)
    }

    /// What the key is for; it never changes.
    pub const fn usage(&self) -> model::KeyUsageType {
        self.usage
    }

    /// Cryptographic operations, and those that change how the key rotates or who is granted, want an enabled key.
    pub(crate) fn expect_enabled(&self) -> Result<()> {
        match self.state {
            State::Enabled => Ok(()),
            State::Disabled => Err(disabled_exception(format!("{} is disabled.", self.arn()))),
            State::PendingImport => Err(self.pending_import()),
            State::PendingDeletion | State::PendingReplicaDeletion => Err(self.pending_deletion()),
        }
    }

    /// Operations that change a key may be done to a disabled one, but not to one that is about to go.
    pub(crate) fn expect_staying(&self) -> Result<()> {
        match self.state {
            State::Enabled | State::Disabled | State::PendingImport => Ok(()),
            State::PendingDeletion | State::PendingReplicaDeletion => Err(self.pending_deletion()),
        }
    }

    /// Refuses what cannot be done to a key whose material is not all here.
    pub(crate) fn expect_imported(&self) -> Result<()> {
        if self.state == State::PendingImport {
            return Err(self.pending_import());
        }
        Ok(())
    }

    fn pending_import(&self) -> Fault {
        let arn = self.arn();
        kms_invalid_state_exception(format!(
            "{arn} is pending import because no key material has ever been imported or one of the imported key materials is deleted or \
             expired."
        ))
    }

    fn pending_deletion(&self) -> Fault {
        let (arn, replica) = (self.arn(), self.state == State::PendingReplicaDeletion);
        let waits = if replica { "replica deletion" } else { "deletion" };
        kms_invalid_state_exception(format!("{arn} is pending {waits}."))
    }

    /// A key does only what it was made for.
    pub(crate) fn expect_usage(&self, usage: model::KeyUsageType, operation: &str) -> Result<()> {
        if self.usage() == usage {
            return Ok(());
        }
        let (arn, own) = (self.arn(), self.usage());
        Err(invalid_key_usage_exception(format!(
            "{arn} key usage is {own} which is not valid for {operation}."
        )))
    }

    /// The policy as the evaluator takes it.
    pub(crate) fn attached(&self) -> Result<Attached> {
        if let Some(attached) = self.kept.policy.get() {
            return Ok(attached.clone());
        }
        let parsed = Policy::parse(&self.policy, PolicyKind::Key).map_err(Fault::internal)?;
        let attached = Attached::new(Arc::new(parsed), format!("the key policy of {}", self.arn()));
        Ok(self.kept.policy.get_or_init(|| attached).clone())
    }

    /// The policy and the grants with ARNs in place of ids, for those who look at them without a caller.
    pub(crate) fn named(&self, look: &mut Look<'_>) -> Result<(Attached, Arc<[Grant]>)> {
        let policy = if self.principals.is_empty() {
            self.attached()?
        } else {
            let text = principal::shown(look, &self.policy, &self.principals)?;
            let parsed = Policy::parse(&text, PolicyKind::Key).map_err(Fault::internal)?;
            Attached::new(Arc::new(parsed), format!("the key policy of {}", self.arn()))
        };
        let grants = if self.grants == 0 {
            Arc::default()
        } else {
            grant::named(look, self)?
        };
        Ok((policy, grants))
    }

    /// The grants that give an operation, of those that were read to judge the running call.
    pub(crate) fn granted_for<'a>(&'a self, operation: &'a str) -> impl Iterator<Item = &'a Grant> {
        let grants = self.kept.grants.get().map(|grants| &**grants).unwrap_or_default();
        grants
            .iter()
            .filter(move |grant| grant.operations.iter().any(|held| held == operation))
    }

    /// The grants as the evaluator takes them.
    pub(crate) fn granted(&self, look: &mut Look<'_>) -> Result<Arc<[Grant]>> {
        if let Some(grants) = self.kept.grants.get() {
            return Ok(Arc::clone(grants));
        }
        let grants = if self.grants == 0 {
            Arc::default()
        } else {
            grant::compiled(look, self)?
        };
        Ok(Arc::clone(self.kept.grants.get_or_init(|| grants)))
    }
}

/// `arn:aws:kms:REGION:ACCOUNT:key/ID`
pub(crate) fn arn(region: &str, account: &str, id: &str) -> String {
    ["arn:aws:kms:", region, ":", account, ":key/", id].concat()
}

/// A key as a request named it.
#[derive(Clone)]
pub struct KeyTarget {
    key: Arc<Key>,
    /// The alias that the request used, for `kms:RequestAlias`.
    alias: Option<String>,
    /// The caller's account, for `kms:CallerAccount`.
    caller: Arc<str>,
    /// `kms:ReEncryptOnSameKey`
    on_same_key: Option<bool>,
    /// `kms:TrailingDaysWithoutKeyUsage`
    idle_days: Option<i64>,
}

impl KeyTarget {
    pub(crate) fn new(look: &Look<'_>, key: Arc<Key>, alias: Option<String>) -> Self {
        Self {
            key,
            alias,
            caller: look.account_shared(),
            on_same_key: None,
            idle_days: None,
        }
    }

    /// Says whether the other key of a re-encryption is this one.
    pub(crate) fn on_same_key(mut self, same: bool) -> Self {
        self.on_same_key = Some(same);
        self
    }

    /// Says how many whole days the key was not used.
    pub(crate) fn idle_for(mut self, days: i64) -> Self {
        self.idle_days = Some(days);
        self
    }

    /// The row, to be changed.
    pub(crate) fn changed(&self) -> Key {
        (*self.key).clone()
    }
}

impl Deref for KeyTarget {
    type Target = Key;

    fn deref(&self) -> &Key {
        &self.key
    }
}

impl Resource for KeyTarget {
    const TYPE: &'static str = "AWS::KMS::Key";

    fn arn(&self) -> String {
        self.key.arn()
    }

    fn account(&self) -> &str {
        &self.key.account
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let grants = grant::concerning(self.key.granted(look)?, look.caller());
        Ok(ResourcePolicies::Key {
            policy: self.key.attached()?,
            grants,
        })
    }

    fn class(&self) -> &'static str {
        match self.key.spec.pair() {
            None => "symmetric",
            Some(pair) if pair.modulus().is_some() => "RSA",
            Some(PairSpec::MlDsa44 | PairSpec::MlDsa65 | PairSpec::MlDsa87) => "ML-DSA",
            Some(pair) if pair.encapsulates() => "ML-KEM",
            Some(_) => "ECC",
        }
    }

    fn conditions(&self, context: &mut Context) {
        let key = &*self.key;
        context.insert("kms:CallerAccount", String::from(&*self.caller));
        kind(key.spec.name(), key.usage().as_str(), context);
        context.insert("kms:KeyOrigin", key.origin.as_str());
        context.insert(
            "kms:MultiRegion",
            if key.set.is_some() { "true" } else { "false" },
        );
        if let Some(kind) = key.set_type() {
            context.insert("kms:MultiRegionKeyType", kind);
        }
        if let Some(alias) = &self.alias {
            context.insert("kms:RequestAlias", alias.clone());
        }
        if let Some(same) = self.on_same_key {
            context.insert("kms:ReEncryptOnSameKey", if same { "true" } else { "false" });
        }
        idle_condition(self.idle_days, context);
        if !key.aliases.is_empty() {
            context.insert_many("kms:ResourceAliases", key.aliases.iter().cloned());
        }
        for (name, value) in &key.tags {
            context.insert(format!("aws:ResourceTag/{name}"), value.clone());
        }
    }
}

/// Sets the condition keys of what a key is, under their names of today and the older ones, which policies may still use.
fn kind(spec: &'static str, usage: &'static str, context: &mut Context) {
    context.insert("kms:KeySpec", spec);
    context.insert("kms:KeyUsage", usage);
    context.insert("kms:CustomerMasterKeySpec", spec);
    context.insert("kms:CustomerMasterKeyUsage", usage);
}

/// The row of a key that was granted, to be changed.
pub(crate) fn to_change(key: &Authorized<KeyTarget>) -> Key {
    key.changed()
}

/// All keys of an account in a region: the target of operations that name none.
pub struct Ring {
    account: Arc<str>,
}

impl Ring {
    /// The keys of the calling account.
    pub(crate) fn of(look: &Look<'_>) -> pipeline::Found<Self> {
        pipeline::Found::Here(Self {
            account: look.account_shared(),
        })
    }
}

impl Resource for Ring {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        "*".to_owned()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("kms:CallerAccount", String::from(&*self.account));
    }
}

/// The specification by AWS's name.
mod spec {
    use crypto::kms::MaterialSpec;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(spec: &MaterialSpec, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(spec.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MaterialSpec, D::Error> {
        let name = String::deserialize(deserializer)?;
        MaterialSpec::from_name(&name).ok_or_else(|| D::Error::custom("an unknown key spec"))
    }
}

/// The usage by AWS's name.
mod usage {
    use api::kms::KeyUsageType;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(usage: &KeyUsageType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(usage.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<KeyUsageType, D::Error> {
        let name = String::deserialize(deserializer)?;
        KeyUsageType::parse(&name).ok_or_else(|| D::Error::custom("an unknown key usage"))
    }
}
