//! Parameters: their records, and how operations find them.
//!
//! Invariant: a parameter's row holds its newest version and the labels of all; a version gets a row of its own
//! when the next one comes, and loses it with the parameter or when a hundred newer ones have come.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::ssm as model;
use api::ssm::fault::{parameter_not_found, parameter_version_not_found};
use pipeline::jobs::JobId;
use pipeline::{Call, Found, Look, Resource, ResourcePolicies, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;

use crate::ssm::name::{self, Reference, Selector};
use crate::ssm::policies::Policy;
use crate::ssm::public;
use crate::ssm::reference::Reference as Secret;
use crate::ssm::sharing::POLICIES;

/// Versions of one parameter that are kept (S10.6).
pub(crate) const VERSIONS_MAX: usize = 100;

/// How the value of a version is kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Stored {
    /// `String` and `StringList`.
    Clear(String),
    /// KMS's ciphertext of the value: standard `SecureString`.
    Encrypted(Vec<u8>),
    /// KMS's ciphertext of a data key, and the value under that key: advanced `SecureString`.
    Enveloped { key: Vec<u8>, value: Vec<u8> },
}

/// One version of a parameter.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) number: u64,
    /// `SecureString`
    kind: String,
    pub(crate) advanced: bool,
    pub(crate) value: Stored,
    /// The key as the request named it.
    pub(crate) key_id: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) allowed_pattern: Option<String>,
    pub(crate) data_type: String,
    pub(crate) policies: Vec<Policy>,
    /// Milliseconds since the epoch.
    pub(crate) modified: i64,
    /// The ARN of who wrote it.
    pub(crate) by: String,
}

store::record!(Version, 1);

impl Version {
    /// The first version of a parameter, or what the next is made of.
    pub(crate) fn new(kind: model::ParameterType, value: Stored) -> Self {
        Self {
            number: 1,
            kind: kind.as_str().to_owned(),
            advanced: false,
            value,
            key_id: None,
            description: None,
            allowed_pattern: None,
            data_type: "text".to_owned(),
            policies: Vec::new(),
            modified: 0,
            by: String::new(),
        }
    }

    /// The type of the value.
    pub(crate) fn kind(&self) -> model::ParameterType {
        model::ParameterType::parse(&self.kind).unwrap_or_default()
    }

    /// The tier, as answers name it.
    pub(crate) const fn tier(&self) -> model::ParameterTier {
        if self.advanced {
            model::ParameterTier::Advanced
        } else {
            model::ParameterTier::Standard
        }
    }

    /// The number on the wire.
    pub(crate) fn shown_number(&self) -> i64 {
        i64::try_from(self.number).unwrap_or(i64::MAX)
    }

    /// Who wrote it, on the wire; nobody did, if it is public.
    pub(crate) fn shown_by(&self) -> Option<String> {
        Some(self.by.clone()).filter(|by| !by.is_empty())
    }

    /// The policies on the wire.
    pub(crate) fn shown_policies(&self) -> Vec<model::ParameterInlinePolicy> {
        self.policies.iter().map(Policy::shown).collect()
    }
}

/// A parameter.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) newest: Version,
    /// The numbers of the versions that are kept, oldest first.
    pub(crate) kept: Vec<u64>,
    /// From label to the number of its version.
    pub(crate) labels: BTreeMap<String, u64>,
    pub(crate) tags: BTreeMap<String, String>,
    /// What the policies have planned.
    pub(crate) jobs: Vec<JobId>,
}

store::record!(Parameter, 1);

impl Parameter {
    /// The labels of a version.
    pub(crate) fn labels_of(&self, number: u64) -> Vec<String> {
        let labels = self.labels.iter().filter(|(_, version)| **version == number);
        labels.map(|(label, _)| label.clone()).collect()
    }
}

/// How many parameters of each tier an account has in a region.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) standard: u64,
    pub(crate) advanced: u64,
}

store::record!(Count, 1);

/// By account, region and name.
pub(crate) static PARAMETERS: Table<(String, String, String), Parameter> =
    Table::new(0x0240, "ssm.parameters");
