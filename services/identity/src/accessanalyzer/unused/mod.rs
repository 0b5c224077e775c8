//! Access that nobody uses: roles, access keys, passwords and permissions, by their rows and the ledger.
//!
//! A scan is a chain of jobs: the ledger is read stride by stride and what it tells is kept in rows; then users and roles are looked at,
//! some at a time; then those rows go.
//!
//! Invariant: what is younger than the analyzer's age counts as used; service-linked roles are not looked at (IAM User Guide,
//! "Understand how IAM Access Analyzer findings work").

pub(super) mod permission;

use std::collections::BTreeMap;

use pipeline::{Call, Resource, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use super::activity::{self, Cursor, LastUses, Span};
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
const STRIDE: usize = 100;

/// Rows of uses that are removed in one part.
const FORGOTTEN: usize = 500;

/// What one part of a scan read of the ledger for the parts behind it.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Gathered(LastUses);

store::record!(Gathered, 1);

/// By account, analyzer, and ARN of the user or role. A running scan's alone; its last part removes them.
static GATHERED: Table<(String, String, String), Gathered> = Table::new(0x0159, "accessanalyzer.gathered");

/// The parts of a scan of an account, in order, each as many jobs as it takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Gather = 0,
    Users = 1,
    Roles = 2,
    Forget = 3,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Gather, Self::Users, Self::Roles, Self::Forget];

    /// Where a scan goes on in this stage.
    fn at(self, place: String) -> Place {
        (self as usize, place)
    }
}

/// The stage, and the place in it: the reading of the ledger, or a name.
type Place = (usize, String);

/// What a scan goes by.
struct Look {
    /// Milliseconds since the epoch: what was last used before is unused.
    cutoff: i64,
    analyzer: String,
}

/// The time for which the ledger is read, and where to go on in it.
#[derive(Serialize, Deserialize)]
struct Reading {
    to: i64,
    cursor: Option<Cursor>,
}

/// The next part of a look at all users and roles of an account; tells where the one after it goes on.
pub(super) fn scan(
    call: &mut Call<'_>,
    scan: &mut Scan<'_>,
    account: &str,
    behind: Option<Place>,
) -> Result<Option<Place>> {
    let Some(settings) = scan.analyzer.unused.clone() else {
        return Ok(None);
    };
    let now = call.now.0;
    let look = Look {
        cutoff: now.saturating_sub(i64::from(settings.age_days).saturating_mul(DAY)),
        analyzer: scan.analyzer.id.clone(),
    };
    let (stage, place) = behind.unwrap_or_default();
    match Stage::ALL.get(stage) {
        Some(Stage::Gather) => look.gather(call, account, &place),
        Some(Stage::Users) => {
            let rows = call.range(&USERS, &(account,), after(account, place).as_ref(), STRIDE)?;
            let last = rows.last().map(|((_, name), _)| name.clone());
            let full = rows.len() == STRIDE;
            for (_, user) in rows {
                if !settings.excludes(account, &user.tags) {
                    let found = look.user(call, &user)?;
                    note(call, scan, (&user.arn(), account), User::TYPE, found)?;
                }
            }
            let place = last.filter(|_| full).map(|last| Stage::Users.at(last));
            Ok(place.or_else(|| Some(Stage::Roles.at(String::new()))))
        }
        Some(Stage::Roles) => {
            let rows = call.range(&ROLES, &(account,), after(account, place).as_ref(), STRIDE)?;
            let last = rows.last().map(|((_, name), _)| name.clone());
            let full = rows.len() == STRIDE;
            for (_, role) in rows {
                let linked = role.path.starts_with("/aws-service-role/");
                if !linked && !settings.excludes(account, &role.tags) {
                    let found = look.role(call, &role)?;
                    note(call, scan, (&role.arn(), account), Role::TYPE, found)?;
                }
            }
            let place = last.filter(|_| full).map(|last| Stage::Roles.at(last));
            Ok(place.or_else(|| Some(Stage::Forget.at(String::new()))))
        }
        Some(Stage::Forget) | None => {
            let left = forget(call, account, &look.analyzer)?;
            Ok(left.then(|| Stage::Forget.at(String::new())))
        }
    }
}

/// The key behind which a part begins.
fn after(account: &str, place: String) -> Option<(String, String)> {
    (!place.is_empty()).then(|| (account.to_owned(), place))
}

/// Removes some of what an analyzer's scan gathered; tells whether there may be more.
pub(super) fn forget(call: &mut Call<'_>, account: &str, analyzer: &str) -> Result<bool> {
    let rows = call.range(&GATHERED, &(account, analyzer), None, FORGOTTEN)?;
    let full = rows.len() == FORGOTTEN;
    for (key, _) in rows {
        call.delete(&GATHERED, &key)?;
    }
    Ok(full)
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

impl Look {
    /// Reads on in the ledger, and keeps what it tells for the looks at users and roles.
    fn gather(&self, call: &mut Call<'_>, account: &str, place: &str) -> Result<Option<Place>> {
        let now = call.now.0;
        let reading = match place {
            "" => Reading {
                to: now,
                cursor: None,
            },
            place => serde_json::from_str(place).map_err(Fault::internal)?,
        };
        if reading.cursor.is_none() && forget(call, account, &self.analyzer)? {
            // What a scan left that did not come to its end goes first.
            return Ok(Some(Stage::Gather.at(String::new())));
        }
        let span = Span {
            from: reading.to.saturating_sub(TRACKED_DAYS * DAY),
            to: reading.to,
        };
        let mut uses = BTreeMap::new();
        let cursor = activity::note_account(call, account, span, reading.cursor, &mut uses)?;
        for (actor, uses) in uses {
            let key = (account.to_owned(), self.analyzer.clone(), actor);
            let held = call.get(&GATHERED, &key)?;
            let mut gathered = held.map_or_else(Gathered::default, |held| (*held).clone());
            for (action, at) in uses {
                let last = gathered.0.entry(action).or_insert(at);
                *last = at.max(*last);
            }
            call.put(&GATHERED, &key, gathered)?;
        }
        let Some(cursor) = cursor else {
            return Ok(Some(Stage::Users.at(String::new())));
        };
        let reading = Reading {
            to: reading.to,
            cursor: Some(cursor),
        };
        let place = serde_json::to_string(&reading).map_err(Fault::internal)?;
        Ok(Some(Stage::Gather.at(place)))
    }

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
        let key = (role.account.clone(), self.analyzer.clone(), arn.clone());
        let used = call.get(&GATHERED, &key)?;
        let used = used.map_or_else(LastUses::new, |gathered| gathered.0.clone());
        let noted = role.last_used.as_ref().map(|last| last.at);
        let last = used.values().copied().max().max(noted);
        if self.unused(role.created, last) {
            return Ok(vec![What::UnusedRole { last }]);
        }
        if role.created > self.cutoff {
            return Ok(Vec::new());
        }
        let services = self.permissions(call, &arn, &used)?;
        Ok(if services.is_empty() {
            Vec::new()
        } else {
            vec![What::UnusedPermission { services }]
        })
    }

    fn permissions(&self, call: &mut Call<'_>, arn: &str, used: &LastUses) -> Result<Vec<UnusedService>> {
        let Some(identity) = described::identity(call, arn)? else {
            return Ok(Vec::new());
        };
        let directory = call.directory();
        let policies = directory.policies(call, &identity, None)?.identity;
        let known: Vec<&str> = call.actions().collect();
        Ok(permission::unused(&policies, &known, used, self.cutoff))
    }
}
