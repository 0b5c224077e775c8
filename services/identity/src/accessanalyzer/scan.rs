//! The scans of analyzers: one right after an analyzer is made, one soon after a change, and one a day.
//!
//! A scan is a chain of jobs, each of which looks at some resources, so that no transaction grows with an account.
//! Invariant: an analyzer has one planned or running scan; a change during a scan plans another behind it.

use std::sync::Arc;

use pipeline::jobs::JobId;
use pipeline::{Call, Inventoried, Observer, ResourcePolicies, Result, Stretch};
use policy::Arn;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::analyzer::{self, ANALYZERS, Analyzer};
use super::archive_rule::{self, Rule};
use super::external::{self, Subject, Zone};
use super::finding::{self, Finding, Status, What};
use super::resource::{self, Analyzed, RESOURCES};
use super::unused;
use super::zone::{self, Inside};

/// The job of a whole scan, or of its next part.
pub(super) const JOB: &str = "accessanalyzer.Scan";
/// The job that looks at one resource.
pub(super) const ONE: &str = "accessanalyzer.ScanOne";

/// Milliseconds.
const DAY: i64 = 86_400_000;
/// Milliseconds from a change to its scan, so that many changes make one. AWS promises thirty minutes.
const DELAY: i64 = 60_000;
/// Milliseconds that resolved findings are kept.
const KEPT: i64 = 90 * DAY;
/// Resources that one job looks at.
const PART: usize = 100;

/// Hears of changes to what inventories show.
pub static OBSERVER: Observer = Observer { changed };

/// The scan that comes next, or runs.
#[derive(Clone, Serialize, Deserialize)]
struct Plan {
    job: JobId,
    /// Milliseconds since the epoch.
    due: i64,
    running: bool,
    /// Something changed while it ran.
    again: bool,
    /// Counts the scans, so that resources which one did not meet are known to be gone.
    round: u64,
}

store::record!(Plan, 1);

/// By account, region and analyzer.
static PLANS: Table<(String, String, String), Plan> = Table::new(0x0154, "accessanalyzer.plans");

/// What a job goes by.
#[derive(Serialize, Deserialize)]
struct Part {
    name: String,
    id: String,
    /// The inventory, and the place in it, behind which the part begins.
    behind: Option<(usize, String)>,
    /// The one resource to look at.
    arn: Option<String>,
    /// The account that the part is in; without one, the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
}

/// Where a scan goes on: in an account, from its beginning or behind a place in an inventory.
struct Next {
    account: String,
    behind: Option<(usize, String)>,
}

fn plan(call: &mut Call<'_>, analyzer: &Analyzer, due: i64, round: u64) -> Result<()> {
    let job = schedule(call, analyzer, JOB, due, None, None)?;
    let plan = Plan {
        job,
        due,
        running: false,
        again: false,
        round,
    };
    call.put(&PLANS, &analyzer.key(), plan)
}

fn schedule(
    call: &mut Call<'_>,
    analyzer: &Analyzer,
    kind: &'static str,
    due: i64,
    next: Option<Next>,
    arn: Option<String>,
) -> Result<JobId> {
    let (account, behind) = next.map_or((None, None), |next| (Some(next.account), next.behind));
    let part = Part {
        name: analyzer.name.clone(),
        id: analyzer.id.clone(),
        behind,
        arn,
        account,
    };
    let payload = serde_json::to_value(part).map_err(Fault::internal)?;
    // What changed may be in another account than the analyzer, whose job it is.
    call.within(&analyzer.account, |call| {
        call.schedule_in(&analyzer.region, kind, Timestamp(due), payload)
    })
}

/// Plans the first scan of an analyzer.
pub(super) fn begin(call: &mut Call<'_>, analyzer: &Analyzer) -> Result<()> {
    plan(call, analyzer, call.now.0, 1)
}

/// Lets the next scan come soon.
pub(super) fn hasten(call: &mut Call<'_>, analyzer: &Analyzer) -> Result<()> {
    let Some(held) = call.get(&PLANS, &analyzer.key())? else {
        return Ok(());
    };
    let soon = call.now.0.saturating_add(DELAY);
    if held.running {
        if !held.again {
            let mut held = (*held).clone();
            held.again = true;
            call.put(&PLANS, &analyzer.key(), held)?;
        }
        return Ok(());
    }
    if held.due <= soon {
        return Ok(());
    }
    call.unschedule(&held.job)?;
    plan(call, analyzer, soon, held.round)
}

