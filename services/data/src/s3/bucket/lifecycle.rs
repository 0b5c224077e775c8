//! What becomes of a bucket's objects as they grow old: the configuration, checked whole before it is kept.
//!
//! Invariant: a kept rule can be followed: it has an action, its times are in order, and its filter is one.
//!
//! Source: S3 API Reference, "PutBucketLifecycleConfiguration"; S3 User Guide, "Lifecycle configuration elements".

use std::collections::BTreeSet;

use api::s3 as model;
use pipeline::{Access, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;
use wire::typed::Empty;

use super::versioning::invalid_state;
use super::{Configured, mfa_delete, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_argument, invalid_request, malformed_xml, text};
use crate::s3::lifecycle::{self, rank};

const PUT: Access = Access::write("s3:PutLifecycleConfiguration");
const RULES_MAX: usize = 1000;
const ID_MAX: usize = 255;
const DAY: i64 = 86_400_000;

/// The least size of objects that move by themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum LeastMoved {
    /// 128 KiB, whatever the class.
    #[default]
    All128K,
    /// None for the archives, 128 KiB for the rest.
    ByClass,
}

impl LeastMoved {
    const fn shown(self) -> model::TransitionDefaultMinimumObjectSize {
        match self {
            Self::All128K => model::TransitionDefaultMinimumObjectSize::AllStorageClasses128K,
            Self::ByClass => model::TransitionDefaultMinimumObjectSize::VariesByStorageClass,
        }
    }
}

fn invalid(message: impl Into<String>, name: &str) -> Fault {
    invalid_argument(message, name, "")
}

/// Whether a rule's filter names tags, and whether it names sizes.
fn filter(rule: &model::LifecycleRule) -> Result<(bool, bool)> {
    let Some(filter) = &rule.filter else {
        return if rule.prefix.is_some() {
            Ok((false, false))
        } else {
            Err(malformed_xml())
        };
    };
    if rule.prefix.is_some() {
        return Err(malformed_xml());
    }
    let sizes = (filter.object_size_greater_than, filter.object_size_less_than);
    let said = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        sizes.0.is_some(),
        sizes.1.is_some(),
        filter.and.is_some(),
    ];
    if said.iter().filter(|said| **said).count() > 1 {
        return Err(malformed_xml());
    }
    let mut tagged = filter.tag.is_some();
    let mut sizes = sizes;
    if let Some(and) = &filter.and {
        let tags = and.tags.as_deref().unwrap_or_default();
        let parts = usize::from(and.prefix.is_some())
            + tags.len()
            + usize::from(and.object_size_greater_than.is_some())
            + usize::from(and.object_size_less_than.is_some());
        if parts < 2 {
            return Err(malformed_xml());
        }
        let mut keys = BTreeSet::new();
        if !tags.iter().all(|tag| keys.insert(&tag.key)) {
            return Err(invalid_request("Duplicate Tag Keys are not allowed."));
        }
        tagged = !tags.is_empty();
        sizes = (and.object_size_greater_than, and.object_size_less_than);
    }
    if let (Some(greater), Some(less)) = sizes
        && greater >= less
    {
        return Err(invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ));
    }
    Ok((tagged, sizes != (None, None)))
}

fn positive(days: Option<i32>, action: &str) -> Result<()> {
    if days.is_some_and(|days| days < 1) {
        return Err(invalid(
            format!("'Days' for {action} action must be a positive integer"),
            "Days",
        ));
    }
    Ok(())
}

fn midnight(date: Option<wire::Timestamp>) -> Result<()> {
    if date.is_some_and(|date| date.0.rem_euclid(DAY) != 0) {
        return Err(invalid("'Date' must be at midnight GMT", "Date"));
    }
    Ok(())
}

/// Days that objects stay in the first class at least before they go to this one.
const fn least_days(class: model::TransitionStorageClass) -> i32 {
    match class {
        model::TransitionStorageClass::StandardIa | model::TransitionStorageClass::OnezoneIa => 30,
        _ => 0,
    }
}

/// Objects go down the classes and never up (S3 User Guide, "Supported transitions"), so a colder class comes later.
fn expect_descent(rule: &model::LifecycleRule) -> Result<()> {
    let steps = rule.transitions.iter().flatten().filter_map(|step| {
        let at = step.days.map(i64::from).or(step.date.map(|date| date.0))?;
        Some((rank(step.storage_class?.as_str()), at, step))
    });
    let mut steps: Vec<_> = steps.collect();
    steps.sort_by_key(|(rank, ..)| *rank);
    for ((_, at, step), (_, next_at, next)) in steps.iter().zip(steps.iter().skip(1)) {
        if at >= next_at {
            let unit = if step.days.is_some() { "Days" } else { "Date" };
            let class = |step: &model::Transition| step.storage_class.map_or("", |class| class.as_str());
            let filter = shown_filter(rule);
            return Err(invalid(
                format!(
                    "'{unit}' in the 'Transition' action for StorageClass '{}' for {filter} must be greater than '{unit}' in the \
                     'Transition' action for StorageClass '{}' for {filter}",
                    class(next),
                    class(step)
                ),
                unit,
            ));
        }
    }
    Ok(())
}

