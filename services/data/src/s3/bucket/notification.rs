//! Whom a bucket tells of what happens to its objects.
//!
//! Invariant: a destination that the installation cannot vouch for is kept only if the request says not to ask.
//!
//! Source: S3 API Reference, "PutBucketNotificationConfiguration".

use std::collections::BTreeSet;

use api::s3 as model;
use pipeline::{Access, Call, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{Configured, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_argument, text};

/// Every destination of a configuration: its id, ARN, events and filter.
struct Told<'a> {
    id: &'a mut Option<String>,
    arn: &'a str,
    service: &'static str,
    events: &'a [model::Event],
    filter: Option<&'a model::NotificationConfigurationFilter>,
}

fn told(asked: &mut model::NotificationConfiguration) -> Vec<Told<'_>> {
    let topics = asked.topic_configurations.iter_mut().flatten().map(|one| Told {
        id: &mut one.id,
        arn: &one.topic_arn,
        service: "sns",
        events: &one.events,
        filter: one.filter.as_ref(),
    });
    let queues = asked.queue_configurations.iter_mut().flatten().map(|one| Told {
        id: &mut one.id,
        arn: &one.queue_arn,
        service: "sqs",
        events: &one.events,
        filter: one.filter.as_ref(),
    });
    let functions = asked
        .lambda_function_configurations
        .iter_mut()
        .flatten()
        .map(|one| Told {
            id: &mut one.id,
            arn: &one.lambda_function_arn,
            service: "lambda",
            events: &one.events,
            filter: one.filter.as_ref(),
        });
    topics.chain(queues).chain(functions).collect()
}

/// The prefix and suffix of a filter; each may be said once.
fn ends(filter: Option<&model::NotificationConfigurationFilter>) -> Result<(String, String)> {
    let rules = filter
        .and_then(|filter| filter.key.as_ref())
        .and_then(|key| key.filter_rules.as_deref())
        .unwrap_or_default();
    let (mut prefix, mut suffix) = (None, None);
    for rule in rules {
        let slot = match rule.name {
            Some(model::FilterRuleName::Prefix) => &mut prefix,
            Some(model::FilterRuleName::Suffix) => &mut suffix,
            None => {
                return Err(invalid_argument(
                    "filter rule name must be either prefix or suffix",
                    "FilterRule.Name",
                    "",
                ));
            }
        };
        if slot.replace(rule.value.clone().unwrap_or_default()).is_some() {
            return Err(invalid_argument(
                "Cannot specify more than one prefix rule in a filter.",
                "filter",
                "",
            ));
        }
    }
    Ok((prefix.unwrap_or_default(), suffix.unwrap_or_default()))
}

fn overlap(first: &str, second: &str) -> bool {
    let (head, tail) = (first.trim_end_matches('*'), second.trim_end_matches('*'));
    first == second
        || (first.ends_with('*') && second.starts_with(head))
        || (second.ends_with('*') && first.starts_with(tail))
}

fn check(call: &mut Call<'_>, asked: &mut model::NotificationConfiguration, skip: bool) -> Result<()> {
    let mut seen: Vec<(String, String, String)> = Vec::new();
    let mut ids = BTreeSet::new();
    for one in told(asked) {
        let parsed = policy::Arn::parse(one.arn);
        let fits = parsed.as_ref().is_some_and(|arn| arn.service() == one.service);
        if !fits {
            return Err(invalid_argument("The ARN could not be parsed", "ARN", one.arn));
        }
        // Neither of the services that could vouch for it is asked: none is served yet.
        if !skip {
            return Err(Fault::plain(
                "InvalidArgument",
                400,
                "Unable to validate the following destination configurations",
            )
            .with("ArgumentName1", text(format!("{}, null", one.arn)))
            .with(
                "ArgumentValue1",
                text("The destination does not exist or its policy does not let Amazon S3 in"),
            ));
        }
        let (prefix, suffix) = ends(one.filter)?;
        for event in one.events {
            let event = event.as_str();
            let clash = seen.iter().any(|(known, head, tail)| {
                let heads = head.starts_with(&prefix) || prefix.starts_with(head.as_str());
                let tails = tail.ends_with(&suffix) || suffix.ends_with(tail.as_str());
                overlap(known, event) && heads && tails
            });
            if clash {
                return Err(invalid_argument(
                    "Configurations overlap. Configurations on the same bucket cannot share a common event type.",
                    "Event",
                    event,
                ));
            }
        }
        let own = one
            .events
            .iter()
            .map(|event| (event.as_str().to_owned(), prefix.clone(), suffix.clone()));
        seen.extend(own);
        let id = match one.id {
            Some(id) => id.clone(),
            None => one.id.insert(call.uuid()?).clone(),
        };
        if !ids.insert(id.clone()) {
            return Err(invalid_argument("Configuration Id must be unique", "Id", &id));
        }
    }
    Ok(())
}

on_bucket! {
    /// Shows whom a bucket tells; an empty configuration where it tells nobody.
    GetBucketNotificationConfiguration(model::GetBucketNotificationConfigurationRequest) -> model::NotificationConfiguration,
    Access::read("s3:GetBucketNotification"), entrance;
    |call, bucket, _input| {
        let found = configuration::read(call, &bucket, Configured::Notification, "")?;
        Ok(found.unwrap_or_default())
    }
}

on_bucket! {
    /// Says whom a bucket tells. An empty configuration ends it.
    PutBucketNotificationConfiguration(model::PutBucketNotificationConfigurationRequest) -> Empty,
    Access::write("s3:PutBucketNotification");
    |call, bucket, input| {
        let mut asked = input.notification_configuration;
        check(call, &mut asked, input.skip_destination_validation == Some(true))?;
        let bucket = to_change(&bucket);
        if told(&mut asked).is_empty() && asked.event_bridge_configuration.is_none() {
            configuration::delete(call, bucket, Configured::Notification, "")?;
        } else {
            configuration::put(call, bucket, Configured::Notification, "", "NotificationConfiguration", asked)?;
        }
        Ok(Empty)
    }
}
