//! Who outside the zone of trust a resource's own policy lets in: pure, from the policy's text and the evaluator.
//!
//! Each Allow is read for the principals that it names; the evaluator is then asked, for one such stranger who meets every condition
//! that a stranger can, whether a Deny takes the access back.
//! Invariant: where that cannot be told, access is reported; services of AWS are not (IAM User Guide, "Understand how IAM Access
//! Analyzer findings work").

mod condition;
mod stranger;

use std::collections::{BTreeMap, BTreeSet};

use pipeline::ResourcePolicies;
use policy::{Arn, Attached, Grant};
use serde_json::Value;

use condition::{Conditions, Reach};

/// Access that somebody outside has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Access {
    /// `AWS`, `Federated` or `CanonicalUser`, and the name.
    pub principal: BTreeMap<String, String>,
    /// The conditions that limit it, of the keys that a stranger cannot set.
    pub condition: BTreeMap<String, String>,
    /// Anyone has it.
    pub public: bool,
    /// As the policy spells them, in order.
    pub actions: BTreeSet<String>,
}

/// What an analysis goes by.
pub struct Zone<'a> {
    /// Whether an account is inside, or a whole organization, by its id.
    pub trusts: &'a dyn Fn(&str) -> bool,
    /// The resource control policies over the resource's account.
    pub resource_control: &'a [Attached],
}

/// A resource whose policies are analyzed.
pub struct Subject<'a> {
    pub arn: &'a str,
    pub owner: &'a str,
    pub policies: &'a ResourcePolicies,
}

/// All access from outside the zone, one for each principal with the same conditions.
pub fn accesses(subject: &Subject<'_>, zone: &Zone<'_>) -> Vec<Access> {
    let mut found = BTreeMap::new();
    match subject.policies {
        ResourcePolicies::None => {}
        ResourcePolicies::Policy(attached) => of_policy(subject, attached, zone, &mut found),
        ResourcePolicies::Key { policy, grants } => {
            of_policy(subject, policy, zone, &mut found);
            for grant in grants.iter() {
                of_grant(grant, zone, &mut found);
            }
        }
    }
    let accesses = found
        .into_iter()
        .map(|((principal, condition, public), actions)| Access {
            principal: principal.into_iter().collect(),
            condition,
            public,
            actions,
        });
    accesses.collect()
}

type Key = (Vec<(String, String)>, BTreeMap<String, String>, bool);
type Accesses = BTreeMap<Key, BTreeSet<String>>;

fn of_policy(subject: &Subject<'_>, attached: &Attached, zone: &Zone<'_>, found: &mut Accesses) {
    let Ok(document) = serde_json::from_str::<Value>(attached.policy.text()) else {
        return;
    };
    for statement in listed(document.get("Statement")) {
        if statement.get("Effect").and_then(Value::as_str) == Some("Allow") {
            of_statement(subject, attached, statement, zone, found);
        }
    }
}

fn of_statement(
    subject: &Subject<'_>,
    attached: &Attached,
    statement: &Value,
    zone: &Zone<'_>,
    found: &mut Accesses,
) {
    let conditions = Conditions::read(statement.get("Condition"));
    let actions: Vec<String> = match statement.get("Action") {
        Some(actions) => texts(actions),
        // What is not excluded is everything else.
        None => vec!["*".to_owned()],
    };
    for (class, name) in principals(statement) {
        let Some(shown) = outside(&class, &name, zone) else {
            continue;
        };
        let reach = conditions.reach(zone.trusts);
        if reach == Reach::Inside {
            continue;
        }
        let public = match class.as_str() {
            "AWS" => name == "*" && reach == Reach::Anyone,
            "Federated" => conditions.leaves_open(&name),
            _ => false,
        };
        let stranger = stranger::Stranger::of(&class, &name, &conditions, zone);
        let kept: BTreeSet<String> = actions
            .iter()
            .filter(|action| !stranger.denied(subject, attached, action, zone))
            .cloned()
            .collect();
        if !kept.is_empty() {
            let key = (vec![(class, shown)], conditions.shown(), public);
            found.entry(key).or_default().extend(kept);
        }
    }
}

fn of_grant(grant: &Grant, zone: &Zone<'_>, found: &mut Accesses) {
    if grant.grantee.ends_with(".amazonaws.com") {
        return;
    }
    let Some(shown) = outside("AWS", &grant.grantee, zone) else {
        return;
    };
    let source = grant.source_arn.iter();
    let condition = source
        .map(|arn| ("aws:SourceArn".to_owned(), arn.clone()))
        .collect();
    let actions = grant
        .operations
        .iter()
        .map(|operation| format!("kms:{operation}"));
    let key = (vec![("AWS".to_owned(), shown)], condition, false);
    found.entry(key).or_default().extend(actions);
}

/// How a finding names a principal; `None` if it is inside the zone, or a service.
fn outside(class: &str, name: &str, zone: &Zone<'_>) -> Option<String> {
    match class {
        "Service" => None,
        "AWS" if name == "*" => Some(name.to_owned()),
        "AWS" => {
            let account = account_of(name)?;
            let whole = name == account || name.ends_with(":root");
            let shown = if whole { account.clone() } else { name.to_owned() };
            (!(zone.trusts)(&account)).then_some(shown)
        }
        _ => Some(name.to_owned()),
    }
}

/// The account of a principal: of its ARN, or the number itself. Unique ids stand for identities that are gone.
fn account_of(name: &str) -> Option<String> {
    if name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(name.to_owned());
    }
    Arn::parse(name).map(|arn| arn.account().to_owned())
}

/// The principals of a statement. One that spares some lets all others in.
fn principals(statement: &Value) -> Vec<(String, String)> {
    let everyone = || vec![("AWS".to_owned(), "*".to_owned())];
    match statement.get("Principal") {
        Some(Value::Object(classes)) => classes
            .iter()
            .flat_map(|(class, names)| texts(names).into_iter().map(move |name| (class.clone(), name)))
            .collect(),
        Some(_) => everyone(),
        None if statement.get("NotPrincipal").is_some() => everyone(),
        None => Vec::new(),
    }
}

/// A value, or the values of a list.
fn listed(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list = match value {
        Some(Value::Array(items)) => items.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter()
}

/// A text, or the texts of a list.
pub(super) fn texts(value: &Value) -> Vec<String> {
    listed(Some(value))
        .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests;
