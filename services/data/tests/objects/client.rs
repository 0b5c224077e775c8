//! A cloud with S3 and IAM, and a plain client that signs.

use bytes::Bytes;
use data::{s3, s3control};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::telemetry::Sink;
use pipeline::testing::{ACCOUNT, BEGINNING, Cloud, REGION};
use pipeline::{Incoming, TlsFacts};
use serde_json::json;
use wire::protocol::Parts;
use wire::sigv4::{PathStyle, Signer, sign_request};

use crate::function::LAMBDA;

/// An account that does not own the bucket.
pub(crate) const OTHER: &str = "444455556666";
/// Milliseconds of a day.
pub(crate) const DAY: i64 = 86_400_000;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The code of an error document.
    pub(crate) fn code(&self) -> String {
        self.all("Code").into_iter().next().unwrap_or_default()
    }

    /// The texts of all elements of a name, in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let open = format!("<{name}>");
        text.split(&open)
            .skip(1)
            .filter_map(|rest| rest.split_once(&format!("</{name}>")))
            .map(|(inner, _)| inner.replace("&quot;", "\"").replace("&amp;", "&"))
            .collect()
    }

    /// The text of the first element of a name.
    pub(crate) fn one(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    /// The same, of an answer that must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The same, of a success, whatever its status.
    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        assert!(self.status < 300, "{}", self.text());
        self
    }

    /// The same, of a refusal.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.code().as_str()),
            (status, code),
            "{}",
            self.text()
        );
        self
    }
}

/// An access key.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A cloud with a bucket named `bucket`.
pub(crate) struct Here {
    pub(crate) cloud: Cloud,
    pub(crate) root: Keys,
    passed: std::cell::Cell<i64>,
    /// What further requests come over.
    pub(crate) tls: std::cell::Cell<Option<TlsFacts>>,
}

impl Here {
    pub(crate) fn new() -> Self {
        let here = Self::bare();
        here.make_bucket("bucket");
        here
    }

    /// One whose bucket keeps versions.
    pub(crate) fn versioned() -> Self {
        let here = Self::new();
        here.versioning("Enabled");
        here
    }

    /// One in which somebody keeps metrics.
    pub(crate) fn measured() -> Self {
        let here = Self::of(Some(&crate::metrics::SINK));
        here.make_bucket("bucket");
        here
    }

    fn bare() -> Self {
        Self::of(None)
    }

