//! Constraints and their messages, by AWS's own models; what patterns mean; what the record shows.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use wire::constraints::{Pattern, check};
use wire::fault::{Code, Common};
use wire::model::{Kind, Service, ShapeId, load};
use wire::redact::{BYTES_MAX, HIDDEN, Redactor, Sensitive, TimestampStyle};
use wire::{Document, Timestamp};

fn model(name: &str) -> &'static Service {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(format!("{name}.json.gz"));
    Box::leak(Box::new(load::parse(&std::fs::read(path).unwrap()).unwrap()))
}

fn models() -> Vec<&'static Service> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()?
                .strip_suffix(".json.gz")
                .map(str::to_owned)
        })
        .collect();
    names.sort_unstable();
    names.iter().map(|name| model(name)).collect()
}

fn input(service: &'static Service, operation: &str) -> ShapeId {
    service.operation(operation).unwrap().input.unwrap()
}

fn output(service: &'static Service, operation: &str) -> ShapeId {
    service.operation(operation).unwrap().output.unwrap()
}

fn text(value: &str) -> Document {
    Document::String(value.to_owned())
}

fn message(service: &'static Service, operation: &str, members: Vec<(&'static str, Document)>) -> String {
    let fault = check(service, input(service, operation), &Document::Structure(members)).unwrap_err();
    assert_eq!(fault.code, Code::Common(Common::Validation));
    fault.message
}

#[test]
fn missing_members_are_null() {
    let kms = model("kms");
    assert_eq!(
        message(kms, "Encrypt", vec![("Plaintext", Document::Blob(vec![1]))]),
        "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"
    );
    assert!(check(kms, input(kms, "CreateKey"), &Document::empty()).is_ok());
}

#[test]
fn all_violations_are_reported_together() {
    let long = "k".repeat(2049);
    let members = vec![("KeyId", text(&long)), ("EncryptionAlgorithm", text("ROT13"))];
    let said = message(model("kms"), "Encrypt", members);
    assert!(said.starts_with("3 validation errors detected: "), "{said}");
    let length = format!(
        "Value '{long}' at 'keyId' failed to satisfy constraint: Member must have length less than or equal to 2048"
    );
    assert!(said.contains(&length), "{said}");
    assert!(
        said.contains("; Value null at 'plaintext' failed to satisfy constraint: Member must not be null"),
        "{said}"
    );
    assert!(
        said.contains("Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [SYMMETRIC_DEFAULT, "),
        "{said}"
    );
}

#[test]
fn sensitive_values_are_not_echoed() {
    let members = vec![("KeyId", text("k")), ("Plaintext", Document::Blob(vec![0; 4097]))];
    assert_eq!(
        message(model("kms"), "Encrypt", members),
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096"
    );
    let members = vec![("UserName", text("u")), ("Password", text(""))];
    let said = message(model("iam"), "CreateLoginProfile", members);
    assert!(said.contains("Value at 'password' failed"), "{said}");
}

#[test]
fn paths_lead_into_lists_and_structures() {
    let tag = |key: &str| Document::Structure(vec![("TagKey", text(key)), ("TagValue", text("v"))]);
    let members = vec![("Tags", Document::List(vec![tag("a"), tag("")]))];
    assert_eq!(
        message(model("kms"), "CreateKey", members),
        "1 validation error detected: Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length greater than or equal to 1"
    );
}

#[test]
fn lists_of_simple_values_are_reported_once_with_all_constraints_of_the_member() {
    let members = vec![
        ("KeyId", text("k")),
        ("TagKeys", Document::List(vec![text("a"), text("")])),
    ];
    assert_eq!(
        message(model("kms"), "UntagResource", members),
        "1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: \
         [Member must have length less than or equal to 128, Member must have length greater than or equal to 1]"
    );
}

#[test]
fn numbers_have_ranges_and_acronyms_lose_one_capital() {
    assert_eq!(
        message(model("kms"), "ListKeys", vec![("Limit", Document::Integer(1001))]),
        "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"
    );
    let said = message(
        model("iam"),
        "CreateSAMLProvider",
        vec![("Name", text("n")), ("SAMLMetadataDocument", text("x"))],
    );
    assert!(said.contains("at 'sAMLMetadataDocument' failed"), "{said}");
}

#[test]
fn patterns_hold_for_the_whole_text() {
    let said = message(model("iam"), "CreateUser", vec![("UserName", text("a b"))]);
    assert_eq!(
        said,
        "1 validation error detected: Value 'a b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"
    );
    let iam = model("iam");
    assert!(
        check(
            iam,
            input(iam, "CreateUser"),
            &Document::Structure(vec![("UserName", text("a+b@c"))])
        )
        .is_ok()
    );
}

