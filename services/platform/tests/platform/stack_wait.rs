//! Wait conditions: signals by the handle's URL, how many of them, and for how long.

use serde_json::{Value, json};

use crate::scene::Scene;
use crate::stack::named;

const SECOND: i64 = 1000;

fn waiting(count: Option<u32>) -> Value {
    let mut condition = json!({ "Handle": { "Ref": "Handle" }, "Timeout": "60" });
    if let Some(count) = count {
        condition["Count"] = json!(count);
    }
    json!({
        // Nothing says that it is made before the condition, yet it may be what signals.
        "After": named("/made", "x"),
        "A": { "Type": "AWS::CloudFormation::WaitCondition", "Properties": condition },
        "Handle": { "Type": "AWS::CloudFormation::WaitConditionHandle" },
        "Zed": named("/zed", "z"),
    })
}

impl Scene {
    fn signal(&self, status: &str, unique: &str, data: &str) -> u16 {
        let signal = json!({ "Status": status, "UniqueId": unique, "Data": data, "Reason": "because" });
        let put = self.put(&self.physical("one", "Handle"), &signal.to_string());
        self.settle();
        put.0
    }
}

#[test]
fn a_condition_holds_when_as_many_signals_have_come_as_it_counts() {
    let scene = Scene::new();
    let outputs = json!({ "Told": { "Value": { "Fn::GetAtt": "A.Data" } } });
    scene.bring("CreateStack", &waiting(Some(2)), &outputs);
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
    assert_eq!(
        scene.parameter("/zed").as_deref(),
        Some("z"),
        "made before the condition waits"
    );
    let url = scene.physical("one", "Handle");
    assert!(
        url.starts_with("http://127.0.0.1:4566/cloudformation-waitcondition-eu-central-1/arn%3Aaws"),
        "{url}"
    );
    assert_eq!(scene.signal("SUCCESS", "one", "first"), 200);
    assert_eq!(scene.signal("SUCCESS", "one", "again"), 200);
    assert_eq!(
        scene.status("one"),
        "CREATE_IN_PROGRESS",
        "the same signal counts once"
    );
    assert_eq!(scene.signal("SUCCESS", "two", "second"), 200);
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    let told = scene.stack("one")["Outputs"][0]["OutputValue"].clone();
    assert_eq!(told, r#"{"one":"first","two":"second"}"#);
    assert!(scene.physical("one", "A").ends_with("/A"));
    let events = scene.events("one");
    assert_eq!(
        events
            .iter()
            .filter(|event| *event == "A CREATE_IN_PROGRESS")
            .count(),
        2
    );
    // It waits once.
    let mut other = waiting(Some(3));
    other.as_object_mut().unwrap().remove("Zed");
    scene.bring("UpdateStack", &other, &outputs);
    let reason = scene.reason("one", "UPDATE_FAILED");
    assert_eq!(
        reason,
        "Update to resource type AWS::CloudFormation::WaitCondition is not supported."
    );
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    let id = scene.stack("one")["StackId"].clone();
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    let told = scene.cfn("DescribeStacks", json!({ "StackName": id }));
    assert_eq!(told["Stacks"][0]["StackStatus"], "DELETE_COMPLETE");
    scene.cloud.advance(91 * 86_400 * SECOND);
}

#[test]
fn a_failure_and_silence_roll_back() {
    let scene = Scene::new();
    scene.bring("CreateStack", &waiting(None), &json!({}));
    assert_eq!(scene.signal("FAILURE", "bad", ""), 200);
    let reason = scene.reason("one", "CREATE_FAILED");
    assert_eq!(
        reason,
        "WaitCondition received failed message: 'because' for uniqueId: bad"
    );
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    scene.bring("CreateStack", &waiting(Some(2)), &json!({}));
    assert_eq!(scene.signal("SUCCESS", "one", ""), 200);
    scene.cloud.advance(60 * SECOND - 1);
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
    scene.cloud.advance(1);
    let reason = scene.reason("one", "CREATE_FAILED");
    assert_eq!(
        reason,
        "WaitCondition timed out. Received 1 conditions when expecting 2"
    );
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
}

#[test]
fn what_is_no_signal_is_refused() {
    let scene = Scene::new();
    scene.bring("CreateStack", &waiting(None), &json!({}));
    let url = scene.physical("one", "Handle");
    let long = json!({ "Status": "SUCCESS", "UniqueId": "a", "Data": "x".repeat(4096) }).to_string();
    for text in [
        "no",
        r#"{"Status": "DONE", "UniqueId": "a"}"#,
        r#"{"Status": "SUCCESS"}"#,
        long.as_str(),
    ] {
        let (status, said) = scene.put(&url, text);
        assert!(
            status == 400 && said.contains("<Code>InvalidRequest</Code>"),
            "{said}"
        );
    }
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
    for (name, value) in [
        ("Timeout", json!("43201")),
        ("Count", json!(0)),
        ("Handle", json!("elsewhere")),
    ] {
        let mut wrong = waiting(Some(1));
        wrong["A"]["Properties"][name] = value;
        let made = scene.made(
            "two",
            &json!({ "Resources": { "A": wrong["A"], "Handle": wrong["Handle"] } }),
        );
        assert_eq!(made["StackStatus"], "ROLLBACK_COMPLETE", "{name}");
        scene.cfn("DeleteStack", json!({ "StackName": "two" }));
        scene.settle();
    }
}

/// Whoever has the URL of a handle that is gone cannot fill what its stack keeps.
#[test]
fn signals_are_for_handles_that_are_there() {
    let scene = Scene::new();
    let handle = json!({ "Type": "AWS::CloudFormation::WaitConditionHandle" });
    let two = json!({ "Handle": handle, "Other": handle });
    scene.bring("CreateStack", &two, &json!({}));
    let [first, other] = ["Handle", "Other"].map(|id| scene.physical("one", id));
    let signal = r#"{"Status": "SUCCESS", "UniqueId": "a"}"#;
    assert_eq!(scene.put(&first, signal).0, 200);
    scene.bring("UpdateStack", &json!({ "Other": handle }), &json!({}));
    assert_eq!(scene.put(&other, signal).0, 200);
    let gone = |url: &str| {
        let (status, said) = scene.put(url, signal);
        assert_eq!(status, 400, "{said}");
        assert!(said.contains("is for a handle that is there"), "{said}");
    };
    gone(&first);
    // One that was made anew by the same name is another.
    scene.bring("UpdateStack", &two, &json!({}));
    gone(&first);
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    gone(&other);
}
