//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.
//!
//! The template's words for a bucket's configurations differ from those of S3's operations; `s3_words` turns the one into the other.
//!
//! Source: CloudFormation Template Reference, the pages of these types.
//!
//! Invariant: a bucket with objects in it is not removed; S3 refuses that, and so does the stack.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{differs, policy, same, truth};
use super::s3_words as words;
use super::{Existing, Made, Property, ResourceType, Services, Wanted, expect_new, invalid, tag_list};

const SERVICE: &str = "s3";
/// Bytes of a bucket's name.
const NAME_MAX: usize = 63;

pub(crate) struct Bucket;

/// A configuration of a bucket: its property, the operation that sets it, the member of that operation's input, how the value is said
/// there, and the operation that takes it away.
struct Configuration {
    property: &'static str,
    put: &'static str,
    member: &'static str,
    said: fn(&Value) -> Result<Value>,
    /// `None` for what cannot be taken away; `said` is then asked for what stands for nothing.
    delete: Option<&'static str>,
    nothing: fn() -> Value,
}

const fn configuration(
    property: &'static str,
    put: &'static str,
    member: &'static str,
    said: fn(&Value) -> Result<Value>,
    delete: Option<&'static str>,
) -> Configuration {
    Configuration {
        property,
        put,
        member,
        said,
        delete,
        nothing: || json!({}),
    }
}

/// In the order in which they are set: what others need comes first.
static CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        nothing: || json!({ "Status": "Suspended" }),
        ..configuration(
            "VersioningConfiguration",
            "PutBucketVersioning",
            "VersioningConfiguration",
            words::as_is,
            None,
        )
    },
    configuration(
        "BucketEncryption",
        "PutBucketEncryption",
        "ServerSideEncryptionConfiguration",
        words::encryption,
        Some("DeleteBucketEncryption"),
    ),
    configuration(
        "OwnershipControls",
        "PutBucketOwnershipControls",
        "OwnershipControls",
        words::as_is,
        Some("DeleteBucketOwnershipControls"),
    ),
    configuration(
        "PublicAccessBlockConfiguration",
        "PutPublicAccessBlock",
        "PublicAccessBlockConfiguration",
        words::as_is,
        Some("DeletePublicAccessBlock"),
    ),
    configuration(
        "CorsConfiguration",
        "PutBucketCors",
        "CORSConfiguration",
        words::cors,
        Some("DeleteBucketCors"),
    ),
    configuration(
        "LifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "LifecycleConfiguration",
        words::lifecycle,
        Some("DeleteBucketLifecycle"),
    ),
    configuration(
        "LoggingConfiguration",
        "PutBucketLogging",
        "BucketLoggingStatus",
        words::logging,
        None,
    ),
    Configuration {
        nothing: || json!({ "Status": "Suspended" }),
        ..configuration(
            "AccelerateConfiguration",
            "PutBucketAccelerateConfiguration",
            "AccelerateConfiguration",
            words::acceleration,
            None,
        )
    },
    configuration(
        "WebsiteConfiguration",
        "PutBucketWebsite",
        "WebsiteConfiguration",
        words::website,
        Some("DeleteBucketWebsite"),
    ),
];

impl ResourceType for Bucket {
    described!(
        "AWS::S3::Bucket",
        [
            Property::new("AccelerateConfiguration"),
            Property::new("AccessControl"),
            Property::new("BucketEncryption"),
            Property::fixed("BucketName"),
            Property::new("CorsConfiguration"),
            Property::new("LifecycleConfiguration"),
            Property::new("LoggingConfiguration"),
            Property::new("ObjectLockConfiguration"),
            Property::fixed("ObjectLockEnabled"),
            Property::new("OwnershipControls"),
            Property::new("PublicAccessBlockConfiguration"),
            Property::new("Tags"),
            Property::new("VersioningConfiguration"),
            Property::new("WebsiteConfiguration"),
        ],
        [
            "Arn",
            "DomainName",
            "DualStackDomainName",
            "RegionalDomainName",
            "WebsiteURL",
        ]
    );

