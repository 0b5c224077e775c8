//! Objects under every mode of encryption: what KMS and the trail see, and who may read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::checksum::{Checksum, ChecksumSet, Summer};
use pipeline::ledger::Record;
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::client::{Here, Reply};

pub(crate) type Headers<'a> = Vec<(&'static str, &'a str)>;

const MODE: &str = "x-amz-server-side-encryption";
const KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const CUSTOMER: &str = "x-amz-server-side-encryption-customer-key";
const MD5: &str = "x-amz-server-side-encryption-customer-key-md5";
const MINUTE: i64 = 60_000;

fn kms(here: &Here, operation: &str, input: Value) -> Value {
    let answer = here.cloud.call(&here.cloud.root(), "kms", operation, input);
    answer.unwrap_or_else(|failure| panic!("{operation}: {} {}", failure.code, failure.message))
}

/// A new key's ARN.
fn key(here: &Here) -> String {
    let made = kms(here, "CreateKey", json!({}));
    made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn under(key: &str) -> Headers<'_> {
    vec![(MODE, "aws:kms"), (KEY, key)]
}

fn put(here: &Here, path: &str, headers: &Headers<'_>) -> Reply {
    here.send("PUT", path, "", headers, b"secret words")
}

fn get(here: &Here, path: &str, headers: &Headers<'_>) -> Reply {
    here.send("GET", path, "", headers, b"")
}

/// What KMS recorded of an operation for S3, with this ARN as context, the newest first.
fn recorded(here: &Here, operation: &str, arn: &str) -> Vec<Record> {
    let all = here.cloud.records(ACCOUNT, REGION);
    all.into_iter()
        .filter(|record| record.operation == operation)
        .filter(|record| {
            let request = record.request.clone().unwrap_or_default();
            request["encryptionContext"]["aws:s3:arn"] == arn
        })
        .collect()
}

/// The three headers of a customer's key.
pub(crate) fn customer(octet: u8) -> (String, String) {
    let bytes = [octet; 32];
    let mut summer = Summer::new(ChecksumSet::of(Checksum::Md5));
    summer.update(&bytes);
    let md5 = summer.finish().get(Checksum::Md5).unwrap().to_vec();
    (STANDARD.encode(bytes), STANDARD.encode(md5))
}

pub(crate) fn given((key, md5): &(String, String)) -> Headers<'_> {
    vec![(ALGORITHM, "AES256"), (CUSTOMER, key), (MD5, md5)]
}

pub(crate) fn unblock(here: &Here, bucket: &str) {
    let body = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
                </ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes><EncryptionType>NONE</EncryptionType>\
                </BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>";
    here.put(&format!("/{bucket}"), "encryption", body.as_bytes())
        .fine();
}

/// S8.35, S21.12, S21.13, S21.26: a data key for the object's ARN on the write, the same opened on the read, each recorded once as
/// asked by S3 for the caller.
#[test]
fn a_data_key_is_made_on_the_write_and_opened_on_the_read() {
    let here = Here::new();
    let key = key(&here);
    let made = put(&here, "/bucket/k", &under(&key)).expect(200);
    assert_eq!(
        (made.header(MODE), made.header(KEY)),
        (Some("aws:kms"), Some(key.as_str()))
    );
    let head = here.head("/bucket/k").expect(200);
    assert_eq!(head.header(KEY), Some(key.as_str()));
    let arn = "arn:aws:s3:::bucket/k";
    assert_eq!(recorded(&here, "Decrypt", arn).len(), 0, "a head opens nothing");
    assert_eq!(
        get(&here, "/bucket/k", &Vec::new()).expect(200).bytes(),
        b"secret words"
    );
    for operation in ["GenerateDataKey", "Decrypt"] {
        let told = recorded(&here, operation, arn);
        assert_eq!(told.len(), 1, "{operation}");
        assert_eq!(told[0].caller.invoked_by.as_deref(), Some("s3.amazonaws.com"));
    }
}