fn transitions(rule: &model::LifecycleRule) -> Result<()> {
    let mut classes = BTreeSet::new();
    let mut dated = None;
    for step in rule.transitions.iter().flatten() {
        let Some(class) = step.storage_class else {
            return Err(malformed_xml());
        };
        if step.days.is_some() == step.date.is_some() {
            return Err(malformed_xml());
        }
        midnight(step.date)?;
        let least = least_days(class);
        if step.days.is_some_and(|days| days < least) {
            return Err(invalid(
                format!(
                    "'Days' in Transition action must be greater than or equal to {least} for storageClass '{}'",
                    class.as_str()
                ),
                "Days",
            ));
        }
        if !classes.insert(class.as_str()) {
            return Err(invalid_request(format!(
                "'StorageClass' must be different for 'Transition' actions in same 'Rule' with {}",
                shown_filter(rule)
            )));
        }
        if *dated.get_or_insert(step.date.is_some()) != step.date.is_some() {
            return Err(mixed(rule));
        }
    }
    expect_descent(rule)?;
    let Some(expiration) = &rule.expiration else {
        return Ok(());
    };
    if dated
        .is_some_and(|dated| (dated && expiration.days.is_some()) || (!dated && expiration.date.is_some()))
    {
        return Err(mixed(rule));
    }
    let last = rule
        .transitions
        .iter()
        .flatten()
        .filter_map(|step| step.days)
        .max();
    if let (Some(last), Some(days)) = (last, expiration.days)
        && days <= last
    {
        return Err(invalid(
            format!(
                "'Days' in the Expiration action for {} must be greater than 'Days' in the Transition action",
                shown_filter(rule)
            ),
            "Days",
        ));
    }
    Ok(())
}

fn mixed(rule: &model::LifecycleRule) -> Fault {
    invalid_request(format!(
        "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for {}",
        shown_filter(rule)
    ))
}

fn shown_filter(rule: &model::LifecycleRule) -> String {
    let of_filter = rule.filter.as_ref().and_then(|filter| filter.prefix.as_deref());
    let prefix = rule.prefix.as_deref().or(of_filter).unwrap_or_default();
    format!("filter '(prefix={prefix})'")
}

fn noncurrent(rule: &model::LifecycleRule) -> Result<()> {
    let kept = |kept: Option<i32>| {
        if kept.is_some_and(|kept| !(1..=100).contains(&kept)) {
            return Err(invalid(
                "'NewerNoncurrentVersions' must be a positive integer that is not greater than 100",
                "NewerNoncurrentVersions",
            ));
        }
        Ok(())
    };
    if let Some(expiration) = &rule.noncurrent_version_expiration {
        if expiration.noncurrent_days.is_none() {
            return Err(malformed_xml());
        }
        positive(expiration.noncurrent_days, "NoncurrentVersionExpiration")?;
        kept(expiration.newer_noncurrent_versions)?;
    }
    for step in rule.noncurrent_version_transitions.iter().flatten() {
        let (Some(class), Some(days)) = (step.storage_class, step.noncurrent_days) else {
            return Err(malformed_xml());
        };
        let least = least_days(class);
        if days < least {
            return Err(invalid(
                format!(
                    "'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to {least} for storageClass '{}'",
                    class.as_str()
                ),
                "NoncurrentDays",
            ));
        }
        kept(step.newer_noncurrent_versions)?;
        let expiration = rule.noncurrent_version_expiration.as_ref();
        if expiration
            .and_then(|expiration| expiration.noncurrent_days)
            .is_some_and(|last| last <= days)
        {
            return Err(invalid(
                format!(
                    "'NoncurrentDays' in the NoncurrentVersionExpiration action for {} must be greater than 'NoncurrentDays' in the \
                     NoncurrentVersionTransition action",
                    shown_filter(rule)
                ),
                "NoncurrentDays",
            ));
        }
    }
    Ok(())
}

