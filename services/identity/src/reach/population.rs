//! Every principal that Ringwork knows, with its policies gathered once, and the resources of IAM that escalations aim at.

use pipeline::described::Standing;
use pipeline::identity::Identity;
use pipeline::{Look, Resource, Result};
use policy::Effect;

use crate::iam::account::ACCOUNTS;
use crate::iam::binding::ATTACHMENTS;
use crate::iam::directory::described;
use crate::iam::group::GROUPS;
use crate::iam::policy::POLICIES;
use crate::iam::role::ROLES;
use crate::iam::user::USERS;

/// Rows read at a time.
const STRIDE: usize = 256;

/// What a principal is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    User,
    Role,
}

/// A principal.
pub(super) struct Actor {
    pub(super) kind: Kind,
    /// Of the user or role, or `arn:aws:iam::ACCOUNT:root`.
    pub(super) arn: String,
    pub(super) standing: Standing,
    /// For a role: the services that its trust policy names.
    pub(super) trusts: Vec<String>,
    /// For a user: the ARNs of its groups.
    pub(super) groups: Vec<String>,
}

/// A customer managed policy, and the users, groups and roles that hold it, by ARN.
pub(super) struct Held {
    pub(super) arn: String,
    pub(super) holders: Vec<String>,
}

/// All principals of all accounts.
#[derive(Default)]
pub struct Population {
    pub(super) actors: Vec<Actor>,
    /// ARNs of groups.
    pub(super) groups: Vec<String>,
    pub(super) policies: Vec<Held>,
}

impl Population {
    /// Reads it.
    ///
    /// # Errors
    /// The store's, as internal faults.
    pub fn read(look: &mut Look<'_>) -> Result<Self> {
        let mut population = Self::default();
        let mut after = None;
        loop {
            let rows = look.range(&ACCOUNTS, &(), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (account, _) in rows {
                population.account(look, &account)?;
                after = Some(account);
            }
            if !full {
                return Ok(population);
            }
        }
    }

    /// How many principals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actors.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actors.is_empty()
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = (usize, &Actor)> {
        let actors = self.actors.iter().enumerate();
        actors.filter(|(_, actor)| actor.kind == Kind::Role)
    }

    fn account(&mut self, look: &mut Look<'_>, account: &str) -> Result<()> {
        let root = Identity::root(account);
        self.add(look, Kind::Root, root.arn.to_string(), root)?;
        self.users(look, account)?;
        self.account_roles(look, account)?;
        let mut after = None;
        loop {
            let rows = look.range(&GROUPS, &(account,), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, group) in rows {
                self.groups.push(group.arn());
                after = Some(key);
            }
            if !full {
                break;
            }
        }
        self.managed(look, account)
    }

    fn users(&mut self, look: &mut Look<'_>, account: &str) -> Result<()> {
        let mut after = None;
        loop {
            let rows = look.range(&USERS, &(account,), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, user) in rows {
                after = Some(key);
                let mut groups = Vec::with_capacity(user.groups.len());
                for group in &user.groups {
                    let found = look.get(&GROUPS, &(account.to_owned(), group.clone()))?;
                    groups.extend(found.map(|group| group.arn()));
                }
                if let Some(identity) = described::identity(look, &user.arn())? {
                    self.add(look, Kind::User, user.arn(), identity)?;
                }
                if let Some(actor) = self.actors.last_mut() {
                    actor.groups = groups;
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn account_roles(&mut self, look: &mut Look<'_>, account: &str) -> Result<()> {
        let mut after = None;
        loop {
            let rows = look.range(&ROLES, &(account,), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, role) in rows {
                after = Some(key);
                let Some(identity) = described::identity(look, &role.arn())? else {
                    continue;
                };
                self.add(look, Kind::Role, role.arn(), identity)?;
                let statements = role.trust.policy().statements();
                let allows = statements.filter(|statement| statement.effect() == Effect::Allow);
                let trusted = allows.flat_map(|statement| statement.principals());
                let services = trusted.filter(|(class, _)| *class == "Service");
                if let Some(actor) = self.actors.last_mut() {
                    actor.trusts = services.map(|(_, name)| name).collect();
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn managed(&mut self, look: &mut Look<'_>, account: &str) -> Result<()> {
        let mut after = None;
        loop {
            let rows = look.range(&POLICIES, &(account,), after.as_ref(), STRIDE)?;
            let full = rows.len() == STRIDE;
            for (key, policy) in rows {
                after = Some(key);
                let holders = holders(look, account, &policy.arn)?;
                self.policies.push(Held {
                    arn: policy.arn.to_string(),
                    holders,
                });
            }
            if !full {
                return Ok(());
            }
        }
    }

    fn add(&mut self, look: &mut Look<'_>, kind: Kind, arn: String, identity: Identity) -> Result<()> {
        self.actors.push(Actor {
            kind,
            arn,
            standing: Standing::of(look, identity)?,
            trusts: Vec::new(),
            groups: Vec::new(),
        });
        Ok(())
    }
}

/// Who holds a policy as one of permissions, by ARN.
fn holders(look: &mut Look<'_>, account: &str, policy: &str) -> Result<Vec<String>> {
    let (mut holders, mut after) = (Vec::new(), None);
    loop {
        let rows = look.range(&ATTACHMENTS, &(account, policy), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, _) in rows {
            let (_, _, kind, name) = &key;
            let at = (account.to_owned(), name.clone());
            holders.extend(match kind.as_str() {
                "user" => look.get(&USERS, &at)?.map(|user| user.arn()),
                "group" => look.get(&GROUPS, &at)?.map(|group| group.arn()),
                "role" => look.get(&ROLES, &at)?.map(|role| role.arn()),
                _ => None,
            });
            after = Some(key);
        }
        if !full {
            return Ok(holders);
        }
    }
}
