//! A cloud with S3, S3 Control and IAM, in which the root user of an account makes buckets.

use data::{s3, s3control};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud, Failure, REGION};
use pipeline::{Answer, Incoming};
use serde_json::{Value, json};

/// The cloud of one test.
pub(crate) struct Here {
    pub(crate) cloud: Cloud,
}

impl Here {
    pub(crate) fn new() -> Self {
        let tables = Tables {
            operations: vec![identity::iam::OPERATIONS, s3::OPERATIONS, s3control::OPERATIONS],
            jobs: vec![identity::iam::JOBS],
            trails: vec![&identity::iam::TRAIL, &s3::TRAIL, &s3control::TRAIL],
            inventories: vec![&s3::inventory::BUCKETS],
            origins: vec![&s3::bucket::ORIGINS],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        cloud
            .gateway
            .system("us-east-1", |call| identity::bootstrap(call, ACCOUNT, None))
            .ok()
            .unwrap();
        Self { cloud }
    }

    /// One with a bucket named `bucket`.
    pub(crate) fn with_bucket() -> Self {
        let here = Self::new();
        here.make("bucket").unwrap();
        here
    }

    pub(crate) fn make(&self, name: &str) -> Result<Value, Failure> {
        let place = json!({"LocationConstraint": REGION});
        self.call(
            "CreateBucket",
            json!({"Bucket": name, "CreateBucketConfiguration": place}),
        )
    }

    /// Calls S3 as the root user.
    pub(crate) fn call(&self, operation: &str, input: Value) -> Result<Value, Failure> {
        self.cloud.call(&self.cloud.root(), "s3", operation, input)
    }

    /// Calls S3 on `bucket` as the root user, with one more member.
    pub(crate) fn on_bucket(&self, operation: &str, member: &str, value: Value) -> Result<Value, Failure> {
        self.call(operation, json!({"Bucket": "bucket", member: value}))
    }

    /// The code of a refusal, empty of success.
    pub(crate) fn code(answer: Result<Value, Failure>) -> String {
        answer.err().map(|failure| failure.code).unwrap_or_default()
    }

    /// A new user without policies.
    pub(crate) fn user(&self, name: &str) -> Caller {
        let root = self.cloud.root();
        let iam = |operation: &str| {
            self.cloud
                .call_in("us-east-1", &root, "iam", operation, json!({"UserName": name}))
                .unwrap()
        };
        iam("CreateUser");
        let key = iam("CreateAccessKey");
        let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
        self.cloud.caller(id, None).unwrap()
    }

    /// A request that nobody signed.
    pub(crate) fn plain(&self, method: &str, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        map.insert("host", HeaderValue::from_static("127.0.0.1:4566"));
        for (name, value) in headers {
            map.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        self.cloud.serve(Incoming {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query: String::new(),
            headers: map,
            body: bytes::Bytes::new().into(),
            peer: ([127, 0, 0, 1], 50_000).into(),
            standing: pipeline::front::Standing::default(),
            tls: None,
        })
    }
}
