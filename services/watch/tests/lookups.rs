//! `LookupEvents`: what is found, in which order, and what is refused.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, parsed};

const DAY: i64 = 24 * 60 * 60 * 1000;

fn names(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["EventName"].as_str().unwrap())
        .collect()
}

fn by(key: &str, value: &str) -> Value {
    json!({"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]})
}

fn refusal(scene: &Scene, input: Value) -> String {
    scene.try_lookup(&scene.root, REGION, input).unwrap_err().code
}

/// S12.32: an entry shows what it is found by, beside the event.
#[test]
fn an_entry_shows_the_attributes() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:*");
    scene.sent(
        &keys,
        "iam",
        "TagUser",
        &[
            ("UserName", "alice"),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", "v"),
        ],
    );
    let entry = scene.lookup("us-east-1", json!({"MaxResults": 1}))[0].clone();
    let event = parsed(&entry);
    assert_eq!(entry["EventId"], event["eventID"]);
    assert_eq!(entry["EventName"], "TagUser");
    assert_eq!(entry["ReadOnly"], "false");
    assert_eq!(entry["AccessKeyId"], keys.id);
    assert_eq!(entry["EventTime"], json!(BEGINNING / 1000));
    assert_eq!(entry["EventSource"], "iam.amazonaws.com");
    assert_eq!(entry["Username"], "alice");
    let resources = json!([
        {"ResourceType": "AWS::IAM::User", "ResourceName": format!("arn:aws:iam::{ACCOUNT}:user/alice")},
        {"ResourceType": "AWS::IAM::User", "ResourceName": "alice"},
    ]);
    assert_eq!(entry["Resources"], resources);
    // IAM's events do not name their resources; the history knows them all the same.
    assert_eq!(event.get("resources"), None);
}

/// S12.32: each of the eight attributes finds its events and no others.
#[test]
fn events_are_found_by_each_attribute() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:*");
    scene.user("bob", "iam:*");
    scene.sent(&keys, "iam", "GetUser", &[("UserName", "bob")]);
    let find = |key: &str, value: &str| scene.lookup("us-east-1", by(key, value));
    assert_eq!(names(&find("EventName", "GetUser")), ["GetUser"]);
    assert_eq!(names(&find("Username", "alice")), ["GetUser"]);
    assert_eq!(names(&find("AccessKeyId", &keys.id)), ["GetUser"]);
    let reads = find("ReadOnly", "true");
    assert_eq!(names(&reads).last(), Some(&"GetUser"));
    assert!(reads.iter().all(|entry| entry["ReadOnly"] == "true"));
    let writes = find("ReadOnly", "false");
    assert!(writes.len() >= 6 && writes.iter().all(|entry| entry["ReadOnly"] == "false"));
    let bob = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let by_name = find("ResourceName", "bob");
    assert!(by_name.len() >= 3, "{:?}", names(&by_name));
    assert_eq!(by_name, find("ResourceName", &bob));
    assert!(
        by_name
            .iter()
            .all(|entry| entry["Resources"][0]["ResourceName"] == bob)
    );
    assert_eq!(
        find("ResourceType", "AWS::IAM::User").len(),
        find("EventSource", "iam.amazonaws.com").len()
    );
    assert!(find("ResourceType", "AWS::KMS::Key").is_empty());
    let wanted = &writes[2];
    assert_eq!(
        find("EventId", wanted["EventId"].as_str().unwrap()),
        std::slice::from_ref(wanted)
    );
    assert!(find("EventId", "0199aabb-ccdd-7000-8000-000000000000").is_empty());
    assert!(find("EventId", "not an id").is_empty());
    // Found by case, as on AWS.
    assert!(find("EventName", "getuser").is_empty());
}

