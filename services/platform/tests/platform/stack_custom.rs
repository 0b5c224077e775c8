//! Custom resources: what their functions are asked, and what becomes of a stack by what they say.

use pipeline::{Body, Incoming};
use serde_json::{Value, json};

use crate::scene::{Scene, arn, policy};
use crate::stack::named;

/// Milliseconds.
const SECOND: i64 = 1000;

impl Scene {
    /// The event that the function was given last.
    pub(crate) fn asked(&self) -> Value {
        self.seen().last().map(|seen| seen.payload.clone()).unwrap()
    }

    /// Puts a text to a URL without credentials, and tells the status and the body of the answer.
    pub(crate) fn put(&self, url: &str, text: &str) -> (u16, String) {
        let rest = url.strip_prefix("http://127.0.0.1:4566").unwrap();
        let (path, query) = rest.split_once('?').unwrap();
        let answer = self.cloud.serve(Incoming {
            method: http::Method::PUT,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: http::HeaderMap::new(),
            body: Body::Whole(text.to_owned().into()),
            peer: "127.0.0.1:9".parse().unwrap(),
            tls: None,
            standing: pipeline::front::Standing::default(),
        });
        let status = answer.status;
        let body = self.cloud.take(answer.body);
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Answers the last request with these members beside those that every response has.
    pub(crate) fn respond(&self, more: &Value) {
        let asked = self.asked();
        let mut response = json!({
            "Status": "SUCCESS", "Reason": "so", "StackId": asked["StackId"], "RequestId": asked["RequestId"],
            "LogicalResourceId": asked["LogicalResourceId"],
        });
        for (name, value) in more.as_object().unwrap() {
            response[name] = value.clone();
        }
        let url = asked["ResponseURL"].as_str().unwrap();
        assert_eq!(self.put(url, &response.to_string()).0, 200);
        self.settle();
    }

    /// Makes or changes the stack `one` as far as it goes by itself.
    pub(crate) fn bring(&self, operation: &str, resources: &Value, outputs: &Value) {
        let template = json!({ "Resources": resources, "Outputs": outputs }).to_string();
        self.cfn(operation, json!({ "StackName": "one", "TemplateBody": template }));
        self.settle();
    }

    fn custom(&self) {
        self.function("custom", &json!({}));
    }
}

fn thing(properties: &Value) -> Value {
    let mut given = properties.clone();
    given["ServiceToken"] = json!(arn("custom"));
    json!({ "Type": "Custom::Thing", "Version": "1.0", "Properties": given })
}

/// What a function is asked, and in whose words it answers.
#[test]
fn a_resource_is_made_when_its_function_says_so() {
    let scene = Scene::new();
    scene.custom();
    let resources = json!({
        "It": thing(&json!({ "Size": 7, "On": true, "Of": ["a", { "b": 1 }] })),
        "After": named("/after", "x"),
    });
    let mut resources = resources;
    resources["After"]["Properties"]["Value"] = json!({ "Fn::Sub": "${It}/${It.Colour}/${It.Deep.One}" });
    let outputs = json!({ "Colour": { "Value": { "Fn::GetAtt": "It.Colour" } } });
    scene.bring("CreateStack", &resources, &outputs);
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
    let asked = scene.asked();
    let id = scene.stack("one")["StackId"].clone();
    assert_eq!(asked["RequestType"], "Create");
    assert_eq!(asked["StackId"], id);
    assert_eq!(asked["LogicalResourceId"], "It");
    assert_eq!(asked["ResourceType"], "Custom::Thing");
    assert_eq!(asked["ServiceToken"], json!(arn("custom")));
    assert!(asked.get("PhysicalResourceId").is_none() && asked.get("OldResourceProperties").is_none());
    let told = json!({ "ServiceToken": arn("custom"), "Size": "7", "On": "true", "Of": ["a", { "b": "1" }] });
    assert_eq!(asked["ResourceProperties"], told);
    let url = asked["ResponseURL"].as_str().unwrap();
    let start =
        "http://127.0.0.1:4566/cloudformation-custom-resource-response-eucentral1/arn%3Aaws%3Acloudformation";
    assert!(url.starts_with(start), "{url}");
    let data = json!({ "Colour": "red", "Deep.One": "1" });
    scene.respond(&json!({ "PhysicalResourceId": "thing-1", "Data": data }));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    assert_eq!(scene.physical("one", "It"), "thing-1");
    assert_eq!(scene.parameter("/after").as_deref(), Some("thing-1/red/1"));
    assert_eq!(scene.stack("one")["Outputs"][0]["OutputValue"], "red");
    let told = scene.events("one");
    assert_eq!(
        told[1..4],
        [
            "It CREATE_IN_PROGRESS",
            "It CREATE_IN_PROGRESS",
            "It CREATE_COMPLETE"
        ]
    );

    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    let asked = scene.asked();
    assert_eq!(asked["RequestType"], "Delete");
    assert_eq!(asked["PhysicalResourceId"], "thing-1");
    assert_eq!(asked["ResourceProperties"]["Size"], "7");
    scene.respond(&json!({ "PhysicalResourceId": "thing-1" }));
    let told = scene.cfn("DescribeStacks", json!({ "StackName": id }));
    assert_eq!(told["Stacks"][0]["StackStatus"], "DELETE_COMPLETE");
}

/// An update of the same physical id is one; another physical id removes the old thing when all is done.
#[test]
fn an_update_keeps_a_thing_or_replaces_it() {
    let scene = Scene::new();
    scene.custom();
    let of = |size: u32| json!({ "It": thing(&json!({ "Size": size })) });
    scene.bring("CreateStack", &of(1), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    scene.bring("UpdateStack", &of(2), &json!({}));
    let asked = scene.asked();
    assert_eq!(asked["RequestType"], "Update");
    assert_eq!(asked["PhysicalResourceId"], "a");
    assert_eq!(asked["ResourceProperties"]["Size"], "2");
    assert_eq!(asked["OldResourceProperties"]["Size"], "1");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    let before = scene.seen().len();
    scene.bring("UpdateStack", &of(3), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "b" }));
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    assert_eq!(scene.seen().len(), before + 2);
    let asked = scene.asked();
    assert_eq!(
        (&asked["RequestType"], &asked["PhysicalResourceId"]),
        (&json!("Delete"), &json!("a"))
    );
    assert_eq!(asked["ResourceProperties"]["Size"], "2");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    assert_eq!(scene.physical("one", "It"), "b");
}

