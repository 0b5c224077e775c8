//! A bucket's configurations: from the words of templates to those of S3's operations.
//!
//! Source: CloudFormation Template Reference, "AWS::S3::Bucket" and the types of its properties; Amazon S3 API Reference.
//!
//! Invariant: what is not known by its name goes on as it stands, so that S3's shape refuses it; nothing is dropped.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::invalid;

/// Words that are the same on both sides.
pub(super) fn as_is(value: &Value) -> Result<Value> {
    Ok(value.clone())
}

fn object(value: &Value, place: &str) -> Result<Map<String, Value>> {
    match value {
        Value::Object(members) => Ok(members.clone()),
        _ => Err(invalid(format!("#/{place}: expected type: JSONObject"))),
    }
}

fn list<'a>(value: &'a Map<String, Value>, name: &str, place: &str) -> Result<&'a [Value]> {
    match value.get(name) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(invalid(format!("#/{place}: required key [{name}] not found"))),
    }
}

fn rename(members: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = members.remove(from) {
        members.insert(to.to_owned(), value);
    }
}

pub(super) fn encryption(value: &Value) -> Result<Value> {
    let place = "BucketEncryption";
    let mut whole = object(value, place)?;
    let mut rules = Vec::new();
    for rule in list(&whole, "ServerSideEncryptionConfiguration", place)? {
        let mut rule = object(rule, place)?;
        rename(
            &mut rule,
            "ServerSideEncryptionByDefault",
            "ApplyServerSideEncryptionByDefault",
        );
        rules.push(Value::Object(rule));
    }
    whole.remove("ServerSideEncryptionConfiguration");
    whole.insert("Rules".to_owned(), Value::Array(rules));
    Ok(Value::Object(whole))
}

pub(super) fn cors(value: &Value) -> Result<Value> {
    let place = "CorsConfiguration";
    let mut whole = object(value, place)?;
    let mut rules = Vec::new();
    for rule in list(&whole, "CorsRules", place)? {
        let mut rule = object(rule, place)?;
        rename(&mut rule, "ExposedHeaders", "ExposeHeaders");
        rename(&mut rule, "Id", "ID");
        rename(&mut rule, "MaxAge", "MaxAgeSeconds");
        rules.push(Value::Object(rule));
    }
    whole.remove("CorsRules");
    whole.insert("CORSRules".to_owned(), Value::Array(rules));
    Ok(Value::Object(whole))
}

pub(super) fn logging(value: &Value) -> Result<Value> {
    let mut whole = object(value, "LoggingConfiguration")?;
    rename(&mut whole, "DestinationBucketName", "TargetBucket");
    rename(&mut whole, "LogFilePrefix", "TargetPrefix");
    // S3 wants a prefix, be it empty.
    whole.entry("TargetPrefix").or_insert_with(|| "".into());
    Ok(json!({ "LoggingEnabled": whole }))
}

pub(super) fn acceleration(value: &Value) -> Result<Value> {
    let mut whole = object(value, "AccelerateConfiguration")?;
    rename(&mut whole, "AccelerationStatus", "Status");
    Ok(Value::Object(whole))
}

pub(super) fn website(value: &Value) -> Result<Value> {
    let place = "WebsiteConfiguration";
    let mut whole = object(value, place)?;
    if let Some(key) = whole.remove("ErrorDocument") {
        whole.insert("ErrorDocument".to_owned(), json!({ "Key": key }));
    }
    if let Some(suffix) = whole.remove("IndexDocument") {
        whole.insert("IndexDocument".to_owned(), json!({ "Suffix": suffix }));
    }
    if whole.contains_key("RoutingRules") {
        let mut rules = Vec::new();
        for rule in list(&whole, "RoutingRules", place)? {
            let mut rule = object(rule, place)?;
            rename(&mut rule, "RedirectRule", "Redirect");
            rename(&mut rule, "RoutingRuleCondition", "Condition");
            rules.push(Value::Object(rule));
        }
        whole.insert("RoutingRules".to_owned(), Value::Array(rules));
    }
    Ok(Value::Object(whole))
}

pub(super) fn lifecycle(value: &Value) -> Result<Value> {
    let place = "LifecycleConfiguration";
    let whole = object(value, place)?;
    if let Some((name, _)) = whole.iter().find(|(name, _)| *name != "Rules") {
        return Err(invalid(format!("Encountered unsupported property {name}")));
    }
    let rules = list(&whole, "Rules", place)?;
    let rules = rules.iter().map(lifecycle_rule).collect::<Result<Vec<_>>>()?;
    Ok(json!({ "Rules": rules }))
}

