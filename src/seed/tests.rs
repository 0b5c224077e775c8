//! Seeds against a cloud in process: what they make, that they make it once, and how they are refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use identity::iam::directory::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud};
use serde_json::{Value, json};

use crate::folder::Folder;

const OTHER: &str = "000000000042";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Every kind of thing: two accounts, trust across them and in a circle, a boundary, keys given and generated.
const WHOLE: &str = r#"
accounts:
- id: 111122223333
  name: workload
  alias: workload-test
  policies:
  - name: ReadParts
    path: /app/
    description: Parts may be read.
    tags: {team: blue}
    document: &read
      Version: 2012-10-17
      Statement:
      - Effect: Allow
        Action: s3:GetObject
        Resource: arn:aws:s3:::parts/*
        Condition:
          Bool: {"aws:SecureTransport": true}
  - name: Edge
    document: '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}'
  groups:
  - name: readers
    policies: [ReadParts]
    inline:
      list: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:ListBucket", Resource: "*"}]}
  roles:
  - name: deploy
    description: Deploys.
    max_session_duration: 7200
    trust:
      Version: 2012-10-17
      Statement:
      - {Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: ["arn:aws:iam::111122223333:user/staff/alice", "arn:aws:iam::000000000042:role/audit"]}}
    policies: ["arn:aws:iam::aws:policy/ReadOnlyAccess", ReadParts]
    boundary: Edge
    tags: {team: blue}
  users:
  - name: alice
    path: /staff/
    groups: [readers]
    policies: [ReadParts]
    inline: {own: *read}
    boundary: Edge
    tags: {team: red, cost: "007"}
    access_keys:
    - {id: AKIAALICE00000000001, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
    - generate: true
- id: 000000000042
  roles:
  - name: audit
    trust:
      Version: 2012-10-17
      Statement:
      - {Effect: Allow, Action: "sts:AssumeRole", Principal: {AWS: "arn:aws:iam::111122223333:role/deploy"}}
  users:
  - name: bob
    access_keys: [{id: AKIABOB0000000000001, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY, active: false}]
"#;

struct Seeded {
    cloud: Cloud,
    folder: tempfile::TempDir,
}

impl Seeded {
    fn new() -> Self {
        let tables = Tables {
            operations: vec![identity::iam::OPERATIONS],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(drop)
        });
        assert!(made.is_ok());
        Self {
            cloud,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Applies a seed; a refusal without the folder's name.
    fn apply(&self, text: &str) -> Result<(), String> {
        let file = self.folder.path().join("seed.yaml");
        std::fs::write(&file, text).unwrap();
        let folder = Folder::at(self.folder.path());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let applied = runtime.block_on(super::apply(&self.cloud.gateway, &folder, &file));
        let prefix = format!("{}/", self.folder.path().display());
        applied.map_err(|error| error.chain().replace(&prefix, ""))
    }

    fn iam(&self, operation: &str, input: Value) -> Value {
        self.cloud
            .call(&self.cloud.root(), "iam", operation, input)
            .unwrap()
    }

    fn caller(&self, id: &str) -> Result<Caller, &'static str> {
        self.cloud.caller(id, None)
    }

    /// Calls that changed something or tried to, over both accounts.
    fn writes(&self) -> Vec<String> {
        let records = [ACCOUNT, OTHER].map(|account| self.cloud.records(account, "us-east-1"));
        let writes = records.into_iter().flatten().filter(|record| !record.read_only);
        writes
            .map(|record| format!("{} {:?}", record.operation, record.error.map(|error| error.code)))
            .collect()
    }

    fn credentials_file(&self) -> PathBuf {
        self.folder.path().join("seed-credentials.json")
    }

    fn generated(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.credentials_file()).unwrap()).unwrap()
    }
}

#[test]
fn a_seed_makes_everything_that_it_names() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let user = seeded.iam("GetUser", json!({"UserName": "alice"}));
    assert_eq!(user["User"]["Arn"], "arn:aws:iam::111122223333:user/staff/alice");
    assert_eq!(
        user["User"]["Tags"],
        json!([{"Key": "cost", "Value": "007"}, {"Key": "team", "Value": "red"}])
    );
    let boundary = &user["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"];
    assert_eq!(boundary, "arn:aws:iam::111122223333:policy/Edge");
    let attached = seeded.iam("ListAttachedRolePolicies", json!({"RoleName": "deploy"}));
    assert_eq!(attached["AttachedPolicies"].as_array().unwrap().len(), 2);
    let role = seeded.iam("GetRole", json!({"RoleName": "deploy"}));
    assert_eq!(role["Role"]["MaxSessionDuration"], 7200);
    assert!(
        role["Role"]["AssumeRolePolicyDocument"]
            .as_str()
            .unwrap()
            .contains("role%2Faudit"),
        "{role}"
    );
    let groups = seeded.iam("ListGroupsForUser", json!({"UserName": "alice"}));
    assert_eq!(groups["Groups"][0]["GroupName"], "readers");
    assert_eq!(
        seeded.iam("ListAccountAliases", json!({}))["AccountAliases"],
        json!(["workload-test"])
    );
    assert_eq!(
        &*seeded.caller("AKIAALICE00000000001").unwrap().arn,
        "arn:aws:iam::111122223333:user/staff/alice"
    );
    assert_eq!(
        seeded.caller("AKIABOB0000000000001").err(),
        Some("unknown"),
        "it is inactive"
    );
    assert!(
        seeded.writes().iter().all(|write| write.ends_with("None")),
        "{:?}",
        seeded.writes()
    );
}

#[test]
fn a_second_run_changes_nothing() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let (writes, credentials) = (seeded.writes(), seeded.generated());
    assert!(writes.len() > 10);
    seeded.apply(WHOLE).unwrap();
    assert_eq!(seeded.writes(), writes);
    assert_eq!(seeded.generated(), credentials);
}

#[test]
fn generated_keys_are_kept_for_their_owner_alone_while_they_are_good() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let mode = std::fs::metadata(seeded.credentials_file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = seeded.generated()[ACCOUNT]["alice"][0].clone();
    let id = key["access_key_id"].as_str().unwrap();
    assert_eq!(key["secret_access_key"].as_str().unwrap().len(), 40);
    assert_eq!(seeded.caller(id).unwrap().user_name.as_deref(), Some("alice"));
    seeded.iam("DeleteAccessKey", json!({"UserName": "alice", "AccessKeyId": id}));
    seeded.apply(WHOLE).unwrap();
    let other = seeded.generated()[ACCOUNT]["alice"][0].clone();
    assert_ne!(other, key);
    assert!(seeded.caller(other["access_key_id"].as_str().unwrap()).is_ok());
}

#[test]
fn what_changed_in_the_file_changes_and_the_rest_stays() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    seeded.iam("CreateUser", json!({"UserName": "carol"}));
    seeded.iam(
        "TagUser",
        json!({"UserName": "alice", "Tags": [{"Key": "by-hand", "Value": "1"}]}),
    );
    let changed = WHOLE
        .replace("s3:GetObject", "s3:GetObject*")
        .replace("team: red", "team: green")
        .replace("/staff/", "/people/")
        .replace("7200", "3600")
        .replace(", \"arn:aws:iam::000000000042:role/audit\"]", "]")
        .replace("active: false", "active: true");
    let before = seeded.writes();
    seeded.apply(&changed).unwrap();
    let policy = json!({"PolicyArn": "arn:aws:iam::111122223333:policy/app/ReadParts"});
    assert_eq!(
        seeded.iam("GetPolicy", policy)["Policy"]["DefaultVersionId"],
        "v2"
    );
    let user = seeded.iam("GetUser", json!({"UserName": "alice"}));
    assert_eq!(user["User"]["Path"], "/people/");
    let tags = user["User"]["Tags"].as_array().unwrap();
    assert!(tags.contains(&json!({"Key": "team", "Value": "green"})));
    assert!(tags.contains(&json!({"Key": "by-hand", "Value": "1"})));
    assert!(seeded.caller("AKIABOB0000000000001").is_ok());
    seeded.iam("GetUser", json!({"UserName": "carol"}));
    let mut writes = seeded.writes();
    for older in before {
        writes.remove(writes.iter().position(|write| *write == older).unwrap());
    }
    writes.sort();
    let expected = [
        "CreatePolicyVersion",
        "PutUserPolicy",
        "TagUser",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
        "UpdateUser",
    ];
    assert_eq!(writes, expected.map(|operation| format!("{operation} None")));
}

#[test]
fn the_oldest_version_of_a_policy_gives_way() {
    let seeded = Seeded::new();
    for run in 0..7 {
        seeded
            .apply(&WHOLE.replace("s3:GetObject", &format!("s3:Get{run}*")))
            .unwrap();
    }
    let policy = json!({"PolicyArn": "arn:aws:iam::111122223333:policy/app/ReadParts"});
    assert_eq!(
        seeded.iam("ListPolicyVersions", policy)["Versions"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[test]
fn the_manual_s_example_is_a_seed() {
    let manual = include_str!("../../docs/seed.md");
    let example = manual
        .split("```yaml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let seeded = Seeded::new();
    seeded.apply(example).unwrap();
    let writes = seeded.writes();
    seeded.apply(example).unwrap();
    assert_eq!(seeded.writes(), writes);
}

#[test]
fn what_cannot_change_is_refused() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let writes = seeded.writes();
    assert_eq!(
        seeded
            .apply(&WHOLE.replace("Parts may be read.", "Other words."))
            .unwrap_err(),
        "seed.yaml:7:5: policies[0] ReadParts: the description of a policy cannot be changed once it is made"
    );
    assert_eq!(
        seeded
            .apply(&WHOLE.replace("- name: audit", "- name: audit\n    path: /other/"))
            .unwrap_err(),
        "seed.yaml:50:5: roles[0] audit: the path of a role cannot be changed once it is made"
    );
    assert_eq!(seeded.writes(), writes);
}

#[test]
fn a_given_secret_replaces_the_one_of_its_key() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let secret = |seeded: &Seeded| {
        let found = seeded.cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None)?;
            let credential = call.directory().credential(call, "AKIAALICE00000000001", None);
            Ok(credential.map(|credential| credential.secret).ok())
        });
        found.ok().flatten().unwrap()
    };
    assert!(secret(&seeded).matches(SECRET.as_bytes()));
    seeded
        .apply(&WHOLE.replace(SECRET, "another-secret-of-24-chars"))
        .unwrap();
    assert!(secret(&seeded).matches(b"another-secret-of-24-chars"));
    let third = WHOLE.replace("AKIAALICE00000000001", "AKIAALICE00000000002");
    let refusal = seeded.apply(&third).unwrap_err();
    assert_eq!(
        refusal,
        "seed.yaml:46:7: users[0] alice: LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"
    );
}

/// Refuses a seed of one account, whose lists begin in line 3, and shows that nothing changed.
#[track_caller]
fn refused(lists: &str, expected: &str) {
    let seeded = Seeded::new();
    let text = format!("accounts:\n- id: {ACCOUNT}\n{lists}");
    let refusal = seeded.apply(&text).unwrap_err();
    assert_eq!(refusal, expected);
    assert_eq!(seeded.writes(), Vec::<String>::new());
}

#[test]
fn an_unknown_field_is_refused_at_its_place() {
    refused(
        "  users:\n  - name: alice\n    grups: [a]\n",
        "seed.yaml:5:5: unknown field `grups`, expected one of name, path, groups, policies, inline, boundary, tags, access_keys",
    );
}

#[test]
fn malformed_yaml_is_refused_at_its_place() {
    let seeded = Seeded::new();
    let refusal = seeded.apply("accounts:\n- id: [\n").unwrap_err();
    assert!(refusal.starts_with("seed.yaml:"), "{refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
    assert_eq!(
        seeded.apply("accounts: 7\n").unwrap_err().split(' ').next(),
        Some("seed.yaml:1:11:")
    );
}

#[test]
fn a_bad_document_is_refused_at_the_statement() {
    refused(
        "  policies:\n  - name: P\n    document:\n      Version: 2012-10-17\n      Statement:\n      - Effect: Allow\n        Action: s3:*\n        Resource: '*'\n      - Action: s3:*\n        Resource: '*'\n",
        "seed.yaml:11:9: policies[0] P: MalformedPolicyDocument: Syntax errors in policy. (Effect is missing)",
    );
    refused(
        "  users:\n  - name: alice\n    inline:\n      own: '{'\n",
        "seed.yaml:6:12: users[0] alice: MalformedPolicyDocument: Syntax errors in policy. line 1, column 2: expected a member name in double quotes",
    );
}

#[test]
fn doubles_are_refused() {
    refused(
        "  users:\n  - name: alice\n  - name: Alice\n",
        "seed.yaml:5:5: users[1] Alice: this user is in the file twice",
    );
}

#[test]
fn references_to_nothing_are_refused() {
    refused(
        "  users:\n  - name: alice\n    groups: [a]\n",
        "seed.yaml:5:14: users[0] alice: there is no group a",
    );
    refused(
        "  users:\n  - name: alice\n    policies: ['arn:aws:iam::aws:policy/No']\n",
        "seed.yaml:5:16: users[0] alice: there is no policy arn:aws:iam::aws:policy/No",
    );
    refused(
        "  roles:\n  - name: r\n    trust: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'sts:AssumeRole', Principal: {AWS: 'arn:aws:iam::111122223333:user/no'}}]}\n",
        "seed.yaml:5:12: roles[0] r: MalformedPolicyDocument: Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:user/no\"",
    );
}

#[test]
fn names_are_held_to_the_api_s_constraints() {
    let seeded = Seeded::new();
    let text = format!("accounts:\n- id: {ACCOUNT}\n  users:\n  - name: al ice\n  groups:\n  - name: a/b\n");
    let refusal = seeded.apply(&text).unwrap_err();
    let lines: Vec<&str> = refusal.lines().collect();
    assert_eq!(lines.len(), 2, "both are told: {refusal}");
    assert!(
        lines[0].starts_with("seed.yaml:6:5: groups[0] a/b: ValidationError: 1 validation error detected"),
        "{refusal}"
    );
    assert!(
        lines[1].starts_with("seed.yaml:4:5: users[0] al ice: ValidationError: 1 validation error detected"),
        "{refusal}"
    );
    assert_eq!(seeded.writes(), Vec::<String>::new());
}

#[test]
fn what_the_api_alone_can_judge_is_refused_at_its_place_too() {
    let seeded = Seeded::new();
    let resources = (0..300)
        .map(|index| format!("'arn:aws:s3:::bucket-{index:08}'"))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!(
        "accounts:\n- id: {ACCOUNT}\n  policies:\n  - name: P\n    document: {{Version: 2012-10-17, Statement: [{{Effect: Allow, Action: 's3:*', Resource: [{resources}]}}]}}\n"
    );
    let refusal = seeded.apply(&text).unwrap_err();
    assert_eq!(
        refusal,
        "seed.yaml:4:5: policies[0] P: LimitExceeded: Cannot exceed quota for PolicySize: 6144"
    );
}

#[test]
fn no_refusal_shows_a_secret() {
    let user = "  users:\n  - name: alice\n    access_keys:\n";
    for keys in [
        format!("    - {{id: AKIAALICE, secret: {SECRET}}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: {SECRET}, generate: true}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: '{SECRET} {SECRET}'}}\n"),
        format!("    - {SECRET}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: {SECRET}, active: {SECRET}}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: [{SECRET}]}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: {{k: {SECRET}}}}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: !x {SECRET}}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: {SECRET}, {SECRET}: 1}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: {SECRET}\n"),
        format!("    - {{{SECRET}: 1, {SECRET}: 2}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: *{SECRET}}}\n"),
        format!("    - {{id: AKIAALICE00000000001, secret: !!int {SECRET}}}\n"),
    ] {
        let refusal = Seeded::new()
            .apply(&format!("accounts:\n- id: {ACCOUNT}\n{user}{keys}"))
            .unwrap_err();
        assert!(refusal.starts_with("seed.yaml:"), "{refusal}");
        assert!(!refusal.contains(SECRET), "{keys}: {refusal}");
    }
}

#[test]
fn a_key_of_another_holder_is_refused() {
    let seeded = Seeded::new();
    seeded.apply(WHOLE).unwrap();
    let theft = format!(
        "accounts:\n- id: {OTHER}\n  users:\n  - name: eve\n    access_keys: [{{id: AKIAALICE00000000001, secret: {SECRET}}}]\n"
    );
    let writes = seeded.writes();
    let refusal = seeded.apply(&theft).unwrap_err();
    assert_eq!(
        refusal,
        "seed.yaml:5:19: users[0] eve: the access key id AKIAALICE00000000001 belongs to someone else"
    );
    assert_eq!(
        seeded
            .caller("AKIAALICE00000000001")
            .unwrap()
            .user_name
            .as_deref(),
        Some("alice")
    );
    assert_eq!(seeded.writes(), writes);
}

#[test]
fn large_files_and_alias_bombs_are_refused() {
    let seeded = Seeded::new();
    assert_eq!(
        seeded.apply(&" ".repeat(1024 * 1024 + 1)).unwrap_err(),
        "seed.yaml:1:1: a seed has at most 1 MiB"
    );
    let mut bomb = "accounts:\n- id: 111122223333\n  policies:\n  - name: a\n    document: &a0 [x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = format!("*a{}", level - 1);
        let items = vec![inner; 8].join(", ");
        bomb.push_str(&format!(
            "  - name: a{level}\n    document: &a{level} [{items}]\n"
        ));
    }
    let refusal = seeded.apply(&bomb).unwrap_err();
    assert!(
        refusal.starts_with("seed.yaml:") && refusal.contains("limit"),
        "{refusal}"
    );
}
