//! The form of a seed file, and what of it the API is given.
//!
//! Invariant: what could be misspelled is refused with its place: unknown fields, doubled keys, wrong kinds of values.

use std::collections::BTreeMap;

use crypto::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::document::{Document, Place, place};
use super::problem::{Spot, Stop};

/// Far more than any seed that is written by hand; bounds what a wrong file name may cost.
pub(super) const BYTES_MAX: u64 = 1024 * 1024;

pub(super) type Documents = BTreeMap<String, Spanned<Document>>;
pub(super) type Tags = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeedFile {
    #[serde(default)]
    pub(super) accounts: Vec<Spanned<Account>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) id: Spanned<String>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) alias: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<ManagedPolicy>>,
    #[serde(default)]
    pub(super) groups: Vec<Spanned<Group>>,
    #[serde(default)]
    pub(super) roles: Vec<Spanned<Role>>,
    #[serde(default)]
    pub(super) users: Vec<Spanned<User>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ManagedPolicy {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) description: Option<String>,
    pub(super) document: Spanned<Document>,
    #[serde(default)]
    pub(super) tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) inline: Documents,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) path: Option<String>,
    pub(super) description: Option<String>,
    pub(super) trust: Spanned<Document>,
    /// Seconds.
    pub(super) max_session_duration: Option<u32>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) inline: Documents,
    pub(super) boundary: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) tags: Tags,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) groups: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) policies: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) inline: Documents,
    pub(super) boundary: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) tags: Tags,
    #[serde(default)]
    pub(super) access_keys: Vec<Spanned<AccessKey>>,
}

/// Either an id with its secret, or `generate: true`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessKey {
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    pub(super) secret: Option<Secret>,
    #[serde(default)]
    pub(super) generate: bool,
    #[serde(default = "yes")]
    pub(super) active: bool,
}

const fn yes() -> bool {
    true
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(Secret::from(text)))
}

/// Reads a seed.
pub(super) fn parse(text: &str) -> Result<SeedFile, Stop> {
    serde_saphyr::from_str_with_options(text, crate::yaml::options()).map_err(|error| {
        let place = error.location().map_or(Place { line: 1, column: 1 }, Place::from);
        let message = error.without_snippet().to_string();
        // The place is told already, in the form that editors follow.
        let told = format!(" at line {}, column {}", place.line, place.column);
        let message = message.lines().next().unwrap_or_default().replace(&told, "");
        Spot {
            place,
            subject: String::new(),
        }
        .refuse(masked(&message))
    })
}

