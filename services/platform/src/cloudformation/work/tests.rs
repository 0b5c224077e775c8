//! Operations whose own rows break in the middle: nothing of what they were still to undo or remove is forgotten.

use identity::IdentityDirectory;
use pipeline::gateway::Tables;
use pipeline::testing::{ACCOUNT, Caller, Cloud, REGION};
use serde_json::{Value, json};

use super::{WORK, Work};
use crate::cloudformation::hidden::Hidden;
use crate::cloudformation::resource::{RESOURCES, StackResource};
use crate::cloudformation::stack::{Place, STACKS, Stack, living};

struct Scene {
    cloud: Cloud,
    root: Caller,
}

impl Scene {
    fn new() -> Self {
        let tables = Tables {
            operations: vec![
                identity::iam::OPERATIONS,
                keys::kms::OPERATIONS,
                keys::ssm::OPERATIONS,
                crate::cloudformation::OPERATIONS,
            ],
            jobs: vec![crate::cloudformation::JOBS],
            callbacks: vec![&crate::cloudformation::CALLBACKS],
            readiness: vec![&keys::kms::managed::READINESS],
            ..Tables::default()
        };
        let cloud = Cloud::new(Box::new(IdentityDirectory::default()), &tables);
        let made = cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, None).map(|_| ())
        });
        assert!(made.is_ok());
        cloud.gateway.serve_at("http://127.0.0.1:4566");
        let root = cloud.root();
        Self { cloud, root }
    }

    fn call(&self, caller: &Caller, service: &str, operation: &str, input: Value) -> Value {
        let answered = self.cloud.call(caller, service, operation, input);
        answered.unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    fn ask(&self, service: &str, operation: &str, input: Value) -> Value {
        self.call(&self.root, service, operation, input)
    }

    /// CloudFormation about the one stack, with what follows.
    fn cfn(&self, operation: &str, resources: Option<Value>) -> Value {
        let mut input = json!({ "StackName": "one" });
        if let Some(resources) = resources {
            input["TemplateBody"] = json!({ "Resources": resources }).to_string().into();
        }
        let answer = self.ask("cloudformation", operation, input);
        self.cloud.advance(0);
        answer
    }

    fn status(&self) -> String {
        let told = self.cfn("DescribeStacks", None);
        told["Stacks"][0]["StackStatus"].as_str().unwrap().to_owned()
    }

    fn place(&self) -> Place {
        let mut place = None;
        let found = self.cloud.gateway.system(REGION, |call| {
            place = living(call, "one")?.map(|stack| stack.place());
            Ok(())
        });
        assert!(found.is_ok());
        place.unwrap()
    }

    /// Changes the operation's row.
    fn change(&self, how: impl Fn(&mut Work)) {
        let place = self.place();
        let changed = self.cloud.gateway.system(REGION, |call| {
            let mut work = (*call.get(&WORK, &place)?.unwrap()).clone();
            how(&mut work);
            call.put(&WORK, &place, work)
        });
        assert!(changed.is_ok());
    }

    fn change_stack(&self, how: impl Fn(&mut Stack)) {
        let place = self.place();
        let changed = self.cloud.gateway.system(REGION, |call| {
            let mut stack = (*call.get(&STACKS, &place)?.unwrap()).clone();
            how(&mut stack);
            call.put(&STACKS, &place, stack)
        });
        assert!(changed.is_ok());
    }

    /// Changes a resource's row.
    fn change_row(&self, id: &str, how: impl Fn(&mut StackResource)) {
        let (account, region, uuid) = self.place();
        let place = (account, region, uuid, id.to_owned());
        let changed = self.cloud.gateway.system(REGION, |call| {
            let mut row = (*call.get(&RESOURCES, &place)?.unwrap()).clone();
            how(&mut row);
            call.put(&RESOURCES, &place, row)
        });
        assert!(changed.is_ok());
    }

    fn held(&self, name: &str) -> Option<String> {
        let held = self.ask("ssm", "GetParameters", json!({ "Names": [name] }));
        held["Parameters"][0]["Value"].as_str().map(str::to_owned)
    }

    /// The resources with a status in the events of the stack.
    fn told(&self, status: &str) -> Vec<String> {
        let told = self.cfn("DescribeStackEvents", None);
        let events = told["StackEvents"].as_array().unwrap().iter();
        let of = events.filter(|event| event["ResourceStatus"] == status);
        of.map(|event| event["LogicalResourceId"].as_str().unwrap().to_owned())
            .collect()
    }

    /// A stack, an update of which fails and cannot go back whole: `A` was replaced, `B` changed in place, and a policy that the update
    /// made lets nobody change it back. The policy is taken away then, so that nothing else stands in the way.
    fn stuck(&self) {
        self.ask("iam", "CreateUser", json!({ "UserName": "maker" }));
        self.grant("Allow", "*", "*");
        let made = self.ask("iam", "CreateAccessKey", json!({ "UserName": "maker" }));
        let id = made["AccessKey"]["AccessKeyId"].as_str().unwrap();
        let maker = self.cloud.caller(id, None).unwrap();
        self.made();
        let put = json!({ "Name": "/taken", "Type": "String", "Value": "mine" });
        self.ask("ssm", "PutParameter", put);
        let policy = json!({ "Type": "AWS::IAM::UserPolicy", "DependsOn": "B", "Properties": {
            "UserName": "maker", "PolicyName": "made", "PolicyDocument": { "Version": "2012-10-17", "Statement": {
                "Effect": "Deny", "Action": "ssm:PutParameter", "Resource": "arn:aws:ssm:*:*:parameter/b",
            } },
        } });
        let after = json!({ "A": named("/a2", "one", ""), "B": named("/b", "two", "A"), "P": policy,
            "C": named("/taken", "theirs", "P") });
        let template = json!({ "Resources": after }).to_string();
        let input =
            json!({ "StackName": "one", "TemplateBody": template, "Capabilities": ["CAPABILITY_IAM"] });
        self.call(&maker, "cloudformation", "UpdateStack", input);
        self.cloud.advance(0);
        assert_eq!(self.status(), "UPDATE_ROLLBACK_FAILED");
        let input = json!({ "UserName": "maker", "PolicyName": "made" });
        self.ask("iam", "DeleteUserPolicy", input);
    }

    fn grant(&self, effect: &str, action: &str, resource: &str) {
        let statement = json!({ "Effect": effect, "Action": action, "Resource": resource });
        let document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        let input = json!({ "UserName": "maker", "PolicyName": "own", "PolicyDocument": document });
        self.ask("iam", "PutUserPolicy", input);
    }

    fn made(&self) {
        self.cfn("CreateStack", Some(before()));
        assert_eq!(self.status(), "CREATE_COMPLETE");
    }
}

