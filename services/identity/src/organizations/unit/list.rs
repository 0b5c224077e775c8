//! The tree, a level at a time: down and up.

use api::organizations as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::super::membership::{CHILDREN, ChildKind};
use super::super::page::Page;
use super::super::reach::{self, Reached, Subject, Who};
use super::super::refusal;
use super::unit;

/// The ids of the children of one kind on a page, and one more if there is one.
pub(in super::super) fn ids_below(
    look: &mut Look<'_>,
    (management, parent): (&str, &str),
    kind: ChildKind,
    page: &Page,
) -> Result<Vec<String>> {
    let key = |id: &String| {
        (
            management.to_owned(),
            parent.to_owned(),
            kind.name().to_owned(),
            id.clone(),
        )
    };
    let after = page.after.as_ref().map(key);
    let prefix = (management, parent, kind.name());
    let rows = look.range(&CHILDREN, &prefix, after.as_ref(), page.reach())?;
    Ok(rows.into_iter().map(|((_, _, _, id), _)| id).collect())
}

/// Lists the units directly below a parent.
pub struct ListOrganizationalUnitsForParent;

impl Operation for ListOrganizationalUnitsForParent {
    type Input = model::ListOrganizationalUnitsForParentRequest;
    type Output = model::ListOrganizationalUnitsForParentResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListOrganizationalUnitsForParent");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Administrators, &input.parent_id, refusal::no_parent)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("units/{}", input.parent_id);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let management = &reached.organization().management;
        let ids = ids_below(call, (management, &input.parent_id), ChildKind::Unit, &page)?;
        let mut units = Vec::new();
        for id in ids {
            if let Some(unit) = unit(call, management, &id)? {
                units.push((id, unit.shown(call)?));
            }
        }
        let (units, next_token) = page.close(call, units)?;
        Ok(model::ListOrganizationalUnitsForParentResponse {
            organizational_units: Some(units),
            next_token,
        })
    }
}

/// Lists the ids of the accounts or of the units directly below a parent.
pub struct ListChildren;

impl Operation for ListChildren {
    type Input = model::ListChildrenRequest;
    type Output = model::ListChildrenResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListChildren");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::parent(look, Who::Administrators, &input.parent_id, refusal::no_parent)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("children/{}/{}", input.child_type, input.parent_id);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let kind = match input.child_type {
            model::ChildType::Account => ChildKind::Account,
            model::ChildType::OrganizationalUnit => ChildKind::Unit,
        };
        let management = &reached.organization().management;
        let ids = ids_below(call, (management, &input.parent_id), kind, &page)?;
        let children = ids.into_iter().map(|id| {
            let child = model::Child {
                id: Some(id.clone()),
                r#type: Some(input.child_type),
            };
            (id, child)
        });
        let (children, next_token) = page.close(call, children)?;
        Ok(model::ListChildrenResponse {
            children: Some(children),
            next_token,
        })
    }
}

/// Tells the parent of an account or unit; there is one.
pub struct ListParents;

impl Operation for ListParents {
    type Input = model::ListParentsRequest;
    type Output = model::ListParentsResponse;
    type Target = Reached;
    const ACCESS: Access = Access::list("organizations:ListParents");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Reached>> {
        reach::child(look, Who::Administrators, &input.child_id)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("parents/{}", input.child_id);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results)?;
        let parent = match &reached.subject {
            Subject::Unit(unit) => unit.parent.clone(),
            _ => reached.account_row()?.parent.clone(),
        };
        let kind = if parent.starts_with("ou-") {
            model::ParentType::OrganizationalUnit
        } else {
            model::ParentType::Root
        };
        let shown = model::Parent {
            id: Some(parent.clone()),
            r#type: Some(kind),
        };
        let (parents, next_token) = page.close(call, [(parent, shown)])?;
        Ok(model::ListParentsResponse {
            parents: Some(parents),
            next_token,
        })
    }
}
