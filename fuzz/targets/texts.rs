//! Texts that mean something to an operation: expressions, policies, filters, headers, tokens. Whatever the text is, the call is answered
//! or refused, never fails inside, and a question has the same answer twice.
#![no_main]

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scenarios::world::World;
use serde_json::{Value, json};

/// Calls before everything begins anew, so that something still exists.
const CALLS_MAX: u32 = 3000;

static WORLD: Mutex<Option<(World, u32)>> = Mutex::new(None);

/// Where the account's key, and not a name, is wanted.
const KEY: &str = "alias/existing";

/// Questions, which change nothing.
fn question(number: u8, text: &str) -> (&'static str, &'static str, Value) {
    let span = |more: Value| {
        let metric =
            json!({"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Average"});
        json!({"StartTime": 1_795_302_000, "EndTime": 1_795_305_600, "MetricDataQueries": [
            {"Id": "m1", "MetricStat": metric, "ReturnData": false}, more]})
    };
    match number % 20 {
        0 => (
            "cloudwatch",
            "GetMetricData",
            span(json!({"Id": "e1", "Expression": text})),
        ),
        1 => (
            "cloudwatch",
            "GetMetricData",
            span(json!({"Id": "e1", "Expression": "m1*1", "Label": text})),
        ),
        2 => ("cloudwatch", "ListMetrics", json!({"NextToken": text})),
        3 => (
            "s3",
            "HeadObject",
            json!({"Bucket": "existing", "Key": "existing", "Range": text}),
        ),
        4 => (
            "s3",
            "ListObjectsV2",
            json!({"Bucket": "existing", "Prefix": text, "Delimiter": "/"}),
        ),
        5 => (
            "s3",
            "ListObjectVersions",
            json!({"Bucket": "existing", "KeyMarker": text, "EncodingType": "url"}),
        ),
        6 => ("s3", "ListBuckets", json!({"Prefix": text})),
        7 => {
            let source = json!({"PolicyInputList": [text], "ActionNames": ["s3:GetObject"]});
            ("iam", "SimulateCustomPolicy", source)
        }
        8 => (
            "iam",
            "GetContextKeysForCustomPolicy",
            json!({"PolicyInputList": [text]}),
        ),
        9 => (
            "accessanalyzer",
            "CheckNoNewAccess",
            json!({"newPolicyDocument": text, "existingPolicyDocument": text, "policyType": "IDENTITY_POLICY"}),
        ),
        10 => (
            "accessanalyzer",
            "CheckNoPublicAccess",
            json!({"policyDocument": text, "resourceType": "AWS::S3::Bucket"}),
        ),
        11 => (
            "cloudformation",
            "ValidateTemplate",
            json!({"TemplateBody": text}),
        ),
        12 => (
            "cloudformation",
            "GetTemplateSummary",
            json!({"TemplateBody": text}),
        ),
        13 => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let filters = json!([{"Name": name, "Value": [value]}]);
            ("ec2", "DescribeInstances", json!({"Filter": filters}))
        }
        14 => {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            let filters = json!([{"Name": name, "Value": [value]}]);
            ("ec2", "DescribeTags", json!({"Filter": filters}))
        }
        15 => {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            let filters = json!([{"Key": key, "Option": "Contains", "Values": [value]}]);
            ("ssm", "DescribeParameters", json!({"ParameterFilters": filters}))
        }
        16 => ("ssm", "GetParameter", json!({"Name": text})),
        17 => (
            "secretsmanager",
            "ListSecrets",
            json!({"Filters": [{"Key": "all", "Values": [text]}]}),
        ),
        18 => (
            "sts",
            "DecodeAuthorizationMessage",
            json!({"EncodedMessage": text}),
        ),
        _ => ("lambda", "GetFunction", json!({"FunctionName": text})),
    }
}

