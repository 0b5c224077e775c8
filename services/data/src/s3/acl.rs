//! Access control lists: who was granted what on a bucket or an object, by account or by group.
//!
//! Invariant: a list names accounts, which exist when it is put; how clients name them (canonical id, e-mail, group URI) is for the
//! wire alone.
//!
//! Source: S3 User Guide, "Access control list (ACL) overview".

use serde::{Deserialize, Serialize};

/// What a grant lets its grantee do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Permission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

/// Who is granted something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Grantee {
    /// Twelve digits.
    Account(String),
    /// Everyone, signed or not.
    AllUsers,
    /// Everyone with credentials of some account.
    AuthenticatedUsers,
    /// Access logs are written by this group.
    LogDelivery,
}

impl Grantee {
    /// Whether the public is meant.
    pub const fn is_public(&self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }
}

/// One line of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

/// A list, with the account that owns the bucket or object.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Acl {
    /// Twelve digits.
    pub owner: String,
    pub grants: Vec<Grant>,
}

impl Acl {
    /// `private`: all for the owner.
    pub fn private(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            grants: vec![Grant {
                grantee: Grantee::Account(owner.to_owned()),
                permission: Permission::FullControl,
            }],
        }
    }

    /// Whether anything is granted to anybody but the owner.
    pub fn is_private(&self) -> bool {
        self.grants
            .iter()
            .all(|grant| grant.grantee == Grantee::Account(self.owner.clone()))
    }

    /// Whether something is granted to the public.
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| grant.grantee.is_public())
    }
}
