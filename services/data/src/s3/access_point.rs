//! Access points: further names of a bucket, each with a policy of its own that stands before the bucket's.
//!
//! A request names one by its ARN, by its alias in a bucket's place, or by its host (`NAME-ACCOUNT`). It is judged twice: at the access
//! point, for the access point's ARN, and at the bucket. On AWS access points speak TLS alone; Ringwork's plaintext port is for the
//! machine itself, so they are served there too.
//!
//! Invariant: an access point gives nothing that its bucket's own policies do not give; the bucket must still be of the account that it
//! was made for.
//!
//! Source: S3 User Guide, "Managing access to shared datasets with access points".

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pipeline::{Call, Found, Look, ResourcePolicies, Result, Way};
use policy::{Arn, Attached, Context, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::Fault;

use super::access::{self, ACCOUNT_BLOCKS};
use super::bucket::{BUCKETS, Bucket, BucketTarget, PublicAccessBlock};
use super::fault::{no_such_bucket, permanent_redirect, text};
use super::locate;

/// CloudFormation's type name.
pub const TYPE: &str = "AWS::S3::AccessPoint";
/// The end of every alias, which no bucket's name has.
const ALIAS: &str = "-s3alias";

/// An access point.
#[derive(Clone, Serialize, Deserialize)]
pub struct AccessPoint {
    pub name: String,
    pub account: String,
    /// The bucket's region too.
    pub region: String,
    pub bucket: String,
    /// The account that owned the bucket when the access point was made.
    pub bucket_account: String,
    pub alias: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// The only VPC that it answers, where it is not open to the internet.
    #[serde(default)]
    pub vpc: Option<String>,
    pub block: PublicAccessBlock,
    /// The policy, with unique ids for users and roles.
    #[serde(default)]
    pub policy: Option<String>,
    /// The ARN that each of those ids was given by.
    #[serde(default)]
    pub policy_names: BTreeMap<String, String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    #[serde(skip)]
    kept: Kept,
}

store::record!(AccessPoint, 1);

/// The policy as it is judged, without and with the fence against the public.
#[derive(Default)]
struct Kept([OnceLock<Option<Attached>>; 2]);

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// An account, a region and a name.
pub(crate) type Place = (String, String, String);

/// By account, region and name.
pub(crate) static ACCESS_POINTS: Table<Place, AccessPoint> = Table::new(0x03a0, "s3.access-points");
/// Where the access point of an alias is, and that of a host: `(ALIAS, "")` and `(NAME-ACCOUNT, REGION)`.
pub(crate) static NAMED: Table<(String, String), Named> = Table::new(0x03a1, "s3.access-point-names");
/// By bucket, account and name: the access points of a bucket.
pub(crate) static OF_BUCKET: Table<Place, OfBucket> = Table::new(0x03a2, "s3.access-points-of-buckets");

/// A further name of an access point.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

store::record!(Named, 1);

/// An access point of a bucket.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct OfBucket {
    pub(crate) region: String,
}

store::record!(OfBucket, 1);

/// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:s3:{region}:{account}:accesspoint/{name}")
}

/// `NoSuchAccessPoint`, 404.
pub(crate) fn no_such_access_point(name: &str) -> Fault {
    Fault::plain(
        "NoSuchAccessPoint",
        404,
        "The specified accesspoint does not exist",
    )
    .with("AccessPointName", text(name))
}

/// `MethodNotAllowed`, 405: access points do not know the operation.
fn method_not_allowed() -> Fault {
    Fault::plain(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    )
    .with("ResourceType", text("ACCESSPOINT"))
}

/// What a request's bucket name says if it is no bucket's.
enum Reading {
    Place(Place),
    /// An alias that leads nowhere.
    Nowhere,
}

