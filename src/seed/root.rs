//! The way of a seed into the API: the root user of one account.

use std::sync::Arc;

use http::HeaderMap;
use pipeline::{Gateway, Identity};
use serde_json::Value;
use wire::model::{Operation, Protocol, Service};
use wire::protocol::{self, Parts};
use wire::{Document, Fault};

/// The root user of an account, who calls IAM.
pub(super) struct Root<'a> {
    gateway: &'a Gateway,
    identity: Arc<Identity>,
}

impl<'a> Root<'a> {
    pub(super) fn of(gateway: &'a Gateway, account: &str) -> Self {
        Self {
            gateway,
            identity: Arc::new(Identity::root(account)),
        }
    }

    /// Calls an operation that answers something, and tells it in the model's own names.
    pub(super) async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        let (service, model) = model(operation)?;
        let output = self.output(operation, &input).await?;
        let encoded = protocol::encode(service, model, Protocol::AwsJson11, &output, "")?;
        serde_json::from_slice(&encoded.body).map_err(Fault::internal)
    }

    /// The same, where the answer is nothing or a secret.
    pub(super) async fn output(&self, operation: &str, input: &Value) -> Result<Document, Fault> {
        let input = decoded(operation, input)?;
        self.gateway
            .call(&self.identity, "us-east-1", "iam", operation, input)
            .await
    }

    /// Calls an operation that reads; `None` if there is nothing of the name.
    pub(super) async fn find(&self, operation: &str, input: Value) -> Result<Option<Value>, Fault> {
        match self.call(operation, input).await {
            Ok(found) => Ok(Some(found)),
            Err(fault) if code(&fault) == "NoSuchEntity" => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// Checks an input as the API would, before anything is asked of it.
pub(super) fn check(operation: &str, input: &Value) -> Result<(), Fault> {
    let (service, model) = model(operation)?;
    let input = decoded(operation, input)?;
    model
        .input
        .map_or(Ok(()), |shape| wire::constraints::check(service, shape, &input))
}

fn decoded(operation: &str, input: &Value) -> Result<Document, Fault> {
    let (service, model) = model(operation)?;
    let body = input.to_string();
    let headers = HeaderMap::new();
    let parts = Parts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    protocol::decode(service, model, Protocol::AwsJson11, &parts)
}

fn model(operation: &str) -> Result<(&'static Service, &'static Operation), Fault> {
    let unknown = || Fault::internal(format!("iam:{operation} is not in the model"));
    let service = api::models::service("iam").ok_or_else(unknown)?;
    Ok((service, service.operation(operation).ok_or_else(unknown)?))
}

fn code(fault: &Fault) -> String {
    protocol::spell(api::models::service("iam"), Protocol::AwsQuery, fault)
        .code
        .to_string()
}
