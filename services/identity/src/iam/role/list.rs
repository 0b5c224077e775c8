//! The roles of an account.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Result};

use super::{ROLES, Role};
use crate::iam::page::{Page, path_fits};

/// Lists the roles below a path.
pub struct ListRoles;

impl Operation for ListRoles {
    type Input = model::ListRolesRequest;
    type Output = model::ListRolesResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::list("iam:ListRoles");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        // AWS judges the listing on the path that it lists.
        let path = input.path_prefix.as_deref().unwrap_or("/");
        let arn = format!("arn:{}:iam::{}:role{path}", look.partition(), look.account());
        Ok(Denoted::new(look, arn))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        let page = Page::read(call, "ListRoles", input.marker.as_deref(), input.max_items)?;
        let prefix = input.path_prefix.as_deref();
        let paged = page.of_table(call, &ROLES, |role: &Role| path_fits(&role.path, prefix))?;
        let roles: Result<Vec<model::Role>> = paged.items.iter().map(|role| role.shown(call)).collect();
        Ok(model::ListRolesResponse {
            is_truncated: paged.truncated(),
            roles: roles?,
            marker: paged.marker,
        })
    }
}
