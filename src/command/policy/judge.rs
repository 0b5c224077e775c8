//! One described request and the policies given with it, made ready for the evaluator.
//!
//! Invariant: the verdict is that of `policy::explain`; nothing here decides.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::{Arn, Attached, Context, Derivation, KeyLayer, Layers, Policy, PolicyKind, Principal, Request};

use super::file::{Case, Given, Source, TestFile, refusal, text};
use crate::error::Error;
use crate::seed::document::{Place, place};

/// Many times the longest policy that AWS takes.
const POLICY_BYTES_MAX: u64 = 256 * 1024;

/// Parsed policies by layer.
#[derive(Default, Clone)]
pub(super) struct Policies {
    pub(super) identity: Vec<Attached>,
    pub(super) boundary: Option<Attached>,
    pub(super) session: Option<Vec<Attached>>,
    pub(super) service_control: Vec<Vec<Attached>>,
    pub(super) resource_control: Vec<Attached>,
    /// The policy of the resource, or of the role to assume.
    pub(super) resource: Option<Attached>,
    pub(super) key: Option<Attached>,
    pub(super) endpoint: Option<Attached>,
}

/// A request to be judged.
pub(super) struct Judged {
    pub(super) principal: Principal,
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) owner: Option<String>,
    pub(super) context: Context,
    pub(super) policies: Policies,
}

/// Reads policies, each file once.
pub(in crate::command) struct Library<'a> {
    pub(super) file: &'a Path,
    kept: BTreeMap<(PathBuf, &'static str), Attached>,
}

impl<'a> Library<'a> {
    pub(in crate::command) const fn new(file: &'a Path) -> Self {
        Self {
            file,
            kept: BTreeMap::new(),
        }
    }

    /// The request of a case, with the file's policies where the case has none of its own for a layer.
    pub(super) fn judged(&mut self, all: &TestFile, case: &Case) -> Result<Judged, Error> {
        let policies = self.policies(&all.given, &case.given)?;
        let at = |place: Place, message: String| refusal(self.file, place, message);
        let principal = principal(&case.caller.value)
            .ok_or_else(|| at(place(&case.caller), format!("{} is no principal: write the ARN of a user, role, session or root, the name of a service, or anonymous", case.caller.value)))?;
        let action = &case.action.value;
        let named = action
            .split_once(':')
            .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty() && !name.contains('*'));
        if !named {
            let message = format!("{action} is no action: write SERVICE:OPERATION, without wildcards");
            return Err(at(place(&case.action), message));
        }
        let resource = case
            .resource
            .as_ref()
            .map_or("*", |resource| resource.value.as_str());
        let arn = Arn::parse(resource);
        if let Some(spot) = case
            .resource
            .as_ref()
            .filter(|_| arn.is_none() && resource != "*")
        {
            return Err(at(place(spot), format!("{resource} is no ARN")));
        }
        let named = arn
            .map(|arn| arn.account().to_owned())
            .filter(|account| !account.is_empty());
        let owner = case.owner.as_ref().map(|owner| owner.value.clone()).or(named);
        let mut context = own_keys(&principal, owner.as_deref());
        for (key, values) in &case.with {
            context.insert_many(key.clone(), values.0.iter().cloned());
        }
        Ok(Judged {
            principal,
            action: action.clone(),
            resource: resource.to_owned(),
            owner,
            context,
            policies,
        })
    }

    fn policies(&mut self, all: &Given, own: &Given) -> Result<Policies, Error> {
        let identity = own.identity.as_ref().or(all.identity.as_ref());
        let identity = self.list(
            identity.map(Vec::as_slice).unwrap_or_default(),
            PolicyKind::Identity,
        )?;
        let session = own.session.as_ref().or(all.session.as_ref());
        let session = session
            .map(|list| self.list(list, PolicyKind::Session))
            .transpose()?;
        let levels = own.service_control.as_ref().or(all.service_control.as_ref());
        let levels = levels.map(Vec::as_slice).unwrap_or_default().iter();
        let service_control = levels.map(|level| self.list(level, PolicyKind::ServiceControl));
        let service_control = service_control.collect::<Result<_, _>>()?;
        let control = own.resource_control.as_ref().or(all.resource_control.as_ref());
        let control = control.map(Vec::as_slice).unwrap_or_default();
        let resource_control = self.list(control, PolicyKind::ResourceControl)?;
        let resource = self.one(
            own.resource.as_ref().or(all.resource.as_ref()),
            PolicyKind::Resource,
        )?;
        let trust = self.one(own.trust.as_ref().or(all.trust.as_ref()), PolicyKind::Trust)?;
        Ok(Policies {
            identity,
            boundary: self.one(
                own.boundary.as_ref().or(all.boundary.as_ref()),
                PolicyKind::Boundary,
            )?,
            session,
            service_control,
            resource_control,
            resource: trust.or(resource),
            key: self.one(own.key.as_ref().or(all.key.as_ref()), PolicyKind::Key)?,
            endpoint: self.one(
                own.endpoint.as_ref().or(all.endpoint.as_ref()),
                PolicyKind::Endpoint,
            )?,
        })
    }

    fn list(&mut self, sources: &[Source], kind: PolicyKind) -> Result<Vec<Attached>, Error> {
        sources.iter().map(|source| self.parsed(source, kind)).collect()
    }

    fn one(&mut self, source: Option<&Source>, kind: PolicyKind) -> Result<Option<Attached>, Error> {
        source.map(|source| self.parsed(source, kind)).transpose()
    }

    pub(in crate::command) fn parsed(
        &mut self,
        source: &Source,
        kind: PolicyKind,
    ) -> Result<Attached, Error> {
        let spot = place(source);
        let written = source.value.text.trim_start();
        if written.starts_with('{') {
            let policy = Policy::parse(&source.value.text, kind).map_err(|error| {
                let (exact, message) = source.value.refusal(&error);
                refusal(self.file, exact.unwrap_or(spot), message)
            })?;
            return Ok(Attached::new(
                Arc::new(policy),
                format!("{}:{}", self.file.display(), spot.line),
            ));
        }
        let path = self
            .file
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .join(written.trim_end());
        let key = (path, title(kind));
        if let Some(kept) = self.kept.get(&key) {
            return Ok(kept.clone());
        }
        let read = of_file(&key.0, kind).map_err(|error| {
            refusal(
                self.file,
                spot,
                format!("{}: {}", written.trim_end(), error.chain()),
            )
        })?;
        self.kept.insert(key, read.clone());
        Ok(read)
    }
}

