//! `cargo xtask bench replay`: writes a file of events like real ones, and lets the release binary replay it.
//!
//! Invariant: the file is the same for the same number of events.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use crate::test::shown;

const SERVICES: [(&str, &str, &str); 5] = [
    ("s3", "GetObject", "arn:aws:s3:::data-{n}/part-{n}.parquet"),
    ("kms", "Decrypt", "arn:aws:kms:eu-central-1:111122223333:key/0{n}"),
    ("ec2", "DescribeInstances", ""),
    ("iam", "GetRole", ""),
    (
        "sqs",
        "SendMessage",
        "arn:aws:sqs:eu-central-1:111122223333:queue-{n}",
    ),
];
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[
{"Sid":"HomeOnly","Effect":"Deny","Action":["s3:GetObject","kms:Decrypt"],"Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":["10.0.0.0/9"]}}},
{"Sid":"Tagged","Effect":"Deny","Action":"sqs:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"queues"}}}]}"#;
const READ: &str = r#"{"Version":"2012-10-17","Statement":[
{"Effect":"Allow","Action":["s3:Get*","kms:Decrypt","sqs:*"],"Resource":"*"},
{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":["eu-central-1","eu-west-1"]}}}]}"#;

/// Runs the measurement.
pub(crate) fn run(arguments: &[String], binary: &Path, scratch: &Path) -> Result<(), String> {
    let events: u64 = match arguments {
        [] => 1_000_000,
        [flag, number] if flag == "--events" => {
            number.parse().map_err(|_| format!("{number} is no number"))?
        }
        _ => return Err("cargo xtask bench replay takes --events N".to_owned()),
    };
    let failed = |error: std::io::Error| error.to_string();
    let file = scratch.join("events.jsonl");
    let mut out = BufWriter::new(File::create(&file).map_err(failed)?);
    for number in 0..events {
        writeln!(out, "{}", event(number)).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    let (deny, read) = (scratch.join("deny.json"), scratch.join("read.json"));
    std::fs::write(&deny, DENY).map_err(failed)?;
    std::fs::write(&read, READ).map_err(failed)?;
    let identity = format!("arn:aws:iam::111122223333:role/worker-*={}", read.display());
    for threads in ["1", "2", "4"] {
        eprintln!("threads: {threads}");
        let mut replay = std::process::Command::new(binary);
        replay
            .arg("replay")
            .arg(&file)
            .arg("--scp")
            .arg(&deny)
            .arg("--identity")
            .arg(&identity);
        replay.args(["--threads", threads]);
        // It ends with 1, since verdicts change.
        let _ = shown(&mut replay);
    }
    Ok(())
}

fn event(number: u64) -> String {
    let (service, name, resource) = SERVICES
        .get(usize::try_from(number % 5).unwrap_or(0))
        .copied()
        .unwrap_or(("s3", "GetObject", ""));
    let (worker, low) = (number % 97, number % 251);
    let resource = resource.replace("{n}", &(number % 1013).to_string());
    let resources = if resource.is_empty() {
        String::new()
    } else {
        format!(r#""resources":[{{"accountId":"111122223333","type":"AWS::Thing","ARN":"{resource}"}}],"#)
    };
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE{worker}:job-{low}","arn":"arn:aws:sts::111122223333:assumed-role/worker-{worker}/job-{low}","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{worker}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{worker}","arn":"arn:aws:iam::111122223333:role/worker-{worker}","accountId":"111122223333","userName":"worker-{worker}"}},"attributes":{{"creationDate":"2026-11-22T00:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-11-22T00:{:02}:{:02}Z","eventSource":"{service}.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1","sourceIPAddress":"10.{low}.3.4","userAgent":"aws-sdk-rust/1.8.1 ua/2.1 os/linux lang/rust#1.95","requestParameters":{{"bucketName":"data","key":"part-{number}.parquet","Host":"data.s3.eu-central-1.amazonaws.com","x-amz-checksum-mode":"ENABLED"}},"responseElements":null,"additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","bytesTransferredOut":{number}}},"requestID":"REQ{number:016}","eventID":"{number:08x}-0000-4000-8000-000000000000","readOnly":true,{resources}"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"data.s3.eu-central-1.amazonaws.com"}}}}"#,
        number / 60 % 60,
        number % 60
    )
}
