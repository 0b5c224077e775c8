//! Types of resources of which the judge's templates have none: made, changed and removed by their services' operations.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::stack::named;

fn document(effect: &str, action: &str) -> Value {
    let statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": statement })
}

impl Scene {
    /// Makes the stack `one` or changes it, with all capabilities, and gives the state that it ends in.
    fn brought(&self, operation: &str, resources: &Value) -> String {
        let template = json!({ "Resources": resources }).to_string();
        let capable = json!(["CAPABILITY_NAMED_IAM"]);
        let input = json!({ "StackName": "one", "TemplateBody": template, "Capabilities": capable });
        self.cfn(operation, input);
        self.settle();
        self.status("one")
    }

    fn made_of(&self, resources: &Value) {
        assert_eq!(self.brought("CreateStack", resources), "CREATE_COMPLETE");
    }

    fn changed_to(&self, resources: &Value) {
        assert_eq!(self.brought("UpdateStack", resources), "UPDATE_COMPLETE");
    }

    fn removed(&self) {
        let stack = self.stack("one")["StackId"].clone();
        self.cfn("DeleteStack", json!({ "StackName": "one" }));
        self.settle();
        let told = self.cfn("DescribeStacks", json!({ "StackName": stack }));
        assert_eq!(told["Stacks"][0]["StackStatus"], "DELETE_COMPLETE");
    }
}

#[test]
fn a_rotation_schedule_is_set_changed_and_cancelled() {
    let scene = Scene::new();
    let function = scene.rotates();
    let of = |days: u32| {
        json!({
            "Secret": { "Type": "AWS::SecretsManager::Secret", "Properties": { "Name": "s", "SecretString": "v" } },
            "Schedule": { "Type": "AWS::SecretsManager::RotationSchedule", "Properties": {
                "SecretId": { "Ref": "Secret" }, "RotationLambdaARN": function, "RotateImmediatelyOnUpdate": false,
                "RotationRules": { "AutomaticallyAfterDays": days },
            } },
        })
    };
    let described = || scene.ok("secretsmanager", "DescribeSecret", json!({ "SecretId": "s" }));
    scene.made_of(&of(30));
    let secret = described();
    assert_eq!(secret["RotationEnabled"], true);
    assert_eq!(secret["RotationLambdaARN"], json!(function));
    assert_eq!(secret["RotationRules"]["AutomaticallyAfterDays"], 30);
    assert_eq!(json!(scene.physical("one", "Schedule")), secret["ARN"]);
    scene.changed_to(&of(9));
    assert_eq!(described()["RotationRules"]["AutomaticallyAfterDays"], 9);
    let mut without = of(9);
    without.as_object_mut().unwrap().remove("Schedule");
    scene.changed_to(&without);
    assert_ne!(described()["RotationEnabled"], true);
    scene.removed();
}

#[test]
fn an_identity_provider_is_made_changed_and_removed() {
    let scene = Scene::new();
    let (first, second) = ("a".repeat(40), "b".repeat(40));
    let of = |print: &str, clients: Value, note: &str| {
        json!({ "It": { "Type": "AWS::IAM::OIDCProvider", "Properties": {
            "Url": "https://id.example.com", "ThumbprintList": [print], "ClientIdList": clients,
            "Tags": [{ "Key": "note", "Value": note }],
        } } })
    };
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/id.example.com");
    let named = json!({ "OpenIDConnectProviderArn": arn });
    scene.made_of(&of(&first, json!(["one", "two"]), "first"));
    assert_eq!(scene.physical("one", "It"), arn);
    scene.changed_to(&of(&second, json!(["two", "three"]), "second"));
    let held = scene.ok("iam", "GetOpenIDConnectProvider", named.clone());
    assert_eq!(held["ThumbprintList"], json!([second]));
    assert_eq!(held["ClientIDList"], json!(["two", "three"]));
    assert_eq!(held["Tags"], json!([{ "Key": "note", "Value": "second" }]));
    scene.removed();
    let gone = scene.call(&scene.root, "iam", "GetOpenIDConnectProvider", named);
    assert!(gone.is_err());
}

