//! Last accessed details, through the pipeline.

use pipeline::testing::{ACCOUNT, Caller};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, code, document, trust};

const DAY: i64 = 86_400_000;

fn arn(rest: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{rest}")
}

fn grant(scene: &Scene, user: &str, actions: &[&str]) {
    let document = document(&json!({"Effect": "Allow", "Action": actions, "Resource": "*"}));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": user, "PolicyName": "p", "PolicyDocument": document}),
    );
}

fn ask(scene: &Scene, arn: &str, granularity: &str) -> String {
    let answer = scene.root(
        "GenerateServiceLastAccessedDetails",
        json!({"Arn": arn, "Granularity": granularity}),
    );
    answer["JobId"].as_str().unwrap().to_owned()
}

/// A report, once it is made.
fn report(scene: &Scene, arn: &str, granularity: &str) -> (String, Value) {
    let job = ask(scene, arn, granularity);
    scene.cloud.advance(2_000);
    let answer = scene.root(
        "GetServiceLastAccessedDetails",
        json!({"JobId": job, "MaxItems": 1000}),
    );
    assert_eq!(answer["JobStatus"], "COMPLETED");
    (job, answer)
}

fn service<'a>(report: &'a Value, namespace: &str) -> &'a Value {
    let services = report["ServicesLastAccessed"].as_array().unwrap();
    let found = services
        .iter()
        .find(|service| service["ServiceNamespace"] == namespace);
    found.unwrap_or(&Value::Null)
}

fn tries(scene: &Scene, caller: &Caller, operation: &str) {
    let _ = scene.call(caller, operation, json!({}));
}

/// The services that the policies allow, with the last attempt, whether it was allowed or refused.
#[test]
fn a_report_tells_the_allowed_services_and_the_last_attempt_at_each() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &["iam:ListUsers", "s3:Get*", "kms:*"]);
    let (_, before) = report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    let listed = before["ServicesLastAccessed"].as_array().unwrap();
    let namespaces: Vec<_> = listed
        .iter()
        .map(|service| service["ServiceNamespace"].as_str().unwrap())
        .collect();
    assert_eq!(namespaces, ["iam", "kms", "s3"]);
    assert_eq!(
        service(&before, "iam"),
        &json!({
            "ServiceName": "AWS Identity and Access Management", "ServiceNamespace": "iam",
            "TotalAuthenticatedEntities": 0
        })
    );
    // A refused call is an attempt too.
    tries(&scene, &ana, "ListRoles");
    let (_, refused) = report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    let iam = service(&refused, "iam");
    assert_eq!(iam["TotalAuthenticatedEntities"], 1);
    assert_eq!(iam["LastAuthenticatedEntity"], arn("user/ana"));
    assert_eq!(iam["LastAuthenticatedRegion"], "us-east-1");
    let first = iam["LastAuthenticated"].clone();
    scene.cloud.advance(DAY);
    tries(&scene, &ana, "ListUsers");
    let (_, later) = report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    assert_ne!(service(&later, "iam")["LastAuthenticated"], first);
    assert_eq!(service(&later, "kms")["TotalAuthenticatedEntities"], 0);
    // 400 days later nothing is told any more.
    scene.cloud.advance(401 * DAY);
    let (_, old) = report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    assert_eq!(service(&old, "iam")["TotalAuthenticatedEntities"], 0);
    assert_eq!(service(&old, "iam")["LastAuthenticated"], Value::Null);
}

/// By action, the tracked ones that are allowed.
#[test]
fn a_report_by_action_tells_tracked_actions() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &["iam:List*", "s3:GetObject"]);
    tries(&scene, &ana, "ListUsers");
    let (_, report) = report(&scene, &arn("user/ana"), "ACTION_LEVEL");
    assert_eq!(report["JobType"], "ACTION_LEVEL");
    let iam = service(&report, "iam");
    let actions = iam["TrackedActionsLastAccessed"].as_array().unwrap();
    let named = |name: &str| actions.iter().find(|action| action["ActionName"] == name);
    let users = named("ListUsers").unwrap();
    assert_eq!(users["LastAccessedEntity"], arn("user/ana"));
    assert_eq!(users["LastAccessedRegion"], "us-east-1");
    assert_eq!(users["LastAccessedTime"], iam["LastAuthenticated"]);
    assert_eq!(named("ListRoles").unwrap(), &json!({"ActionName": "ListRoles"}));
    assert!(named("CreateUser").is_none());
}

