//! What AWS's Service Authorization Reference says: actions, resource types and condition keys of every service.
//!
//! Invariant: nothing is unpacked until it is asked for, and a question about one service unpacks that service alone.
//! Names are found whatever their case, as AWS compares them. See `data/README.md` for the source.

mod global;
mod pack;

pub use global::{GlobalKey, global_key, global_keys};
pub use pack::{Service, service, services};

use std::{collections::BTreeMap, sync::LazyLock};

use crate::{
    context::Context,
    pattern::{Case, Pattern, Syntax},
};

/// What an action does to what it acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccessLevel {
    /// Says what is there.
    List,
    /// Reads content.
    Read,
    /// Creates, changes or deletes.
    Write,
    /// Changes tags alone.
    Tagging,
    /// Grants or changes permissions.
    PermissionsManagement,
}

/// An action of a service.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    service: &'static Service,
    name: &'static str,
    level: AccessLevel,
    keys: &'static str,
    types: &'static str,
}

/// A resource type that an action acts on.
#[derive(Debug, Clone, Copy)]
pub struct ActionResource {
    /// The resource type.
    pub resource: ResourceType,
    /// Whether a statement on the action must name a resource of this type (marked `*` in AWS's tables).
    pub required: bool,
    service: &'static Service,
    keys: &'static str,
}

/// A resource type of a service.
#[derive(Debug, Clone, Copy)]
pub struct ResourceType {
    service: &'static Service,
    /// `bucket`
    pub name: &'static str,
    /// `arn:${Partition}:s3:::${BucketName}`
    pub arn: &'static str,
    keys: &'static str,
}

/// A condition key of a service or a global one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionKey {
    /// `s3:prefix`, or with a variable end: `aws:RequestTag/${TagKey}`.
    pub name: &'static str,
    /// What its values are.
    pub data_type: DataType,
    /// Whether a request may hold several values.
    pub multivalued: bool,
}

/// The type of a condition key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// Text.
    String,
    /// An ARN.
    Arn,
    /// `true` or `false`.
    Bool,
    /// A number.
    Numeric,
    /// A moment.
    Date,
    /// An address of IP version 4 or 6.
    IpAddress,
    /// Base64.
    Binary,
}

/// The action of a full name such as `s3:GetObject`.
pub fn action(name: &str) -> Option<Action> {
    let (prefix, name) = name.split_once(':')?;
    service(prefix)?.action(name)
}

/// The condition key that a policy may write as `key`: a global one, or one of the service in its prefix.
pub fn condition_key(key: &str) -> Option<ConditionKey> {
    if let Some(global) = global_key(key) {
        return Some(global.key);
    }
    let (prefix, _) = key.split_once(':')?;
    service(prefix)?.condition_key(key)
}

/// The resource types whose ARNs name the service (`s3` in `arn:aws:s3:::b`), whichever prefix their actions have.
pub fn resource_types_of(arn_service: &str) -> &'static [ResourceType] {
    static TYPES: LazyLock<BTreeMap<&'static str, Vec<ResourceType>>> = LazyLock::new(|| {
        let mut types: BTreeMap<&'static str, Vec<ResourceType>> = BTreeMap::new();
        let all = services().filter_map(service).flat_map(Service::resource_types);
        for held in all {
            types
                .entry(held.arn.split(':').nth(2).unwrap_or_default())
                .or_default()
                .push(held);
        }
        types
    });
    TYPES.get(arn_service).map_or(&[], Vec::as_slice)
}

/// An ARN format, or a part of one, as a pattern: every variable is `*`.
pub fn opened(format: &str) -> String {
    let mut pattern = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("${") {
        pattern.push_str(before);
        pattern.push('*');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    pattern.push_str(rest);
    pattern
}

/// Every action that the `Action` string matches (`s3:Get*`, `*`), services in byte order.
pub fn actions_matching(source: &str) -> impl Iterator<Item = Action> {
    // A name without wildcards is looked up, since policies list hundreds of them.
    let plain = !source.contains(['*', '?']);
    let found = plain.then(|| action(source)).flatten();
    let literal = source
        .split_once(':')
        .map(|(prefix, _)| prefix)
        .filter(|prefix| !prefix.contains(['*', '?']));
    let only = literal.filter(|_| !plain).and_then(service);
    let rest = services()
        .filter(move |_| literal.is_none() && !plain)
        .filter_map(service);
    let pattern = Pattern::compile(source, Syntax::WILDCARDS);
    let nothing = Context::new();
    let matching = only
        .into_iter()
        .chain(rest)
        .flat_map(Service::actions)
        .filter(move |action| pattern.matches(&action.full_name(), &nothing, Case::Folded));
    found.into_iter().chain(matching)
}

impl Action {
    /// `GetObject`
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `s3:GetObject`
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.service.prefix(), self.name)
    }

    /// The service that it belongs to.
    pub fn service(&self) -> &'static Service {
        self.service
    }

    /// Its access level.
    pub fn level(&self) -> AccessLevel {
        self.level
    }

    /// The condition keys that requests for it may hold whatever the resource (global keys apart).
    pub fn condition_keys(&self) -> impl Iterator<Item = ConditionKey> + use<> {
        self.service.keys_of(self.keys)
    }

    /// The resource types that it acts on; none for actions that take `*` alone.
    pub fn resources(&self) -> impl Iterator<Item = ActionResource> + use<> {
        let service = self.service;
        let types = self.types.split(';').filter(|text| !text.is_empty());
        types.filter_map(move |text| {
            let (head, keys) = text.split_once(':').unwrap_or((text, ""));
            let number = head.trim_end_matches('!');
            Some(ActionResource {
                resource: service.resource_type_number(number.parse().ok()?)?,
                required: number.len() < head.len(),
                service,
                keys,
            })
        })
    }
}

