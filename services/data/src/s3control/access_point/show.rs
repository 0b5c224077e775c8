//! What an account sees of its access points.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::s3control as model;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::fault::Common;
use wire::{Fault, Timestamp};

use super::{AccessPointTarget, expect_own, find};
use crate::s3::access_point::{ACCESS_POINTS, AccessPoint, OF_BUCKET, TYPE};

const PURPOSE: &str = "s3control.access-points";
/// Access points of a page.
const PAGE_MAX: usize = 1000;

/// An access point as it is shown: policies do not tell one from another (Service Authorization Reference, "GetAccessPoint").
pub struct ShownAccessPoint(AccessPointTarget);

impl Resource for ShownAccessPoint {
    /// The record names it by its own ARN.
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        "*".to_owned()
    }

    fn account(&self) -> &str {
        self.0.account()
    }

    fn conditions(&self, context: &mut Context) {
        self.0.conditions(context);
    }
}

/// Shows an access point.
pub struct GetAccessPoint;

impl Operation for GetAccessPoint {
    type Input = model::GetAccessPointRequest;
    type Output = model::GetAccessPointResult;
    type Target = ShownAccessPoint;
    const ACCESS: Access = Access::read("s3:GetAccessPoint");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ShownAccessPoint>> {
        Ok(match find(look, &input.account_id, &input.name)? {
            Found::Here(point) => Found::Here(ShownAccessPoint(point)),
            Found::Absent { fault, .. } => Found::Absent {
                arn: "*".to_owned(),
                fault,
            },
        })
    }

    fn handle(
        call: &mut Call<'_>,
        point: Authorized<ShownAccessPoint>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let point = &point.0.0;
        call.mention(point.arn(), &point.account, TYPE);
        Ok(model::GetAccessPointResult {
            name: Some(point.name.clone()),
            bucket: Some(point.bucket.clone()),
            network_origin: model::NetworkOrigin::parse(point.origin()),
            vpc_configuration: vpc(point),
            public_access_block_configuration: Some(model::PublicAccessBlockConfiguration {
                block_public_acls: Some(point.block.block_public_acls),
                ignore_public_acls: Some(point.block.ignore_public_acls),
                block_public_policy: Some(point.block.block_public_policy),
                restrict_public_buckets: Some(point.block.restrict_public_buckets),
            }),
            creation_date: Some(Timestamp(point.created)),
            alias: Some(point.alias.clone()),
            access_point_arn: Some(point.arn()),
            endpoints: Some(endpoints(&point.region)),
            bucket_account_id: Some(point.bucket_account.clone()),
            ..Default::default()
        })
    }
}

fn vpc(point: &AccessPoint) -> Option<model::VpcConfiguration> {
    let vpc_id = point.vpc.clone()?;
    Some(model::VpcConfiguration { vpc_id })
}

/// The hosts behind which access points of a region are, by their kind.
fn endpoints(region: &str) -> BTreeMap<String, String> {
    let host = |before: &str, between: &str| format!("{before}.{between}{region}.amazonaws.com");
    [
        ("ipv4", host("s3-accesspoint", "")),
        ("dualstack", host("s3-accesspoint", "dualstack.")),
        ("fips", host("s3-accesspoint-fips", "")),
        ("fips_dualstack", host("s3-accesspoint-fips", "dualstack.")),
    ]
    .map(|(kind, host)| (kind.to_owned(), host))
    .into()
}

/// Lists the account's access points in the region, or those to one bucket.
pub struct ListAccessPoints;

impl Operation for ListAccessPoints {
    type Input = model::ListAccessPointsRequest;
    type Output = model::ListAccessPointsResult;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("s3:ListAccessPoints");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Self::Output> {
        expect_own(call, &input.account_id)?;
        if input.data_source_id.is_some() {
            return Err(Fault::common(
                Common::NotImplemented,
                "Access points of other data sources than buckets are not implemented by this version of Ringwork.",
            ));
        }
        let size = input
            .max_results
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size > 0);
        let size = size.unwrap_or(PAGE_MAX).min(PAGE_MAX);
        let scope = format!(
            "{}\0{}\0",
            call.region(),
            input.bucket.as_deref().unwrap_or_default()
        );
        let after = input.next_token.as_ref();
        let after = after.map(|token| open(call, &scope, token)).transpose()?;
        let mut points = match &input.bucket {
            Some(bucket) => of_bucket(call, bucket, after, size + 1)?,
            None => of_region(call, after, size + 1)?,
        };
        let more = points.len() > size;
        points.truncate(size);
        let last = points.last().filter(|_| more);
        let next_token = last
            .map(|last| call.issue_token(PURPOSE, format!("{scope}{}", last.name).as_bytes()))
            .transpose()?;
        Ok(model::ListAccessPointsResult {
            access_point_list: Some(points.iter().map(|point| line(point)).collect()),
            next_token,
        })
    }
}

fn line(point: &AccessPoint) -> model::AccessPoint {
    model::AccessPoint {
        name: point.name.clone(),
        network_origin: model::NetworkOrigin::parse(point.origin()).unwrap_or(model::NetworkOrigin::Internet),
        vpc_configuration: vpc(point),
        bucket: point.bucket.clone(),
        access_point_arn: Some(point.arn()),
        alias: Some(point.alias.clone()),
        bucket_account_id: Some(point.bucket_account.clone()),
        data_source_id: None,
        data_source_type: None,
    }
}

/// The name behind which the page of a token begins.
fn open(call: &Call<'_>, scope: &str, token: &str) -> Result<String> {
    let payload = call.open_token(PURPOSE, token);
    let name = payload
        .as_ref()
        .and_then(|payload| payload.expose_text().ok())
        .and_then(|payload| payload.strip_prefix(scope));
    name.map(str::to_owned).ok_or_else(|| {
        Fault::plain(
            "InvalidNextToken",
            400,
            "The continuation token provided is incorrect",
        )
    })
}

type Points = Vec<Arc<AccessPoint>>;

fn of_region(call: &mut Call<'_>, after: Option<String>, limit: usize) -> Result<Points> {
    let (account, region) = (call.account().to_owned(), call.region().to_owned());
    let after = after.map(|name| (account.clone(), region.clone(), name));
    let prefix = (account.as_str(), region.as_str());
    let rows = call.range(&ACCESS_POINTS, &prefix, after.as_ref(), limit)?;
    Ok(rows.into_iter().map(|(_, point)| point).collect())
}

fn of_bucket(call: &mut Call<'_>, bucket: &str, after: Option<String>, limit: usize) -> Result<Points> {
    let account = call.account().to_owned();
    let after = after.map(|name| (bucket.to_owned(), account.clone(), name));
    let rows = call.range(&OF_BUCKET, &(bucket, account.as_str()), after.as_ref(), limit)?;
    let mut points = Points::new();
    for ((_, account, name), of) in rows {
        // A bucket's access points are all in its region.
        if of.region == call.region() {
            points.extend(call.get(&ACCESS_POINTS, &(account, of.region.clone(), name))?);
        }
    }
    Ok(points)
}
