//! What belongs to functions: `AWS::Lambda::Permission`, `Version`, `Alias` and `EventInvokeConfig`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: none of these outlives the function that it belongs to, so that one that is gone with its function is gone well.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{gone, same};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, expect_new, invalid};

const SERVICE: &str = "lambda";
/// Bytes of a statement's id.
const STATEMENT_MAX: usize = 100;

fn held<'a>(existing: &'a Existing<'_>, name: &str) -> &'a str {
    existing
        .properties
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) struct Permission;

impl ResourceType for Permission {
    described!(
        "AWS::Lambda::Permission",
        [
            Property::fixed("Action").required(),
            Property::fixed("EventSourceToken"),
            Property::fixed("FunctionName").required(),
            Property::fixed("FunctionUrlAuthType"),
            Property::fixed("InvokedViaFunctionUrl"),
            Property::fixed("Principal").required(),
            Property::fixed("PrincipalOrgID"),
            Property::fixed("SourceAccount"),
            Property::fixed("SourceArn"),
        ],
        ["Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let id = wanted.physical_name(STATEMENT_MAX);
        let mut input = wanted.properties.clone();
        input.insert("StatementId".to_owned(), id.clone().into());
        services.invoke(SERVICE, "AddPermission", Value::Object(input))?;
        Ok(Made::new(id.clone()).with("Id", id))
    }

    /// Every property replaces.
    fn update(&self, _: &mut Services<'_, '_>, existing: &Existing<'_>, _: &Wanted<'_>) -> Result<Made> {
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input =
            json!({ "FunctionName": held(existing, "FunctionName"), "StatementId": existing.physical_id });
        gone(services.invoke(SERVICE, "RemovePermission", input))
    }
}

/// What of a function changes with each version that is published.
fn revision(services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<String> {
    let input = Value::Object(wanted.pick(&["FunctionName"]));
    let told = services.invoke(SERVICE, "GetFunctionConfiguration", input)?;
    answered(&told, "/RevisionId")
}

pub(crate) struct Version;

impl ResourceType for Version {
    described!(
        "AWS::Lambda::Version",
        [
            Property::fixed("CodeSha256"),
            Property::fixed("Description"),
            Property::fixed("FunctionName").required(),
        ],
        ["FunctionArn", "Version"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let before = revision(services, wanted)?;
        let input = Value::Object(wanted.properties.clone());
        let made = services.invoke(SERVICE, "PublishVersion", input)?;
        let version = answered(&made, "/Version")?;
        if revision(services, wanted)? == before {
            // Lambda publishes nothing where nothing changed since: the version is another's.
            return Err(invalid(format!(
                "A version for this Lambda function exists ( {version} ). Modify the function to create a new version."
            )));
        }
        // The function's ARN comes with the version or without, as Lambda likes.
        let arn = answered(&made, "/FunctionArn")?;
        let arn = if arn.ends_with(&format!(":{version}")) {
            arn
        } else {
            format!("{arn}:{version}")
        };
        Ok(Made::new(arn.clone())
            .with("FunctionArn", arn)
            .with("Version", version))
    }

    /// Every property replaces.
    fn update(&self, _: &mut Services<'_, '_>, existing: &Existing<'_>, _: &Wanted<'_>) -> Result<Made> {
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let version = existing.attributes.get("Version").cloned().unwrap_or_default();
        let input = json!({ "FunctionName": held(existing, "FunctionName"), "Qualifier": version });
        gone(services.invoke(SERVICE, "DeleteFunction", input))
    }
}

pub(crate) struct Alias;

impl ResourceType for Alias {
    described!(
        "AWS::Lambda::Alias",
        [
            Property::new("Description"),
            Property::fixed("FunctionName").required(),
            Property::new("FunctionVersion").required(),
            Property::fixed("Name").required(),
            Property::new("RoutingConfig"),
        ],
        ["AliasArn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let made = services.invoke(SERVICE, "CreateAlias", alias(wanted)?)?;
        let arn = answered(&made, "/AliasArn")?;
        Ok(Made::new(arn.clone()).with("AliasArn", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let mut input = alias(wanted)?;
        if let Value::Object(input) = &mut input {
            input.entry("Description").or_insert_with(|| "".into());
            input
                .entry("RoutingConfig")
                .or_insert_with(|| json!({ "AdditionalVersionWeights": {} }));
        }
        services.invoke(SERVICE, "UpdateAlias", input)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "FunctionName": held(existing, "FunctionName"), "Name": held(existing, "Name") });
        gone(services.invoke(SERVICE, "DeleteAlias", input))
    }
}

/// The input, whose weights are a map there and a list of versions here.
fn alias(wanted: &Wanted<'_>) -> Result<Value> {
    let mut input = wanted.pick(&["Description", "FunctionName", "FunctionVersion", "Name"]);
    if let Some(routing) = wanted.property("RoutingConfig") {
        let place = || invalid("#/RoutingConfig/AdditionalVersionWeights: expected type: JSONArray");
        let items = routing
            .get("AdditionalVersionWeights")
            .and_then(Value::as_array)
            .ok_or_else(place)?;
        let mut weights = Map::new();
        for item in items {
            let version = item
                .get("FunctionVersion")
                .and_then(Value::as_str)
                .ok_or_else(place)?;
            let weight = item.get("FunctionWeight").ok_or_else(place)?;
            weights.insert(version.to_owned(), weight.clone());
        }
        input.insert(
            "RoutingConfig".to_owned(),
            json!({ "AdditionalVersionWeights": weights }),
        );
    }
    Ok(Value::Object(input))
}

pub(crate) struct EventInvokeConfig;

impl ResourceType for EventInvokeConfig {
    described!(
        "AWS::Lambda::EventInvokeConfig",
        [
            Property::new("DestinationConfig"),
            Property::fixed("FunctionName").required(),
            Property::new("MaximumEventAgeInSeconds"),
            Property::new("MaximumRetryAttempts"),
            Property::fixed("Qualifier").required(),
        ],
        []
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let text = |name| wanted.text(name).unwrap_or_default();
        let id = format!("{}|{}", text("FunctionName"), text("Qualifier"));
        let named = Value::Object(wanted.pick(&["FunctionName", "Qualifier"]));
        let there = services.invoke(SERVICE, "GetFunctionEventInvokeConfig", named);
        expect_new(self.name(), &id, there)?;
        let input = Value::Object(wanted.properties.clone());
        services.invoke(SERVICE, "PutFunctionEventInvokeConfig", input)?;
        Ok(Made::new(id))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let input = Value::Object(wanted.properties.clone());
        services.invoke(SERVICE, "PutFunctionEventInvokeConfig", input)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({
            "FunctionName": held(existing, "FunctionName"),
            "Qualifier": held(existing, "Qualifier"),
        });
        gone(services.invoke(SERVICE, "DeleteFunctionEventInvokeConfig", input))
    }
}
