//! Regions and Availability Zones, and operations on a region as a whole.
//!
//! Source: AWS Global Infrastructure, "AWS Regions and Availability Zones" (names and zone ids); Amazon EC2 API Reference,
//! `DescribeRegions`, `DescribeAvailabilityZones`.
//!
//! Invariant: zone `a` of every account is zone 1: accounts of one Ringwork share the machine that it runs on.

use std::sync::Arc;

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use super::fault::invalid;
use super::page::Listing;

/// A region: its name, the beginning of its zones' ids, and whether accounts must ask for it.
const REGIONS: &[(&str, &str, bool)] = &[
    ("af-south-1", "afs1", true),
    ("ap-east-1", "ape1", true),
    ("ap-east-2", "ape2", true),
    ("ap-northeast-1", "apne1", false),
    ("ap-northeast-2", "apne2", false),
    ("ap-northeast-3", "apne3", false),
    ("ap-south-1", "aps1", false),
    ("ap-south-2", "aps2", true),
    ("ap-southeast-1", "apse1", false),
    ("ap-southeast-2", "apse2", false),
    ("ap-southeast-3", "apse3", true),
    ("ap-southeast-4", "apse4", true),
    ("ap-southeast-5", "apse5", true),
    ("ap-southeast-7", "apse7", true),
    ("ca-central-1", "cac1", false),
    ("ca-west-1", "caw1", true),
    ("eu-central-1", "euc1", false),
    ("eu-central-2", "euc2", true),
    ("eu-north-1", "eun1", false),
    ("eu-south-1", "eus1", true),
    ("eu-south-2", "eus2", true),
    ("eu-west-1", "euw1", false),
    ("eu-west-2", "euw2", false),
    ("eu-west-3", "euw3", false),
    ("il-central-1", "ilc1", true),
    ("me-central-1", "mec1", true),
    ("me-south-1", "mes1", true),
    ("mx-central-1", "mxc1", true),
    ("sa-east-1", "sae1", false),
    ("us-east-1", "use1", false),
    ("us-east-2", "use2", false),
    ("us-west-1", "usw1", false),
    ("us-west-2", "usw2", false),
];
/// The letters of a region's zones here.
const LETTERS: [&str; 3] = ["a", "b", "c"];

/// The zones of a region: name and id. Of a region that AWS does not have, ids are made alike.
pub(super) fn zones(region: &str) -> Vec<(String, String)> {
    let known = REGIONS.iter().find(|(name, ..)| *name == region);
    let code = known.map_or_else(|| region.replace('-', ""), |(_, code, _)| (*code).to_owned());
    let numbered = LETTERS.iter().zip(1..);
    numbered
        .map(|(letter, number)| (format!("{region}{letter}"), format!("{code}-az{number}")))
        .collect()
}

/// The id of a zone, by its name.
pub(super) fn zone_id(region: &str, zone: &str) -> String {
    let found = zones(region).into_iter().find(|(name, _)| name == zone);
    found.map(|(_, id)| id).unwrap_or_default()
}

/// A region of the calling account, as the target of operations that name no resource: policies see `*` and `ec2:Region`.
pub struct RegionScope {
    account: Arc<str>,
    region: String,
}

impl RegionScope {
    pub(super) fn of(look: &Look<'_>) -> Found<Self> {
        Found::Here(Self {
            account: look.account_shared(),
            region: look.region().to_owned(),
        })
    }
}

impl Resource for RegionScope {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        "*".to_owned()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
    }
}

/// Lists the regions.
pub struct DescribeRegions;

