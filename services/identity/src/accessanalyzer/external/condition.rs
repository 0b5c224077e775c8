//! What the conditions of a statement say of who is meant: somebody inside the zone, certain others, or anyone.
//!
//! Invariant: only conditions that a stranger cannot meet at will count; a negated one, and one that lets an absent key pass, do not.

use std::collections::BTreeMap;

use policy::Arn;
use serde_json::Value;

use super::texts;

/// Whom the conditions leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reach {
    Inside,
    Some,
    Anyone,
}

/// One key of one operator.
pub(super) struct Test {
    pub(super) operator: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// A statement's conditions.
#[derive(Default)]
pub(super) struct Conditions(pub(super) Vec<Test>);

/// Keys that findings show, in lower case.
const SHOWN: [&str; 20] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "kms:calleraccount",
    "kms:viaservice",
    "saml:aud",
];

/// Issuers whose tokens anyone can get, and the claims of which a role must test one (IAM User Guide, "Identity-provider controls
/// for shared OIDC providers").
const SHARED: [(&str, &[&str]); 12] = [
    (
        "token.actions.githubusercontent.com",
        &["sub", "repository", "repository_id", "repository_owner"],
    ),
    ("gitlab.com", &["sub"]),
    ("app.terraform.io", &["sub"]),
    ("agent.buildkite.com", &["sub"]),
    ("oidc.vercel.com", &["sub"]),
    ("oidc.codefresh.io", &["sub"]),
    ("api.pulumi.com/oidc", &["aud"]),
    ("accounts.google.com", &["aud", "sub", "oaud"]),
    ("graph.facebook.com", &["app_id", "id"]),
    ("www.amazon.com", &["app_id", "user_id"]),
    ("cognito-identity.amazonaws.com", &["aud"]),
    ("sandboxes.cloud", &["sub"]),
];

impl Conditions {
    pub(super) fn read(element: Option<&Value>) -> Self {
        let mut tests = Vec::new();
        for (operator, keys) in element.and_then(Value::as_object).into_iter().flatten() {
            for (key, values) in keys.as_object().into_iter().flatten() {
                tests.push(Test {
                    operator: operator.clone(),
                    key: key.clone(),
                    values: texts(values),
                });
            }
        }
        Self(tests)
    }

    /// Whom they leave of everyone.
    pub(super) fn reach(&self, trusts: &dyn Fn(&str) -> bool) -> Reach {
        let mut reach = Reach::Anyone;
        for test in self.0.iter().filter(|test| test.binds()) {
            match test.reach(trusts) {
                Reach::Inside => return Reach::Inside,
                Reach::Some => reach = Reach::Some,
                Reach::Anyone => {}
            }
        }
        reach
    }

    /// Whether anyone can get the token of an identity provider that the conditions ask for.
    pub(super) fn leaves_open(&self, provider: &str) -> bool {
        let host = provider
            .split_once(":oidc-provider/")
            .map_or(provider, |(_, host)| host);
        let Some((_, claims)) = SHARED.iter().find(|(shared, _)| *shared == host) else {
            return false;
        };
        let tested = |test: &Test| {
            let claim = test.key.rsplit_once(':').map(|(_, claim)| claim.to_lowercase());
            test.binds()
                && claim.is_some_and(|claim| claims.contains(&claim.as_str()))
                && test.values.iter().all(|value| !value.starts_with('*'))
        };
        !self.0.iter().any(tested)
    }

    /// As a finding shows them.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        let known = |key: &str| {
            let lower = key.to_lowercase();
            SHOWN.contains(&lower.as_str())
                || (lower.split_once(':').is_some_and(|(host, _)| host.contains('.')))
                || lower.starts_with("saml:")
        };
        let mut shown: BTreeMap<String, String> = BTreeMap::new();
        for test in self.0.iter().filter(|test| test.binds() && known(&test.key)) {
            let values = test.values.join(", ");
            shown
                .entry(test.key.clone())
                .and_modify(|held| {
                    held.push_str(", ");
                    held.push_str(&values);
                })
                .or_insert(values);
        }
        shown
    }
}

impl Test {
    /// A test that fails whoever has another value, or none.
    pub(super) fn binds(&self) -> bool {
        let name = self.operator.rsplit(':').next().unwrap_or_default();
        !self.operator.starts_with("ForAllValues:")
            && !name.ends_with("IfExists")
            && !name.contains("Not")
            && name != "Null"
    }

    fn reach(&self, trusts: &dyn Fn(&str) -> bool) -> Reach {
        let all = |inside: &dyn Fn(&str) -> Reach| {
            let mut worst = Reach::Inside;
            for value in &self.values {
                match inside(value) {
                    Reach::Anyone => return Reach::Anyone,
                    Reach::Some => worst = Reach::Some,
                    Reach::Inside => {}
                }
            }
            worst
        };
        match self.key.to_lowercase().as_str() {
            "aws:principalaccount"
            | "kms:calleraccount"
            | "aws:sourceaccount"
            | "aws:sourceowner"
            | "aws:vpceaccount" => all(&|account| of_account(account, trusts)),
            "aws:principalarn" | "aws:sourcearn" | "aws:sourcevpcarn" => {
                all(&|arn| Arn::parse(arn).map_or(Reach::Anyone, |arn| of_account(arn.account(), trusts)))
            }
            "aws:principalisawsservice" if self.values.iter().all(|value| value == "true") => Reach::Inside,
            "aws:principalservicename" => Reach::Inside,
            "aws:sourceip" => all(&|range| {
                if matches!(range, "0.0.0.0/0" | "::/0") {
                    Reach::Anyone
                } else {
                    Reach::Some
                }
            }),
            "aws:principalorgid"
            | "aws:principalorgpaths"
            | "aws:sourceorgid"
            | "aws:sourceorgpaths"
            | "aws:vpceorgid"
            | "aws:vpceorgpaths" => all(&|value| {
                let id = value.split('/').next().unwrap_or(value);
                if trusts(id) {
                    Reach::Inside
                } else if value.starts_with('*') {
                    Reach::Anyone
                } else {
                    Reach::Some
                }
            }),
            "aws:sourcevpc" | "aws:sourcevpce" | "aws:userid" => all(&|value| {
                if value.starts_with('*') {
                    Reach::Anyone
                } else {
                    Reach::Some
                }
            }),
            _ => Reach::Anyone,
        }
    }
}

fn of_account(account: &str, trusts: &dyn Fn(&str) -> bool) -> Reach {
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        Reach::Anyone
    } else if trusts(account) {
        Reach::Inside
    } else {
        Reach::Some
    }
}
