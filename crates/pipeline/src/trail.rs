//! How a service's calls look in the trail, where AWS's services differ from each other.
//!
//! Invariant: these rules only ever take away from what the model lets the record show; no rule brings a sensitive
//! member back.

use crate::call::Look;
use crate::gateway::Follower;
use crate::operation::Result;
use crate::origin::Owned;
use wire::redact::{Redactor, Sensitive, TimestampStyle};

/// The rules of one service's records. A service without rules of its own has `TrailRules::new`.
#[derive(Clone, Copy)]
pub struct TrailRules {
    /// botocore's service name.
    pub service: &'static str,
    pub timestamps: TimestampStyle,
    pub sensitive: Sensitive,
    /// Members, by the model's names, that are left out wherever they occur, beside those the model calls sensitive.
    pub drop: &'static [&'static str],
    /// Read-only operations whose `responseElements` are shown all the same (`AssumeRole`).
    pub shown_reads: &'static [&'static str],
    /// A denied call shows no `requestParameters`.
    pub hides_denied: bool,
    /// Events name their `resources`.
    pub names_resources: bool,
    /// The member of `responseElements` in which a successful write shows its resource, if its answer does not
    /// (KMS's `keyId` since December 2022).
    pub subject: Option<&'static str>,
    /// What `requestParameters` say where a request does not: the operation, the member as records spell it, the value.
    pub defaults: &'static [(&'static str, &'static str, &'static str)],
    /// Members of `requestParameters` that are left out where another says that they hold a secret: the operation, the member, the
    /// other and its value, as records spell them (`value` of user data, where `attribute` is `userData`).
    pub withheld: &'static [(&'static str, &'static str, (&'static str, &'static str))],
    /// Operations whose `eventName` is another than their name (`CreateFunction20150331`).
    pub event_names: &'static [(&'static str, &'static str)],
    /// Operations, and events of jobs, that are data events: what is done in or with a resource (`Invoke`). The event history does not
    /// show them.
    pub data_events: &'static [&'static str],
    /// Notes how requests ended that the service follows (`Look::follow`).
    pub follower: Option<Follower>,
    /// Tells what a request names, before its sender is known: for signatures that name no region.
    pub placed: Option<OwnedBy>,
}

/// Whose resource the first segment of a path names, raw and in path style, if there is one.
pub type OwnedBy = fn(&mut Look<'_>, &str) -> Result<Option<Located>>;

/// A resource that a request names, whoever sent it.
pub struct Located {
    pub owned: Owned,
    /// What the request is followed for, even if it is refused before its operation runs.
    pub followed: Option<String>,
}

impl TrailRules {
    /// What holds for most services.
    pub const fn new(service: &'static str) -> Self {
        Self {
            service,
            timestamps: TimestampStyle::Comma,
            sensitive: Sensitive::Drop,
            drop: &[],
            shown_reads: &[],
            hides_denied: false,
            names_resources: false,
            subject: None,
            defaults: &[],
            withheld: &[],
            event_names: &[],
            data_events: &[],
            follower: None,
            placed: None,
        }
    }

    /// The `eventName` of an operation, where it is not the operation's name.
    pub(crate) fn event_name(&self, operation: &str) -> Option<String> {
        let named = self.event_names.iter().find(|(of, _)| *of == operation);
        named.map(|(_, name)| (*name).to_owned())
    }

    pub(crate) const fn redactor(&self) -> Redactor<'static> {
        Redactor {
            drop: self.drop,
            hide: &[],
            sensitive: self.sensitive,
            timestamps: self.timestamps,
        }
    }
}

/// The rules of services that have none of their own.
pub(crate) static ORDINARY: TrailRules = TrailRules::new("");
