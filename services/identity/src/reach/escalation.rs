//! Privilege escalation: the published ways by which a principal with certain permissions gains others, looked for in the policies
//! as they are.
//!
//! Invariant: a way is told only if the evaluator allows each of its permissions, and those that aim at a user, role, group or
//! policy on one that exists.
//!
//! Source: `data/escalation-paths.tsv`, see `data/README.md`.

use std::collections::BTreeMap;

use pipeline::{Look, Result};
use policy::{Effect, Policy};
use serde::{Deserialize, Serialize};

use super::population::{Actor, Kind, Population};
use super::question::{Question, Resources, way};

/// The catalogue: id, name, category, permissions and services that a passed role must trust; the last two separated by commas.
const CATALOGUE: &str = include_str!("../../data/escalation-paths.tsv");
/// Targets that are named for a way.
const TARGETS_MAX: usize = 20;

/// A way to more permissions that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Of the published list: `iam-001`.
    pub id: String,
    pub name: String,
    /// `self-escalation`, `principal-access`, `new-passrole`, `existing-passrole` or `credential-access`.
    pub category: String,
    pub permissions: Vec<String>,
    /// What it would be done to: ARNs of users, roles, groups and policies; empty if the way needs a resource that Ringwork does
    /// not keep.
    pub targets: Vec<String>,
    /// Roles to be assumed first.
    pub through: Vec<String>,
}

struct Path {
    id: &'static str,
    name: &'static str,
    category: &'static str,
    permissions: Vec<&'static str>,
    services: Vec<&'static str>,
}

fn catalogue() -> impl Iterator<Item = Path> {
    CATALOGUE.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        let (id, name, category) = (fields.next()?, fields.next()?, fields.next()?);
        let list = |text: &'static str| text.split(',').filter(|part| !part.is_empty()).collect();
        Some(Path {
            id,
            name,
            category,
            permissions: list(fields.next()?),
            services: list(fields.next().unwrap_or_default()),
        })
    })
}

/// What a permission aims at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aim {
    PassedRole,
    Role,
    User,
    Group,
    Policy,
    /// Something that is not IAM's.
    Other,
}

fn aim(permission: &str) -> Aim {
    match permission {
        "iam:PassRole" => Aim::PassedRole,
        "sts:AssumeRole" | "iam:UpdateAssumeRolePolicy" => Aim::Role,
        "iam:CreatePolicyVersion" | "iam:SetDefaultPolicyVersion" => Aim::Policy,
        // The group decides; the user is the principal itself.
        "iam:AddUserToGroup" => Aim::Group,
        _ => match permission.strip_prefix("iam:") {
            Some(name) if name.contains("Group") => Aim::Group,
            Some(name) if name.contains("Role") => Aim::Role,
            Some(name)
                if name.contains("User") || name.contains("LoginProfile") || name.contains("AccessKey") =>
            {
                Aim::User
            }
            _ => Aim::Other,
        },
    }
}

/// Looks for every published way from one principal, itself reached through `through`.
pub(super) fn find(
    look: &mut Look<'_>,
    population: &Population,
    (actor, through): (&Actor, &[String]),
    given: &BTreeMap<String, Vec<String>>,
    resources: Resources<'_>,
    found: &mut Vec<Escalation>,
) -> Result<()> {
    if actor.kind == Kind::Root {
        return Ok(());
    }
    let mut search = Search {
        population,
        actor,
        given,
        resources,
    };
    for path in catalogue() {
        if let Some(targets) = search.open(look, &path)? {
            found.push(Escalation {
                id: path.id.to_owned(),
                name: path.name.to_owned(),
                category: path.category.to_owned(),
                permissions: path.permissions.iter().map(ToString::to_string).collect(),
                targets,
                through: through.to_vec(),
            });
        }
    }
    Ok(())
}

struct Search<'a> {
    population: &'a Population,
    actor: &'a Actor,
    given: &'a BTreeMap<String, Vec<String>>,
    resources: Resources<'a>,
}

