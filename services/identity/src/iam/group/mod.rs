//! Groups: users who get the same policies (S1.7). A group is no principal; its policies count as its members' own (S1.8).
//!
//! Invariant: membership stands twice, in the user's row (which decisions read) and in the group's index (which lists read),
//! and both change together.

mod delete;
mod member;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{entity_already_exists_exception, no_such_entity_exception};
use crypto::random::IdPrefix;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use crate::iam::count::{self, Counted};
use crate::iam::document::StoredPolicy;
use crate::iam::index::Present;
use crate::iam::page::{Page, path_fits};

pub use delete::DeleteGroup;
pub(crate) use member::members;
pub use member::{AddUserToGroup, GetGroup, ListGroupsForUser, RemoveUserFromGroup};
pub use update::UpdateGroup;

/// Groups that one user may be in.
pub(crate) const GROUPS_PER_USER_MAX: usize = 10;
/// Bytes of all inline policies of a group, whitespace not counted.
pub(crate) const INLINE_BYTES_MAX: usize = 5120;

/// A group.
#[derive(Clone, Serialize, Deserialize)]
pub struct Group {
    pub account: String,
    pub name: String,
    /// `/` or `/…/`
    pub path: String,
    /// `AGPA…`
    pub id: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// ARNs of managed policies, in the order of attachment.
    pub attached: Vec<String>,
    pub inline: BTreeMap<String, StoredPolicy>,
}

store::record!(Group, 1);

/// By account and lower-case name.
pub static GROUPS: Table<(String, String), Group> = Table::new(0x0103, "iam.groups");

/// By account, lower-case group and lower-case user.
pub(crate) static MEMBERS: Table<(String, String, String), Present> = Table::new(0x0108, "iam.members");

impl Group {
    /// The name as rows are found by it.
    pub fn lower(&self) -> String {
        self.name.to_lowercase()
    }

    /// The key of its row.
    pub fn key(&self) -> (String, String) {
        (self.account.clone(), self.lower())
    }

    pub(crate) fn shown(&self) -> model::Group {
        model::Group {
            arn: self.arn(),
            create_date: Timestamp(self.created),
            group_id: self.id.clone(),
            group_name: self.name.clone(),
            path: self.path.clone(),
        }
    }
}

impl Resource for Group {
    const TYPE: &'static str = "AWS::IAM::Group";

    fn arn(&self) -> String {
        arn(&self.account, &self.path, &self.name)
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// `arn:aws:iam::ACCOUNT:group/PATH/NAME`
pub(crate) fn arn(account: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:group{path}{name}")
}

/// What AWS says of a name that no group bears.
pub(crate) fn missing(name: &str) -> Fault {
    no_such_entity_exception(format!("The group with name {name} cannot be found."))
}

/// The group of a name in the caller's account, if there is one.
pub(crate) fn find(look: &mut Look<'_>, name: &str) -> Result<Option<Arc<Group>>> {
    let key = (look.account().to_owned(), name.to_lowercase());
    look.get(&GROUPS, &key)
}

/// The group that a request names.
pub(crate) fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Group>> {
    let found = find(look, name)?.map(|group| (*group).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        (arn(account, "/", name), missing(name))
    }))
}

/// Makes a group without members (S1.7).
pub struct CreateGroup;

impl Operation for CreateGroup {
    type Input = model::CreateGroupRequest;
    type Output = model::CreateGroupResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateGroup");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let arn = arn(
            look.account(),
            input.path.as_deref().unwrap_or("/"),
            &input.group_name,
        );
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let name = input.group_name;
        if find(call, &name)?.is_some() {
            return Err(entity_already_exists_exception(format!(
                "Group with name {name} already exists."
            )));
        }
        count::add(call, Counted::Groups)?;
        let group = Group {
            account: call.account().to_owned(),
            path: input.path.unwrap_or_else(|| "/".to_owned()),
            id: call.unique_id(IdPrefix::Group)?,
            created: Timestamp::from_seconds(call.now.seconds()).0,
            attached: Vec::new(),
            inline: BTreeMap::new(),
            name,
        };
        let (key, shown) = (group.key(), group.shown());
        call.mention(group.arn(), &group.account, Group::TYPE);
        call.put(&GROUPS, &key, group)?;
        Ok(model::CreateGroupResponse { group: shown })
    }
}

/// Lists the groups below a path.
pub struct ListGroups;

impl Operation for ListGroups {
    type Input = model::ListGroupsRequest;
    type Output = model::ListGroupsResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::list("iam:ListGroups");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        // AWS judges the listing on the path that it lists.
        let path = input.path_prefix.as_deref().unwrap_or("/");
        let arn = format!("arn:{}:iam::{}:group{path}", look.partition(), look.account());
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "ListGroups", input.marker.as_deref(), input.max_items)?;
        let prefix = input.path_prefix.as_deref();
        let paged = page.of_table(call, &GROUPS, |group: &Group| path_fits(&group.path, prefix))?;
        Ok(model::ListGroupsResponse {
            is_truncated: paged.truncated(),
            groups: paged.items.iter().map(|group| group.shown()).collect(),
            marker: paged.marker,
        })
    }
}
