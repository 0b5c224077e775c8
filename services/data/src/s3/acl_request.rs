//! Access control lists as requests name them and answers show them: canned, in headers, or whole in a body.
//!
//! Invariant: a list that leaves here names only accounts that exist.
//!
//! Source: S3 User Guide, "Access control list (ACL) overview".

use api::s3 as model;
use pipeline::{Look, Result};
use wire::Fault;

use super::acl::{Acl, Grant, Grantee, Permission};
use super::bucket::{Bucket, PublicAccessBlock};
use super::canonical;
use super::fault::{invalid_argument, invalid_request, malformed_xml};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
/// Grants of one list (S3 User Guide, "Access control list (ACL) overview").
const GRANTS_MAX: usize = 100;

/// What a request says of a list.
#[derive(Default)]
pub struct Asked<'a> {
    /// `x-amz-acl`
    pub canned: Option<&'a str>,
    /// `x-amz-grant-…`
    pub headers: Vec<(Permission, &'a str)>,
    pub body: Option<&'a model::AccessControlPolicy>,
}

impl<'a> Asked<'a> {
    /// From the members that all inputs with lists have.
    pub fn new(canned: Option<&'a str>, grants: [(Permission, Option<&'a String>); 5]) -> Self {
        let headers = grants
            .into_iter()
            .filter_map(|(permission, text)| Some((permission, text?.as_str())));
        Self {
            canned,
            headers: headers.collect(),
            body: None,
        }
    }

    /// Whether the request says anything.
    pub fn is_some(&self) -> bool {
        self.canned.is_some() || !self.headers.is_empty() || self.body.is_some()
    }

    /// The list that it asks for, on something that `owner` owns in a bucket of `bucket_owner`; `None` where it says nothing.
    pub fn read(&self, look: &mut Look<'_>, owner: &str, bucket_owner: &str) -> Result<Option<Acl>> {
        if self.canned.is_some() && !self.headers.is_empty() {
            return Err(invalid_request(
                "Specifying both Canned ACLs and Header Grants is not allowed",
            ));
        }
        if let Some(body) = self.body {
            if self.canned.is_some() || !self.headers.is_empty() {
                return Err(Fault::plain(
                    "UnexpectedContent",
                    400,
                    "This request does not support content",
                ));
            }
            return of_body(look, body, owner).map(Some);
        }
        if let Some(canned) = self.canned {
            return Ok(Some(of_canned(canned, owner, bucket_owner)));
        }
        if self.headers.is_empty() {
            return Ok(None);
        }
        let mut grants = Vec::new();
        for (permission, text) in &self.headers {
            for part in text.split(',') {
                grants.push(Grant {
                    grantee: of_header(look, part.trim())?,
                    permission: *permission,
                });
            }
        }
        Ok(Some(Acl {
            owner: owner.to_owned(),
            grants: checked(grants)?,
        }))
    }
}

fn checked(grants: Vec<Grant>) -> Result<Vec<Grant>> {
    if grants.len() > GRANTS_MAX {
        return Err(invalid_request("The ACL has more than 100 grants"));
    }
    Ok(grants)
}

fn of_canned(canned: &str, owner: &str, bucket_owner: &str) -> Acl {
    let mut acl = Acl::private(owner);
    let mut grant = |grantee: Grantee, permission| acl.grants.push(Grant { grantee, permission });
    match canned {
        "public-read" => grant(Grantee::AllUsers, Permission::Read),
        "public-read-write" => {
            grant(Grantee::AllUsers, Permission::Read);
            grant(Grantee::AllUsers, Permission::Write);
        }
        "authenticated-read" => grant(Grantee::AuthenticatedUsers, Permission::Read),
        "bucket-owner-read" if owner != bucket_owner => {
            grant(Grantee::Account(bucket_owner.to_owned()), Permission::Read);
        }
        "bucket-owner-full-control" if owner != bucket_owner => {
            grant(Grantee::Account(bucket_owner.to_owned()), Permission::FullControl);
        }
        "log-delivery-write" => {
            grant(Grantee::LogDelivery, Permission::Write);
            grant(Grantee::LogDelivery, Permission::ReadAcp);
        }
        _ => {}
    }
    acl
}

/// `id="…"`, `uri="…"` or `emailAddress="…"`.
fn of_header(look: &mut Look<'_>, part: &str) -> Result<Grantee> {
    let invalid = || invalid_argument("Argument format not recognized", "x-amz-grant", part);
    let (kind, value) = part.split_once('=').ok_or_else(invalid)?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => account(look, value),
        "uri" => group(value),
        "emailAddress" => Err(no_such_address(value)),
        _ => Err(invalid()),
    }
}

fn account(look: &mut Look<'_>, id: &str) -> Result<Grantee> {
    let directory = look.directory();
    if let Some(account) = canonical::account_of(id)
        && directory.account_exists(look, &account)?
    {
        return Ok(Grantee::Account(account));
    }
    Err(invalid_argument("Invalid id", "CanonicalUser/ID", id))
}

