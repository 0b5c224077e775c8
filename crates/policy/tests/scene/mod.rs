//! A stage for tests: callers of the documentation's examples, and requests with a full set of layers.
#![expect(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::panic, reason = "a stage that cannot be set must fail its test")]

use policy::{
    Attached, Context, Decision, Grant, KeyLayer, Layers, Policy, PolicyKind, Principal, Request, decide,
    explain,
};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) const OWN: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";

pub(crate) fn alice() -> Principal {
    Principal::User {
        arn: format!("arn:aws:iam::{OWN}:user/alice"),
        account: OWN.into(),
        id: "AIDAALICE".into(),
    }
}

pub(crate) fn session() -> Principal {
    Principal::AssumedRole {
        arn: format!("arn:aws:sts::{OWN}:assumed-role/reader/night"),
        role_arn: format!("arn:aws:iam::{OWN}:role/jobs/reader"),
        account: OWN.into(),
        role_id: "AROAREADER".into(),
    }
}

pub(crate) fn federated() -> Principal {
    Principal::FederatedUser {
        arn: format!("arn:aws:sts::{OWN}:federated-user/guest"),
        account: OWN.into(),
        user_arn: format!("arn:aws:iam::{OWN}:user/alice"),
    }
}

pub(crate) fn linked() -> Principal {
    Principal::AssumedRole {
        arn: format!("arn:aws:sts::{OWN}:assumed-role/AWSServiceRoleForX/x"),
        role_arn: format!("arn:aws:iam::{OWN}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX"),
        account: OWN.into(),
        role_id: "AROALINKED".into(),
    }
}

pub(crate) fn root() -> Principal {
    Principal::Root { account: OWN.into() }
}

pub(crate) fn service() -> Principal {
    Principal::Service {
        name: "sns.amazonaws.com".into(),
    }
}

pub(crate) fn attached(kind: PolicyKind, text: &str) -> Attached {
    let policy = Policy::parse(text, kind).unwrap_or_else(|error| panic!("{}\n{text}", error.located()));
    Attached::new(Arc::new(policy), format!("{kind:?}"))
}

/// A document of the given statements.
pub(crate) fn document(statements: &[&str]) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
        statements.join(",")
    )
}

/// A request with owned layers; every test changes the few fields that it is about.
#[derive(Default)]
pub(crate) struct Scene {
    pub(crate) context: Context,
    pub(crate) resource_account: Option<String>,
    pub(crate) resource_control: Vec<Attached>,
    pub(crate) service_control: Vec<Vec<Attached>>,
    pub(crate) resource_policy: Option<Attached>,
    pub(crate) identity: Vec<Attached>,
    pub(crate) boundary: Option<Attached>,
    pub(crate) session: Option<Vec<Attached>>,
    pub(crate) endpoint: Option<Attached>,
    pub(crate) key: Option<Attached>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) encryption_context: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) fn identity(statements: &[&str]) -> Self {
        Self {
            identity: vec![attached(PolicyKind::Identity, &document(statements))],
            ..Self::default()
        }
    }

    pub(crate) fn resource(statements: &[&str]) -> Self {
        let resource_policy = Some(attached(PolicyKind::Resource, &document(statements)));
        Self {
            resource_policy,
            ..Self::default()
        }
    }

    pub(crate) fn trust(statements: &[&str]) -> Self {
        let resource_policy = Some(attached(PolicyKind::Trust, &document(statements)));
        Self {
            resource_policy,
            ..Self::default()
        }
    }

    pub(crate) fn key(statements: &[&str]) -> Self {
        Self {
            key: Some(attached(PolicyKind::Key, &document(statements))),
            ..Self::default()
        }
    }

    pub(crate) fn also(mut self, kind: PolicyKind, statements: &[&str]) -> Self {
        let policy = attached(kind, &document(statements));
        match kind {
            PolicyKind::Identity => self.identity.push(policy),
            PolicyKind::Boundary => self.boundary = Some(policy),
            PolicyKind::Session => self.session.get_or_insert_default().push(policy),
            PolicyKind::Resource | PolicyKind::Trust => self.resource_policy = Some(policy),
            PolicyKind::Key => self.key = Some(policy),
            PolicyKind::Endpoint => self.endpoint = Some(policy),
            PolicyKind::ServiceControl => self.service_control.push(vec![policy]),
            PolicyKind::ResourceControl => self.resource_control.push(policy),
        }
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        self.context.insert(key, value.to_owned());
        self
    }

    pub(crate) fn layers(&self) -> Layers<'_> {
        Layers {
            resource_control: &self.resource_control,
            service_control: &self.service_control,
            resource: self.resource_policy.as_ref(),
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            session: self.session.as_deref(),
            endpoint: self.endpoint.as_ref(),
            key: self.key.as_ref().map(|policy| KeyLayer {
                policy,
                grants: &self.grants,
                encryption_context: &self.encryption_context,
            }),
        }
    }

    pub(crate) fn request<'a>(
        &'a self,
        principal: &'a Principal,
        action: &'a str,
        resource: &'a str,
    ) -> Request<'a> {
        let resource_account = self.resource_account.as_deref();
        Request {
            principal,
            action,
            resource,
            resource_account,
            context: &self.context,
        }
    }

    /// Decides, and checks on the way that the explanation says the same.
    pub(crate) fn decide(&self, principal: &Principal, action: &str, resource: &str) -> Decision {
        let request = self.request(principal, action, resource);
        let decision = decide(&request, &self.layers());
        assert_eq!(explain(&request, &self.layers()).decision, decision);
        decision
    }

    pub(crate) fn allows(&self, principal: &Principal, action: &str, resource: &str) -> bool {
        self.decide(principal, action, resource).allowed
    }

    /// AWS's words for the refusal.
    pub(crate) fn because(&self, principal: &Principal, action: &str, resource: &str) -> String {
        policy::because(&self.decide(principal, action, resource), action)
    }
}