/// Plans no more scans of an analyzer that goes.
pub(super) fn end(call: &mut Call<'_>, analyzer: &Analyzer) -> Result<()> {
    if let Some(held) = call.get(&PLANS, &analyzer.key())? {
        // The next part of a running scan of unused access removes what the parts before it kept.
        if !(held.running && analyzer.is_unused()) {
            call.unschedule(&held.job)?;
        }
        call.delete(&PLANS, &analyzer.key())?;
    }
    Ok(())
}

/// Plans a look at one resource.
pub(super) fn look_at(call: &mut Call<'_>, analyzer: &Analyzer, arn: &str) -> Result<()> {
    let now = call.now.0;
    schedule(call, analyzer, ONE, now, None, Some(arn.to_owned()))?;
    Ok(())
}

/// A call of a service whose resources are analyzed may have changed who reaches them.
fn changed(call: &mut Call<'_>) -> Result<()> {
    let service = call.service();
    let watched = call.inventories().iter().any(|held| held.service == service);
    if !watched {
        return Ok(());
    }
    let everywhere = api::models::service(service).is_some_and(|model| model.global);
    let account = call.account().to_owned();
    for analyzer in zone::watching(call, &account)? {
        if everywhere || analyzer.region == call.region() {
            hasten(call, &analyzer)?;
        }
    }
    Ok(())
}

/// The analyzer that a job was planned for, unless it is gone.
fn planned(call: &mut Call<'_>, part: &Part) -> Result<Option<Analyzer>> {
    let found = analyzer::find(call, &part.name)?;
    let found = found.filter(|analyzer| analyzer.id == part.id);
    Ok(found.map(|analyzer| (*analyzer).clone()))
}

fn read(payload: &serde_json::Value) -> Result<Part> {
    serde_json::from_value(payload.clone()).map_err(Fault::internal)
}

/// A scan, or its next part.
pub(super) fn run(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let part = read(payload)?;
    let Some(mut analyzer) = planned(call, &part)? else {
        if let Some(account) = &part.account
            && unused::forget(call, account, &part.id)?
        {
            call.schedule(JOB, call.now, payload.clone())?;
        }
        return Ok(());
    };
    let Some(held) = call.get(&PLANS, &analyzer.key())? else {
        return Ok(());
    };
    let mut plan = (*held).clone();
    let inside = zone::of(call, &analyzer)?;
    let asked = part.account.clone().or_else(|| inside.accounts.first().cloned());
    let account = asked.filter(|account| inside.accounts.contains(account));
    if let (None, Some(left)) = (&account, &part.account)
        && unused::forget(call, left, &part.id)?
    {
        // What was kept of an account that left goes first.
        plan.job = call.schedule(JOB, call.now, payload.clone())?;
        return call.put(&PLANS, &analyzer.key(), plan);
    }
    let next = match &account {
        Some(account) => step(call, &mut analyzer, (account, part.behind), &inside, plan.round)?,
        // An account that left in the middle of the scan, or an organization that the analyzer may not look at any more.
        None => None,
    };
    call.put(&ANALYZERS, &analyzer.key(), analyzer.clone())?;
    if next.is_some() {
        plan.running = true;
        plan.due = call.now.0;
        plan.job = schedule(call, &analyzer, JOB, plan.due, next, None)?;
        return call.put(&PLANS, &analyzer.key(), plan);
    }
    if account.is_some() {
        sweep(call, &analyzer, plan.round)?;
    }
    let wait = if plan.again { DELAY } else { DAY };
    self::plan(
        call,
        &analyzer,
        call.now.0.saturating_add(wait),
        plan.round.saturating_add(1),
    )
}

