//! A second evaluator, naive on purpose: it reads the JSON anew for every question, as the documentation tells it, and
//! shares nothing with the crate but the types of its input.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a judge that fails must fail its test"
)]

use policy::Principal;
use serde_json::Value;
use std::collections::BTreeMap;

/// The documents as text, by layer, and the request.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) principal: Principal,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) context: BTreeMap<String, Vec<String>>,
    pub(crate) resource_control: Vec<String>,
    pub(crate) service_control: Vec<Vec<String>>,
    /// What kind of resource, and its policy.
    pub(crate) target: Target,
    pub(crate) identity: Vec<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) session: Option<Vec<String>>,
    pub(crate) endpoint: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Target {
    Plain(Option<String>),
    Role(String),
    /// The key policy, and a grantee of a grant for Decrypt.
    Key(String, Option<String>),
}

impl Case {
    pub(crate) fn allowed(&self) -> bool {
        let account = account(&self.principal);
        let is_root = matches!(self.principal, Principal::Root { .. });
        let has_identity = account.is_some() && !is_root;
        let linked = matches!(&self.principal, Principal::AssumedRole { role_arn, .. } if role_arn.contains("/aws-service-role/"));

        let rcp = if linked || self.action == "kms:RetireGrant" {
            &[][..]
        } else {
            &self.resource_control[..]
        };
        let scp = if linked || account.is_none() {
            &[][..]
        } else {
            &self.service_control[..]
        };
        let target: Vec<String> = match &self.target {
            Target::Plain(policy) => policy.iter().cloned().collect(),
            Target::Role(policy) | Target::Key(policy, _) => vec![policy.clone()],
        };
        let identity = if has_identity { &self.identity[..] } else { &[] };
        let boundary: Vec<String> = self.boundary.iter().filter(|_| has_identity).cloned().collect();
        let session = self.session.clone().filter(|_| account.is_some());
        let endpoint: Vec<String> = self.endpoint.iter().cloned().collect();

        // "If the enforcement code finds even one explicit deny that applies, …"
        let everything = rcp
            .iter()
            .chain(scp.iter().flatten())
            .chain(&target)
            .chain(identity);
        let mut everything = everything
            .chain(&boundary)
            .chain(session.iter().flatten())
            .chain(&endpoint);
        if everything.any(|policy| self.says(policy, "Deny")) {
            return false;
        }
        let allows = |policies: &[String]| policies.iter().any(|policy| self.says(policy, "Allow"));
        if (!rcp.is_empty() && !allows(rcp)) || !scp.iter().all(|level| allows(level)) {
            return false;
        }
        if !endpoint.is_empty() && !allows(&endpoint) {
            return false;
        }
        let mut how: Vec<How> = target
            .iter()
            .flat_map(|policy| self.how_allowed(policy))
            .collect();
        let by_grant = match &self.target {
            Target::Key(_, Some(grantee)) if self.action == "kms:Decrypt" => self.how_named("AWS", grantee),
            _ => None,
        };
        how.extend(by_grant);
        let Some(account) = account else {
            return !how.is_empty();
        };

        let within = (boundary.is_empty() || allows(&boundary))
            && match &session {
                Some(session) => allows(session),
                None => !matches!(self.principal, Principal::FederatedUser { .. }),
            };
        let own = (is_root || allows(identity)) && within;
        if by_grant == Some(How::Itself) || (by_grant == Some(How::Behind) && within) {
            return true;
        }
        let owner = self
            .resource
            .split(':')
            .nth(4)
            .filter(|owner| !owner.is_empty())
            .unwrap_or(&account)
            .to_owned();
        if owner != account {
            return !how.is_empty() && own;
        }
        if how.contains(&How::Itself) || (how.contains(&How::Behind) && within) {
            return true;
        }
        let must_allow = !matches!(self.target, Target::Plain(_));
        own && (!how.is_empty() || !must_allow)
    }

    fn says(&self, policy: &str, effect: &str) -> bool {
        self.matching(policy, effect).next().is_some()
    }

    fn how_allowed(&self, policy: &str) -> Vec<How> {
        let principals = self
            .matching(policy, "Allow")
            .map(|statement| statement["Principal"].clone());
        principals.flat_map(|principal| self.hows(&principal)).collect()
    }

    fn matching(&self, policy: &str, effect: &str) -> impl Iterator<Item = Value> {
        let document: Value = serde_json::from_str(policy).unwrap();
        let variables = document["Version"] == "2012-10-17";
        let statements = list(&document["Statement"]);
        let effect = effect.to_owned();
        statements
            .into_iter()
            .filter(move |statement| statement["Effect"] == *effect && self.matches(statement, variables))
    }

