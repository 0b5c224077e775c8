//! A cloud with a role that Lambda may assume, and a runner that notes what it is asked for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use identity::IdentityDirectory;
use parking_lot::Mutex;
use pipeline::Endpoint;
use pipeline::functions::{Ended, FunctionError, Functions, Invocation, LogForm, LogLine, NotRun, Ran};
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure, REGION};
use serde_json::{Value, json};
use wire::{Document, Timestamp};

/// What the runner saw of a run.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) function: String,
    pub(crate) invoked: String,
    pub(crate) payload: Value,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) access_key_id: String,
    pub(crate) token: String,
    pub(crate) limits: Vec<(String, usize)>,
    pub(crate) zip: Option<Bytes>,
    pub(crate) layers: Vec<Bytes>,
    pub(crate) trace: String,
    pub(crate) warm: bool,
    pub(crate) log_form: LogForm,
}

/// A runner that answers an event with itself, or with little for functions with `brief-` names; an event with `fail` fails, one with `full` finds no room. It says of some functions that a
/// process waits for their events, and of some of these it turns out that none does.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) seen: Mutex<Vec<Seen>>,
    pub(crate) waiting: Mutex<Vec<String>>,
    pub(crate) taken: Mutex<Vec<String>>,
}

impl Functions for Notes {
    fn holds(&self, _code_sha256: &str) -> bool {
        false
    }

    fn waits(&self, function_arn: &str, _configuration: &str, _until: Timestamp) -> bool {
        self.waiting.lock().iter().any(|known| known == function_arn)
    }

    fn invoke<'a>(&'a self, invocation: &'a Invocation) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        if invocation.warm && self.taken.lock().contains(&invocation.function_arn) {
            return Box::pin(async { Err(NotRun::Cold) });
        }
        let payload: Value = serde_json::from_slice(&invocation.payload).unwrap();
        let text = |secret: &crypto::Secret| secret.expose_text().unwrap().to_owned();
        let credentials = invocation.credentials.as_ref();
        assert_eq!(credentials.is_none(), invocation.warm);
        let environment = invocation.environment.iter();
        self.seen.lock().push(Seen {
            function: invocation.function_arn.clone(),
            invoked: invocation.invoked_arn.clone(),
            payload: payload.clone(),
            environment: environment
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            access_key_id: credentials
                .map(|credentials| credentials.access_key_id.clone())
                .unwrap_or_default(),
            token: credentials
                .map(|credentials| text(&credentials.session_token))
                .unwrap_or_default(),
            limits: invocation
                .concurrency
                .iter()
                .map(|one| (one.of.clone(), one.limit))
                .collect(),
            zip: invocation.zip.clone(),
            layers: invocation
                .layers
                .as_ref()
                .map(|layers| layers.zips.clone())
                .unwrap_or_default(),
            trace: invocation.trace_id.clone().unwrap_or_default(),
            warm: invocation.warm,
            log_form: invocation.log_form.clone(),
        });
        let fails = payload.get("fail").is_some();
        let ended = if payload.get("full").is_some() {
            let of = invocation.concurrency[0].of.clone();
            Err(NotRun::Throttled { of })
        } else {
            let error = json!({ "errorType": "Error", "errorMessage": "so" }).to_string();
            Ok(Ran {
                payload: if fails {
                    Bytes::from(error)
                } else if invocation.function_arn.contains(":brief-") {
                    Bytes::from_static(b"{}")
                } else {
                    invocation.payload.clone()
                },
                error: fails.then_some(FunctionError::Unhandled),
                log_tail: invocation.log_tail.then(|| Bytes::from_static(b"the end")),
                request_id: invocation.request_id.clone(),
                duration: Duration::from_millis(1),
                billed: Duration::from_millis(1),
                init: None,
                memory_used_mb: 1,
            })
        };
        Box::pin(async move { ended })
    }

    fn log(&self, _function_arn: &str) -> Vec<LogLine> {
        Vec::new()
    }
}

pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) root: Caller,
    pub(crate) notes: Arc<Notes>,
    pub(crate) role: String,
}

/// A zip of one file without content that says to hold so many bytes.
pub(crate) fn zip(claimed: u32) -> String {
    let mut zip = b"PK\x01\x02".to_vec();
    zip.extend_from_slice(&[0; 20]);
    zip.extend_from_slice(&claimed.to_le_bytes());
    zip.extend_from_slice(&8_u16.to_le_bytes());
    zip.extend_from_slice(&[0; 16]);
    zip.extend_from_slice(b"index.py");
    let size = u32::try_from(zip.len()).unwrap();
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend_from_slice(&size.to_le_bytes());
    zip.extend_from_slice(&[0; 6]);
    STANDARD.encode(zip)
}

