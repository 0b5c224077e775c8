//! `AWS::Organizations::OrganizationalUnit` and `AWS::Organizations::Policy`.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a policy that is removed is detached first from where the template attached it, and from nowhere else.

use std::collections::BTreeMap;

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, differs, gone, policy, same, tags, texts};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, tag_list};

const SERVICE: &str = "organizations";

fn tagged(input: &mut Map<String, Value>, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        input.insert("Tags".to_owned(), tag_list(tags));
    }
}

fn settle_tags(services: &mut Services<'_, '_>, existing: &Existing<'_>, wanted: &Wanted<'_>) -> Result<()> {
    let tags = tags(existing, wanted, "Tags");
    let id = existing.physical_id;
    if !tags.gone.is_empty() {
        let input = json!({ "ResourceId": id, "TagKeys": tags.gone });
        services.invoke(SERVICE, "UntagResource", input)?;
    }
    if !tags.put.is_empty() {
        let input = json!({ "ResourceId": id, "Tags": tag_list(&tags.put) });
        services.invoke(SERVICE, "TagResource", input)?;
    }
    Ok(())
}

pub(crate) struct OrganizationalUnit;

impl ResourceType for OrganizationalUnit {
    described!(
        "AWS::Organizations::OrganizationalUnit",
        [
            Property::new("Name").required(),
            Property::fixed("ParentId").required(),
            Property::new("Tags"),
        ],
        ["Arn", "Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let mut input = wanted.pick(&["Name", "ParentId"]);
        tagged(&mut input, &wanted.all_tags("Tags"));
        let made = services.invoke(SERVICE, "CreateOrganizationalUnit", Value::Object(input))?;
        let id = answered(&made, "/OrganizationalUnit/Id")?;
        let arn = answered(&made, "/OrganizationalUnit/Arn")?;
        Ok(Made::new(id.clone()).with("Arn", arn).with("Id", id))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        if differs(existing, wanted, "Name") {
            let mut input = wanted.pick(&["Name"]);
            input.insert("OrganizationalUnitId".to_owned(), existing.physical_id.into());
            services.invoke(SERVICE, "UpdateOrganizationalUnit", Value::Object(input))?;
        }
        settle_tags(services, existing, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "OrganizationalUnitId": existing.physical_id });
        services
            .invoke(SERVICE, "DeleteOrganizationalUnit", input)
            .map(drop)
    }
}

pub(crate) struct Policy;

impl ResourceType for Policy {
    described!(
        "AWS::Organizations::Policy",
        [
            Property::new("Content").required(),
            Property::new("Description"),
            Property::new("Name").required(),
            Property::new("Tags"),
            Property::new("TargetIds"),
            Property::fixed("Type").required(),
        ],
        ["Arn", "AwsManaged", "Id"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let mut input = wanted.pick(&["Name", "Type"]);
        let text = wanted.text("Description").unwrap_or_default();
        input.insert("Description".to_owned(), text.into());
        input.insert("Content".to_owned(), content(wanted)?.into());
        tagged(&mut input, &wanted.all_tags("Tags"));
        let made = services.invoke(SERVICE, "CreatePolicy", Value::Object(input))?;
        let id = answered(&made, "/Policy/PolicySummary/Id")?;
        let arn = answered(&made, "/Policy/PolicySummary/Arn")?;
        attach(services, &id, &[], &texts(wanted.properties, "TargetIds"))?;
        Ok(Made::new(id.clone())
            .with("Arn", arn)
            .with("AwsManaged", false)
            .with("Id", id))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let id = existing.physical_id;
        if ["Content", "Description", "Name"]
            .iter()
            .any(|name| differs(existing, wanted, name))
        {
            let mut input = wanted.pick(&["Name"]);
            let text = wanted.text("Description").unwrap_or_default();
            input.insert("Description".to_owned(), text.into());
            input.insert("Content".to_owned(), content(wanted)?.into());
            input.insert("PolicyId".to_owned(), id.into());
            services.invoke(SERVICE, "UpdatePolicy", Value::Object(input))?;
        }
        let before = texts(existing.properties, "TargetIds");
        attach(services, id, &before, &texts(wanted.properties, "TargetIds"))?;
        settle_tags(services, existing, wanted)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let id = existing.physical_id;
        attach(services, id, &texts(existing.properties, "TargetIds"), &[])?;
        services
            .invoke(SERVICE, "DeletePolicy", json!({ "PolicyId": id }))
            .map(drop)
    }
}

fn content(wanted: &Wanted<'_>) -> Result<String> {
    policy(wanted.property("Content").unwrap_or(&Value::Null))
}

fn attach(services: &mut Services<'_, '_>, id: &str, before: &[String], now: &[String]) -> Result<()> {
    for target in added(now, before) {
        let input = json!({ "PolicyId": id, "TargetId": target });
        gone(services.invoke(SERVICE, "DetachPolicy", input))?;
    }
    for target in added(before, now) {
        let input = json!({ "PolicyId": id, "TargetId": target });
        services.invoke(SERVICE, "AttachPolicy", input)?;
    }
    Ok(())
}