/// Reads a name that is an access point's. A bucket goes before a host of the same spelling.
fn read(look: &mut Look<'_>, name: &str) -> Result<Option<Reading>> {
    if let Some(place) = of_arn(name) {
        return Ok(Some(Reading::Place(place)));
    }
    let (row, alias) = if name.ends_with(ALIAS) {
        ((name, ""), true)
    } else if is_host(name) && look.get(&BUCKETS, name)?.is_none() {
        ((name, look.region()), false)
    } else {
        return Ok(None);
    };
    let row = (row.0.to_owned(), row.1.to_owned());
    Ok(match look.get(&NAMED, &row)? {
        Some(found) => Some(Reading::Place((
            found.account.clone(),
            found.region.clone(),
            found.name.clone(),
        ))),
        None => alias.then_some(Reading::Nowhere),
    })
}

/// The place that an access point's ARN tells.
pub(crate) fn of_arn(text: &str) -> Option<Place> {
    if !text.starts_with("arn:") {
        return None;
    }
    let arn = Arn::parse(text)?;
    let name = arn
        .resource()
        .strip_prefix("accesspoint/")
        .or_else(|| arn.resource().strip_prefix("accesspoint:"))?;
    let whole = arn.service() == "s3" && !arn.region().is_empty() && !name.contains(['/', ':']);
    whole.then(|| (arn.account().to_owned(), arn.region().to_owned(), name.to_owned()))
}