/// The reader's words without what it quotes at length: a secret in a wrong place would be quoted too.
fn masked(message: &str) -> String {
    const SECRET_CHARS_MIN: usize = 16;
    let words = message.split(' ').map(|word| {
        let bare = word.trim_matches(['`', '"', '\'', ',', '.', ':', ';', '(', ')']);
        let shown = bare.chars().count() < SECRET_CHARS_MIN || bare == "max_session_duration";
        if shown { word } else { "(…)" }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl Account {
    /// The ARN that a policy's name or ARN stands for.
    pub(super) fn policy_arn(&self, reference: &str) -> String {
        if reference.starts_with("arn:") {
            return reference.to_owned();
        }
        let named = self
            .policies
            .iter()
            .find(|policy| policy.value.name.eq_ignore_ascii_case(reference));
        named.map_or_else(
            || format!("arn:aws:iam::{}:policy/{reference}", self.id.value),
            |policy| policy.value.arn(&self.id.value),
        )
    }

    pub(super) fn create_user(&self, user: &User) -> Value {
        let boundary = user
            .boundary
            .as_ref()
            .map(|boundary| self.policy_arn(&boundary.value));
        input([
            ("UserName", Some(json!(user.name))),
            ("Path", user.path.as_ref().map(|path| json!(path))),
            ("PermissionsBoundary", boundary.map(Value::from)),
            ("Tags", tags(&user.tags)),
        ])
    }

    /// `trust` may be another one than the file's, while those whom that trusts are not made yet.
    pub(super) fn create_role(&self, role: &Role, trust: &str) -> Value {
        let boundary = role
            .boundary
            .as_ref()
            .map(|boundary| self.policy_arn(&boundary.value));
        input([
            ("RoleName", Some(json!(role.name))),
            ("Path", role.path.as_ref().map(|path| json!(path))),
            ("AssumeRolePolicyDocument", Some(json!(trust))),
            ("Description", role.description.as_ref().map(|text| json!(text))),
            (
                "MaxSessionDuration",
                role.max_session_duration.map(|seconds| json!(seconds)),
            ),
            ("PermissionsBoundary", boundary.map(Value::from)),
            ("Tags", tags(&role.tags)),
        ])
    }
}

impl ManagedPolicy {
    pub(super) fn arn(&self, account: &str) -> String {
        format!(
            "arn:aws:iam::{account}:policy{}{}",
            self.path.as_deref().unwrap_or("/"),
            self.name
        )
    }

    pub(super) fn create(&self) -> Value {
        input([
            ("PolicyName", Some(json!(self.name))),
            ("Path", self.path.as_ref().map(|path| json!(path))),
            ("PolicyDocument", Some(json!(self.document.value.text))),
            ("Description", self.description.as_ref().map(|text| json!(text))),
            ("Tags", tags(&self.tags)),
        ])
    }
}

impl Group {
    pub(super) fn create(&self) -> Value {
        let path = self.path.as_ref().map(|path| json!(path));
        input([("GroupName", Some(json!(self.name))), ("Path", path)])
    }
}

/// A request's members, without the absent ones.
fn input<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let given = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

/// Tags as the API takes them; nothing rather than an empty list.
pub(super) fn tags(tags: &Tags) -> Option<Value> {
    let list: Vec<Value> = tags
        .iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    (!list.is_empty()).then(|| Value::from(list))
}

/// What users, groups and roles have in common, under one API by other names.
pub(super) struct Bearer<'a> {
    pub(super) spot: Spot,
    /// `User`, `Group` or `Role`.
    pub(super) kind: &'static str,
    pub(super) name: &'a str,
    pub(super) policies: &'a [Spanned<String>],
    pub(super) inline: &'a Documents,
    pub(super) boundary: Option<&'a Spanned<String>>,
    pub(super) tags: Option<&'a Tags>,
}

impl Account {
    pub(super) fn user_bearers(&self) -> impl Iterator<Item = (&User, Bearer<'_>)> {
        self.users.iter().enumerate().map(|(index, item)| {
            let user = &item.value;
            let bearer = Bearer {
                spot: Spot::of("users", index, &user.name, place(item)),
                kind: "User",
                name: &user.name,
                policies: &user.policies,
                inline: &user.inline,
                boundary: user.boundary.as_ref(),
                tags: Some(&user.tags),
            };
            (user, bearer)
        })
    }

    pub(super) fn group_bearers(&self) -> impl Iterator<Item = (&Group, Bearer<'_>)> {
        self.groups.iter().enumerate().map(|(index, item)| {
            let group = &item.value;
            let bearer = Bearer {
                spot: Spot::of("groups", index, &group.name, place(item)),
                kind: "Group",
                name: &group.name,
                policies: &group.policies,
                inline: &group.inline,
                boundary: None,
                tags: None,
            };
            (group, bearer)
        })
    }

    pub(super) fn role_bearers(&self) -> impl Iterator<Item = (&Role, Bearer<'_>)> {
        self.roles.iter().enumerate().map(|(index, item)| {
            let role = &item.value;
            let bearer = Bearer {
                spot: Spot::of("roles", index, &role.name, place(item)),
                kind: "Role",
                name: &role.name,
                policies: &role.policies,
                inline: &role.inline,
                boundary: role.boundary.as_ref(),
                tags: Some(&role.tags),
            };
            (role, bearer)
        })
    }

    pub(super) fn placed_policies(&self) -> impl Iterator<Item = (&ManagedPolicy, Spot)> {
        self.policies.iter().enumerate().map(|(index, item)| {
            (
                &item.value,
                Spot::of("policies", index, &item.value.name, place(item)),
            )
        })
    }
}
