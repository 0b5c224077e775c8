//! What is handed in to make or change a stack: the template and where it comes from, the values of its parameters, and what the caller
//! acknowledges.
//!
//! Invariant: what comes out of here was checked as far as it can be before anything is made.

use std::collections::{BTreeMap, BTreeSet};

use api::cloudformation as model;
use pipeline::{Access, Call, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Document, Fault};

use super::PRINCIPAL;
use super::actor::Actor;
use super::evaluation::{Looking, facts};
use super::fault::{expect_none, invalid};
use super::hidden::Hidden;
use super::resource::RESOURCES_MAX;
use super::resource_type::{self, wait_condition::CONDITION};
use super::stack::Stack;
use super::template::{Evaluation, Given, Setting, Template, parameter};

/// Bytes of a template in a request, and of one in S3 (CloudFormation User Guide, "Understand CloudFormation quotas").
const BODY_MAX: usize = 51_200;
const OBJECT_MAX: u64 = 1_048_576;
/// Bytes of a stack policy in a request.
const POLICY_MAX: usize = 16_384;
/// Tags of a stack (CloudFormation API Reference, `CreateStack`).
const TAGS_MAX: usize = 50;
const KEY_MAX: usize = 128;
const VALUE_MAX: usize = 256;

/// A template's text, sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Body(Hidden);

store::record!(Body, 1);

/// By account, region, the stack's id, and which: `CURRENT`, `PREVIOUS`, or a change set's id.
pub(crate) static BODIES: Table<(String, String, String, String), Body> =
    Table::new(0x0628, "cloudformation.templates");
/// The template that the stack has, or is being brought to.
pub(crate) const CURRENT: &str = "current";
/// The template to which the stack goes back if its update fails.
pub(crate) const PREVIOUS: &str = "previous";

/// The template that a nested stack had before the stack around it began its update.
pub(crate) const NESTED_PREVIOUS: &str = "nested-previous";

/// Keeps a template's text.
pub(crate) fn keep_body(call: &mut Call<'_>, stack: &Stack, which: &str, text: &str) -> Result<()> {
    let (account, region, uuid) = stack.place();
    let sealed = Hidden::seal(call, stack.bond(), &text)?;
    call.put(&BODIES, &(account, region, uuid, which.to_owned()), Body(sealed))
}

/// A template's text; empty for one that there is not.
pub(crate) fn body(call: &mut Call<'_>, stack: &Stack, which: &str) -> Result<String> {
    let (account, region, uuid) = stack.bond();
    let found = call.get(&BODIES, &(account, region, uuid, which))?;
    found.map_or_else(|| Ok(String::new()), |found| found.0.open(call, stack.bond()))
}

pub(crate) fn forget_body(call: &mut Call<'_>, stack: &Stack, which: &str) -> Result<()> {
    let (account, region, uuid) = stack.bond();
    call.delete(&BODIES, &(account, region, uuid, which))
}

/// The text of a template or a stack policy: in the request, or in an object of S3, which is read as the caller.
pub(crate) fn source(call: &mut Call<'_>, text: Option<String>, url: Option<&str>) -> Result<Option<String>> {
    match (text, url) {
        (Some(_), Some(_)) => Err(invalid("Either Template URL or Template Body must be specified.")),
        (Some(text), None) => {
            // What CloudFormation itself hands in it has read as an object's template before.
            if text.len() > BODY_MAX && call.made_by() != Some(PRINCIPAL) {
                return Err(invalid(format!(
                    "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less \
                     than or equal to {BODY_MAX}"
                )));
            }
            Ok(Some(text))
        }
        (None, Some(url)) => fetch(call, url).map(Some),
        (None, None) => Ok(None),
    }
}

/// The same for a stack policy.
pub(crate) fn policy_source(
    call: &mut Call<'_>,
    text: Option<String>,
    url: Option<&str>,
) -> Result<Option<String>> {
    if text.is_some() && url.is_some() {
        return Err(invalid(
            "You cannot specify both StackPolicyURL and StackPolicyBody",
        ));
    }
    let text = match url {
        Some(url) => Some(fetch(call, url)?),
        None => text,
    };
    if text.as_ref().is_some_and(|text| text.len() > POLICY_MAX) {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'stackPolicyBody' failed to satisfy constraint: Member must have length less than \
             or equal to {POLICY_MAX}"
        )));
    }
    if let Some(text) = &text {
        super::stack_policy::check(text)?;
    }
    Ok(text)
}

