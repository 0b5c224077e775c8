//! A policy document as compiled once at its parsing: statements, their patterns, their places in the text.

use crate::{
    action::{ActionIndex, Actions},
    condition::Test,
    error::Error,
    grammar,
    pattern::Pattern,
    principal::Entry,
};
use std::sync::Arc;

/// What a document is attached to, which decides the elements that are legal in it. Sizes are the caller's job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum PolicyKind {
    /// Attached to a user, group or role, or a managed policy (also where used as a permissions boundary).
    Identity,
    /// A permissions boundary; the language is that of `Identity`.
    Boundary,
    /// Passed to AssumeRole or GetFederationToken; ARNs must be complete.
    Session,
    /// Attached to a resource (bucket, queue, secret).
    Resource,
    /// A role's trust policy: no `Resource`.
    Trust,
    /// A KMS key policy.
    Key,
    /// A VPC endpoint policy.
    Endpoint,
    /// An organization's service control policy.
    ServiceControl,
    /// An organization's resource control policy.
    ResourceControl,
}

/// The version of the language; a document without `Version` is of the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Version {
    /// `2008-10-17`: `${…}` is ordinary text.
    V2008,
    /// `2012-10-17`: policy variables.
    V2012,
}

/// What a statement does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Effect {
    /// Grants.
    Allow,
    /// Refuses, whatever else allows.
    Deny,
}

/// Byte range in the text of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A parsed policy; share it in an `Arc`.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) text: Arc<str>,
    pub(crate) kind: PolicyKind,
    pub(crate) version: Version,
    pub(crate) id: Option<Box<str>>,
    pub(crate) statements: Box<[Statement]>,
    pub(crate) index: ActionIndex,
    pub(crate) denies: bool,
    pub(crate) consults_context: bool,
    pub(crate) consults_organization: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    pub(crate) principal: Option<Principals>,
    pub(crate) actions: Actions,
    pub(crate) resources: Option<Resources>,
    pub(crate) conditions: Box<[Test]>,
    pub(crate) spans: Spans,
}

#[derive(Debug, Clone)]
pub(crate) struct Principals {
    pub(crate) negated: bool,
    pub(crate) entries: Box<[Entry]>,
}

#[derive(Debug, Clone)]
pub(crate) struct Resources {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[Pattern]>,
}

/// Where the elements of a statement stand in the text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spans {
    pub(crate) statement: Span,
    pub(crate) effect: Span,
    pub(crate) principal: Span,
    pub(crate) action: Span,
    pub(crate) resource: Span,
}

/// What a reader outside may ask of a statement.
#[derive(Debug, Clone, Copy)]
pub struct StatementView<'a>(&'a Statement);

impl Policy {
    /// Parses and checks `text` for its `kind`.
    ///
    /// # Errors
    /// [`Error`] with AWS's message and the place, if AWS would refuse the document.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, Error> {
        let document = grammar::read(text, kind)?;
        Ok(Self::compiled(
            text.into(),
            kind,
            document.version,
            document.id,
            document.statements,
        ))
    }

    /// The text that was parsed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether any verdict of the policy may depend on condition keys: it has a condition, a policy variable, or names a
    /// canonical user. What it says otherwise follows from principal, action and resource alone.
    pub fn consults_context(&self) -> bool {
        self.consults_context
    }

    /// Whether any verdict of the policy may depend on the organizations of caller or resource (`aws:PrincipalOrgID` and its
    /// like), which cost reads to find.
    pub fn consults_organization(&self) -> bool {
        self.consults_organization
    }

    /// What it was parsed as.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The version of the language.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The `Id` element.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The statements in their order.
    pub fn statements(&self) -> impl ExactSizeIterator<Item = StatementView<'_>> {
        self.statements.iter().map(StatementView)
    }

    /// The statements that the index gives for `action`, each once, in order: the only ones that [`crate::decide`]
    /// looks at.
    pub fn candidates(&self, action: &str) -> impl Iterator<Item = usize> {
        self.index.candidates(crate::action::Asked::new(action))
    }

    pub(crate) fn compiled(
        text: Arc<str>,
        kind: PolicyKind,
        version: Version,
        id: Option<Box<str>>,
        statements: Vec<Statement>,
    ) -> Self {
        let index = ActionIndex::of(statements.iter().map(|statement| &statement.actions));
        // Escapes may hide the letters looked for, so any of them counts.
        let mentions = ["${", "CanonicalUser", "\\u"]
            .iter()
            .any(|part| text.contains(part));
        let consults_context = mentions
            || statements
                .iter()
                .any(|statement| !statement.conditions.is_empty());
        let lower = text.to_ascii_lowercase();
        let consults_organization = consults_context
            && ["orgid", "orgpaths", "\\u"]
                .iter()
                .any(|part| lower.contains(part));
        let denies = statements
            .iter()
            .any(|statement| statement.effect == Effect::Deny);
        Self {
            text,
            kind,
            version,
            id,
            statements: statements.into(),
            index,
            denies,
            consults_context,
            consults_organization,
        }
    }

    /// The same policy with one statement that matches nothing any more, so that the others keep their numbers.
    pub(crate) fn silenced(&self, statement: usize) -> Self {
        let mut statements = self.statements.to_vec();
        if let Some(silenced) = statements.get_mut(statement) {
            silenced.actions = Actions {
                negated: false,
                patterns: Box::default(),
            };
        }
        Self::compiled(
            self.text.clone(),
            self.kind,
            self.version,
            self.id.clone(),
            statements,
        )
    }

    /// The same policy with the statements of another appended: what a suggestion tries.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let statements = self.statements.iter().chain(&other.statements).cloned().collect();
        Self::compiled(
            self.text.clone(),
            self.kind,
            self.version,
            self.id.clone(),
            statements,
        )
    }
}

