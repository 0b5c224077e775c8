//! Access control lists of objects: what a write asks for, what becomes of it under the bucket's ownership, and the list itself.
//!
//! Invariant: in a bucket whose owner owns everything no object has a list.
//!
//! Source: S3 User Guide, "Access control list (ACL) overview", "Controlling ownership of objects and disabling ACLs for your bucket".

use api::s3 as model;
use model::ObjectCannedACL as Canned;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::{Document, Fault};

use super::refusal::{self, invalid_argument, invalid_request};
use super::target::{self, ObjectTarget};
use super::write::PUT_ACL;
use crate::s3::access;
use crate::s3::acl::{Acl, Grant, Grantee, Permission};
use crate::s3::bucket::{Bucket, Ownership};
use crate::s3::canonical;

const PUT_VERSION_ACL: Access = Access::permissions("s3:PutObjectVersionAcl");
const GET_VERSION_ACL: Access = Access::read("s3:GetObjectVersionAcl");
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// What a request asks for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) canned: Option<Canned>,
    /// The grant headers, by permission.
    pub(crate) headers: Vec<(Permission, String)>,
}

/// Reads the list that a request of any shape asks for.
macro_rules! asked {
    ($input:expr) => {{
        use $crate::s3::acl::Permission;
        let headers = [
            (Permission::FullControl, $input.grant_full_control.take()),
            (Permission::Read, $input.grant_read.take()),
            (Permission::ReadAcp, $input.grant_read_acp.take()),
            (Permission::WriteAcp, $input.grant_write_acp.take()),
        ];
        let headers = headers.into_iter();
        $crate::s3::object::access_list::Asked {
            canned: $input.acl,
            headers: headers
                .filter_map(|(permission, header)| Some((permission, header?)))
                .collect(),
        }
    }};
}
pub(crate) use asked;

impl Asked {
    /// Whether the request asks for a list at all.
    pub(crate) fn is_given(&self) -> bool {
        self.canned.is_some() || !self.headers.is_empty()
    }

    /// Who will own the object, and its list; `None` where lists do not count.
    pub(crate) fn resolve(&self, call: &mut Call<'_>, bucket: &Bucket) -> Result<(String, Option<Acl>)> {
        if !bucket.has_acls() {
            if self.is_given() && !self.leaves_all_to(bucket)? {
                return Err(not_supported());
            }
            return Ok((bucket.account.clone(), None));
        }
        let preferred = bucket.ownership == Ownership::BucketOwnerPreferred
            && self.canned == Some(Canned::BucketOwnerFullControl);
        let owner = if preferred {
            bucket.account.clone()
        } else {
            call.account().to_owned()
        };
        let acl = self.list(bucket, &owner)?;
        expect_not_blocked(call, bucket, &acl)?;
        Ok((owner, Some(acl)))
    }

    /// Whether it asks for nothing but all for the bucket's owner, which is how it is anyway.
    fn leaves_all_to(&self, bucket: &Bucket) -> Result<bool> {
        if self.headers.is_empty() {
            return Ok(self.canned == Some(Canned::BucketOwnerFullControl));
        }
        let owner = Grantee::Account(bucket.account.clone());
        let list = self.list(bucket, &bucket.account)?;
        let all = |grant: &Grant| grant.grantee == owner && grant.permission == Permission::FullControl;
        Ok(list.grants.iter().all(all))
    }

    fn list(&self, bucket: &Bucket, owner: &str) -> Result<Acl> {
        if self.canned.is_some() && !self.headers.is_empty() {
            return Err(invalid_request(
                "Specifying both Canned ACLs and Header Grants is not allowed",
            ));
        }
        if self.headers.is_empty() {
            return Ok(canned(self.canned.unwrap_or_default(), owner, &bucket.account));
        }
        let mut grants = Vec::new();
        for (permission, header) in &self.headers {
            for grantee in header.split(',') {
                grants.push(Grant {
                    grantee: named(grantee)?,
                    permission: *permission,
                });
            }
        }
        Ok(Acl {
            owner: owner.to_owned(),
            grants,
        })
    }
}

/// The list that a canned name stands for.
fn canned(canned: Canned, owner: &str, bucket_owner: &str) -> Acl {
    let mut acl = Acl::private(owner);
    let mut grant = |grantee: Grantee, permission| acl.grants.push(Grant { grantee, permission });
    let of_bucket = || Grantee::Account(bucket_owner.to_owned());
    match canned {
        Canned::Private | Canned::AwsExecRead => {}
        Canned::PublicRead => grant(Grantee::AllUsers, Permission::Read),
        Canned::PublicReadWrite => {
            grant(Grantee::AllUsers, Permission::Read);
            grant(Grantee::AllUsers, Permission::Write);
        }
        Canned::AuthenticatedRead => grant(Grantee::AuthenticatedUsers, Permission::Read),
        Canned::BucketOwnerRead if owner != bucket_owner => grant(of_bucket(), Permission::Read),
        Canned::BucketOwnerFullControl if owner != bucket_owner => {
            grant(of_bucket(), Permission::FullControl);
        }
        Canned::BucketOwnerRead | Canned::BucketOwnerFullControl => {}
    }
    acl
}

