//! Passing roles and creating service-linked ones: permissions that lead to others when they are given broadly.

use super::{
    Check, Issue,
    place::{Spot, Text},
    statement::Statement,
};

/// One permission that leads to others, and its codes: by action named, by wildcard, by NotAction; on wildcards, and on
/// NotResource.
struct Privilege {
    action: &'static str,
    /// The condition key that makes it harmless.
    limit: &'static str,
    what: &'static str,
    star: [Issue; 3],
    not_resource: [Issue; 3],
}

const PRIVILEGES: [Privilege; 2] = [
    Privilege {
        action: "iam:PassRole",
        limit: "iam:PassedToService",
        what: "lets any role be passed to any service",
        star: [
            Issue::PassRoleWithStarInResource,
            Issue::PassRoleWithStarInActionAndResource,
            Issue::PassRoleWithStarInResourceAndNotAction,
        ],
        not_resource: [
            Issue::PassRoleWithNotResource,
            Issue::PassRoleWithStarInActionAndNotResource,
            Issue::PassRoleWithNotActionAndNotResource,
        ],
    },
    Privilege {
        action: "iam:CreateServiceLinkedRole",
        limit: "iam:AWSServiceName",
        what: "lets service-linked roles of any service be created",
        star: [
            Issue::CreateSlrWithStarInResource,
            Issue::CreateSlrWithStarInActionAndResource,
            Issue::CreateSlrWithStarInResourceAndNotAction,
        ],
        not_resource: [
            Issue::CreateSlrWithNotResource,
            Issue::CreateSlrWithStarInActionAndNotResource,
            Issue::CreateSlrWithNotActionAndNotResource,
        ],
    },
];

impl Check<'_> {
    pub(super) fn privileges(&mut self, statement: &Statement<'_>) {
        for privilege in &PRIVILEGES {
            if statement.allows == Some(true)
                && statement.speaks_of(privilege.action)
                && !statement.tests(privilege.limit)
            {
                self.privilege(statement, privilege);
            }
        }
    }

    fn privilege(&mut self, statement: &Statement<'_>, privilege: &Privilege) {
        let (Some(actions), Some(resources)) = (&statement.actions, &statement.resources) else {
            return;
        };
        let named = |text: &&Text<'_>| text.text.eq_ignore_ascii_case(privilege.action);
        let giving = || actions.texts.iter().find(named);
        let (column, action): (usize, &Spot<'_>) = match giving() {
            _ if actions.negated => (2, &actions.spot),
            Some(text) => (0, &text.spot),
            None => {
                let wild = actions.texts.iter().find(|text| {
                    crate::pattern::Pattern::compile(text.text, crate::pattern::Syntax::WILDCARDS).matches(
                        privilege.action,
                        &crate::context::Context::new(),
                        crate::pattern::Case::Folded,
                    )
                });
                (1, wild.map_or(&actions.spot, |text| &text.spot))
            }
        };
        let (issues, resource) = if resources.negated {
            (&privilege.not_resource, &resources.spot)
        } else {
            let Some(star) = resources.texts.iter().find(|text| means_all_roles(text.text)) else {
                return;
            };
            (&privilege.star, &star.spot)
        };
        let Some(issue) = issues.get(column).copied() else {
            return;
        };
        let details = format!(
            "The statement grants {} broadly and {}: name the roles, or add a condition on {}.",
            privilege.action, privilege.what, privilege.limit
        );
        self.report(issue, &[action, resource], details);
    }
}

/// Whether a resource is every role: its name and path are left open whole.
fn means_all_roles(resource: &str) -> bool {
    if resource.bytes().all(|byte| byte == b'*') {
        return true;
    }
    let mut fields = resource.splitn(6, ':').skip(2);
    let service = fields.next().unwrap_or_default();
    let rest = fields.nth(2).unwrap_or_default();
    let open = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte == b'*');
    let name = rest.strip_prefix("role/").unwrap_or(rest);
    let name = name.strip_prefix("aws-service-role/").unwrap_or(name);
    (service == "iam" || open(service)) && (open(name) || rest == "role*")
}
