//! An in-process cloud for the services' tests: the real pipeline over the memory engine, a clock that stands still
//! until told, and reproducible randomness. It skips the wire and the signature, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crypto::{Seal, SystemRandomness};
use http::HeaderMap;
use serde_json::Value;
use store::Store;
use wire::model::{Kind, Protocol};
use wire::protocol::{self, Parts};
use wire::{Document, Fault};

use crate::call::Look;
use crate::clock::Clock;
use crate::functions::Functions;
use crate::gateway::{Gateway, Tables};
use crate::identity::{Directory, Identity, Refusal};
use crate::instances::Instances;
use crate::ledger::{self, LedgerChain, Record};
use crate::outside::Outside;
use crate::quota::{Quotas, Rates};

/// The account of every test cloud.
pub const ACCOUNT: &str = "111122223333";
/// Where tests call, unless they say otherwise.
pub const REGION: &str = "eu-central-1";
/// 2026-11-22T00:00:00Z in milliseconds, when every test cloud begins.
pub const BEGINNING: i64 = 1_795_305_600_000;

/// A fault as tests compare it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// A caller of a test.
pub type Caller = Arc<Identity>;

/// The pipeline, in process.
pub struct Cloud {
    pub gateway: Arc<Gateway>,
    wall: Arc<AtomicI64>,
    runtime: tokio::runtime::Runtime,
}

impl Cloud {
    /// A new cloud over the memory engine.
    ///
    /// # Panics
    /// If the machine gives no thread or randomness: a test can't go on then.
    pub fn new(directory: Box<dyn Directory>, tables: &Tables) -> Self {
        Self::over(Store::memory(Box::new(LedgerChain::default())), directory, tables)
    }

