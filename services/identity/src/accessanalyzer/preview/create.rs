//! The making of a preview, which is analyzed at once.

use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Arn;

use super::configuration::Configuration;
use super::{PREVIEWS, Preview, Previewed, row};
use crate::accessanalyzer::analyzer::{self, Analyzer};
use crate::accessanalyzer::archive_rule;
use crate::accessanalyzer::fault::{invalid, quota, taken};
use crate::accessanalyzer::finding::{self, Finding, Status, What};
use crate::accessanalyzer::resource::{self, RESOURCES};
use crate::accessanalyzer::{scan, zone};

/// Milliseconds.
const HOUR: i64 = 3_600_000;
/// Previews of an analyzer within an hour.
const HOURLY_MAX: usize = 1000;

/// Tells who would reach a resource from outside.
pub struct CreateAccessPreview;

impl Operation for CreateAccessPreview {
    type Input = model::CreateAccessPreviewRequest;
    type Output = model::CreateAccessPreviewResponse;
    type Target = Analyzer;
    const ACCESS: Access = Access::write("access-analyzer:CreateAccessPreview");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Analyzer>> {
        analyzer::by_arn(look, &input.analyzer_arn)
    }

    fn handle(
        call: &mut Call<'_>,
        analyzer: Authorized<Analyzer>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        if analyzer.is_unused() {
            return Err(invalid(
                "This action is not supported for unused access analyzers.",
            ));
        }
        let mut given = input.configurations.into_iter();
        let (Some((resource, configuration)), None) = (given.next(), given.next()) else {
            return Err(invalid("The configurations must contain exactly one element."));
        };
        let configuration = Configuration::read(&resource, configuration)?;
        let held = super::list::all(call, &analyzer)?;
        if let Some(token) = &input.client_token {
            let again = held.iter().find(|held| held.token.as_ref() == Some(token));
            if let Some(again) = again {
                if again.resource == resource && again.configuration == configuration {
                    return Ok(model::CreateAccessPreviewResponse { id: again.id.clone() });
                }
                return Err(taken("AccessPreview", &again.id));
            }
        }
        let inside = zone::of(call, &analyzer)?;
        let owner = Arn::parse(&resource)
            .filter(|arn| arn.region().is_empty() || arn.region() == analyzer.region)
            .map(|arn| arn.account().to_owned());
        let Some(owner) = owner.filter(|owner| inside.accounts.contains(owner)) else {
            return Err(invalid(format!(
                "The resource {resource} is not in the zone of trust of the analyzer."
            )));
        };
        expect_room(&held, call.now.0, &analyzer)?;
        let present = scan::find(call, &analyzer, &resource)?.map(|(_, found)| found);
        let proposed = configuration.policies(&owner, present);
        let findings = match &proposed {
            Some(policies) => {
                let found = scan::external(call, &inside, (&resource, &owner), policies)?;
                compared(call, &analyzer, (&resource, &owner), configuration.kind(), found)?
            }
            None => Vec::new(),
        };
        let id = call.uuid()?;
        let preview = Preview {
            id: id.clone(),
            analyzer: analyzer.arn(),
            resource,
            configuration,
            created: call.now.0,
            failed: proposed.is_none(),
            findings,
            token: input.client_token,
        };
        call.put(&PREVIEWS, &row(&analyzer, &id), preview)?;
        Ok(model::CreateAccessPreviewResponse { id })
    }
}

fn expect_room(held: &[Arc<Preview>], now: i64, analyzer: &Analyzer) -> Result<()> {
    let hour = now.saturating_sub(HOUR);
    if held.iter().filter(|held| held.created > hour).count() >= HOURLY_MAX {
        let message =
            format!("The maximum of {HOURLY_MAX} access previews of an analyzer per hour is reached.");
        return Err(quota(&message, "AccessPreview", &analyzer.name));
    }
    Ok(())
}

/// What would be found, beside what is found now.
fn compared(
    call: &mut Call<'_>,
    analyzer: &Analyzer,
    (resource, owner): (&str, &str),
    kind: &str,
    found: Vec<What>,
) -> Result<Vec<Previewed>> {
    let rules = archive_rule::of_analyzer(call, analyzer)?;
    let held = call.get(&RESOURCES, &resource::row(analyzer, resource))?;
    let mut known: Vec<Finding> = Vec::new();
    for id in held.iter().flat_map(|held| &held.findings) {
        known.extend(finding::find(call, analyzer, id)?.map(|finding| (*finding).clone()));
    }
    let now = call.now.0;
    let mut previewed = Vec::new();
    for what in found {
        let mut finding = Finding {
            id: call.uuid()?,
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            owner: owner.to_owned(),
            status: Status::Active,
            created: now,
            analyzed: now,
            updated: now,
            what,
        };
        let place = known.iter().position(|known| known.what.same(&finding.what));
        let existing = place.map(|place| known.swap_remove(place));
        if let Some(existing) = &existing {
            finding.status = existing.status;
        } else if archive_rule::archives(&rules, &finding) {
            finding.status = Status::Archived;
        }
        let change = if existing.is_some() { "UNCHANGED" } else { "NEW" };
        previewed.push(Previewed {
            finding,
            change: change.to_owned(),
            existing: existing.map(|existing| (existing.id, existing.status)),
        });
    }
    for existing in known {
        let finding = Finding {
            id: call.uuid()?,
            status: Status::Resolved,
            created: now,
            ..existing.clone()
        };
        previewed.push(Previewed {
            finding,
            change: "CHANGED".to_owned(),
            existing: Some((existing.id, existing.status)),
        });
    }
    Ok(previewed)
}
