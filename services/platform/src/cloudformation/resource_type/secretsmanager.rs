//! `AWS::SecretsManager::Secret`, `ResourcePolicy` and `RotationSchedule`.
//!
//! Source: CloudFormation Template Reference, the pages of these types (S11.5).
//!
//! Invariant: a generated password goes from Secrets Manager to Secrets Manager; it stands in no attribute and in no property that is
//! kept.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{differs, gone, policy, same, tags, truth};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, invalid, tag_list, taken};

const SERVICE: &str = "secretsmanager";

pub(crate) struct Secret;

impl ResourceType for Secret {
    fn system_tags(&self) -> bool {
        true
    }

    described!(
        "AWS::SecretsManager::Secret",
        [
            Property::new("Description"),
            Property::new("GenerateSecretString"),
            Property::new("KmsKeyId"),
            Property::fixed("Name"),
            Property::new("ReplicaRegions"),
            Property::new("SecretString"),
            Property::new("Tags"),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        // CloudFormation names secrets without the stack.
        let name = wanted
            .text("Name")
            .unwrap_or_else(|| format!("{}-{}", wanted.logical_id, wanted.random));
        let mut input = wanted.pick(&["Description", "KmsKeyId"]);
        input.insert("Name".to_owned(), Value::String(name));
        if let Some(value) = value(services, wanted)? {
            input.insert("SecretString".to_owned(), value);
            input.insert(
                "ClientRequestToken".to_owned(),
                Value::String(services.call.uuid()?),
            );
        }
        if let Some(regions) = wanted.property("ReplicaRegions") {
            input.insert("AddReplicaRegions".to_owned(), regions.clone());
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tag_list(&tags));
        }
        let made = services.invoke(SERVICE, "CreateSecret", Value::Object(input))?;
        let arn = answered(&made, "/ARN")?;
        Ok(Made::new(arn.clone()).with("Id", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let id = existing.physical_id;
        let mut input = Map::new();
        for name in ["Description", "KmsKeyId"] {
            if differs(existing, wanted, name) {
                let value = wanted.text(name).unwrap_or_default();
                input.insert(name.to_owned(), Value::String(value));
            }
        }
        if (differs(existing, wanted, "SecretString") || differs(existing, wanted, "GenerateSecretString"))
            && let Some(value) = value(services, wanted)?
        {
            input.insert("SecretString".to_owned(), value);
            input.insert(
                "ClientRequestToken".to_owned(),
                Value::String(services.call.uuid()?),
            );
        }
        if !input.is_empty() {
            input.insert("SecretId".to_owned(), Value::String(id.to_owned()));
            services.invoke(SERVICE, "UpdateSecret", Value::Object(input))?;
        }
        replicas(services, existing, wanted)?;
        let tags = tags(existing, wanted, "Tags");
        if !tags.gone.is_empty() {
            let input = json!({ "SecretId": id, "TagKeys": tags.gone });
            services.invoke(SERVICE, "UntagResource", input)?;
        }
        if !tags.put.is_empty() {
            let input = json!({ "SecretId": id, "Tags": tag_list(&tags.put) });
            services.invoke(SERVICE, "TagResource", input)?;
        }
        Ok(same(existing))
    }

    /// At once and without a window in which it could be restored (CloudFormation User Guide, "DeletionPolicy attribute").
    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let id = existing.physical_id;
        let regions = regions(existing.properties);
        if !regions.is_empty() {
            let input = json!({ "SecretId": id, "RemoveReplicaRegions": regions });
            services.invoke(SERVICE, "RemoveRegionsFromReplication", input)?;
        }
        let input = json!({ "SecretId": id, "ForceDeleteWithoutRecovery": true });
        services.invoke(SERVICE, "DeleteSecret", input).map(drop)
    }
}

/// The value that a secret gets: as written, generated, or none.
fn value(services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Option<Value>> {
    let Some(rules) = wanted.property("GenerateSecretString") else {
        return Ok(wanted.text("SecretString").map(Value::String));
    };
    if wanted.property("SecretString").is_some() {
        return Err(invalid(
            "You can't specify both SecretString and GenerateSecretString in a secret.",
        ));
    }
    let Value::Object(rules) = rules else {
        return Err(invalid("#/GenerateSecretString: expected type: JSONObject"));
    };
    let mut rules = rules.clone();
    let template = rules.remove("SecretStringTemplate");
    let key = rules.remove("GenerateStringKey");
    let made = services.invoke(SERVICE, "GetRandomPassword", Value::Object(rules))?;
    let password = answered(&made, "/RandomPassword")?;
    match (template, key) {
        (None, None) => Ok(Some(Value::String(password))),
        (Some(template), Some(Value::String(key))) => {
            let map = match &template {
                Value::String(text) => serde_json::from_str::<Map<String, Value>>(text).ok(),
                Value::Object(map) => Some(map.clone()),
                _ => None,
            };
            let mut map = map.ok_or_else(|| invalid("SecretStringTemplate must be a JSON object."))?;
            map.insert(key, Value::String(password));
            Ok(Some(Value::String(Value::Object(map).to_string())))
        }
        _ => Err(invalid(
            "GenerateStringKey and SecretStringTemplate must be specified together.",
        )),
    }
}

fn regions(properties: &Map<String, Value>) -> Vec<String> {
    let items = properties.get("ReplicaRegions").and_then(Value::as_array);
    let region = |item: &Value| item.get("Region").and_then(Value::as_str).map(str::to_owned);
    items.into_iter().flatten().filter_map(region).collect()
}

fn replicas(services: &mut Services<'_, '_>, existing: &Existing<'_>, wanted: &Wanted<'_>) -> Result<()> {
    let (before, now) = (regions(existing.properties), regions(wanted.properties));
    let left: Vec<&String> = before.iter().filter(|region| !now.contains(region)).collect();
    if !left.is_empty() {
        let input = json!({ "SecretId": existing.physical_id, "RemoveReplicaRegions": left });
        services.invoke(SERVICE, "RemoveRegionsFromReplication", input)?;
    }
    let items = wanted.property("ReplicaRegions").and_then(Value::as_array);
    let new = |item: &&Value| {
        let region = item.get("Region").and_then(Value::as_str).unwrap_or_default();
        !before.iter().any(|held| held == region)
    };
    let new: Vec<&Value> = items.into_iter().flatten().filter(new).collect();
    if !new.is_empty() {
        let input = json!({ "SecretId": existing.physical_id, "AddReplicaRegions": new });
        services.invoke(SERVICE, "ReplicateSecretToRegions", input)?;
    }
    Ok(())
}

pub(crate) struct ResourcePolicy;

impl ResourceType for ResourcePolicy {
    described!(
        "AWS::SecretsManager::ResourcePolicy",
        [
            Property::new("BlockPublicPolicy"),
            Property::new("ResourcePolicy").required(),
            Property::fixed("SecretId").required(),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let there = services.invoke(
            SERVICE,
            "GetResourcePolicy",
            Value::Object(wanted.pick(&["SecretId"])),
        )?;
        if there
            .get("ResourcePolicy")
            .is_some_and(|policy| !policy.is_null())
        {
            let id = wanted.text("SecretId").unwrap_or_default();
            return Err(taken(self.name(), &id));
        }
        let arn = put_policy(services, wanted)?;
        Ok(Made::new(arn.clone()).with("Id", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        put_policy(services, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "SecretId": existing.physical_id });
        services.invoke(SERVICE, "DeleteResourcePolicy", input).map(drop)
    }
}

fn put_policy(services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<String> {
    let mut input = wanted.pick(&["SecretId", "BlockPublicPolicy"]);
    let text = policy(wanted.property("ResourcePolicy").unwrap_or(&Value::Null))?;
    input.insert("ResourcePolicy".to_owned(), Value::String(text));
    let answer = services.invoke(SERVICE, "PutResourcePolicy", Value::Object(input))?;
    answered(&answer, "/ARN")
}

pub(crate) struct RotationSchedule;

impl ResourceType for RotationSchedule {
    described!(
        "AWS::SecretsManager::RotationSchedule",
        [
            Property::new("RotateImmediatelyOnUpdate"),
            Property::new("RotationLambdaARN"),
            Property::new("RotationRules"),
            Property::fixed("SecretId").required(),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let input = Value::Object(wanted.pick(&["SecretId"]));
        let there = services.invoke(SERVICE, "DescribeSecret", input)?;
        if truth(there.get("RotationEnabled")) {
            let id = wanted.text("SecretId").unwrap_or_default();
            return Err(taken(self.name(), &id));
        }
        let arn = rotate(services, wanted)?;
        Ok(Made::new(arn.clone()).with("Id", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        rotate(services, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "SecretId": existing.physical_id });
        gone(services.invoke(SERVICE, "CancelRotateSecret", input))
    }
}

fn rotate(services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<String> {
    let mut input = wanted.pick(&["SecretId", "RotationLambdaARN", "RotationRules"]);
    let at_once = wanted.property("RotateImmediatelyOnUpdate");
    let at_once = at_once.is_none() || truth(at_once);
    input.insert("RotateImmediately".to_owned(), Value::Bool(at_once));
    input.insert(
        "ClientRequestToken".to_owned(),
        Value::String(services.call.uuid()?),
    );
    let answer = services.invoke(SERVICE, "RotateSecret", Value::Object(input))?;
    answered(&answer, "/ARN")
}
