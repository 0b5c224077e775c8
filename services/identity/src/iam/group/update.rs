//! A group's new name or path: its members follow in one transaction.

use api::iam as model;
use api::iam::fault::entity_already_exists_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use wire::typed::Empty;

use super::member::members;
use super::{GROUPS, Group, MEMBERS, find, named};
use crate::iam::binding;
use crate::iam::index::Present;
use crate::iam::user::USERS;

/// Renames or moves a group. Its id, members and policies stay.
pub struct UpdateGroup;

const UPDATE_GROUP: Access = Access::write("iam:UpdateGroup");

impl Operation for UpdateGroup {
    type Input = model::UpdateGroupRequest;
    type Output = Empty;
    type Target = Group;
    const ACCESS: Access = UPDATE_GROUP;
    const ALSO: &'static [Access] = &[UPDATE_GROUP];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Group>> {
        named(look, &input.group_name)
    }

    fn handle(call: &mut Call<'_>, group: Authorized<Group>, input: Self::Input) -> Result<Empty> {
        let old = group.into_inner();
        let mut group = old.clone();
        if let Some(path) = input.new_path {
            group.path = path;
        }
        if let Some(name) = input.new_group_name {
            group.name = name;
        }
        if group.arn() == old.arn() {
            return Ok(Empty);
        }
        call.also(UPDATE_GROUP, &group.arn(), &old.account, policy::Context::new())?;
        if group.lower() != old.lower() {
            if find(call, &group.name)?.is_some() {
                let message = format!("Group with name {} already exists.", group.name);
                return Err(entity_already_exists_exception(message));
            }
            call.delete(&GROUPS, &old.key())?;
            move_members(call, &old, &group)?;
        }
        for arn in &old.attached {
            binding::unbind(call, arn, "group", &old.name)?;
            binding::bind_known(call, arn, "group", &group.name, &group.id)?;
        }
        call.put(&GROUPS, &group.key(), group)?;
        Ok(Empty)
    }
}

fn move_members(call: &mut Call<'_>, old: &Group, new: &Group) -> Result<()> {
    let account = &old.account;
    for name in members(call, old)? {
        call.delete(&MEMBERS, &(account.clone(), old.lower(), name.clone()))?;
        call.put(&MEMBERS, &(account.clone(), new.lower(), name.clone()), Present)?;
        let key = (account.clone(), name);
        if let Some(user) = call.get(&USERS, &key)? {
            let mut user = (*user).clone();
            let same = |group: &&mut String| **group == old.lower();
            if let Some(group) = user.groups.iter_mut().find(same) {
                *group = new.lower();
            }
            call.put(&USERS, &key, user)?;
        }
    }
    Ok(())
}