#[test]
fn javas_dialect_is_understood() {
    for (pattern, good, bad) in [
        (r"[\w+=,.@-]+", "a_1", "ä"),
        (r"\d{12}", "123456789012", "١٢٣٤٥٦٧٨٩٠١٢"),
        (r"^(?!aws:)[a-z:]+$", "tag:x", "aws:x"),
        (r"^(?=.{2,4}$)[a-z]+", "abc", "abcde"),
        (r"([a-z-]){1,63}(?<!-)", "a-b", "a-"),
        (
            r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF]*",
            "a😀",
            "\u{1}",
        ),
        (r"^[\p{L}\p{N}_.:/=+\-@]*$", "äé1", "a b"),
        (r"\p{ASCII}+", "ab", "ä"),
        (r"[\P{C}]*", "a b", "a\u{1}"),
        (r"[a-z&&[^b]]+", "ac", "abc"),
        (r"[!--]+", "!-", "."),
        (r"\<a\>", "<a>", "a"),
        (r"[a-zA-Z0-9-_.\w]+", "a-b", "a b"),
        (r"[.-\w]+", ".-a", "/"),
        (r"a++b", "aab", "b"),
        (r"^[a-z]{3,5}$", "abcd", "ab"),
        (r".*", "abc", "a\nb"),
        (r"(?s).*", "a\nb", "\u{0}x\u{0}nope"),
        (r"^arn:.*", "arn:x", "x:arn:"),
    ] {
        let compiled = Pattern::new(pattern).unwrap();
        assert!(compiled.matches(good), "{pattern} {good}");
        assert!(
            pattern.starts_with("(?s)") || !compiled.matches(bad),
            "{pattern} {bad}"
        );
    }
    assert!(Pattern::new(r"a(?!b)c").is_err());
    assert!(Pattern::new(r"(a)\1").is_err());
}

/// Which patterns of our models are not enforced, and why; the list may only shrink.
#[test]
fn every_pattern_of_the_models_is_enforced_but_for_these() {
    let mut skipped: BTreeMap<&str, String> = BTreeMap::new();
    let mut total = 0;
    for service in models() {
        for pattern in service.shapes.iter().filter_map(|shape| shape.pattern) {
            total += 1;
            if let Err(error) = Pattern::new(pattern) {
                skipped.insert(pattern, format!("{} {}", service.name, error.0));
            }
        }
    }
    assert!(total > 500, "{total}");
    let known: Vec<&str> = include_str!("vectors/patterns_skipped.txt").lines().collect();
    let unknown: Vec<String> = skipped
        .iter()
        .filter(|(pattern, _)| !known.contains(pattern))
        .map(|(p, why)| format!("{why}: {p}"))
        .collect();
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
    let stale: Vec<&&str> = known
        .iter()
        .filter(|pattern| !skipped.contains_key(**pattern))
        .collect();
    assert!(stale.is_empty(), "{stale:?}");
}

#[test]
fn records_spell_names_as_cloudtrail_and_leave_secrets_out() {
    let sts = model("sts");
    let credentials = Document::Structure(vec![
        ("AccessKeyId", text("ASIAEXAMPLE")),
        ("SecretAccessKey", text("secret")),
        ("SessionToken", text("token")),
        (
            "Expiration",
            Document::Timestamp(Timestamp::from_seconds(1_722_375_975)),
        ),
    ]);
    let answer = Document::Structure(vec![("Credentials", credentials)]);
    assert_eq!(
        Redactor::default().redact(sts, output(sts, "AssumeRole"), &answer),
        json!({"credentials": {"accessKeyId": "ASIAEXAMPLE", "sessionToken": "token", "expiration": "Jul 30, 2024, 9:46:15 PM"}})
    );
    let iam = model("iam");
    let profile = Document::Structure(vec![
        ("UserName", text("u")),
        (
            "CreateDate",
            Document::Timestamp(Timestamp::from_seconds(1_722_519_741)),
        ),
        ("PasswordResetRequired", Document::Boolean(false)),
    ]);
    let plain = Redactor {
        timestamps: TimestampStyle::Plain,
        ..Redactor::default()
    };
    assert_eq!(
        plain.redact(
            iam,
            output(iam, "CreateLoginProfile"),
            &Document::Structure(vec![("LoginProfile", profile)])
        ),
        json!({"loginProfile": {"userName": "u", "createDate": "Aug 1, 2024 1:42:21 PM", "passwordResetRequired": false}})
    );
    let call = Document::Structure(vec![("UserName", text("u")), ("Password", text("secret"))]);
    assert_eq!(
        plain.redact(iam, input(iam, "CreateLoginProfile"), &call),
        json!({"userName": "u"})
    );
    let mfa = Document::Structure(vec![("VirtualMFADeviceName", text("m"))]);
    assert_eq!(
        plain.redact(iam, input(iam, "CreateVirtualMFADevice"), &mfa),
        json!({"virtualMFADeviceName": "m"})
    );
}