/// S20.4, S21.13: the object's reader needs the key as well, and its writer too.
#[test]
fn permission_for_the_object_is_not_enough() {
    let here = Here::new();
    let key = key(&here);
    put(&here, "/bucket/k", &under(&key)).expect(200);
    let objects = ["s3:GetObject", "s3:PutObject"];
    let without = here.user("without", &objects, &["*"]);
    let with = here.user("with", &["s3:GetObject", "kms:Decrypt"], &["*"]);
    let denied = here
        .send_as(&without, "GET", "/bucket/k", "", &[], b"")
        .refused(403, "AccessDenied");
    assert!(denied.text().contains("kms:Decrypt"), "{}", denied.text());
    let denied = here.send_as(&without, "PUT", "/bucket/new", "", &under(&key), b"x");
    denied.refused(403, "AccessDenied");
    here.head("/bucket/new").expect(404);
    let read = here.send_as(&with, "GET", "/bucket/k", "", &[], b"").expect(200);
    assert_eq!(read.bytes(), b"secret words");
    here.anonymous("GET", "/bucket/k").refused(403, "AccessDenied");
}

/// S21.10: a key that is disabled or about to go opens nothing, from the next request on.
#[test]
fn the_state_of_the_key_counts() {
    let here = Here::new();
    let key = key(&here);
    for mode in ["aws:kms", "aws:kms:dsse"] {
        put(&here, "/bucket/k", &vec![(MODE, mode), (KEY, &key)]).expect(200);
        kms(&here, "DisableKey", json!({ "KeyId": key }));
        get(&here, "/bucket/k", &Vec::new()).refused(400, "KMS.DisabledException");
        put(&here, "/bucket/new", &under(&key)).refused(400, "KMS.DisabledException");
        kms(&here, "EnableKey", json!({ "KeyId": key }));
        get(&here, "/bucket/k", &Vec::new()).expect(200);
    }
    kms(&here, "ScheduleKeyDeletion", json!({ "KeyId": key }));
    get(&here, "/bucket/k", &Vec::new()).refused(400, "KMS.KMSInvalidStateException");
}

/// S8.26: only symmetric keys encrypt objects.
#[test]
fn key_pairs_encrypt_no_objects() {
    let here = Here::new();
    let pair = kms(
        &here,
        "CreateKey",
        json!({ "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY" }),
    );
    let arn = pair["KeyMetadata"]["Arn"].as_str().unwrap();
    put(&here, "/bucket/k", &under(arn)).refused(400, "KMS.InvalidKeyUsageException");
}

/// S8.14: the account's key for S3 comes to be when it is first needed, and once.
#[test]
fn the_aws_managed_key_is_made_at_its_first_use() {
    let here = Here::new();
    let first = put(&here, "/bucket/a", &vec![(MODE, "aws:kms")]).expect(200);
    let second = put(
        &here,
        "/bucket/b",
        &vec![(MODE, "aws:kms"), (KEY, "alias/aws/s3")],
    )
    .expect(200);
    assert_eq!(first.header(KEY), second.header(KEY));
    let shown = kms(&here, "DescribeKey", json!({ "KeyId": "alias/aws/s3" }));
    assert_eq!(shown["KeyMetadata"]["KeyManager"], "AWS");
    assert_eq!(shown["KeyMetadata"]["Arn"].as_str(), first.header(KEY));
    get(&here, "/bucket/a", &Vec::new()).expect(200);
}

/// S21.4: a bucket key serves its caller's many objects for a while, with the bucket's ARN as context, and no other caller.
#[test]
fn a_bucket_key_spares_kms() {
    let here = Here::new();
    let key = key(&here);
    let headers = vec![(MODE, "aws:kms"), (KEY, key.as_str()), (BUCKET_KEY, "true")];
    let asked = |operation| recorded(&here, operation, "arn:aws:s3:::bucket").len();
    for name in ["a", "b", "c"] {
        let path = format!("/bucket/{name}");
        assert_eq!(
            put(&here, &path, &headers).expect(200).header(BUCKET_KEY),
            Some("true")
        );
        get(&here, &path, &Vec::new()).expect(200);
    }
    assert_eq!((asked("GenerateDataKey"), asked("Decrypt")), (1, 1));
    let other = here.user("other", &["s3:*", "kms:Decrypt"], &["*"]);
    for name in ["a", "b"] {
        here.send_as(&other, "GET", &format!("/bucket/{name}"), "", &[], b"")
            .expect(200);
    }
    assert_eq!(asked("Decrypt"), 2);
    let none = here.user("none", &["s3:*"], &["*"]);
    here.send_as(&none, "GET", "/bucket/a", "", &[], b"")
        .refused(403, "AccessDenied");
    here.advance(6 * MINUTE);
    put(&here, "/bucket/d", &headers).expect(200);
    get(&here, "/bucket/a", &Vec::new()).expect(200);
    assert_eq!((asked("GenerateDataKey"), asked("Decrypt")), (2, 3));
    // The new objects are under the bucket's new key.
    get(&here, "/bucket/d", &Vec::new()).expect(200);
    assert_eq!(asked("Decrypt"), 4);
}