#[test]
fn units_and_policies_of_an_organization_are_made_changed_and_removed() {
    let scene = Scene::new();
    scene.ok(
        "organizations",
        "CreateOrganization",
        json!({ "FeatureSet": "ALL" }),
    );
    let root = scene.ok("organizations", "ListRoots", json!({}))["Roots"][0]["Id"].clone();
    let enable = json!({ "RootId": root, "PolicyType": "SERVICE_CONTROL_POLICY" });
    scene.ok("organizations", "EnablePolicyType", enable);
    let of = |name: &str, action: &str, targets: Value| {
        json!({
            "Unit": { "Type": "AWS::Organizations::OrganizationalUnit", "Properties": {
                "Name": name, "ParentId": root, "Tags": [{ "Key": "name", "Value": name }] } },
            "Policy": { "Type": "AWS::Organizations::Policy", "Properties": {
                "Name": name, "Type": "SERVICE_CONTROL_POLICY", "Content": document("Deny", action), "TargetIds": targets } },
        })
    };
    scene.made_of(&of("first", "s3:*", json!([{ "Ref": "Unit" }])));
    let (unit, policy) = (scene.physical("one", "Unit"), scene.physical("one", "Policy"));
    let targets = || {
        let listed = scene.ok(
            "organizations",
            "ListTargetsForPolicy",
            json!({ "PolicyId": policy }),
        );
        listed["Targets"].as_array().unwrap().len()
    };
    assert_eq!(targets(), 1);
    scene.changed_to(&of("second", "ec2:*", json!([])));
    assert_eq!(targets(), 0);
    let asked = json!({ "OrganizationalUnitId": unit });
    let held = scene.ok("organizations", "DescribeOrganizationalUnit", asked.clone());
    assert_eq!(held["OrganizationalUnit"]["Name"], "second");
    let tags = scene.ok(
        "organizations",
        "ListTagsForResource",
        json!({ "ResourceId": unit }),
    );
    assert_eq!(tags["Tags"], json!([{ "Key": "name", "Value": "second" }]));
    let held = scene.ok("organizations", "DescribePolicy", json!({ "PolicyId": policy }));
    assert!(held["Policy"]["Content"].as_str().unwrap().contains("ec2:*"));
    scene.removed();
    let gone = scene.call(&scene.root, "organizations", "DescribeOrganizationalUnit", asked);
    assert_eq!(gone.unwrap_err().code, "OrganizationalUnitNotFoundException");
}

#[test]
fn policies_of_one_user_and_one_group_are_made_changed_and_removed() {
    let scene = Scene::new();
    scene.ok("iam", "CreateUser", json!({ "UserName": "u" }));
    scene.ok("iam", "CreateGroup", json!({ "GroupName": "g" }));
    let of = |action: &str| {
        let document = document("Allow", action);
        json!({
            "User": { "Type": "AWS::IAM::UserPolicy", "Properties": {
                "UserName": "u", "PolicyName": "p", "PolicyDocument": document } },
            "Group": { "Type": "AWS::IAM::GroupPolicy", "Properties": {
                "GroupName": "g", "PolicyName": "p", "PolicyDocument": document } },
        })
    };
    let held = |kind: &str, name: &str| {
        let input = json!({ format!("{kind}Name"): name, "PolicyName": "p" });
        let found = scene.call(&scene.root, "iam", &format!("Get{kind}Policy"), input);
        found
            .map(|found| found["PolicyDocument"].as_str().unwrap().to_owned())
            .ok()
    };
    scene.made_of(&of("s3:*"));
    assert_eq!(scene.physical("one", "User"), "p|u");
    scene.changed_to(&of("ec2:*"));
    for (kind, name) in [("User", "u"), ("Group", "g")] {
        assert!(held(kind, name).unwrap().contains("ec2"), "{kind}");
    }
    scene.removed();
    assert_eq!((held("User", "u"), held("Group", "g")), (None, None));
}