/// Whether a name is formed as the host of an access point: `NAME-ACCOUNT`.
fn is_host(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(name, account)| {
        !name.is_empty() && account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Refuses an access point where only a bucket serves (S3 User Guide, "Access point compatibility").
pub(crate) fn expect_none(look: &mut Look<'_>, name: &str) -> Result<()> {
    match read(look, name)? {
        Some(_) => Err(method_not_allowed()),
        None => Ok(()),
    }
}

/// The ARN of the access point that a request's bucket name denotes, whether it is there or not.
pub(crate) fn denoted(look: &mut Look<'_>, name: &str) -> Result<Option<String>> {
    Ok(match read(look, name)? {
        Some(Reading::Place((account, region, name))) => Some(arn(&region, &account, &name)),
        Some(Reading::Nowhere) | None => None,
    })
}

/// The bucket behind an access point; `None` for a name that is none of an access point.
pub(crate) fn entrance(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Option<Found<BucketTarget>>> {
    let found = reached(look, name, expected_owner, permanent_redirect)?;
    if let Some(Found::Here(bucket)) = &found
        && bucket.is_followed()
    {
        look.follow(&bucket.name);
    }
    Ok(found)
}

/// The same, not followed. `far` is the refusal of one in another region.
pub(crate) fn reached(
    look: &mut Look<'_>,
    name: &str,
    expected_owner: Option<&str>,
    far: impl FnOnce(&Bucket) -> Fault,
) -> Result<Option<Found<BucketTarget>>> {
    let place = match read(look, name)? {
        None => return Ok(None),
        Some(Reading::Nowhere) => {
            return Ok(Some(Found::Absent {
                arn: super::bucket::arn(name),
                fault: no_such_bucket(name),
            }));
        }
        Some(Reading::Place(place)) => place,
    };
    if locate::anonymous(look) {
        return Err(Fault::access_denied("Access Denied"));
    }
    let (account, region, point) = &place;
    let absent = |fault| {
        Ok(Some(Found::Absent {
            arn: arn(region, account, point),
            fault,
        }))
    };
    let Some(found) = look.get(&ACCESS_POINTS, &place)? else {
        return absent(no_such_access_point(point));
    };
    let bucket = look.get(&BUCKETS, &found.bucket)?;
    let Some(bucket) = bucket.filter(|bucket| bucket.account == found.bucket_account) else {
        return absent(no_such_bucket(&found.bucket));
    };
    if found.region != look.region() {
        return Err(far(&bucket));
    }
    if expected_owner.is_some_and(|owner| owner != bucket.account) {
        return Err(Fault::access_denied("Access Denied"));
    }
    Ok(Some(Found::Here(BucketTarget::through(bucket, found))))
}

impl AccessPoint {
    /// A new access point of the calling account to a bucket.
    pub(crate) fn new(look: &Look<'_>, name: &str, bucket: &Bucket, alias: String) -> Self {
        Self {
            name: name.to_owned(),
            account: look.account().to_owned(),
            region: look.region().to_owned(),
            bucket: bucket.name.clone(),
            bucket_account: bucket.account.clone(),
            alias,
            created: look.now.0,
            vpc: None,
            block: PublicAccessBlock::ALL,
            policy: None,
            policy_names: BTreeMap::new(),
            tags: BTreeMap::new(),
            kept: Kept::default(),
        }
    }

    /// `arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME`
    pub fn arn(&self) -> String {
        arn(&self.region, &self.account, &self.name)
    }

    /// `Internet` or `VPC`.
    pub const fn origin(&self) -> &'static str {
        origin(self.vpc.is_some())
    }

    pub(crate) fn place(&self) -> Place {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Writes the row.
    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let place = self.place();
        call.put(&ACCESS_POINTS, &place, self)
    }

    /// Writes the row and the names that lead to it.
    pub(crate) fn make(self, call: &mut Call<'_>) -> Result<()> {
        for row in self.names() {
            let named = Named {
                account: self.account.clone(),
                region: self.region.clone(),
                name: self.name.clone(),
            };
            call.put(&NAMED, &row, named)?;
        }
        let region = self.region.clone();
        call.put(&OF_BUCKET, &self.of_bucket(), OfBucket { region })?;
        self.keep(call)
    }

    /// Removes the row and its names.
    pub(crate) fn end(&self, call: &mut Call<'_>) -> Result<()> {
        for row in self.names() {
            call.delete(&NAMED, &row)?;
        }
        call.delete(&OF_BUCKET, &self.of_bucket())?;
        call.delete(&ACCESS_POINTS, &self.place())
    }

    fn names(&self) -> [(String, String); 2] {
        let host = format!("{}-{}", self.name, self.account);
        [(self.alias.clone(), String::new()), (host, self.region.clone())]
    }

    fn of_bucket(&self) -> Place {
        (self.bucket.clone(), self.account.clone(), self.name.clone())
    }

    /// Sets the condition keys of requests that came through it.
    pub(crate) fn conditions(&self, context: &mut Context) {
        conditions(&self.arn(), &self.account, self.vpc.is_some(), context);
        for (key, value) in &self.tags {
            context.insert(format!("s3:AccessPointTag/{key}"), value.clone());
        }
    }

    /// The access point before the bucket itself, or before an object of it.
    pub(crate) fn way(&self, look: &mut Look<'_>, key: Option<&str>) -> Result<Way> {
        let own = self.arn();
        let arn = key.map_or_else(|| own.clone(), |key| format!("{own}/object/{key}"));
        Ok(Way {
            arn,
            account: self.account.clone(),
            policies: self.policies(look)?,
            named: (own, TYPE),
        })
    }

    /// The policy that is judged: its own, the fence of `RestrictPublicBuckets` where that stands, and its VPC.
    pub(crate) fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let account = look.get(&ACCOUNT_BLOCKS, &self.account)?;
        let account = account.map(|row| row.0).unwrap_or_default();
        let restricted = account.and(self.block).restrict_public_buckets;
        let Some(kept) = self.kept.0.get(usize::from(restricted)) else {
            return Ok(ResourcePolicies::None);
        };
        let attached = match kept.get() {
            Some(attached) => attached.clone(),
            None => {
                let made = self.combined(restricted)?;
                kept.get_or_init(|| made).clone()
            }
        };
        Ok(attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }

    fn combined(&self, restricted: bool) -> Result<Option<Attached>> {
        let arn = self.arn();
        let mut fences = Vec::new();
        let mut fence = |sid: &str, condition: Value| {
            fences.push(json!({
                "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, format!("{arn}/object/*")],
                "Condition": condition,
            }));
        };
        if let Some(vpc) = &self.vpc {
            fence(
                "NetworkOrigin",
                json!({"StringNotEquals": {"aws:SourceVpc": vpc}}),
            );
        }
        if let Some(policy) = &self.policy
            && restricted
            && self.is_public(policy)?
        {
            fence(
                "RestrictPublicBuckets",
                json!({
                    "StringNotEquals": {"aws:PrincipalAccount": self.account},
                    "Bool": {"aws:PrincipalIsAWSService": "false"},
                }),
            );
        }
        let text = match (&self.policy, fences.is_empty()) {
            (None, true) => return Ok(None),
            (Some(text), true) => text.clone(),
            (None, false) => json!({"Version": "2012-10-17", "Statement": fences}).to_string(),
            (Some(text), false) => {
                let mut whole: Value = serde_json::from_str(text).map_err(Fault::internal)?;
                if let Some(members) = whole.as_object_mut() {
                    let mut all = match members.remove("Statement").unwrap_or_default() {
                        Value::Array(list) => list,
                        one => vec![one],
                    };
                    all.append(&mut fences);
                    members.insert("Statement".to_owned(), Value::Array(all));
                }
                whole.to_string()
            }
        };
        let parsed = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
        let origin = format!("the policy of the access point {}", self.name);
        Ok(Some(Attached::new(Arc::new(parsed), origin)))
    }

    /// Whether a policy would make it public. What answers one VPC alone never is (S3 User Guide, "The meaning of public").
    pub(crate) fn is_public(&self, policy: &str) -> Result<bool> {
        Ok(self.vpc.is_none() && access::is_public(policy)?)
    }

    /// The bucket as requests through the access point find it: what either keeps from the public is kept.
    pub(crate) fn seen(&self, bucket: Arc<Bucket>) -> Arc<Bucket> {
        let own = bucket.public_access_block.unwrap_or_default();
        let both = own.and(self.block);
        if both == own {
            return bucket;
        }
        let mut seen = (*bucket).clone();
        seen.public_access_block = Some(both);
        Arc::new(seen)
    }
}

/// `Internet` or `VPC`.
pub(crate) const fn origin(vpc: bool) -> &'static str {
    if vpc { "VPC" } else { "Internet" }
}

/// Access points of an account in a region.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Count(pub(crate) u32);

store::record!(Count, 1);

/// By account and region.
pub(crate) static COUNTS: Table<(String, String), Count> = Table::new(0x03a3, "s3.access-point-counts");

/// The condition keys that tell of an access point.
pub(crate) fn conditions(arn: &str, account: &str, vpc: bool, context: &mut Context) {
    context.insert("s3:DataAccessPointArn", arn.to_owned());
    context.insert("s3:DataAccessPointAccount", account.to_owned());
    context.insert("s3:AccessPointNetworkOrigin", origin(vpc));
}

/// Whether the bucket's own account has access points to it.
pub(crate) fn has_any(look: &mut Look<'_>, bucket: &Bucket) -> Result<bool> {
    let prefix = (bucket.name.as_str(), bucket.account.as_str());
    Ok(!look.range(&OF_BUCKET, &prefix, None, 1)?.is_empty())
}

/// Whether another account's access point has this name as its host in any region.
pub(crate) fn is_host_of_other(look: &mut Look<'_>, name: &str, account: &str) -> Result<bool> {
    if !is_host(name) {
        return Ok(false);
    }
    let rows = look.range(&NAMED, &(name,), None, 1)?;
    Ok(rows.iter().any(|(_, named)| named.account != account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_access_points_are_told_from_names_of_buckets() {
        let place =
            |text: &str| of_arn(text).map(|(account, region, name)| [account, region, name].join("|"));
        let arn = "arn:aws:s3:eu-central-1:111122223333:accesspoint/my-ap";
        assert_eq!(place(arn).as_deref(), Some("111122223333|eu-central-1|my-ap"));
        assert_eq!(place(&arn.replace("point/", "point:")), place(arn));
        for none in [
            "my-ap",
            "arn:aws:s3:::bucket",
            "arn:aws:s3:eu-central-1:111122223333:accesspoint/my-ap/object/k",
            "arn:aws:s3::111122223333:accesspoint/my.mrap",
            "arn:aws:sqs:eu-central-1:111122223333:accesspoint/my-ap",
        ] {
            assert_eq!(place(none), None, "{none}");
        }
        assert!(is_host("my-ap-111122223333"));
        for none in [
            "my-ap",
            "111122223333",
            "-111122223333",
            "a-1111222233334",
            "a-11112222333x",
        ] {
            assert!(!is_host(none), "{none}");
        }
    }
}
