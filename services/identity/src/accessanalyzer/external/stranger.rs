//! Somebody from outside who has every permission at home and meets every condition that can be met: asked of the evaluator, whether
//! a Deny keeps even them out.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pipeline::ResourcePolicies;
use policy::{Arn, Attached, Context, KeyLayer, Layers, Policy, PolicyKind, Principal, Reason, Request};

use super::condition::Conditions;
use super::{Subject, Zone, account_of};

/// A principal with its request's condition keys.
pub(super) struct Stranger {
    principal: Principal,
    context: Context,
}

const ALLOW_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What the stranger may do at home.
fn home() -> &'static [Attached] {
    static HOME: OnceLock<Vec<Attached>> = OnceLock::new();
    HOME.get_or_init(|| {
        let parsed = Policy::parse(ALLOW_ALL, PolicyKind::Identity).ok();
        parsed
            .map(|policy| Attached::new(Arc::new(policy), "a stranger's own"))
            .into_iter()
            .collect()
    })
}

impl Stranger {
    pub(super) fn of(class: &str, name: &str, conditions: &Conditions, zone: &Zone<'_>) -> Self {
        let mut context = Context::new()
            .with("aws:SecureTransport", "true")
            .with("aws:MultiFactorAuthPresent", "true")
            .with("aws:MultiFactorAuthAge", "0")
            .with("aws:PrincipalIsAWSService", "false")
            .with("aws:ViaAWSService", "false")
            .with("aws:SourceIp", "198.51.100.7")
            .with("aws:PrincipalType", "User");
        for test in conditions.0.iter().filter(|test| test.binds()) {
            if let Some(value) = test.values.first() {
                context.insert(test.key.clone(), value.replace(['*', '?'], "x"));
            }
        }
        let principal = if class == "Federated" {
            Principal::Federated {
                provider: name.to_owned(),
            }
        } else {
            let principal = named(name, &context, zone);
            let account = principal.account().unwrap_or_default().to_owned();
            context.insert("aws:PrincipalAccount", account.clone());
            context.insert("kms:CallerAccount", account);
            let arn = match &principal {
                Principal::User { arn, .. } => arn.clone(),
                Principal::AssumedRole { role_arn, .. } => role_arn.clone(),
                _ => String::new(),
            };
            context.insert("aws:PrincipalArn", arn);
            principal
        };
        Self { principal, context }
    }

    /// Whether a Deny of the resource's policy, or of a resource control policy, takes the action away.
    pub(super) fn denied(
        &self,
        subject: &Subject<'_>,
        attached: &Attached,
        action: &str,
        zone: &Zone<'_>,
    ) -> bool {
        // A pattern is asked for as an action of nothing else, which only a Deny as wide takes away.
        let action = match action {
            "*" => "any:Any".to_owned(),
            pattern => pattern.replace('*', "Any").replace('?', "A"),
        };
        let request = Request {
            principal: &self.principal,
            action: &action,
            resource: subject.arn,
            resource_account: Some(subject.owner),
            context: &self.context,
        };
        let encryption_context = BTreeMap::new();
        let mut layers = Layers {
            resource_control: zone.resource_control,
            identity: home(),
            ..Layers::default()
        };
        if matches!(subject.policies, ResourcePolicies::Key { .. }) {
            layers.key = Some(KeyLayer {
                policy: attached,
                grants: &[],
                encryption_context: &encryption_context,
            });
        } else {
            layers.resource = Some(attached);
        }
        matches!(
            policy::decide(&request, &layers).reason,
            Reason::ExplicitDeny { .. }
        )
    }
}

/// The principal of a name; for everyone, a user of an account that fits the conditions.
fn named(name: &str, context: &Context, zone: &Zone<'_>) -> Principal {
    let told = |key: &str| context.get(key).and_then(<[_]>::first).map(ToString::to_string);
    let account = account_of(name)
        .or_else(|| told("aws:PrincipalAccount"))
        .or_else(|| told("kms:CallerAccount"))
        .or_else(|| told("aws:PrincipalArn").and_then(|arn| account_of(&arn)))
        .filter(|account| account.len() == 12)
        .unwrap_or_else(|| unknown(zone));
    let user = |arn: String| Principal::User {
        arn,
        account: account.clone(),
        id: String::new(),
    };
    let shown = told("aws:PrincipalArn").filter(|_| name == "*");
    let arn = Arn::parse(shown.as_deref().unwrap_or(name));
    match arn.as_ref().map(Arn::resource) {
        Some(resource) if resource.starts_with("role/") || resource.starts_with("assumed-role/") => {
            let role = resource.split('/').nth(1).unwrap_or_default();
            let text = shown.as_deref().unwrap_or(name);
            let role_arn = if resource.starts_with("role/") {
                text.to_owned()
            } else {
                format!("arn:aws:iam::{account}:role/{role}")
            };
            Principal::AssumedRole {
                arn: format!("arn:aws:sts::{account}:assumed-role/{role}/stranger"),
                role_arn,
                account,
                role_id: String::new(),
            }
        }
        Some(resource) if resource.starts_with("user/") => user(shown.unwrap_or_else(|| name.to_owned())),
        _ => user(format!("arn:aws:iam::{account}:user/stranger")),
    }
}

/// An account that nobody trusts.
fn unknown(zone: &Zone<'_>) -> String {
    let mut numbers = (1..=1000_u32).map(|number| format!("9{number:011}"));
    numbers
        .find(|account| !(zone.trusts)(account))
        .unwrap_or_else(|| "900000000000".to_owned())
}