/// What failed is told, and undone by the function too.
#[test]
fn a_failure_rolls_back_and_the_function_hears_of_it() {
    let scene = Scene::new();
    scene.custom();
    let of = |size: u32| json!({ "It": thing(&json!({ "Size": size })) });
    scene.bring("CreateStack", &of(1), &json!({}));
    scene.respond(&json!({ "Status": "FAILED", "Reason": "no room", "PhysicalResourceId": "half" }));
    assert_eq!(scene.status("one"), "ROLLBACK_IN_PROGRESS");
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(
        reason.starts_with(
            "Received response status [FAILED] from custom resource. Message returned: no room (RequestId: "
        ),
        "{reason}"
    );
    let asked = scene.asked();
    assert_eq!(
        (&asked["RequestType"], &asked["PhysicalResourceId"]),
        (&json!("Delete"), &json!("half"))
    );
    scene.respond(&json!({ "PhysicalResourceId": "half" }));
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();

    scene.bring("CreateStack", &of(1), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    scene.bring("UpdateStack", &of(2), &json!({}));
    scene.respond(&json!({ "Status": "FAILED", "Reason": "no", "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_IN_PROGRESS");
    let asked = scene.asked();
    assert_eq!(asked["RequestType"], "Update");
    assert_eq!(asked["ResourceProperties"]["Size"], "1");
    assert_eq!(asked["OldResourceProperties"]["Size"], "2");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
}

/// A function that says nothing is waited for as long as the template says, an hour without that, by the cloud's clock.
#[test]
fn a_silent_function_times_out() {
    let scene = Scene::new();
    scene.custom();
    for (given, seconds) in [(json!({ "ServiceTimeout": "35" }), 35), (json!({}), 3600)] {
        scene.bring("CreateStack", &json!({ "It": thing(&given) }), &json!({}));
        scene.cloud.advance(seconds * SECOND - 1);
        assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
        let asked = scene.asked();
        scene.cloud.advance(1);
        let reason = scene.reason("one", "CREATE_FAILED");
        assert!(
            reason.starts_with("CloudFormation did not receive a response from your Custom Resource."),
            "{reason}"
        );
        let (status, said) = scene.put(asked["ResponseURL"].as_str().unwrap(), "{}");
        assert!(status == 403 && said.contains("Request has expired"), "{said}");
        // CloudFormation gives a name to what was perhaps made.
        let asked = scene.asked();
        assert_eq!(asked["RequestType"], "Delete");
        assert!(
            asked["PhysicalResourceId"]
                .as_str()
                .unwrap()
                .starts_with("one-It-")
        );
        scene.respond(&json!({ "PhysicalResourceId": asked["PhysicalResourceId"] }));
        assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
        scene.cfn("DeleteStack", json!({ "StackName": "one" }));
        scene.settle();
    }
}

/// A response is at most 4096 bytes of JSON and names its own request; one that is not fails its resource.
#[test]
fn responses_that_are_none_fail() {
    let scene = Scene::new();
    scene.custom();
    let long =
        json!({ "Status": "SUCCESS", "PhysicalResourceId": "a", "Reason": "x".repeat(4096) }).to_string();
    for (text, reason) in [
        (long.as_str(), "Response object is too long."),
        ("no", "Invalid response object: it is no object of JSON."),
        (
            r#"{"Status": "DONE"}"#,
            "Invalid response object: Status must be SUCCESS or FAILED.",
        ),
        (r#"{"Status": "SUCCESS"}"#, "Invalid PhysicalResourceId"),
        (
            r#"{"Status": "SUCCESS", "PhysicalResourceId": "a", "RequestId": "other"}"#,
            "Invalid response object: RequestId is not the request's.",
        ),
    ] {
        scene.bring("CreateStack", &json!({ "It": thing(&json!({})) }), &json!({}));
        let url = scene.asked()["ResponseURL"].clone();
        assert_eq!(scene.put(url.as_str().unwrap(), text).0, 200);
        scene.settle();
        assert_eq!(scene.reason("one", "CREATE_FAILED"), reason);
        scene.respond(&json!({ "PhysicalResourceId": "a" }));
        scene.cfn("DeleteStack", json!({ "StackName": "one" }));
        scene.settle();
    }
}

/// Nobody tells a stack anything by a URL that CloudFormation did not make.
#[test]
fn only_the_url_that_was_given_out_is_listened_to() {
    let scene = Scene::new();
    scene.custom();
    scene.bring("CreateStack", &json!({ "It": thing(&json!({})) }), &json!({}));
    let url = scene.asked()["ResponseURL"].as_str().unwrap().to_owned();
    let (start, signature) = url.rsplit_once('=').unwrap();
    let mut forged = signature.to_owned();
    let other = if forged.as_bytes()[40] == b'A' { "B" } else { "A" };
    forged.replace_range(40..41, other);
    let (status, said) = scene.put(
        &format!("{start}={forged}"),
        r#"{"Status": "SUCCESS", "PhysicalResourceId": "a"}"#,
    );
    assert!(
        status == 403 && said.contains("<Code>SignatureDoesNotMatch</Code>"),
        "{said}"
    );
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
}

/// The function is invoked as the stack's caller, whose permission counts; topics of SNS and other tokens are refused by name.
#[test]
fn the_caller_must_be_allowed_to_invoke_the_function() {
    let scene = Scene::new();
    scene.custom();
    let allowed = json!({ "Effect": "Allow", "Action": "cloudformation:*", "Resource": "*" });
    let ada = scene.user("ada", &allowed);
    let template = json!({ "Resources": { "It": thing(&json!({})) } }).to_string();
    let input = json!({ "StackName": "one", "TemplateBody": template });
    scene.call(&ada, "cloudformation", "CreateStack", input).unwrap();
    scene.settle();
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(
        reason.contains("is not authorized to perform: lambda:InvokeFunction"),
        "{reason}"
    );
    assert_eq!(scene.seen().len(), 0);
    let more =
        policy(&json!({ "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": arn("custom") }));
    let input = json!({ "UserName": "ada", "PolicyName": "more", "PolicyDocument": more });
    scene.ok("iam", "PutUserPolicy", input);
    let input = json!({ "StackName": "two", "TemplateBody": template });
    scene.call(&ada, "cloudformation", "CreateStack", input).unwrap();
    scene.settle();
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("two"), "CREATE_COMPLETE");
    for (token, reason) in [
        ("arn:aws:sns:eu-central-1:111122223333:t", "is a topic of SNS"),
        ("nonsense", "Invalid service token: nonsense"),
        (
            "arn:aws:lambda:us-east-1:111122223333:function:custom",
            "must be from the stack's region",
        ),
    ] {
        let mut it = thing(&json!({}));
        it["Properties"]["ServiceToken"] = json!(token);
        let template = json!({ "Resources": { "It": it } });
        scene.made("three", &template);
        let said = scene.reason("three", "CREATE_FAILED");
        assert!(said.contains(reason), "{said}");
        scene.cfn("DeleteStack", json!({ "StackName": "three" }));
        scene.settle();
    }
}

/// `NoEcho` masks what a function gave, and an attribute that it did not give is told.
#[test]
fn attributes_are_what_the_function_said() {
    let scene = Scene::new();
    scene.custom();
    let mut after = named("/after", "x");
    after["Properties"]["Value"] = json!({ "Fn::GetAtt": "It.Secret" });
    let resources = json!({ "It": thing(&json!({})), "After": after });
    scene.bring("CreateStack", &resources, &json!({}));
    scene
        .respond(&json!({ "PhysicalResourceId": "a", "NoEcho": true, "Data": { "Secret": "quiet please" } }));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    assert_eq!(scene.parameter("/after").as_deref(), Some("quiet please"));
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "one" }));
    assert!(!told.to_string().contains("quiet please"));
    let mut other = resources.clone();
    other["After"]["Properties"]["Value"] = json!({ "Fn::GetAtt": "It.Other" });
    scene.bring("UpdateStack", &other, &json!({}));
    let reason = scene.reason("one", "UPDATE_FAILED");
    assert!(
        reason.contains("Vendor response doesn't contain Other attribute"),
        "{reason}"
    );
}