    fn system_tags(&self) -> bool {
        true
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let made_up = || wanted.physical_name(NAME_MAX).to_ascii_lowercase();
        let name = wanted.text("BucketName").unwrap_or_else(made_up);
        let mut input = Map::new();
        input.insert("Bucket".to_owned(), name.clone().into());
        if wanted.stack.region != "us-east-1" {
            let place = json!({ "LocationConstraint": wanted.stack.region });
            input.insert("CreateBucketConfiguration".to_owned(), place);
        }
        if truth(wanted.property("ObjectLockEnabled")) {
            input.insert("ObjectLockEnabledForBucket".to_owned(), true.into());
        }
        // A list of access comes with the bucket only where the template says who owns objects.
        if let Some(owner) = wanted
            .property("OwnershipControls")
            .and_then(|rules| rules.pointer("/Rules/0/ObjectOwnership"))
        {
            input.insert("ObjectOwnership".to_owned(), owner.clone());
        }
        services.invoke(SERVICE, "CreateBucket", Value::Object(input))?;
        for configuration in CONFIGURATIONS {
            if let Some(value) = wanted.property(configuration.property) {
                set(services, &name, configuration, (configuration.said)(value)?)?;
            }
        }
        if let Some(value) = wanted.property("ObjectLockConfiguration") {
            lock(services, &name, value)?;
        }
        if wanted.property("AccessControl").is_some() {
            access(services, &name, wanted)?;
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            let tagging = json!({ "TagSet": tag_list(&tags) });
            services.invoke(
                SERVICE,
                "PutBucketTagging",
                json!({ "Bucket": name, "Tagging": tagging }),
            )?;
        }
        Ok(made(&name, &wanted.stack.region))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let name = existing.physical_id;
        for configuration in CONFIGURATIONS {
            if !differs(existing, wanted, configuration.property) {
                continue;
            }
            match (wanted.property(configuration.property), configuration.delete) {
                (Some(value), _) => set(services, name, configuration, (configuration.said)(value)?)?,
                (None, Some(operation)) => {
                    services.invoke(SERVICE, operation, json!({ "Bucket": name }))?;
                }
                (None, None) => set(services, name, configuration, (configuration.nothing)())?,
            }
        }
        if let Some(value) = wanted.property("ObjectLockConfiguration")
            && differs(existing, wanted, "ObjectLockConfiguration")
        {
            lock(services, name, value)?;
        }
        if differs(existing, wanted, "AccessControl") {
            access(services, name, wanted)?;
        }
        let tags = super::difference::tags(existing, wanted, "Tags");
        if !tags.gone.is_empty() || !tags.put.is_empty() {
            let all = wanted.all_tags("Tags");
            if all.is_empty() {
                services.invoke(SERVICE, "DeleteBucketTagging", json!({ "Bucket": name }))?;
            } else {
                let tagging = json!({ "TagSet": tag_list(&all) });
                services.invoke(
                    SERVICE,
                    "PutBucketTagging",
                    json!({ "Bucket": name, "Tagging": tagging }),
                )?;
            }
        }
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "Bucket": existing.physical_id });
        services.invoke(SERVICE, "DeleteBucket", input).map(drop)
    }
}

fn set(
    services: &mut Services<'_, '_>,
    bucket: &str,
    configuration: &Configuration,
    value: Value,
) -> Result<()> {
    let input = json!({ "Bucket": bucket, configuration.member: value });
    services.invoke(SERVICE, configuration.put, input).map(drop)
}

fn lock(services: &mut Services<'_, '_>, bucket: &str, value: &Value) -> Result<()> {
    let mut value = value.clone();
    if let Value::Object(members) = &mut value {
        members
            .entry("ObjectLockEnabled")
            .or_insert_with(|| "Enabled".into());
    }
    let input = json!({ "Bucket": bucket, "ObjectLockConfiguration": value });
    services
        .invoke(SERVICE, "PutObjectLockConfiguration", input)
        .map(drop)
}

/// The canned list of access, in S3's words.
fn access(services: &mut Services<'_, '_>, bucket: &str, wanted: &Wanted<'_>) -> Result<()> {
    let name = wanted
        .text("AccessControl")
        .unwrap_or_else(|| "Private".to_owned());
    let canned = match name.as_str() {
        "Private" => "private",
        "PublicRead" => "public-read",
        "PublicReadWrite" => "public-read-write",
        "AuthenticatedRead" => "authenticated-read",
        "LogDeliveryWrite" => "log-delivery-write",
        "BucketOwnerRead" => "bucket-owner-read",
        "BucketOwnerFullControl" => "bucket-owner-full-control",
        "AwsExecRead" => "aws-exec-read",
        _ => {
            return Err(invalid(format!(
                "#/AccessControl: {name} is not a valid enum value"
            )));
        }
    };
    let input = json!({ "Bucket": bucket, "ACL": canned });
    services.invoke(SERVICE, "PutBucketAcl", input).map(drop)
}

fn made(name: &str, region: &str) -> Made {
    Made::new(name)
        .with("Arn", format!("arn:aws:s3:::{name}"))
        .with("DomainName", format!("{name}.s3.amazonaws.com"))
        .with(
            "DualStackDomainName",
            format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        )
        .with("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com"))
        .with(
            "WebsiteURL",
            format!("http://{name}.{}.amazonaws.com", website_host(region)),
        )
}

/// Regions of the first years join the words by a hyphen (Amazon S3 User Guide, "Website endpoints").
fn website_host(region: &str) -> String {
    let early = [
        "us-east-1",
        "us-west-1",
        "us-west-2",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-northeast-1",
        "eu-west-1",
        "sa-east-1",
        "us-gov-west-1",
    ];
    let joint = if early.contains(&region) { '-' } else { '.' };
    format!("s3-website{joint}{region}")
}

pub(crate) struct BucketPolicy;

impl ResourceType for BucketPolicy {
    described!(
        "AWS::S3::BucketPolicy",
        [
            Property::fixed("Bucket").required(),
            Property::new("PolicyDocument").required(),
        ],
        []
    );

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let bucket = wanted.text("Bucket").unwrap_or_default();
        let there = services.invoke(SERVICE, "GetBucketPolicy", json!({ "Bucket": bucket }));
        expect_new(self.name(), &bucket, there)?;
        put(services, wanted, &bucket)?;
        Ok(Made::new(bucket))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        put(services, wanted, existing.physical_id)?;
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "Bucket": existing.physical_id });
        services.invoke(SERVICE, "DeleteBucketPolicy", input).map(drop)
    }
}

fn put(services: &mut Services<'_, '_>, wanted: &Wanted<'_>, bucket: &str) -> Result<()> {
    let text = policy(wanted.property("PolicyDocument").unwrap_or(&Value::Null))?;
    let input = json!({ "Bucket": bucket, "Policy": text });
    services.invoke(SERVICE, "PutBucketPolicy", input).map(drop)
}
