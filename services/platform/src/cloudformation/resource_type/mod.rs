//! The types of resources: for each, its properties, and the calls by which a resource of it is made, changed and removed.
//!
//! To add a type: a file beside this one with a unit struct that is a `ResourceType`, and its line in `TYPES`.
//!
//! Invariant: a type does everything through `Services`, as the stack's principal; a call that fails undoes what the step wrote, so a
//! type may return at the first fault.

use std::collections::BTreeMap;

use api::models::Embedded;
use pipeline::{Acting, Call, Result};
use serde_json::{Map, Value};
use wire::fault::{Code, Common};
use wire::route::Catalog as _;
use wire::{Fault, loose};

use super::PRINCIPAL;
use super::actor::Actor;
use super::stack::Stack;
use super::work::Pending;

/// What a type is called, which properties it takes (in byte order of their names), and which attributes its resources have.
macro_rules! described {
    ($name:expr, [$($property:expr),* $(,)?], [$($attribute:expr),* $(,)?]) => {
        fn name(&self) -> &'static str {
            $name
        }

        fn properties(&self) -> &'static [Property] {
            const PROPERTIES: &[Property] = &[$($property),*];
            PROPERTIES
        }

        fn attributes(&self) -> &'static [&'static str] {
            &[$($attribute),*]
        }
    };
}

mod analyzer;
mod cdk_metadata;
mod custom;
mod difference;
mod iam_identity;
mod iam_policy;
mod iam_provider;
mod iam_role;
mod iam_user;
mod kms;
mod known;
mod lambda;
mod lambda_attached;
mod nested;
mod organizations;
mod s3_bucket;
mod s3_words;
mod secretsmanager;
mod ssm_parameter;
pub(crate) mod wait_condition;

/// All types that this version makes, in byte order of their names.
static TYPES: &[&dyn ResourceType] = &[
    &analyzer::Analyzer,
    &cdk_metadata::Metadata,
    &custom::Custom,
    &nested::Nested,
    &wait_condition::WaitCondition,
    &wait_condition::WaitConditionHandle,
    &iam_user::AccessKey,
    &iam_user::Group,
    &iam_policy::GROUP_POLICY,
    &iam_role::InstanceProfile,
    &iam_policy::ManagedPolicy,
    &iam_provider::OidcProvider,
    &iam_policy::Policy,
    &iam_role::Role,
    &iam_policy::ROLE_POLICY,
    &iam_user::User,
    &iam_policy::USER_POLICY,
    &iam_user::UserToGroupAddition,
    &kms::Alias,
    &kms::Key,
    &lambda_attached::Alias,
    &lambda_attached::EventInvokeConfig,
    &lambda::Function,
    &lambda_attached::Permission,
    &lambda_attached::Version,
    &organizations::OrganizationalUnit,
    &organizations::Policy,
    &s3_bucket::Bucket,
    &s3_bucket::BucketPolicy,
    &ssm_parameter::Parameter,
    &secretsmanager::ResourcePolicy,
    &secretsmanager::RotationSchedule,
    &secretsmanager::Secret,
];

pub(crate) use known::expect;

/// The type of a name such as `AWS::SSM::Parameter`; `None` for one that is not built.
pub(crate) fn find(name: &str) -> Option<&'static dyn ResourceType> {
    if custom::is_custom(name) {
        return Some(&custom::Custom);
    }
    TYPES.iter().find(|known| known.name() == name).copied()
}

/// What a change of a property takes (CloudFormation User Guide, "Update behaviors of stack resources").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    InPlace,
    /// The resource is made anew, and the old one removed when the stack's update is complete.
    Replaces,
}

/// A property of a type.
pub(crate) struct Property {
    pub name: &'static str,
    pub required: bool,
    pub change: Change,
}

impl Property {
    /// One that can be changed.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self {
            name,
            required: false,
            change: Change::InPlace,
        }
    }

    /// One whose change replaces the resource.
    pub(crate) const fn fixed(name: &'static str) -> Self {
        Self {
            change: Change::Replaces,
            ..Self::new(name)
        }
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// A resource as the template wants it. All references, functions and dynamic references in its properties are resolved.
pub(crate) struct Wanted<'a> {
    pub stack: &'a Owner,
    pub logical_id: &'a str,
    pub properties: &'a Map<String, Value>,
    /// The stack's tags, and the system's own (`aws:cloudformation:stack-name`) for types that say so. A resource's own go before them.
    pub tags: &'a BTreeMap<String, String>,
    /// Drawn anew for each resource: twelve of `A-Z0-9`.
    pub random: &'a str,
}

/// The stack that a resource is of.
pub(crate) struct Owner {
    pub name: String,
    pub region: String,
}