/// By account, region, name and number.
pub(crate) static VERSIONS: Table<(String, String, String, u64), Version> =
    Table::new(0x0241, "ssm.versions");
/// By account and region.
pub(crate) static COUNTS: Table<(String, String), Count> = Table::new(0x0242, "ssm.counts");

/// A parameter as a request names it, whether there is one or not.
pub struct Named {
    account: Arc<str>,
    region: String,
    arn: String,
    /// The name as the request gives it; of an ARN, the parameter's own.
    pub(crate) name: String,
    pub(crate) suffix: Option<String>,
    selector: Selector,
    /// Of another account than the caller's.
    foreign: bool,
    /// The parameter that bears the name.
    pub(crate) present: Option<Arc<Parameter>>,
    /// The secret that the name refers to, if it was read as one that may.
    pub(crate) reference: Option<Secret>,
}

impl Resource for Named {
    const TYPE: &'static str = "AWS::SSM::Parameter";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        if self.present.is_none() || self.is_public() {
            return Ok(ResourcePolicies::None);
        }
        let held = look.get(&POLICIES, &self.row()?)?;
        let attached = held.map(|held| held.attached(&self.arn)).transpose()?.flatten();
        Ok(attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }

    fn conditions(&self, context: &mut Context) {
        for (key, value) in self.present.iter().flat_map(|present| &present.tags) {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
            context.insert(format!("ssm:resourceTag/{key}"), value.clone());
        }
    }
}

impl Named {
    /// The parameter of the caller's account with exactly this name, or the public one.
    pub(crate) fn exactly(look: &mut Look<'_>, name: &str) -> Result<Self> {
        let account = look.account_shared();
        let mut found = Self::of(look, account, name)?;
        if public::is_public(name) {
            found.present = public::find(look, name);
        }
        Ok(found)
    }

    /// The same to change it, which nobody may do to public parameters.
    pub(crate) fn own(look: &mut Look<'_>, name: &str) -> Result<Self> {
        public::expect_own(name)?;
        Self::exactly(look, name)
    }

    fn of(look: &mut Look<'_>, account: Arc<str>, name: &str) -> Result<Self> {
        let region = look.region().to_owned();
        let present = look.get(&PARAMETERS, &(&*account, region.as_str(), name))?;
        let foreign = *account != *look.account();
        Ok(Self {
            arn: name::arn(&region, &account, name),
            account,
            region,
            name: name.to_owned(),
            suffix: None,
            selector: Selector::Newest,
            foreign,
            present,
            reference: None,
        })
    }

    /// The parameter that a name or ARN with a selector means. A text that can be neither names nothing.
    pub(crate) fn read(look: &mut Look<'_>, text: &str) -> Result<Self> {
        let region = look.region().to_owned();
        if let Some(secret) = Secret::parse(text) {
            let mut referring = Self::exactly(look, &secret.name)?;
            referring.reference = Some(secret);
            return Ok(referring);
        }
        let Some(reference) = Reference::parse(text, &region) else {
            let mut nothing = Self::exactly(look, text)?;
            nothing.present = None;
            return Ok(nothing);
        };
        let mut found = Self::exactly(look, &reference.name)?;
        if let Some(account) = reference.account {
            found = Self::behind_arn(look, &account, &reference.name)?;
        }
        found.suffix = reference.suffix;
        found.selector = reference.selector;
        Ok(found)
    }

    /// An ARN does not tell whether the name begins with a slash.
    fn behind_arn(look: &mut Look<'_>, account: &str, bare: &str) -> Result<Self> {
        let slashed = format!("/{bare}");
        if account.is_empty() && public::is_public(&slashed) {
            return Self::exactly(look, &slashed);
        }
        let account: Arc<str> = if account == look.account() {
            look.account_shared()
        } else {
            account.into()
        };
        let slashed = Self::of(look, Arc::clone(&account), &slashed)?;
        if slashed.present.is_some() || bare.contains('/') {
            return Ok(slashed);
        }
        Self::of(look, account, bare)
    }

    /// Whether it is one of AWS's own, which has no rows.
    pub(crate) fn is_public(&self) -> bool {
        public::is_public(&self.name)
    }