/// Groups and policies, with who could have used them, the latest first.
#[test]
fn groups_and_policies_tell_who_used_them() {
    let scene = Scene::new();
    let (ana, bob) = (scene.user("ana"), scene.user("bob"));
    scene.root("CreateGroup", json!({"GroupName": "staff"}));
    for user in ["ana", "bob"] {
        scene.root("AddUserToGroup", json!({"GroupName": "staff", "UserName": user}));
    }
    let made = json!({"PolicyName": "look", "PolicyDocument": allow("iam:*")});
    let policy = scene.root("CreatePolicy", made)["Policy"]["Arn"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.root(
        "AttachGroupPolicy",
        json!({"GroupName": "staff", "PolicyArn": policy}),
    );
    let role = json!({"RoleName": "robot", "AssumeRolePolicyDocument": trust("AWS", &arn("user/ana"))});
    scene.root("CreateRole", role);
    scene.root(
        "AttachRolePolicy",
        json!({"RoleName": "robot", "PolicyArn": policy}),
    );
    tries(&scene, &ana, "ListUsers");
    scene.cloud.advance(3_600_000);
    tries(&scene, &bob, "ListUsers");
    let (job, group) = report(&scene, &arn("group/staff"), "SERVICE_LEVEL");
    assert_eq!(service(&group, "iam")["TotalAuthenticatedEntities"], 2);
    assert_eq!(service(&group, "iam")["LastAuthenticatedEntity"], arn("user/bob"));
    let shown = |job: &str, marker: Option<&str>| {
        let input = json!({"JobId": job, "ServiceNamespace": "iam", "MaxItems": 2, "Marker": marker});
        scene.root("GetServiceLastAccessedDetailsWithEntities", input)
    };
    let entities = shown(&job, None);
    let names = |answer: &Value| -> Vec<String> {
        let entities = answer["EntityDetailsList"].as_array().unwrap().iter();
        entities
            .map(|entity| entity["EntityInfo"]["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&entities), ["bob", "ana"]);
    assert_eq!(entities["EntityDetailsList"][0]["EntityInfo"]["Type"], "USER");
    let (job, by_policy) = report(&scene, &policy, "SERVICE_LEVEL");
    assert_eq!(service(&by_policy, "iam")["TotalAuthenticatedEntities"], 2);
    let first = shown(&job, None);
    assert_eq!(
        (names(&first), &first["IsTruncated"]),
        (vec!["bob".into(), "ana".into()], &json!(true))
    );
    let second = shown(&job, first["Marker"].as_str());
    assert_eq!(names(&second), ["robot"]);
    assert_eq!(second["EntityDetailsList"][0]["LastAuthenticated"], Value::Null);
    assert_eq!(second["EntityDetailsList"][0]["EntityInfo"]["Type"], "ROLE");
}

/// A session's attempts count for its role, and a deleted role takes them along.
#[test]
fn sessions_count_for_their_role() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &["sts:AssumeRole"]);
    let role = json!({"RoleName": "robot", "AssumeRolePolicyDocument": trust("AWS", &arn("user/ana"))});
    scene.root("CreateRole", role.clone());
    let inline = json!({"RoleName": "robot", "PolicyName": "p", "PolicyDocument": allow("iam:ListUsers")});
    scene.root("PutRolePolicy", inline.clone());
    let session = scene.assume(&ana, "robot").unwrap();
    tries(&scene, &session, "ListUsers");
    let (_, told) = report(&scene, &arn("role/robot"), "SERVICE_LEVEL");
    assert_eq!(
        service(&told, "iam")["LastAuthenticatedEntity"],
        arn("role/robot")
    );
    let (_, of_ana) = report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    assert_eq!(service(&of_ana, "sts")["TotalAuthenticatedEntities"], 1);
    scene.root(
        "DeleteRolePolicy",
        json!({"RoleName": "robot", "PolicyName": "p"}),
    );
    scene.root("DeleteRole", json!({"RoleName": "robot"}));
    scene.root("CreateRole", role);
    scene.root("PutRolePolicy", inline);
    let (_, anew) = report(&scene, &arn("role/robot"), "SERVICE_LEVEL");
    assert_eq!(service(&anew, "iam")["TotalAuthenticatedEntities"], 0);
}

/// In progress at first, nobody else's, in pages, and gone after seven days.
#[test]
fn a_report_is_made_later_shown_to_its_owner_and_kept_for_a_week() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &["*"]);
    let job = ask(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    let input = json!({"JobId": job, "MaxItems": 300});
    let early = scene.root("GetServiceLastAccessedDetails", input.clone());
    assert_eq!(early["JobStatus"], "IN_PROGRESS");
    assert_eq!(
        (&early["JobCompletionDate"], &early["ServicesLastAccessed"]),
        (&Value::Null, &json!([]))
    );
    scene.cloud.advance(2_000);
    let first = scene.root("GetServiceLastAccessedDetails", input.clone());
    assert_eq!(first["ServicesLastAccessed"].as_array().unwrap().len(), 300);
    let next = json!({"JobId": job, "MaxItems": 300, "Marker": first["Marker"]});
    let second = scene.root("GetServiceLastAccessedDetails", next);
    assert_eq!(second["ServicesLastAccessed"].as_array().unwrap().len(), 156);
    assert_eq!(second["IsTruncated"], false);
    let other = scene.call(&ana, "GetServiceLastAccessedDetails", input.clone());
    assert_eq!(other.unwrap_err().code, "NoSuchEntity");
    scene.cloud.advance(7 * DAY);
    assert_eq!(
        code(&scene, "GetServiceLastAccessedDetails", input),
        "NoSuchEntity"
    );
    // The next request drops the old report, and its own is there.
    report(&scene, &arn("user/ana"), "SERVICE_LEVEL");
    let missing = json!({"Arn": arn("user/nobody")});
    assert_eq!(
        code(&scene, "GenerateServiceLastAccessedDetails", missing),
        "NoSuchEntity"
    );
    let wrong = json!({"Arn": "arn:aws:s3:::bucket/of/things"});
    assert_eq!(
        code(&scene, "GenerateServiceLastAccessedDetails", wrong),
        "InvalidInput"
    );
}

/// The report of a user who is gone before it is made fails and says why.
#[test]
fn a_report_of_what_is_gone_fails() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "brief"}));
    let job = ask(&scene, &arn("user/brief"), "SERVICE_LEVEL");
    scene.root("DeleteUser", json!({"UserName": "brief"}));
    scene.cloud.advance(2_000);
    let answer = scene.root("GetServiceLastAccessedDetails", json!({"JobId": job}));
    assert_eq!(answer["JobStatus"], "FAILED");
    assert_eq!(answer["Error"]["Code"], "NoSuchEntity");
}

