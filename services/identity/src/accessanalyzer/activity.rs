//! What principals did, by the ledger: the actions that they were allowed, when last and on what.
//!
//! Invariant: memory grows with what is distinct (principals, actions, some resources), never with how often it was done; and one step
//! reads `STRIDE` records, however long the ledger, for jobs wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::identity::IdentityType;
use pipeline::ledger::scan::Place;
use pipeline::ledger::{self, Query, Record};
use pipeline::{Look, Result};
use policy::Arn;
use serde::{Deserialize, Serialize};

/// Records read in one step.
const STRIDE: usize = 1000;
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

/// Where a reading of the ledger goes on: in a region, before a place of its stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cursor {
    region: String,
    before: Option<(u64, u64)>,
}

/// What to read: milliseconds since the epoch, both inclusive.
#[derive(Clone, Copy)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

/// Notes what one user or role was allowed to do, in one step; tells where the next one goes on. Calls that were only refused are not in
/// it.
///
/// # Errors
/// The store's, as a fault.
pub fn note(
    look: &mut Look<'_>,
    principal: &str,
    span: Span,
    cursor: Option<Cursor>,
    activity: &mut Activity,
) -> Result<Option<Cursor>> {
    let account = Arn::parse(principal).map(|arn| arn.account().to_owned());
    step(look, &account.unwrap_or_default(), span, cursor, |record| {
        if actor(record) == Some(principal) {
            for judged in record.judgements.iter().filter(|judged| judged.allowed) {
                let noted = activity.entry(judged.action.clone()).or_default();
                noted.note(record.time, &judged.resource);
            }
        }
    })
}

/// The same in all steps at once, for who waits for it.
///
/// # Errors
/// The store's, as a fault.
pub fn of(look: &mut Look<'_>, principal: &str, span: Span) -> Result<Activity> {
    let (mut activity, mut cursor) = (Activity::new(), None);
    loop {
        cursor = note(look, principal, span, cursor, &mut activity)?;
        if cursor.is_none() {
            return Ok(activity);
        }
    }
}

/// When each action was last allowed.
pub(super) type LastUses = BTreeMap<String, i64>;

/// Notes when the users and roles of an account were last allowed which actions, in one step; tells where the next one goes on.
pub(super) fn note_account(
    look: &mut Look<'_>,
    account: &str,
    span: Span,
    cursor: Option<Cursor>,
    uses: &mut BTreeMap<String, LastUses>,
) -> Result<Option<Cursor>> {
    step(look, account, span, cursor, |record| {
        let Some(actor) = actor(record) else { return };
        for judged in record.judgements.iter().filter(|judged| judged.allowed) {
            let last = uses
                .entry(actor.to_owned())
                .or_default()
                .entry(judged.action.clone())
                .or_insert(record.time);
            *last = record.time.max(*last);
        }
    })
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

/// Goes through the next records of all regions of an account.
fn step(
    look: &mut Look<'_>,
    account: &str,
    span: Span,
    cursor: Option<Cursor>,
    see: impl FnMut(&Record),
) -> Result<Option<Cursor>> {
    let mut regions = ledger::regions(look, account)?;
    regions.sort_unstable();
    let (start, before) = cursor.map_or((String::new(), None), |cursor| (cursor.region, cursor.before));
    let mut left = regions.into_iter().filter(|region| *region >= start);
    let Some(region) = left.next() else {
        return Ok(None);
    };
    let query = Query {
        account,
        region: &region,
        from: span.from,
        to: span.to,
        attribute: None,
        before: before
            .filter(|_| region == start)
            .map(|(batch, position)| Place { batch, position }),
        limit: STRIDE,
    };
    let page = ledger::scan::page(look, &query)?;
    page.records
        .iter()
        .filter(|record| !record.foreign())
        .for_each(see);
    let here = page.next.map(|place| Cursor {
        region: region.clone(),
        before: Some((place.batch, place.position)),
    });
    let behind = || left.next().map(|region| Cursor { region, before: None });
    Ok(here.or_else(behind))
}