fn fetch(call: &mut Call<'_>, url: &str) -> Result<String> {
    let host = own_host(call, url);
    let object = Object::of(url, host.as_deref());
    let object = object.ok_or_else(|| invalid("TemplateURL must be a supported URL."))?;
    let mut input = vec![
        ("Bucket", Document::String(object.bucket)),
        ("Key", Document::String(object.key)),
    ];
    if let Some(version) = object.version {
        input.push(("VersionId", Document::String(version)));
    }
    let input = Document::Structure(input);
    let fetched = call.invoke_for_bytes(PRINCIPAL, ("s3", "GetObject"), input, OBJECT_MAX);
    let (_, bytes) = fetched.map_err(|fault| {
        let mut refused = invalid(format!("S3 error: {}", fault.message));
        refused.source = fault.source;
        refused
    })?;
    let bytes =
        bytes.ok_or_else(|| invalid(format!("Template may not exceed {OBJECT_MAX} bytes in size.")))?;
    String::from_utf8(bytes.to_vec())
        .map_err(|_| invalid("Template format error: the template is not UTF-8 text."))
}

/// The host at which the caller found us; for a call of CloudFormation's own, the one that the machine itself finds us at.
fn own_host(call: &Call<'_>, url: &str) -> Option<String> {
    if call.request.host.is_some() {
        return call.request.host.clone();
    }
    let own = call.own_url()?.split_once("://")?.1;
    let local = own.rsplit_once(':').map(|(_, port)| format!("localhost:{port}"));
    let named = local.filter(|local| url.contains(&format!("://{local}/")));
    Some(named.unwrap_or_else(|| own.to_owned()))
}

/// An object as a URL names it.
struct Object {
    bucket: String,
    key: String,
    version: Option<String>,
}

impl Object {
    /// Reads a URL of S3: with the bucket in its host, or in its path. `own` is the host at which the caller found us.
    fn of(url: &str, own: Option<&str>) -> Option<Self> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))?;
        let (host, path) = rest.split_once('/')?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let version = query.split('&').find_map(|pair| pair.strip_prefix("versionId="));
        let bare = host.split(':').next().unwrap_or(host);
        let in_path = own == Some(host)
            || bare == "s3.amazonaws.com"
            || (bare.starts_with("s3.") || bare.starts_with("s3-")) && bare.ends_with(".amazonaws.com");
        let (bucket, key) = if in_path {
            let (bucket, key) = path.split_once('/')?;
            (bucket.to_owned(), key)
        } else {
            let known = bare.ends_with(".amazonaws.com");
            let own = own.and_then(|own| host.strip_suffix(own)?.strip_suffix('.'));
            let own = own.and_then(|own| own.strip_suffix(".s3").or(Some(own)));
            let at = [".s3.", ".s3-"].iter().find_map(|mark| bare.find(mark));
            let named = at.filter(|_| known).and_then(|at| bare.get(..at));
            (named.or(own)?.to_owned(), path)
        };
        let key = decoded(key)?;
        let sound = !bucket.is_empty() && !key.is_empty();
        sound.then_some(Self {
            bucket,
            key,
            version: version.and_then(decoded),
        })
    }
}

/// Undoes the percent encoding of a URL's path.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// A template that was checked, with its parameters' values.
pub(crate) struct Prepared {
    pub text: String,
    pub template: Template,
    pub settings: Vec<Setting>,
    pub capabilities: Vec<String>,
}

impl Prepared {
    /// The logical ids of the resources, each behind what it needs, and wait conditions behind all that does not need them.
    pub(crate) fn order(&self, stack: &Stack) -> Result<Vec<String>> {
        let facts = facts(stack);
        let evaluation = Evaluation::new(&self.template, &self.settings, &facts)?;
        let (mut first, mut late) = (Vec::new(), Vec::new());
        for resource in evaluation.order()? {
            let needs = evaluation.dependencies(resource)?;
            // Whoever signals may be any of the others, and resources are made one at a time.
            if resource.kind == CONDITION || needs.iter().any(|need| late.contains(need)) {
                late.push(resource.logical_id.clone());
            } else {
                first.push(resource.logical_id.clone());
            }
        }
        first.append(&mut late);
        Ok(first)
    }
}