fn lifecycle_rule(rule: &Value) -> Result<Value> {
    let place = "LifecycleConfiguration/Rules";
    let mut rule = object(rule, place)?;
    rename(&mut rule, "Id", "ID");
    let mut expiration = Map::new();
    for (from, to) in [
        ("ExpirationInDays", "Days"),
        ("ExpirationDate", "Date"),
        ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
    ] {
        if let Some(value) = rule.remove(from) {
            expiration.insert(to.to_owned(), value);
        }
    }
    if !expiration.is_empty() {
        rule.insert("Expiration".to_owned(), Value::Object(expiration));
    }
    if let Some(days) = rule.remove("NoncurrentVersionExpirationInDays") {
        let expiration = json!({ "NoncurrentDays": days });
        rule.insert("NoncurrentVersionExpiration".to_owned(), expiration);
    }
    transitions(
        &mut rule,
        "Transition",
        "Transitions",
        &[("TransitionInDays", "Days"), ("TransitionDate", "Date")],
    )?;
    transitions(
        &mut rule,
        "NoncurrentVersionTransition",
        "NoncurrentVersionTransitions",
        &[("TransitionInDays", "NoncurrentDays")],
    )?;
    let filter = filter(&mut rule, place)?;
    rule.insert("Filter".to_owned(), filter);
    Ok(Value::Object(rule))
}

/// One transition, or several, under the words of S3.
fn transitions(rule: &mut Map<String, Value>, one: &str, many: &str, words: &[(&str, &str)]) -> Result<()> {
    let mut items = match rule.remove(many) {
        None => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(invalid(format!("#/{many}: expected type: JSONArray"))),
    };
    items.extend(rule.remove(one));
    if items.is_empty() {
        return Ok(());
    }
    let mut said = Vec::with_capacity(items.len());
    for item in &items {
        let mut item = object(item, many)?;
        for (from, to) in words {
            rename(&mut item, from, to);
        }
        said.push(Value::Object(item));
    }
    rule.insert(many.to_owned(), Value::Array(said));
    Ok(())
}

/// What a rule is about: one criterion stands alone, several stand under `And`.
fn filter(rule: &mut Map<String, Value>, place: &str) -> Result<Value> {
    let mut criteria = Map::new();
    for name in ["Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan"] {
        if let Some(value) = rule.remove(name) {
            criteria.insert(name.to_owned(), value);
        }
    }
    let tags = match rule.remove("TagFilters") {
        None => Vec::new(),
        Some(Value::Array(tags)) => tags,
        Some(_) => return Err(invalid(format!("#/{place}/TagFilters: expected type: JSONArray"))),
    };
    match (criteria.len(), tags.as_slice()) {
        (0, []) => Ok(json!({ "Prefix": "" })),
        (1, []) => Ok(Value::Object(criteria)),
        (0, [tag]) => Ok(json!({ "Tag": tag })),
        _ => {
            if !tags.is_empty() {
                criteria.insert("Tags".to_owned(), Value::Array(tags));
            }
            Ok(json!({ "And": criteria }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_rules_are_said_as_s3_says_them() {
        let said = lifecycle(&json!({ "Rules": [
            { "Id": "a", "Status": "Enabled", "ExpirationInDays": 3, "Prefix": "p/" },
            { "Status": "Enabled", "NoncurrentVersionExpirationInDays": 1, "TagFilters": [{ "Key": "k", "Value": "v" }],
              "Transition": { "StorageClass": "GLACIER", "TransitionInDays": 9 } },
            { "Status": "Enabled", "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 2 } },
        ] }))
        .ok()
        .unwrap();
        assert_eq!(
            said,
            json!({ "Rules": [
                { "ID": "a", "Status": "Enabled", "Expiration": { "Days": 3 }, "Filter": { "Prefix": "p/" } },
                { "Status": "Enabled", "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
                  "Transitions": [{ "StorageClass": "GLACIER", "Days": 9 }],
                  "Filter": { "Tag": { "Key": "k", "Value": "v" } } },
                { "Status": "Enabled", "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 2 }, "Filter": { "Prefix": "" } },
            ] })
        );
    }

    #[test]
    fn websites_and_logs_are_said_as_s3_says_them() {
        let site =
            json!({ "IndexDocument": "i.html", "RoutingRules": [{ "RedirectRule": { "HostName": "h" } }] });
        assert_eq!(
            website(&site).ok().unwrap(),
            json!({ "IndexDocument": { "Suffix": "i.html" }, "RoutingRules": [{ "Redirect": { "HostName": "h" } }] })
        );
        assert_eq!(
            logging(&json!({ "DestinationBucketName": "b" })).ok().unwrap(),
            json!({ "LoggingEnabled": { "TargetBucket": "b", "TargetPrefix": "" } })
        );
        assert!(cors(&json!({})).is_err());
    }
}