    /// The same, with a way out.
    ///
    /// # Panics
    /// As `new`, or if the cloud is in use already.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that cannot set up its cloud must fail")]
    pub fn with_outside(mut self, outside: Arc<dyn Outside>) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the cloud yet");
        self.gateway = Arc::new(gateway.with_outside(outside));
        self
    }

    /// The same, with a runner of functions.
    ///
    /// # Panics
    /// As `new`, or if the cloud is in use already.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that cannot set up its cloud must fail")]
    pub fn with_functions(mut self, functions: Arc<dyn Functions>) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the cloud yet");
        self.gateway = Arc::new(gateway.with_functions(functions));
        self
    }

    /// The same, with a runner of instances.
    ///
    /// # Panics
    /// As `new`, or if the cloud is in use already.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that cannot set up its cloud must fail")]
    pub fn with_instances(mut self, instances: Arc<dyn Instances>) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the cloud yet");
        self.gateway = Arc::new(gateway.with_instances(instances));
        self
    }

    /// The same, with request quotas.
    ///
    /// # Panics
    /// As `with_outside`.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that cannot set up its cloud must fail")]
    pub fn with_quotas(mut self, tables: Vec<&'static Quotas>, rates: Rates) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the cloud yet");
        self.gateway = Arc::new(gateway.with_quotas(tables, rates));
        self
    }

    #[expect(clippy::expect_used, reason = "a test that cannot set up its cloud must fail")]
    pub(crate) fn over(store: Store, directory: Box<dyn Directory>, tables: &Tables) -> Self {
        let wall = Arc::new(AtomicI64::new(BEGINNING));
        let reader = Arc::clone(&wall);
        let clock = Clock::from_wall(move || reader.load(Ordering::Relaxed));
        let seal = Seal::ephemeral().expect("the machine has randomness");
        let gateway = Gateway::new(
            store,
            seal,
            Arc::new(SystemRandomness),
            clock,
            directory,
            ACCOUNT,
            tables,
        );
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        Self {
            gateway: Arc::new(gateway),
            wall,
            runtime,
        }
    }

    /// The management account's root user.
    pub fn root(&self) -> Caller {
        Arc::new(Identity::root(ACCOUNT))
    }

    /// The caller that an access key (and session token) stands for, as the directory knows it.
    ///
    /// # Errors
    /// A word for why the credential is refused.
    pub fn caller(&self, access_key_id: &str, token: Option<&str>) -> Result<Caller, &'static str> {
        let directory = self.gateway.environment.directory.as_ref();
        let mut tx = self.gateway.store.begin();
        let now = self.gateway.environment.clock.now();
        let mut look = Look::new(&mut tx, &self.gateway.environment, now, REGION, ACCOUNT.into());
        directory
            .credential(&mut look, access_key_id, token)
            .map(|credential| credential.identity)
            .map_err(|refusal| match refusal {
                Refusal::Unknown => "unknown",
                Refusal::Expired => "expired",
                Refusal::BadToken => "bad token",
                Refusal::Fault(_) => "fault",
            })
    }

    /// Calls an operation with JSON in the shape of the model, in `REGION`.
    ///
    /// # Errors
    /// The fault, by code and message.
    pub fn call(
        &self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        self.call_in(REGION, caller, service, operation, input)
    }

    /// Calls an operation in a region.
    ///
    /// # Errors
    /// The fault, by code and message.
    #[expect(clippy::needless_pass_by_value, reason = "tests write json!() in place")]
    pub fn call_in(
        &self,
        region: &str,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, Failure> {
        let model = api::models::service(service)
            .ok_or_else(|| failure(None, &Fault::validation("no such service")))?;
        let shape = model
            .operation(operation)
            .ok_or_else(|| failure(None, &Fault::validation("no such operation")))?;
        let document = self
            .document(service, operation, &input)
            .map_err(|fault| failure(Some(model), &fault))?;
        let output = self
            .runtime
            .block_on(self.gateway.call(caller, region, service, operation, document))
            .map_err(|fault| failure(Some(model), &fault))?;
        let encoded = protocol::encode(model, shape, Protocol::AwsJson11, &output, "")
            .map_err(|fault| failure(Some(model), &fault))?;
        Ok(serde_json::from_slice(&encoded.body).unwrap_or_default())
    }

    /// Calls an operation in `REGION` with a document, which tells of members that have no place in JSON: payloads and headers.
    ///
    /// # Errors
    /// The fault, by code and message.
    pub fn ask(
        &self,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Document,
    ) -> Result<Document, Failure> {
        let asked = self.gateway.call(caller, REGION, service, operation, input);
        self.runtime
            .block_on(asked)
            .map_err(|fault| failure(api::models::service(service), &fault))
    }

    /// JSON as the operation's input document.
    ///
    /// # Errors
    /// As the JSON decoder.
    pub fn document(&self, service: &str, operation: &str, input: &Value) -> crate::Result<Document> {
        let model = api::models::service(service).ok_or_else(|| Fault::validation("no such service"))?;
        let shape = model
            .operation(operation)
            .ok_or_else(|| Fault::validation("no such operation"))?;
        read(model, shape, input)
    }

    /// Serves a whole HTTP request.
    pub fn serve(&self, incoming: crate::Incoming) -> crate::Answer {
        self.runtime.block_on(self.gateway.serve(incoming))
    }

    /// Takes an answer's body to its end.
    ///
    /// # Panics
    /// If it breaks off: a test that expects that takes it itself.
    #[expect(clippy::expect_used, reason = "a test whose answer breaks off must fail")]
    pub fn take(&self, body: crate::Body<Box<dyn crate::Departing>>) -> bytes::Bytes {
        match body {
            crate::Body::Whole(bytes) => bytes,
            crate::Body::Stream(mut stream) => {
                let mut whole = Vec::new();
                while let Some(next) = self.wait(std::future::poll_fn(|cx| stream.poll_next(cx))) {
                    whole.extend_from_slice(&next.expect("the answer comes whole"));
                }
                whole.into()
            }
        }
    }

    /// Waits for a future on the cloud's own runtime.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits until the files of contents are gone that nobody reads any more.
    #[cfg(test)]
    pub(crate) fn settle(&self) {
        self.gateway.environment.yard.settle();
    }

    /// Moves the clock and runs what falls due on the way.
    ///
    /// # Panics
    /// If a job fails: no test expects that.
    #[expect(clippy::expect_used, reason = "a test whose jobs fail must fail")]
    pub fn advance(&self, milliseconds: i64) {
        self.wall.fetch_add(milliseconds, Ordering::Relaxed);
        let now = self.gateway.clock().now();
        let ran = self.runtime.block_on(self.gateway.run_due(now));
        ran.map_err(|fault| failure(None, &fault)).expect("the jobs run");
        assert_eq!(self.gateway.setbacks().ok(), Some(Vec::new()), "every job works");
    }

    /// The records of a trail, oldest first.
    ///
    /// # Panics
    /// If the ledger does not read back.
    #[expect(clippy::expect_used, reason = "a test whose ledger is unreadable must fail")]
    pub fn records(&self, account: &str, region: &str) -> Vec<Record> {
        let query = ledger::Query {
            account,
            region,
            from: i64::MIN,
            to: i64::MAX,
            attribute: None,
            before: None,
            limit: usize::MAX,
        };
        let read = self
            .gateway
            .system(region, |call| ledger::scan::page(&mut call.look, &query));
        let mut records = read
            .map_err(|fault| fault.message)
            .expect("the ledger reads")
            .records;
        records.reverse();
        records
    }
}

