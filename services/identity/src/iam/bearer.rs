//! Users, groups and roles as what they have in common: they bear policies, managed (S1.16) and inline (S1.22).

use std::collections::BTreeMap;

use pipeline::{Call, Found, Look, Resource, Result};

use crate::iam::document::StoredPolicy;
use crate::iam::group::{self, GROUPS, Group};
use crate::iam::role::{self, ROLES, Role};
use crate::iam::user::{self, USERS, User};

/// What policies are attached to and embedded in.
pub(crate) trait Bearer: Resource + Sized {
    /// `user`, as attachments and messages say it.
    const KIND: &'static str;
    /// The quota of attached policies, as AWS names it.
    const QUOTA: &'static str;
    /// Characters of all inline policies together, whitespace not counted.
    const INLINE_MAX: usize;

    /// The one that a request names.
    fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Self>>;
    fn name(&self) -> &str;
    fn id(&self) -> &str;
    /// ARNs of managed policies.
    fn attached(&mut self) -> &mut Vec<String>;
    fn inline(&mut self) -> &mut BTreeMap<String, StoredPolicy>;
    /// Refuses a change of its policies, where AWS alone makes them.
    fn expect_modifiable(&self) -> Result<()>;
    /// Writes its row.
    fn keep(self, call: &mut Call<'_>) -> Result<()>;
}

/// What a permissions boundary can be set on.
pub(crate) trait Bounded: Bearer {
    /// `user-boundary`, as attachments say it.
    const BOUNDARY: &'static str;

    fn boundary(&mut self) -> &mut Option<String>;
}

macro_rules! bearer {
    ($bearer:ident, $kind:literal, $quota:literal, $max:expr, $named:path, $rows:ident, $modifiable:expr) => {
        impl Bearer for $bearer {
            const KIND: &'static str = $kind;
            const QUOTA: &'static str = $quota;
            const INLINE_MAX: usize = $max;

            fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Self>> {
                $named(look, name)
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn id(&self) -> &str {
                &self.id
            }

            fn attached(&mut self) -> &mut Vec<String> {
                &mut self.attached
            }

            fn inline(&mut self) -> &mut BTreeMap<String, StoredPolicy> {
                &mut self.inline
            }

            fn expect_modifiable(&self) -> Result<()> {
                $modifiable(self)
            }

            fn keep(self, call: &mut Call<'_>) -> Result<()> {
                call.put(&$rows, &self.key(), self)
            }
        }
    };
}

bearer!(
    User,
    "user",
    "PoliciesPerUser",
    user::INLINE_BYTES_MAX,
    user::named,
    USERS,
    |_: &User| Ok(())
);
bearer!(
    Group,
    "group",
    "PoliciesPerGroup",
    group::INLINE_BYTES_MAX,
    group::named,
    GROUPS,
    |_: &Group| Ok(())
);
bearer!(
    Role,
    "role",
    "PoliciesPerRole",
    role::INLINE_MAX,
    role::named,
    ROLES,
    Role::expect_unprotected
);

impl Bounded for User {
    const BOUNDARY: &'static str = "user-boundary";

    fn boundary(&mut self) -> &mut Option<String> {
        &mut self.boundary
    }
}

impl Bounded for Role {
    const BOUNDARY: &'static str = "role-boundary";

    fn boundary(&mut self) -> &mut Option<String> {
        &mut self.boundary
    }
}
