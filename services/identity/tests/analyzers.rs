//! Analyzers through the pipeline: what their scans find, and what becomes of findings.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, document, trust};

const OTHER: &str = "444455556666";
const DAY: i64 = 86_400_000;

fn analyzer(name: &str) -> String {
    format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/{name}")
}

/// Calls Access Analyzer as root, which must succeed.
fn ask(scene: &Scene, operation: &str, input: Value) -> Value {
    scene
        .cloud
        .call(&scene.root, "accessanalyzer", operation, input)
        .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
}

fn code(scene: &Scene, operation: &str, input: Value) -> String {
    let answer = scene.cloud.call(&scene.root, "accessanalyzer", operation, input);
    answer
        .err()
        .unwrap_or_else(|| panic!("{operation} succeeded"))
        .code
}

fn role(scene: &Scene, name: &str, trusts: &str) {
    scene.root(
        "CreateRole",
        json!({"RoleName": name, "AssumeRolePolicyDocument": trust("AWS", trusts)}),
    );
}

fn findings(scene: &Scene, filter: Value) -> Vec<Value> {
    let input = json!({"analyzerArn": analyzer("a"), "filter": filter,
        "sort": {"attributeName": "resource", "orderBy": "ASC"}});
    ask(scene, "ListFindings", input)["findings"]
        .as_array()
        .unwrap()
        .clone()
}

fn active(scene: &Scene) -> Vec<Value> {
    findings(scene, json!({"status": {"eq": ["ACTIVE"]}}))
}

/// A cloud with a role for everyone, one for another account, and one for the own account; scanned.
fn scanned() -> Scene {
    let scene = Scene::new();
    role(&scene, "everyone", "*");
    role(&scene, "other", &format!("arn:aws:iam::{OTHER}:root"));
    role(&scene, "own", &format!("arn:aws:iam::{ACCOUNT}:root"));
    ask(
        &scene,
        "CreateAnalyzer",
        json!({"analyzerName": "a", "type": "ACCOUNT", "tags": {"k": "v"}}),
    );
    scene.cloud.advance(1);
    scene
}

/// S6.9: trust in a whole other account, or in everyone, is found right after the analyzer is made; trust at home is not.
#[test]
fn generic_trust_is_found() {
    let scene = scanned();
    let found = active(&scene);
    let shown: Vec<_> = found
        .iter()
        .map(|finding| {
            (
                finding["resource"].as_str().unwrap(),
                &finding["principal"],
                &finding["isPublic"],
            )
        })
        .collect();
    let (everyone, other) = (
        format!("arn:aws:iam::{ACCOUNT}:role/everyone"),
        format!("arn:aws:iam::{ACCOUNT}:role/other"),
    );
    assert_eq!(
        shown,
        [
            (everyone.as_str(), &json!({"AWS": "*"}), &json!(true)),
            (other.as_str(), &json!({"AWS": OTHER}), &json!(false)),
        ]
    );
    assert_eq!(found[1]["action"], json!(["sts:AssumeRole"]));
    assert_eq!(found[1]["resourceControlPolicyRestriction"], "NOT_APPLICABLE");
    let one = json!({"analyzerArn": analyzer("a"), "id": found[1]["id"]});
    assert_eq!(
        ask(&scene, "GetFinding", one.clone())["finding"]["resource"],
        other
    );
    let whole = ask(&scene, "GetFindingV2", one);
    assert_eq!(whole["findingType"], "ExternalAccess");
    assert_eq!(
        whole["findingDetails"][0]["externalAccessDetails"]["principal"]["AWS"],
        OTHER
    );
    let statistics = ask(
        &scene,
        "GetFindingsStatistics",
        json!({"analyzerArn": analyzer("a")}),
    );
    let external = &statistics["findingsStatistics"][0]["externalAccessFindingsStatistics"];
    assert_eq!(
        external["resourceTypeStatistics"]["AWS::IAM::Role"],
        json!({"totalActivePublic": 1, "totalActiveCrossAccount": 1, "totalActiveErrors": 0})
    );
    let resources = ask(
        &scene,
        "ListAnalyzedResources",
        json!({"analyzerArn": analyzer("a")}),
    );
    assert_eq!(
        resources["analyzedResources"].as_array().unwrap().len(),
        4,
        "Access Analyzer's own role is one of them"
    );
    let resource = ask(
        &scene,
        "GetAnalyzedResource",
        json!({"analyzerArn": analyzer("a"), "resourceArn": everyone}),
    )["resource"]
        .clone();
    assert_eq!(
        (&resource["isPublic"], &resource["status"]),
        (&json!(true), &json!("ACTIVE"))
    );
}