/// CloudFormation User Guide, "Continue rolling back an update": what cannot be changed back is tried again, or passed over.
#[test]
fn a_rollback_that_failed_is_gone_on_with_or_passes_over_what_fails() {
    for skips in [false, true] {
        let scene = Scene::new();
        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let maker = scene.user("maker", &all);
        let after = |mut resource: Value, what: &str| {
            resource["DependsOn"] = json!(what);
            resource
        };
        scene.made_of(&json!({ "A": named("/a", "one"), "B": after(named("/b", "one"), "A") }));
        let put = json!({ "Name": "/taken", "Type": "String", "Value": "mine" });
        scene.ok("ssm", "PutParameter", put);
        let deny = json!({ "Type": "AWS::IAM::UserPolicy", "DependsOn": "B", "Properties": {
            "UserName": "maker", "PolicyName": "made", "PolicyDocument": document("Deny", "ssm:PutParameter") } });
        let update = json!({
            "A": named("/a2", "one"), "B": after(named("/b", "two"), "A"), "Deny": deny,
            "C": after(named("/taken", "theirs"), "Deny"),
        });
        let template = json!({ "Resources": update }).to_string();
        let input =
            json!({ "StackName": "one", "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"] });
        let asked = scene.call(&maker, "cloudformation", "UpdateStack", input);
        assert!(asked.is_ok(), "{asked:?}");
        scene.settle();
        assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_FAILED");
        let mut go_on = json!({ "StackName": "one" });
        if skips {
            go_on["ResourcesToSkip"] = json!(["A"]);
            let refused = scene.cfn_refused("ContinueUpdateRollback", go_on.clone());
            assert!(
                refused.starts_with("Resources to skip must be in UPDATE_FAILED state"),
                "{refused}"
            );
            go_on["ResourcesToSkip"] = json!(["B"]);
        }
        scene.cfn("ContinueUpdateRollback", go_on);
        scene.settle();
        assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
        let left = if skips { "two" } else { "one" };
        assert_eq!(scene.parameter("/b").as_deref(), Some(left));
        assert_eq!(scene.parameter("/a").as_deref(), Some("one"));
        assert_eq!(scene.parameter("/a2"), None);
        let policies = scene.ok("iam", "ListUserPolicies", json!({ "UserName": "maker" }));
        assert_eq!(policies["PolicyNames"], json!(["own"]));
        let refused = scene.cfn_refused("ContinueUpdateRollback", json!({ "StackName": "one" }));
        assert!(
            refused.ends_with("state and can not continue rollback."),
            "{refused}"
        );
    }
}

/// Attaching a secret to a database takes databases, which there are none of yet.
#[test]
fn a_secret_is_attached_to_no_database() {
    let scene = Scene::new();
    let attachment = json!({ "It": { "Type": "AWS::SecretsManager::SecretTargetAttachment", "Properties": {
        "SecretId": "s", "TargetId": "d", "TargetType": "AWS::RDS::DBInstance" } } });
    let template = json!({ "Resources": attachment }).to_string();
    let input = json!({ "StackName": "one", "TemplateBody": template });
    assert_eq!(
        scene.cfn_refused("CreateStack", input),
        "Resource types that are not implemented by this version of Ringwork: [AWS::SecretsManager::SecretTargetAttachment]"
    );
}