/// S12.32: newest first, page by page, without loss or repetition though the lookups are recorded meanwhile.
#[test]
fn pages_go_back_in_time() {
    let scene = Scene::new();
    for number in 0..7 {
        scene.root("sts", "GetCallerIdentity", json!({}));
        scene.root("iam", "CreateUser", json!({"UserName": format!("user{number}")}));
    }
    let mut input = by("EventName", "CreateUser");
    input["MaxResults"] = json!(3);
    let mut found = Vec::new();
    loop {
        let answer = scene.try_lookup(&scene.root, "us-east-1", input.clone()).unwrap();
        let entries = answer["Events"].as_array().unwrap();
        assert!(entries.len() <= 3);
        found.extend(
            entries
                .iter()
                .map(|entry| parsed(entry)["requestParameters"]["userName"].clone()),
        );
        scene.root(
            "iam",
            "CreateUser",
            json!({"UserName": format!("late{}", found.len())}),
        );
        let Some(token) = answer["NextToken"].as_str() else {
            break;
        };
        input["NextToken"] = json!(token);
    }
    assert_eq!(
        found,
        ["user6", "user5", "user4", "user3", "user2", "user1", "user0"]
    );
    // Fifty unless fewer are asked for.
    for _ in 0..60 {
        scene.root("sts", "GetCallerIdentity", json!({}));
    }
    assert_eq!(scene.lookup(REGION, json!({})).len(), 50);
}

/// S12.32: a token serves the query that it was given for and no other, and nobody can make one.
#[test]
fn a_token_is_bound_to_its_query() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.root("sts", "GetCallerIdentity", json!({}));
    }
    let mut input = by("EventName", "GetCallerIdentity");
    input["MaxResults"] = json!(1);
    let token = scene.try_lookup(&scene.root, REGION, input.clone()).unwrap()["NextToken"].clone();
    let mut other = by("EventName", "AssumeRole");
    other["NextToken"] = token.clone();
    assert_eq!(refusal(&scene, other), "InvalidNextTokenException");
    assert_eq!(
        refusal(&scene, json!({"NextToken": token})),
        "InvalidNextTokenException"
    );
    assert_eq!(
        refusal(&scene, json!({"NextToken": "made up"})),
        "InvalidNextTokenException"
    );
    assert_eq!(
        refusal(&scene, json!({"NextToken": ""})),
        "InvalidNextTokenException"
    );
    input["NextToken"] = token;
    let elsewhere = scene
        .try_lookup(&scene.root, "us-west-2", input.clone())
        .unwrap_err();
    assert_eq!(elsewhere.code, "InvalidNextTokenException");
    let foreign = scene
        .try_lookup(&scene.foreign_root("444455556666"), REGION, input.clone())
        .unwrap_err();
    assert_eq!(foreign.code, "InvalidNextTokenException");
    assert_eq!(scene.lookup(REGION, input).len(), 1);
}

/// S12.32: a span of time, its ends included; the history goes back ninety days.
#[test]
fn times_bound_what_is_found() {
    let scene = Scene::new();
    let call = || {
        scene.root("sts", "GetCallerIdentity", json!({}));
    };
    call();
    scene.cloud.advance(10_500);
    call();
    let start = BEGINNING / 1000;
    let times = |input: Value| {
        let entries = scene.lookup(REGION, input);
        let calls = entries
            .iter()
            .filter(|entry| entry["EventName"] == "GetCallerIdentity");
        calls
            .map(|entry| entry["EventTime"].as_i64().unwrap() - start)
            .collect::<Vec<_>>()
    };
    assert_eq!(times(json!({})), [10, 0]);
    assert_eq!(times(json!({"StartTime": start + 1})), [10]);
    assert_eq!(times(json!({"EndTime": start + 9})), [0]);
    assert_eq!(times(json!({"StartTime": start, "EndTime": start + 10})), [10, 0]);
    assert_eq!(
        times(json!({"StartTime": start + 10, "EndTime": start + 10})),
        [10]
    );
    let backwards = json!({"StartTime": start + 10, "EndTime": start + 9});
    assert_eq!(refusal(&scene, backwards), "InvalidTimeRangeException");
    let id = scene.lookup(REGION, by("EventName", "GetCallerIdentity"))[1]["EventId"].clone();
    scene.cloud.advance(90 * DAY - 5_000);
    assert_eq!(times(json!({})), [10]);
    assert_eq!(times(json!({"StartTime": start - 10})), [10]);
    assert!(
        scene
            .lookup(REGION, by("EventId", id.as_str().unwrap()))
            .is_empty()
    );
    scene.cloud.advance(10_000);
    assert!(times(json!({})).is_empty());
}

