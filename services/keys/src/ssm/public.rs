//! Public parameters: what AWS tells under `/aws/service` of its regions, zones, services and endpoints (Systems Manager User
//! Guide, "Discovering public parameters" and "Calling public parameters for AWS services, Regions, endpoints, …").
//!
//! They are facts that were compiled from a file, not rows, and belong to no account. Parameters that would name an image of AWS's
//! are absent, because no such image exists here.
//!
//! Invariant: only services that this installation answers for are told, and nobody can change or shadow a public parameter.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use api::ssm::ParameterType;
use pipeline::{Look, Result};
use wire::Fault;

use crate::ssm::page::Page;
use crate::ssm::parameter::{Parameter, Stored, Version};
use crate::ssm::scan::{ROWS_MAX, Step};

/// The facts; `services/keys/data/README.md` says what they are and where they come from.
static FACTS: &str = include_str!("../../data/global-infrastructure.tsv");
/// What all public parameters lie under.
const ROOT: &str = "/aws/service";
/// What the facts lie under.
const INFRASTRUCTURE: &str = "/aws/service/global-infrastructure";

enum Content {
    Text(Cow<'static, str>),
    /// The region that is asked.
    Region,
}

/// A public parameter.
struct Fact {
    name: String,
    content: Content,
    /// The models of the service that it is about, of which one must be served here; empty if it is about none.
    models: &'static str,
}

struct Facts {
    /// In the order of their names.
    all: Vec<Fact>,
    /// Regions in which the parameters can be asked for.
    answering: Vec<&'static str>,
    /// Milliseconds since the epoch, of the data.
    dated: i64,
}

/// Whether a name or path is one of AWS's own.
pub(crate) fn is_public(name: &str) -> bool {
    let rest = name.strip_prefix(ROOT);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Refuses a name that nobody may write (S10.2).
pub(crate) fn expect_own(name: &str) -> Result<()> {
    let bare = name.strip_prefix('/').unwrap_or(name);
    let reserved = bare
        .split_once('/')
        .is_some_and(|(level, _)| level.eq_ignore_ascii_case("aws"));
    if reserved {
        let message = format!("No access to reserved parameter name: {name}.");
        return Err(Fault::access_denied(message));
    }
    Ok(())
}

/// The public parameter of a name, in the region of the call.
pub(crate) fn find(look: &Look<'_>, name: &str) -> Option<Arc<Parameter>> {
    let facts = answering(look)?;
    let place = facts
        .all
        .binary_search_by(|fact| fact.name.as_str().cmp(name))
        .ok()?;
    let fact = facts.all.get(place)?;
    fact.is_told(look)
        .then(|| Arc::new(fact.parameter(look, facts.dated)))
}

/// The public parameters whose names begin with `prefix` and that `choose` takes, and the token of the next page: as `scan` does
/// for the account's own.
pub(crate) fn scan(
    look: &Look<'_>,
    prefix: &str,
    page: &Page,
    choose: impl Fn(&Parameter) -> Step,
) -> Result<(Vec<Arc<Parameter>>, Option<String>)> {
    let mut taken: Vec<Arc<Parameter>> = Vec::new();
    let Some(facts) = answering(look) else {
        return Ok((taken, None));
    };
    let behind = |text: &str| facts.all.partition_point(|fact| fact.name.as_str() <= text);
    let mut at = match &page.after {
        Some(after) => behind(after),
        None => facts.all.partition_point(|fact| fact.name.as_str() < prefix),
    };
    let mut last = page.after.clone().unwrap_or_default();
    let mut looked = 0;
    while let Some(fact) = facts.all.get(at).filter(|fact| fact.name.starts_with(prefix)) {
        at += 1;
        if !fact.is_told(look) {
            continue;
        }
        let parameter = fact.parameter(look, facts.dated);
        let step = choose(&parameter);
        let take = matches!(step, Step::Take);
        if (take && taken.len() == page.limit) || looked == ROWS_MAX {
            return Ok((taken, Some(page.next(look, &last)?)));
        }
        looked += 1;
        last.clone_from(&fact.name);
        if take {
            taken.push(Arc::new(parameter));
        }
        if let Step::PassUntil(text) = step {
            at = behind(&text);
            last = text;
        }
    }
    Ok((taken, None))
}

/// The facts, where AWS answers for them.
fn answering(look: &Look<'_>) -> Option<&'static Facts> {
    static READ: OnceLock<Facts> = OnceLock::new();
    let facts = READ.get_or_init(|| read(FACTS));
    facts.answering.contains(&look.region()).then_some(facts)
}

impl Fact {
    fn is_told(&self, look: &Look<'_>) -> bool {
        self.models.is_empty() || self.models.split(' ').any(|model| look.serves(model))
    }

    fn parameter(&self, look: &Look<'_>, dated: i64) -> Parameter {
        let value = match &self.content {
            Content::Text(text) => text.clone().into_owned(),
            Content::Region => look.region().to_owned(),
        };
        let mut newest = Version::new(ParameterType::String, Stored::Clear(value));
        newest.modified = dated;
        Parameter {
            name: self.name.clone(),
            kept: vec![newest.number],
            newest,
            labels: BTreeMap::new(),
            tags: BTreeMap::new(),
            jobs: Vec::new(),
        }
    }
}

/// A region, as far as endpoints need it.
#[derive(Clone, Copy)]
struct Place {
    name: &'static str,
    domain: &'static str,
}

/// The tree that the file's lines make.
fn read(text: &'static str) -> Facts {
    let mut facts = Facts {
        all: Vec::new(),
        answering: Vec::new(),
        dated: 0,
    };
    let mut places: Vec<Place> = Vec::new();
    let (mut service, mut models) = ("", "");
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>().as_slice() {
            ["dated", date] => facts.date(date),
            ["region", name, answers, leaves @ .., zones, local, wavelength] => {
                facts.answering.extend((*answers == "yes").then_some(*name));
                let domain = leaves.get(1).copied().unwrap_or_default();
                places.push(Place { name, domain });
                facts.region(name, leaves);
                facts.zones(name, &[zones, local, wavelength]);
            }
            ["service", name, of, long, page] => {
                (service, models) = (name, of);
                let base = format!("{INFRASTRUCTURE}/services/{name}");
                facts.add(format!("{base}/longName"), *long, of);
                if !page.is_empty() {
                    facts.add(format!("{base}/marketingHomeURL"), *page, of);
                }
                facts.add(base, *name, of);
            }
            ["offer", host, protocols, regions] => {
                for region in regions.split(' ') {
                    let place = places.iter().find(|place| place.name == region).copied();
                    facts.offer((service, models), place, host, protocols);
                }
            }
            _ => {}
        }
    }
    facts.all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    facts
}

impl Facts {
    fn add(&mut self, name: String, value: impl Into<Cow<'static, str>>, models: &'static str) {
        let content = Content::Text(value.into());
        self.all.push(Fact {
            name,
            content,
            models,
        });
    }

    /// What the data's own date makes.
    fn date(&mut self, date: &'static str) {
        let moment = wire::Timestamp::from_iso8601(&format!("{date}T00:00:00Z"));
        self.dated = moment.map(|moment| moment.0).unwrap_or_default();
        let version = format!("1.0.0-{}", date.replace('-', ""));
        self.add(format!("{INFRASTRUCTURE}/version"), version, "");
        self.add(
            format!("{ROOT}/list/global-infrastructure"),
            "/aws/service/global-infrastructure/",
            "",
        );
        let name = format!("{INFRASTRUCTURE}/current-region");
        self.all.push(Fact {
            name,
            content: Content::Region,
            models: "",
        });
    }

    fn region(&mut self, name: &'static str, leaves: &[&'static str]) {
        let base = format!("{INFRASTRUCTURE}/regions/{name}");
        let named = [
            "longName",
            "domain",
            "geolocationCountry",
            "geolocationRegion",
            "partition",
        ];
        for (leaf, value) in named.into_iter().zip(leaves) {
            self.add(format!("{base}/{leaf}"), *value, "");
        }
        self.add(base, name, "");
    }

    /// Zones by themselves, with the region of those that are elsewhere, and under their region.
    fn zones(&mut self, region: &'static str, lists: &[&'static str]) {
        let kinds = ["availability-zones", "local-zones", "wavelength-zones"];
        for (kind, list) in kinds.into_iter().zip(lists) {
            for zone in list.split_ascii_whitespace() {
                self.add(
                    format!("{INFRASTRUCTURE}/regions/{region}/{kind}/{zone}"),
                    zone,
                    "",
                );
                if kind != "availability-zones" {
                    self.add(
                        format!("{INFRASTRUCTURE}/{kind}/{zone}/parent-region"),
                        region,
                        "",
                    );
                }
                self.add(format!("{INFRASTRUCTURE}/{kind}/{zone}"), zone, "");
            }
        }
    }

