//! What a simulation is given, checked: policies, the caller, actions, resources and condition keys.
//!
//! Invariant: whatever AWS would call an invalid input is refused here, before anything is judged.

use std::net::IpAddr;
use std::sync::Arc;

use api::iam::fault::{invalid_input_exception, policy_evaluation_exception};
use api::iam::{
    AttachmentType, ContextEntry, ContextKeyTypeEnum, OrderedOrganizationPolicyType, PolicySourceType,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Look, Result};
use policy::{Arn, Attached, Context, Policy, PolicyKind, Principal};

use super::source::{Caller, Place, Sourced};

/// Resources that one simulation takes: bounds what a single action may cost.
const RESOURCES_MAX: usize = 10_000;

/// The parts of a request that both simulations have.
pub(super) struct Given {
    pub(super) actions: Vec<String>,
    pub(super) resources: Option<Vec<String>>,
    pub(super) resource_policy: Option<String>,
    pub(super) resource_owner: Option<String>,
    pub(super) entries: Vec<ContextEntry>,
    pub(super) handling: Option<String>,
}

/// A simulation, ready to be judged.
pub(super) struct Simulation {
    pub(super) caller: Option<Caller>,
    pub(super) principal: Principal,
    pub(super) account: String,
    pub(super) identity: Vec<Sourced>,
    pub(super) boundary: Option<Attached>,
    pub(super) service_control: Vec<Vec<Attached>>,
    pub(super) resource_policy: Option<Attached>,
    /// Twelve digits; the account of resources whose ARN names none.
    pub(super) owner: String,
    pub(super) context: Context,
    pub(super) actions: Vec<String>,
    /// `*` alone if none were given.
    pub(super) resources: Vec<String>,
}

fn invalid(message: impl Into<String>) -> wire::Fault {
    invalid_input_exception(message.into())
}

/// Parses a document of a request, which `list` and its index name.
pub(super) fn parsed(list: &str, index: usize, text: &str, kind: PolicyKind) -> Result<Arc<Policy>> {
    let parsed = Policy::parse(text, kind);
    let refused = |error: policy::Error| invalid(format!("{list}.{}: {}", index + 1, error.located()));
    parsed.map(Arc::new).map_err(refused)
}

impl Simulation {
    pub(super) fn new(look: &Look<'_>, caller: Option<Caller>) -> Self {
        let account = caller
            .as_ref()
            .map_or_else(|| look.account().to_owned(), |caller| caller.account.clone());
        let mut context = Context::new();
        let principal = match &caller {
            Some(caller) => {
                caller.conditions(&mut context);
                caller.principal.clone()
            }
            None => {
                context.insert("aws:PrincipalAccount", account.clone());
                Principal::User {
                    arn: format!("arn:aws:iam::{account}:user/"),
                    account: account.clone(),
                    id: String::new(),
                }
            }
        };
        Self {
            caller,
            principal,
            owner: account.clone(),
            account,
            identity: Vec::new(),
            boundary: None,
            service_control: Vec::new(),
            resource_policy: None,
            context,
            actions: Vec::new(),
            resources: Vec::new(),
        }
    }

    pub(super) fn add_policies(&mut self, texts: &[String]) -> Result<()> {
        for (index, text) in texts.iter().enumerate() {
            let policy = parsed("PolicyInputList", index, text, PolicyKind::Identity)?;
            let id = format!("PolicyInputList.{}", index + 1);
            self.identity.push(Sourced {
                attached: Attached::new(policy, id.as_str()),
                id,
                kind: PolicySourceType::None,
                place: Place::Given,
            });
        }
        Ok(())
    }

    pub(super) fn set_boundary(&mut self, texts: &[String]) -> Result<()> {
        const LIST: &str = "PermissionsBoundaryPolicyInputList";
        match texts {
            [] => Ok(()),
            [text] => {
                let policy = parsed(LIST, 0, text, PolicyKind::Boundary)?;
                self.boundary = Some(Attached::new(policy, format!("{LIST}.1")));
                Ok(())
            }
            _ => Err(invalid(
                "Only one permissions boundary policy can be simulated at a time.",
            )),
        }
    }

