//! The end of a group: only when it has no members and no policies any more.

use api::iam as model;
use api::iam::fault::delete_conflict_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::{GROUPS, Group, MEMBERS, named};
use crate::iam::count::{self, Counted};

/// Deletes an empty group.
pub struct DeleteGroup;

impl Operation for DeleteGroup {
    type Input = model::DeleteGroupRequest;
    type Output = Empty;
    type Target = Group;
    const ACCESS: Access = Access::write("iam:DeleteGroup");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Group>> {
        named(look, &input.group_name)
    }

    fn handle(call: &mut Call<'_>, group: Authorized<Group>, _input: Self::Input) -> Result<Empty> {
        let members = call.range(
            &MEMBERS,
            &(group.account.as_str(), group.lower().as_str()),
            None,
            1,
        )?;
        let conflicts = [
            (!members.is_empty(), "must remove users from group first."),
            (!group.attached.is_empty(), "must detach all policies first."),
            (!group.inline.is_empty(), "must delete policies first."),
        ];
        if let Some((_, reason)) = conflicts.into_iter().find(|(holds, _)| *holds) {
            return Err(delete_conflict_exception(format!(
                "Cannot delete entity, {reason}"
            )));
        }
        count::remove(call, Counted::Groups)?;
        call.delete(&GROUPS, &group.key())?;
        Ok(Empty)
    }
}
