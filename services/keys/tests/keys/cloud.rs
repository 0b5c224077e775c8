//! A cloud with two accounts and a directory that the tests fill.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::RwLock;
use pipeline::gateway::Tables;
use pipeline::identity::{Credential, IdentityType, PrincipalPolicies, Refusal};
use pipeline::organization::OrganizationFacts;
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure};
use pipeline::{Call, Directory, Endpoint, Identity, Look, Quotas, Rates, Result};
use policy::{Attached, Policy, PolicyKind, Principal};
use serde_json::{Value, json};

/// Another account of the same cloud.
pub(crate) const OTHER: &str = "444455556666";

type Policies = Arc<RwLock<HashMap<String, Vec<Attached>>>>;
/// Unique ids by ARN.
type Ids = Arc<RwLock<HashMap<String, String>>>;

/// The accounts of the organization.
type Members = Arc<RwLock<Vec<String>>>;

struct TestDirectory(Policies, Ids, Members);

impl Directory for TestDirectory {
    fn credential(
        &self,
        _: &mut Look<'_>,
        _: &str,
        _: Option<&str>,
    ) -> std::result::Result<Credential, Refusal> {
        Err(Refusal::Unknown)
    }

    fn policies(&self, _: &mut Look<'_>, identity: &Identity, _: Option<&str>) -> Result<PrincipalPolicies> {
        let identity = self.0.read().get(&*identity.arn).cloned().unwrap_or_default();
        Ok(PrincipalPolicies {
            identity,
            ..PrincipalPolicies::default()
        })
    }

    fn resource_control(&self, _: &mut Look<'_>, _: &str, _: &str, _: &str) -> Result<Vec<Attached>> {
        Ok(Vec::new())
    }

    fn organization(&self, _: &mut Look<'_>, account: &str) -> Result<Option<OrganizationFacts>> {
        let found = self.2.read().iter().any(|member| member == account);
        Ok(found.then(|| OrganizationFacts {
            id: "o-example".to_owned(),
            path: "o-example/r-root/".to_owned(),
        }))
    }

    fn used(&self, _: &mut Call<'_>) -> Result<()> {
        Ok(())
    }

    fn account_exists(&self, _: &mut Look<'_>, account: &str) -> Result<bool> {
        Ok([ACCOUNT, OTHER].contains(&account))
    }

    fn principal_exists(&self, _: &mut Look<'_>, arn: &str) -> Result<bool> {
        Ok(self.0.read().contains_key(arn))
    }

    fn principal_id(&self, _: &mut Look<'_>, arn: &str) -> Result<Option<String>> {
        Ok(self.1.read().get(arn).cloned())
    }

    fn principal_arn(&self, _: &mut Look<'_>, account: &str, id: &str) -> Result<Option<String>> {
        let ids = self.1.read();
        let found = ids.iter().find(|(_, known)| *known == id);
        Ok(found
            .map(|(arn, _)| arn.clone())
            .filter(|arn| arn.contains(account)))
    }
}

/// The cloud of one test.
pub(crate) struct Here {
    pub(crate) cloud: Cloud,
    policies: Policies,
    ids: Ids,
    members: Members,
    made: std::cell::Cell<u32>,
}

impl Here {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With operations of another service, which the test makes.
    pub(crate) fn with(more: &'static [Endpoint]) -> Self {
        let (policies, ids, members) = (Policies::default(), Ids::default(), Members::default());
        let tables = Tables {
            operations: vec![
                keys::kms::OPERATIONS,
                keys::secretsmanager::OPERATIONS,
                keys::ssm::OPERATIONS,
                more,
            ],
            jobs: vec![keys::kms::JOBS, keys::secretsmanager::JOBS, keys::ssm::JOBS],
            trails: vec![&keys::kms::TRAIL, &keys::secretsmanager::TRAIL, &keys::ssm::TRAIL],
            readiness: vec![&keys::kms::managed::READINESS],
            ..Tables::default()
        };
        let cloud = Cloud::new(
            Box::new(TestDirectory(
                Arc::clone(&policies),
                Arc::clone(&ids),
                Arc::clone(&members),
            )),
            &tables,
        );
        Self {
            cloud,
            policies,
            ids,
            members,
            made: std::cell::Cell::default(),
        }
    }

    /// Makes these accounts the organization's.
    pub(crate) fn organize(&self, accounts: &[&str]) {
        *self.members.write() = accounts.iter().map(|account| (*account).to_owned()).collect();
    }

    /// The same, with request quotas.
    pub(crate) fn with_quotas(mut self, tables: Vec<&'static Quotas>, rates: Rates) -> Self {
        self.cloud = self.cloud.with_quotas(tables, rates);
        self
    }

