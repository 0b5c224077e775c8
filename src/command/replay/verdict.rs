//! The verdict on one event of CloudTrail under the changed policies, against what was recorded.
//!
//! Policies that are not given are taken to be as they were: for a call that was allowed they allow it still, and a refusal by one of
//! them stays a refusal. Invariant: where the event does not tell which, the call is undecided.

use std::collections::{BTreeMap, HashMap};

use policy::{Attached, Decision, Finding, KeyLayer, Layer, Layers, PolicyKind, Reason, Request, Unknown};

use super::change::{Changes, find, glob};
use super::cloudtrail::action;
use super::cloudtrail::event::Event;
use super::known;

/// What comes of one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Unchanged,
    NewlyDenied(String),
    NewlyAllowed(String),
    /// What it depends on.
    Undecided(String),
    /// Why no verdict is sought.
    Unjudged(&'static str),
}

/// A judged call, with whom and what it is counted under.
pub(super) struct Judged {
    pub(super) principal: String,
    pub(super) action: String,
    pub(super) verdict: Verdict,
}

/// How a call ended.
enum Recorded {
    Allowed,
    /// The layer that refused it, if the message says.
    Denied(Option<Layer>),
    Failed,
}

/// Services whose resources have policies of their own, which may allow what no identity policy does
/// (IAM User Guide, "AWS services that work with IAM").
const RESOURCE_POLICIES: &[&str] = &[
    "acm-pca",
    "apigateway",
    "backup",
    "backup-storage",
    "bedrock",
    "cloudtrail",
    "codeartifact",
    "codebuild",
    "dynamodb",
    "ecr",
    "ecr-public",
    "elasticfilesystem",
    "es",
    "events",
    "execute-api",
    "glacier",
    "glue",
    "iot",
    "kafka",
    "kinesis",
    "kms",
    "lambda",
    "lex",
    "logs",
    "mediastore",
    "network-firewall",
    "organizations",
    "private-networks",
    "redshift-serverless",
    "rekognition",
    "resource-explorer-2",
    "s3",
    "s3-object-lambda",
    "s3-outposts",
    "s3express",
    "s3tables",
    "schemas",
    "secretsmanager",
    "serverlessrepo",
    "ses",
    "signer",
    "sns",
    "sqs",
    "ssm",
    "ssm-contacts",
    "ssm-incidents",
    "sts",
    "vpc-lattice",
    "vpce",
    "wisdom",
];

/// What the reference says of an action's resources.
struct Facts {
    /// ARN patterns of its resource types.
    patterns: Vec<String>,
    /// It has none, so that its resource is `*`.
    bare: bool,
}

/// Judges events; remembers what the reference says of actions.
pub(super) struct Judge<'a> {
    changes: &'a Changes,
    facts: HashMap<String, Facts>,
}

/// The changed policies that bear on one call.
struct Bearing {
    identity: Option<Vec<Attached>>,
    boundary: Option<Attached>,
    resource: Option<Attached>,
    service_control: Vec<Vec<Attached>>,
    resource_control: Vec<Attached>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(changes: &'a Changes) -> Self {
        Self {
            changes,
            facts: HashMap::new(),
        }
    }

    /// Judges one event.
    pub(super) fn judge(&mut self, event: &Event<'_>) -> Judged {
        let told = event.user_identity.as_ref().and_then(known::principal);
        let asked = action::action(&event.event_source, &event.event_name);
        let named = asked.as_ref().map_or_else(
            || format!("{}:{}", &*event.event_source, &*event.event_name),
            |(prefix, name)| format!("{prefix}:{name}"),
        );
        let shown = told.as_ref().map_or_else(
            || {
                event
                    .user_identity
                    .as_ref()
                    .map(|identity| identity.arn.to_string())
            },
            |(_, acting)| Some((*acting).to_owned()),
        );
        let mut judged = Judged {
            principal: shown.unwrap_or_default(),
            action: named,
            verdict: Verdict::Unchanged,
        };
        judged.verdict = match (&*event.event_type, asked, told) {
            ("AwsApiCall" | "", Some(_), Some((principal, acting))) => {
                match recorded(&event.error_code, &event.error_message) {
                    Recorded::Failed => Verdict::Unjudged("failed for another reason than permission"),
                    recorded => self.sought(event, &principal, acting, &judged.action, &recorded),
                }
            }
            ("AwsApiCall" | "", None, _) => Verdict::Unjudged("no single action stands for the event"),
            ("AwsApiCall" | "", _, None) => Verdict::Undecided("userIdentity".to_owned()),
            _ => Verdict::Unjudged("no call of an API"),
        };
        judged
    }