    fn matches(&self, statement: &Value, variables: bool) -> bool {
        let action = self.action.to_lowercase();
        let named = |pattern: &Value| glob(&pattern.as_str().unwrap().to_lowercase(), &action);
        let by_action = match statement.get("Action") {
            Some(patterns) => list(patterns).iter().any(named),
            None => !list(&statement["NotAction"]).iter().any(named),
        };
        let is = |pattern: &Value| {
            let mut pattern = pattern.as_str().unwrap().to_owned();
            if pattern.starts_with("arn:") {
                // No value of the test's variables holds a colon.
                let colons = pattern.replace("${aws:", "${").matches(':').count();
                pattern.push_str(&":*".repeat(5usize.saturating_sub(colons)));
            }
            self.filled(&pattern, variables)
                .is_some_and(|pattern| glob(&pattern, &self.resource))
        };
        let by_resource = match (statement.get("Resource"), statement.get("NotResource")) {
            (Some(patterns), _) => list(patterns).iter().any(is),
            (None, Some(patterns)) => !list(patterns).iter().any(is),
            (None, None) => true,
        };
        let by_principal = match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (Some(principal), _) => !self.hows(principal).is_empty(),
            (None, Some(principal)) => !self.excepted(principal),
            (None, None) => true,
        };
        let conditions = statement
            .get("Condition")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        let mut tests = conditions.iter().flat_map(|(operator, keys)| {
            keys.as_object()
                .unwrap()
                .iter()
                .map(move |(key, wanted)| (operator, key, wanted))
        });
        by_action
            && by_resource
            && by_principal
            && tests.all(|(operator, key, wanted)| self.holds(operator, key, &list(wanted), variables))
    }

    /// Every level at which the principal element names the caller.
    fn hows(&self, principal: &Value) -> Vec<How> {
        if principal == "*" {
            return vec![How::Itself];
        }
        let entries = principal.as_object().unwrap().iter();
        let named = entries.flat_map(|(class, names)| list(names).into_iter().map(move |name| (class, name)));
        named
            .filter_map(|(class, name)| self.how_named(class, name.as_str().unwrap()))
            .collect()
    }

    fn how_named(&self, class: &str, name: &str) -> Option<How> {
        if class == "AWS" && name == "*" {
            return Some(How::Itself);
        }
        let root = account(&self.principal).map(|account| format!("arn:aws:iam::{account}:root"));
        let short = account(&self.principal);
        let whole_account =
            class == "AWS" && (root.as_deref() == Some(name) || short.as_deref() == Some(name));
        let (itself, behind) = match &self.principal {
            Principal::Root { .. } => return whole_account.then_some(How::Itself),
            Principal::User { arn, id, .. } => (vec![arn, id], vec![]),
            Principal::AssumedRole {
                arn,
                role_arn,
                role_id,
                ..
            } => (vec![arn], vec![role_arn, role_id]),
            Principal::FederatedUser { arn, user_arn, .. } => (vec![arn], vec![user_arn]),
            Principal::Service { name: service } => {
                return (class == "Service" && name == service).then_some(How::Itself);
            }
            Principal::Federated { provider } => {
                return (class == "Federated" && name == provider).then_some(How::Itself);
            }
            Principal::Anonymous => return None,
        };
        if class == "AWS" && itself.iter().any(|known| *known == name) {
            Some(How::Itself)
        } else if class == "AWS" && behind.iter().any(|known| *known == name) {
            Some(How::Behind)
        } else {
            whole_account.then_some(How::Account)
        }
    }

    /// NotPrincipal: account, then user or role, then session must be listed; nobody with a boundary is excepted.
    fn excepted(&self, principal: &Value) -> bool {
        let hows = self.hows(principal);
        let everyone = principal == "*" || list(&principal["AWS"]).contains(&Value::from("*"));
        if self.boundary.is_some() && account(&self.principal).is_some() {
            return false;
        }
        let needed = match self.principal {
            Principal::User { .. } | Principal::FederatedUser { .. } => vec![How::Account, How::Itself],
            Principal::AssumedRole { .. } => vec![How::Account, How::Behind, How::Itself],
            _ => vec![How::Itself],
        };
        everyone || needed.iter().all(|how| hows.contains(how))
    }

    fn holds(&self, operator: &str, key: &str, wanted: &[Value], variables: bool) -> bool {
        let values: Vec<String> = self.context.get(&key.to_lowercase()).cloned().unwrap_or_default();
        let wanted: Vec<String> = wanted
            .iter()
            .map(|value| value.as_str().map_or(value.to_string(), str::to_owned))
            .collect();
        if operator == "Null" {
            return wanted.contains(&values.is_empty().to_string());
        }
        let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
        let plain = operator.strip_suffix("IfExists");
        if values.is_empty() {
            if plain.is_some() || set == "ForAllValues" {
                return true;
            }
            return set.is_empty() && operator.contains("Not");
        }
        let operator = plain.unwrap_or(operator);
        let negative = operator.contains("Not");
        let positive = operator.replace("Not", "");
        let any = |value: &String| {
            wanted
                .iter()
                .any(|wanted| self.stands(&positive, value, wanted, variables))
        };
        match set {
            "ForAllValues" => values == [""] || values.iter().all(|value| any(value) != negative),
            "ForAnyValue" => values.iter().any(|value| any(value) != negative),
            _ => values.iter().any(any) != negative,
        }
    }

    fn stands(&self, operator: &str, value: &str, wanted: &str, variables: bool) -> bool {
        match operator {
            "StringEquals" => self
                .filled(wanted, variables)
                .is_some_and(|wanted| plain(&wanted) == value),
            "StringEqualsIgnoreCase" => self
                .filled(wanted, variables)
                .is_some_and(|wanted| plain(&wanted).to_lowercase() == value.to_lowercase()),
            "StringLike" => self
                .filled(wanted, variables)
                .is_some_and(|wanted| glob(&wanted, value)),
            "ArnLike" | "ArnEquals" => {
                let (patterns, parts): (Vec<&str>, Vec<&str>) =
                    (wanted.splitn(6, ':').collect(), value.splitn(6, ':').collect());
                patterns.len() == 6
                    && parts.len() == 6
                    && patterns.iter().zip(parts).all(|(p, part)| glob(p, part))
            }
            "Bool" => {
                wanted.to_lowercase() == value.to_lowercase()
                    && ["true", "false"].contains(&&*value.to_lowercase())
            }
            "NumericLessThan" => compared(value, wanted).is_some_and(|(value, wanted)| value < wanted),
            "NumericEquals" => compared(value, wanted).is_some_and(|(value, wanted)| value == wanted),
            // The test's dates are all of one form, which sorts as text.
            "DateGreaterThanEquals" => value >= wanted,
            "IpAddress" => within(value, wanted),
            other => panic!("the naive judge has no {other}"),
        }
    }

    /// Variables replaced; what stands for itself is moved out of reach of the wildcards.
    fn filled(&self, pattern: &str, variables: bool) -> Option<String> {
        if !variables {
            return Some(pattern.to_owned());
        }
        let mut out = pattern.replace("${*}", "\u{1}").replace("${?}", "\u{2}");
        while let Some((before, rest)) = out.split_once("${aws:username") {
            let (inner, after) = rest.split_once('}').unwrap();
            let default = inner.strip_prefix(", '").map(|text| text.trim_end_matches('\''));
            let value = match self.context.get("aws:username").map(Vec::as_slice) {
                Some([only]) => only.replace('*', "\u{1}").replace('?', "\u{2}"),
                _ => default?.to_owned(),
            };
            out = format!("{before}{value}{after}");
        }
        Some(out)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Account,
    Behind,
    Itself,
}

fn account(principal: &Principal) -> Option<String> {
    principal.account().map(str::to_owned)
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    }
}

fn plain(text: &str) -> String {
    text.replace('\u{1}', "*").replace('\u{2}', "?")
}

/// The textbook recursion.
fn glob(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return text.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    let mut after = text.chars();
    let head = after.next();
    match first {
        '*' => glob(rest, text) || (head.is_some() && glob(pattern, after.as_str())),
        '?' => head.is_some() && glob(rest, after.as_str()),
        letter => {
            head == plain(&letter.to_string()).chars().next() && head.is_some() && glob(rest, after.as_str())
        }
    }
}

fn compared(value: &str, wanted: &str) -> Option<(f64, f64)> {
    Some((value.parse().ok()?, wanted.parse().ok()?))
}

/// IPv4 networks of whole bytes.
fn within(value: &str, network: &str) -> bool {
    let (base, bits) = network.split_once('/').unwrap_or((network, "32"));
    let bytes = bits.parse::<usize>().unwrap() / 8;
    let (value, base): (Vec<&str>, Vec<&str>) = (value.split('.').collect(), base.split('.').collect());
    value.len() == 4 && value[..bytes] == base[..bytes]
}