/// What a request says beside its template.
pub(crate) struct Terms<'i> {
    pub parameters: Option<&'i [model::Parameter]>,
    pub capabilities: Option<&'i [model::Capability]>,
    pub resource_types: Option<&'i [String]>,
    /// Macros need not be acknowledged for a change set.
    pub reviewed: bool,
}

impl Terms<'_> {
    /// Checks a template, settles its parameters in the name of `actor`, and looks that everything is acknowledged.
    pub(crate) fn prepare(
        &self,
        call: &mut Call<'_>,
        stack: &Stack,
        actor: &Actor,
        text: String,
        previous: &[Setting],
    ) -> Result<Prepared> {
        let template = Template::read(&text)?;
        if template.resources.len() > RESOURCES_MAX {
            let (found, most) = (template.resources.len(), RESOURCES_MAX);
            return Err(invalid(format!(
                "Template format error: Number of resources, {found}, is greater than maximum allowed, {most}"
            )));
        }
        self.expect_types(&template)?;
        let capabilities = self.expect_acknowledged(&template)?;
        let acting = actor.act(call, &stack.id())?;
        let given: Vec<Given> = self.parameters.unwrap_or_default().iter().map(given).collect();
        let mut looking = Looking {
            call,
            acting: &acting,
            secrets: Vec::new(),
        };
        let settings = parameter::settle(&template, &given, previous, &mut looking)?;
        Evaluation::new(&template, &settings, &facts(stack))?;
        Ok(Prepared {
            text,
            template,
            settings,
            capabilities,
        })
    }

    fn expect_types(&self, template: &Template) -> Result<()> {
        let kinds: BTreeSet<&str> = template
            .resources
            .iter()
            .map(|resource| resource.kind.as_str())
            .collect();
        resource_type::expect(template)?;
        let Some(allowed) = self.resource_types else {
            return Ok(());
        };
        let fits = |kind: &str| {
            allowed.iter().any(|allowed| match allowed.strip_suffix('*') {
                Some(start) => kind.starts_with(start),
                None => allowed == kind,
            })
        };
        match kinds.into_iter().find(|kind| !fits(kind)) {
            Some(kind) => Err(invalid(format!(
                "Resource type {kind} is not allowed by parameter ResourceTypes [{}]",
                allowed.join(", ")
            ))),
            None => Ok(()),
        }
    }

    fn expect_acknowledged(&self, template: &Template) -> Result<Vec<String>> {
        use model::Capability::{CapabilityAutoExpand, CapabilityIam, CapabilityNamedIam};
        let given = self.capabilities.unwrap_or_default();
        let (mut needed, _) = template.capabilities();
        let unsaid = template.resources.iter().any(|resource| {
            resource_type::find(&resource.kind).is_some_and(|kind| kind.capability().is_some())
        });
        if needed.is_empty() && unsaid {
            needed.push(CapabilityIam.as_str());
        }
        needed.retain(|needed| match *needed {
            "CAPABILITY_IAM" => !given.contains(&CapabilityIam) && !given.contains(&CapabilityNamedIam),
            _ => !given.contains(&CapabilityNamedIam),
        });
        if !template.transforms.is_empty() && !self.reviewed && !given.contains(&CapabilityAutoExpand) {
            needed.push(CapabilityAutoExpand.as_str());
        }
        if !needed.is_empty() {
            return Err(model::fault::insufficient_capabilities_exception(format!(
                "Requires capabilities : [{}]",
                needed.join(", ")
            )));
        }
        Ok(given
            .iter()
            .map(|capability| capability.as_str().to_owned())
            .collect())
    }
}

fn given(parameter: &model::Parameter) -> Given {
    Given {
        key: parameter.parameter_key.clone().unwrap_or_default(),
        value: parameter.parameter_value.clone(),
        use_previous: parameter.use_previous_value.unwrap_or(false),
    }
}

/// Reads the tags of a request.
pub(crate) fn tags(tags: &[model::Tag]) -> Result<BTreeMap<String, String>> {
    let mut read = BTreeMap::new();
    for tag in tags {
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if tag.key.is_empty() || tag.key.chars().count() > KEY_MAX || tag.value.chars().count() > VALUE_MAX {
            return Err(invalid(format!(
                "1 validation error detected: Value at 'tags' failed to satisfy constraint: keys must have length between 1 and \
                 {KEY_MAX}, values at most {VALUE_MAX}"
            )));
        }
        if read.insert(tag.key.clone(), tag.value.clone()).is_some() {
            return Err(invalid(format!("Duplicate tag keys found: {}", tag.key)));
        }
    }
    if read.len() > TAGS_MAX {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal \
             to {TAGS_MAX}"
        )));
    }
    Ok(read)
}

