//! From JSON to a compiled document, with AWS's checks and messages.
//!
//! Sources: IAM User Guide, "Grammar of the IAM JSON policy language" and the pages on each element; checklist
//! S2.1 to S2.7, S2.13. Invariant: what passes here is compiled completely; the evaluator refuses nothing.

use crate::{
    action::Actions,
    condition::Test,
    document::{Effect, PolicyKind, Principals, Resources, Span, Spans, Statement, Version},
    error::{Error, Fault},
    json::{self, Member, Node, Value},
    operator::split_arn,
    pattern::{Pattern, Syntax},
    principal::Entry,
};
use std::collections::BTreeSet;

pub(crate) struct Document {
    pub(crate) version: Version,
    pub(crate) id: Option<Box<str>>,
    pub(crate) statements: Vec<Statement>,
}

/// Reads a document. `attached`: a statement without `Resource` is about whatever the policy is attached to.
pub(crate) fn read(text: &str, kind: PolicyKind, attached: bool) -> Result<Document, Error> {
    let root = json::read(text)?;
    let mut grammar = Grammar {
        text,
        kind,
        attached,
        version: Version::V2008,
        sids: BTreeSet::new(),
    };
    grammar.document(&root)
}

struct Grammar<'a> {
    text: &'a str,
    kind: PolicyKind,
    attached: bool,
    version: Version,
    sids: BTreeSet<String>,
}

/// The members of a statement, each at most once (the JSON reader refuses duplicates).
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a Member>,
    effect: Option<&'a Member>,
    principal: Option<&'a Member>,
    action: Option<&'a Member>,
    resource: Option<&'a Member>,
    condition: Option<&'a Member>,
}

impl PolicyKind {
    /// Attached to the one who asks, so that `Principal` would be redundant.
    fn forbids_principal(self) -> bool {
        matches!(
            self,
            Self::Identity | Self::Boundary | Self::Session | Self::ServiceControl
        )
    }

    /// Whether statements name the callers that they are about.
    pub(crate) fn names_callers(self) -> bool {
        !self.forbids_principal()
    }

    fn is_organization(self) -> bool {
        matches!(self, Self::ServiceControl | Self::ResourceControl)
    }
}

