//! A cloud with every service, a root user with an access key, and one thing of every kind that operations name.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use http::Method;
use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::jobs::JobKind;
use pipeline::ledger::{self, LedgerChain, Record};
use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use pipeline::{Answer, Clock, Endpoint, Gateway, Identity, Incoming, TrailRules};
use serde_json::{Value, json};
use store::Store;
use wire::model::{Operation, Protocol, Service};
use wire::protocol;
use wire::{Document, Fault};

use crate::client::{self, Request};
use crate::engine::{Controlled, Plan};
use crate::said::Said;
use crate::sign::{Keys, sign};

/// Every service's operations: one line each.
pub fn operations() -> Vec<&'static [Endpoint]> {
    vec![
        identity::iam::OPERATIONS,
        identity::sts::OPERATIONS,
        identity::organizations::OPERATIONS,
        identity::accessanalyzer::OPERATIONS,
        keys::kms::OPERATIONS,
        keys::secretsmanager::OPERATIONS,
        keys::ssm::OPERATIONS,
        network::ec2::OPERATIONS,
        platform::lambda::OPERATIONS,
        platform::cloudformation::OPERATIONS,
        watch::cloudtrail::OPERATIONS,
        watch::cloudwatch::OPERATIONS,
        data::s3::OPERATIONS,
        data::s3control::OPERATIONS,
    ]
}

/// Every service's jobs.
pub fn jobs() -> Vec<&'static [JobKind]> {
    vec![
        identity::iam::JOBS,
        identity::organizations::JOBS,
        identity::accessanalyzer::JOBS,
        identity::signin::JOBS,
        keys::kms::JOBS,
        keys::secretsmanager::JOBS,
        keys::ssm::JOBS,
        data::s3::JOBS,
        network::ec2::JOBS,
        platform::lambda::JOBS,
        platform::cloudformation::JOBS,
        watch::cloudwatch::JOBS,
    ]
}

/// How every service's calls look in the trail.
pub fn trails() -> Vec<&'static TrailRules> {
    vec![
        &identity::iam::TRAIL,
        &identity::sts::TRAIL,
        &identity::organizations::TRAIL,
        &identity::accessanalyzer::TRAIL,
        &keys::kms::TRAIL,
        &keys::secretsmanager::TRAIL,
        &keys::ssm::TRAIL,
        &network::ec2::TRAIL,
        &platform::lambda::TRAIL,
        &platform::cloudformation::TRAIL,
        &data::s3::TRAIL,
        &data::s3control::TRAIL,
        &watch::cloudwatch::TRAIL,
    ]
}

/// Every operation that is built, with its model.
pub fn built() -> impl Iterator<Item = (&'static Endpoint, &'static Service, &'static Operation)> {
    operations().into_iter().flatten().map(|endpoint| {
        let service = api::models::service(endpoint.service).expect("a service of the models");
        (
            endpoint,
            service,
            service
                .operation(endpoint.name)
                .expect("an operation of the model"),
        )
    })
}

/// What exists in the world, by the names that inputs use.
#[derive(Clone, Default)]
pub struct Existing {
    pub access_key_id: String,
    /// Empty without KMS.
    pub key_id: String,
    /// By operation of KMS, the members that name a key which is no symmetric one, and what fits to it.
    pub pairs: BTreeMap<&'static str, Vec<(&'static str, Document)>>,
    pub grant_id: String,
    pub ciphertext: Vec<u8>,
    /// Of the organization, by the names of members that take an id: `ParentId`, `AccountId`, `HandshakeId`.
    pub organization: BTreeMap<&'static str, String>,
    /// Of EC2, by the names of members that take an id: `InstanceId`, `ImageId`, `AssociationId`.
    pub instances: BTreeMap<&'static str, String>,
    /// In PEM, with its private key; of nobody yet but the server certificate.
    pub certificate: String,
    pub private_key: String,
    pub ssh_key_id: String,
    pub signing_certificate_id: String,
    pub service_credential_id: String,
    pub deletion_task_id: String,
    /// The job id of a policy generation.
    pub generation_id: String,
    /// The id of an access preview.
    pub preview_id: String,
    /// The id of a finding.
    pub finding_id: String,
}