/// `tagging.cloudFormationSystemTags` of the types' schemas: buckets and analyzers bear them, keys bear the stack's own alone. Nobody but
/// CloudFormation sets them or takes them away.
#[test]
fn the_systems_tags_are_where_aws_has_them() {
    let scene = Scene::with(data::s3::OPERATIONS);
    let template = json!({ "Resources": {
        "Bucket": { "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "tagged" } },
        "Analyzer": { "Type": "AWS::AccessAnalyzer::Analyzer", "Properties": { "AnalyzerName": "a", "Type": "ACCOUNT" } },
        "Key": { "Type": "AWS::KMS::Key" },
        "Function": { "Type": "AWS::Lambda::Function", "Properties": {
            "FunctionName": "f", "Runtime": "python3.13", "Handler": "index.handler", "Role": scene.role,
            "Code": { "ZipFile": "def handler(event, context): pass" } } },
    } });
    let input = json!({
        "StackName": "one", "TemplateBody": template.to_string(), "Tags": [{ "Key": "team", "Value": "red" }],
    });
    scene.cfn("CreateStack", input);
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    let held = scene.ok("s3", "GetBucketTagging", json!({ "Bucket": "tagged" }));
    let tags = held["TagSet"].as_array().unwrap();
    assert_eq!(tags.len(), 4, "{tags:?}");
    let name = json!({ "Key": "aws:cloudformation:stack-name", "Value": "one" });
    assert!(tags.contains(&name), "{tags:?}");
    let listed = scene.ok("accessanalyzer", "ListAnalyzers", json!({}));
    let tags = &listed["analyzers"][0]["tags"];
    assert_eq!(tags["aws:cloudformation:logical-id"], "Analyzer", "{listed}");
    let key = json!({ "KeyId": scene.physical("one", "Key") });
    let tags = scene.ok("kms", "ListResourceTags", key);
    assert_eq!(tags["Tags"], json!([{ "TagKey": "team", "TagValue": "red" }]));
    let own = json!({ "Key": "own", "Value": "o" });
    let put = |tags: Value| {
        let input = json!({ "Bucket": "tagged", "Tagging": { "TagSet": tags } });
        scene.call(&scene.root, "s3", "PutBucketTagging", input)
    };
    let refused = put(json!([own])).unwrap_err();
    assert_eq!(refused.message, "System tags cannot be removed by requester");
    let other = json!([{ "Key": "aws:cloudformation:stack-name", "Value": "two" }]);
    let refused = put(other).unwrap_err();
    assert_eq!(
        refused.message,
        "System tags cannot be added/updated by requester"
    );
    let bare = json!({ "Bucket": "tagged" });
    let refused = scene.call(&scene.root, "s3", "DeleteBucketTagging", bare);
    assert_eq!(refused.unwrap_err().code, "InvalidTag");
    let mut all = held["TagSet"].clone();
    all.as_array_mut().unwrap().push(own);
    assert!(put(all).is_ok());
    let untag =
        json!({ "resourceArn": listed["analyzers"][0]["arn"], "tagKeys": ["aws:cloudformation:stack-id"] });
    let refused = scene.call(&scene.root, "accessanalyzer", "UntagResource", untag);
    assert!(refused.is_err());
    let untag = json!({ "Resource": crate::scene::arn("f"), "TagKeys": ["aws:cloudformation:stack-id"] });
    let refused = scene.refused("UntagResource", untag).message;
    assert_eq!(refused, "Tag keys that begin with aws: are reserved for AWS.");
}

/// A membership that a user's own `Groups` brought is no stranger's, and each of the two leaves the other's alone.
#[test]
fn a_member_by_its_own_groups_can_be_added() {
    let scene = Scene::new();
    let of = |groups: Value, added: bool| {
        let mut resources = json!({
            "Group": { "Type": "AWS::IAM::Group", "Properties": { "GroupName": "g" } },
            "User": { "Type": "AWS::IAM::User", "DependsOn": "Group", "Properties": { "UserName": "u", "Groups": groups } },
        });
        if added {
            resources["Added"] = json!({ "Type": "AWS::IAM::UserToGroupAddition", "Properties": {
                "GroupName": { "Ref": "Group" }, "Users": [{ "Ref": "User" }] } });
        }
        resources
    };
    let groups = || {
        let listed = scene.ok("iam", "ListGroupsForUser", json!({ "UserName": "u" }));
        listed["Groups"].as_array().unwrap().len()
    };
    scene.made_of(&of(json!(["g"]), true));
    assert_eq!(groups(), 1);
    scene.changed_to(&of(json!([]), true));
    assert_eq!(groups(), 1, "the addition still says so");
    scene.changed_to(&of(json!(["g"]), true));
    scene.changed_to(&of(json!(["g"]), false));
    assert_eq!(groups(), 1, "the user's own groups still say so");
    scene.changed_to(&of(json!([]), false));
    assert_eq!(groups(), 0);
    scene.removed();
}