fn group(uri: &str) -> Result<Grantee> {
    match uri {
        ALL_USERS => Ok(Grantee::AllUsers),
        AUTHENTICATED_USERS => Ok(Grantee::AuthenticatedUsers),
        LOG_DELIVERY => Ok(Grantee::LogDelivery),
        _ => Err(invalid_argument("Invalid group uri", "Group/URI", uri)),
    }
}

fn no_such_address(address: &str) -> Fault {
    invalid_argument(
        "The e-mail address you provided does not match any account on record.",
        "EmailAddress",
        address,
    )
}

/// A grantee that a body names.
pub(crate) fn grantee(look: &mut Look<'_>, asked: &model::Grantee) -> Result<Grantee> {
    match asked.r#type {
        model::Type::CanonicalUser => match &asked.id {
            Some(id) => account(look, id),
            None => Err(malformed_xml()),
        },
        model::Type::Group => match &asked.uri {
            Some(uri) => group(uri),
            None => Err(malformed_xml()),
        },
        model::Type::AmazonCustomerByEmail => Err(no_such_address(
            asked.email_address.as_deref().unwrap_or_default(),
        )),
    }
}

fn of_body(look: &mut Look<'_>, body: &model::AccessControlPolicy, owner: &str) -> Result<Acl> {
    let named = body.owner.as_ref().and_then(|owner| owner.id.as_deref());
    match named.map(canonical::account_of) {
        Some(Some(account)) if account == owner => {}
        // An owner stays; who names another one may be about to be surprised.
        Some(_) => return Err(Fault::access_denied("Access Denied")),
        None => return Err(malformed_xml()),
    }
    let mut grants = Vec::new();
    for grant in body.grants.iter().flatten() {
        let (Some(asked), Some(permission)) = (&grant.grantee, grant.permission) else {
            return Err(malformed_xml());
        };
        let permission = match permission {
            model::Permission::FullControl => Permission::FullControl,
            model::Permission::Read => Permission::Read,
            model::Permission::Write => Permission::Write,
            model::Permission::ReadAcp => Permission::ReadAcp,
            model::Permission::WriteAcp => Permission::WriteAcp,
        };
        grants.push(Grant {
            grantee: grantee(look, asked)?,
            permission,
        });
    }
    Ok(Acl {
        owner: owner.to_owned(),
        grants: checked(grants)?,
    })
}

/// Whether a list may stand in a bucket: where lists do not count, only one that gives the owner all is taken; where the public is
/// blocked, none that grants to it. `action` and `resource` are for the refusal's words.
pub fn expect_allowed(
    acl: &Acl,
    bucket: &Bucket,
    block: PublicAccessBlock,
    caller: &str,
    (action, resource): (&str, &str),
) -> Result<()> {
    if !bucket.has_acls() && !acl.is_private_to(&bucket.account) {
        return Err(Fault::plain(
            "AccessControlListNotSupported",
            400,
            "The bucket does not allow ACLs",
        ));
    }
    if block.block_public_acls && acl.is_public() {
        return Err(Fault::access_denied(format!(
            "User: {caller} is not authorized to perform: {action} on resource: \"{resource}\" because public access control lists \
             (ACLs) are prevented by the BlockPublicAcls setting in S3 Block Public Access."
        )));
    }
    Ok(())
}

/// An account as answers show it.
pub fn shown_owner(account: &str) -> model::Owner {
    model::Owner {
        display_name: None,
        id: Some(canonical::id_of(account)),
    }
}

/// Grants as answers show them.
pub fn shown(acl: &Acl) -> Vec<model::Grant> {
    let grants = acl.grants.iter().map(|grant| model::Grant {
        grantee: Some(shown_grantee(&grant.grantee)),
        permission: Some(match grant.permission {
            Permission::FullControl => model::Permission::FullControl,
            Permission::Read => model::Permission::Read,
            Permission::Write => model::Permission::Write,
            Permission::ReadAcp => model::Permission::ReadAcp,
            Permission::WriteAcp => model::Permission::WriteAcp,
        }),
    });
    grants.collect()
}

/// A grantee as answers show it.
pub(crate) fn shown_grantee(grantee: &Grantee) -> model::Grantee {
    let of_group = |uri: &str| model::Grantee {
        r#type: model::Type::Group,
        uri: Some(uri.to_owned()),
        ..Default::default()
    };
    match grantee {
        Grantee::Account(account) => model::Grantee {
            r#type: model::Type::CanonicalUser,
            id: Some(canonical::id_of(account)),
            ..Default::default()
        },
        Grantee::AllUsers => of_group(ALL_USERS),
        Grantee::AuthenticatedUsers => of_group(AUTHENTICATED_USERS),
        Grantee::LogDelivery => of_group(LOG_DELIVERY),
    }
}