    pub(super) fn set_organization(&mut self, levels: Vec<OrderedOrganizationPolicyType>) -> Result<()> {
        for (level, held) in levels.into_iter().enumerate() {
            let list = format!(
                "OrderedOrganizationPolicyInputList.{}.ServiceControlPolicyInputList",
                level + 1
            );
            let mut policies = Vec::new();
            let texts = held.service_control_policy_input_list.unwrap_or_default();
            for (index, text) in texts.iter().enumerate() {
                let policy = parsed(&list, index, text, PolicyKind::ServiceControl)?;
                policies.push(Attached::new(policy, format!("{list}.{}", index + 1)));
            }
            self.service_control.push(policies);
        }
        Ok(())
    }

    pub(super) fn set_service_control(&mut self, levels: Vec<Vec<Attached>>) {
        self.service_control = levels;
    }

    /// Takes the actions, resources and condition keys that are asked about.
    pub(super) fn ask(&mut self, given: Given) -> Result<()> {
        for action in &given.actions {
            check_action(action)?;
        }
        self.actions = given.actions;
        self.resources = given.resources.unwrap_or_default();
        if self.resources.is_empty() {
            self.resources.push("*".to_owned());
        }
        if self.resources.len() > RESOURCES_MAX {
            return Err(policy_evaluation_exception(format!(
                "The policies cannot be evaluated for more than {RESOURCES_MAX} resources at a time."
            )));
        }
        for resource in &self.resources {
            if resource != "*" && Arn::parse(resource).is_none() {
                return Err(invalid(format!(
                    "ResourceNames are not in a valid ARN format: {resource}."
                )));
            }
        }
        if let Some(owner) = given.resource_owner {
            self.owner = account_of_root(&owner)
                .ok_or_else(|| invalid(format!("'{owner}' is not a valid as a Resource Owner.")))?;
        }
        if let Some(option) = &given.handling {
            check_handling(option, &self.resources)?;
        }
        if let Some(text) = &given.resource_policy {
            self.set_resource_policy(text)?;
        }
        for entry in given.entries {
            self.add_entry(entry)?;
        }
        Ok(())
    }

    /// Whether the resource policy is that of a KMS key, which decides alone.
    pub(super) fn key_policy(&self) -> bool {
        let policy = self.resource_policy.as_ref();
        policy.is_some_and(|attached| attached.policy.kind() == PolicyKind::Key)
    }

    fn set_resource_policy(&mut self, text: &str) -> Result<()> {
        let Some(caller) = &self.caller else {
            return Err(invalid("CallerArn is required if ResourcePolicy is given."));
        };
        match caller.kind {
            AttachmentType::User => {}
            AttachmentType::Role => {
                return Err(invalid(
                    "Simulation of resource-based policies is not supported for IAM roles.",
                ));
            }
            AttachmentType::Group => {
                return Err(invalid(
                    "A group cannot be the principal of a resource-based policy.",
                ));
            }
        }
        let mut kinds = self.resources.iter().map(|resource| policy_kind(resource));
        let kind = kinds.next().unwrap_or(PolicyKind::Resource);
        if kinds.any(|other| other != kind) {
            return Err(invalid("ResourcePolicy does not apply to all of the resources."));
        }
        let policy = Policy::parse(text, kind)
            .map_err(|error| invalid(format!("ResourcePolicy: {}", error.located())))?;
        self.resource_policy = Some(Attached::new(Arc::new(policy), "ResourcePolicy"));
        Ok(())
    }