    /// A user with these statements as identity policy.
    pub(crate) fn user(&self, account: &str, name: &str, statements: &Value) -> Caller {
        let arn = format!("arn:aws:iam::{account}:user/{name}");
        let mut attached = Vec::new();
        if statements
            .as_array()
            .is_some_and(|statements| !statements.is_empty())
        {
            let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
            let policy = Policy::parse(&text, PolicyKind::Identity).unwrap();
            attached.push(Attached::new(
                Arc::new(policy),
                format!("user/{name} inline test"),
            ));
        }
        self.policies.write().insert(arn.clone(), attached);
        self.made.set(self.made.get() + 1);
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("AIDA{}{}", letters.to_uppercase(), self.made.get());
        self.ids.write().insert(arn.clone(), id.clone());
        Arc::new(Identity {
            kind: IdentityType::IamUser,
            principal: Principal::User {
                arn: arn.clone(),
                account: account.to_owned(),
                id: id.clone(),
            },
            arn: arn.into(),
            user_id: id.into(),
            user_name: Some(name.into()),
            ..Identity::root(account)
        })
    }

    /// Deletes a user.
    pub(crate) fn forget(&self, user: &Caller) {
        self.policies.write().remove(&*user.arn);
        self.ids.write().remove(&*user.arn);
    }

    /// Gives a user another name: who it is now.
    pub(crate) fn rename(&self, user: &Caller, name: &str) {
        let arn = format!("arn:aws:iam::{}:user/{name}", user.account);
        let held = self.policies.write().remove(&*user.arn).unwrap_or_default();
        let id = self.ids.write().remove(&*user.arn).unwrap();
        self.policies.write().insert(arn.clone(), held);
        self.ids.write().insert(arn, id);
    }

    /// A user who may do anything in KMS as far as IAM goes.
    pub(crate) fn admin(&self, account: &str, name: &str) -> Caller {
        self.user(
            account,
            name,
            &json!([{ "Effect": "Allow", "Action": "kms:*", "Resource": "*" }]),
        )
    }

    pub(crate) fn root(&self) -> Caller {
        self.cloud.root()
    }

    pub(crate) fn call(
        &self,
        caller: &Caller,
        operation: &str,
        input: Value,
    ) -> std::result::Result<Value, Failure> {
        self.cloud.call(caller, "kms", operation, input)
    }

    /// As root, where success is expected.
    pub(crate) fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(&self.root(), operation, input).unwrap()
    }

    /// The code and message of a refusal.
    pub(crate) fn refused(&self, caller: &Caller, operation: &str, input: Value) -> (String, String) {
        let failure = self.call(caller, operation, input).unwrap_err();
        (failure.code, failure.message)
    }

    pub(crate) fn denied(&self, caller: &Caller, operation: &str, input: Value) -> bool {
        match self.call(caller, operation, input) {
            Ok(_) => false,
            Err(failure) => {
                assert_eq!(failure.code, "AccessDeniedException", "{}", failure.message);
                true
            }
        }
    }

    /// A new symmetric key of root's: its ARN.
    pub(crate) fn key(&self) -> String {
        arn(&self.ok("CreateKey", json!({})))
    }

    /// A new key with these statements as its policy, beside the one that lets the root user manage it.
    pub(crate) fn key_with(&self, statements: &[Value]) -> String {
        let own = json!({
            "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") },
            "Action": "kms:*", "Resource": "*",
        });
        self.key_only(&[&[own], statements].concat())
    }

    /// A new key with exactly these statements.
    pub(crate) fn key_only(&self, statements: &[Value]) -> String {
        let policy = policy(statements);
        arn(&self.ok(
            "CreateKey",
            json!({ "Policy": policy, "BypassPolicyLockoutSafetyCheck": true }),
        ))
    }

    pub(crate) fn encrypt(
        &self,
        caller: &Caller,
        key: &str,
        text: &[u8],
    ) -> std::result::Result<String, Failure> {
        let answer = self.call(
            caller,
            "Encrypt",
            json!({ "KeyId": key, "Plaintext": STANDARD.encode(text) }),
        )?;
        Ok(answer["CiphertextBlob"].as_str().unwrap().to_owned())
    }

    pub(crate) fn decrypt(&self, caller: &Caller, blob: &str) -> std::result::Result<Vec<u8>, Failure> {
        let answer = self.call(caller, "Decrypt", json!({ "CiphertextBlob": blob }))?;
        Ok(bytes(&answer["Plaintext"]))
    }

    pub(crate) fn state(&self, key: &str) -> String {
        let shown = self.ok("DescribeKey", json!({ "KeyId": key }));
        shown["KeyMetadata"]["KeyState"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn policy(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

pub(crate) fn allow(principal: &Caller, actions: &[&str]) -> Value {
    json!({ "Effect": "Allow", "Principal": { "AWS": &*principal.arn }, "Action": actions, "Resource": "*" })
}

pub(crate) fn arn(created: &Value) -> String {
    created["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

pub(crate) fn id(arn: &str) -> &str {
    arn.rsplit_once('/').unwrap().1
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
