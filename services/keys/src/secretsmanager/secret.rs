//! The secret: its record, its versions with their labels, and how it looks to policies (S11.7, S11.8).
//!
//! Invariant: a staging label stands on one version at most; a secret that has a value has one version labelled `AWSCURRENT`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use api::secretsmanager as model;
use api::secretsmanager::fault::{invalid_parameter_exception, invalid_request_exception};
use pipeline::jobs::JobId;
use pipeline::{Authorized, Call, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Context, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::cross_account::{self, Followed, Follower};
use super::place;
use super::replica::{self, Replica};
use super::rotation::Rotation;

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;
/// The label of the version that a reader gets unless it asks for another.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The label of the version that was current before.
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";
/// The label of the version that a rotation is making.
pub(crate) const PENDING: &str = "AWSPENDING";

/// A planned end.
#[derive(Clone, Serialize, Deserialize)]
pub struct Deletion {
    /// Milliseconds since the epoch.
    pub date: i64,
    /// The job that deletes the secret then.
    pub job: JobId,
}

/// One version, without its value.
#[derive(Clone, Serialize, Deserialize)]
pub struct Version {
    /// Milliseconds since the epoch.
    pub created: i64,
    /// The day of the last read, in milliseconds since the epoch.
    pub accessed: Option<i64>,
    /// Staging labels; a version without any is deprecated and may go.
    pub stages: BTreeSet<String>,
    /// What the secret named as its key when the value was encrypted.
    pub kms_key: Option<String>,
    /// It was announced by a rotation and has no value yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
}

/// A secret.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    pub account: String,
    pub region: String,
    pub name: String,
    /// The six characters behind the name in the ARN.
    pub suffix: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// Milliseconds since the epoch.
    pub changed: i64,
    /// The day of the last read, in milliseconds since the epoch.
    pub accessed: Option<i64>,
    pub description: Option<String>,
    /// The key as it was named; `None` is `alias/aws/secretsmanager`.
    pub kms_key: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// The resource policy as it was given.
    pub policy: Option<String>,
    pub deletion: Option<Deletion>,
    /// By version id.
    pub versions: BTreeMap<String, Version>,
    /// Present once rotation was turned on, also when it is off again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
    /// Its copies in other regions, by region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<String, Replica>,
    /// The region of the secret that this one is a copy of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// The secret of another account that this one is a replica of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
    /// Its replica in another account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follower: Option<Follower>,
    /// The service that made it and alone changes it (`rds`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(skip)]
    pub(crate) kept: Kept,
}

/// What is costly to make from a row.
#[derive(Default)]
pub(crate) struct Kept(OnceLock<Attached>);

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

store::record!(Secret, 1);

/// By account, region and name.
pub static SECRETS: Table<(String, String, String), Secret> = Table::new(0x0260, "secretsmanager.secrets");

impl Secret {
    /// A secret without a value, of the calling account and region.
    pub(crate) fn new(look: &Look<'_>, name: &str, suffix: String) -> Self {
        Self {
            account: look.account().to_owned(),
            region: look.region().to_owned(),
            name: name.to_owned(),
            suffix,
            created: look.now.0,
            changed: look.now.0,
            accessed: None,
            description: None,
            kms_key: None,
            tags: BTreeMap::new(),
            policy: None,
            deletion: None,
            versions: BTreeMap::new(),
            rotation: None,
            replicas: BTreeMap::new(),
            primary: None,
            followed: None,
            follower: None,
            owner: None,
            kept: Kept::default(),
        }
    }

    /// `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`; without the suffix for a secret that does not exist.
    pub fn arn(&self) -> String {
        let hyphen = if self.suffix.is_empty() { "" } else { "-" };
        format!(
            "arn:aws:secretsmanager:{}:{}:secret:{}{hyphen}{}",
            self.region, self.account, self.name, self.suffix
        )
    }

    /// Writes the row, and what its replicas take over of it.
    pub(crate) fn keep(mut self, call: &mut Call<'_>) -> Result<()> {
        if !self.replicas.is_empty() {
            replica::follow(call, &mut self)?;
        }
        if self.follower.is_some() {
            cross_account::follow(call, &mut self)?;
        }
        self.keep_here(call)
    }

    /// Writes the row alone.
    pub(crate) fn keep_here(self, call: &mut Call<'_>) -> Result<()> {
        let row = self.row();
        let before = call.get(&SECRETS, &row)?;
        place::moved(call, before.as_deref(), Some(&self))?;
        call.put(&SECRETS, &row, self)
    }

    /// Removes the row.
    pub(crate) fn drop_row(&self, call: &mut Call<'_>) -> Result<()> {
        place::moved(call, Some(self), None)?;
        call.delete(&SECRETS, &self.row())
    }

