//! Instance profiles: the holder by which a machine gets a role (S1.12, S1.28).
//!
//! Invariant: a profile holds one role at most, and the role knows the profiles that hold it, so that neither is deleted
//! under the other.

mod membership;
mod tags;

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{delete_conflict_exception, entity_already_exists_exception, no_such_entity_exception};
use crypto::random::IdPrefix;
use pipeline::{Access, AccountScope, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::iam::count::{self, Counted};
use crate::iam::page::{Page, path_fits};
use crate::iam::role;
use crate::iam::tag::{self, Tags};

pub use membership::{AddRoleToInstanceProfile, ListInstanceProfilesForRole, RemoveRoleFromInstanceProfile};
pub use tags::{ListInstanceProfileTags, TagInstanceProfile, UntagInstanceProfile};

/// An instance profile.
#[derive(Clone, Serialize, Deserialize)]
pub struct InstanceProfile {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `AIPA…`
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub tags: Tags,
    /// The lower-case name of the role that it holds.
    pub role: Option<String>,
}

store::record!(InstanceProfile, 1);

/// By account and lower-case name.
pub static INSTANCE_PROFILES: Table<(String, String), InstanceProfile> =
    Table::new(0x010d, "iam.instance_profiles");

impl InstanceProfile {
    fn lower(&self) -> String {
        self.name.to_lowercase()
    }

    fn key(&self) -> (String, String) {
        (self.account.clone(), self.lower())
    }

    /// As lists show it: with its role, without its tags.
    pub(crate) fn shown(&self, look: &mut Look<'_>) -> Result<model::InstanceProfile> {
        let role = match &self.role {
            Some(name) => role::find(look, name)?,
            None => None,
        };
        let roles: Result<Vec<model::Role>> = role.iter().map(|role| role.shown(look)).collect();
        Ok(model::InstanceProfile {
            arn: self.arn(),
            create_date: Timestamp(self.created),
            instance_profile_id: self.id.clone(),
            instance_profile_name: self.name.clone(),
            path: self.path.clone(),
            roles: roles?,
            tags: None,
        })
    }

    fn shown_whole(&self, look: &mut Look<'_>) -> Result<model::InstanceProfile> {
        Ok(model::InstanceProfile {
            tags: tag::shown(&self.tags),
            ..self.shown(look)?
        })
    }
}

impl Resource for InstanceProfile {
    const TYPE: &'static str = "AWS::IAM::InstanceProfile";

    fn arn(&self) -> String {
        arn(&self.account, &self.path, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
    }
}

fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:instance-profile{path}{name}")
}

fn missing(name: &str) -> Fault {
    no_such_entity_exception(format!("Instance Profile {name} cannot be found."))
}

pub(crate) fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<InstanceProfile>>> {
    let key = (look.account().to_owned(), name.to_lowercase());
    look.get(&INSTANCE_PROFILES, &key)
}

/// What EC2 needs to know of a profile, in any account.
pub(crate) fn facts(
    look: &mut Look<'_>,
    account: &str,
    name: &str,
) -> Result<Option<pipeline::identity::InstanceProfile>> {
    let key = (account.to_owned(), name.to_lowercase());
    let Some(profile) = look.get(&INSTANCE_PROFILES, &key)? else {
        return Ok(None);
    };
    let role = match &profile.role {
        Some(role) => look.get(&role::ROLES, &(account.to_owned(), role.clone()))?,
        None => None,
    };
    Ok(Some(pipeline::identity::InstanceProfile {
        arn: profile.arn(),
        id: profile.id.clone(),
        name: profile.name.clone(),
        role: role.map(|role| (role.name.clone(), role.arn())),
    }))
}

fn named(look: &mut Look<'_>, name: &str) -> Result<Found<InstanceProfile>> {
    let found = find(look, name)?.map(|profile| (*profile).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        (arn(account, "/", name), missing(name))
    }))
}

/// Makes an instance profile without a role.
pub struct CreateInstanceProfile;

const TAG_PROFILE: Access = Access::tagging("iam:TagInstanceProfile");

impl Operation for CreateInstanceProfile {
    type Input = model::CreateInstanceProfileRequest;
    type Output = model::CreateInstanceProfileResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateInstanceProfile");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_PROFILE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.account(),
            input.path.as_deref().unwrap_or("/"),
            &input.instance_profile_name,
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_PROFILE, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerInstanceProfile")?;
        let name = input.instance_profile_name;
        if find(call, &name)?.is_some() {
            return Err(entity_already_exists_exception(format!(
                "Instance Profile {name} already exists."
            )));
        }
        count::add(call, Counted::InstanceProfiles)?;
        let profile = InstanceProfile {
            account: call.account().to_owned(),
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            id: call.unique_id(IdPrefix::InstanceProfile)?,
            created: Timestamp::from_seconds(call.now.seconds()).0,
            tags,
            role: None,
            name,
        };
        let shown = profile.shown_whole(call)?;
        call.mention(profile.arn(), &profile.account, InstanceProfile::TYPE);
        call.put(&INSTANCE_PROFILES, &profile.key(), profile)?;
        Ok(model::CreateInstanceProfileResponse {
            instance_profile: shown,
        })
    }
}

/// Shows an instance profile with its role.
pub struct GetInstanceProfile;

impl Operation for GetInstanceProfile {
    type Input = model::GetInstanceProfileRequest;
    type Output = model::GetInstanceProfileResponse;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::read("iam:GetInstanceProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        Ok(model::GetInstanceProfileResponse {
            instance_profile: profile.shown_whole(call)?,
        })
    }
}

/// Lists the instance profiles below a path.
pub struct ListInstanceProfiles;

impl Operation for ListInstanceProfiles {
    type Input = model::ListInstanceProfilesRequest;
    type Output = model::ListInstanceProfilesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListInstanceProfiles");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let page = Page::read(
            call,
            "ListInstanceProfiles",
            input.marker.as_deref(),
            input.max_items,
        )?;
        let prefix = input.path_prefix.as_deref();
        let fits = |profile: &InstanceProfile| path_fits(&profile.path, prefix);
        let paged = page.of_table(call, &INSTANCE_PROFILES, fits)?;
        let profiles: Result<Vec<_>> = paged.items.iter().map(|profile| profile.shown(call)).collect();
        Ok(model::ListInstanceProfilesResponse {
            instance_profiles: profiles?,
            is_truncated: paged.truncated(),
            marker: paged.marker,
        })
    }
}

/// Deletes an instance profile that holds no role.
pub struct DeleteInstanceProfile;

impl Operation for DeleteInstanceProfile {
    type Input = model::DeleteInstanceProfileRequest;
    type Output = Empty;
    type Target = InstanceProfile;
    const ACCESS: Access = Access::write("iam:DeleteInstanceProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<InstanceProfile>> {
        named(look, &input.instance_profile_name)
    }

    fn handle(
        call: &mut Call<'_>,
        profile: Authorized<InstanceProfile>,
        _input: Self::Input,
    ) -> Result<Empty> {
        if profile.role.is_some() {
            let message = "Cannot delete entity, must remove roles from instance profile first.";
            return Err(delete_conflict_exception(message));
        }
        count::remove(call, Counted::InstanceProfiles)?;
        call.delete(&INSTANCE_PROFILES, &profile.key())?;
        Ok(Empty)
    }
}