pub(crate) fn policy(statement: &Value) -> String {
    json!({ "Version": "2012-10-17", "Statement": statement }).to_string()
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// With operations that a test makes.
    pub(crate) fn with(more: &'static [Endpoint]) -> Self {
        let tables = Tables {
            operations: vec![
                identity::iam::OPERATIONS,
                identity::sts::OPERATIONS,
                identity::organizations::OPERATIONS,
                identity::accessanalyzer::OPERATIONS,
                keys::kms::OPERATIONS,
                keys::secretsmanager::OPERATIONS,
                keys::ssm::OPERATIONS,
                platform::lambda::OPERATIONS,
                platform::cloudformation::OPERATIONS,
                more,
            ],
            jobs: vec![
                identity::organizations::JOBS,
                identity::accessanalyzer::JOBS,
                keys::kms::JOBS,
                keys::secretsmanager::JOBS,
                platform::lambda::JOBS,
                platform::cloudformation::JOBS,
            ],
            trails: vec![
                &identity::sts::TRAIL,
                &keys::kms::TRAIL,
                &platform::lambda::TRAIL,
                &platform::cloudformation::TRAIL,
            ],
            callbacks: vec![&platform::cloudformation::CALLBACKS],
            readiness: vec![&keys::kms::managed::READINESS],
            ..Tables::default()
        };
        let notes = Arc::new(Notes::default());
        let runner = Arc::clone(&notes) as Arc<dyn Functions>;
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables).with_functions(runner);
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        });
        assert!(made.is_ok());
        cloud.gateway.serve_at("http://127.0.0.1:4566");
        let root = cloud.root();
        let mut scene = Self {
            cloud,
            root,
            notes,
            role: String::new(),
        };
        scene.role = scene.role("runs", "lambda.amazonaws.com");
        scene
    }

    /// A role that trusts a service.
    pub(crate) fn role(&self, name: &str, service: &str) -> String {
        let trust = policy(&json!({
            "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
        }));
        let made = self.ok(
            "iam",
            "CreateRole",
            json!({ "RoleName": name, "AssumeRolePolicyDocument": trust }),
        );
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    /// As root, where success is expected.
    pub(crate) fn ok(&self, service: &str, operation: &str, input: Value) -> Value {
        self.call(&self.root, service, operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    pub(crate) fn call(
        &self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        if operation != "Invoke" {
            return self.cloud.call(caller, service, operation, input);
        }
        // Payloads and headers have no place in JSON.
        let text = |name| {
            let value = input.get(name).and_then(Value::as_str)?;
            Some((name, Document::String(value.to_owned())))
        };
        let named = ["FunctionName", "InvocationType", "LogType", "Qualifier"];
        let mut members: Vec<_> = named.into_iter().filter_map(text).collect();
        if let Some(payload) = input.get("Payload").and_then(Value::as_str) {
            members.push(("Payload", Document::Blob(STANDARD.decode(payload).unwrap())));
        }
        let answer = self
            .cloud
            .ask(caller, service, operation, Document::Structure(members))?;
        let mut shown = json!({});
        for name in [
            "StatusCode",
            "ExecutedVersion",
            "FunctionError",
            "LogResult",
            "Payload",
        ] {
            match answer.member(name) {
                Some(Document::Integer(number)) => shown[name] = json!(number),
                Some(Document::String(text)) => shown[name] = json!(text),
                Some(Document::Blob(bytes)) => shown[name] = json!(STANDARD.encode(bytes)),
                _ => {}
            }
        }
        Ok(shown)
    }

    /// Lambda as root, where success is expected.
    pub(crate) fn lambda(&self, operation: &str, input: Value) -> Value {
        self.ok("lambda", operation, input)
    }

    /// The code and message of a refusal of Lambda's to root.
    pub(crate) fn refused(&self, operation: &str, input: Value) -> Failure {
        self.refused_to(&self.root, operation, input)
    }

    pub(crate) fn refused_to(&self, caller: &Caller, operation: &str, input: Value) -> Failure {
        self.call(caller, "lambda", operation, input).unwrap_err()
    }

    /// A function with these settings beside the usual ones.
    pub(crate) fn function(&self, name: &str, more: &Value) -> Value {
        let mut input = json!({
            "FunctionName": name, "Runtime": "python3.13", "Handler": "index.handler", "Role": self.role,
            "Code": { "ZipFile": zip(12) },
        });
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        self.lambda("CreateFunction", input)
    }

    /// A user who may do what statements say.
    pub(crate) fn user(&self, name: &str, statements: &Value) -> Caller {
        self.ok("iam", "CreateUser", json!({ "UserName": name }));
        let document = policy(statements);
        let input = json!({ "UserName": name, "PolicyName": "own", "PolicyDocument": document });
        self.ok("iam", "PutUserPolicy", input);
        let made = self.ok("iam", "CreateAccessKey", json!({ "UserName": name }));
        let id = made["AccessKey"]["AccessKeyId"].as_str().unwrap();
        self.cloud.caller(id, None).unwrap()
    }

    /// Invokes with an event and tells the answer and what the function returned.
    pub(crate) fn invoke(&self, name: &str, event: &Value) -> (Value, Value) {
        let answer = self.lambda(
            "Invoke",
            json!({ "FunctionName": name, "Payload": encoded(event) }),
        );
        let payload = STANDARD.decode(answer["Payload"].as_str().unwrap()).unwrap();
        let said = serde_json::from_slice(&payload).unwrap();
        (answer, said)
    }

    /// Puts an event into a function's queue, and runs what is due.
    pub(crate) fn send(&self, name: &str, event: &Value) {
        let input = json!({ "FunctionName": name, "InvocationType": "Event", "Payload": encoded(event) });
        assert_eq!(self.lambda("Invoke", input)["StatusCode"], 202);
        self.cloud.advance(0);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.notes.seen.lock().clone()
    }
}

pub(crate) fn encoded(event: &Value) -> String {
    STANDARD.encode(event.to_string())
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
}