/// One part of a scan, in one account; tells where the next one goes on.
fn step(
    call: &mut Call<'_>,
    analyzer: &mut Analyzer,
    (account, behind): (&str, Option<(usize, String)>),
    inside: &Inside,
    round: u64,
) -> Result<Option<Next>> {
    let rules = archive_rule::of_analyzer(call, analyzer)?;
    let mut scan = Scan {
        analyzer,
        rules: &rules,
        round,
    };
    let behind = if scan.analyzer.is_unused() {
        unused::scan(call, &mut scan, account, behind)?
    } else {
        scan.part(call, account, behind, inside)?
    };
    if behind.is_some() {
        let account = account.to_owned();
        return Ok(Some(Next { account, behind }));
    }
    let account = inside.behind(account);
    Ok(account.map(|account| Next {
        account,
        behind: None,
    }))
}

/// A look at one resource.
pub(super) fn run_one(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let part = read(payload)?;
    let (Some(mut analyzer), Some(arn)) = (planned(call, &part)?, part.arn) else {
        return Ok(());
    };
    let rules = archive_rule::of_analyzer(call, &analyzer)?;
    let round = call.get(&PLANS, &analyzer.key())?.map_or(0, |plan| plan.round);
    let found = find(call, &analyzer, &arn)?;
    let Some((kind, found)) = found else {
        return gone(call, &analyzer, &arn);
    };
    let mut scan = Scan {
        analyzer: &mut analyzer,
        rules: &rules,
        round,
    };
    let inside = zone::of(call, scan.analyzer)?;
    scan.external(call, kind, &found, &inside)?;
    call.put(&ANALYZERS, &analyzer.key(), analyzer.clone())
}

/// The resource of an ARN, with its type, if it is one that an analyzer looks at.
pub(super) fn find(
    call: &mut Call<'_>,
    analyzer: &Analyzer,
    arn: &str,
) -> Result<Option<(&'static str, Inventoried)>> {
    let Some(arn) = Arn::parse(arn) else {
        return Ok(None);
    };
    let here = arn.region().is_empty() || arn.region() == analyzer.region;
    if !here || !zone::of(call, analyzer)?.accounts.contains(arn.account()) {
        return Ok(None);
    }
    for inventory in call.inventories().to_vec() {
        if let Some(found) = (inventory.find)(call, &arn)? {
            return Ok(Some((inventory.kind, found)));
        }
    }
    Ok(None)
}

/// A running scan.
pub(super) struct Scan<'a> {
    pub(super) analyzer: &'a mut Analyzer,
    rules: &'a [Arc<Rule>],
    round: u64,
}

/// What was looked at.
pub(super) struct Sight<'a> {
    pub(super) arn: &'a str,
    pub(super) kind: &'a str,
    pub(super) owner: &'a str,
}