    /// The key of the parameter's rows; there is a parameter behind `existing`.
    pub(crate) fn row(&self) -> Result<(String, String, String)> {
        let name = self.parameter()?.name.clone();
        Ok((self.account.to_string(), self.region.clone(), name))
    }

    /// The same, or its absence.
    pub(crate) fn existing(self) -> Found<Self> {
        // What another account shares with nobody looks like what it does not have.
        if self.present.is_some() || self.foreign || self.reference.is_some() {
            return Found::Here(self);
        }
        Found::Absent {
            arn: self.arn,
            fault: parameter_not_found(""),
        }
    }

    /// The parameter; there is one behind `existing`.
    pub(crate) fn parameter(&self) -> Result<Arc<Parameter>> {
        self.present.clone().ok_or_else(|| parameter_not_found(""))
    }

    /// The version that the request selects.
    pub(crate) fn version(&self, look: &mut Look<'_>) -> Result<Version> {
        let parameter = self.parameter()?;
        let number = match &self.selector {
            Selector::Newest => parameter.newest.number,
            Selector::Version(number) => *number,
            Selector::Label(label) => *parameter.labels.get(label).ok_or_else(|| {
                parameter_version_not_found(format!(
                    "Systems Manager could not find label {label} of {}. Verify the label and try again.",
                    parameter.name
                ))
            })?,
        };
        self.numbered(look, &parameter, number)
    }

    /// A version by its number.
    pub(crate) fn numbered(
        &self,
        look: &mut Look<'_>,
        parameter: &Parameter,
        number: u64,
    ) -> Result<Version> {
        if number == parameter.newest.number {
            return Ok(parameter.newest.clone());
        }
        let row = (
            &*self.account,
            self.region.as_str(),
            parameter.name.as_str(),
            number,
        );
        let version = if parameter.kept.contains(&number) {
            look.get(&VERSIONS, &row)?
        } else {
            None
        };
        match version {
            Some(version) => Ok((*version).clone()),
            None => Err(parameter_version_not_found(format!(
                "Systems Manager could not find version {number} of {}. Verify the version and try again.",
                parameter.name
            ))),
        }
    }

    /// Removes the parameter with all its versions and plans.
    pub(crate) fn remove(&self, call: &mut Call<'_>) -> Result<()> {
        let parameter = self.parameter()?;
        let (account, region, name) = (&*self.account, self.region.as_str(), parameter.name.as_str());
        for number in &parameter.kept {
            call.delete(&VERSIONS, &(account, region, name, *number))?;
        }
        for job in &parameter.jobs {
            call.unschedule(job)?;
        }
        call.delete(&POLICIES, &(account, region, name))?;
        call.delete(&PARAMETERS, &(account, region, name))?;
        recount(call, Some(parameter.newest.advanced), None)
    }

    /// Writes the parameter's row.
    pub(crate) fn keep(&self, call: &mut Call<'_>, parameter: Parameter) -> Result<()> {
        let name = parameter.name.clone();
        call.put(
            &PARAMETERS,
            &(&*self.account, self.region.as_str(), name.as_str()),
            parameter,
        )
    }
}

/// How many parameters the caller's account has.
pub(crate) fn count(look: &mut Look<'_>) -> Result<Count> {
    let row = (look.account().to_owned(), look.region().to_owned());
    Ok(look.get(&COUNTS, &row)?.map(|count| *count).unwrap_or_default())
}

/// Counts a parameter that was and one that is; each is advanced or not.
pub(crate) fn recount(call: &mut Call<'_>, was: Option<bool>, is: Option<bool>) -> Result<()> {
    if was == is {
        return Ok(());
    }
    let mut count = count(call)?;
    for (tier, more) in [(was, false), (is, true)] {
        let Some(advanced) = tier else { continue };
        let place = if advanced {
            &mut count.advanced
        } else {
            &mut count.standard
        };
        *place = if more { *place + 1 } else { place.saturating_sub(1) };
    }
    let row = (call.account().to_owned(), call.region().to_owned());
    call.put(&COUNTS, &row, count)
}