impl<'a> Grammar<'a> {
    fn document(&mut self, root: &'a Node) -> Result<Document, Error> {
        let Value::Object(members) = &root.value else {
            return Err(self.syntax(root.span, "the document must be an object"));
        };
        let mut id = None;
        let mut statement = None;
        for member in members {
            match member.name.as_str() {
                "Version" => self.version = self.version_of(member)?,
                "Id" => id = Some(self.string(&member.node)?.into()),
                "Statement" => statement = Some(&member.node),
                other => {
                    return Err(self.syntax(member.name_span, &format!("no element is called \"{other}\"")));
                }
            }
        }
        let Some(node) = statement else {
            return Err(self.syntax(root.span, "Statement is missing"));
        };
        // Organizations User Guide, "SCP syntax" and "RCP syntax": the newer version must be written.
        if self.kind.is_organization() && self.version != Version::V2012 {
            return Err(self.fault(root.span, Fault::PolicyType));
        }
        let nodes = match &node.value {
            Value::Array(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        if nodes.is_empty() {
            return Err(self.syntax(node.span, "Statement is empty"));
        }
        let statements = nodes
            .iter()
            .map(|node| self.statement(node))
            .collect::<Result<_, _>>()?;
        Ok(Document {
            version: self.version,
            id,
            statements,
        })
    }

    fn version_of(&self, member: &Member) -> Result<Version, Error> {
        match self.string(&member.node)? {
            "2012-10-17" => Ok(Version::V2012),
            "2008-10-17" => Ok(Version::V2008),
            _ => Err(self.fault(member.node.span, Fault::Version)),
        }
    }

    fn statement(&mut self, node: &'a Node) -> Result<Statement, Error> {
        let elements = self.elements(node)?;
        let sid = elements.sid.map(|member| self.sid(member)).transpose()?.flatten();
        let Some(effect_member) = elements.effect else {
            return Err(self.missing(node.span, "Effect"));
        };
        let effect = match &effect_member.node.value {
            Value::String(text) if text == "Allow" => Effect::Allow,
            Value::String(text) if text == "Deny" => Effect::Deny,
            _ => return Err(self.syntax(effect_member.node.span, "Effect must be Allow or Deny")),
        };
        let principal = self.principal(elements.principal, node.span, effect)?;
        let actions = match elements.action {
            Some(member) => self.actions(member)?,
            // AWS takes it, and the statement has no effect (KMS API Reference, `CreateKey`, `Policy`).
            None if self.kind == PolicyKind::Key => Actions {
                negated: false,
                patterns: Box::default(),
            },
            None => return Err(self.missing(node.span, "Action")),
        };
        let resources = self.resources(elements.resource, node.span)?;
        let conditions = elements
            .condition
            .map_or(Ok(Vec::new()), |member| self.conditions(&member.node))?;
        if self.kind == PolicyKind::ResourceControl {
            self.check_resource_control(node, effect, &actions, &resources)?;
        }
        let span = |member: Option<&Member>| member.map(|member| member.node.span).unwrap_or_default();
        let spans = Spans {
            statement: node.span,
            effect: effect_member.node.span,
            principal: span(elements.principal),
            action: span(elements.action),
            resource: span(elements.resource),
        };
        Ok(Statement {
            sid,
            effect,
            principal,
            actions,
            resources,
            conditions: conditions.into(),
            spans,
        })
    }

    fn elements(&self, node: &'a Node) -> Result<Elements<'a>, Error> {
        let Value::Object(members) = &node.value else {
            return Err(self.syntax(node.span, "a statement must be an object"));
        };
        let mut elements = Elements::default();
        for member in members {
            let slot = match member.name.as_str() {
                "Sid" => &mut elements.sid,
                "Effect" => &mut elements.effect,
                "Principal" | "NotPrincipal" => &mut elements.principal,
                "Action" | "NotAction" => &mut elements.action,
                "Resource" | "NotResource" => &mut elements.resource,
                "Condition" => &mut elements.condition,
                other => {
                    return Err(self.syntax(member.name_span, &format!("no element is called \"{other}\"")));
                }
            };
            if slot.replace(member).is_some() {
                return Err(self.syntax(member.name_span, "an element and its negation exclude each other"));
            }
        }
        Ok(elements)
    }

    fn sid(&mut self, member: &Member) -> Result<Option<Box<str>>, Error> {
        let text = self.string(&member.node)?;
        if self.kind.forbids_principal() && !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(self.fault(member.node.span, Fault::Sid));
        }
        if text.is_empty() {
            return Ok(None);
        }
        if !self.sids.insert(text.to_owned()) {
            return Err(self.fault(member.node.span, Fault::DuplicateSid));
        }
        Ok(Some(text.into()))
    }

    fn principal(
        &self,
        member: Option<&Member>,
        statement: Span,
        effect: Effect,
    ) -> Result<Option<Principals>, Error> {
        let Some(member) = member else {
            return if self.kind.forbids_principal() {
                Ok(None)
            } else {
                Err(self.missing(statement, "Principal"))
            };
        };
        let at = member.name_span;
        let negated = member.name == "NotPrincipal";
        if self.kind.is_organization() && (negated || self.kind.forbids_principal()) {
            return Err(self.fault(at, Fault::PolicyType));
        }
        if self.kind.forbids_principal() {
            return Err(self.fault(at, Fault::PrincipalForbidden));
        }
        if negated && self.kind == PolicyKind::Trust {
            return Err(self.fault(at, Fault::Prohibited("NotPrincipal")));
        }
        if negated && effect == Effect::Allow {
            return Err(self.syntax(at, "NotPrincipal is for statements with the effect Deny"));
        }
        let entries: Box<[Entry]> = self.entries(&member.node)?.into();
        if self.kind == PolicyKind::ResourceControl && *entries != [Entry::Everyone] {
            return Err(self.fault(member.node.span, Fault::PolicyType));
        }
        Ok(Some(Principals { negated, entries }))
    }

    fn entries(&self, node: &Node) -> Result<Vec<Entry>, Error> {
        let members = match &node.value {
            Value::String(text) if text == "*" => return Ok(vec![Entry::Everyone]),
            Value::Object(members) if !members.is_empty() => members,
            Value::String(text) => {
                return Err(self.fault(node.span, Fault::Principal(format!("\"{text}\""))));
            }
            _ => return Err(self.syntax(node.span, "Principal must be \"*\" or an object")),
        };
        let mut entries = Vec::new();
        for member in members {
            for (text, span) in self.strings(&member.node)? {
                let entry = match member.name.as_str() {
                    "AWS" => Entry::aws(text),
                    "Service" if text != "*" && text.contains('.') => Some(Entry::Service(text.into())),
                    "Federated" if !text.is_empty() => Some(Entry::Federated(text.into())),
                    "CanonicalUser" if self.kind == PolicyKind::Resource && !text.is_empty() => {
                        Some(Entry::Canonical(text.into()))
                    }
                    _ => None,
                };
                let fault = || Fault::Principal(format!("\"{}\":\"{text}\"", member.name));
                entries.push(entry.ok_or_else(|| self.fault(span, fault()))?);
            }
        }
        if entries.is_empty() {
            return Err(self.syntax(node.span, "Principal names nobody"));
        }
        Ok(entries)
    }

    fn actions(&self, member: &Member) -> Result<Actions, Error> {
        let sources = self.strings(&member.node)?;
        if sources.is_empty() {
            return Err(self.fault(member.node.span, Fault::NoAction));
        }
        for (text, span) in &sources {
            self.check_action(text)
                .map_err(|fault| self.fault(*span, fault))?;
        }
        let sources: Vec<String> = sources.into_iter().map(|(text, _)| text.to_owned()).collect();
        Ok(Actions::compile(&sources, member.name == "NotAction"))
    }

    fn check_action(&self, text: &str) -> Result<(), Fault> {
        let parts = text.split_once(':');
        if self.kind == PolicyKind::Trust
            && !parts.is_some_and(|(vendor, _)| vendor.eq_ignore_ascii_case("sts"))
        {
            return Err(Fault::TrustAction);
        }
        if text == "*" {
            return Ok(());
        }
        let (vendor, name) = parts.ok_or(Fault::NoVendor)?;
        if name.contains(':') {
            return Err(Fault::Colons);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if vendor.is_empty() || !vendor.bytes().all(plain) {
            return Err(Fault::Vendor(vendor.to_owned()));
        }
        Ok(())
    }

    fn resources(&self, member: Option<&Member>, statement: Span) -> Result<Option<Resources>, Error> {
        let Some(member) = member else {
            if self.kind == PolicyKind::Key {
                return Ok(Some(Resources {
                    negated: false,
                    patterns: Box::default(),
                }));
            }
            let optional = self.kind == PolicyKind::Trust || self.attached;
            return if optional {
                Ok(None)
            } else {
                Err(self.missing(statement, "Resource"))
            };
        };
        let negated = member.name == "NotResource";
        if self.kind == PolicyKind::Trust {
            let name = if negated { "NotResource" } else { "Resource" };
            return Err(self.fault(member.name_span, Fault::Prohibited(name)));
        }
        let sources = self.strings(&member.node)?;
        if sources.is_empty() {
            return Err(self.fault(member.node.span, Fault::NoResource));
        }
        let syntax = Syntax {
            wildcards: true,
            variables: self.version == Version::V2012,
        };
        let compile = |(text, span): (&str, Span)| {
            let complete = self.complete_arn(text);
            let complete = complete.ok_or_else(|| self.fault(span, Fault::Resource(text.to_owned())))?;
            Ok(Pattern::compile(&complete, syntax))
        };
        let patterns = sources.into_iter().map(compile).collect::<Result<_, Error>>()?;
        Ok(Some(Resources { negated, patterns }))
    }

    /// `*`, or the ARN with `*` for each missing field; session policies must write all fields (grammar notes).
    fn complete_arn(&self, text: &str) -> Option<String> {
        if text == "*" {
            return Some(text.to_owned());
        }
        if !text.starts_with("arn:") {
            return None;
        }
        let missing = 6usize.saturating_sub(split_arn(text).len());
        if missing > 0 && self.kind == PolicyKind::Session {
            return None;
        }
        Some(text.to_owned() + &":*".repeat(missing))
    }

    fn conditions(&self, node: &Node) -> Result<Vec<Test>, Error> {
        let Value::Object(operators) = &node.value else {
            return Err(self.syntax(node.span, "Condition must be an object"));
        };
        let mut tests = Vec::new();
        for operator in operators {
            let Value::Object(keys) = &operator.node.value else {
                return Err(self.syntax(operator.node.span, "an operator takes an object of keys"));
            };
            for key in keys {
                let wanted = self.condition_values(&key.node)?;
                let span = Span {
                    start: key.name_span.start,
                    end: key.node.span.end,
                };
                let variables = self.version == Version::V2012;
                let test = Test::compile(&operator.name, &key.name, wanted, variables, span);
                let fault = || self.fault(operator.name_span, Fault::ConditionType(operator.name.clone()));
                if !key.name.contains(':') {
                    return Err(self.fault(key.name_span, Fault::NoVendor));
                }
                tests.push(test.ok_or_else(fault)?);
            }
            if keys.is_empty() {
                return Err(self.syntax(operator.node.span, "an operator without keys"));
            }
        }
        Ok(tests)
    }

    /// Quotation marks are optional for numbers and booleans (grammar, "The policy language and JSON").
    fn condition_values(&self, node: &Node) -> Result<Vec<String>, Error> {
        let nodes = match &node.value {
            Value::Array(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let text = |node: &Node| match &node.value {
            Value::String(text) | Value::Number(text) => Ok(text.clone()),
            Value::Bool(value) => Ok(value.to_string()),
            _ => Err(self.syntax(node.span, "a condition value must be a string, number or boolean")),
        };
        nodes.iter().map(text).collect()
    }

    /// Organizations User Guide, "RCP syntax": only Deny for all principals, without NotAction, and never of all services'
    /// actions at once; the one that AWS attaches itself (RCPFullAWSAccess) allows everything.
    fn check_resource_control(
        &self,
        node: &Node,
        effect: Effect,
        actions: &Actions,
        resources: &Option<Resources>,
    ) -> Result<(), Error> {
        let any = |patterns: &[Pattern]| *patterns == [Pattern::Any];
        let every_action = actions.patterns.contains(&Pattern::Any);
        let everything = any(&actions.patterns)
            && resources
                .as_ref()
                .is_some_and(|held| !held.negated && any(&held.patterns));
        let allowed = match effect {
            Effect::Allow => everything,
            Effect::Deny => !every_action,
        };
        if actions.negated || !allowed {
            return Err(self.fault(node.span, Fault::PolicyType));
        }
        Ok(())
    }

    fn strings<'n>(&self, node: &'n Node) -> Result<Vec<(&'n str, Span)>, Error> {
        let nodes = match &node.value {
            Value::Array(nodes) => nodes.as_slice(),
            _ => std::slice::from_ref(node),
        };
        nodes
            .iter()
            .map(|node| Ok((self.string(node)?, node.span)))
            .collect()
    }

    fn string<'n>(&self, node: &'n Node) -> Result<&'n str, Error> {
        match &node.value {
            Value::String(text) => Ok(text),
            _ => Err(self.syntax(node.span, "expected a string")),
        }
    }

    fn missing(&self, span: Span, element: &'static str) -> Error {
        let identity = self.kind.forbids_principal();
        let fault = match element {
            "Action" if identity => Fault::NoAction,
            "Resource" if identity => Fault::NoResource,
            _ if identity => Fault::Syntax(format!("{element} is missing")),
            _ => Fault::Missing(element),
        };
        self.fault(span, fault)
    }

    fn syntax(&self, span: Span, detail: &str) -> Error {
        self.fault(span, Fault::Syntax(detail.to_owned()))
    }

    fn fault(&self, span: Span, fault: Fault) -> Error {
        Error::new(self.text, span.start, fault)
    }
}