impl Scan<'_> {
    /// Looks at the next resources, and tells where to go on if there are more.
    fn part(
        &mut self,
        call: &mut Call<'_>,
        account: &str,
        behind: Option<(usize, String)>,
        inside: &Inside,
    ) -> Result<Option<(usize, String)>> {
        let (first, mut after) = behind.map_or((0, None), |(index, place)| (index, Some(place)));
        let region = self.analyzer.region.clone();
        let inventories = call.inventories().to_vec();
        for (index, inventory) in inventories.iter().enumerate().skip(first) {
            let stretch = Stretch {
                account,
                region: &region,
                after: after.as_deref(),
                limit: PART,
            };
            let page = (inventory.page)(call, &stretch)?;
            for (_, resource) in &page {
                self.external(call, inventory.kind, resource, inside)?;
            }
            if page.len() == PART {
                return Ok(page.into_iter().next_back().map(|(place, _)| (index, place)));
            }
            after = None;
        }
        Ok(None)
    }

    /// Looks at who outside reaches a resource.
    fn external(
        &mut self,
        call: &mut Call<'_>,
        kind: &str,
        resource: &Inventoried,
        inside: &Inside,
    ) -> Result<()> {
        let (arn, owner) = (&resource.arn, &resource.owner);
        let found = external(call, inside, (arn, owner), &resource.policies)?;
        let sight = Sight {
            arn: &resource.arn,
            kind,
            owner: &resource.owner,
        };
        self.note(call, &sight, found)
    }

    /// Notes what a look at a resource found: new findings are made, those that are found no more are resolved.
    pub(super) fn note(
        &mut self,
        call: &mut Call<'_>,
        sight: &Sight<'_>,
        mut found: Vec<What>,
    ) -> Result<()> {
        let now = call.now.0;
        let key = resource::row(self.analyzer, sight.arn);
        let held = call.get(&RESOURCES, &key)?;
        let mut analyzed = held.map_or_else(|| Analyzed::new(sight, now), |held| (*held).clone());
        let mut open = Vec::new();
        for id in &analyzed.findings {
            let Some(known) = finding::find(call, self.analyzer, id)? else {
                continue;
            };
            let mut known = (*known).clone();
            known.analyzed = now;
            match found.iter().position(|what| what.same(&known.what)) {
                Some(place) => {
                    let what = found.swap_remove(place);
                    if what != known.what {
                        known.what = what;
                        known.updated = now;
                    }
                    open.push(known.id.clone());
                }
                None => {
                    known.status = Status::Resolved;
                    known.updated = now;
                    analyzed.updated = now;
                }
            }
            finding::keep(call, self.analyzer, known)?;
        }
        for what in found {
            let mut finding = Finding {
                id: call.uuid()?,
                resource: sight.arn.to_owned(),
                kind: sight.kind.to_owned(),
                owner: sight.owner.to_owned(),
                status: Status::Active,
                created: now,
                analyzed: now,
                updated: now,
                what,
            };
            if archive_rule::archives(self.rules, &finding) {
                finding.status = Status::Archived;
            }
            analyzed.updated = now;
            open.push(finding.id.clone());
            finding::keep(call, self.analyzer, finding)?;
        }
        analyzed.findings = open;
        analyzed.analyzed = now;
        analyzed.round = self.round;
        self.analyzer.last = Some((sight.arn.to_owned(), now));
        call.put(&RESOURCES, &key, analyzed)
    }
}

/// What there is to find of a resource with these policies: its ARN, and the account that owns it.
pub(super) fn external(
    call: &mut Call<'_>,
    inside: &Inside,
    (arn, owner): (&str, &str),
    policies: &ResourcePolicies,
) -> Result<Vec<What>> {
    // Roles are reached through STS; whatever else has a policy, through its own service.
    let action = match Arn::parse(arn).as_ref().map(Arn::service) {
        Some("iam") | None => "sts:AssumeRole".to_owned(),
        Some(service) => format!("{service}:Access"),
    };
    let directory = call.directory();
    let resource_control = directory.resource_control(call, owner, &action, arn)?;
    let zone = Zone {
        trusts: &|id| inside.trusts(id),
        resource_control: &resource_control,
    };
    let subject = Subject { arn, owner, policies };
    let found = external::accesses(&subject, &zone)
        .into_iter()
        .map(|access| What::External {
            principal: access.principal,
            action: access.actions.into_iter().collect(),
            condition: access.condition,
            public: access.public,
            controlled: !resource_control.is_empty(),
        });
    Ok(found.collect())
}

/// Resolves the findings of a resource that is no more.
fn gone(call: &mut Call<'_>, analyzer: &Analyzer, arn: &str) -> Result<()> {
    let key = resource::row(analyzer, arn);
    let Some(held) = call.get(&RESOURCES, &key)? else {
        return Ok(());
    };
    for id in &held.findings {
        if let Some(known) = finding::find(call, analyzer, id)? {
            let mut known = (*known).clone();
            known.status = Status::Resolved;
            known.updated = call.now.0;
            finding::keep(call, analyzer, known)?;
        }
    }
    call.delete(&RESOURCES, &key)
}

/// At the end of a scan: resources that it did not meet are gone, and old resolved findings are forgotten.
fn sweep(call: &mut Call<'_>, analyzer: &Analyzer, round: u64) -> Result<()> {
    for analyzed in resource::of_analyzer(call, analyzer)? {
        if analyzed.round != round {
            gone(call, analyzer, &analyzed.arn)?;
        }
    }
    for finding in finding::of_analyzer(call, analyzer)? {
        let old = finding.updated.saturating_add(KEPT) <= call.now.0;
        if finding.status == Status::Resolved && old {
            finding::forget(call, analyzer, &finding.id)?;
        }
    }
    Ok(())
}
