//! Which rules of a configuration mean a version, and where they want it.
//!
//! Invariant: a version goes to a bucket once, by the rule of the highest priority.
//!
//! Source: S3 User Guide, "Replication configuration file elements", "What does Amazon S3 replicate?".

use api::s3 as model;
use model::ReplicationRule as Rule;

use crate::s3::encryption::Applied;
use crate::s3::object::{Version, class};

/// The name of the bucket that a rule copies to.
pub(crate) fn destination(rule: &Rule) -> &str {
    let arn = rule.destination.bucket.as_str();
    arn.strip_prefix("arn:aws:s3:::").unwrap_or(arn)
}

fn enabled(rule: &Rule) -> bool {
    rule.status == model::ReplicationRuleStatus::Enabled
}

/// The prefix of a rule of either form.
pub(crate) fn prefix(rule: &Rule) -> &str {
    let of_filter = rule.filter.as_ref().and_then(|filter| {
        let of_and = filter.and.as_ref().and_then(|and| and.prefix.as_deref());
        filter.prefix.as_deref().or(of_and)
    });
    rule.prefix.as_deref().or(of_filter).unwrap_or_default()
}

/// Whether a rule is of the newer form, which says itself whether delete markers are copied.
pub(crate) const fn is_newer(rule: &Rule) -> bool {
    rule.filter.is_some() || rule.destination.replication_time.is_some()
}

fn tagged(rule: &Rule, version: &Version) -> bool {
    let has = |tag: &model::Tag| version.tags.get(&tag.key) == Some(&tag.value);
    rule.filter.as_ref().is_none_or(|filter| {
        let all = filter.and.as_ref().and_then(|and| and.tags.as_ref());
        filter.tag.as_ref().is_none_or(has) && all.is_none_or(|tags| tags.iter().all(has))
    })
}

fn takes_kms(rule: &Rule) -> bool {
    let criteria = rule.source_selection_criteria.as_ref();
    criteria
        .and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref())
        .is_some_and(|kms| kms.status == model::SseKmsEncryptedObjectsStatus::Enabled)
}

fn takes_changes_of_replicas(rule: &Rule) -> bool {
    let criteria = rule.source_selection_criteria.as_ref();
    criteria
        .and_then(|criteria| criteria.replica_modifications.as_ref())
        .is_some_and(|changes| changes.status == model::ReplicaModificationsStatus::Enabled)
}

fn takes_markers(rule: &Rule) -> bool {
    if !is_newer(rule) {
        return true;
    }
    rule.delete_marker_replication
        .as_ref()
        .is_some_and(|markers| markers.status == Some(model::DeleteMarkerReplicationStatus::Enabled))
}

/// One rule for each destination: of those that mean something, the one of the highest priority.
fn by_destination<'a>(rules: impl Iterator<Item = &'a Rule>) -> Vec<&'a Rule> {
    let mut chosen: Vec<&Rule> = Vec::new();
    for rule in rules {
        match chosen
            .iter_mut()
            .find(|known| destination(known) == destination(rule))
        {
            Some(known) if known.priority < rule.priority => *known = rule,
            Some(_) => {}
            None => chosen.push(rule),
        }
    }
    chosen
}

/// The rules that copy a version which was just made.
pub(crate) fn for_object<'a>(rules: &'a [Rule], key: &str, version: &Version) -> Vec<&'a Rule> {
    // What lies in an archive is not read for copies.
    if class::is_archived(version.class()) {
        return Vec::new();
    }
    let under_kms = matches!(version.encryption, Applied::Kms(_) | Applied::Dsse(_));
    by_destination(rules.iter().filter(|rule| {
        enabled(rule)
            && key.starts_with(prefix(rule))
            && tagged(rule, version)
            && (!under_kms || takes_kms(rule))
    }))
}

/// The rules that copy a delete marker which a request made.
pub(crate) fn for_marker<'a>(rules: &'a [Rule], key: &str) -> Vec<&'a Rule> {
    by_destination(
        rules
            .iter()
            .filter(|rule| enabled(rule) && key.starts_with(prefix(rule)) && takes_markers(rule)),
    )
}

/// The rules that bring changes of a replica back.
pub(crate) fn for_replica<'a>(rules: &'a [Rule], key: &str) -> Vec<&'a Rule> {
    by_destination(
        rules
            .iter()
            .filter(|rule| enabled(rule) && key.starts_with(prefix(rule)) && takes_changes_of_replicas(rule)),
    )
}

/// The rule by which a copy is made that was begun: the one that began it, else another that leads to the same bucket.
pub(crate) fn to<'a>(rules: &'a [Rule], key: &str, bucket: &str, id: Option<&str>) -> Option<&'a Rule> {
    let mut fits: Vec<&Rule> = rules
        .iter()
        .filter(|rule| enabled(rule) && destination(rule) == bucket && key.starts_with(prefix(rule)))
        .collect();
    if let Some(own) = fits.iter().find(|rule| rule.id.as_deref() == id) {
        return Some(own);
    }
    fits.sort_by_key(|rule| rule.priority);
    fits.last().copied()
}

/// Whether the source's owner gives the copy to the destination's.
pub(crate) const fn gives_away(rule: &Rule) -> bool {
    rule.destination.access_control_translation.is_some()
}

/// Whether failures are told to whom the bucket's notifications name.
pub(crate) fn tells_failures(rule: &Rule) -> bool {
    let metrics = rule.destination.metrics.as_ref();
    metrics.is_some_and(|metrics| metrics.status == model::MetricsStatus::Enabled)
}