fn before() -> Value {
    json!({ "A": named("/a", "one", ""), "B": named("/b", "one", "A") })
}

fn named(name: &str, value: &str, after: &str) -> Value {
    let mut it = json!({
        "Type": "AWS::SSM::Parameter", "Properties": { "Name": name, "Type": "String", "Value": value },
    });
    if !after.is_empty() {
        it["DependsOn"] = after.into();
    }
    it
}

/// What no seal opens, or what it was before that.
fn spoil(hidden: &mut Hidden) {
    *hidden = match serde_json::to_value(&hidden)
        .unwrap()
        .as_str()
        .unwrap()
        .strip_prefix("AAAA")
    {
        Some(whole) => serde_json::from_value(json!(whole)).unwrap(),
        None => {
            let whole = serde_json::to_value(&hidden).unwrap();
            serde_json::from_value(json!(format!("AAAA{}", whole.as_str().unwrap()))).unwrap()
        }
    };
}

/// The row of what replaced `A`.
fn successor(rows: impl Iterator<Item = StackResource>) -> Vec<StackResource> {
    rows.map(|mut row| {
        if row.physical_id.as_deref() == Some("/a2") {
            spoil(&mut row.hidden);
        }
        row
    })
    .collect()
}

#[test]
fn an_update_that_breaks_goes_back() {
    let scene = Scene::new();
    scene.made();
    let after = json!({ "A": named("/a2", "one", ""), "B": named("/b", "two", "A") });
    let template = json!({ "Resources": after }).to_string();
    let input = json!({ "StackName": "one", "TemplateBody": template });
    scene.ask("cloudformation", "UpdateStack", input);
    scene.change_row("B", |row| spoil(&mut row.hidden));
    scene.cloud.advance(0);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(
        (scene.held("/a").as_deref(), scene.held("/a2")),
        (Some("one"), None)
    );
    assert_eq!(scene.held("/b").as_deref(), Some("one"));
}

