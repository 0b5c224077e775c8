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
        watch::cloudtrail::OPERATIONS,
    ]
}

/// Every service's jobs.
pub fn jobs() -> Vec<&'static [JobKind]> {
    vec![
        identity::iam::JOBS,
        identity::organizations::JOBS,
        identity::accessanalyzer::JOBS,
        keys::kms::JOBS,
        keys::secretsmanager::JOBS,
        keys::ssm::JOBS,
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
            ],
            observers: vec![&identity::accessanalyzer::scan::OBSERVER],
        };
        let random = Arc::new(crypto::SystemRandomness);
        let directory = Box::new(IdentityDirectory::default());
        let gateway = Arc::new(Gateway::new(
            store, seal, random, clock, directory, ACCOUNT, &tables,
        ));
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

    /// An account with one thing of every kind, named `existing`.
    pub fn furnished() -> Self {
        let mut world = Self::bare();
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#;
        let name = "existing";
        world.make("CreateUser", json!({"UserName": name}));
        world.make("CreateGroup", json!({"GroupName": name}));
        world.make(
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": trust}),
        );
        world.make("CreateInstanceProfile", json!({"InstanceProfileName": name}));
        world.make("CreateVirtualMFADevice", json!({"VirtualMFADeviceName": name}));
        let provider = json!({"Url": "https://existing.example", "ClientIDList": ["a"], "ThumbprintList": ["a".repeat(40)]});
        world.make("CreateOpenIDConnectProvider", provider);
        let metadata = crate::sample::METADATA;
        world.make(
            "CreateSAMLProvider",
            json!({"Name": name, "SAMLMetadataDocument": metadata}),
        );
        let policy = crate::sample::POLICY;
        world.make(
            "CreatePolicy",
            json!({"PolicyName": name, "PolicyDocument": policy}),
        );
        let inline = json!({"PolicyName": name, "PolicyDocument": policy});
        for (kind, operation) in [
            ("UserName", "PutUserPolicy"),
            ("GroupName", "PutGroupPolicy"),
            ("RoleName", "PutRolePolicy"),
        ] {
            let mut input = inline.clone();
            input[kind] = name.into();
            world.make(operation, input);
        }
        world.existing.access_key_id = Keys::of(&world.make("CreateAccessKey", json!({"UserName": name}))).id;
        world.furnish_credentials(name);
        if world.gateway.endpoint("kms", "CreateKey").is_some() {
            let made = world.call("kms", "CreateKey", json!({})).expect("a key");
            world.existing.key_id = made["KeyMetadata"]["KeyId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let id = |input| {
                let made = world.call("kms", "CreateKey", input).expect("a key");
                made["KeyMetadata"]["KeyId"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            let (external, primary) = (
                id(json!({"Origin": "EXTERNAL"})),
                id(json!({"MultiRegion": true})),
            );
            let replica = json!({"KeyId": primary, "ReplicaRegion": "eu-west-1"});
            world.call("kms", "ReplicateKey", replica).expect("a replica");
            world.furnish_pairs();
            // A key whose material is to be imported, and a primary key with a replica.
            for (operation, key) in [
                ("GetParametersForImport", &external),
                ("ImportKeyMaterial", &external),
                ("DeleteImportedKeyMaterial", &external),
                ("ReplicateKey", &primary),
                ("UpdatePrimaryRegion", &primary),
            ] {
                let named = vec![("KeyId", Document::String(key.clone()))];
                world.existing.pairs.insert(operation, named);
            }
            let alias = json!({"AliasName": "alias/existing", "TargetKeyId": world.existing.key_id});
            world.call("kms", "CreateAlias", alias).expect("an alias");
            let user = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
            let grant =
                json!({"KeyId": world.existing.key_id, "GranteePrincipal": user, "Operations": ["Encrypt"]});
            let made = world.call("kms", "CreateGrant", grant).expect("a grant");
            world.existing.grant_id = made["GrantId"].as_str().unwrap_or_default().to_owned();
            let encrypted = json!({"KeyId": world.existing.key_id, "Plaintext": "AAAA"});
            let made = world.call("kms", "Encrypt", encrypted).expect("a ciphertext");
            let text = made["CiphertextBlob"].as_str().unwrap_or_default();
            world.existing.ciphertext =
                base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).expect("base64");
        }
        world.furnish_secret(name);
        let parameter = json!({"Name": name, "Value": "v", "Type": "String"});
        world.call("ssm", "PutParameter", parameter).expect("a parameter");
        world.furnish_analyzer(name, trust);
        if world
            .gateway
            .endpoint("organizations", "CreateOrganization")
            .is_some()
        {
            world.organize();
        }
        world.plan.take_written();
        world
    }

    /// Keys that sign, authenticate and agree.
    fn furnish_pairs(&mut self) {
        for (spec, usage, operations) in [
            ("ECC_NIST_P256", "SIGN_VERIFY", &["GetPublicKey", "Sign"][..]),
            ("HMAC_224", "GENERATE_VERIFY_MAC", &["GenerateMac"]),
            ("ECC_NIST_P256", "KEY_AGREEMENT", &["DeriveSharedSecret"]),
        ] {
            let made = self
                .call("kms", "CreateKey", json!({"KeySpec": spec, "KeyUsage": usage}))
                .expect("a key");
            let key = made["KeyMetadata"]["KeyId"].as_str().unwrap_or_default();
            let mut members = vec![("KeyId", Document::String(key.to_owned()))];
            if usage == "SIGN_VERIFY" {
                members.push(("SigningAlgorithm", Document::String("ECDSA_SHA_256".to_owned())));
            }
            if usage == "KEY_AGREEMENT" {
                let shown = self
                    .call("kms", "GetPublicKey", json!({"KeyId": key}))
                    .expect("a public key");
                let text = shown["PublicKey"].as_str().unwrap_or_default();
                let public = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text);
                members.push(("PublicKey", Document::Blob(public.expect("base64"))));
            }
            for operation in operations {
                self.existing.pairs.insert(operation, members.clone());
            }
        }
    }

    /// An organization with a unit, a member in it, a policy, and an invitation that stands.
    fn organize(&mut self) {
        let ok = |world: &Self, operation: &str, input: Value| {
            let answer = world.call("organizations", operation, input);
            answer.unwrap_or_else(|code| panic!("{operation}: {code}"))
        };
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let made = ok(self, "CreateOrganization", json!({}));
        let organization = text(&made["Organization"]["Id"]);
        let root = text(&ok(self, "ListRoots", json!({}))["Roots"][0]["Id"]);
        let kind = json!({"RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY"});
        ok(self, "EnablePolicyType", kind);
        let unit = ok(
            self,
            "CreateOrganizationalUnit",
            json!({"ParentId": root, "Name": "unit"}),
        );
        let unit = text(&unit["OrganizationalUnit"]["Id"]);
        let (member, invited) = ("222233334444", "333344445555");
        let mut sent = String::new();
        for account in [member, invited] {
            let made = self.gateway.system("us-east-1", |call| {
                identity::iam::bootstrap::ensure_account(call, account, None)
            });
            made.map_err(|fault| fault.message).expect("an account");
            let target = json!({"Target": {"Id": account, "Type": "ACCOUNT"}});
            sent = text(&ok(self, "InviteAccountToOrganization", target)["Handshake"]["Id"]);
            if account == member {
                let accept = json!({ "HandshakeId": sent });
                let accepted = self.call_as(member, "organizations", "AcceptHandshake", accept);
                accepted.expect("a member");
            }
        }
        for service in ["config.amazonaws.com", "iam.amazonaws.com"] {
            let service = json!({ "ServicePrincipal": service });
            ok(self, "EnableAWSServiceAccess", service);
        }
        self.make("EnableOrganizationsRootCredentialsManagement", json!({}));
        let asked = json!({"AccountName": "asked", "Email": "asked@example.com"});
        let asked = text(&ok(self, "CreateAccount", asked)["CreateAccountStatus"]["Id"]);
        let document = crate::sample::POLICY;
        let policy = json!({"Type": "SERVICE_CONTROL_POLICY", "Name": "existing", "Description": "d", "Content": document});
        let policy = text(&ok(self, "CreatePolicy", policy)["Policy"]["PolicySummary"]["Id"]);
        let attach = json!({"PolicyId": policy, "TargetId": unit});
        ok(self, "AttachPolicy", attach);
        let delegates = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"AWS": member}, "Action": "organizations:ListPolicies", "Resource": "*",
        }});
        ok(
            self,
            "PutResourcePolicy",
            json!({"Content": delegates.to_string()}),
        );
        self.existing.organization = BTreeMap::from([
            ("EntityPath", format!("{organization}/{root}")),
            ("ParentId", root.clone()),
            ("SourceParentId", root.clone()),
            ("DestinationParentId", unit.clone()),
            ("RootId", root),
            ("OrganizationalUnitId", unit.clone()),
            ("ChildId", unit.clone()),
            ("ResourceId", unit.clone()),
            ("TargetId", unit),
            ("AccountId", member.to_owned()),
            ("HandshakeId", sent),
            ("CreateAccountRequestId", asked),
            ("PolicyId", policy),
        ]);
    }

    /// A secret under the key that exists.
    fn furnish_secret(&self, name: &str) {
        if self.gateway.endpoint("secretsmanager", "CreateSecret").is_some() {
            let input = json!({"Name": name, "SecretString": "a", "KmsKeyId": self.existing.key_id,
                "ClientRequestToken": crate::sample::SECRET_VERSION});
            self.call("secretsmanager", "CreateSecret", input)
                .expect("a secret");
        }
    }

    /// Certificates, keys and credentials of services, and a role whose deletion was asked for.
    fn furnish_credentials(&mut self, name: &str) {
        let text = |answer: &Value, pointer: &str| {
            let value = answer.pointer(pointer).and_then(Value::as_str);
            value.expect("an id in the answer").to_owned()
        };
        let authority = || crypto::certificate::Authority::create(BEGINNING / 1000).expect("an authority");
        let free = authority();
        self.existing.certificate = free.certificate_pem();
        self.existing.private_key = free.key_pem().expose_text().expect("text").to_owned();
        let input = json!({"ServerCertificateName": name, "CertificateBody": self.existing.certificate,
            "PrivateKey": self.existing.private_key});
        self.make("UploadServerCertificate", input);
        let input = json!({"UserName": name, "CertificateBody": authority().certificate_pem()});
        let made = self.make("UploadSigningCertificate", input);
        self.existing.signing_certificate_id = text(&made, "/Certificate/CertificateId");
        let input = json!({"UserName": name, "SSHPublicKeyBody": crate::sample::ssh_key(1)});
        let made = self.make("UploadSSHPublicKey", input);
        self.existing.ssh_key_id = text(&made, "/SSHPublicKey/SSHPublicKeyId");
        let input = json!({"UserName": name, "ServiceName": crate::sample::CREDENTIAL_SERVICE});
        let made = self.make("CreateServiceSpecificCredential", input);
        let id = "/ServiceSpecificCredential/ServiceSpecificCredentialId";
        self.existing.service_credential_id = text(&made, id);
        let made = self.make(
            "CreateServiceLinkedRole",
            json!({"AWSServiceName": "support.amazonaws.com"}),
        );
        let role = text(&made, "/Role/RoleName");
        let made = self.make("DeleteServiceLinkedRole", json!({"RoleName": role}));
        self.existing.deletion_task_id = text(&made, "/DeletionTaskId");
    }

    /// An analyzer with a rule, a finding, a preview and a generated policy.
    fn furnish_analyzer(&mut self, name: &str, trust: &str) {
        let analyzer = json!({"analyzerName": name, "type": "ACCOUNT"});
        self.call("accessanalyzer", "CreateAnalyzer", analyzer)
            .expect("an analyzer");
        let rule = json!({"analyzerName": name, "ruleName": name, "filter": {"isPublic": {"eq": ["false"]}}});
        self.call("accessanalyzer", "CreateArchiveRule", rule)
            .expect("an archive rule");
        let user = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
        let generation = json!({"policyGenerationDetails": {"principalArn": user}});
        let made = self
            .call("accessanalyzer", "StartPolicyGeneration", generation)
            .expect("a policy generation");
        self.existing.generation_id = made["jobId"].as_str().unwrap_or_default().to_owned();
        let outside = trust.replace("111122223333", "444455556666");
        self.make(
            "CreateRole",
            json!({"RoleName": "outside", "AssumeRolePolicyDocument": outside}),
        );
        self.pass(120);
        let due = self.gateway.run_due(self.gateway.clock().now());
        self.wait(due).map_err(|fault| fault.message).expect("the jobs");
        let analyzer = format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/{name}");
        let role = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let proposed = json!({"analyzerArn": analyzer, "configurations": {role: {"iamRole": {}}}});
        let made = self
            .call("accessanalyzer", "CreateAccessPreview", proposed)
            .expect("an access preview");
        self.existing.preview_id = made["id"].as_str().unwrap_or_default().to_owned();
        let found = self
            .call("accessanalyzer", "ListFindings", json!({"analyzerArn": analyzer}))
            .expect("findings");
        self.existing.finding_id = found["findings"][0]["id"].as_str().unwrap_or_default().to_owned();
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
            body: request.body,
            peer: ([127, 0, 0, 1], 50_000).into(),
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