    fn of(telemetry: Option<&'static Sink>) -> Self {
        let tables = Tables {
            telemetry,
            operations: vec![
                identity::iam::OPERATIONS,
                identity::sts::OPERATIONS,
                keys::kms::OPERATIONS,
                s3::OPERATIONS,
                s3control::OPERATIONS,
                LAMBDA,
            ],
            jobs: vec![identity::iam::JOBS, keys::kms::JOBS, s3::JOBS],
            trails: vec![
                &identity::iam::TRAIL,
                &identity::sts::TRAIL,
                &keys::kms::TRAIL,
                &s3::TRAIL,
                &s3control::TRAIL,
            ],
            readiness: vec![&keys::kms::managed::READINESS],
            forms: vec![&s3::form::FORMS],
            origins: vec![&s3::bucket::ORIGINS],
            sites: Some(&s3::website::SITES),
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        let made = cloud
            .gateway
            .system("us-east-1", |call| identity::bootstrap(call, ACCOUNT, None))
            .ok()
            .unwrap();
        let root = Keys {
            id: made.access_key_id,
            secret: made.secret_access_key.expose_text().unwrap().to_owned(),
        };
        Self {
            cloud,
            root,
            passed: std::cell::Cell::new(0),
            tls: std::cell::Cell::new(None),
        }
    }

    pub(crate) fn make_bucket(&self, name: &str) {
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        self.put(&format!("/{name}"), "", body.as_bytes()).expect(200);
    }

    pub(crate) fn versioning(&self, status: &str) {
        self.versioning_of("bucket", status);
    }

    pub(crate) fn versioning_of(&self, bucket: &str, status: &str) {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        self.put(&format!("/{bucket}"), "versioning", body.as_bytes())
            .expect(200);
    }

    /// A user with one statement.
    pub(crate) fn user(&self, name: &str, actions: &[&str], resources: &[&str]) -> Keys {
        let root = self.cloud.root();
        let call = |operation: &str, input| self.cloud.call(&root, "iam", operation, input).unwrap();
        call("CreateUser", json!({"UserName": name}));
        let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": resources}});
        call(
            "PutUserPolicy",
            json!({"UserName": name, "PolicyName": "own", "PolicyDocument": policy.to_string()}),
        );
        Keys::of(&call("CreateAccessKey", json!({"UserName": name})))
    }

    /// The root user of another account.
    pub(crate) fn stranger(&self) -> Keys {
        let made = self
            .cloud
            .gateway
            .system("us-east-1", |call| identity::bootstrap(call, OTHER, None));
        let made = made.ok().unwrap();
        Keys {
            id: made.access_key_id,
            secret: made.secret_access_key.expose_text().unwrap().to_owned(),
        }
    }

    /// Gives `bucket` a policy of these statements.
    pub(crate) fn policy(&self, statements: &serde_json::Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        self.put("/bucket", "policy", policy.to_string().as_bytes())
            .fine();
    }

    /// Whether nothing is planned for the day that begins now.
    pub(crate) fn is_idle(&self) -> bool {
        let due = self.cloud.gateway.next_due().ok().unwrap();
        due.is_none_or(|due| due > BEGINNING + self.passed.get() + DAY)
    }

    pub(crate) fn advance(&self, milliseconds: i64) {
        self.passed.set(self.passed.get() + milliseconds);
        self.cloud.advance(milliseconds);
    }

    pub(crate) fn put(&self, path: &str, query: &str, body: &[u8]) -> Reply {
        self.send("PUT", path, query, &[], body)
    }

    pub(crate) fn get(&self, path: &str, query: &str) -> Reply {
        self.send("GET", path, query, &[], b"")
    }

    pub(crate) fn head(&self, path: &str) -> Reply {
        self.send("HEAD", path, "", &[], b"")
    }

    pub(crate) fn delete(&self, path: &str, query: &str) -> Reply {
        self.send("DELETE", path, query, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, query: &str, body: &str) -> Reply {
        self.send("POST", path, query, &[], body.as_bytes())
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Reply {
        self.send_as(&self.root, method, path, query, headers, body)
    }

    pub(crate) fn send_as(
        &self,
        keys: &Keys,
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut all = HeaderMap::new();
        all.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        let digest = crypto::digest::hex(&crypto::digest::sha256(body));
        all.insert("x-amz-content-sha256", digest.parse().unwrap());
        all.insert("content-length", body.len().to_string().parse().unwrap());
        for (name, value) in headers {
            all.insert(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        let signer = Signer {
            access_key_id: &keys.id,
            secret_access_key: &keys.secret,
            session_token: None,
            region: REGION,
            service: "s3",
        };
        let parts = Parts {
            method,
            path,
            query,
            headers: &all,
            body,
        };
        let at = (BEGINNING + self.passed.get()) / 1000;
        let (sha256, hmac) = (crypto::digest::sha256, crypto::digest::hmac_sha256);
        let added = sign_request(&signer, &parts, PathStyle::Raw, at, sha256, hmac).unwrap();
        for (name, value) in added {
            all.insert(name, value);
        }
        self.serve(method, path, query, all, body)
    }

    /// A read whose signature stands in the query since `before` milliseconds.
    pub(crate) fn presigned(&self, keys: &Keys, path: &str, before: i64) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        let at = wire::sigv4::basic_time((BEGINNING + self.passed.get() - before) / 1000);
        let day = at.split('T').next().unwrap();
        let query = |signature: &str| {
            format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{day}%2F{REGION}%2Fs3%2Faws4_request&X-Amz-Date={at}\
                 &X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature={signature}",
                keys.id
            )
        };
        let unsigned = query(&"0".repeat(64));
        let parts = Parts {
            method: "GET",
            path,
            query: &unsigned,
            headers: &headers,
            body: b"",
        };
        let claim = wire::sigv4::parse(&parts).ok().flatten().unwrap();
        let text = wire::sigv4::string_to_sign(&claim, &parts, PathStyle::Raw, crypto::digest::sha256);
        let hmac = crypto::digest::hmac_sha256;
        let key = wire::sigv4::signing_key(&keys.secret, day, REGION, "s3", hmac);
        let signature = crypto::digest::hex(&hmac(key.as_slice(), text.text.as_bytes()));
        self.serve("GET", path, &query(&signature), headers, b"")
    }

    /// A request that nobody signed.
    pub(crate) fn anonymous(&self, method: &str, path: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        self.serve(method, path, "", headers, b"")
    }

    pub(crate) fn serve(
        &self,
        method: &str,
        path: &str,
        query: &str,
        headers: HeaderMap,
        body: &[u8],
    ) -> Reply {
        let answer = self.cloud.serve(Incoming {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Bytes::copy_from_slice(body).into(),
            peer: "127.0.0.1:50000".parse().unwrap(),
            standing: pipeline::front::Standing::default(),
            tls: self.tls.get(),
        });
        Reply {
            status: answer.status,
            headers: answer.headers,
            body: self.cloud.take(answer.body),
        }
    }
}

impl Keys {
    fn of(made: &serde_json::Value) -> Self {
        let text = |name: &str| made["AccessKey"][name].as_str().unwrap().to_owned();
        Self {
            id: text("AccessKeyId"),
            secret: text("SecretAccessKey"),
        }
    }
}
