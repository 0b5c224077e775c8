//! How far a permissions policy reaches, whatever the resource and the context: which services and actions it may allow, and which
//! it denies always.
//!
//! Invariant: "may allow" is never too narrow and "always denies" never too wide.
//!
//! Source: IAM User Guide, "Refine permissions in AWS using last accessed information".

use crate::{
    context::Context,
    document::{Effect, Policy, Statement},
    pattern::{Case, Pattern, Syntax},
};

impl Policy {
    /// Whether a statement may allow an action of the service that policies know by `namespace` (`iam`).
    pub fn may_allow_service(&self, namespace: &str) -> bool {
        self.of(Effect::Allow).any(|statement| {
            let mut patterns = statement.actions.patterns.iter();
            if statement.actions.negated {
                !patterns.any(|pattern| covers(pattern, namespace))
            } else {
                patterns.any(|pattern| names(pattern, namespace))
            }
        })
    }

    /// Whether a statement may allow `service:Action`.
    pub fn may_allow_action(&self, action: &str) -> bool {
        let context = Context::new();
        self.of(Effect::Allow)
            .any(|statement| statement.actions.match_action(action, &context))
    }

    /// Whether a statement denies every action of a service, on everything and without a condition.
    pub fn always_denies_service(&self, namespace: &str) -> bool {
        self.of(Effect::Deny)
            .filter(|held| boundless(held))
            .any(|statement| {
                let mut patterns = statement.actions.patterns.iter();
                if statement.actions.negated {
                    !patterns.any(|pattern| names(pattern, namespace))
                } else {
                    patterns.any(|pattern| covers(pattern, namespace))
                }
            })
    }

    /// Whether a statement denies `service:Action` on everything and without a condition.
    pub fn always_denies_action(&self, action: &str) -> bool {
        let context = Context::new();
        self.of(Effect::Deny)
            .filter(|held| boundless(held))
            .any(|statement| statement.actions.match_action(action, &context))
    }

    fn of(&self, effect: Effect) -> impl Iterator<Item = &Statement> {
        self.statements
            .iter()
            .filter(move |statement| statement.effect == effect)
    }
}

/// No condition, and every resource.
fn boundless(statement: &Statement) -> bool {
    let everywhere = statement
        .resources
        .as_ref()
        .is_none_or(|resources| !resources.negated && resources.patterns.contains(&Pattern::Any));
    everywhere && statement.conditions.is_empty()
}

/// A pattern's text, parted at the colon; actions have no variables.
fn parts(pattern: &Pattern) -> (String, Option<String>) {
    let text = pattern.resolved(&Context::new()).unwrap_or_default();
    match text.split_once(':') {
        Some((service, action)) => (service.to_owned(), Some(action.to_owned())),
        None => (text, None),
    }
}

fn fits(service: &str, namespace: &str) -> bool {
    Pattern::compile(service, Syntax::WILDCARDS).matches(namespace, &Context::new(), Case::Folded)
}

/// Whether the pattern matches some action of the service. One without a colon may end anywhere (`*`).
fn names(pattern: &Pattern, namespace: &str) -> bool {
    let (service, action) = parts(pattern);
    match action {
        Some(_) => fits(&service, namespace),
        None => service.ends_with('*') && fits(&service, namespace),
    }
}

/// Whether the pattern matches every action of the service.
fn covers(pattern: &Pattern, namespace: &str) -> bool {
    let (service, action) = parts(pattern);
    let all = action.as_deref().is_none_or(|action| action == "*");
    all && names(pattern, namespace) && (action.is_some() || service == "*")
}

#[cfg(test)]
mod tests {
    use crate::{Policy, PolicyKind};

    fn policy(statements: &str) -> Policy {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        Policy::parse(&text, PolicyKind::Identity).unwrap()
    }

    #[test]
    fn an_allow_reaches_the_services_that_its_actions_may_name() {
        let one = policy(r#"{"Effect":"Allow","Action":["iam:Get*","S3:PutObject"],"Resource":"*"}"#);
        assert!(one.may_allow_service("iam") && one.may_allow_service("s3"));
        assert!(!one.may_allow_service("kms") && !one.may_allow_service("ia"));
        assert!(one.may_allow_action("iam:GetUser") && !one.may_allow_action("iam:CreateUser"));
        assert!(policy(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#).may_allow_service("kms"));
    }

    #[test]
    fn not_action_leaves_out_only_whole_services() {
        let all_but = policy(r#"{"Effect":"Allow","NotAction":["iam:*","kms:Decrypt"],"Resource":"*"}"#);
        assert!(!all_but.may_allow_service("iam"));
        assert!(all_but.may_allow_service("kms") && !all_but.may_allow_action("kms:Decrypt"));
    }

    #[test]
    fn only_a_boundless_deny_denies_always() {
        let deny = |rest: &str| policy(&format!(r#"{{"Effect":"Deny",{rest}}}"#));
        let whole = deny(r#""Action":"iam:*","Resource":"*""#);
        assert!(whole.always_denies_service("iam") && whole.always_denies_action("iam:GetUser"));
        assert!(!whole.always_denies_service("kms"));
        assert!(!deny(r#""Action":"iam:Get*","Resource":"*""#).always_denies_service("iam"));
        assert!(!deny(r#""Action":"iam:*","Resource":"arn:aws:iam::*:user/a""#).always_denies_service("iam"));
        let conditional =
            r#""Action":"iam:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}"#;
        assert!(!deny(conditional).always_denies_service("iam"));
        let others = deny(r#""NotAction":"kms:Decrypt","Resource":"*""#);
        assert!(others.always_denies_service("iam") && !others.always_denies_service("kms"));
    }
}