impl Search<'_> {
    fn may(&mut self, look: &mut Look<'_>, action: &str, resource: &str) -> Result<bool> {
        let question = Question {
            action,
            resource,
            given: self.given,
        };
        let way = way(look, self.actor, &question, self.resources)?;
        Ok(way.is_some_and(|way| way.needs.is_empty()))
    }

    /// The targets, if the way is open.
    fn open(&mut self, look: &mut Look<'_>, path: &Path) -> Result<Option<Vec<String>>> {
        let mut targets: Vec<String> = Vec::new();
        for one in [Aim::PassedRole, Aim::Role, Aim::User, Aim::Group, Aim::Policy] {
            let actions: Vec<&str> = path
                .permissions
                .iter()
                .copied()
                .filter(|name| aim(name) == one)
                .collect();
            if actions.is_empty() {
                continue;
            }
            let found = self.aimed(look, path, one, &actions)?;
            if found.is_empty() {
                return Ok(None);
            }
            targets.extend(found);
        }
        for action in path.permissions.iter().filter(|name| aim(name) == Aim::Other) {
            if !self.may_somewhere(look, action)? {
                return Ok(None);
            }
        }
        targets.sort_unstable();
        targets.dedup();
        targets.truncate(TARGETS_MAX);
        Ok(Some(targets))
    }

    /// What exists and every action is allowed on.
    fn aimed(&mut self, look: &mut Look<'_>, path: &Path, one: Aim, actions: &[&str]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for candidate in self.candidates(path, one) {
            let mut open = true;
            for action in actions {
                open = open && self.may(look, action, &candidate)?;
            }
            if open {
                found.push(candidate);
            }
        }
        Ok(found)
    }

    /// What a way could be tried on: for one's own escalation what is one's own, for others' what is not.
    fn candidates(&self, path: &Path, one: Aim) -> Vec<String> {
        let own = path.category == "self-escalation";
        let me = self.actor.arn.as_str();
        let fits = |arn: &str| (arn == me) == own;
        let actors = self.population.actors.iter();
        match one {
            Aim::PassedRole => actors
                .filter(|actor| {
                    actor
                        .trusts
                        .iter()
                        .any(|service| path.services.contains(&service.as_str()))
                })
                .map(|actor| actor.arn.clone())
                .collect(),
            Aim::Role => actors
                .filter(|actor| actor.kind == Kind::Role && fits(&actor.arn))
                .map(|actor| actor.arn.clone())
                .collect(),
            Aim::User => actors
                .filter(|actor| actor.kind == Kind::User && fits(&actor.arn))
                .map(|actor| actor.arn.clone())
                .collect(),
            // A group that one is in, or one to enter.
            Aim::Group => {
                let entering = path.permissions.contains(&"iam:AddUserToGroup");
                let groups = self.population.groups.iter();
                groups
                    .filter(|arn| self.actor.groups.contains(arn) != entering)
                    .cloned()
                    .collect()
            }
            Aim::Policy => {
                let held = |holder: &String| {
                    let mine = holder == me || self.actor.groups.contains(holder);
                    mine == own
                };
                let policies = self.population.policies.iter();
                policies
                    .filter(|policy| policy.holders.iter().any(held))
                    .map(|policy| policy.arn.clone())
                    .collect()
            }
            Aim::Other => Vec::new(),
        }
    }

    /// Whether an action is allowed on anything that a statement about it names.
    fn may_somewhere(&mut self, look: &mut Look<'_>, action: &str) -> Result<bool> {
        let policies = &self.actor.standing.policies.identity;
        let named: Vec<String> = policies
            .iter()
            .flat_map(|attached| resources_for(&attached.policy, action))
            .collect();
        for resource in named {
            if self.may(look, action, &resource)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The resources of the Allow statements that may speak of an action.
fn resources_for(policy: &Policy, action: &str) -> Vec<String> {
    let candidates: Vec<usize> = policy.candidates(action).collect();
    let statements = policy.statements().enumerate();
    let about = statements
        .filter(|(number, statement)| statement.effect() == Effect::Allow && candidates.contains(number));
    about
        .flat_map(|(_, statement)| {
            let (negated, resources) = statement.resources();
            let all: Vec<String> = if negated {
                vec!["*".to_owned()]
            } else {
                resources.collect()
            };
            all
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_reads_and_every_permission_is_an_action_of_the_reference() {
        let paths: Vec<Path> = catalogue().collect();
        assert_eq!(paths.len(), CATALOGUE.lines().count());
        assert!(paths.len() >= 60, "{}", paths.len());
        for path in &paths {
            assert!(!path.permissions.is_empty(), "{}", path.id);
            for permission in &path.permissions {
                assert!(
                    policy::reference::action(permission).is_some(),
                    "{}: {permission}",
                    path.id
                );
            }
            let passes = path.permissions.contains(&"iam:PassRole");
            assert!(
                !passes || !path.services.is_empty(),
                "{}: to whom is the role passed?",
                path.id
            );
        }
    }
}