impl ActionResource {
    /// The condition keys that requests for the action hold if they are about this type.
    pub fn condition_keys(&self) -> impl Iterator<Item = ConditionKey> + use<> {
        self.service.keys_of(self.keys)
    }
}

impl ResourceType {
    /// The condition keys that tell of resources of the type.
    pub fn condition_keys(&self) -> impl Iterator<Item = ConditionKey> + use<> {
        self.service.keys_of(self.keys)
    }

    /// The ARN format as a pattern: every variable is `*`.
    pub fn pattern(&self) -> String {
        opened(self.arn)
    }
}

impl ConditionKey {
    /// Whether a policy that writes `key` means this key: without case, and with any end where the name has a variable
    /// one (`aws:RequestTag/team`).
    pub fn is_named(&self, key: &str) -> bool {
        let end = self.name.find(['$', '<']).unwrap_or(self.name.len());
        let fixed = self.name.get(..end).unwrap_or_default();
        let Some(head) = key.get(..fixed.len()) else {
            return false;
        };
        let same = head.eq_ignore_ascii_case(fixed);
        if end < self.name.len() {
            same && key.len() > fixed.len()
        } else {
            same && key.len() == fixed.len()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_found_without_case_with_what_they_act_on() {
        let put = action("S3:putobject").unwrap();
        assert_eq!(
            (put.full_name().as_str(), put.level()),
            ("s3:PutObject", AccessLevel::Write)
        );
        let types: Vec<&str> = put.resources().map(|held| held.resource.name).collect();
        assert_eq!(types, ["accesspointobject", "object"]);
        assert!(put.condition_keys().any(|key| key.name == "s3:x-amz-acl"));
        assert_eq!(
            action("iam:PassRole")
                .unwrap()
                .resources()
                .next()
                .unwrap()
                .resource
                .pattern(),
            "arn:*:iam::*:role/*"
        );
        assert!(action("s3:PutObjects").is_none());
        assert!(action("s3").is_none());
        assert!(action("nothing:PutObject").is_none());
    }

    #[test]
    fn wildcards_are_expanded_within_and_across_services() {
        let names = |source: &str| -> Vec<String> {
            actions_matching(source)
                .map(|action| action.full_name())
                .collect()
        };
        assert_eq!(
            names("sts:getc*"),
            ["sts:GetCallerIdentity"],
            "the case of letters says nothing"
        );
        assert_eq!(
            names("kms:?ncrypt"),
            ["kms:Encrypt"],
            "a question mark is one letter"
        );
        assert!(names("s3:None*").is_empty());
        assert!(names("s?:PutObject").contains(&"s3:PutObject".to_owned()));
        let all = names("*");
        assert_eq!(all.len(), 22_091);
        assert!(names("*:*").len() == all.len(), "every action has a colon");
    }

    #[test]
    fn condition_keys_have_types_and_may_end_in_a_variable() {
        let typed = |key: &str| condition_key(key).map(|key| (key.data_type, key.multivalued));
        assert_eq!(typed("aws:SourceIp"), Some((DataType::IpAddress, false)));
        assert_eq!(typed("AWS:tagkeys"), Some((DataType::String, true)));
        assert_eq!(typed("s3:RequestObjectTag/team"), Some((DataType::String, false)));
        assert_eq!(typed("aws:RequestTag/team"), Some((DataType::String, false)));
        assert_eq!(typed("aws:RequestTag/"), None);
        assert_eq!(typed("s3:max-keys"), Some((DataType::Numeric, false)));
        assert_eq!(typed("s3:nothing"), None);
        assert_eq!(typed("prefix"), None);
    }

    // The whole of the data is read, so that a broken block is found here and not by a user.
    #[test]
    fn every_service_is_unpacked_whole() {
        let (mut actions, mut types, mut keys) = (0, 0, 0);
        for prefix in services() {
            let service = service(prefix).unwrap();
            actions += service.actions().count();
            types += service.resource_types().count();
            keys += service.condition_keys().count();
            for action in service.actions() {
                assert!(service.action(action.name()).is_some(), "{}", action.full_name());
                for held in action.resources() {
                    assert!(held.resource.arn.starts_with("arn:"));
                }
            }
        }
        assert_eq!((actions, types, keys), (22_091, 2_334, 2_578));
    }
}