/// The grantee of a header: `id="…"`, `uri="…"`, `emailAddress="…"`.
fn named(text: &str) -> Result<Grantee> {
    let invalid = || {
        invalid_argument(
            "Argument format not recognized",
            "x-amz-grant",
            text.trim().to_owned(),
        )
    };
    let (kind, value) = text.split_once('=').ok_or_else(invalid)?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => by_id(value),
        "uri" => by_uri(value),
        "emailAddress" => Err(unresolvable()),
        _ => Err(invalid()),
    }
}

fn by_id(id: &str) -> Result<Grantee> {
    canonical::account_of(id)
        .map(Grantee::Account)
        .ok_or_else(|| invalid_argument("Invalid id", "CanonicalUser/ID", id))
}

fn by_uri(uri: &str) -> Result<Grantee> {
    match uri {
        ALL_USERS => Ok(Grantee::AllUsers),
        AUTHENTICATED_USERS => Ok(Grantee::AuthenticatedUsers),
        LOG_DELIVERY => Ok(Grantee::LogDelivery),
        _ => Err(invalid_argument("Invalid group uri", "uri", uri)),
    }
}

fn unresolvable() -> Fault {
    Fault::plain(
        "UnresolvableGrantByEmailAddress",
        400,
        "The e-mail address you provided does not match any account on record.",
    )
}

/// `AccessControlListNotSupported`, 400.
fn not_supported() -> Fault {
    Fault::plain(
        "AccessControlListNotSupported",
        400,
        "The bucket does not allow ACLs",
    )
}

fn expect_not_blocked(call: &mut Call<'_>, bucket: &Bucket, acl: &Acl) -> Result<()> {
    if acl.is_public() && access::block(call, bucket)?.block_public_acls {
        return Err(refusal::denied());
    }
    Ok(())
}

/// The list of a body.
fn of_body(policy: model::AccessControlPolicy, owner: &str) -> Result<Acl> {
    let malformed = || {
        Fault::plain(
            "MalformedACLError",
            400,
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let named_owner = policy.owner.and_then(|owner| owner.id).ok_or_else(malformed)?;
    if canonical::account_of(&named_owner).as_deref() != Some(owner) {
        return Err(refusal::denied());
    }
    let mut grants = Vec::new();
    for grant in policy.grants.unwrap_or_default() {
        let grantee = grant.grantee.ok_or_else(malformed)?;
        let permission = match grant.permission.ok_or_else(malformed)? {
            model::Permission::FullControl => Permission::FullControl,
            model::Permission::Write => Permission::Write,
            model::Permission::WriteAcp => Permission::WriteAcp,
            model::Permission::Read => Permission::Read,
            model::Permission::ReadAcp => Permission::ReadAcp,
        };
        let grantee = match grantee.r#type {
            model::Type::CanonicalUser => by_id(&grantee.id.ok_or_else(malformed)?)?,
            model::Type::Group => by_uri(&grantee.uri.ok_or_else(malformed)?)?,
            model::Type::AmazonCustomerByEmail => return Err(unresolvable()),
        };
        grants.push(Grant { grantee, permission });
    }
    Ok(Acl {
        owner: owner.to_owned(),
        grants,
    })
}

/// A list's lines as answers show them.
fn shown(acl: &Acl) -> Vec<model::Grant> {
    let shown = acl.grants.iter().map(|grant| {
        let group = |uri: &str| model::Grantee {
            r#type: model::Type::Group,
            uri: Some(uri.to_owned()),
            ..Default::default()
        };
        let grantee = match &grant.grantee {
            Grantee::Account(account) => model::Grantee {
                r#type: model::Type::CanonicalUser,
                id: Some(canonical::id_of(account)),
                ..Default::default()
            },
            Grantee::AllUsers => group(ALL_USERS),
            Grantee::AuthenticatedUsers => group(AUTHENTICATED_USERS),
            Grantee::LogDelivery => group(LOG_DELIVERY),
        };
        model::Grant {
            grantee: Some(grantee),
            permission: Some(match grant.permission {
                Permission::FullControl => model::Permission::FullControl,
                Permission::Read => model::Permission::Read,
                Permission::Write => model::Permission::Write,
                Permission::ReadAcp => model::Permission::ReadAcp,
                Permission::WriteAcp => model::Permission::WriteAcp,
            }),
        }
    });
    shown.collect()
}

/// An account as lists and answers name it. Display names are no longer told.
pub(crate) fn owner(account: &str) -> model::Owner {
    model::Owner {
        id: Some(canonical::id_of(account)),
        display_name: None,
    }
}

/// Shows an object's list.
pub struct GetObjectAcl;

impl Operation for GetObjectAcl {
    type Input = model::GetObjectAclRequest;
    type Output = model::GetObjectAclOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = Access::read("s3:GetObjectAcl");
    const CONDITIONS: &'static [&'static str] = &["s3:ExistingObjectTag/<key>", "s3:versionid"];
    const ALSO: &'static [Access] = &[GET_VERSION_ACL];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), Self::ACCESS, GET_VERSION_ACL)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version = object.object(call, "GET")?;
        let bucket = object.bucket();
        let list = match &version.acl {
            Some(acl) if bucket.has_acls() => acl.clone(),
            _ if bucket.has_acls() => Acl::private(&version.owner),
            _ => Acl::private(&bucket.account),
        };
        Ok(model::GetObjectAclOutput {
            owner: Some(owner(&list.owner)),
            grants: Some(shown(&list)),
            ..Default::default()
        })
    }
}