impl Wanted<'_> {
    /// A property, if it is there.
    pub(crate) fn property(&self, name: &str) -> Option<&Value> {
        self.properties.get(name).filter(|value| !value.is_null())
    }

    /// A property's text; of numbers and truths, as templates may write them.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.property(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }
    }

    /// The properties of these names, as they are.
    pub(crate) fn pick(&self, names: &[&str]) -> Map<String, Value> {
        let picked = names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.property(name)?.clone())));
        picked.collect()
    }

    /// The name that a resource gets which is given none: `STACK-LOGICAL-RANDOM`, in at most `length_max` bytes (CloudFormation User
    /// Guide, "Name type").
    pub(crate) fn physical_name(&self, length_max: usize) -> String {
        let fit = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let room = length_max.saturating_sub(self.random.len() + 2);
        let (stack, logical) = (self.stack.name.len(), self.logical_id.len());
        let (stack, logical) = if stack + logical <= room {
            (stack, logical)
        } else {
            let half = room / 2;
            let logical = logical.min(room.saturating_sub(stack.min(half)));
            (room.saturating_sub(logical), logical)
        };
        let (stack, logical) = (fit(&self.stack.name, stack), fit(self.logical_id, logical));
        format!("{stack}-{logical}-{}", self.random)
    }

    /// The tags that the resource shall have: its own property (a list of `Key` and `Value`, or a map) over the stack's, as pairs.
    pub(crate) fn all_tags(&self, property: &str) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.extend(own_tags(self.properties, property));
        tags
    }
}

/// The tags of a property: a list of `Key` and `Value`, or a map.
pub(crate) fn own_tags(properties: &Map<String, Value>, property: &str) -> BTreeMap<String, String> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    match properties.get(property) {
        Some(Value::Object(entries)) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.clone(), text(Some(value))));
            entries.collect()
        }
        Some(Value::Array(items)) => {
            let items = items
                .iter()
                .map(|item| (text(item.get("Key")), text(item.get("Value"))));
            items.collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Tags as a list of `Key` and `Value`, which most services take.
pub(crate) fn tag_list(tags: &BTreeMap<String, String>) -> Value {
    let tags = tags
        .iter()
        .map(|(key, value)| serde_json::json!({ "Key": key, "Value": value }));
    Value::Array(tags.collect())
}

/// A resource that is there.
pub(crate) struct Existing<'a> {
    pub physical_id: &'a str,
    /// What it was last made or changed with. Dynamic references in it are not resolved, since secrets are not kept.
    pub properties: &'a Map<String, Value>,
    /// As `Made` told them.
    pub attributes: &'a BTreeMap<String, Value>,
    /// The stack's tags at that time.
    pub tags: &'a BTreeMap<String, String>,
}

/// What came of making or changing a resource.
pub(crate) struct Made {
    /// What `Ref` gives.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives, by attribute.
    pub attributes: BTreeMap<String, Value>,
    /// The attributes are not to be shown.
    pub no_echo: bool,
    /// It is not done before this has come.
    pub awaits: Option<Await>,
}

/// What a deed waits for. When it has come, or its time is over, the deed is done again with `Subject::pending`.
pub(crate) struct Await {
    /// Tells it from all others.
    pub id: String,
    /// Milliseconds since the epoch.
    pub deadline: i64,
    /// The physical id is the resource's own already.
    pub shown: bool,
}

impl Made {
    pub(crate) fn new(physical_id: impl Into<String>) -> Self {
        Self {
            physical_id: physical_id.into(),
            attributes: BTreeMap::new(),
            no_echo: false,
            awaits: None,
        }
    }

    /// The same, not done yet.
    pub(crate) fn awaiting(mut self, awaited: Await) -> Self {
        self.awaits = Some(awaited);
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.to_owned(), value.into());
        self
    }
}

/// A type of resources.
pub(crate) trait ResourceType: Sync {
    /// `AWS::SSM::Parameter`
    fn name(&self) -> &'static str;

    /// Every property that the type takes here. Others are refused.
    fn properties(&self) -> &'static [Property];

    /// What `Fn::GetAtt` gives of its resources.
    fn attributes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Makes a resource.
    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made>;

    /// Changes a resource in place. The physical id must stay.
    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made>;

    /// Removes a resource. One that is gone already may answer its service's fault of absence.
    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()>;

    /// The same for types whose removal may have to be waited for.
    fn remove(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<Option<Await>> {
        self.delete(services, existing).map(|()| None)
    }

    /// Whether it takes properties of any name beside its own.
    fn open(&self) -> bool {
        false
    }

    /// Whether `Fn::GetAtt` can be asked for an attribute.
    fn has_attribute(&self, name: &str) -> bool {
        self.attributes().contains(&name)
    }

    /// Whether its deeds may wait. One that began and failed is undone like one that was done.
    fn waits(&self) -> bool {
        false
    }

    /// Whether every update goes through its resources, since there may be changes that their properties do not tell.
    fn automatic(&self) -> bool {
        false
    }

    /// The property whose dynamic references are handed on as they stand, for whoever uses it to open.
    fn hands_on(&self) -> Option<&'static str> {
        None
    }

