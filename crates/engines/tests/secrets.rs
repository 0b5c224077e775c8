//! The corpus: what is a secret is found with its place, and what only looks like one is not.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail by panicking"
)]

use std::io::{self, Read};

use engines::secrets::{self, FILE_BYTES_MAX, FINDINGS_MAX, File, Finding, RULES, Report, Severity, Side};
use proptest::prelude::*;

/// Texts are put together here, so that no scanner takes this file for a leak.
const ID: &str = concat!("AKIA", "QYLPMN5HFIQR7XYZ");
const SECRET: &str = concat!("kX9v/Qm2Lw7+TzR4uYbN", "1sJd8eFhG5aPc3oWiK6t");

fn report(path: &str, text: impl AsRef<[u8]>) -> Report {
    let text = text.as_ref();
    let size = u64::try_from(text.len()).unwrap();
    secrets::scan(File { path, size }, text).unwrap()
}

fn found(path: &str, text: impl AsRef<[u8]>) -> Vec<(&'static str, Option<u64>)> {
    let findings = report(path, text).findings;
    findings
        .iter()
        .map(|finding| (finding.rule, finding.line))
        .collect()
}

fn only(path: &str, text: impl AsRef<[u8]>) -> Finding {
    let mut findings = report(path, text).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn armoured(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

/// Base64 as keys have it.
fn base64(length: usize) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let at = |place: usize| char::from(alphabet[place * 37 % 64]);
    let text: String = (0..length).map(at).collect();
    text.as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// S35.7: an access key with its secret is the gravest finding, wherever it lies, and the customer's to mend.
#[test]
fn access_keys_are_found_with_their_line() {
    let profile = format!(
        "[default]\nregion = us-east-1\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"
    );
    let finding = only("home/ann/.aws/credentials", &profile);
    assert_eq!(
        (finding.rule, finding.line, finding.severity),
        ("aws-access-key", Some(3), Severity::Critical)
    );
    assert_eq!(finding.responsibility, Side::Customer);
    assert_eq!(finding.access_key_id.as_deref(), Some(ID));
    assert!(finding.advice.contains("role"));
    for text in [
        format!("const KEY = '{ID}';\nconst SECRET = '{SECRET}';\n"),
        format!("Access key ID,Secret access key\n{ID},{SECRET}\n"),
        format!("{{\"SecretAccessKey\": \"{SECRET}\", \"AccessKeyId\": \"{ID}\"}}"),
    ] {
        assert_eq!(only("/opt/app/any.js", &text).rule, "aws-access-key", "{text}");
    }
    let alone = only("/opt/app/log.txt", format!("used {ID} today"));
    assert_eq!(
        (alone.rule, alone.severity),
        ("aws-access-key-id", Severity::Medium)
    );
    let secret = only(
        "/opt/app/run.sh",
        format!("#!/bin/sh\nexport AWS_SECRET_ACCESS_KEY={SECRET}\n"),
    );
    assert_eq!((secret.rule, secret.line), ("aws-secret-access-key", Some(2)));
    let token = format!("aws_session_token = {}", base64(400).replace('\n', ""));
    assert_eq!(only("home/a/.aws/credentials", token).rule, "aws-session-token");
}

/// S35.7: what documents use as an example is no finding, and neither is a hash or a word in capitals.
#[test]
fn examples_and_likenesses_are_not_found() {
    for text in [
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n",
        "aws_access_key_id = AKIAI44QH8DHBEXAMPLE\naws_secret_access_key = je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY\n",
        "AKIAAAAAAAAAAAAAAAAA",
        "XAKIAQYLPMN5HFIQR7XYZ and AKIAQYLPMN5HFIQR7XYZW",
        "secret_access_key = da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "http://user:password@proxy.example.com:8080",
        "https://$USER:$PASSWORD@host/ and http://user:<password>@host",
        "postgres://app:xxxx@db/app",
        "-----BEGIN RSA PRIVATE KEY-----\0-----BEGIN EC PRIVATE KEY-----\0",
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n",
        "PuTTY-User-Key-File-2: is how such a file begins",
        "arn:aws:iam::123456789012:role/service",
    ] {
        assert_eq!(found("/opt/app/notes.txt", text), [], "{text}");
    }
}

/// S35.7: private keys of every common form; an encrypted one is less grave.
#[test]
fn private_keys_are_found_by_their_body() {
    for label in [
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PRIVATE KEY",
        "DSA PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        let finding = only(
            "/etc/app/key.pem",
            format!("# a key\n\n{}", armoured(label, &base64(800))),
        );
        assert_eq!(
            (finding.rule, finding.line, finding.severity),
            ("private-key", Some(3), Severity::High),
            "{label}"
        );
        assert_eq!(finding.excerpt, format!("{label}, not encrypted"));
    }
    let open = armoured(
        "OPENSSH PRIVATE KEY",
        &format!("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ{}", base64(300)),
    );
    assert_eq!(only("home/a/.ssh/id_ed25519", open).severity, Severity::High);
    for closed in [
        armoured(
            "OPENSSH PRIVATE KEY",
            &format!("b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI{}", base64(300)),
        ),
        armoured("ENCRYPTED PRIVATE KEY", &base64(400)),
        armoured(
            "RSA PRIVATE KEY",
            &format!(
                "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{}",
                base64(800)
            ),
        ),
    ] {
        let finding = only("home/a/.ssh/id_rsa", &closed);
        assert_eq!(finding.severity, Severity::Medium, "{closed}");
    }
    let json = format!(
        "{{\"type\": \"service_account\", \"private_key\": \"{}\"}}",
        armoured("PRIVATE KEY", &base64(800)).replace('\n', "\\n")
    );
    assert_eq!(only("/srv/account.json", json).rule, "private-key");
    let putty = format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 1\n{}\n",
        base64(60)
    );
    let finding = only("home/a/key.ppk", putty);
    assert_eq!((finding.rule, finding.severity), ("private-key", Severity::High));
    let host = armoured("OPENSSH PRIVATE KEY", &base64(300));
    let rules: Vec<_> = found("/etc/ssh/ssh_host_ed25519_key", &host)
        .into_iter()
        .map(|(rule, _)| rule)
        .collect();
    assert!(rules.contains(&"ssh-host-key"));
    assert_eq!(
        found(
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI host"
        ),
        []
    );
}

