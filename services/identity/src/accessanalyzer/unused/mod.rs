//! Access that nobody uses: roles, access keys, passwords and permissions, by their rows and the ledger.
//!
//! Invariant: what is younger than the analyzer's age counts as used; service-linked roles are not looked at (IAM User Guide,
//! "Understand how IAM Access Analyzer findings work").

pub(super) mod permission;

use pipeline::{Call, Resource, Result};

use super::activity::{self, LastUses};
use super::finding::{UnusedService, What};
use super::scan::{Scan, Sight};
use crate::iam::access_key::{self, ACCESS_KEYS};
use crate::iam::directory::described;
use crate::iam::password;
use crate::iam::role::{ROLES, Role};
use crate::iam::user::{USERS, User};

/// Milliseconds.
const DAY: i64 = 86_400_000;
/// Days for which last use is told (IAM User Guide, "Refine permissions in AWS using last accessed information").
const TRACKED_DAYS: i64 = 400;
/// Rows read in one step.
const STRIDE: usize = 256;

/// What a scan goes by.
struct Look<'a> {
    uses: &'a LastUses,
    /// Milliseconds since the epoch: what was last used before is unused.
    cutoff: i64,
}

/// Looks at all users and roles of an account.
pub(super) fn scan(call: &mut Call<'_>, scan: &mut Scan<'_>, account: &str) -> Result<()> {
    let Some(settings) = scan.analyzer.unused.clone() else {
        return Ok(());
    };
    let now = call.now.0;
    let uses = activity::of_account(call, account, now.saturating_sub(TRACKED_DAYS * DAY), now)?;
    let look = Look {
        uses: &uses,
        cutoff: now.saturating_sub(i64::from(settings.age_days).saturating_mul(DAY)),
    };
    let mut after = None;
    loop {
        let rows = call.range(&USERS, &(account,), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, user) in rows {
            if !settings.excludes(account, &user.tags) {
                let found = look.user(call, &user)?;
                note(call, scan, (&user.arn(), account), User::TYPE, found)?;
            }
            after = Some(key);
        }
        if !full {
            break;
        }
    }
    let mut after = None;
    loop {
        let rows = call.range(&ROLES, &(account,), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, role) in rows {
            let linked = role.path.starts_with("/aws-service-role/");
            if !linked && !settings.excludes(account, &role.tags) {
                let found = look.role(call, &role)?;
                note(call, scan, (&role.arn(), account), Role::TYPE, found)?;
            }
            after = Some(key);
        }
        if !full {
            return Ok(());
        }
    }
}

fn note(
    call: &mut Call<'_>,
    scan: &mut Scan<'_>,
    (arn, owner): (&str, &str),
    kind: &str,
    found: Vec<What>,
) -> Result<()> {
    let sight = Sight { arn, kind, owner };
    scan.note(call, &sight, found)
}

impl Look<'_> {
    /// Whether something that was made and last used at these times is unused.
    fn unused(&self, created: i64, last: Option<i64>) -> bool {
        last.unwrap_or(created).max(created) <= self.cutoff
    }

    fn user(&self, call: &mut Call<'_>, user: &User) -> Result<Vec<What>> {
        let mut found = Vec::new();
        let lower = user.lower();
        for id in access_key::of_holder(call, &user.account, &lower)? {
            let Some(key) = call.get(&ACCESS_KEYS, &id)?.filter(|key| key.active) else {
                continue;
            };
            let last = key.last_used.as_ref().map(|last| last.at);
            if self.unused(key.created, last) {
                found.push(What::UnusedKey { id, last });
            }
        }
        if let Some(profile) = password::of_user(call, &user.account, &lower)?
            && self.unused(profile.created, user.password_last_used)
        {
            found.push(What::UnusedPassword {
                last: user.password_last_used,
            });
        }
        Ok(found)
    }

    fn role(&self, call: &mut Call<'_>, role: &Role) -> Result<Vec<What>> {
        let arn = role.arn();
        let nothing = std::collections::BTreeMap::new();
        let used = self.uses.get(&arn).unwrap_or(&nothing);
        let noted = role.last_used.as_ref().map(|last| last.at);
        let last = used.values().copied().max().max(noted);
        if self.unused(role.created, last) {
            return Ok(vec![What::UnusedRole { last }]);
        }
        if role.created > self.cutoff {
            return Ok(Vec::new());
        }
        let services = self.permissions(call, &arn, used)?;
        Ok(if services.is_empty() {
            Vec::new()
        } else {
            vec![What::UnusedPermission { services }]
        })
    }

    fn permissions(
        &self,
        call: &mut Call<'_>,
        arn: &str,
        used: &std::collections::BTreeMap<String, i64>,
    ) -> Result<Vec<UnusedService>> {
        let Some(identity) = described::identity(call, arn)? else {
            return Ok(Vec::new());
        };
        let directory = call.directory();
        let policies = directory.policies(call, &identity)?.identity;
        let known: Vec<&str> = call.actions().collect();
        Ok(permission::unused(&policies, &known, used, self.cutoff))
    }
}
