//! Whom a bucket tells of what happens to its objects.
//!
//! Functions can be told; queues, topics and event buses are not served, so a configuration that names one is refused.
//!
//! Invariant: a function that does not let S3 in for the bucket is kept only if the request says not to ask.
//!
//! Source: S3 API Reference, "PutBucketNotificationConfiguration"; S3 User Guide, "Amazon S3 Event Notifications".

use std::collections::BTreeSet;

use api::s3 as model;
use bytes::Bytes;
use pipeline::{Access, Call, Result};
use wire::fault::{Code, Common};
use wire::typed::Empty;
use wire::{Document, Fault};

use super::{Bucket, Configured, on_bucket::on_bucket, to_change};
use crate::s3::fault::{invalid_argument, text};
use crate::s3::{configuration, notification};

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
        let name = rule.name.map_or("prefix", model::FilterRuleName::as_str);
        if slot.replace(()).is_some() {
            return Err(invalid_argument(
                format!("Cannot specify more than one {name} rule in a filter."),
                "filter",
                "",
            ));
        }
        if rule.value.as_ref().is_some_and(|value| value.len() > 1024) {
            return Err(invalid_argument(
                "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                "FilterRule.Value",
                rule.value.as_deref().unwrap_or_default(),
            ));
        }
    }
    Ok((
        notification::filter::value(filter, model::FilterRuleName::Prefix),
        notification::filter::value(filter, model::FilterRuleName::Suffix),
    ))
}

fn overlap(first: &str, second: &str) -> bool {
    let (head, tail) = (first.trim_end_matches('*'), second.trim_end_matches('*'));
    first == second
        || (first.ends_with('*') && second.starts_with(head))
        || (second.ends_with('*') && first.starts_with(tail))
}

/// What the services are called to whom nothing can be told yet.
fn expect_served(service: &str) -> Result<()> {
    let name = match service {
        "lambda" => return Ok(()),
        "sns" => "Amazon SNS topics",
        "sqs" => "Amazon SQS queues",
        _ => "Amazon EventBridge",
    };
    Err(Fault::plain(
        "NotImplemented",
        501,
        format!(
            "Event notifications to {name} are not implemented by this version of Ringwork. AWS Lambda functions are."
        ),
    ))
}

/// Asks Lambda whether S3 may invoke the function for the bucket. Nothing is run; only queues and topics get a test event.
fn validate(call: &mut Call<'_>, bucket: &Bucket, function: &str) -> Result<()> {
    let input = Document::Structure(vec![
        ("FunctionName", text(function)),
        ("InvocationType", text("DryRun")),
    ]);
    let cause = (bucket.arn(), bucket.account.clone());
    let asked = call.deliver_as_service(
        notification::BY,
        (&cause.0, &cause.1),
        "lambda",
        "Invoke",
        (input, Bytes::new()),
    );
    let Err(refused) = asked else { return Ok(()) };
    if matches!(refused.code, Code::Common(Common::Internal | Common::Unavailable)) {
        return Err(refused);
    }
    // Whatever Lambda said: its words would tell who configures a bucket about functions of others.
    let why = format!("Not authorized to invoke function [{function}]");
    Err(Fault::plain(
        "InvalidArgument",
        400,
        "Unable to validate the following destination configurations",
    )
    .with("ArgumentName1", text(format!("{function}, null")))
    .with("ArgumentValue1", text(why)))
}

/// Checks the ARN of a destination: of the right service, and in the bucket's region.
fn check_arn(bucket: &Bucket, one: &Told<'_>) -> Result<()> {
    let parsed = policy::Arn::parse(one.arn);
    let Some(arn) = parsed.filter(|arn| arn.service() == one.service) else {
        return Err(invalid_argument("The ARN could not be parsed", "ARN", one.arn));
    };
    if arn.region() != bucket.region {
        return Err(invalid_argument(
            "The notification destination service region is not valid for the bucket location constraint",
            "ARN",
            one.arn,
        ));
    }
    Ok(())
}

fn check(
    call: &mut Call<'_>,
    bucket: &Bucket,
    asked: &mut model::NotificationConfiguration,
    skip: bool,
) -> Result<()> {
    if asked.event_bridge_configuration.is_some() {
        expect_served("events")?;
    }
    let mut seen: Vec<(String, String, String)> = Vec::new();
    let mut ids = BTreeSet::new();
    for one in told(asked) {
        check_arn(bucket, &one)?;
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
    for one in told(asked) {
        expect_served(one.service)?;
        if !skip {
            validate(call, bucket, one.arn)?;
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
        check(call, &bucket, &mut asked, input.skip_destination_validation == Some(true))?;
        let bucket = to_change(&bucket);
        if told(&mut asked).is_empty() {
            configuration::delete(call, bucket, Configured::Notification, "")?;
        } else {
            configuration::put(call, bucket, Configured::Notification, "", "NotificationConfiguration", asked)?;
        }
        Ok(Empty)
    }
}