impl<'a> StatementView<'a> {
    /// The `Sid`, if there is one.
    pub fn sid(self) -> Option<&'a str> {
        self.0.sid.as_deref()
    }

    /// Allow or Deny.
    pub fn effect(self) -> Effect {
        self.0.effect
    }

    /// Where it stands in [`Policy::text`].
    pub fn span(self) -> Span {
        self.0.spans.statement
    }

    /// Whether it is `NotAction`, and the patterns as the policy writes them.
    pub fn actions(self) -> (bool, impl Iterator<Item = String>) {
        let actions = &self.0.actions;
        (actions.negated, actions.patterns.iter().map(Pattern::written))
    }

    /// Whether it is `NotResource`, and the patterns as the policy writes them; none for a policy without resources.
    pub fn resources(self) -> (bool, impl Iterator<Item = String>) {
        let resources = self.0.resources.as_ref();
        let patterns = resources.map_or(&[][..], |resources| &resources.patterns);
        let negated = resources.is_some_and(|resources| resources.negated);
        (negated, patterns.iter().map(Pattern::written))
    }

    /// The strings in `Principal` or `NotPrincipal`, as (`AWS`, `Service`, `Federated` or `CanonicalUser`; value).
    pub fn principals(self) -> impl Iterator<Item = (&'static str, String)> {
        let entries = self
            .0
            .principal
            .as_ref()
            .map_or(&[][..], |principals| &principals.entries);
        entries.iter().map(|entry| (entry.class(), entry.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consults(statement: &str) -> bool {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        Policy::parse(&text, PolicyKind::Identity)
            .unwrap()
            .consults_context()
    }

    #[test]
    fn a_policy_consults_the_organization_only_if_it_names_it() {
        let asks = |key: &str| {
            let text = format!(
                r#"{{"Statement":[{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"StringEquals":{{"{key}":"o-a"}}}}}}]}}"#
            );
            let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
            policy.consults_organization()
        };
        assert!(asks("aws:PrincipalOrgID"));
        assert!(asks("AWS:RESOURCEORGPATHS"));
        assert!(asks(r"aws:PrincipalOrg\u0049D"));
        assert!(!asks("aws:PrincipalAccount"));
    }

    #[test]
    fn a_policy_consults_the_context_only_if_it_can_depend_on_it() {
        assert!(!consults(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#));
        assert!(!consults(
            r#"{"Effect":"Deny","NotAction":"kms:*","Resource":"arn:aws:kms:*:*:key/$x"}"#
        ));
        let conditional = r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#;
        assert!(consults(conditional));
        assert!(consults(
            r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::home/${aws:username}/*"}"#
        ));
        let escaped =
            r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::home/\u0024{aws:username}/*"}"#;
        assert!(consults(escaped));
    }
}
