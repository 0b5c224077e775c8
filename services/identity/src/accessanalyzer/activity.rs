//! What principals did, by the ledger: the actions that they were allowed, when last and on what.
//!
//! Invariant: memory grows with what is distinct (principals, actions, some resources), never with how often it was done.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::identity::IdentityType;
use pipeline::ledger::{self, Query, Record};
use pipeline::{Look, Result};
use policy::Arn;
use serde::{Deserialize, Serialize};

/// Records read in one step.
const STRIDE: usize = 500;
/// Distinct resources kept of an action; of more, none are told apart.
pub const RESOURCES_MAX: usize = 50;

/// The use of one action.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Use {
    /// Milliseconds since the epoch.
    pub last: i64,
    /// ARNs, or `*`.
    pub resources: BTreeSet<String>,
    /// There were more resources than are kept.
    pub many: bool,
}

impl Use {
    fn note(&mut self, at: i64, resource: &str) {
        self.last = self.last.max(at);
        if self.resources.len() < RESOURCES_MAX || self.resources.contains(resource) {
            self.resources.insert(resource.to_owned());
        } else {
            self.many = true;
        }
    }
}

/// Uses by action: `kms:Decrypt`.
pub type Activity = BTreeMap<String, Use>;

/// What one user or role was allowed to do between two times (milliseconds since the epoch, both inclusive). Calls that were only
/// refused are not in it.
///
/// # Errors
/// The store's, as a fault.
pub fn of(look: &mut Look<'_>, principal: &str, from: i64, to: i64) -> Result<Activity> {
    let account = Arn::parse(principal).map(|arn| arn.account().to_owned());
    let mut activity = Activity::new();
    each(look, &account.unwrap_or_default(), from, to, |record| {
        if actor(record) == Some(principal) {
            for judged in record.judgements.iter().filter(|judged| judged.allowed) {
                let noted = activity.entry(judged.action.clone()).or_default();
                noted.note(record.time, &judged.resource);
            }
        }
    })?;
    Ok(activity)
}

/// When each action was last allowed, for every user and role of an account.
pub(super) type LastUses = BTreeMap<String, BTreeMap<String, i64>>;

/// When the users and roles of an account were last allowed which actions.
pub(super) fn of_account(look: &mut Look<'_>, account: &str, from: i64, to: i64) -> Result<LastUses> {
    let mut uses = LastUses::new();
    each(look, account, from, to, |record| {
        let Some(actor) = actor(record) else { return };
        for judged in record.judgements.iter().filter(|judged| judged.allowed) {
            let last = uses
                .entry(actor.to_owned())
                .or_default()
                .entry(judged.action.clone())
                .or_insert(record.time);
            *last = record.time.max(*last);
        }
    })?;
    Ok(uses)
}

/// The user or role whose permissions a call used. Root and services have none of their own.
fn actor(record: &Record) -> Option<&str> {
    match record.caller.kind {
        IdentityType::IamUser => Some(&record.caller.arn),
        IdentityType::AssumedRole => {
            let issuer = record.caller.session.as_ref()?.issuer.as_ref();
            issuer.map(|issuer| issuer.arn.as_str())
        }
        _ => None,
    }
}

/// Goes through the records of all regions of an account.
fn each(look: &mut Look<'_>, account: &str, from: i64, to: i64, mut see: impl FnMut(&Record)) -> Result<()> {
    for region in ledger::regions(look, account)? {
        let mut before = None;
        loop {
            let query = Query {
                account,
                region: &region,
                from,
                to,
                attribute: None,
                before,
                limit: STRIDE,
            };
            let page = ledger::scan::page(look, &query)?;
            page.records
                .iter()
                .filter(|record| !record.foreign())
                .for_each(&mut see);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
    }
    Ok(())
}
