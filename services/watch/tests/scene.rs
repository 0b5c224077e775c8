//! A cloud whose calls come over the wire, signed, so that their records have all that CloudTrail tells.

use std::fmt::Write as _;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure, REGION};
use pipeline::{Identity, Incoming, TlsFacts};
use serde_json::{Value, json};
use wire::protocol::Parts;
use wire::sigv4::{PathStyle, Signer, sign_request};

/// An access key as its holder keeps it.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Keys {
    /// Of the answer of `CreateAccessKey`, or of one of STS's.
    pub(crate) fn of(answer: &Value) -> Self {
        let shown = if answer["AccessKey"].is_object() {
            &answer["AccessKey"]
        } else {
            &answer["Credentials"]
        };
        let text = |name: &str| shown[name].as_str().unwrap().to_owned();
        let token = shown["SessionToken"].as_str().map(str::to_owned);
        Self {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
            token,
        }
    }
}

pub(crate) struct Scene {
    pub(crate) cloud: Cloud,
    pub(crate) root: Caller,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let tables = Tables {
            operations: vec![
                identity::iam::OPERATIONS,
                identity::sts::OPERATIONS,
                keys::kms::OPERATIONS,
                watch::cloudtrail::OPERATIONS,
                watch::cloudwatch::OPERATIONS,
            ],
            jobs: vec![keys::kms::JOBS, watch::cloudwatch::JOBS],
            trails: vec![
                &identity::iam::TRAIL,
                &identity::sts::TRAIL,
                &keys::kms::TRAIL,
                &watch::cloudwatch::TRAIL,
            ],
            telemetry: Some(&watch::cloudwatch::SINK),
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        });
        assert!(made.is_ok());
        let root = cloud.root();
        Self { cloud, root }
    }

    /// Calls IAM or STS as root, which must succeed.
    pub(crate) fn root(&self, service: &str, operation: &str, input: Value) -> Value {
        self.cloud
            .call(&self.root, service, operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    /// The root user of another account.
    pub(crate) fn foreign_root(&self, account: &str) -> Caller {
        Arc::new(Identity::root(account))
    }

    /// A new user with an access key, who may do what `action` matches.
    pub(crate) fn user(&self, name: &str, action: &str) -> Keys {
        self.root("iam", "CreateUser", json!({"UserName": name}));
        let document = json!({
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": action, "Resource": "*"},
        });
        let input = json!({"UserName": name, "PolicyName": "own", "PolicyDocument": document.to_string()});
        self.root("iam", "PutUserPolicy", input);
        Keys::of(&self.root("iam", "CreateAccessKey", json!({"UserName": name})))
    }

    /// Who an access key stands for.
    pub(crate) fn caller(&self, keys: &Keys) -> Caller {
        self.cloud.caller(&keys.id, keys.token.as_deref()).unwrap()
    }

    /// Sends a signed query request of IAM or STS over TLS; the status and the body.
    pub(crate) fn send(
        &self,
        keys: &Keys,
        service: &str,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> (u16, String) {
        let version = if service == "iam" {
            "2010-05-08"
        } else {
            "2011-06-15"
        };
        let mut body = format!("Action={operation}&Version={version}");
        for (name, value) in parameters {
            let _ = write!(body, "&{name}=");
            for byte in value.bytes() {
                let _ = write!(body, "%{byte:02X}");
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("cloud.example:4566"));
        headers.insert("user-agent", HeaderValue::from_static("Boto3/1.44.5"));
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
        );
        let signer = Signer {
            access_key_id: &keys.id,
            secret_access_key: &keys.secret,
            session_token: keys.token.as_deref(),
            region: REGION,
            service,
        };
        let parts = Parts {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let now = self.cloud.gateway.clock().wall().seconds();
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        for (name, value) in sign_request(&signer, &parts, PathStyle::Normalised, now, sha256, hmac).unwrap()
        {
            headers.insert(name, value);
        }
        let answer = self.cloud.serve(Incoming {
            method: Method::POST,
            path: "/".to_owned(),
            query: String::new(),
            headers,
            body: pipeline::Body::Whole(body.into()),
            peer: "192.0.2.7:50000".parse().unwrap(),
            standing: pipeline::front::Standing::default(),
            tls: Some(TlsFacts {
                version: "TLSv1.3",
                cipher_suite: "TLS_AES_128_GCM_SHA256",
            }),
        });
        (
            answer.status,
            String::from_utf8(answer.body.at_hand().to_vec()).unwrap(),
        )
    }

    /// As `send`, and the call must succeed.
    pub(crate) fn sent(&self, keys: &Keys, service: &str, operation: &str, parameters: &[(&str, &str)]) {
        let (status, body) = self.send(keys, service, operation, parameters);
        assert_eq!(status, 200, "{operation}: {body}");
    }

    /// A session of a role, or of a federated user.
    pub(crate) fn session(&self, caller: &Caller, operation: &str, input: Value) -> Keys {
        Keys::of(&self.cloud.call(caller, "sts", operation, input).unwrap())
    }

    /// Looks events up as `caller`.
    pub(crate) fn try_lookup(&self, caller: &Caller, region: &str, input: Value) -> Result<Value, Failure> {
        self.cloud
            .call_in(region, caller, "cloudtrail", "LookupEvents", input)
    }

    /// Looks events up as root, which must succeed.
    pub(crate) fn lookup(&self, region: &str, input: Value) -> Vec<Value> {
        let answer = self
            .try_lookup(&self.root, region, input)
            .unwrap_or_else(|failure| panic!("{failure:?}"));
        answer["Events"].as_array().unwrap().clone()
    }

    /// Events with one attribute, as root finds them, in their JSON form.
    pub(crate) fn found(&self, region: &str, key: &str, value: &str) -> Vec<Value> {
        let input = json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]});
        self.lookup(region, input).iter().map(parsed).collect()
    }
}

/// The event that an entry carries.
pub(crate) fn parsed(entry: &Value) -> Value {
    serde_json::from_str(entry["CloudTrailEvent"].as_str().unwrap()).unwrap()
}

/// A trust policy for one principal.
pub(crate) fn trust(principal: &str) -> String {
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}
