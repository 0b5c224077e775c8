//! Access points: how their owner makes, shows and ends them, and gives them policies. What they do is in `s3::access_point`.
//!
//! Invariant: nobody but the account of an access point sees or changes it here, whatever its policy says: that speaks of the data.
//!
//! Source: S3 Control API Reference; S3 User Guide, "Access points naming rules, restrictions, and limitations".

use std::sync::Arc;

use pipeline::{Found, Look, Resource, Result};
use policy::Context;
use wire::Fault;

use crate::s3::access_point::{self, ACCESS_POINTS, AccessPoint, TYPE};

mod create;
mod policies;
mod show;

pub use create::{CreateAccessPoint, DeleteAccessPoint};
pub use policies::{
    DeleteAccessPointPolicy, GetAccessPointPolicy, GetAccessPointPolicyStatus, PutAccessPointPolicy,
};
pub use show::{GetAccessPoint, ListAccessPoints};

/// An access point as its owner named it.
pub struct AccessPointTarget(pub(super) Arc<AccessPoint>);

impl Resource for AccessPointTarget {
    const TYPE: &'static str = TYPE;

    fn arn(&self) -> String {
        self.0.arn()
    }

    fn account(&self) -> &str {
        &self.0.account
    }

    fn conditions(&self, context: &mut Context) {
        self.0.conditions(context);
        for (key, value) in &self.0.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
}

/// The access point of a name in the caller's own account, which the request must name, and in the request's region.
pub(super) fn find(look: &mut Look<'_>, account: &str, name: &str) -> Result<Found<AccessPointTarget>> {
    if let Err(fault) = expect_own(look, account) {
        let arn = access_point::arn(look.region(), account, name);
        return Ok(Found::Absent { arn, fault });
    }
    let place = (account.to_owned(), look.region().to_owned(), name.to_owned());
    let found = look.get(&ACCESS_POINTS, &place)?.map(AccessPointTarget);
    Ok(Found::or_absent(found, || {
        let arn = access_point::arn(look.region(), account, name);
        (arn, access_point::no_such_access_point(name))
    }))
}

/// These operations know no cross-account calls.
pub(super) fn expect_own(look: &Look<'_>, account: &str) -> Result<()> {
    if account == look.account() {
        return Ok(());
    }
    Err(Fault::access_denied("Access Denied"))
}
