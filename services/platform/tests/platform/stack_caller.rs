//! A stack's work ends with the credential that began it: turned off, deleted, or of an account that was closed.

use pipeline::testing::Caller;
use serde_json::{Value, json};

use crate::scene::{Scene, encoded, policy, zip};
use crate::stack::named;

/// What AWS says of a credential that is no longer one.
const INVALID: &str = "The security token included in the request is invalid.";

fn everything() -> Value {
    json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })
}

impl Scene {
    /// Somebody begins a stack, of which nothing is made yet.
    fn begun(&self, by: &Caller, name: &str) {
        let template = json!({ "Resources": { "A": named("/a", "one") } });
        let input = json!({ "StackName": name, "TemplateBody": template.to_string() });
        let made = self.call(by, "cloudformation", "CreateStack", input);
        assert!(made.is_ok(), "{made:?}");
    }

    /// Runs what is due, and looks that the stack was refused its first resource.
    fn ended(&self, name: &str) {
        self.settle();
        assert_eq!(self.status(name), "ROLLBACK_COMPLETE");
        assert_eq!(self.reason(name, "CREATE_FAILED"), INVALID);
        assert_eq!(self.parameter("/a"), None);
    }

    fn key_of(&self, user: &str) -> Value {
        let keys = self.ok("iam", "ListAccessKeys", json!({ "UserName": user }));
        keys["AccessKeyMetadata"][0]["AccessKeyId"].clone()
    }

    /// The caller of answered credentials.
    fn issued(&self, answer: &Value) -> Caller {
        let text = |member: &str| answer["Credentials"][member].as_str().unwrap().to_owned();
        let caller = self
            .cloud
            .caller(&text("AccessKeyId"), Some(&text("SessionToken")));
        caller.unwrap()
    }

    /// A member account with a function whose process waits, and a caller in it. Once the account is closed the caller's signature would be
    /// refused before a handler; in process nothing looks at it, so that it can begin what is then to be refused.
    fn member(&self) -> (String, Caller) {
        let maker = self.user("maker", &everything());
        self.ok(
            "organizations",
            "CreateOrganization",
            json!({ "FeatureSet": "ALL" }),
        );
        let input = json!({ "Email": "it@example.com", "AccountName": "member" });
        let made = self.ok("organizations", "CreateAccount", input);
        self.settle();
        let asked = json!({ "CreateAccountRequestId": made["CreateAccountStatus"]["Id"] });
        let made = self.ok("organizations", "DescribeCreateAccountStatus", asked);
        let account = made["CreateAccountStatus"]["AccountId"].as_str().unwrap();
        let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
        let input = json!({ "RoleArn": role, "RoleSessionName": "in" });
        let inside = self.call(&maker, "sts", "AssumeRole", input).unwrap();
        let inside = self.issued(&inside);
        let trust = policy(&json!({
            "Effect": "Allow", "Principal": { "Service": "lambda.amazonaws.com" }, "Action": "sts:AssumeRole",
        }));
        let input = json!({ "RoleName": "runs", "AssumeRolePolicyDocument": trust });
        let role = self.call(&inside, "iam", "CreateRole", input).unwrap();
        let input = json!({
            "FunctionName": "f", "Runtime": "python3.13", "Handler": "index.handler", "Role": role["Role"]["Arn"],
            "Code": { "ZipFile": zip(12) },
        });
        let made = self.call(&inside, "lambda", "CreateFunction", input).unwrap();
        let arn = format!("{}:$LATEST", made["FunctionArn"].as_str().unwrap());
        self.notes.waiting.lock().push(arn);
        (account.to_owned(), inside)
    }

    fn close(&self, account: &str) {
        self.ok("organizations", "CloseAccount", json!({ "AccountId": account }));
        self.settle();
    }
}

#[test]
fn an_access_key_that_was_turned_off_makes_nothing_any_more() {
    let scene = Scene::new();
    let maker = scene.user("maker", &everything());
    scene.begun(&maker, "one");
    let input = json!({ "UserName": "maker", "AccessKeyId": scene.key_of("maker"), "Status": "Inactive" });
    scene.ok("iam", "UpdateAccessKey", input);
    scene.ended("one");
}

