//! Who is in a group, and in which groups someone is.

use api::iam as model;
use api::iam::fault::limit_exceeded_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{GROUPS, GROUPS_PER_USER_MAX, Group, MEMBERS, named};
use crate::iam::index::Present;
use crate::iam::page::Page;
use crate::iam::user::{self, USERS, User};

/// Lower-case names of the group's members, sorted.
pub(crate) fn members(look: &mut Look<'_>, group: &Group) -> Result<Vec<String>> {
    let lower = group.lower();
    let rows = look.every(&MEMBERS, &(group.account.as_str(), lower.as_str()))?;
    Ok(rows.into_iter().map(|((_, _, user), _)| user).collect())
}

/// Puts a user into a group; once more is no error.
pub struct AddUserToGroup;

impl Operation for AddUserToGroup {
    type Input = model::AddUserToGroupRequest;
    type Output = Empty;
    type Target = Group;
    const ACCESS: Access = Access::write("iam:AddUserToGroup");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Group>> {
        named(look, &input.group_name)
    }

    fn handle(call: &mut Call<'_>, group: Authorized<Group>, input: Self::Input) -> Result<Empty> {
        let found = user::find(call, &input.user_name)?;
        let mut user = (*found.ok_or_else(|| user::missing(&input.user_name))?).clone();
        let lower = group.lower();
        if user.groups.contains(&lower) {
            return Ok(Empty);
        }
        if user.groups.len() >= GROUPS_PER_USER_MAX {
            let message = format!("Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER_MAX}");
            return Err(limit_exceeded_exception(message));
        }
        user.groups.push(lower.clone());
        call.put(&MEMBERS, &(group.account.clone(), lower, user.lower()), Present)?;
        call.put(&USERS, &user.key(), user)?;
        Ok(Empty)
    }
}

/// Takes a user out of a group.
pub struct RemoveUserFromGroup;

impl Operation for RemoveUserFromGroup {
    type Input = model::RemoveUserFromGroupRequest;
    type Output = Empty;
    type Target = Group;
    const ACCESS: Access = Access::write("iam:RemoveUserFromGroup");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Group>> {
        named(look, &input.group_name)
    }

    fn handle(call: &mut Call<'_>, group: Authorized<Group>, input: Self::Input) -> Result<Empty> {
        let found = user::find(call, &input.user_name)?;
        let mut user = (*found.ok_or_else(|| user::missing(&input.user_name))?).clone();
        let lower = group.lower();
        if !user.groups.contains(&lower) {
            let message = format!("User {} not found in group {}", input.user_name, group.name);
            return Err(model::fault::no_such_entity_exception(message));
        }
        user.groups.retain(|known| *known != lower);
        call.delete(&MEMBERS, &(group.account.clone(), lower, user.lower()))?;
        call.put(&USERS, &user.key(), user)?;
        Ok(Empty)
    }
}

/// Shows a group and its members.
pub struct GetGroup;

impl Operation for GetGroup {
    type Input = model::GetGroupRequest;
    type Output = model::GetGroupResponse;
    type Target = Group;
    const ACCESS: Access = Access::read("iam:GetGroup");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Group>> {
        named(look, &input.group_name)
    }

    fn handle(call: &mut Call<'_>, group: Authorized<Group>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("GetGroup/{}", group.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let names = members(call, &group)?;
        let paged = page.of_sorted(call, names.into_iter().map(|name| (name.clone(), name)))?;
        let mut users = Vec::with_capacity(paged.items.len());
        for name in &paged.items {
            users.extend(user::find(call, name)?.map(|user| user.shown()));
        }
        Ok(model::GetGroupResponse {
            group: group.shown(),
            is_truncated: paged.truncated(),
            users,
            marker: paged.marker,
        })
    }
}

/// Lists the groups that a user is in.
pub struct ListGroupsForUser;

impl Operation for ListGroupsForUser {
    type Input = model::ListGroupsForUserRequest;
    type Output = model::ListGroupsForUserResponse;
    type Target = User;
    const ACCESS: Access = Access::list("iam:ListGroupsForUser");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<User>> {
        user::named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, user: Authorized<User>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListGroupsForUser/{}", user.id);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut names = user.groups.clone();
        names.sort();
        let paged = page.of_sorted(call, names.into_iter().map(|name| (name.clone(), name)))?;
        let mut groups = Vec::with_capacity(paged.items.len());
        for name in paged.items.iter() {
            let key = (user.account.clone(), name.clone());
            groups.extend(call.get(&GROUPS, &key)?.map(|group| group.shown()));
        }
        Ok(model::ListGroupsForUserResponse {
            is_truncated: Some(paged.marker.is_some()),
            groups,
            marker: paged.marker,
        })
    }
}