    fn add_entry(&mut self, entry: ContextEntry) -> Result<()> {
        let (Some(name), Some(kind)) = (entry.context_key_name, entry.context_key_type) else {
            return Err(invalid("A context entry needs a name and a type."));
        };
        let values = entry.context_key_values.unwrap_or_default();
        if !name.contains(':') {
            return Err(invalid(format!("{name} is not a valid context key name.")));
        }
        if values.len() != 1 && !is_list(kind) {
            return Err(invalid(format!(
                "The context key {name} of the type {kind} takes one value."
            )));
        }
        if let Some(value) = values.iter().find(|value| !fits(kind, value)) {
            return Err(invalid(format!(
                "{value} is not a value of the type {kind}, which the context key {name} has."
            )));
        }
        self.context.insert_many(name, values);
        Ok(())
    }
}

fn check_action(action: &str) -> Result<()> {
    let named = action.split_once(':').is_some_and(|(service, name)| {
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        plain(service) && plain(name)
    });
    if named {
        return Ok(());
    }
    Err(invalid(format!(
        "{action} is not a valid action name: it must be SERVICE:OPERATION, without wildcards."
    )))
}

/// The account of `arn:aws:iam::ACCOUNT:root`.
fn account_of_root(arn: &str) -> Option<String> {
    let parsed = Arn::parse(arn).filter(|arn| arn.service() == "iam" && arn.resource() == "root")?;
    let account = parsed.account();
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| account.to_owned())
}

/// The kind of policy that a resource carries.
fn policy_kind(resource: &str) -> PolicyKind {
    match Arn::parse(resource) {
        Some(arn) if arn.service() == "kms" && arn.resource().starts_with("key/") => PolicyKind::Key,
        Some(arn) if arn.service() == "iam" && arn.resource().starts_with("role/") => PolicyKind::Trust,
        _ => PolicyKind::Resource,
    }
}

/// EC2's scenarios and the resources that each must be given (IAM API Reference, "SimulatePrincipalPolicy").
fn check_handling(option: &str, resources: &[String]) -> Result<()> {
    const BASE: [&str; 4] = ["instance", "image", "security-group", "network-interface"];
    let more: &[&str] = match option {
        "EC2-VPC-InstanceStore" => &[],
        "EC2-VPC-InstanceStore-Subnet" => &["subnet"],
        "EC2-VPC-EBS" => &["volume"],
        "EC2-VPC-EBS-Subnet" => &["subnet", "volume"],
        _ => {
            return Err(invalid(format!(
                "{option} is not a valid resource handling option."
            )));
        }
    };
    let held = |kind: &&str| {
        resources.iter().any(|resource| {
            Arn::parse(resource)
                .is_some_and(|arn| arn.service() == "ec2" && arn.resource().split('/').next() == Some(*kind))
        })
    };
    match BASE.iter().chain(more).find(|kind| !held(kind)) {
        Some(kind) => Err(invalid(format!(
            "{option} needs the ARN of a resource of the type {kind}."
        ))),
        None => Ok(()),
    }
}

const fn is_list(kind: ContextKeyTypeEnum) -> bool {
    use ContextKeyTypeEnum as Type;
    matches!(
        kind,
        Type::StringList
            | Type::NumericList
            | Type::BooleanList
            | Type::IpList
            | Type::BinaryList
            | Type::DateList
    )
}

fn fits(kind: ContextKeyTypeEnum, value: &str) -> bool {
    use ContextKeyTypeEnum as Type;
    match kind {
        Type::String | Type::StringList => true,
        Type::Numeric | Type::NumericList => value.parse::<f64>().is_ok_and(f64::is_finite),
        Type::Boolean | Type::BooleanList => ["true", "false"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word)),
        Type::Ip | Type::IpList => {
            let (address, length) = value.split_once('/').unwrap_or((value, "0"));
            address.parse::<IpAddr>().is_ok() && length.parse::<u8>().is_ok()
        }
        Type::Binary | Type::BinaryList => STANDARD.decode(value).is_ok(),
        // Seconds since the epoch, or a date of ISO 8601, which begins with its year.
        Type::Date | Type::DateList => {
            let digits = value.bytes().take_while(u8::is_ascii_digit).count();
            digits >= 4 && value.parse::<i64>().is_ok() || (digits == 4 && value.get(4..5) == Some("-"))
        }
    }
}