/// Though the user is still there, and has another key.
#[test]
fn an_access_key_that_was_deleted_makes_nothing_any_more() {
    let scene = Scene::new();
    let maker = scene.user("maker", &everything());
    scene.begun(&maker, "one");
    let input = json!({ "UserName": "maker", "AccessKeyId": scene.key_of("maker") });
    scene.ok("iam", "DeleteAccessKey", input);
    scene.ok("iam", "CreateAccessKey", json!({ "UserName": "maker" }));
    scene.ended("one");
}

/// What was made before stays where it is until somebody deletes the stack who may: taking it back is refused as well.
#[test]
fn a_key_turned_off_in_the_middle_stops_an_update_and_its_way_back() {
    let scene = Scene::new();
    let maker = scene.user("maker", &everything());
    scene.begun(&maker, "one");
    scene.settle();
    let template = json!({ "Resources": { "A": named("/a", "two") } });
    let input = json!({ "StackName": "one", "TemplateBody": template.to_string() });
    let asked = scene.call(&maker, "cloudformation", "UpdateStack", input);
    assert!(asked.is_ok(), "{asked:?}");
    let input = json!({ "UserName": "maker", "AccessKeyId": scene.key_of("maker"), "Status": "Inactive" });
    scene.ok("iam", "UpdateAccessKey", input);
    scene.settle();
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.reason("one", "UPDATE_FAILED"), INVALID);
    assert_eq!(scene.parameter("/a").as_deref(), Some("one"));
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.parameter("/a"), None);
}

#[test]
fn a_federated_user_ends_with_the_user_who_let_it_in() {
    let scene = Scene::new();
    let maker = scene.user("maker", &everything());
    let all = policy(&everything());
    let input = json!({ "Name": "guest", "Policy": all });
    let guest = scene.call(&maker, "sts", "GetFederationToken", input).unwrap();
    let guest = scene.issued(&guest);
    scene.begun(&guest, "one");
    let input = json!({ "UserName": "maker", "AccessKeyId": scene.key_of("maker") });
    scene.ok("iam", "DeleteAccessKey", input);
    let input = json!({ "UserName": "maker", "PolicyName": "own" });
    scene.ok("iam", "DeleteUserPolicy", input);
    scene.ok("iam", "DeleteUser", json!({ "UserName": "maker" }));
    scene.user("maker", &everything());
    scene.ended("one");
}

/// Organizations User Guide, "Closing a member account in an organization": nobody uses what is in it any more.
#[test]
fn a_stack_of_a_closed_account_does_nothing_any_more() {
    let scene = Scene::new();
    let (account, inside) = scene.member();
    let call = |operation: &str| {
        let asked = json!({ "StackName": "one" });
        scene.call(&inside, "cloudformation", operation, asked).unwrap()
    };
    scene.begun(&inside, "one");
    scene.settle();
    scene.close(&account);
    call("DeleteStack");
    scene.settle();
    let told = call("DescribeStackResources");
    let resource = &told["StackResources"][0];
    assert_eq!(resource["ResourceStatus"], "DELETE_FAILED", "{told}");
    assert_eq!(resource["ResourceStatusReason"], INVALID);
}

/// A process that still waits with credentials of before gets no event either: nobody gets credentials in a closed account.
#[test]
fn a_function_of_a_closed_account_does_not_run() {
    let scene = Scene::new();
    let (account, inside) = scene.member();
    let send = || {
        let input = json!({ "FunctionName": "f", "InvocationType": "Event", "Payload": encoded(&json!({})) });
        let sent = scene.call(&inside, "lambda", "Invoke", input).unwrap();
        assert_eq!(sent["StatusCode"], 202);
        scene.settle();
        scene.seen().len()
    };
    assert_eq!(send(), 1);
    scene.close(&account);
    assert_eq!(send(), 1);
}