/// The cloud of one test.
pub struct World {
    pub gateway: Arc<Gateway>,
    pub plan: Arc<Plan>,
    pub root: Keys,
    pub existing: Existing,
    wall: Arc<AtomicI64>,
}

/// The runtime that all worlds share.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .expect("a runtime")
    })
}

impl World {
    /// An account with its root user and nothing else.
    pub fn bare() -> Self {
        Self::with(&[], &[])
    }

    /// The same, with operations and jobs of a test's own, which take the place of a service's.
    pub fn with(endpoints: &'static [Endpoint], kinds: &'static [JobKind]) -> Self {
        let wall = Arc::new(AtomicI64::new(BEGINNING));
        let reader = Arc::clone(&wall);
        let clock = Clock::from_wall(move || reader.load(Ordering::Relaxed));
        let (engine, plan) = Controlled::prepared();
        let store = Store::with_engine(engine, Box::new(LedgerChain::default())).expect("a store");
        let seal = crypto::Seal::ephemeral().expect("the machine has randomness");
        let tables = Tables {
            operations: operations().into_iter().chain([endpoints]).collect(),
            jobs: jobs().into_iter().chain([kinds]).collect(),
            trails: trails(),
            inventories: vec![
                &identity::accessanalyzer::inventory::ROLES,
                &keys::kms::inventory::KEYS,
                &keys::secretsmanager::inventory::SECRETS,
                &data::s3::inventory::BUCKETS,
                &platform::lambda::inventory::FUNCTIONS,
            ],
            origins: vec![&data::s3::bucket::ORIGINS],
            forms: vec![&data::s3::form::FORMS],
            callbacks: vec![&platform::cloudformation::CALLBACKS],
            observers: vec![&identity::accessanalyzer::scan::OBSERVER],
            readiness: vec![&keys::kms::managed::READINESS],
            closures: vec![&network::ec2::CLOSURE],
            sites: Some(&data::s3::website::SITES),
            telemetry: Some(&watch::cloudwatch::SINK),
        };
        let random = Arc::new(crypto::SystemRandomness);
        let directory = Box::new(IdentityDirectory::default());
        let gateway = Gateway::new(store, seal, random, clock, directory, ACCOUNT, &tables);
        let gateway = Arc::new(gateway);
        let made = gateway.system("us-east-1", |call| identity::bootstrap(call, ACCOUNT, None));
        let made = made.map_err(|fault| fault.message).expect("the first start");
        let secret = made.secret_access_key.expose_text().expect("text").to_owned();
        let root = Keys {
            id: made.access_key_id,
            secret,
            token: None,
        };
        Self {
            gateway,
            plan,
            root,
            existing: Existing::default(),
            wall,
        }
    }

