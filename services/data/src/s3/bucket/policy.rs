//! Bucket policies.
//!
//! Invariant: a kept policy was parsed, speaks of its own bucket alone and names only principals who exist; users and roles are kept by
//! their ids, so that what they were given ends with them. The root user of the owner can always read and change it, whatever
//! it says.
//!
//! Source: S3 API Reference, "PutBucketPolicy"; S3 User Guide, "Policies and permissions in Amazon S3".

use std::collections::BTreeMap;

use ::policy::{Arn, Context, Policy, PolicyKind, Principal, StatementView, public, reference, substitute};
use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result, Way};
use wire::Fault;
use wire::typed::Empty;

use super::{Bucket, BucketTarget, on_bucket::on_bucket};
use crate::s3::fault::text;
use crate::s3::{access, canonical, locate};

/// The most bytes of a policy.
const BYTES_MAX: usize = 20 * 1024;
const PUT: Access = Access::permissions("s3:PutBucketPolicy");

/// A bucket as the keepers of its policy see it.
pub struct Keeping {
    bucket: BucketTarget,
    /// The owner's root user asks, whom no bucket policy keeps out.
    root: bool,
}

impl Resource for Keeping {
    const TYPE: &'static str = BucketTarget::TYPE;

    fn arn(&self) -> String {
        Resource::arn(&self.bucket)
    }

    fn account(&self) -> &str {
        Resource::account(&self.bucket)
    }

    fn policies(&self, look: &mut Look<'_>) -> Result<ResourcePolicies> {
        if self.root {
            return Ok(ResourcePolicies::None);
        }
        self.bucket.policies(look)
    }

    fn conditions(&self, context: &mut Context) {
        Resource::conditions(&self.bucket, context);
    }

    fn way(&self, look: &mut Look<'_>) -> Result<Option<Way>> {
        self.bucket.way(look)
    }
}

fn keeping(look: &mut Look<'_>, name: &str, owner: Option<&str>) -> Result<Found<Keeping>> {
    let found = locate::bucket(look, name, owner)?;
    Ok(kept(look, found))
}

fn kept(look: &Look<'_>, found: Found<BucketTarget>) -> Found<Keeping> {
    match found {
        Found::Here(bucket) => {
            let root = look.caller().is_some_and(|caller| {
                matches!(&caller.principal, Principal::Root { account } if *account == bucket.account)
            });
            Found::Here(Keeping { bucket, root })
        }
        Found::Absent { arn, fault } => Found::Absent { arn, fault },
    }
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::plain("MalformedPolicy", 400, message)
}

/// Checks a policy that is about to be a bucket's or an access point's; tells how it is kept, and by which name each id in it was
/// given. `place` checks where a statement applies.
pub(crate) fn check(
    look: &mut Look<'_>,
    given: &str,
    place: &dyn Fn(StatementView<'_>) -> Result<()>,
) -> Result<(String, BTreeMap<String, String>)> {
    if given.len() > BYTES_MAX {
        return Err(malformed("Policy exceeds the maximum allowed document size."));
    }
    if !given.trim_start().starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(given).is_err() {
        return Err(malformed(
            "Policies must be valid JSON and the first byte must be '{'",
        ));
    }
    let parsed = Policy::parse(given, PolicyKind::Resource).map_err(|error| malformed(error.to_string()))?;
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for statement in parsed.statements() {
        for (class, name) in statement.principals() {
            if name == "*" {
                continue;
            }
            let known = match class {
                "AWS" => known(look, &name)?,
                "CanonicalUser" => match canonical::account_of(&name) {
                    Some(account) => {
                        let directory = look.directory();
                        directory.account_exists(look, &account)?
                    }
                    None => false,
                },
                _ => true,
            };
            if !known {
                return Err(malformed("Invalid principal in policy").with("Detail", text(name)));
            }
            let directory = look.directory();
            if class == "AWS"
                && let Some(id) = directory.principal_id(look, &name)?
            {
                ids.insert(name.clone(), id.clone());
                names.insert(id, name);
            }
        }
        place(statement)?;
    }
    Ok((substitute(given, &ids), names))
}

/// Whether an account, user, role or session exists here, as far as the directory can tell.
fn known(look: &mut Look<'_>, name: &str) -> Result<bool> {
    let directory = look.directory();
    if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return directory.account_exists(look, name);
    }
    let Some(arn) = Arn::parse(name) else {
        return directory.principal_exists(look, name);
    };
    if !directory.account_exists(look, arn.account())? {
        return Ok(false);
    }
    match arn.service() {
        "iam" if arn.resource() != "root" => directory.principal_exists(look, name),
        _ => Ok(true),
    }
}