    /// A service in a region, from both sides.
    fn offer(
        &mut self,
        (service, models): (&'static str, &'static str),
        place: Option<Place>,
        host: &'static str,
        protocols: &'static str,
    ) {
        let Some(Place { name: region, domain }) = place else {
            return;
        };
        let sides = [
            (
                format!("{INFRASTRUCTURE}/regions/{region}/services/{service}"),
                service,
            ),
            (
                format!("{INFRASTRUCTURE}/services/{service}/regions/{region}"),
                region,
            ),
        ];
        for (base, value) in sides {
            if !host.is_empty() {
                let host = host.replace("{region}", region).replace("{domain}", domain);
                self.add(format!("{base}/endpoint"), host, models);
            }
            if !protocols.is_empty() {
                self.add(format!("{base}/protocols"), protocols, models);
            }
            self.add(base, value, models);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_file_is_read() {
        let facts = read(FACTS);
        assert_eq!(facts.answering.len(), 17);
        assert!(facts.dated > 1_700_000_000_000);
        let regions = FACTS.lines().filter(|line| line.starts_with("region\t")).count();
        let at = |name: &str| {
            let place = facts
                .all
                .binary_search_by(|fact| fact.name.as_str().cmp(name))
                .unwrap();
            match &facts.all[place].content {
                Content::Text(text) => text.clone().into_owned(),
                Content::Region => panic!("{name} is the region"),
            }
        };
        assert_eq!(regions, 39);
        let base = INFRASTRUCTURE;
        assert_eq!(
            at(&format!("{base}/regions/eu-west-1/longName")),
            "Europe (Ireland)"
        );
        assert_eq!(at(&format!("{base}/regions/cn-north-1/partition")), "aws-cn");
        let endpoint = at(&format!("{base}/regions/cn-north-1/services/kms/endpoint"));
        assert_eq!(endpoint, "kms.cn-north-1.amazonaws.com.cn");
        let endpoint = at(&format!("{base}/services/iam/regions/eu-west-1/endpoint"));
        assert_eq!(endpoint, "iam.amazonaws.com");
        assert_eq!(
            at(&format!("{base}/services/s3/regions/us-east-1/protocols")),
            "HTTPS, HTTP"
        );
        let names: std::collections::BTreeSet<&str> =
            facts.all.iter().map(|fact| fact.name.as_str()).collect();
        assert_eq!(names.len(), facts.all.len(), "no name twice");
    }

    #[test]
    fn reserved_names_are_those_below_aws() {
        assert!(expect_own("/aws/service/x").is_err());
        assert!(expect_own("aws/x").is_err());
        assert!(expect_own("/AWS/x").is_err());
        assert!(expect_own("/awsome/x").is_ok());
        assert!(expect_own("/team/aws/x").is_ok());
        assert!(is_public("/aws/service") && is_public("/aws/service/"));
        assert!(!is_public("/aws/services") && !is_public("aws/service/x"));
    }
}