    /// The same, with a runner of functions. Nobody else may use the gateway yet.
    #[must_use]
    pub fn with_functions(mut self, functions: Arc<dyn pipeline::functions::Functions>) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the gateway yet");
        self.gateway = Arc::new(gateway.with_functions(functions));
        self
    }

    /// The same, with a plane of instances.
    #[must_use]
    pub fn with_instances(mut self, instances: Arc<dyn pipeline::instances::Instances>) -> Self {
        let gateway = Arc::into_inner(self.gateway).expect("nobody else uses the gateway yet");
        self.gateway = Arc::new(gateway.with_instances(instances));
        self
    }

    /// The wall's time in Unix seconds.
    pub fn wall_seconds(&self) -> i64 {
        self.wall.load(Ordering::Relaxed) / 1000
    }

    /// Moves the wall clock.
    pub fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    /// Calls IAM as the root user, without the wire; it must succeed.
    pub fn make(&self, operation: &str, input: Value) -> Value {
        self.call("iam", operation, input)
            .unwrap_or_else(|code| panic!("{operation}: {code}"))
    }

    /// Calls any service as the root user, without the wire.
    ///
    /// # Errors
    /// The fault's code and message.
    pub fn call(&self, service: &str, operation: &str, input: Value) -> Result<Value, String> {
        self.call_as(ACCOUNT, service, operation, input)
    }

    /// Calls any service as the root user of an account, without the wire.
    ///
    /// # Errors
    /// The fault's code and message.
    #[expect(clippy::needless_pass_by_value, reason = "tests write json!() in place")]
    pub fn call_as(
        &self,
        account: &str,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, String> {
        let model = api::models::service(service).expect("a service");
        let shape = model.operation(operation).expect("an operation");
        let told = |fault: Fault| {
            format!(
                "{}: {}",
                protocol::spell(Some(model), Protocol::AwsJson11, &fault).code,
                fault.message
            )
        };
        let input = pipeline::testing::read(model, shape, &input).map_err(told)?;
        let root = Arc::new(Identity::root(account));
        let answer = self
            .wait(self.gateway.call(&root, REGION, service, operation, input))
            .map_err(told)?;
        let encoded = protocol::encode(model, shape, Protocol::AwsJson11, &answer, "").map_err(told)?;
        Ok(serde_json::from_slice(&encoded.body).unwrap_or_default())
    }

    /// A new user with this policy (or none), by an access key.
    pub fn user(&self, name: &str, policy: Option<&str>) -> Keys {
        self.make("CreateUser", json!({"UserName": name}));
        if let Some(text) = policy {
            self.make(
                "PutUserPolicy",
                json!({"UserName": name, "PolicyName": "own", "PolicyDocument": text}),
            );
        }
        Keys::of(&self.make("CreateAccessKey", json!({"UserName": name})))
    }

    /// Waits for a future on the shared runtime.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        runtime().block_on(future)
    }

    /// Sends a request as it is.
    pub fn send(&self, protocol: Protocol, request: Request) -> Said {
        Said::of(protocol, self.wait(self.answer(request)))
    }

    /// The answer to a request, to be awaited.
    pub fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send + use<> {
        let gateway = Arc::clone(&self.gateway);
        let incoming = Incoming {
            method: Method::from_bytes(request.method.as_bytes()).expect("a method"),
            path: request.path,
            query: request.query,
            headers: request.headers,
            body: request.body.into(),
            peer: ([127, 0, 0, 1], 50_000).into(),
            standing: pipeline::front::Standing::default(),
            tls: None,
        };
        async move { gateway.serve(incoming).await }
    }

    /// A request signed now.
    pub fn signed(
        &self,
        keys: &Keys,
        (service, operation, protocol): (&'static Service, &'static Operation, Protocol),
        input: &Document,
    ) -> Request {
        let mut request = client::request(service, operation, protocol, input);
        sign(
            &mut request,
            keys,
            REGION,
            service.signing_name,
            self.wall_seconds(),
        );
        request
    }

    /// Calls an operation over the wire in the service's first protocol, with JSON in the shape of the model.
    pub fn ask(&self, keys: &Keys, service: &str, operation: &str, input: &Value) -> Said {
        let (request, protocol) = self.asking(keys, service, operation, input);
        self.send(protocol, request)
    }

    /// The signed request of `ask`.
    pub fn asking(&self, keys: &Keys, service: &str, operation: &str, input: &Value) -> (Request, Protocol) {
        let model = api::models::service(service).expect("a service");
        let shape = model.operation(operation).expect("an operation");
        let input = pipeline::testing::read(model, shape, input)
            .map_err(|fault| fault.message)
            .expect("an input");
        let protocol = model.protocols[0];
        (self.signed(keys, (model, shape, protocol), &input), protocol)
    }

    /// The region in whose trail a call of this service is found.
    pub fn trail(service: &Service) -> &'static str {
        if service.global { "us-east-1" } else { REGION }
    }

    /// The newest records of a region's trail, newest first.
    pub fn newest(&self, region: &str, limit: usize) -> Vec<Record> {
        let query = ledger::Query {
            account: ACCOUNT,
            region,
            from: i64::MIN,
            to: i64::MAX,
            attribute: None,
            before: None,
            limit,
        };
        let read = self
            .gateway
            .system(region, |call| ledger::scan::page(call, &query));
        read.map_err(|fault| fault.message)
            .expect("the ledger reads")
            .records
    }

    /// How many records an account's trail holds in a region.
    pub fn count(&self, region: &str) -> u64 {
        let last = self
            .gateway
            .store()
            .tail(&ledger::stream(ACCOUNT, region))
            .expect("the ledger reads");
        last.map_or(0, |last| last + 1)
    }
}