/// Changes; what is made new gets the name.
fn change(number: u8, name: &str, text: &str, bytes: &[u8]) -> (&'static str, &'static str, Value) {
    let blob = || STANDARD.encode(bytes);
    let object = |more: (&str, &str)| {
        let mut input = json!({"Bucket": "existing", "Key": "existing"});
        input[more.0] = more.1.into();
        input
    };
    match number % 20 {
        0 => ("s3", "CopyObject", object(("CopySource", text))),
        1 => ("s3", "PutObjectAcl", object(("GrantRead", text))),
        2 => (
            "s3",
            "PutBucketPolicy",
            json!({"Bucket": "existing", "Policy": text}),
        ),
        3 => (
            "kms",
            "PutKeyPolicy",
            json!({"KeyId": KEY, "Policy": text, "BypassPolicyLockoutSafetyCheck": true}),
        ),
        4 => ("kms", "Decrypt", json!({"CiphertextBlob": blob()})),
        5 => (
            "iam",
            "PutUserPolicy",
            json!({"UserName": "existing", "PolicyName": "text", "PolicyDocument": text}),
        ),
        6 => (
            "iam",
            "UpdateAssumeRolePolicy",
            json!({"RoleName": "existing", "PolicyDocument": text}),
        ),
        7 => (
            "iam",
            "UploadSSHPublicKey",
            json!({"UserName": "existing", "SSHPublicKeyBody": text}),
        ),
        8 => (
            "iam",
            "UploadSigningCertificate",
            json!({"UserName": "existing", "CertificateBody": text}),
        ),
        9 => (
            "organizations",
            "CreatePolicy",
            json!({"Type": "TAG_POLICY", "Name": name, "Description": "", "Content": text}),
        ),
        10 => (
            "organizations",
            "CreatePolicy",
            json!({"Type": "RESOURCE_CONTROL_POLICY", "Name": name, "Description": "", "Content": text}),
        ),
        11 => ("organizations", "PutResourcePolicy", json!({"Content": text})),
        12 => {
            let rules = json!({"ScheduleExpression": text, "Duration": "2h"});
            let asked = json!({"SecretId": "existing", "RotationRules": rules, "RotateImmediately": false});
            ("secretsmanager", "RotateSecret", asked)
        }
        13 => (
            "secretsmanager",
            "PutResourcePolicy",
            json!({"SecretId": "existing", "ResourcePolicy": text}),
        ),
        14 => (
            "ssm",
            "PutParameter",
            json!({"Name": "p", "Type": "String", "Tier": "Advanced", "Overwrite": true, "Value": "v", "Policies": text}),
        ),
        15 => (
            "ssm",
            "PutParameter",
            json!({"Name": text, "Type": "StringList", "Overwrite": true, "Value": text, "AllowedPattern": text}),
        ),
        16 => (
            "lambda",
            "UpdateFunctionCode",
            json!({"FunctionName": "existing", "ZipFile": blob()}),
        ),
        17 => (
            "ec2",
            "ImportKeyPair",
            json!({"KeyName": name, "PublicKeyMaterial": blob()}),
        ),
        18 => (
            "cloudformation",
            "SetStackPolicy",
            json!({"StackName": "existing", "StackPolicyBody": text}),
        ),
        _ => {
            let asked = json!({"StackName": "existing", "ChangeSetName": name, "ChangeSetType": "CREATE", "TemplateBody": text});
            ("cloudformation", "CreateChangeSet", asked)
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [first, rest @ ..] = bytes else { return };
    let text = String::from_utf8_lossy(rest);
    let mut held = WORLD.lock().expect("no call before has failed");
    if held.as_ref().is_none_or(|(_, calls)| *calls > CALLS_MAX) {
        *held = None;
    }
    let (world, calls) = held.get_or_insert_with(|| (World::furnished(), 0));
    *calls += 1;
    let number = first >> 1;
    let (service, operation, input) = if first & 1 == 0 {
        question(number, &text)
    } else {
        change(number, &format!("text-{calls}"), &text, rest)
    };
    let answer = world.call(service, operation, input.clone());
    if let Err(told) = &answer {
        assert!(!told.starts_with("Internal"), "{operation} {input}: {told}");
    }
    if first & 1 == 0 {
        let again = world.call(service, operation, input);
        let same = match (&answer, &again) {
            (Ok(one), Ok(other)) => one == other,
            (Err(one), Err(other)) => one == other,
            _ => false,
        };
        assert!(same, "{operation} answers {answer:?}, then {again:?}");
    }
});
