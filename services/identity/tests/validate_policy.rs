//! Access Analyzer's checks of policies, through the pipeline.

use serde_json::{Value, json};

use crate::scene::{Scene, allow, document};

impl Scene {
    fn analyze(&self, operation: &str, input: Value) -> Value {
        self.cloud
            .call(&self.root, "accessanalyzer", operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    fn unanalyzed(&self, operation: &str, input: Value) -> String {
        let answer = self.cloud.call(&self.root, "accessanalyzer", operation, input);
        answer
            .err()
            .unwrap_or_else(|| panic!("{operation} succeeded"))
            .code
    }
}

fn codes(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["issueCode"].as_str().unwrap())
        .collect()
}

#[test]
fn findings_carry_code_type_link_and_place() {
    let scene = Scene::new();
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"s3:GetObjects\", \"Resource\": \"*\"}]\n}";
    let answer = scene.analyze(
        "ValidatePolicy",
        json!({"policyDocument": text, "policyType": "IDENTITY_POLICY", "locale": "DE"}),
    );
    let finding = &answer["findings"][0];
    assert_eq!(codes(&answer), ["INVALID_ACTION"]);
    assert_eq!(finding["findingType"], "ERROR");
    assert!(
        finding["learnMoreLink"]
            .as_str()
            .unwrap()
            .ends_with("#access-analyzer-reference-policy-checks-error-invalid-action")
    );
    let column = text.lines().nth(2).unwrap().find("\"s3:").unwrap();
    let offset = text.find("\"s3:").unwrap();
    assert_eq!(
        finding["locations"][0],
        json!({
            "path": [{"value": "Statement"}, {"index": 0}, {"value": "Action"}],
            "span": {
                "start": {"line": 3, "column": column, "offset": offset},
                "end": {"line": 3, "column": column + 15, "offset": offset + 15},
            },
        })
    );
}

#[test]
fn the_type_of_policy_decides() {
    let scene = Scene::new();
    let of = |document: &str, policy_type: &str, resource: Option<&str>| {
        let mut input = json!({"policyDocument": document, "policyType": policy_type});
        if let Some(resource) = resource {
            input["validatePolicyResourceType"] = json!(resource);
        }
        let answer = scene.analyze("ValidatePolicy", input);
        codes(&answer)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<String>>()
    };
    let public =
        document(&json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}));
    assert_eq!(of(&public, "IDENTITY_POLICY", None), ["UNSUPPORTED_PRINCIPAL"]);
    assert_eq!(
        of(&public, "SERVICE_CONTROL_POLICY", None),
        ["SCP_SYNTAX_ERROR_PRINCIPAL"]
    );
    assert!(of(&public, "RESOURCE_POLICY", None).is_empty());
    assert!(of(&public, "RESOURCE_CONTROL_POLICY", None).is_empty());
    assert_eq!(
        of(&public, "RESOURCE_POLICY", Some("AWS::S3::Bucket")),
        ["UNSUPPORTED_ACTION_IN_POLICY"]
    );
    let input = json!({"policyDocument": public, "policyType": "IDENTITY_POLICY", "validatePolicyResourceType": "AWS::S3::Bucket"});
    assert_eq!(scene.unanalyzed("ValidatePolicy", input), "ValidationException");
}

#[test]
fn findings_come_in_pages() {
    let scene = Scene::new();
    let statements: Vec<Value> = (0..5)
        .map(|number| json!({"Effect": "Allow", "Action": format!("s3:Nothing{number}"), "Resource": "*"}))
        .collect();
    let text = document(&json!(statements));
    let input = json!({"policyDocument": text, "policyType": "IDENTITY_POLICY", "maxResults": 2});
    let (mut pages, mut input, mut seen) = (0, input, 0);
    loop {
        let answer = scene.analyze("ValidatePolicy", input.clone());
        pages += 1;
        seen += codes(&answer).len();
        let Some(token) = answer["nextToken"].as_str() else {
            break;
        };
        input["nextToken"] = json!(token);
        let mut other = input.clone();
        other["policyDocument"] = json!(allow("s3:GetObject"));
        assert_eq!(scene.unanalyzed("ValidatePolicy", other), "ValidationException");
    }
    assert_eq!((pages, seen), (3, 5));
    input["nextToken"] = json!("forged");
    assert_eq!(
        scene.unanalyzed("ValidatePolicy", input.clone()),
        "ValidationException"
    );
    input["maxResults"] = json!(0);
    assert_eq!(scene.unanalyzed("ValidatePolicy", input), "ValidationException");
}