/// A change is seen within minutes: access that is gone is resolved, other conditions are another finding, and both are forgotten
/// after ninety days.
#[test]
fn findings_follow_the_policies() {
    let scene = scanned();
    let conditional = document(
        &json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}}),
    );
    scene.root(
        "UpdateAssumeRolePolicy",
        json!({"RoleName": "everyone", "PolicyDocument": conditional}),
    );
    scene.root("DeleteRole", json!({"RoleName": "other"}));
    assert_eq!(active(&scene).len(), 2);
    scene.cloud.advance(30 * 60_000);
    let found = active(&scene);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0]["condition"],
        json!({"aws:PrincipalOrgID": "o-abcdefghij"})
    );
    assert_eq!(found[0]["isPublic"], false);
    let resolved = || findings(&scene, json!({"status": {"eq": ["RESOLVED"]}})).len();
    assert_eq!(resolved(), 2);
    scene.cloud.advance(89 * DAY);
    assert_eq!(resolved(), 2);
    scene.cloud.advance(2 * DAY);
    assert_eq!(resolved(), 0);
    assert_eq!(active(&scene).len(), 1);
}

#[test]
fn one_resource_is_scanned_at_once_when_asked() {
    let scene = scanned();
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/late");
    let scan = json!({"analyzerArn": analyzer("a"), "resourceArn": arn});
    assert_eq!(
        code(&scene, "StartResourceScan", scan.clone()),
        "ResourceNotFoundException"
    );
    role(&scene, "late", OTHER);
    ask(&scene, "StartResourceScan", scan);
    scene.cloud.advance(1);
    let mine = json!({"resource": {"eq": [arn]}, "principal.AWS": {"eq": [OTHER]}});
    assert_eq!(findings(&scene, mine).len(), 1);
}

#[test]
fn people_and_rules_archive_findings() {
    let scene = scanned();
    let rule = json!({"analyzerName": "a", "ruleName": "r", "filter": {"principal.AWS": {"eq": [OTHER]}}});
    ask(&scene, "CreateArchiveRule", rule.clone());
    assert_eq!(code(&scene, "CreateArchiveRule", rule), "ConflictException");
    assert_eq!(active(&scene).len(), 2);
    ask(
        &scene,
        "ApplyArchiveRule",
        json!({"analyzerArn": analyzer("a"), "ruleName": "r"}),
    );
    let found = active(&scene);
    assert_eq!(found.len(), 1);
    // A new finding that fits the rule is archived as it comes.
    role(&scene, "second", OTHER);
    scene.cloud.advance(DAY);
    let archived = findings(&scene, json!({"status": {"eq": ["ARCHIVED"]}}));
    assert_eq!(archived.len(), 2);
    let update = |status: &str, id: &Value| {
        ask(
            &scene,
            "UpdateFindings",
            json!({"analyzerArn": analyzer("a"), "status": status, "ids": [id]}),
        )
    };
    update("ACTIVE", &archived[0]["id"]);
    update("ARCHIVED", &found[0]["id"]);
    let now = active(&scene);
    assert_eq!((now.len(), &now[0]["id"]), (1, &archived[0]["id"]));
    let shown = json!({"analyzerName": "a", "ruleName": "r"});
    let filter = json!({"resourceType": {"neq": ["AWS::IAM::Role"], "exists": true}});
    let mut change = shown.clone();
    change["filter"] = filter.clone();
    ask(&scene, "UpdateArchiveRule", change);
    assert_eq!(
        ask(&scene, "GetArchiveRule", shown.clone())["archiveRule"]["filter"],
        filter
    );
    assert_eq!(
        ask(&scene, "ListArchiveRules", json!({"analyzerName": "a"}))["archiveRules"][0]["ruleName"],
        "r"
    );
    ask(&scene, "DeleteArchiveRule", shown.clone());
    assert_eq!(code(&scene, "GetArchiveRule", shown), "ResourceNotFoundException");
    let strange = json!({"analyzerName": "a", "ruleName": "s", "filter": {"status": {"eq": ["ACTIVE"]}}});
    assert_eq!(code(&scene, "CreateArchiveRule", strange), "ValidationException");
}