    fn sought(
        &mut self,
        event: &Event<'_>,
        principal: &policy::Principal,
        acting: &str,
        action: &str,
        recorded: &Recorded,
    ) -> Verdict {
        let (resources, known) = self.resources(event, action);
        let mut verdict = Verdict::Unchanged;
        for (resource, owner) in resources {
            let one = self.one(
                event,
                principal,
                acting,
                action,
                (resource, owner, known),
                recorded,
            );
            // A denial for one resource denies the call, whatever is said of the others.
            match (&verdict, one) {
                (Verdict::NewlyDenied(_), _) | (_, Verdict::Unchanged) => {}
                (_, denied @ Verdict::NewlyDenied(_)) => verdict = denied,
                (Verdict::Undecided(_), _) => {}
                (_, other) => verdict = other,
            }
        }
        verdict
    }

    /// The resources that the action was about, with their owners, and whether they are known.
    fn resources<'e>(
        &mut self,
        event: &'e Event<'_>,
        action: &str,
    ) -> (Vec<(&'e str, Option<&'e str>)>, bool) {
        let facts = self
            .facts
            .entry(action.to_owned())
            .or_insert_with(|| facts(action));
        let told = event
            .resources
            .iter()
            .flatten()
            .filter(|held| !held.arn.is_empty());
        let fits = |arn: &str| {
            facts.patterns.is_empty()
                || facts
                    .patterns
                    .iter()
                    .any(|pattern| glob(pattern.as_bytes(), arn.as_bytes()))
        };
        let told: Vec<_> = told
            .filter(|held| !facts.bare && fits(&held.arn))
            .map(|held| {
                let named = held.arn.split(':').nth(4).filter(|account| !account.is_empty());
                let owner = Some(&*held.account).filter(|account| !account.is_empty());
                (&*held.arn, owner.or(named))
            })
            .collect();
        if !told.is_empty() {
            return (told, true);
        }
        let own = event.user_identity.as_ref().map(|identity| &*identity.account_id);
        (
            vec![("*", own.filter(|account| facts.bare && !account.is_empty()))],
            facts.bare,
        )
    }

    fn bearing(&self, acting: &str, account: Option<&str>, resource: (&str, Option<&str>)) -> Bearing {
        let changes = self.changes;
        let listed = |named, text| -> Vec<Attached> { find(named, text).cloned().collect() };
        let identity = listed(&changes.identity, acting);
        let control = account
            .map(|account| listed(&changes.service_control, account))
            .unwrap_or_default();
        let owned = resource
            .1
            .map(|owner| listed(&changes.resource_control, owner))
            .unwrap_or_default();
        Bearing {
            identity: (!identity.is_empty()).then_some(identity),
            boundary: find(&changes.boundary, acting).next().cloned(),
            resource: find(&changes.resource, resource.0).next().cloned(),
            // What AWS attaches by itself changes nothing alone.
            service_control: if control.iter().any(|held| &*held.origin != "FullAWSAccess") {
                vec![control]
            } else {
                Vec::new()
            },
            resource_control: if owned.iter().any(|held| &*held.origin != "RCPFullAWSAccess") {
                owned
            } else {
                Vec::new()
            },
        }
    }

    fn one(
        &self,
        event: &Event<'_>,
        principal: &policy::Principal,
        acting: &str,
        action: &str,
        (resource, owner, known): (&str, Option<&str>, bool),
        recorded: &Recorded,
    ) -> Verdict {
        let bearing = self.bearing(acting, principal.account(), (resource, owner));
        if bearing.is_empty() {
            return Verdict::Unchanged;
        }
        if let Recorded::Denied(told) = recorded
            && !told.map_or_else(|| bearing.replaces(), |layer| bearing.holds(layer))
        {
            // What refused it was not changed.
            return Verdict::Unchanged;
        }
        let context = known::context(event, principal, acting, owner);
        // Of another account's resource only a policy that is given can say anything new.
        let owner = if bearing.resource.is_some() {
            owner
        } else {
            principal.account()
        };
        let request = Request {
            principal,
            action,
            resource,
            resource_account: owner,
            context: &context,
        };
        let key = bearing
            .resource
            .as_ref()
            .filter(|held| held.policy.kind() == PolicyKind::Key);
        let nothing = BTreeMap::new();
        let layers = Layers {
            resource_control: &bearing.resource_control,
            service_control: &bearing.service_control,
            resource: bearing.resource.as_ref().filter(|_| key.is_none()),
            identity: bearing.identity.as_deref().unwrap_or(&self.changes.full),
            boundary: bearing.boundary.as_ref(),
            // Without session policies a federated user has none of its user's permissions; the call was allowed by some.
            session: matches!(principal, policy::Principal::FederatedUser { .. })
                .then_some(&*self.changes.full),
            key: key.map(|policy| KeyLayer {
                policy,
                grants: &[],
                encryption_context: &nothing,
            }),
            ..Layers::default()
        };
        let unknown = Unknown {
            key: &|key| known::untold(event, key),
            resource: !known,
        };
        match policy::decide_knowing(&request, &layers, &unknown) {
            Finding::Undecided(missing) => Verdict::Undecided(missing.join(", ")),
            Finding::Decided(decision) => compared(&decision, &layers, recorded, &bearing, action),
        }
    }
}

