//! What a rule asks of a version: whether it is meant, when it goes, and to which class it moves.
//!
//! Invariant: a time is a midnight in UTC: AWS adds the days and rounds up.

use api::s3 as model;
use model::TransitionStorageClass as Class;

use super::DAY;
use crate::s3::bucket::LeastMoved;
use crate::s3::object::Version;

/// Bytes of the smallest object that moves by itself, where a rule does not say.
const LEAST_BYTES: u64 = 128 << 10;

/// The prefix of a rule.
pub(super) fn prefix(rule: &model::LifecycleRule) -> &str {
    let of_filter = rule.filter.as_ref().and_then(|filter| {
        let of_and = filter.and.as_ref().and_then(|and| and.prefix.as_deref());
        filter.prefix.as_deref().or(of_and)
    });
    rule.prefix.as_deref().or(of_filter).unwrap_or_default()
}

/// The sizes between which objects are meant.
fn sizes(rule: &model::LifecycleRule) -> (Option<i64>, Option<i64>) {
    let Some(filter) = &rule.filter else {
        return (None, None);
    };
    let and = filter.and.as_ref();
    (
        filter
            .object_size_greater_than
            .or_else(|| and.and_then(|and| and.object_size_greater_than)),
        filter
            .object_size_less_than
            .or_else(|| and.and_then(|and| and.object_size_less_than)),
    )
}

/// Whether a rule means a version, by its key, size and tags.
pub(super) fn matches(rule: &model::LifecycleRule, key: &[u8], version: &Version) -> bool {
    if !key.starts_with(prefix(rule).as_bytes()) {
        return false;
    }
    let size = i64::try_from(version.size).unwrap_or(i64::MAX);
    let (greater, less) = sizes(rule);
    if greater.is_some_and(|than| size <= than) || less.is_some_and(|than| size >= than) {
        return false;
    }
    let tagged = |tag: &model::Tag| version.tags.get(&tag.key) == Some(&tag.value);
    rule.filter.as_ref().is_none_or(|filter| {
        let all = filter.and.as_ref().and_then(|and| and.tags.as_ref());
        filter.tag.as_ref().is_none_or(tagged) && all.is_none_or(|tags| tags.iter().all(tagged))
    })
}

/// When an upload of a key goes that began `at`.
pub(super) fn aborts(rule: &model::LifecycleRule, key: &[u8], at: i64) -> Option<i64> {
    let abort = rule.abort_incomplete_multipart_upload.as_ref()?;
    let meant = key.starts_with(prefix(rule).as_bytes());
    abort
        .days_after_initiation
        .filter(|_| meant)
        .map(|days| later(at, days))
}

/// So many days later, at the midnight that follows.
pub(super) fn later(from: i64, days: i32) -> i64 {
    let at = from.saturating_add(i64::from(days) * DAY);
    let over = at.rem_euclid(DAY);
    if over == 0 { at } else { at - over + DAY }
}

/// When a current version goes.
pub(super) fn expires(rule: &model::LifecycleRule, version: &Version) -> Option<i64> {
    let expiration = rule.expiration.as_ref()?;
    let by_days = expiration.days.map(|days| later(version.modified, days));
    by_days.or(expiration.date.map(|date| date.0))
}

/// Whether a delete marker that hides nothing goes: at once, or at the age that the rule gives objects.
pub(super) fn drops_marker(rule: &model::LifecycleRule, marker: &Version, now: i64) -> bool {
    let asked = rule
        .expiration
        .as_ref()
        .and_then(|expiration| expiration.expired_object_delete_marker);
    asked == Some(true) || expires(rule, marker).is_some_and(|at| at <= now)
}

/// Whether a version goes that is not current since a time, and has so many newer ones that are not current either.
pub(super) fn expires_noncurrent(rule: &model::LifecycleRule, since: i64, newer: u32, now: i64) -> bool {
    let Some(expiration) = &rule.noncurrent_version_expiration else {
        return false;
    };
    reached(
        expiration.noncurrent_days,
        expiration.newer_noncurrent_versions,
        since,
        newer,
        now,
    )
}

fn reached(days: Option<i32>, kept: Option<i32>, since: i64, newer: u32, now: i64) -> bool {
    let beyond = kept.is_none_or(|kept| i64::from(newer) >= i64::from(kept));
    beyond && days.is_some_and(|days| later(since, days) <= now)
}

/// The class to which a current version moves.
pub(super) fn class(
    rule: &model::LifecycleRule,
    version: &Version,
    least: LeastMoved,
    now: i64,
) -> Option<Class> {
    let due = rule.transitions.iter().flatten().filter(|step| {
        let by_days = step.days.map(|days| later(version.modified, days));
        by_days
            .or(step.date.map(|date| date.0))
            .is_some_and(|at| at <= now)
    });
    last(due.filter_map(|step| step.storage_class), rule, version, least)
}

/// The class to which a version moves that is not current.
pub(super) fn class_noncurrent(
    rule: &model::LifecycleRule,
    version: &Version,
    least: LeastMoved,
    (since, newer, now): (i64, u32, i64),
) -> Option<Class> {
    let due = rule
        .noncurrent_version_transitions
        .iter()
        .flatten()
        .filter(|step| {
            reached(
                step.noncurrent_days,
                step.newer_noncurrent_versions,
                since,
                newer,
                now,
            )
        });
    last(due.filter_map(|step| step.storage_class), rule, version, least)
}

/// The lowest of the classes that lies below the version's own.
fn last(
    classes: impl Iterator<Item = Class>,
    rule: &model::LifecycleRule,
    version: &Version,
    least: LeastMoved,
) -> Option<Class> {
    let own = rank(&version.class);
    let sized = sizes(rule) != (None, None);
    classes
        .filter(|class| rank(class.as_str()) > own)
        .filter(|class| {
            let archive = matches!(class, Class::Glacier | Class::DeepArchive);
            sized || version.size >= LEAST_BYTES || (archive && least == LeastMoved::ByClass)
        })
        .max_by_key(|class| rank(class.as_str()))
}

/// How far down a class lies: objects move downwards only (S3 User Guide, "Transitioning objects using Amazon S3 Lifecycle").
pub(crate) fn rank(class: &str) -> u8 {
    match class {
        "STANDARD_IA" => 1,
        "INTELLIGENT_TIERING" => 2,
        "ONEZONE_IA" => 3,
        "GLACIER_IR" => 4,
        "GLACIER" => 5,
        "DEEP_ARCHIVE" => 6,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The guide's own example: written on January 15 at 10:30, three days later is the midnight of January 19.
    #[test]
    fn days_end_at_the_next_midnight() {
        let written = wire::Timestamp::from_iso8601("2014-01-15T10:30:00Z").unwrap();
        assert_eq!(
            wire::Timestamp(later(written.0, 3)).iso8601(),
            "2014-01-19T00:00:00Z"
        );
        assert_eq!(later(0, 1), DAY);
    }

    #[test]
    fn a_number_of_newer_versions_stays() {
        assert!(!reached(Some(1), Some(2), 0, 1, 5 * DAY));
        assert!(reached(Some(1), Some(2), 0, 2, 5 * DAY));
        assert!(!reached(Some(6), Some(2), 0, 2, 5 * DAY));
        assert!(reached(Some(1), None, 0, 0, DAY));
    }
}
