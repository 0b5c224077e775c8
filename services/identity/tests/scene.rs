//! A cloud with one account, its root user and whoever a test makes.

use std::sync::Arc;

use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure};
use serde_json::{Value, json};

use crate::issuer::Issuer;

/// Allows reading everything.
pub(crate) const READ_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"*"}]}"#;

/// A cloud and its root user.
pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) root: Caller,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(Self::cloud())
    }

    /// A cloud that reaches an identity provider.
    pub(crate) fn reaching(issuer: &Issuer) -> Self {
        Self::of(Self::cloud().with_outside(Arc::new(issuer.clone())))
    }

    fn cloud() -> Cloud {
        let operations = vec![
            identity::iam::OPERATIONS,
            identity::sts::OPERATIONS,
            identity::organizations::OPERATIONS,
            identity::accessanalyzer::OPERATIONS,
        ];
        Cloud::new(
            Box::new(IdentityDirectory::default()),
            &Tables {
                operations,
                jobs: vec![
                    identity::iam::JOBS,
                    identity::organizations::JOBS,
                    identity::accessanalyzer::JOBS,
                    identity::signin::JOBS,
                ],
                inventories: vec![&identity::accessanalyzer::inventory::ROLES],
                observers: vec![&identity::accessanalyzer::scan::OBSERVER],
                ..Tables::default()
            },
        )
    }

    fn of(cloud: Cloud) -> Self {
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        });
        assert!(
            made.is_ok(),
            "{}",
            made.err().map(|fault| fault.message).unwrap_or_default()
        );
        let root = cloud.root();
        Self { cloud, root }
    }

    /// Calls IAM.
    pub(crate) fn call(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
        self.cloud.call(caller, "iam", operation, input)
    }

    /// Calls IAM as root, which must succeed.
    pub(crate) fn root(&self, operation: &str, input: Value) -> Value {
        self.call(&self.root, operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    /// Calls IAM as root, which must fail.
    pub(crate) fn refused(&self, operation: &str, input: Value) -> Failure {
        self.call(&self.root, operation, input)
            .err()
            .unwrap_or_else(|| panic!("{operation} succeeded"))
    }

    /// A new user without permissions, by its access key.
    pub(crate) fn user(&self, name: &str) -> Caller {
        self.root("CreateUser", json!({"UserName": name}));
        let key = self.root("CreateAccessKey", json!({"UserName": name}));
        self.cloud
            .caller(key["AccessKey"]["AccessKeyId"].as_str().unwrap(), None)
            .unwrap()
    }

    /// A session of a role.
    pub(crate) fn assume(&self, caller: &Caller, role: &str) -> Result<Caller, Failure> {
        let input =
            json!({"RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"), "RoleSessionName": "session"});
        let answer = self.cloud.call(caller, "sts", "AssumeRole", input)?;
        let credentials = &answer["Credentials"];
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        Ok(self
            .cloud
            .caller(&text("AccessKeyId"), Some(&text("SessionToken")))
            .unwrap())
    }
}

/// The code of a refusal to root.
pub(crate) fn code(scene: &Scene, operation: &str, input: Value) -> String {
    scene.refused(operation, input).code
}

/// A document of one statement or more.
pub(crate) fn document(statement: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

/// A document that allows an action on everything.
pub(crate) fn allow(action: &str) -> String {
    document(&json!({"Effect": "Allow", "Action": action, "Resource": "*"}))
}

/// A trust policy for one principal.
pub(crate) fn trust(class: &str, name: &str) -> String {
    document(&json!({"Effect": "Allow", "Principal": {class: name}, "Action": "sts:AssumeRole"}))
}

/// A document as answers carry it, decoded.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}
