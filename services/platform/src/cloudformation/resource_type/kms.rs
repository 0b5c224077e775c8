//! `AWS::KMS::Key` and `AWS::KMS::Alias`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a key whose spec, usage, origin or regions are wanted otherwise is refused, never replaced: what it encrypted would be lost.

use std::collections::BTreeMap;

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{differs, policy, same, tags, truth};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, code, invalid};

const SERVICE: &str = "kms";

pub(crate) struct Key;

/// What a key keeps for its life.
const BORN: [&str; 4] = ["KeySpec", "KeyUsage", "MultiRegion", "Origin"];

impl ResourceType for Key {
    described!(
        "AWS::KMS::Key",
        [
            Property::new("BypassPolicyLockoutSafetyCheck"),
            Property::new("Description"),
            Property::new("EnableKeyRotation"),
            Property::new("Enabled"),
            Property::new("KeyPolicy"),
            Property::new("KeySpec"),
            Property::new("KeyUsage"),
            Property::new("MultiRegion"),
            Property::new("Origin"),
            Property::new("PendingWindowInDays"),
            Property::new("RotationPeriodInDays"),
            Property::new("Tags"),
        ],
        ["Arn", "KeyId"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let mut input = wanted.pick(&["BypassPolicyLockoutSafetyCheck", "Description"]);
        input.extend(wanted.pick(&BORN));
        if let Some(document) = wanted.property("KeyPolicy") {
            input.insert("Policy".to_owned(), Value::String(policy(document)?));
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), key_tags(&tags));
        }
        let made = services.invoke(SERVICE, "CreateKey", Value::Object(input))?;
        let id = answered(&made, "/KeyMetadata/KeyId")?;
        let arn = answered(&made, "/KeyMetadata/Arn")?;
        if truth(wanted.property("EnableKeyRotation")) {
            rotation(services, wanted, &id, true)?;
        }
        if disabled(wanted.properties) {
            services.invoke(SERVICE, "DisableKey", json!({ "KeyId": id }))?;
        }
        Ok(Made::new(id.clone()).with("Arn", arn).with("KeyId", id))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        if BORN.iter().any(|name| differs(existing, wanted, name)) {
            return Err(invalid(
                "You cannot change the KeySpec, KeyUsage, MultiRegion or Origin property of an existing KMS key.",
            ));
        }
        let id = existing.physical_id;
        let one = |name: &str, value: Value| json!({ "KeyId": id, name: value });
        // Only an enabled key takes changes of its rotation.
        let (was_disabled, is_disabled) = (disabled(existing.properties), disabled(wanted.properties));
        if was_disabled && !is_disabled {
            services.invoke(SERVICE, "EnableKey", json!({ "KeyId": id }))?;
        }
        if differs(existing, wanted, "Description") {
            let text = wanted.text("Description").unwrap_or_default();
            services.invoke(SERVICE, "UpdateKeyDescription", one("Description", text.into()))?;
        }
        if let Some(document) = wanted.property("KeyPolicy")
            && differs(existing, wanted, "KeyPolicy")
        {
            let mut input = wanted.pick(&["BypassPolicyLockoutSafetyCheck"]);
            input.insert("KeyId".to_owned(), id.into());
            input.insert("Policy".to_owned(), policy(document)?.into());
            services.invoke(SERVICE, "PutKeyPolicy", Value::Object(input))?;
        }
        let rotates = truth(wanted.property("EnableKeyRotation"));
        let rotated = truth(existing.properties.get("EnableKeyRotation"));
        if rotates != rotated || (rotates && differs(existing, wanted, "RotationPeriodInDays")) {
            rotation(services, wanted, id, rotates)?;
        }
        let tags = tags(existing, wanted, "Tags");
        if !tags.gone.is_empty() {
            services.invoke(SERVICE, "UntagResource", one("TagKeys", tags.gone.into()))?;
        }
        if !tags.put.is_empty() {
            services.invoke(SERVICE, "TagResource", one("Tags", key_tags(&tags.put)))?;
        }
        if is_disabled && !was_disabled {
            services.invoke(SERVICE, "DisableKey", json!({ "KeyId": id }))?;
        }
        Ok(same(existing))
    }

    /// Begins the waiting period, as on AWS; the key is gone when that ends.
    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let mut input = Map::new();
        input.insert("KeyId".to_owned(), existing.physical_id.into());
        if let Some(days) = existing.properties.get("PendingWindowInDays") {
            input.insert("PendingWindowInDays".to_owned(), days.clone());
        }
        match services.invoke(SERVICE, "ScheduleKeyDeletion", Value::Object(input)) {
            // It waits already.
            Err(fault) if code(&fault).contains("KMSInvalidState") => Ok(()),
            other => other.map(drop),
        }
    }
}

fn disabled(properties: &Map<String, Value>) -> bool {
    let enabled = properties.get("Enabled").filter(|value| !value.is_null());
    enabled.is_some() && !truth(enabled)
}

fn key_tags(tags: &BTreeMap<String, String>) -> Value {
    let tags = tags
        .iter()
        .map(|(key, value)| json!({ "TagKey": key, "TagValue": value }));
    Value::Array(tags.collect())
}

fn rotation(services: &mut Services<'_, '_>, wanted: &Wanted<'_>, id: &str, on: bool) -> Result<()> {
    let mut input = Map::new();
    input.insert("KeyId".to_owned(), id.into());
    if on {
        input.extend(wanted.pick(&["RotationPeriodInDays"]));
    }
    let operation = if on {
        "EnableKeyRotation"
    } else {
        "DisableKeyRotation"
    };
    services
        .invoke(SERVICE, operation, Value::Object(input))
        .map(drop)
}

pub(crate) struct Alias;

impl ResourceType for Alias {
    described!(
        "AWS::KMS::Alias",
        [
            Property::fixed("AliasName").required(),
            Property::new("TargetKeyId").required(),
        ],
        []
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let input = wanted.pick(&["AliasName", "TargetKeyId"]);
        services.invoke(SERVICE, "CreateAlias", Value::Object(input))?;
        Ok(Made::new(wanted.text("AliasName").unwrap_or_default()))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let input = wanted.pick(&["AliasName", "TargetKeyId"]);
        services.invoke(SERVICE, "UpdateAlias", Value::Object(input))?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "AliasName": existing.physical_id });
        services.invoke(SERVICE, "DeleteAlias", input).map(drop)
    }
}