/// The policy in a file.
pub(in crate::command) fn of_file(path: &Path, kind: PolicyKind) -> Result<Attached, Error> {
    let text = text(path, POLICY_BYTES_MAX)?;
    let policy = Policy::parse(&text, kind).map_err(|error| Error::Content {
        path: path.to_owned(),
        reason: error.located(),
    })?;
    Ok(Attached::new(Arc::new(policy), path.display().to_string()))
}

const fn title(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Identity => "identity",
        PolicyKind::Boundary => "boundary",
        PolicyKind::Session => "session",
        PolicyKind::Resource => "resource",
        PolicyKind::Trust => "trust",
        PolicyKind::Key => "key",
        PolicyKind::Endpoint => "endpoint",
        PolicyKind::ServiceControl => "service-control",
        PolicyKind::ResourceControl => "resource-control",
    }
}

impl Judged {
    pub(super) fn explain(&self) -> Derivation {
        let prefix = "kms:EncryptionContext:";
        let pairs = self.context.iter().filter_map(|(key, values)| {
            Some((key.strip_prefix(prefix)?.to_owned(), values.first()?.to_string()))
        });
        let encryption: BTreeMap<String, String> = pairs.collect();
        let policies = &self.policies;
        let layers = Layers {
            resource_control: &policies.resource_control,
            service_control: &policies.service_control,
            resource: policies.resource.as_ref(),
            identity: &policies.identity,
            boundary: policies.boundary.as_ref(),
            session: policies.session.as_deref(),
            endpoint: policies.endpoint.as_ref(),
            key: policies.key.as_ref().map(|policy| KeyLayer {
                policy,
                grants: &[],
                encryption_context: &encryption,
            }),
        };
        let request = Request {
            principal: &self.principal,
            action: &self.action,
            resource: &self.resource,
            resource_account: self.owner.as_deref(),
            context: &self.context,
        };
        policy::explain(&request, &layers)
    }
}

/// Whom a text names. Unique ids are nobody's here, so principal elements name by ARN.
fn principal(text: &str) -> Option<Principal> {
    if text == "anonymous" {
        return Some(Principal::Anonymous);
    }
    let Some(arn) = Arn::parse(text) else {
        let service = text.contains('.') && !text.contains([':', '/', ' ']);
        return service.then(|| Principal::Service {
            name: text.to_owned(),
        });
    };
    let account = arn.account().to_owned();
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (kind, rest) = arn.resource().split_once('/').unwrap_or((arn.resource(), ""));
    let session = |role_arn: String, arn: String| Principal::AssumedRole {
        arn,
        role_arn,
        account: account.clone(),
        role_id: String::new(),
    };
    match (arn.service(), kind, rest) {
        ("iam", "root", "") => Some(Principal::Root { account }),
        ("iam", "user", name) if !name.is_empty() => Some(Principal::User {
            arn: text.to_owned(),
            account,
            id: String::new(),
        }),
        ("iam", "role", name) if !name.is_empty() => {
            let name = name.rsplit('/').next()?;
            let own = format!("arn:aws:sts::{account}:assumed-role/{name}/test");
            Some(session(text.to_owned(), own))
        }
        ("sts", "assumed-role", name) => {
            let (role, _) = name.split_once('/')?;
            Some(session(
                format!("arn:aws:iam::{account}:role/{role}"),
                text.to_owned(),
            ))
        }
        _ => None,
    }
}

/// The condition keys that follow from who asks and whose the resource is.
fn own_keys(principal: &Principal, owner: Option<&str>) -> Context {
    let mut context = Context::new();
    let kind = match principal {
        Principal::Root { account } => {
            context.insert("aws:PrincipalArn", format!("arn:aws:iam::{account}:root"));
            "Account"
        }
        Principal::User { arn, .. } => {
            context.insert("aws:PrincipalArn", arn.clone());
            let name = arn.rsplit('/').next().unwrap_or_default();
            context.insert("aws:username", name.to_owned());
            "User"
        }
        Principal::AssumedRole { role_arn, .. } => {
            context.insert("aws:PrincipalArn", role_arn.clone());
            "AssumedRole"
        }
        Principal::FederatedUser { arn, .. } => {
            context.insert("aws:PrincipalArn", arn.clone());
            "FederatedUser"
        }
        Principal::Service { .. } => "Service",
        Principal::Federated { .. } | Principal::Anonymous => "Anonymous",
    };
    context.insert("aws:PrincipalType", kind);
    let service = matches!(principal, Principal::Service { .. });
    context.insert(
        "aws:PrincipalIsAWSService",
        if service { "true" } else { "false" },
    );
    if let Some(account) = principal.account() {
        context.insert("aws:PrincipalAccount", account.to_owned());
    }
    if let Some(owner) = owner.or_else(|| principal.account()) {
        context.insert("aws:ResourceAccount", owner.to_owned());
    }
    context
}