/// A stack that is deleted while a function is asked goes on with the deletion, and what the function says of the making is too late.
#[test]
fn a_stack_that_waits_can_be_deleted() {
    let scene = Scene::new();
    scene.custom();
    scene.bring("CreateStack", &json!({ "It": thing(&json!({})) }), &json!({}));
    let (id, first) = (scene.stack("one")["StackId"].clone(), scene.asked());
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.asked()["RequestType"], "Delete");
    let late = json!({ "Status": "SUCCESS", "PhysicalResourceId": "late" }).to_string();
    assert_eq!(scene.put(first["ResponseURL"].as_str().unwrap(), &late).0, 200);
    scene.settle();
    assert_eq!(scene.status("one"), "DELETE_IN_PROGRESS");
    scene.respond(&json!({ "PhysicalResourceId": "x" }));
    let told = scene.cfn("DescribeStacks", json!({ "StackName": id }));
    assert_eq!(told["Stacks"][0]["StackStatus"], "DELETE_COMPLETE");
    scene.cloud.advance(2 * 3600 * SECOND);
}

#[test]
fn a_deletion_whose_function_is_gone_fails() {
    let scene = Scene::new();
    scene.custom();
    scene.bring("CreateStack", &json!({ "It": thing(&json!({})) }), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    scene.ok("lambda", "DeleteFunction", json!({ "FunctionName": "custom" }));
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.status("one"), "DELETE_FAILED");
    let reason = scene.reason("one", "DELETE_FAILED");
    assert!(reason.contains("Function not found"), "{reason}");
}