#[test]
fn records_hold_no_bytes_and_nothing_is_null() {
    let kms = model("kms");
    let call = Document::Structure(vec![
        ("KeyId", text("alias/a")),
        ("Plaintext", Document::Blob(b"secret".to_vec())),
        (
            "EncryptionContext",
            Document::Map(vec![("Purpose".to_owned(), text("Test"))]),
        ),
    ]);
    assert_eq!(
        Redactor::default().redact(kms, input(kms, "Encrypt"), &call),
        json!({"keyId": "alias/a", "encryptionContext": {"Purpose": "Test"}})
    );
    let answer = Document::Structure(vec![("CiphertextBlob", Document::Blob(vec![1, 2]))]);
    assert_eq!(
        Redactor::default().redact(kms, output(kms, "Encrypt"), &answer),
        json!(null)
    );
    assert_eq!(
        Redactor::default().redact(kms, input(kms, "ListKeys"), &Document::empty()),
        json!(null)
    );
}

#[test]
fn rules_of_a_call_hide_and_drop_more() {
    let ssm = model("ssm");
    let call = Document::Structure(vec![
        ("DocumentName", text("AWS-RunShellScript")),
        (
            "Parameters",
            Document::Map(vec![("commands".to_owned(), Document::List(vec![text("id")]))]),
        ),
        ("Comment", text("c")),
    ]);
    let rules = Redactor {
        sensitive: Sensitive::Mark,
        drop: &["Comment"],
        ..Redactor::default()
    };
    assert_eq!(
        rules.redact(ssm, input(ssm, "SendCommand"), &call),
        json!({"documentName": "AWS-RunShellScript", "parameters": HIDDEN})
    );
    let rules = Redactor {
        hide: &["DocumentName"],
        ..Redactor::default()
    };
    assert_eq!(
        rules.redact(ssm, input(ssm, "SendCommand"), &call),
        json!({"documentName": HIDDEN, "comment": "c"})
    );
}

#[test]
fn a_record_beyond_100_kb_says_that_it_is_omitted() {
    let iam = model("iam");
    let call = Document::Structure(vec![("PolicyDocument", text(&"x".repeat(BYTES_MAX + 1)))]);
    let shown = Redactor::default().redact(iam, input(iam, "CreatePolicy"), &call);
    assert_eq!(shown["omitted"], json!(true));
    assert!(shown.to_string().len() < 200);
}

/// A tree grown from random bytes; documents cannot be printed, so the bytes are what a failure shows.
fn grow(bytes: &mut std::slice::Iter<'_, u8>, depth: u32) -> Document {
    const NAMES: [&str; 6] = ["KeyId", "Tags", "TagKey", "Plaintext", "TagValue", "x"];
    let mut next = || bytes.next().copied().unwrap_or(0);
    let (kind, seed) = (next(), next());
    let count = if depth > 5 { 0 } else { seed % 6 };
    let word: String = (0..seed % 8)
        .map(|_| char::from_u32(u32::from(next()) * 257).unwrap_or('x'))
        .collect();
    match kind % 11 {
        0 => Document::Integer(i64::from(seed) << (seed % 60)),
        1 => Document::Float(if seed == 0 {
            f64::NAN
        } else {
            f64::from(seed) * 1e300
        }),
        2 => Document::Timestamp(Timestamp(if seed < 9 {
            i64::MAX
        } else {
            i64::MIN + i64::from(seed)
        })),
        3 => Document::Boolean(seed > 9),
        4 => Document::String(word),
        5 => Document::Blob(word.into_bytes()),
        6 => Document::Null,
        7 => Document::Stream,
        8 => Document::List((0..count).map(|_| grow(bytes, depth + 1)).collect()),
        9 => Document::Map(
            (0..count)
                .map(|n| (format!("{word}{n}"), grow(bytes, depth + 1)))
                .collect(),
        ),
        _ => Document::Structure(
            (0..count)
                .map(|n| (NAMES[usize::from(n)], grow(bytes, depth + 1)))
                .collect(),
        ),
    }
}

proptest! {
    /// Whatever the tree, of the right types or not: neither the check nor the record panics.
    #[test]
    fn hostile_documents_are_checked_and_shown_without_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let document = grow(&mut bytes.iter(), 0);
        static KMS: std::sync::OnceLock<&'static Service> = std::sync::OnceLock::new();
        let kms = KMS.get_or_init(|| model("kms"));
        for (index, shape) in kms.shapes.iter().enumerate() {
            if matches!(shape.kind, Kind::Blob | Kind::Boolean) {
                continue;
            }
            let id = ShapeId(u32::try_from(index).unwrap());
            let _ = check(kms, id, &document);
            Redactor::default().redact(kms, id, &document);
        }
    }

    #[test]
    fn hostile_patterns_are_translated_without_panic(pattern in "[\\[\\]\\\\(){}|^$?!<=a-zuxpPdD0-9,.*+-]{0,24}") {
        if let Ok(compiled) = Pattern::new(&pattern) {
            compiled.matches("abc");
        }
    }
}