/// S35.7: login keys and passwords that everyone who starts the image would get.
#[test]
fn logins_are_found_by_their_place() {
    let blob = base64(64);
    let keys = format!("# mine\nssh-ed25519 {blob} ann@laptop\n\ncommand=\"ls -l\" ssh-rsa {blob} backup\n");
    assert_eq!(
        found("home/ec2-user/.ssh/authorized_keys", &keys),
        [("ssh-authorized-key", Some(2)), ("ssh-authorized-key", Some(4))]
    );
    assert_eq!(found("home/ec2-user/notes", &keys), []);
    let shadow = "root:*:19000:0:99999:7:::\nann:$6$salt$hash:19000:0:99999:7:::\nbob:!:1::::::\ncay::1::::::\ndan:!$y$j9T$x:1::::::\n";
    assert_eq!(
        found("etc/shadow", shadow),
        [
            ("password-hash", Some(2)),
            ("empty-password", Some(4)),
            ("password-hash", Some(5))
        ]
    );
    assert!(report("/etc/shadow", shadow).findings[0].excerpt.contains("ann"));
    let history = "ls\nexport DB_PASSWORD=tr0ub4dor-and-3\ncurl https://ann:s3cr3t-w0rd@host/\n";
    let rules = found("home/ann/.bash_history", history);
    assert_eq!(
        rules,
        [
            ("shell-history", Some(1)),
            ("assigned-secret", Some(2)),
            ("url-password", Some(3))
        ]
    );
    assert_eq!(found("home/ann/.bash_history", ""), []);
    let netrc =
        "machine a.org login ann password s3cr3t-w0rd\nmachine b.org\n  login bob\n  password an0ther-w0rd\n";
    assert_eq!(
        found("home/ann/.netrc", netrc),
        [("netrc-password", Some(1)), ("netrc-password", Some(4))]
    );
    assert_eq!(
        found("home/ann/.pgpass", "# x\ndb:5432:app:ann:s3cr3t\n"),
        [("pgpass-password", Some(2))]
    );
    assert_eq!(
        found(
            "home/ann/.git-credentials",
            "https://ann:s3cr3t-w0rd@git.example.org\n"
        ),
        [("url-password", Some(1))]
    );
    let docker = "{\n \"auths\": {\n  \"r.org\": { \"auth\": \"YW5uOnMzY3IzdA==\" }\n }\n}";
    assert_eq!(
        found("home/ann/.docker/config.json", docker),
        [("docker-login", Some(3))]
    );
    assert_eq!(
        found("home/ann/.docker/config.json", "{\"auths\": {\"r.org\": {}}}"),
        []
    );
    let env = "# DB_PASSWORD=not-this-one\nDEBUG=true\nDB_PASSWORD='c0rrect-horse'\nSECRET_FILE=/run/secrets/db\nAPI_KEY=${API_KEY}\n";
    assert_eq!(found("/srv/app/.env", env), [("assigned-secret", Some(3))]);
}