    fn row(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Whether a row stands behind it.
    pub(crate) fn exists(&self) -> bool {
        !self.suffix.is_empty()
    }

    /// A secret that is about to go shows and takes nothing.
    pub(crate) fn expect_staying(&self) -> Result<()> {
        match self.deletion {
            None => Ok(()),
            Some(_) => Err(invalid_request_exception(
                "You can't perform this operation on the secret because it was marked for deletion.",
            )),
        }
    }

    /// What is about to go, what follows a primary elsewhere, and what belongs to another service is changed by nobody here.
    pub(crate) fn expect_own(&self, call: &Call<'_>) -> Result<()> {
        self.expect_staying()?;
        self.expect_primary()?;
        let via = call.via().and_then(|service| service.split('.').next());
        match &self.owner {
            Some(owner) if via != Some(owner) => Err(invalid_request_exception(format!(
                "You can't perform this operation on the secret because it is managed by {owner}. Use that service instead."
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn expect_primary(&self) -> Result<()> {
        match self.primary {
            None => Ok(()),
            Some(_) => Err(invalid_parameter_exception(
                "Operation not permitted on a replica secret. Call must be made in primary secret's region.",
            )),
        }
    }

    /// The id of the version that bears a label.
    pub(crate) fn labelled(&self, stage: &str) -> Option<&str> {
        let found = self
            .versions
            .iter()
            .find(|(_, version)| version.stages.contains(stage));
        found.map(|(id, _)| id.as_str())
    }

    /// Its resource policies as the evaluator takes them.
    pub(crate) fn attached(&self) -> Result<Option<Attached>> {
        if self.policy.is_none() && self.followed.is_none() {
            return Ok(None);
        }
        if let Some(attached) = self.kept.0.get() {
            return Ok(Some(attached.clone()));
        }
        let Some(text) = cross_account::whole_policy(self)? else {
            return Ok(None);
        };
        let parsed = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
        let attached = Attached::new(Arc::new(parsed), format!("the resource policy of {}", self.arn()));
        Ok(Some(self.kept.0.get_or_init(|| attached).clone()))
    }

    /// The tags as answers show them; absent if there are none.
    pub(crate) fn shown_tags(&self) -> Vec<model::Tag> {
        let tags = self.tags.iter().map(|(key, value)| model::Tag {
            key: Some(key.clone()),
            value: Some(value.clone()),
        });
        tags.collect()
    }

    /// Version ids with their labels; versions without labels are left out.
    pub(crate) fn shown_stages(&self) -> Option<BTreeMap<String, Vec<String>>> {
        let labelled = self
            .versions
            .iter()
            .filter(|(_, version)| !version.stages.is_empty());
        let stages: BTreeMap<_, _> = labelled
            .map(|(id, version)| (id.clone(), version.stages.iter().cloned().collect()))
            .collect();
        Some(stages).filter(|stages| !stages.is_empty())
    }

    /// The region of the primary, of secrets that are in more than one.
    pub(crate) fn shown_primary(&self) -> Option<String> {
        let own = (!self.replicas.is_empty()).then(|| self.region.clone());
        self.primary.clone().or(own)
    }

    /// When it will be gone, if that is planned.
    pub(crate) fn shown_deletion(&self) -> Option<Timestamp> {
        self.deletion.as_ref().map(|deletion| Timestamp(deletion.date))
    }
}

/// A secret as a request named it.
#[derive(Clone)]
pub struct SecretTarget(Arc<Secret>);

impl SecretTarget {
    pub(crate) const fn new(secret: Arc<Secret>) -> Self {
        Self(secret)
    }
}

/// The row of a secret that was granted, to be changed.
pub(crate) fn to_change(secret: &Authorized<SecretTarget>) -> Secret {
    (*secret.0).clone()
}

impl Deref for SecretTarget {
    type Target = Secret;

    fn deref(&self) -> &Secret {
        &self.0
    }
}

impl Resource for SecretTarget {
    const TYPE: &'static str = "AWS::SecretsManager::Secret";

    fn arn(&self) -> String {
        self.0.arn()
    }

    fn account(&self) -> &str {
        &self.0.account
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        Ok(self
            .0
            .attached()?
            .map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("secretsmanager:SecretId", self.0.arn());
        let primary = self.0.primary.as_ref().unwrap_or(&self.0.region);
        context.insert("secretsmanager:SecretPrimaryRegion", primary.clone());
        if let Some(rotation) = &self.0.rotation {
            context.insert(
                "secretsmanager:resource/AllowRotationLambdaArn",
                rotation.lambda.clone(),
            );
        }
        for (key, value) in &self.0.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
            context.insert(format!("secretsmanager:ResourceTag/{key}"), value.clone());
        }
    }
}