fn compared(
    decision: &Decision,
    layers: &Layers<'_>,
    recorded: &Recorded,
    bearing: &Bearing,
    action: &str,
) -> Verdict {
    match (recorded, decision.allowed) {
        (Recorded::Allowed, false) => match untold_layer(decision, bearing, action) {
            Some(untold) => Verdict::Undecided(untold.to_owned()),
            None => Verdict::NewlyDenied(described(decision, layers)),
        },
        (Recorded::Denied(Some(_)), true) => Verdict::NewlyAllowed(described(decision, layers)),
        (Recorded::Denied(None), true) => Verdict::Undecided("the layer that denied".to_owned()),
        _ => Verdict::Unchanged,
    }
}

/// What could have allowed a call that the given policies do not allow.
fn untold_layer(decision: &Decision, bearing: &Bearing, action: &str) -> Option<&'static str> {
    let Reason::ImplicitDeny { layer, .. } = decision.reason else {
        return None;
    };
    let service = action.split(':').next().unwrap_or_default();
    let open = matches!(layer, Layer::Identity | Layer::Boundary);
    if layer == Layer::Key {
        Some("the key's grants")
    } else if open && bearing.resource.is_none() && RESOURCE_POLICIES.contains(&service) {
        Some("the resource's policy")
    } else {
        None
    }
}

/// Which statement of which policy decided, or which layer allowed nothing.
pub(super) fn described(decision: &Decision, layers: &Layers<'_>) -> String {
    let (layer, statement) = match decision.reason {
        Reason::ExplicitDeny { layer, statement, .. } | Reason::Allowed { layer, statement, .. } => {
            (layer, statement)
        }
        Reason::ImplicitDeny { layer, .. } => return format!("no {} allows it", layer.title()),
    };
    let Some(attached) = decision.policy(layers) else {
        return layer.title().to_owned();
    };
    let sid = attached
        .policy
        .statements()
        .nth(statement)
        .and_then(|held| held.sid().map(str::to_owned));
    let named = sid.unwrap_or_else(|| format!("statement {}", statement + 1));
    format!("{} {}: {named}", layer.title(), attached.origin)
}

impl Bearing {
    fn is_empty(&self) -> bool {
        self.identity.is_none()
            && self.boundary.is_none()
            && self.resource.is_none()
            && self.service_control.is_empty()
            && self.resource_control.is_empty()
    }

    /// Whether any layer stands in the place of an old one.
    fn replaces(&self) -> bool {
        self.identity.is_some() || self.boundary.is_some() || self.resource.is_some()
    }

    /// Whether the layer that refused is among the changed ones.
    fn holds(&self, layer: Layer) -> bool {
        match layer {
            Layer::Identity => self.identity.is_some(),
            Layer::Boundary => self.boundary.is_some(),
            // A control policy is attached beside those that are there, so that it lifts nothing.
            Layer::Resource | Layer::Trust | Layer::Key => self.resource.is_some(),
            _ => false,
        }
    }
}

fn facts(action: &str) -> Facts {
    let Some(found) = policy::reference::action(action) else {
        return Facts {
            patterns: Vec::new(),
            bare: false,
        };
    };
    let patterns: Vec<String> = found.resources().map(|held| held.resource.pattern()).collect();
    Facts {
        bare: patterns.is_empty(),
        patterns,
    }
}

/// How a call ended, by its error. `DryRunOperation` says that it would have been allowed.
fn recorded(code: &str, message: &str) -> Recorded {
    if code.is_empty() || code.ends_with("DryRunOperation") {
        return Recorded::Allowed;
    }
    let denied = [
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
    ];
    let bare = code.strip_prefix("Client.").unwrap_or(code);
    if !denied.contains(&bare) && !bare.ends_with("UnauthorizedOperation") {
        return Recorded::Failed;
    }
    let layers = [
        ("resource control policy", Layer::ResourceControl),
        ("service control policy", Layer::ServiceControl),
        ("role trust policy", Layer::Trust),
        ("resource-based policy", Layer::Resource),
        ("permissions boundary", Layer::Boundary),
        ("session policy", Layer::Session),
        ("VPC endpoint policy", Layer::Endpoint),
        ("identity-based policy", Layer::Identity),
    ];
    let said = ["with an explicit deny in ", "because no "]
        .iter()
        .find_map(|words| message.find(words).and_then(|place| message.get(place..)));
    let told = said.and_then(|said| {
        let mut found: Vec<_> = layers
            .iter()
            .filter_map(|(words, layer)| said.find(words).map(|place| (place, *layer)))
            .collect();
        found.sort_by_key(|(place, _)| *place);
        found.first().map(|(_, layer)| *layer)
    });
    Recorded::Denied(told)
}