    /// What a property's change from `old` to `new` takes, where it depends on the values.
    fn change(&self, property: &Property, _old: Option<&Value>, _new: Option<&Value>) -> Change {
        property.change
    }

    /// Whether its resources bear the system's own tags (`aws:cloudformation:stack-name`): `tagging.cloudFormationSystemTags` of the type's
    /// schema on AWS. Keys of KMS, identities of IAM and what is of Organizations bear the stack's tags alone.
    fn system_tags(&self) -> bool {
        false
    }

    /// The property in which a template can give a name of its own to what IAM knows (`RoleName`); `Some("")` for types of IAM whose
    /// names are not given. `None` for types that need no capability.
    fn capability(&self) -> Option<&'static str> {
        None
    }
}

/// The other services, as the stack's principal.
pub(crate) struct Services<'c, 'a> {
    pub call: &'c mut Call<'a>,
    pub acting: &'c Acting,
    /// What it is done for.
    subject: Option<Subject<'c>>,
    /// The service whose operation failed last.
    pub failed: Option<&'static str>,
    /// The physical id of what a deed left that failed.
    pub left: Option<String>,
}

/// What a deed is done for, as far as types ask that wait for something.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'c> {
    pub stack: &'c Stack,
    pub actor: &'c Actor,
    pub logical_id: &'c str,
    /// `Custom::Thing`
    pub kind: &'c str,
    /// What the deed waited for, when it is looked at again.
    pub pending: Option<&'c Pending>,
    /// An update is undone.
    pub back: bool,
}

impl<'c, 'a> Services<'c, 'a> {
    pub(crate) const fn new(call: &'c mut Call<'a>, acting: &'c Acting) -> Self {
        Self {
            call,
            acting,
            subject: None,
            failed: None,
            left: None,
        }
    }

    /// The same, for a deed.
    pub(crate) const fn about(mut self, subject: Subject<'c>) -> Self {
        self.subject = Some(subject);
        self
    }

    /// What it is done for.
    pub(crate) fn subject(&self) -> Result<Subject<'c>> {
        self.subject
            .ok_or_else(|| Fault::internal("a deed without a subject"))
    }
}

impl Services<'_, '_> {
    /// Runs an operation of another service. The input is JSON by the names of the service's API; the answer is the same, with
    /// moments in ISO 8601.
    ///
    /// # Errors
    /// The service's fault, or a validation error for an input that is not of its shape.
    pub(crate) fn invoke(&mut self, service: &str, operation: &str, input: Value) -> Result<Value> {
        let model = Embedded.service(service);
        let shape = model.and_then(|model| Some((model, model.operation(operation)?.input?)));
        let input = match shape {
            Some((model, shape)) => loose::from_json(model, shape, input).map_err(invalid)?,
            None => wire::Document::empty(),
        };
        let answer = self
            .call
            .invoke_acting(PRINCIPAL, self.acting, service, operation, input);
        if answer.is_err() {
            self.failed = model.map(|model| model.name);
        }
        answer.map(|answer| loose::to_json(&answer))
    }
}

/// Properties that a type cannot take.
pub(crate) fn invalid(message: impl Into<String>) -> Fault {
    Fault::validation(message)
}

/// Refuses to make what is there already: it would be written over, and removed with the stack.
pub(crate) fn taken(kind: &str, id: &str) -> Fault {
    invalid(format!(
        "Resource of type '{kind}' with identifier '{id}' already exists."
    ))
}

/// The same for what `asked` tells of, if it is there.
pub(crate) fn expect_new(kind: &str, id: &str, asked: Result<Value>) -> Result<()> {
    match asked {
        Err(fault) if is_absence(&fault) => Ok(()),
        Err(fault) => Err(fault),
        Ok(_) => Err(taken(kind, id)),
    }
}

/// A text of an answer that a service always gives.
pub(crate) fn answered(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .ok_or_else(|| Fault::internal(format!("a service answered without {pointer}")))
}

/// A fault's code on the wire, as far as it is one of the services' own or of the common ones that events tell apart.
pub(crate) fn code(fault: &Fault) -> &str {
    match &fault.code {
        Code::Modeled { code, .. } => code,
        Code::Plain { code, .. } => code,
        Code::Common(common) => match common {
            Common::AccessDenied => "AccessDenied",
            Common::Validation => "ValidationError",
            Common::ExpiredToken => "ExpiredToken",
            Common::Throttling => "Throttling",
            Common::NotImplemented => "NotImplemented",
            _ => "InternalFailure",
        },
    }
}

/// Whether a fault says that what was named is not there.
pub(crate) fn is_absence(fault: &Fault) -> bool {
    let code = code(fault);
    let words = ["NotFound", "NoSuch", "DoesNotExist"];
    words.iter().any(|word| code.contains(word))
}
