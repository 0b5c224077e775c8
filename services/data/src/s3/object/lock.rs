//! Object lock: retention and legal hold of a version, and what they forbid.
//!
//! Invariant: a version under compliance retention or legal hold is not deleted by anybody; one under governance only by who may
//! bypass it and says so.
//!
//! Source: S3 User Guide, "Locking objects with Object Lock".

use api::s3 as model;
use pipeline::{Look, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use wire::{Fault, Timestamp};

use super::refusal::{invalid_argument, invalid_request};
use crate::s3::bucket::{Bucket, Span};

/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// How long a version stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Retention {
    /// `COMPLIANCE`, else `GOVERNANCE`.
    #[serde(rename = "c")]
    pub(crate) compliance: bool,
    /// Milliseconds since the epoch.
    #[serde(rename = "u")]
    pub(crate) until: i64,
}

impl Retention {
    pub(crate) const fn mode(self) -> model::ObjectLockRetentionMode {
        if self.compliance {
            model::ObjectLockRetentionMode::Compliance
        } else {
            model::ObjectLockRetentionMode::Governance
        }
    }

    pub(crate) const fn lock_mode(self) -> model::ObjectLockMode {
        if self.compliance {
            model::ObjectLockMode::Compliance
        } else {
            model::ObjectLockMode::Governance
        }
    }
}

/// What keeps a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lock {
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) retention: Option<Retention>,
    /// Whether a legal hold was ever put or lifted, and whether it stands.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<bool>,
}

/// What stands against the deletion of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Guard {
    None,
    /// Who may bypass governance and says so can delete it.
    Governance,
    Absolute,
}

impl Lock {
    /// Whether nothing is said of the version.
    pub(crate) const fn is_open(&self) -> bool {
        self.retention.is_none() && self.hold.is_none()
    }

    /// What stands against a deletion now.
    pub(crate) fn guard(&self, now: Timestamp) -> Guard {
        if self.hold == Some(true) {
            return Guard::Absolute;
        }
        match self.retention {
            Some(retention) if retention.until > now.0 && retention.compliance => Guard::Absolute,
            Some(retention) if retention.until > now.0 => Guard::Governance,
            _ => Guard::None,
        }
    }
}

/// What a write asks for.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) mode: Option<model::ObjectLockMode>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) hold: Option<model::ObjectLockLegalHoldStatus>,
}

/// Reads what a request of any shape that makes an object says of its lock.
macro_rules! asked {
    ($input:expr) => {
        $crate::s3::object::lock::Asked {
            mode: $input.object_lock_mode,
            until: $input.object_lock_retain_until_date,
            hold: $input.object_lock_legal_hold_status,
        }
    };
}
pub(crate) use asked;

impl Asked {
    /// Whether the request says anything of a lock.
    pub(crate) const fn is_given(&self) -> bool {
        self.mode.is_some() || self.until.is_some() || self.hold.is_some()
    }

    /// The lock of a new version: what the request says, else the bucket's default.
    ///
    /// # Errors
    /// For buckets without object lock, half a retention and dates that are past.
    pub(crate) fn resolve(&self, look: &Look<'_>, bucket: &Bucket) -> Result<Lock> {
        let Some(setting) = &bucket.object_lock else {
            if self.is_given() {
                return Err(no_configuration());
            }
            return Ok(Lock::default());
        };
        let retention = match (self.mode, self.until) {
            (Some(mode), Some(until)) => {
                expect_future(until, look.now)?;
                Some(Retention {
                    compliance: mode == model::ObjectLockMode::Compliance,
                    until: until.0,
                })
            }
            (None, None) => setting.default.map(|default| Retention {
                compliance: default.compliance,
                until: look.now.0 + days(default.span) * DAY,
            }),
            _ => {
                return Err(invalid_argument(
                    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
                    if self.mode.is_some() {
                        "x-amz-object-lock-mode"
                    } else {
                        "x-amz-object-lock-retain-until-date"
                    },
                    "",
                ));
            }
        };
        let hold = self.hold.map(|hold| hold == model::ObjectLockLegalHoldStatus::On);
        Ok(Lock { retention, hold })
    }
}

/// Sets the condition keys of a date up to which a version is to be kept.
pub(crate) fn retain_until(until: Timestamp, now: Timestamp, context: &mut Context) {
    let left = until.0.saturating_sub(now.0).max(0);
    context.insert("s3:object-lock-retain-until-date", until.iso8601());
    context.insert(
        "s3:object-lock-remaining-retention-days",
        (left.saturating_add(DAY - 1) / DAY).to_string(),
    );
}

/// A retention begins in the present at the earliest.
pub(crate) fn expect_future(until: Timestamp, now: Timestamp) -> Result<()> {
    if until > now {
        return Ok(());
    }
    Err(invalid_argument(
        "The retain until date must be in the future!",
        "x-amz-object-lock-retain-until-date",
        until.iso8601(),
    ))
}

/// The refusal of locks in buckets that have none.
pub(crate) fn no_configuration() -> Fault {
    invalid_request("Bucket is missing Object Lock Configuration")
}

/// AWS counts a year of a default retention as 365 days.
fn days(span: Span) -> i64 {
    match span {
        Span::Days(days) => i64::from(days),
        Span::Years(years) => i64::from(years) * 365,
    }
}

/// Whether a request asks for a hold until an event, in any of its members.
macro_rules! holds_for_event {
    ($input:expr) => {
        $input.object_lock_event_hold.is_some()
            || $input.object_lock_event_hold_duration_days.is_some()
            || $input.object_lock_event_hold_duration_years.is_some()
    };
}
pub(crate) use holds_for_event;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn kept(compliance: bool, until: i64) -> Lock {
        Lock {
            retention: Some(Retention { compliance, until }),
            hold: None,
        }
    }

    #[test]
    fn retention_guards_until_its_date() {
        assert_eq!(kept(false, 1_001).guard(NOW), Guard::Governance);
        assert_eq!(kept(true, 1_001).guard(NOW), Guard::Absolute);
        assert_eq!(kept(true, 1_000).guard(NOW), Guard::None);
        assert_eq!(Lock::default().guard(NOW), Guard::None);
    }

    #[test]
    fn a_legal_hold_guards_whatever_the_date() {
        let mut lock = kept(false, 0);
        lock.hold = Some(true);
        assert_eq!(lock.guard(NOW), Guard::Absolute);
        lock.hold = Some(false);
        assert_eq!(lock.guard(NOW), Guard::None);
    }

    #[test]
    fn what_remains_of_a_retention_counts_begun_days() {
        let mut context = Context::default();
        retain_until(Timestamp(NOW.0 + DAY + 1), NOW, &mut context);
        let days = context.get("s3:object-lock-remaining-retention-days");
        assert_eq!(
            days.and_then(<[_]>::first).map(std::convert::AsRef::as_ref),
            Some("2")
        );
    }
}