/// Managed and inline policies, a group's too, by service; a boundary gives nothing.
#[test]
fn the_policies_that_give_access_are_listed() {
    let scene = Scene::new();
    scene.user("ana");
    grant(&scene, "ana", &["iam:GetUser"]);
    scene.root("CreateGroup", json!({"GroupName": "staff"}));
    scene.root("AddUserToGroup", json!({"GroupName": "staff", "UserName": "ana"}));
    let inline = json!({"GroupName": "staff", "PolicyName": "g", "PolicyDocument": allow("s3:*")});
    scene.root("PutGroupPolicy", inline);
    let managed = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess";
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "ana", "PolicyArn": managed}),
    );
    let bound =
        json!({"UserName": "ana", "PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"});
    scene.root("PutUserPermissionsBoundary", bound);
    let asked = json!({"Arn": arn("user/ana"), "ServiceNamespaces": ["ec2", "iam", "s3", "sqs"]});
    let answer = scene.root("ListPoliciesGrantingServiceAccess", asked);
    assert_eq!(
        answer["PoliciesGrantingServiceAccess"],
        json!([
            {"ServiceNamespace": "ec2", "Policies": [
                {"PolicyName": "AmazonEC2ReadOnlyAccess", "PolicyType": "MANAGED", "PolicyArn": managed}]},
            {"ServiceNamespace": "iam", "Policies": [
                {"PolicyName": "p", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "ana"}]},
            {"ServiceNamespace": "s3", "Policies": [
                {"PolicyName": "g", "PolicyType": "INLINE", "EntityType": "GROUP", "EntityName": "staff"}]},
            {"ServiceNamespace": "sqs", "Policies": []},
        ])
    );
}

/// An attempt is noted once a minute, and what is remembered of the notes never hides a later one.
#[test]
fn a_minute_later_an_attempt_is_noted_again() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &["iam:ListUsers"]);
    let last = |scene: &Scene| {
        let (_, told) = report(scene, &arn("user/ana"), "SERVICE_LEVEL");
        service(&told, "iam")["LastAuthenticated"].as_f64().unwrap()
    };
    tries(&scene, &ana, "ListUsers");
    let first = last(&scene);
    // The second call sees the note, the third remembers it.
    tries(&scene, &ana, "ListUsers");
    tries(&scene, &ana, "ListUsers");
    assert!((last(&scene) - first).abs() < 0.001);
    for _ in 0..3 {
        let before = last(&scene);
        scene.cloud.advance(60_000);
        tries(&scene, &ana, "ListUsers");
        assert!(last(&scene) >= before + 60.0);
        // What was remembered of a store that was replaced is forgotten.
        scene.cloud.gateway.forget();
        tries(&scene, &ana, "ListUsers");
    }
}