/// A statement speaks of this bucket or access point, with actions that S3 has for what it names: `whole` and `object`, as the
/// reference calls them. The ARNs of objects go on with `behind`.
pub(crate) fn check_place(
    arn: &str,
    behind: &str,
    (whole, object): (&str, &str),
    statement: StatementView<'_>,
) -> Result<()> {
    let (mut on_bucket, mut on_objects) = (false, false);
    for resource in statement.resources().1 {
        let rest = resource.strip_prefix(arn);
        match rest {
            Some("") => on_bucket = true,
            Some(rest) if rest.starts_with(behind) => on_objects = true,
            // A pattern that goes on from the name reaches both, and no bucket but this one only if the name is whole.
            _ => return Err(malformed("Policy has invalid resource").with("Detail", text(resource))),
        }
    }
    let (negated, actions) = statement.actions();
    for pattern in actions {
        let of_s3 = pattern == "*" || pattern.to_ascii_lowercase().starts_with("s3:");
        let mut matched = reference::actions_matching(&pattern)
            .filter(|action| action.full_name().starts_with("s3:"))
            .peekable();
        if !of_s3 || matched.peek().is_none() {
            return Err(malformed("Policy has invalid action").with("Detail", text(pattern.as_str())));
        }
        let applies = matched.any(|action| {
            action.resources().any(|of| match of.resource.name {
                "bucket" => on_bucket,
                "object" => on_objects,
                name => (name == whole && on_bucket) || (name == object && on_objects),
            })
        });
        if !negated && !applies {
            return Err(malformed("Action does not apply to any resource(s) in statement"));
        }
    }
    Ok(())
}

/// Gives a bucket a policy in place of the one that it has.
pub struct PutBucketPolicy;

impl Operation for PutBucketPolicy {
    type Input = model::PutBucketPolicyRequest;
    type Output = Empty;
    type Target = Keeping;
    const ACCESS: Access = PUT;

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Keeping>> {
        keeping(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(call: &mut Call<'_>, kept: Authorized<Keeping>, input: Self::Input) -> Result<Empty> {
        let mut bucket = owners(call, &kept)?;
        let arn = bucket.arn();
        let place = |statement: StatementView<'_>| check_place(&arn, "/", ("bucket", "object"), statement);
        let (policy, names) = check(call, &input.policy, &place)?;
        let block = access::block(call, &bucket)?;
        let parsed = Policy::parse(&policy, PolicyKind::Resource).map_err(Fault::internal)?;
        if block.block_public_policy && public::is_public(&parsed) {
            return Err(Fault::access_denied(format!(
                "User: {} is not authorized to perform: s3:PutBucketPolicy on resource: \"{}\" because public policies are prevented \
                 by the BlockPublicPolicy setting in S3 Block Public Access.",
                call.identity.arn,
                bucket.arn()
            )));
        }
        bucket.policy = Some(policy);
        bucket.policy_names = names;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

/// The row, for callers of the owner's account: others may not touch a policy whatever it says.
fn owners(call: &Call<'_>, kept: &Authorized<Keeping>) -> Result<Bucket> {
    if call.account() != kept.bucket.account || locate::anonymous(call) {
        return Err(Fault::plain(
            "MethodNotAllowed",
            405,
            "The specified method is not allowed against this resource.",
        ));
    }
    Ok((*kept.bucket.shared()).clone())
}

fn none(bucket: &Bucket) -> Fault {
    Fault::plain("NoSuchBucketPolicy", 404, "The bucket policy does not exist")
        .with("BucketName", text(&bucket.name))
}

/// Shows a bucket's policy.
pub struct GetBucketPolicy;

impl Operation for GetBucketPolicy {
    type Input = model::GetBucketPolicyRequest;
    type Output = model::GetBucketPolicyOutput;
    type Target = Keeping;
    const ACCESS: Access = Access::read("s3:GetBucketPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Keeping>> {
        let owner = input.expected_bucket_owner.as_deref();
        let found = locate::entrance(look, &input.bucket, owner)?;
        Ok(kept(look, found))
    }

    fn handle(call: &mut Call<'_>, kept: Authorized<Keeping>, _input: Self::Input) -> Result<Self::Output> {
        let bucket = owners(call, &kept)?;
        let Some(policy) = &bucket.policy else {
            return Err(none(&bucket));
        };
        Ok(model::GetBucketPolicyOutput {
            policy: Some(shown(call, policy, &bucket.policy_names)?),
        })
    }
}

/// A kept policy as it is shown: an id as an ARN only while the one it was given to bears it.
pub(crate) fn shown(look: &mut Look<'_>, policy: &str, names: &BTreeMap<String, String>) -> Result<String> {
    let directory = look.directory();
    let mut there = BTreeMap::new();
    for (id, given) in names {
        if directory.principal_id(look, given)?.as_ref() == Some(id) {
            there.insert(id.clone(), given.clone());
        }
    }
    Ok(substitute(policy, &there))
}

/// Takes a bucket's policy away.
pub struct DeleteBucketPolicy;

impl Operation for DeleteBucketPolicy {
    type Input = model::DeleteBucketPolicyRequest;
    type Output = Empty;
    type Target = Keeping;
    const ACCESS: Access = Access::permissions("s3:DeleteBucketPolicy");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Keeping>> {
        keeping(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn handle(call: &mut Call<'_>, kept: Authorized<Keeping>, _input: Self::Input) -> Result<Empty> {
        let mut bucket = owners(call, &kept)?;
        if bucket.policy.take().is_some() {
            bucket.policy_names.clear();
            bucket.keep(call)?;
        }
        Ok(Empty)
    }
}

on_bucket! {
    /// Says whether a bucket's policy makes it public.
    GetBucketPolicyStatus(model::GetBucketPolicyStatusRequest) -> model::GetBucketPolicyStatusOutput,
    Access::read("s3:GetBucketPolicyStatus");
    |_call, bucket, _input| {
        let Some(policy) = &bucket.policy else {
            return Err(none(&bucket));
        };
        Ok(model::GetBucketPolicyStatusOutput {
            policy_status: Some(model::PolicyStatus {
                is_public: Some(access::is_public(policy)?),
            }),
        })
    }
}
