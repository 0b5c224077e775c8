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

use super::change::{self, Amended};
use super::refusal;
use super::target::{self, ObjectTarget};
use super::write::PUT_ACL;
use crate::s3::acl::{Acl, Grant, Grantee, Permission};
use crate::s3::bucket::{Bucket, Ownership};
use crate::s3::payer;
use crate::s3::{access, acl_request};

const PUT_VERSION_ACL: Access = Access::permissions("s3:PutObjectVersionAcl");
const GET_VERSION_ACL: Access = Access::read("s3:GetObjectVersionAcl");

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
            if self.is_given() && !self.leaves_all_to(call, bucket)? {
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
        let acl = self.list(call, bucket, &owner)?;
        expect_not_blocked(call, bucket, &acl)?;
        Ok((owner, Some(acl)))
    }

    /// Whether it asks for nothing but all for the bucket's owner, which is how it is anyway.
    fn leaves_all_to(&self, look: &mut Look<'_>, bucket: &Bucket) -> Result<bool> {
        if self.headers.is_empty() {
            return Ok(self.canned == Some(Canned::BucketOwnerFullControl));
        }
        let owner = Grantee::Account(bucket.account.clone());
        let list = self.list(look, bucket, &bucket.account)?;
        let all = |grant: &Grant| grant.grantee == owner && grant.permission == Permission::FullControl;
        Ok(list.grants.iter().all(all))
    }

    fn list(&self, look: &mut Look<'_>, bucket: &Bucket, owner: &str) -> Result<Acl> {
        let headers = self.headers.iter();
        let asked = acl_request::Asked {
            canned: self.canned.map(Canned::as_str),
            headers: headers
                .map(|(permission, header)| (*permission, header.as_str()))
                .collect(),
            body: None,
        };
        let list = asked.read(look, owner, &bucket.account)?;
        Ok(list.unwrap_or_else(|| Acl::private(owner)))
    }
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

/// An account as lists and answers name it.
pub(crate) fn owner(account: &str) -> model::Owner {
    acl_request::shown_owner(account)
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
        input: Self::Input,
    ) -> Result<Self::Output> {
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let version = object.object(call, "GET")?;
        let bucket = object.bucket();
        let list = match &version.acl {
            Some(acl) if bucket.has_acls() => acl.clone(),
            _ if bucket.has_acls() => Acl::private(&version.owner),
            _ => Acl::private(&bucket.account),
        };
        Ok(model::GetObjectAclOutput {
            owner: Some(owner(&list.owner)),
            grants: Some(acl_request::shown(&list)),
            request_charged: charged,
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
        let charged = payer::charge(call, object.bucket(), input.request_payer)?;
        let answer = || Self::Output {
            request_charged: charged,
        };
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
            if asked.is_given() && asked.leaves_all_to(call, bucket)? {
                return Ok(answer());
            }
            return Err(not_supported());
        }
        let acl = match input.access_control_policy {
            Some(policy) => {
                let asked = acl_request::Asked {
                    body: Some(&policy),
                    ..acl_request::Asked::default()
                };
                let list = asked.read(call, &version.owner, &bucket.account)?;
                list.unwrap_or_else(|| Acl::private(&version.owner))
            }
            None => asked.list(call, bucket, &version.owner)?,
        };
        expect_not_blocked(call, bucket, &acl)?;
        let mut version = (*version).clone();
        version.acl = Some(acl);
        change::amend(call, object.slot(), Amended::Acl, version)?;
        Ok(answer())
    }
}