/// S12.32: requests that cannot be meant.
#[test]
fn wrong_requests_are_refused() {
    let scene = Scene::new();
    let attribute = |key: &str, value: &str| json!({"AttributeKey": key, "AttributeValue": value});
    let two =
        json!({"LookupAttributes": [attribute("EventName", "GetUser"), attribute("Username", "alice")]});
    assert_eq!(refusal(&scene, two), "InvalidLookupAttributesException");
    assert_eq!(
        refusal(&scene, by("ReadOnly", "perhaps")),
        "InvalidLookupAttributesException"
    );
    for wrong in [0, 51, -1] {
        assert_eq!(
            refusal(&scene, json!({"MaxResults": wrong})),
            "InvalidMaxResultsException"
        );
    }
    assert_eq!(
        refusal(&scene, by("Colour", "blue")),
        "InvalidLookupAttributesException"
    );
    assert_eq!(
        refusal(&scene, json!({"EventCategory": "data"})),
        "InvalidEventCategoryException"
    );
    // No trail asks for insights, so there are none.
    assert!(
        scene
            .lookup(REGION, json!({"EventCategory": "insight"}))
            .is_empty()
    );
}

/// S12.32: each account and region has a history of its own; global services' events are in us-east-1.
#[test]
fn a_history_is_of_one_account_and_region() {
    let scene = Scene::new();
    scene.root("sts", "GetCallerIdentity", json!({}));
    scene.root("iam", "ListUsers", json!({}));
    assert_eq!(scene.found(REGION, "EventName", "GetCallerIdentity").len(), 1);
    assert!(
        scene
            .found("us-east-1", "EventName", "GetCallerIdentity")
            .is_empty()
    );
    assert!(scene.found(REGION, "EventName", "ListUsers").is_empty());
    assert_eq!(scene.found("us-east-1", "EventName", "ListUsers").len(), 1);
    let theirs = scene.foreign_root("444455556666");
    let answer = scene.try_lookup(&theirs, "us-east-1", json!({})).unwrap();
    assert_eq!(answer["Events"], json!([]));
    // The lookup itself is recorded too.
    assert_eq!(
        names(&scene.lookup(REGION, by("EventName", "LookupEvents"))).len(),
        2
    );
}

/// S12.1: the history is shown to those who may see it, and who asked is recorded.
#[test]
fn the_history_needs_permission() {
    let scene = Scene::new();
    let allowed = scene.caller(&scene.user("auditor", "cloudtrail:LookupEvents"));
    let refused = scene.caller(&scene.user("alice", "iam:*"));
    assert!(scene.try_lookup(&allowed, REGION, json!({})).is_ok());
    let failure = scene.try_lookup(&refused, REGION, json!({})).unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
    let events = scene.found(REGION, "Username", "alice");
    assert_eq!(events[0]["errorCode"], "AccessDenied");
    assert_eq!(events[0]["eventName"], "LookupEvents");
}

/// What is not built says so.
#[test]
fn other_operations_are_not_implemented() {
    let scene = Scene::new();
    let failure = scene
        .cloud
        .call(&scene.root, "cloudtrail", "DescribeTrails", json!({}))
        .unwrap_err();
    assert_eq!(failure.code, "NotImplemented");
}