impl Operation for DescribeRegions {
    type Input = model::DescribeRegionsRequest;
    type Output = model::DescribeRegionsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeRegions");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        _call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let filters = Listing::whole(input.dry_run, input.filters)?;
        let names = input.region_names.unwrap_or_default();
        let known = |name: &String| REGIONS.iter().any(|(region, ..)| region == name);
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            return Err(invalid(format!("Invalid region name '{unknown}'")));
        }
        let all = input.all_regions == Some(true);
        let mut regions = Vec::new();
        for (name, _, asked_for) in REGIONS {
            let status = if *asked_for {
                "not-opted-in"
            } else {
                "opt-in-not-required"
            };
            let endpoint = format!("ec2.{name}.amazonaws.com");
            let passes = filters.pass(|filter| match filter {
                "region-name" => Some(vec![(*name).to_owned()]),
                "endpoint" => Some(vec![endpoint.clone()]),
                "opt-in-status" => Some(vec![status.to_owned()]),
                _ => None,
            })?;
            let wanted = names.is_empty() || names.iter().any(|wanted| wanted == name);
            if passes && wanted && (all || !asked_for || !names.is_empty()) {
                regions.push(model::Region {
                    endpoint: Some(endpoint),
                    opt_in_status: Some(status.to_owned()),
                    region_name: Some((*name).to_owned()),
                    ..model::Region::default()
                });
            }
        }
        Ok(model::DescribeRegionsResult {
            regions: Some(regions),
        })
    }
}

/// Lists the zones of the region.
pub struct DescribeAvailabilityZones;

impl Operation for DescribeAvailabilityZones {
    type Input = model::DescribeAvailabilityZonesRequest;
    type Output = model::DescribeAvailabilityZonesResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeAvailabilityZones");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let filters = Listing::whole(input.dry_run, input.filters)?;
        let region = call.region().to_owned();
        let (names, ids) = (
            input.zone_names.unwrap_or_default(),
            input.zone_ids.unwrap_or_default(),
        );
        let known = zones(&region);
        for (name, of) in [(&names, 0), (&ids, 1)] {
            let wrong = name.iter().find(|asked| {
                let held =
                    |(name, id): &(String, String)| if of == 0 { name == *asked } else { id == *asked };
                !known.iter().any(held)
            });
            if let Some(wrong) = wrong {
                return Err(invalid(format!("Invalid availability zone: [{wrong}]")));
            }
        }
        let mut shown = Vec::new();
        for (name, id) in known {
            let passes = filters.pass(|filter| zone_value(filter, &region, &name, &id))?;
            let wanted = (names.is_empty() || names.contains(&name)) && (ids.is_empty() || ids.contains(&id));
            if passes && wanted {
                shown.push(zone(&region, name, id));
            }
        }
        Ok(model::DescribeAvailabilityZonesResult {
            availability_zones: Some(shown),
        })
    }
}

fn zone_value(filter: &str, region: &str, name: &str, id: &str) -> Option<Vec<String>> {
    let value = match filter {
        "zone-name" => name,
        "zone-id" => id,
        "zone-type" => "availability-zone",
        "region-name" | "group-name" => region,
        "state" => "available",
        "opt-in-status" => "opt-in-not-required",
        _ => return None,
    };
    Some(vec![value.to_owned()])
}

fn zone(region: &str, name: String, id: String) -> model::AvailabilityZone {
    model::AvailabilityZone {
        group_name: Some(format!("{region}-zg-1")),
        network_border_group: Some(region.to_owned()),
        opt_in_status: Some(model::AvailabilityZoneOptInStatus::OptInNotRequired),
        region_name: Some(region.to_owned()),
        state: Some(model::AvailabilityZoneState::Available),
        zone_id: Some(id),
        zone_name: Some(name),
        zone_type: Some("availability-zone".to_owned()),
        ..model::AvailabilityZone::default()
    }
}

/// The zone that a request names, or the first one.
pub(super) fn chosen(region: &str, name: Option<&str>, id: Option<&str>) -> Result<String> {
    let zones = zones(region);
    let found = match (name, id) {
        (Some(name), _) => zones.iter().find(|(known, _)| known == name),
        (None, Some(id)) => zones.iter().find(|(_, known)| known == id),
        (None, None) => zones.first(),
    };
    let found = found.filter(|(_, known)| id.is_none_or(|id| id == known));
    match found {
        Some((zone, _)) => Ok(zone.clone()),
        None => Err(Fault::plain(
            "InvalidParameterValue",
            400,
            format!("Invalid availability zone: [{}]", name.or(id).unwrap_or_default()),
        )),
    }
}