/// JSON in the shape of an operation's input, whatever place the model gives its members in a request.
///
/// # Errors
/// As the JSON decoder.
pub fn read(
    model: &'static wire::model::Service,
    operation: &'static wire::model::Operation,
    input: &Value,
) -> crate::Result<Document> {
    let body = input.to_string();
    let headers = HeaderMap::new();
    let parts = Parts {
        method: "POST",
        path: "/",
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let mut document = protocol::decode(model, operation, Protocol::AwsJson11, &parts)?;
    let shape = operation.input.and_then(|id| model.shape(id));
    let (Some(Kind::Structure(structure)), Document::Structure(members)) =
        (shape.map(|shape| &shape.kind), &mut document)
    else {
        return Ok(document);
    };
    // The decoder of bodies passes over what a request carries in its path, query or headers.
    let located = structure
        .members
        .iter()
        .filter(|member| member.location.is_some());
    for member in located {
        if let Some(value) = input.get(member.name).and_then(located_value) {
            members.push((member.name, value));
        }
    }
    let payload = structure.payload.and_then(|index| structure.members.get(index));
    if let Some(member) = payload
        && let Some(value) = input.get(member.name)
        && let Some(shape) = model.shape(member.shape)
    {
        let read = match (&shape.kind, located_value(value)) {
            (Kind::Structure(_), _) => {
                protocol::read_kept(model, shape.name, value.to_string().as_bytes()).map(Some)?
            }
            (_, simple) => simple,
        };
        members.extend(read.map(|read| (member.name, read)));
    }
    Ok(document)
}

/// A value that fits into a path or a query.
fn located_value(value: &Value) -> Option<Document> {
    match value {
        Value::String(text) => Some(Document::String(text.clone())),
        Value::Bool(flag) => Some(Document::Boolean(*flag)),
        Value::Number(number) => number.as_i64().map(Document::Integer),
        Value::Array(items) => items
            .iter()
            .map(located_value)
            .collect::<Option<_>>()
            .map(Document::List),
        _ => None,
    }
}

fn failure(service: Option<&'static wire::model::Service>, fault: &Fault) -> Failure {
    let protocol = service
        .and_then(|service| service.protocols.first().copied())
        .unwrap_or(Protocol::AwsJson11);
    let code = protocol::spell(service, protocol, fault).code.to_string();
    let source = fault
        .source
        .as_ref()
        .map(|source| format!(" ({source})"))
        .unwrap_or_default();
    Failure {
        code,
        message: format!("{}{source}", fault.message),
    }
}
