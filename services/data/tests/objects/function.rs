//! A function that notes the events that it gets, in the place of Lambda's.

use std::cell::RefCell;
use std::sync::Arc;

use pipeline::testing::ACCOUNT;
use pipeline::{
    Access, Authorized, Call, Endpoint, Found, Look, Operation, Resource, ResourcePolicies, Result,
};
use policy::{Attached, Policy, PolicyKind};
use serde_json::{Value, json};
use wire::{Document, Fault};

/// The one function that there is.
pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-central-1:111122223333:function:hears";

/// Lambda, as far as S3 needs it.
pub(crate) static LAMBDA: &[Endpoint] = &[Endpoint::of::<Invoke>("lambda", "Invoke")];

#[derive(Default)]
struct Behaviour {
    /// Nobody may invoke it.
    closed: bool,
    heard: Vec<Value>,
}

thread_local! {
    static BEHAVIOUR: RefCell<Behaviour> = RefCell::default();
}

/// Lets S3 in for the bucket `bucket`, or nobody.
pub(crate) fn close(closed: bool) {
    BEHAVIOUR.with(|behaviour| behaviour.borrow_mut().closed = closed);
}

/// The records of the events since the last look, in order.
pub(crate) fn heard() -> Vec<Value> {
    BEHAVIOUR.with(|behaviour| std::mem::take(&mut behaviour.borrow_mut().heard))
}

struct Function;

impl Resource for Function {
    const TYPE: &'static str = "AWS::Lambda::Function";

    fn arn(&self) -> String {
        FUNCTION.to_owned()
    }

    fn account(&self) -> &str {
        ACCOUNT
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        if BEHAVIOUR.with(|behaviour| behaviour.borrow().closed) {
            return Ok(ResourcePolicies::None);
        }
        let text = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction", "Resource": FUNCTION, "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::bucket"}}}]});
        let policy = Policy::parse(&text.to_string(), PolicyKind::Resource).unwrap();
        let attached = Attached::new(Arc::new(policy), "the function's policy");
        Ok(ResourcePolicies::Policy(attached))
    }
}

struct Invoke;

impl Operation for Invoke {
    type Input = Document;
    type Output = Document;
    type Target = Function;
    const ACCESS: Access = Access::write("lambda:InvokeFunction");

    fn target(_look: &mut Look<'_>, input: &Document) -> Result<Found<Function>> {
        let named = input.member("FunctionName").and_then(Document::as_str);
        let found = (named == Some(FUNCTION)).then_some(Function);
        Ok(Found::or_absent(found, || {
            let arn = named.unwrap_or_default().to_owned();
            (
                arn,
                Fault::plain("ResourceNotFoundException", 404, "Function not found"),
            )
        }))
    }

    fn handle(_call: &mut Call<'_>, _function: Authorized<Function>, input: Document) -> Result<Document> {
        if let Some(Document::Blob(payload)) = input.member("Payload") {
            assert_eq!(
                input.member("InvocationType").and_then(Document::as_str),
                Some("Event")
            );
            let event: Value = serde_json::from_slice(payload).unwrap();
            let records = event["Records"].as_array().unwrap().clone();
            BEHAVIOUR.with(|behaviour| behaviour.borrow_mut().heard.extend(records));
        }
        Ok(Document::Structure(vec![("StatusCode", Document::Integer(202))]))
    }
}