/// What the store's content was replaced under must be asked for anew: a data key that was remembered may not be of it.
#[test]
fn a_bucket_key_is_forgotten_with_what_it_was_learned_from() {
    let here = Here::new();
    let key = key(&here);
    let headers = vec![(MODE, "aws:kms"), (KEY, key.as_str()), (BUCKET_KEY, "true")];
    let asked = || recorded(&here, "GenerateDataKey", "arn:aws:s3:::bucket").len();
    put(&here, "/bucket/a", &headers).expect(200);
    put(&here, "/bucket/b", &headers).expect(200);
    assert_eq!(asked(), 1);
    here.cloud.gateway.forget();
    put(&here, "/bucket/c", &headers).expect(200);
    assert_eq!(asked(), 2);
}

/// S21.14–S21.19: a customer's key is blocked until the bucket takes it; then it alone opens.
#[test]
fn customers_keys_open_what_they_closed_and_nothing_else_does() {
    let here = Here::new();
    let (mine, other) = (customer(7), customer(8));
    put(&here, "/bucket/k", &given(&mine)).refused(403, "AccessDenied");
    unblock(&here, "bucket");
    let made = put(&here, "/bucket/k", &given(&mine)).expect(200);
    assert_eq!(
        (made.header(ALGORITHM), made.header(MD5)),
        (Some("AES256"), Some(mine.1.as_str()))
    );
    assert_eq!(made.header(MODE), None);
    assert_eq!(
        get(&here, "/bucket/k", &given(&mine)).expect(200).bytes(),
        b"secret words"
    );
    get(&here, "/bucket/k", &Vec::new()).refused(400, "InvalidRequest");
    get(&here, "/bucket/k", &given(&other)).refused(403, "AccessDenied");
    here.head("/bucket/k").expect(400);
    here.send("HEAD", "/bucket/k", "", &given(&other), b"")
        .expect(403);
    here.send("HEAD", "/bucket/k", "", &given(&mine), b"").expect(200);
    put(&here, "/bucket/plain", &Vec::new()).expect(200);
    get(&here, "/bucket/plain", &given(&mine)).refused(400, "InvalidRequest");
    let records = here.cloud.records(ACCOUNT, REGION);
    let told =
        serde_json::to_string(&records.iter().map(|record| &record.request).collect::<Vec<_>>()).unwrap();
    assert!(!told.contains(&mine.0), "a customer's key was recorded");
}

/// The version of each kind is read under its own mode after the bucket's default has changed, and copies take the new one.
#[test]
fn copies_are_encrypted_anew() {
    let here = Here::new();
    let key = key(&here);
    unblock(&here, "bucket");
    let mine = customer(9);
    put(&here, "/bucket/a", &given(&mine)).expect(200);
    let mut headers = vec![
        ("x-amz-copy-source", "/bucket/a"),
        (
            "x-amz-copy-source-server-side-encryption-customer-algorithm",
            "AES256",
        ),
        (
            "x-amz-copy-source-server-side-encryption-customer-key",
            mine.0.as_str(),
        ),
        (
            "x-amz-copy-source-server-side-encryption-customer-key-md5",
            mine.1.as_str(),
        ),
    ];
    headers.extend(under(&key));
    let copied = here.send("PUT", "/bucket/b", "", &headers, b"").expect(200);
    assert_eq!(copied.header(KEY), Some(key.as_str()));
    let copied = here
        .send("PUT", "/bucket/c", "", &[("x-amz-copy-source", "/bucket/b")], b"")
        .expect(200);
    assert_eq!(copied.header(MODE), Some("AES256"));
    for path in ["/bucket/b", "/bucket/c"] {
        assert_eq!(get(&here, path, &Vec::new()).expect(200).bytes(), b"secret words");
    }
    assert_eq!(
        recorded(&here, "GenerateDataKey", "arn:aws:s3:::bucket/b").len(),
        1
    );
    assert_eq!(recorded(&here, "Decrypt", "arn:aws:s3:::bucket/b").len(), 2);
}