/// Replaces an object's list.
pub struct PutObjectAcl;

impl Operation for PutObjectAcl {
    type Input = model::PutObjectAclRequest;
    type Output = model::PutObjectAclOutput;
    type Target = ObjectTarget;
    const ACCESS: Access = PUT_ACL;
    const CONDITIONS: &'static [&'static str] = &[
        "s3:ExistingObjectTag/<key>",
        "s3:versionid",
        "s3:x-amz-acl",
        "s3:x-amz-grant-full-control",
        "s3:x-amz-grant-read",
        "s3:x-amz-grant-read-acp",
        "s3:x-amz-grant-write",
        "s3:x-amz-grant-write-acp",
    ];
    const ALSO: &'static [Access] = &[PUT_VERSION_ACL];

    fn access(input: &Self::Input) -> Access {
        target::of_version(input.version_id.as_ref(), Self::ACCESS, PUT_VERSION_ACL)
    }

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ObjectTarget>> {
        let version = input.version_id.as_deref();
        let owner = input.expected_bucket_owner.as_deref();
        target::found(look, (&input.bucket, &input.key), version, owner)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let texts = [
            ("s3:x-amz-acl", input.acl.map(|acl| acl.as_str().to_owned())),
            ("s3:x-amz-grant-full-control", input.grant_full_control.clone()),
            ("s3:x-amz-grant-read", input.grant_read.clone()),
            ("s3:x-amz-grant-read-acp", input.grant_read_acp.clone()),
            ("s3:x-amz-grant-write", input.grant_write.clone()),
            ("s3:x-amz-grant-write-acp", input.grant_write_acp.clone()),
        ];
        for (key, value) in texts {
            if let Some(value) = value {
                context.insert(key, value);
            }
        }
    }

    fn handle(
        call: &mut Call<'_>,
        object: Authorized<ObjectTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let version = object.object(call, "PUT")?;
        let bucket = object.bucket();
        let asked = asked!(input);
        if asked.is_given() == input.access_control_policy.is_some() {
            return Err(Fault::plain(
                if asked.is_given() {
                    "UnexpectedContent"
                } else {
                    "MissingSecurityHeader"
                },
                400,
                if asked.is_given() {
                    "This request does not support content"
                } else {
                    "Your request was missing a required header"
                },
            )
            .with("MissingHeaderName", Document::String("x-amz-acl".to_owned())));
        }
        if !bucket.has_acls() {
            if asked.is_given() && asked.leaves_all_to(bucket)? {
                return Ok(Self::Output::default());
            }
            return Err(not_supported());
        }
        let acl = match input.access_control_policy {
            Some(policy) => of_body(policy, &version.owner)?,
            None => asked.list(bucket, &version.owner)?,
        };
        expect_not_blocked(call, bucket, &acl)?;
        let mut version = (*version).clone();
        version.acl = Some(acl);
        object.slot().amend(call, version)?;
        Ok(Self::Output::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "111122223333";
    const OTHER: &str = "444455556666";

    #[test]
    fn canned_lists_grant_what_their_names_say() {
        assert!(canned(Canned::Private, ONE, OTHER).is_private());
        assert!(canned(Canned::PublicRead, ONE, ONE).is_public());
        let read = canned(Canned::BucketOwnerRead, ONE, OTHER);
        assert!(read.grants.contains(&Grant {
            grantee: Grantee::Account(OTHER.to_owned()),
            permission: Permission::Read,
        }));
        assert!(canned(Canned::BucketOwnerFullControl, ONE, ONE).is_private());
    }

    #[test]
    fn grantees_are_named_by_id_or_group() {
        let id = canonical::id_of(ONE);
        assert_eq!(
            named(&format!(" id=\"{id}\"")).ok(),
            Some(Grantee::Account(ONE.to_owned()))
        );
        assert_eq!(
            named(&format!("uri=\"{ALL_USERS}\"")).ok(),
            Some(Grantee::AllUsers)
        );
        for text in ["", "id", "id=\"x\"", "uri=\"http://x\"", "emailAddress=\"a@b\""] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