#[test]
fn new_access_is_told_with_the_statement_that_grants_it() {
    let scene = Scene::new();
    let of = |new: &str, old: &str| {
        scene.analyze(
            "CheckNoNewAccess",
            json!({"newPolicyDocument": new, "existingPolicyDocument": old, "policyType": "IDENTITY_POLICY"}),
        )
    };
    let narrow = allow("s3:GetObject");
    let wide = document(&json!([
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        {"Sid": "More", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"},
    ]));
    assert_eq!(of(&narrow, &wide)["result"], "PASS");
    assert!(of(&narrow, &wide)["reasons"].is_null());
    assert_eq!(
        of(&wide, &narrow),
        json!({
            "result": "FAIL",
            "message": "The modified permissions grant new access compared to your existing policy.",
            "reasons": [{"description": "New access in the statement with sid: More.", "statementId": "More", "statementIndex": 1}],
        })
    );
    let trust = |condition: Value| {
        document(
            &json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole", "Condition": condition}),
        )
    };
    let mfa = trust(json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}));
    let answer = scene.analyze(
        "CheckNoNewAccess",
        json!({"newPolicyDocument": trust(json!({})), "existingPolicyDocument": mfa, "policyType": "RESOURCE_POLICY"}),
    );
    assert_eq!(
        answer["reasons"][0]["description"],
        "New access in the statement with index: 0."
    );
    let broken =
        json!({"newPolicyDocument": "{", "existingPolicyDocument": mfa, "policyType": "RESOURCE_POLICY"});
    assert_eq!(
        scene.unanalyzed("CheckNoNewAccess", broken),
        "InvalidParameterException"
    );
}

#[test]
fn listed_access_is_found_behind_wildcards() {
    let scene = Scene::new();
    let of = |policy: &str, access: Value| {
        let input = json!({"policyDocument": policy, "access": [access], "policyType": "IDENTITY_POLICY"});
        scene.analyze("CheckAccessNotGranted", input)
    };
    let logs = allow("cloudtrail:*");
    let stop = json!({"actions": ["cloudtrail:StopLogging"]});
    assert_eq!(
        of(&logs, stop.clone())["reasons"][0]["description"],
        "One or more of the listed actions or resources in the statement with index: 0."
    );
    assert_eq!(of(&allow("s3:*"), stop.clone())["result"], "PASS");
    let except = document(&json!([
        {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "cloudtrail:Stop*", "Resource": "*"},
    ]));
    assert_eq!(of(&except, stop)["result"], "PASS");
    let resources = json!({"resources": ["arn:aws:s3:::secret/*"]});
    let other = document(&json!({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::open/*"}));
    assert_eq!(of(&other, resources.clone())["result"], "PASS");
    assert_eq!(of(&allow("s3:*"), resources)["result"], "FAIL");
    let nothing = json!({"policyDocument": logs, "access": [], "policyType": "IDENTITY_POLICY"});
    assert_eq!(
        scene.unanalyzed("CheckAccessNotGranted", nothing),
        "InvalidParameterException"
    );
}

#[test]
fn public_access_is_seen_in_every_type_of_resource() {
    let scene = Scene::new();
    let of = |policy: &str, resource: &str| {
        scene.analyze(
            "CheckNoPublicAccess",
            json!({"policyDocument": policy, "resourceType": resource}),
        )
    };
    // The statement of AWS's own example leaves out the resource.
    let open =
        document(&json!({"Sid": "Bob", "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"]}));
    assert_eq!(
        of(&open, "AWS::S3::Bucket"),
        json!({
            "result": "FAIL",
            "message": "The resource policy grants public access for the given resource type.",
            "reasons": [{"description": "Public access granted in the following statement with sid: Bob.", "statementId": "Bob", "statementIndex": 0}],
        })
    );
    let named = document(
        &json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/JohnDoe"}, "Action": ["s3:GetObject"]}),
    );
    assert_eq!(of(&named, "AWS::S3::Bucket")["result"], "PASS");
    let of_service = |service: &str, condition: Value| {
        document(
            &json!({"Effect": "Allow", "Principal": "*", "Action": format!("{service}:*"), "Resource": "*", "Condition": condition}),
        )
    };
    let organization = json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}});
    for (resource, service) in [
        ("AWS::SNS::Topic", "sns"),
        ("AWS::SQS::Queue", "sqs"),
        ("AWS::KMS::Key", "kms"),
        ("AWS::SecretsManager::Secret", "secretsmanager"),
        ("AWS::Lambda::Function", "lambda"),
    ] {
        assert_eq!(
            of(&of_service(service, json!({})), resource)["result"],
            "FAIL",
            "{resource}"
        );
        assert_eq!(
            of(&of_service(service, organization.clone()), resource)["result"],
            "PASS",
            "{resource}"
        );
    }
    let trust = document(&json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}));
    assert_eq!(of(&trust, "AWS::IAM::AssumeRolePolicyDocument")["result"], "FAIL");
}
