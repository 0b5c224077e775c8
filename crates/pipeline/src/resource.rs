//! What calls are done to: how a resource names itself, who may reach it by its own policy, and what conditions see.
//!
//! Invariant: `Authorized` is made in `authorize` alone, after the decision.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use policy::{Attached, Context, Grant};
use wire::Fault;

use crate::call::Look;
use crate::operation::Result;

/// A thing that policies name.
pub trait Resource {
    /// CloudFormation's type name (`AWS::KMS::Key`), which CloudTrail and Config use; empty for what is no resource.
    const TYPE: &'static str;

    /// The ARN that policies match, or `*` for operations without a resource.
    fn arn(&self) -> String;

    /// The account that owns it.
    fn account(&self) -> &str;

    /// The resource's own policies.
    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        Ok(ResourcePolicies::None)
    }

    /// What sort it is, as far as request quotas differ by it.
    fn class(&self) -> &'static str {
        ""
    }

    /// The resource's condition keys: `aws:ResourceTag/…` and the service's own.
    fn conditions(&self, _context: &mut Context) {}

    /// What the request came through, which must let it pass as well.
    fn way(&self, _look: &mut Look<'_>) -> Result<Option<Way>> {
        Ok(None)
    }
}

/// A resource of its own account through which another is reached: an access point. It is asked for the same action before the
/// resource itself, with the same condition keys; both must allow (S3 User Guide, "Configuring IAM policies for using access points").
pub struct Way {
    /// What policies match: the resource as it is seen through the way.
    pub arn: String,
    /// The account that owns the way: twelve digits.
    pub account: String,
    pub policies: ResourcePolicies,
    /// The way itself, as records name it: its ARN and CloudFormation's type name.
    pub named: (String, &'static str),
}

/// The policies that a resource carries.
#[derive(Clone)]
pub enum ResourcePolicies {
    /// The resource type has none, or this one has none attached.
    None,
    /// A resource-based policy (buckets, queues, topics, trust policies of roles).
    Policy(Attached),
    /// A KMS key's policy and grants, which rule alone: IAM counts only where the key policy delegates (S8.44).
    Key { policy: Attached, grants: Arc<[Grant]> },
}

/// What a name led to.
pub enum Found<T> {
    Here(T),
    /// Nothing bears the name: the ARN that it denotes is judged first, and only an allowed caller gets the fault.
    Absent {
        arn: String,
        fault: Fault,
    },
}

impl<T> Found<T> {
    /// From an optional record, with the ARN and fault of its absence.
    pub fn or_absent(found: Option<T>, absent: impl FnOnce() -> (String, Fault)) -> Self {
        match found {
            Some(found) => Self::Here(found),
            None => {
                let (arn, fault) = absent();
                Self::Absent { arn, fault }
            }
        }
    }
}

/// A resource that the caller was granted for the action of the running operation.
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    pub(crate) const fn new(granted: T) -> Self {
        Self(granted)
    }

    /// The resource itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Authorized<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Authorized<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The caller's account as a target: operations that name no resource (`*`).
pub struct AccountScope {
    account: Arc<str>,
}

impl AccountScope {
    /// The account that the call runs in.
    pub fn of(look: &Look<'_>) -> Found<Self> {
        Found::Here(Self {
            account: look.account().into(),
        })
    }
}

impl Resource for AccountScope {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        "*".to_owned()
    }

    fn account(&self) -> &str {
        &self.account
    }
}

/// A resource that does not exist yet, by the ARN that it will have (`CreateUser`).
pub struct Denoted {
    arn: String,
    account: Arc<str>,
}

impl Denoted {
    /// A resource of the calling account that the operation would make.
    pub fn new(look: &Look<'_>, arn: String) -> Found<Self> {
        Found::Here(Self {
            arn,
            account: look.account().into(),
        })
    }
}

impl Resource for Denoted {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }
}
