//! `AWS::SSM::Parameter`.
//!
//! Source: CloudFormation Template Reference, "AWS::SSM::Parameter".
//!
//! Invariant: `SecureString` is not taken, as on AWS: its value would stand in the template.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, invalid};

pub(crate) struct Parameter;

/// Bytes of a name that CloudFormation makes.
const NAME_MAX: usize = 512;

impl ResourceType for Parameter {
    described!(
        "AWS::SSM::Parameter",
        [
            Property::new("AllowedPattern"),
            Property::new("DataType"),
            Property::new("Description"),
            Property::fixed("Name"),
            Property::new("Policies"),
            Property::new("Tags"),
            Property::new("Tier"),
            Property::new("Type").required(),
            Property::new("Value").required(),
        ],
        ["Type", "Value"]
    );

    fn system_tags(&self) -> bool {
        true
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted.text("Name").unwrap_or_else(|| {
            let name = wanted.physical_name(NAME_MAX);
            let rest = name.strip_prefix(&wanted.stack.name).unwrap_or(&name);
            format!("CFN{rest}")
        });
        let mut input = input(wanted, &name)?;
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), super::tag_list(&tags));
        }
        services.invoke("ssm", "PutParameter", Value::Object(input))?;
        made(services, &name)
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        let mut input = input(wanted, name)?;
        input.insert("Overwrite".to_owned(), Value::Bool(true));
        services.invoke("ssm", "PutParameter", Value::Object(input))?;
        let mut before = existing.tags.clone();
        before.extend(super::own_tags(existing.properties, "Tags"));
        let now = wanted.all_tags("Tags");
        let gone: Vec<_> = before.keys().filter(|key| !now.contains_key(*key)).collect();
        let resource = |rest: Value| {
            let mut input = json!({ "ResourceType": "Parameter", "ResourceId": name });
            if let (Value::Object(input), Value::Object(rest)) = (&mut input, rest) {
                input.extend(rest);
            }
            input
        };
        if !gone.is_empty() {
            let input = resource(json!({ "TagKeys": gone }));
            services.invoke("ssm", "RemoveTagsFromResource", input)?;
        }
        if now != before && !now.is_empty() {
            let input = resource(json!({ "Tags": super::tag_list(&now) }));
            services.invoke("ssm", "AddTagsToResource", input)?;
        }
        made(services, name)
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "Name": existing.physical_id });
        services.invoke("ssm", "DeleteParameter", input).map(drop)
    }
}

fn input(wanted: &Wanted<'_>, name: &str) -> Result<Map<String, Value>> {
    if wanted.text("Type").as_deref() == Some("SecureString") {
        return Err(invalid(
            "#/Type: #: only 0 subschema matches out of 2\n#/Type: failed validation constraint for keyword [enum]",
        ));
    }
    let mut input = wanted.pick(&[
        "AllowedPattern",
        "DataType",
        "Description",
        "Policies",
        "Tier",
        "Type",
        "Value",
    ]);
    input.insert("Name".to_owned(), Value::String(name.to_owned()));
    Ok(input)
}

/// What the parameter came to be.
fn made(services: &mut Services<'_, '_>, name: &str) -> Result<Made> {
    let held = services.invoke("ssm", "GetParameters", json!({ "Names": [name] }))?;
    Ok(Made::new(name)
        .with("Type", answered(&held, "/Parameters/0/Type")?)
        .with("Value", answered(&held, "/Parameters/0/Value")?))
}