/// S35.7: tokens with a published form, in any file.
#[test]
fn tokens_of_other_issuers_are_found() {
    let random = base64(200).replace(['\n', '+', '/'], "");
    let take = |count: usize| random.chars().take(count).collect::<String>();
    let digits = "0123456789abcdef".repeat(4);
    for (rule, token) in [
        ("github-token", format!("ghp_{}", take(36))),
        ("github-token", format!("github_pat_{}_{}", take(22), take(59))),
        ("gitlab-token", format!("glpat-{}", take(20))),
        ("slack-token", format!("xoxb-1234567890-{}", take(24))),
        (
            "slack-token",
            format!(
                "https://hooks.slack.com/services/T0ABCDEFG/B0ABCDEFG/{}",
                take(24)
            ),
        ),
        ("stripe-key", format!("sk_live_{}", take(24))),
        ("google-key", format!("AIza{}", take(35))),
        ("google-key", format!("GOCSPX-{}", take(28))),
        ("package-registry-token", format!("npm_{}", take(36))),
        (
            "package-registry-token",
            format!("pypi-AgEIcHlwaS5vcmc{}", take(80)),
        ),
        ("sendgrid-key", format!("SG.{}.{}", take(22), take(43))),
        ("vault-token", format!("hvs.{}", take(30))),
        ("digitalocean-token", format!("dop_v1_{digits}")),
        (
            "azure-storage-key",
            format!(
                "AccountKey={}==",
                format!("{random}{random}").chars().take(86).collect::<String>()
            ),
        ),
    ] {
        let finding = only("/usr/local/bin/tool", format!("first\nx = \"{token}\"\n"));
        assert_eq!((finding.rule, finding.line), (rule, Some(2)), "{token}");
        let secret: String = token
            .chars()
            .rev()
            .take(12)
            .collect::<String>()
            .chars()
            .rev()
            .collect();
        assert!(!finding.excerpt.contains(&secret), "{}", finding.excerpt);
    }
}

/// In a binary file there are no lines; the place is told in bytes.
#[test]
fn binary_files_are_searched_too() {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 0, 1, 2, 3];
    bytes.resize(300_000, 0xc3);
    bytes.extend_from_slice(format!("\0{ID}\0{SECRET}\0").as_bytes());
    bytes.resize(600_000, 0);
    let finding = only("/usr/local/bin/tool", &bytes);
    assert_eq!(
        (finding.rule, finding.line, finding.offset),
        ("aws-access-key", None, 300_001)
    );
}

/// Packages bring keys for their own tests and manuals along: told, but as the least.
#[test]
fn examples_of_packages_are_of_low_severity() {
    let key = armoured("PRIVATE KEY", &base64(800));
    for path in [
        "/usr/lib/python3.13/test/certdata/keycert.pem",
        "/usr/share/doc/openssl/key.pem",
    ] {
        assert_eq!(only(path, &key).severity, Severity::Low, "{path}");
    }
    assert_eq!(only("/srv/test/key.pem", &key).severity, Severity::High);
}

/// A content without end, which counts what was read of it.
struct Endless<'a>(&'a mut u64);

impl Read for Endless<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        room.fill(b'a');
        *self.0 += u64::try_from(room.len()).unwrap();
        Ok(room.len())
    }
}

/// The work for one file is bounded, and a report says when something was left out.
#[test]
fn work_is_bounded() {
    let mut read = 0;
    let file = File {
        path: "/var/lib/huge",
        size: u64::MAX,
    };
    let report = secrets::scan(file, Endless(&mut read)).unwrap();
    assert_eq!((report.read, report.cut), (FILE_BYTES_MAX, true));
    assert_eq!(read, FILE_BYTES_MAX);
    let many: String = (0..500)
        .map(|number| {
            format!(
                "ghp_{number:036}x\nghp_{}{number:03}\n",
                &base64(33).replace(['+', '/'], "x")
            )
        })
        .collect();
    let report = self::report("/tmp/many", many);
    assert_eq!((report.findings.len(), report.cut), (FINDINGS_MAX, true));
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(secrets::scan(File { path: "/x", size: 1 }, Broken).is_err());
}

#[test]
fn rules_have_ids_of_their_own() {
    let ids: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), RULES.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is found does not depend on where in a file it lies or what is around it, and no finding holds a secret.
    #[test]
    fn secrets_are_found_wherever_they_lie(
        before in 0_usize..600_000,
        after in 0_usize..40_000,
        secret in "[A-Z][a-z][0-9][A-Za-z0-9/+]{37}",
        password in "[a-z]{3}[0-9]{3}[A-Z]{3}[a-z0-9]{3}",
    ) {
        let kinds = |text: &str| text.bytes().collect::<std::collections::BTreeSet<_>>().len();
        prop_assume!(kinds(&secret) > 27 && kinds(&password) > 7);
        let mut text = "lorem ipsum\n".repeat(before / 12 + 1);
        let line = before / 12 + 2;
        text.push_str(&format!("{ID}:{secret}\nhttps://ann:{password}@host.org\n"));
        text.push_str(&"dolor sit\n".repeat(after / 10));
        let report = report("/any/where", &text);
        let places: Vec<_> = report.findings.iter().map(|finding| (finding.rule, finding.line)).collect();
        let line = u64::try_from(line).unwrap();
        prop_assert_eq!(places, vec![("aws-access-key", Some(line)), ("url-password", Some(line + 1))]);
        for finding in &report.findings {
            prop_assert!(!finding.excerpt.contains(&secret) && !finding.excerpt.contains(&password));
        }
    }

    /// Any bytes under any name end in a report.
    #[test]
    fn any_file_is_read(bytes in prop::collection::vec(any::<u8>(), 0..4096), path in "(etc/shadow|[.]netrc|[.]pgpass|[.]env|a)") {
        report(&path, &bytes);
    }
}