fn check_rule(rule: &model::LifecycleRule) -> Result<()> {
    let (tagged, sized) = filter(rule)?;
    let acts = rule.expiration.is_some()
        || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_expiration.is_some()
        || rule
            .noncurrent_version_transitions
            .as_ref()
            .is_some_and(|list| !list.is_empty())
        || rule.abort_incomplete_multipart_upload.is_some();
    if !acts {
        return Err(invalid_request(
            "At least one action needs to be specified in a rule",
        ));
    }
    if let Some(expiration) = &rule.expiration {
        let said = [
            expiration.days.is_some(),
            expiration.date.is_some(),
            expiration.expired_object_delete_marker.is_some(),
        ];
        if said.iter().filter(|said| **said).count() != 1 {
            return Err(malformed_xml());
        }
        positive(expiration.days, "Expiration")?;
        midnight(expiration.date)?;
        if expiration.expired_object_delete_marker.is_some() && tagged {
            return Err(invalid_request(
                "ExpiredObjectDeleteMarker cannot be specified with Tags.",
            ));
        }
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        match abort.days_after_initiation {
            Some(days) if days >= 1 => {}
            Some(_) => {
                return Err(invalid(
                    "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
                    "DaysAfterInitiation",
                ));
            }
            None => return Err(malformed_xml()),
        }
        if tagged || sized {
            let what = if tagged { "Tags" } else { "ObjectSize" };
            return Err(invalid_request(format!(
                "AbortIncompleteMultipartUpload cannot be specified with {what}."
            )));
        }
    }
    transitions(rule)?;
    noncurrent(rule)
}

on_bucket! {
    /// Says what becomes of a bucket's objects as they grow old.
    PutBucketLifecycleConfiguration(model::PutBucketLifecycleConfigurationRequest)
        -> model::PutBucketLifecycleConfigurationOutput,
    PUT;
    |call, bucket, input| {
        let Some(mut asked) = input.lifecycle_configuration else {
            return Err(malformed_xml());
        };
        if asked.rules.is_empty() || asked.rules.len() > RULES_MAX {
            return Err(malformed_xml());
        }
        if mfa_delete::is_on(&bucket) {
            return Err(invalid_state(
                "MFA delete is enabled on this bucket, so a lifecycle configuration cannot be applied.",
            ));
        }
        let mut ids = BTreeSet::new();
        for rule in &mut asked.rules {
            check_rule(rule)?;
            let id = match &rule.id {
                Some(id) if !id.is_empty() => id.clone(),
                _ => rule.id.insert(call.uuid()?).clone(),
            };
            if id.chars().count() > ID_MAX {
                return Err(invalid("ID length should not exceed allowed limit of 255", "ID"));
            }
            if !ids.insert(id) {
                return Err(invalid(
                    "Rule ID must be unique. Found same ID for more than one rule",
                    "ID",
                ));
            }
        }
        let mut bucket = to_change(&bucket);
        let least = match input.transition_default_minimum_object_size {
            Some(model::TransitionDefaultMinimumObjectSize::VariesByStorageClass) => LeastMoved::ByClass,
            _ => LeastMoved::All128K,
        };
        if bucket.least_moved != least {
            bucket.least_moved = least;
            bucket.clone().keep(call)?;
        }
        lifecycle::begin(call, &bucket)?;
        configuration::put(call, bucket, Configured::Lifecycle, "", "BucketLifecycleConfiguration", asked)?;
        Ok(model::PutBucketLifecycleConfigurationOutput {
            transition_default_minimum_object_size: Some(least.shown()),
        })
    }
}

on_bucket! {
    /// Shows what becomes of a bucket's objects as they grow old.
    GetBucketLifecycleConfiguration(model::GetBucketLifecycleConfigurationRequest)
        -> model::GetBucketLifecycleConfigurationOutput,
    Access::read("s3:GetLifecycleConfiguration");
    |call, bucket, _input| {
        let found: Option<model::BucketLifecycleConfiguration> =
            configuration::read(call, &bucket, Configured::Lifecycle, "")?;
        let Some(found) = found else {
            return Err(Fault::plain(
                "NoSuchLifecycleConfiguration",
                404,
                "The lifecycle configuration does not exist",
            )
            .with("BucketName", text(&bucket.name)));
        };
        Ok(model::GetBucketLifecycleConfigurationOutput {
            rules: Some(found.rules),
            transition_default_minimum_object_size: Some(bucket.least_moved.shown()),
        })
    }
}

on_bucket! {
    /// Lets a bucket's objects grow old as they are.
    DeleteBucketLifecycle(model::DeleteBucketLifecycleRequest) -> Empty, PUT;
    |call, bucket, _input| {
        lifecycle::end(call, &bucket.name)?;
        let bucket = to_change(&bucket);
        configuration::delete(call, bucket, Configured::Lifecycle, "")?;
        Ok(Empty)
    }
}