/// The function may be named by a reference, and is told what references open to, also in what was before.
#[test]
fn references_are_opened_whenever_a_function_is_asked() {
    let scene = Scene::new();
    scene.custom();
    for (name, value) in [("/token", arn("custom")), ("/size", "7".to_owned())] {
        let input = json!({ "Name": name, "Type": "String", "Value": value });
        scene.ok("ssm", "PutParameter", input);
    }
    let token = "00000000-0000-4000-8000-000000000001";
    let input = json!({ "Name": "key", "SecretString": "quiet please", "ClientRequestToken": token });
    scene.ok("secretsmanager", "CreateSecret", input);
    let of = |size: &str| {
        let key = "{{resolve:secretsmanager:key}}";
        let mut it = thing(&json!({ "Size": size, "Key": key }));
        it["Properties"]["ServiceToken"] = json!("{{resolve:ssm:/token}}");
        json!({ "It": it })
    };
    scene.bring("CreateStack", &of("{{resolve:ssm:/size}}"), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    scene.bring("UpdateStack", &of("8"), &json!({}));
    let asked = scene.asked();
    assert_eq!(asked["RequestType"], "Update");
    assert_eq!(asked["OldResourceProperties"]["Size"], "7");
    assert_eq!(asked["OldResourceProperties"]["Key"], "quiet please");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    let asked = scene.asked();
    assert_eq!(asked["RequestType"], "Delete");
    assert_eq!(asked["ResourceProperties"]["Key"], "quiet please");
    assert_eq!(asked["ServiceToken"], json!(arn("custom")));
    scene.respond(
        &json!({ "Status": "FAILED", "Reason": "not with quiet please", "PhysicalResourceId": "a" }),
    );
    let reason = scene.reason("one", "DELETE_FAILED");
    assert!(reason.contains("not with ****"), "{reason}");
}

/// What a function gave in confidence is in no reason: of what another service refuses, of going back, and of a removal.
#[test]
fn reasons_tell_nothing_that_a_function_gave_in_confidence() {
    let scene = Scene::new();
    scene.custom();
    let of = |size: u32| json!({ "It": thing(&json!({ "Size": size })) });
    let answer = json!({ "PhysicalResourceId": "a", "NoEcho": "true", "Data": { "Deep": { "Secret": "quiet please" }, "Flat": "quiet" } });
    scene.bring("CreateStack", &of(1), &json!({}));
    scene.respond(&answer);
    let mut other = of(2);
    other["After"] = named("/after", "x");
    other["After"]["DependsOn"] = json!("It");
    other["After"]["Properties"]["Type"] = json!({ "Fn::GetAtt": "It.Flat" });
    scene.bring("UpdateStack", &other, &json!({}));
    scene.respond(&answer);
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(reason.contains("****"), "{reason}");
    let failed = json!({ "Status": "FAILED", "Reason": "not with quiet please", "PhysicalResourceId": "a" });
    scene.respond(&failed);
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_FAILED");
    let reason = scene.reason("one", "UPDATE_FAILED");
    assert!(reason.contains("not with ****"), "{reason}");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    scene.respond(&failed);
    let reason = scene.reason("one", "DELETE_FAILED");
    assert!(reason.contains("not with ****"), "{reason}");
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "one" }));
    assert!(!told.to_string().contains("quiet"), "{told}");
    let told = scene.cfn("DescribeStackResources", json!({ "StackName": "one" }));
    assert!(!told.to_string().contains("quiet"), "{told}");
}