#[test]
fn a_way_back_that_breaks_can_be_gone_on_with() {
    let scene = Scene::new();
    scene.stuck();
    let turn = |work: &mut Work| {
        for undo in &mut work.undo {
            undo.before.iter_mut().for_each(|row| spoil(&mut row.hidden));
        }
    };
    scene.change(turn);
    scene.cfn("ContinueUpdateRollback", None);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_FAILED");
    scene.change(turn);
    scene.cfn("ContinueUpdateRollback", None);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.held("/b").as_deref(), Some("one"));
    assert_eq!(
        (scene.held("/a").as_deref(), scene.held("/a2")),
        (Some("one"), None)
    );
}

#[test]
fn what_a_cleaning_up_cannot_remove_goes_with_the_stack() {
    let scene = Scene::new();
    scene.stuck();
    scene.change(|work| {
        for garbage in &mut work.garbage {
            if garbage.row.physical_id.as_deref() == Some("/a2") {
                spoil(&mut garbage.row.hidden);
            }
        }
    });
    scene.cfn("ContinueUpdateRollback", None);
    assert_eq!(scene.status(), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.told("DELETE_FAILED"), ["A"]);
    assert_eq!(scene.held("/a2").as_deref(), Some("one"));
    // Nor can the stack's deletion, which keeps it in mind.
    scene.cfn("DeleteStack", None);
    assert_eq!(scene.status(), "DELETE_FAILED");
    scene.change_stack(|stack| {
        let left = std::mem::take(&mut stack.leftover);
        assert_eq!(left.len(), 1);
        stack.leftover = successor(left.into_iter());
    });
    scene.cfn("DeleteStack", None);
    let held = ["/a", "/a2", "/b"].map(|name| scene.held(name));
    assert_eq!(held, [None, None, None]);
}

#[test]
fn a_resource_that_breaks_its_removal_keeps_no_other() {
    let scene = Scene::new();
    scene.cfn(
        "CreateStack",
        Some(json!({ "A": named("/a", "one", ""), "B": named("/b", "one", "") })),
    );
    scene.change_row("B", |row| spoil(&mut row.hidden));
    scene.cfn("DeleteStack", None);
    assert_eq!(scene.status(), "DELETE_FAILED");
    assert_eq!(
        (scene.held("/a"), scene.held("/b").as_deref()),
        (None, Some("one"))
    );
    scene.change_row("B", |row| spoil(&mut row.hidden));
    scene.cfn("DeleteStack", None);
    assert_eq!(scene.held("/b"), None);
}

#[test]
fn what_was_begun_stays_known_when_its_making_breaks() {
    let scene = Scene::new();
    let condition = json!({ "Type": "AWS::CloudFormation::WaitCondition", "Properties": {
        "Handle": { "Ref": "H" }, "Timeout": "60", "Count": { "Fn::GetAtt": "A.Value" } } });
    let handle = json!({ "Type": "AWS::CloudFormation::WaitConditionHandle" });
    let resources = json!({ "A": named("/a", "2", ""), "C": condition, "H": handle });
    scene.cfn("CreateStack", Some(resources));
    assert_eq!(scene.status(), "CREATE_IN_PROGRESS");
    scene.change_row("A", |row| spoil(&mut row.hidden));
    scene.cloud.advance(60_000);
    assert_eq!(scene.told("CREATE_FAILED"), ["C"]);
    let told = scene.cfn("DescribeStackEvents", None);
    let events = told["StackEvents"].as_array().unwrap().iter();
    let mut of = events.filter(|event| event["LogicalResourceId"] == "C");
    let removed = of.next().unwrap();
    assert_eq!(removed["ResourceStatus"], "DELETE_COMPLETE");
    assert!(removed["PhysicalResourceId"].as_str().unwrap().ends_with("/C"));
}