/// Sets the condition keys of the tags in a request.
pub(crate) fn requested_tags(tags: Option<&[model::Tag]>, context: &mut Context) {
    let tags = tags.unwrap_or_default();
    // More than a stack can have are refused anyway, and would only make the decision long.
    let tags = tags.get(..TAGS_MAX + 1).unwrap_or(tags);
    for tag in tags {
        context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
    }
    if !tags.is_empty() {
        context.insert_many(
            "aws:TagKeys",
            tags.iter().map(|tag| tag.key.clone()).collect::<Vec<_>>(),
        );
    }
}

/// Sets the condition keys of what a request names.
pub(crate) fn requested(
    (template, role, policy): (Option<&str>, Option<&str>, Option<&str>),
    types: Option<&[String]>,
    context: &mut Context,
) {
    let named = [
        ("cloudformation:TemplateUrl", template),
        ("cloudformation:RoleArn", role),
        ("cloudformation:StackPolicyUrl", policy),
    ];
    for (key, value) in named {
        if let Some(value) = value {
            context.insert(key, value.to_owned());
        }
    }
    if let Some(types) = types {
        context.insert_many("cloudformation:ResourceTypes", types.to_vec());
    }
}

/// Refuses what this version does not do for a stack.
pub(crate) fn expect_plain(
    notification_arns: Option<&[String]>,
    rollback: Option<&model::RollbackConfiguration>,
    deployment: Option<&model::DeploymentConfig>,
) -> std::result::Result<(), Fault> {
    let monitored = rollback.is_some_and(|rollback| {
        rollback
            .rollback_triggers
            .as_ref()
            .is_some_and(|all| !all.is_empty())
            || rollback
                .monitoring_time_in_minutes
                .is_some_and(|minutes| minutes > 0)
    });
    expect_none(
        "NotificationARNs",
        notification_arns.is_some_and(|arns| !arns.is_empty()),
    )?;
    expect_none("RollbackConfiguration", monitored)?;
    let express = deployment.is_some_and(|deployment| {
        deployment.mode == Some(model::DeploymentConfigMode::Express) || deployment.disable_rollback.is_some()
    });
    expect_none("DeploymentConfig", express)
}

/// Which role may be handed over.
pub(crate) const ALSO: &[Access] = &[super::actor::PASS];
/// And of an update, which may also bring a stack policy, for itself or to stay.
pub(crate) const ALSO_TO_UPDATE: &[Access] = &[super::actor::PASS, super::stack_policy::SET];

#[cfg(test)]
mod tests {
    use super::*;

    fn object(url: &str, own: Option<&str>) -> Option<(String, String)> {
        Object::of(url, own).map(|object| (object.bucket, object.key))
    }

    #[test]
    fn objects_are_named_in_hosts_and_in_paths() {
        let named = |bucket: &str, key: &str| Some((bucket.to_owned(), key.to_owned()));
        let s3 = "https://s3.eu-central-1.amazonaws.com/b/t%20x.yaml";
        assert_eq!(object(s3, None), named("b", "t x.yaml"));
        assert_eq!(object("https://s3.amazonaws.com/b/k/l", None), named("b", "k/l"));
        let host = "https://b.c.s3.eu-central-1.amazonaws.com/k";
        assert_eq!(object(host, None), named("b.c", "k"));
        assert_eq!(
            object("https://b.s3.amazonaws.com/k?versionId=v", None),
            named("b", "k")
        );
        let own = Some("127.0.0.1:4566");
        assert_eq!(object("http://127.0.0.1:4566/b/k", own), named("b", "k"));
    }

    #[test]
    fn other_places_are_no_objects() {
        for url in [
            "https://example.com/b/k",
            "ftp://s3.amazonaws.com/b/k",
            "https://s3.amazonaws.com/b",
            "/b/k",
        ] {
            assert_eq!(object(url, Some("127.0.0.1:4566")), None, "{url}");
        }
    }
}
