//! `AWS::IAM::OIDCProvider`.
//!
//! Source: CloudFormation Template Reference, "AWS::IAM::OIDCProvider".
//!
//! Invariant: the address of a provider is its identity; another address is another provider.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{added, differs, gone, same, tags, texts};
use super::iam_identity::SERVICE;
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, tag_list};

pub(crate) struct OidcProvider;

impl ResourceType for OidcProvider {
    described!(
        "AWS::IAM::OIDCProvider",
        [
            Property::new("ClientIdList"),
            Property::new("Tags"),
            Property::new("ThumbprintList"),
            Property::fixed("Url"),
        ],
        ["Arn"]
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let mut input: Map<String, Value> = wanted.pick(&["ThumbprintList", "Url"]);
        if let Some(clients) = wanted.property("ClientIdList") {
            input.insert("ClientIDList".to_owned(), clients.clone());
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("Tags".to_owned(), tag_list(&tags));
        }
        let made = services.invoke(SERVICE, "CreateOpenIDConnectProvider", Value::Object(input))?;
        let arn = answered(&made, "/OpenIDConnectProviderArn")?;
        Ok(Made::new(arn.clone()).with("Arn", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let mut ask = |operation: &str, name: &str, value: Value| {
            let input = json!({ "OpenIDConnectProviderArn": existing.physical_id, name: value });
            services.invoke(SERVICE, operation, input)
        };
        if let Some(prints) = wanted.property("ThumbprintList")
            && differs(existing, wanted, "ThumbprintList")
        {
            ask(
                "UpdateOpenIDConnectProviderThumbprint",
                "ThumbprintList",
                prints.clone(),
            )?;
        }
        let (before, now) = (
            texts(existing.properties, "ClientIdList"),
            texts(wanted.properties, "ClientIdList"),
        );
        for client in added(&now, &before) {
            let removed = ask(
                "RemoveClientIDFromOpenIDConnectProvider",
                "ClientID",
                client.into(),
            );
            gone(removed)?;
        }
        for client in added(&before, &now) {
            ask("AddClientIDToOpenIDConnectProvider", "ClientID", client.into())?;
        }
        let tags = tags(existing, wanted, "Tags");
        if !tags.gone.is_empty() {
            ask("UntagOpenIDConnectProvider", "TagKeys", tags.gone.into())?;
        }
        if !tags.put.is_empty() {
            ask("TagOpenIDConnectProvider", "Tags", tag_list(&tags.put))?;
        }
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "OpenIDConnectProviderArn": existing.physical_id });
        services
            .invoke(SERVICE, "DeleteOpenIDConnectProvider", input)
            .map(drop)
    }
}
