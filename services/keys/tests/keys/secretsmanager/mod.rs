//! Secrets Manager, one file per noun, and the cloud that its tests share.

mod access;
mod cross_account;
mod deletion;
mod list;
mod password;
mod policy;
mod replica;
mod rotation;
mod value;
mod version;

use pipeline::testing::{ACCOUNT, Caller, Failure};
use serde_json::{Value, json};

use crate::cloud::{Here, allow};

/// A cloud with a customer key that everybody of the account may be allowed to use.
pub(crate) struct Vault {
    pub(crate) here: Here,
    pub(crate) key: String,
}

/// A version id of 32 letters that ends in `name`.
pub(crate) fn id(name: &str) -> String {
    format!("{name:0>32}")
}

impl Vault {
    pub(crate) fn new() -> Self {
        let here = Here::new();
        let key = here.key();
        Self { here, key }
    }

    pub(crate) fn call(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
        self.here.cloud.call(caller, "secretsmanager", operation, input)
    }

    pub(crate) fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(&self.here.root(), operation, input).unwrap()
    }

    pub(crate) fn refused(&self, caller: &Caller, operation: &str, input: Value) -> (String, String) {
        let failure = self.call(caller, operation, input).unwrap_err();
        (failure.code, failure.message)
    }

    /// As root, the code alone.
    pub(crate) fn code(&self, operation: &str, input: Value) -> String {
        self.refused(&self.here.root(), operation, input).0
    }

    /// A secret under the customer key; tells its ARN. Its version is `id("1")`.
    pub(crate) fn secret(&self, name: &str, value: &str) -> String {
        let input = json!({ "Name": name, "SecretString": value, "KmsKeyId": self.key, "ClientRequestToken": id("1") });
        let made = self.ok("CreateSecret", input);
        made["ARN"].as_str().unwrap().to_owned()
    }

    /// The text of the version that the input asks for, as root.
    pub(crate) fn text(&self, input: Value) -> String {
        self.ok("GetSecretValue", input)["SecretString"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A user of the account with these actions of Secrets Manager on everything, and the use of every key.
    pub(crate) fn user(&self, name: &str, actions: &[&str]) -> Caller {
        let statements = json!([{ "Effect": "Allow", "Action": actions, "Resource": "*" },
            { "Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*" }]);
        self.here.user(ACCOUNT, name, &statements)
    }

    /// A key that these statements rule beside the account's own.
    pub(crate) fn key_for(&self, caller: &Caller, actions: &[&str]) -> String {
        self.here.key_with(&[allow(caller, actions)])
    }
}