#[test]
fn an_account_has_one_analyzer_of_a_type_in_a_region() {
    let scene = scanned();
    let made = json!({"analyzerName": "b", "type": "ACCOUNT"});
    assert_eq!(
        code(&scene, "CreateAnalyzer", made.clone()),
        "ServiceQuotaExceededException"
    );
    let elsewhere = scene
        .cloud
        .call_in("us-west-2", &scene.root, "accessanalyzer", "CreateAnalyzer", made);
    assert!(elsewhere.is_ok());
    let same = json!({"analyzerName": "a", "type": "ACCOUNT"});
    assert_eq!(code(&scene, "CreateAnalyzer", same), "ConflictException");
    for kind in [
        "ORGANIZATION",
        "ORGANIZATION_UNUSED_ACCESS",
        "ACCOUNT_INTERNAL_ACCESS",
    ] {
        let input = json!({"analyzerName": "c", "type": kind});
        assert_eq!(
            code(&scene, "CreateAnalyzer", input),
            "ValidationException",
            "{kind}"
        );
    }
    let unused = json!({"analyzerName": "u", "type": "ACCOUNT_UNUSED_ACCESS", "clientToken": "t",
        "configuration": {"unusedAccess": {"unusedAccessAge": 30}}});
    let first = ask(&scene, "CreateAnalyzer", unused.clone());
    assert_eq!(ask(&scene, "CreateAnalyzer", unused), first);
    let age = json!({"analyzerName": "u", "configuration": {"unusedAccess": {"unusedAccessAge": 60}}});
    assert_eq!(
        ask(&scene, "UpdateAnalyzer", age)["configuration"]["unusedAccess"]["unusedAccessAge"],
        60
    );
    assert_eq!(
        code(&scene, "UpdateAnalyzer", json!({"analyzerName": "a"})),
        "ValidationException"
    );
    let listed = ask(&scene, "ListAnalyzers", json!({"maxResults": 1}));
    assert_eq!(listed["analyzers"][0]["name"], "a");
    let rest = ask(
        &scene,
        "ListAnalyzers",
        json!({"maxResults": 1, "nextToken": listed["nextToken"]}),
    );
    assert_eq!(
        (&rest["analyzers"][0]["name"], &rest["nextToken"]),
        (&json!("u"), &Value::Null)
    );
}

/// What belongs to an analyzer goes with it, and its planned scan does nothing to another of its name.
#[test]
fn an_analyzer_is_deleted_with_its_findings() {
    let scene = scanned();
    let arn = analyzer("a");
    ask(
        &scene,
        "TagResource",
        json!({"resourceArn": arn, "tags": {"x": "y"}}),
    );
    ask(
        &scene,
        "UntagResource",
        json!({"resourceArn": arn, "tagKeys": ["k"]}),
    );
    assert_eq!(
        ask(&scene, "ListTagsForResource", json!({"resourceArn": arn}))["tags"],
        json!({"x": "y"})
    );
    ask(&scene, "DeleteAnalyzer", json!({"analyzerName": "a"}));
    assert_eq!(
        code(&scene, "GetAnalyzer", json!({"analyzerName": "a"})),
        "ResourceNotFoundException"
    );
    ask(
        &scene,
        "CreateAnalyzer",
        json!({"analyzerName": "a", "type": "ACCOUNT"}),
    );
    assert!(active(&scene).is_empty());
    scene.cloud.advance(2 * DAY);
    assert_eq!(active(&scene).len(), 2);
}

#[test]
fn pages_and_filters_are_checked() {
    let scene = scanned();
    let list = |rest: Value| {
        let mut input = rest;
        input["analyzerArn"] = json!(analyzer("a"));
        input
    };
    let first = ask(&scene, "ListFindings", list(json!({"maxResults": 1})));
    let token = &first["nextToken"];
    let second = ask(
        &scene,
        "ListFindings",
        list(json!({"maxResults": 1, "nextToken": token})),
    );
    assert_ne!(first["findings"][0]["id"], second["findings"][0]["id"]);
    assert_eq!(second["nextToken"], Value::Null);
    for wrong in [
        json!({"nextToken": "forged"}),
        json!({"maxResults": 0}),
        json!({"filter": {"nonsense": {"eq": ["x"]}}}),
        json!({"sort": {"attributeName": "nonsense"}}),
        json!({"nextToken": token, "filter": {"isPublic": {"eq": ["true"]}}}),
    ] {
        assert_eq!(
            code(&scene, "ListFindings", list(wrong.clone())),
            "ValidationException",
            "{wrong}"
        );
    }
    assert_eq!(findings(&scene, json!({"isPublic": {"eq": ["true"]}})).len(), 1);
    let foreign = json!({"analyzerArn": analyzer("a").replace(ACCOUNT, OTHER)});
    assert_eq!(code(&scene, "ListFindings", foreign), "ResourceNotFoundException");
}

/// A scan goes on where its last part ended, until every resource was looked at, and does not take those of other parts for gone.
#[test]
fn many_resources_are_scanned_in_parts() {
    let scene = scanned();
    for number in 0..250 {
        role(&scene, &format!("r{number:03}"), OTHER);
    }
    for _ in 0..2 {
        scene.cloud.advance(DAY);
        let statistics = ask(
            &scene,
            "GetFindingsStatistics",
            json!({"analyzerArn": analyzer("a")}),
        );
        let external = &statistics["findingsStatistics"][0]["externalAccessFindingsStatistics"];
        let counted = (
            &external["totalActiveFindings"],
            &external["totalResolvedFindings"],
        );
        assert_eq!(counted, (&json!(252), &json!(0)));
    }
}