/// Another key for an object that there is: bytes, tag and date stay, and only the new key opens.
#[test]
fn the_key_of_an_object_is_changed_in_place() {
    let here = Here::new();
    let (old, new) = (key(&here), key(&here));
    let before = put(&here, "/bucket/k", &under(&old)).expect(200);
    let body = |arn: &str| {
        format!("<ObjectEncryption><SSE-KMS><KMSKeyArn>{arn}</KMSKeyArn></SSE-KMS></ObjectEncryption>")
    };
    here.put("/bucket/k", "encryption", body(&new).as_bytes()).fine();
    kms(&here, "DisableKey", json!({ "KeyId": old }));
    let read = get(&here, "/bucket/k", &Vec::new()).expect(200);
    assert_eq!(read.bytes(), b"secret words");
    assert_eq!(
        (read.header(KEY), read.header("etag")),
        (Some(new.as_str()), before.header("etag"))
    );
    put(&here, "/bucket/own", &Vec::new()).expect(200);
    here.put("/bucket/own", "encryption", body(&new).as_bytes())
        .fine();
    assert_eq!(here.head("/bucket/own").expect(200).header(MODE), Some("aws:kms"));
    put(
        &here,
        "/bucket/double",
        &vec![(MODE, "aws:kms:dsse"), (KEY, &new)],
    )
    .expect(200);
    here.put("/bucket/double", "encryption", body(&new).as_bytes())
        .refused(400, "InvalidRequest");
    let foreign = new.replace(ACCOUNT, "999988887777");
    here.put("/bucket/k", "encryption", body(&foreign).as_bytes())
        .refused(403, "AccessDenied");
    get(&here, "/bucket/k", &Vec::new()).expect(200);
}

/// S3 API Reference, "UpdateObjectEncryption": the data key is encrypted anew, which needs `kms:ReEncrypt*`.
#[test]
fn another_key_is_given_with_the_permission_to_encrypt_anew() {
    let here = Here::new();
    let (old, new) = (key(&here), key(&here));
    put(&here, "/bucket/kms", &under(&old)).expect(200);
    put(&here, "/bucket/own", &Vec::new()).expect(200);
    let body = format!(
        "<ObjectEncryption><SSE-KMS><KMSKeyArn>{new}</KMSKeyArn><BucketKeyEnabled>true</BucketKeyEnabled></SSE-KMS></ObjectEncryption>"
    );
    let rights = ["s3:*", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"];
    let without = here.user("without", &rights, &["*"]);
    let with = here.user("with", &[&rights[..], &["kms:ReEncrypt*"]].concat(), &["*"]);
    for path in ["/bucket/kms", "/bucket/own"] {
        let update = |keys| here.send_as(keys, "PUT", path, "encryption", &[], body.as_bytes());
        update(&without).refused(403, "AccessDenied");
        update(&with).fine();
        let read = get(&here, path, &Vec::new()).expect(200);
        assert_eq!(read.bytes(), b"secret words");
        assert_eq!(
            (read.header(KEY), read.header(BUCKET_KEY)),
            (Some(new.as_str()), Some("true"))
        );
        // Once more, from the bucket's key to one of the object's own.
        let own = body.replace("true", "false");
        here.put(path, "encryption", own.as_bytes()).fine();
        let read = get(&here, path, &Vec::new()).expect(200);
        assert_eq!(
            (read.bytes(), read.header(BUCKET_KEY)),
            (b"secret words".as_slice(), None)
        );
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let here = Here::new();
    unblock(&here, "bucket");
    let (key, mine) = (key(&here), customer(1));
    let with = |more: Headers<'_>| put(&here, "/bucket/k", &more).refused(400, "InvalidArgument");
    with(vec![(KEY, &key)]);
    with(vec![(MODE, "AES256"), (KEY, &key)]);
    with(vec![
        (MODE, "AES256"),
        (ALGORITHM, "AES256"),
        (CUSTOMER, &mine.0),
        (MD5, &mine.1),
    ]);
    with(vec![(ALGORITHM, "AES256")]);
    with(vec![
        (ALGORITHM, "AES256"),
        (CUSTOMER, &mine.0),
        (MD5, &customer(2).1),
    ]);
    with(vec![
        (MODE, "aws:kms"),
        (KEY, &key),
        ("x-amz-server-side-encryption-context", "e30x"),
    ]);
}
