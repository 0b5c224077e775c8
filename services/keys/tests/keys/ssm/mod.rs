//! Parameter Store, through the pipeline.

mod access;
mod label;
mod list;
mod policy;
mod public;
mod put;
mod reference;
mod secure;
mod setting;
mod sharing;
mod tag;

use pipeline::testing::{Caller, Failure};
use serde_json::{Value, json};

use crate::cloud::Here;

/// Calls Parameter Store.
fn call(here: &Here, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
    here.cloud.call(caller, "ssm", operation, input)
}

/// As root, where success is expected.
fn ok(here: &Here, operation: &str, input: Value) -> Value {
    match call(here, &here.root(), operation, input) {
        Ok(answer) => answer,
        Err(failure) => panic!("{operation}: {} {}", failure.code, failure.message),
    }
}

/// The code and message of root's refusal.
fn refused(here: &Here, operation: &str, input: Value) -> (String, String) {
    let failure = call(here, &here.root(), operation, input).unwrap_err();
    (failure.code, failure.message)
}

/// Root's new `String`.
fn put(here: &Here, name: &str, value: &str) {
    ok(
        here,
        "PutParameter",
        json!({ "Name": name, "Value": value, "Type": "String" }),
    );
}

/// Root's next version.
fn overwrite(here: &Here, name: &str, value: &str) -> i64 {
    let answer = ok(
        here,
        "PutParameter",
        json!({ "Name": name, "Value": value, "Overwrite": true }),
    );
    answer["Version"].as_i64().unwrap()
}

/// The names in a list of parameters.
fn names(answer: &Value) -> Vec<&str> {
    let parameters = answer["Parameters"].as_array().unwrap().iter();
    parameters
        .map(|parameter| parameter["Name"].as_str().unwrap())
        .collect()
}
