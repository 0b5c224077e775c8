//! Verdicts on events, from the text of an event to what is counted.

use std::path::Path;

use serde_json::{Value, json};

use super::change::Changes;
use super::cloudtrail::event;
use super::verdict::{Judge, Judged, Verdict};
use crate::arguments::Replay;

const ROLE: &str = "arn:aws:iam::111122223333:role/ci";

fn options(folder: &Path, given: &[(&str, &str, Value)]) -> Replay {
    let mut options = Replay {
        inputs: Vec::new(),
        with: Vec::new(),
        identity: Vec::new(),
        boundary: Vec::new(),
        scp: Vec::new(),
        rcp: Vec::new(),
        resource: Vec::new(),
        threads: None,
        json: false,
    };
    for (number, (layer, arn, statement)) in given.iter().enumerate() {
        let file = folder.join(format!("{number}.json"));
        let document = json!({"Version": "2012-10-17", "Statement": statement});
        std::fs::write(&file, document.to_string()).unwrap();
        let file = file.display().to_string();
        let named = if arn.is_empty() {
            file.clone()
        } else {
            format!("{arn}={file}")
        };
        match *layer {
            "identity" => options.identity.push(named),
            "boundary" => options.boundary.push(named),
            "scp" => options.scp.push(named),
            "rcp" => options.rcp.push(named),
            "with" => options.with.push(file.into()),
            _ => options.resource.push(named),
        }
    }
    options
}

fn event(more: Value) -> Value {
    let mut event = json!({
        "eventID": "e", "eventType": "AwsApiCall", "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances",
        "eventTime": "2026-11-22T00:00:00Z", "awsRegion": "eu-central-1", "sourceIPAddress": "10.1.2.3", "userAgent": "cli",
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROAX:job", "accountId": "111122223333",
            "arn": "arn:aws:sts::111122223333:assumed-role/ci/job",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": ROLE, "principalId": "AROAX"},
                "attributes": {"creationDate": "2026-11-22T00:00:00Z", "mfaAuthenticated": "false"}
            }
        }
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event
}

fn judged(given: &[(&str, &str, Value)], event: &Value) -> Judged {
    let folder = tempfile::tempdir().unwrap();
    let changes = Changes::of(&options(folder.path(), given)).unwrap();
    let text = event.to_string();
    Judge::new(&changes).judge(&event::read(text.as_bytes()).unwrap())
}

fn verdict(given: &[(&str, &str, Value)], more: Value) -> Verdict {
    judged(given, &event(more)).verdict
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Sid": "Yes", "Effect": "Allow", "Action": action, "Resource": resource})
}

fn deny(action: &str, condition: Value) -> Value {
    json!({"Sid": "No", "Effect": "Deny", "Action": action, "Resource": "*", "Condition": condition})
}

fn denied(layer: &str) -> Value {
    json!({"errorCode": "Client.UnauthorizedOperation",
        "errorMessage": format!("User: x is not authorized to perform: ec2:DescribeInstances because no {layer} allows the ec2:DescribeInstances action")})
}

#[test]
fn a_call_that_the_new_identity_policy_does_not_allow_is_newly_denied() {
    let narrow = [("identity", ROLE, allow("s3:*", "*"))];
    let found = judged(&narrow, &event(json!({})));
    assert_eq!(
        (found.principal.as_str(), found.action.as_str()),
        (ROLE, "ec2:DescribeInstances")
    );
    assert_eq!(
        found.verdict,
        Verdict::NewlyDenied("no identity-based policy allows it".to_owned())
    );
    assert_eq!(
        verdict(&[("identity", ROLE, allow("ec2:*", "*"))], json!({})),
        Verdict::Unchanged
    );
    let other = [(
        "identity",
        "arn:aws:iam::111122223333:role/other",
        allow("s3:*", "*"),
    )];
    assert_eq!(verdict(&other, json!({})), Verdict::Unchanged);
}

#[test]
fn a_denial_that_its_layer_made_is_lifted_by_that_layer_alone() {
    let wide = [("identity", ROLE, allow("ec2:*", "*"))];
    assert!(
        matches!(verdict(&wide, denied("identity-based policy")), Verdict::NewlyAllowed(by) if by.ends_with("Yes"))
    );
    assert_eq!(
        verdict(&wide, denied("service control policy")),
        Verdict::Unchanged
    );
    assert_eq!(
        verdict(
            &wide,
            json!({"errorCode": "AccessDenied", "errorMessage": "Access Denied"})
        ),
        Verdict::Undecided("the layer that denied".to_owned())
    );
}

#[test]
fn an_scp_of_denials_denies_what_it_says_and_no_more() {
    let region = json!({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}});
    let scp = [("scp", "", deny("ec2:*", region.clone()))];
    assert!(matches!(verdict(&scp, json!({})), Verdict::NewlyDenied(by) if by.ends_with("No")));
    assert_eq!(
        verdict(&scp, json!({"awsRegion": "us-east-1"})),
        Verdict::Unchanged
    );
    let s3 = json!({"eventSource": "s3.amazonaws.com", "eventName": "ListBuckets"});
    assert_eq!(verdict(&scp, s3), Verdict::Unchanged);
    let elsewhere = [("scp", "999999999999", deny("ec2:*", region))];
    assert_eq!(verdict(&elsewhere, json!({})), Verdict::Unchanged);
}

#[test]
fn a_control_policy_stands_beside_others_and_lifts_nothing() {
    let wide = [("scp", "", allow("*", "*"))];
    assert_eq!(
        verdict(&wide, denied("service control policy")),
        Verdict::Unchanged
    );
    assert_eq!(
        verdict(&wide, json!({"errorCode": "AccessDenied"})),
        Verdict::Unchanged
    );
}

#[test]
fn a_federated_user_keeps_what_its_session_allowed() {
    let scp = [("scp", "", deny("s3:*", json!({})))];
    let mut call = event(json!({}));
    call["userIdentity"]["type"] = json!("FederatedUser");
    call["userIdentity"]["arn"] = json!("arn:aws:sts::111122223333:federated-user/f");
    assert_eq!(judged(&scp, &call).verdict, Verdict::Unchanged);
}

#[test]
fn what_the_event_does_not_tell_is_undecided_and_named() {
    let tagged = deny("*", json!({"StringNotEquals": {"aws:PrincipalTag/team": "a"}}));
    let scp = [("scp", "", tagged)];
    let undecided = |key: &str| Verdict::Undecided(key.to_owned());
    assert_eq!(verdict(&scp, json!({})), undecided("aws:PrincipalTag/team"));
    let enriched = json!({"eventContext": {"requestContext": {"aws:PrincipalTag/team": "a"}}});
    assert_eq!(verdict(&scp, enriched), Verdict::Unchanged);
    let one = [("identity", ROLE, allow("ec2:*", "arn:aws:ec2:*:*:instance/i-1"))];
    let stop = json!({"eventName": "StopInstances"});
    assert_eq!(verdict(&one, stop.clone()), undecided("resource"));
    // An action without resource types is about everything: that is known.
    assert!(matches!(verdict(&one, json!({})), Verdict::NewlyDenied(_)));
    // The endpoint is told, so that its absence is known too.
    let inside = deny("*", json!({"Null": {"aws:SourceVpce": "true"}}));
    assert!(matches!(
        verdict(&[("scp", "", inside.clone())], json!({})),
        Verdict::NewlyDenied(_)
    ));
    let endpoint = json!({"vpcEndpointId": "vpce-1"});
    assert_eq!(verdict(&[("scp", "", inside)], endpoint), Verdict::Unchanged);
    let stranger = json!({"userIdentity": {"type": "AWSAccount", "accountId": "1", "principalId": "AIDA"}});
    assert_eq!(verdict(&scp, stranger), undecided("userIdentity"));
}

#[test]
fn mfa_is_what_the_session_says_but_not_for_roles() {
    let scp = [(
        "scp",
        "",
        deny(
            "*",
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
        ),
    )];
    assert!(matches!(verdict(&scp, json!({})), Verdict::NewlyDenied(_)));
    let mut with = event(json!({}));
    with["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] = json!("true");
    assert_eq!(
        judged(&scp, &with).verdict,
        Verdict::Undecided("aws:MultiFactorAuthPresent".to_owned())
    );
    with["userIdentity"] = json!({"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a", "accountId": "111122223333",
        "principalId": "AIDA", "userName": "a", "sessionContext": {"attributes": {"mfaAuthenticated": "true"}}});
    assert_eq!(judged(&scp, &with).verdict, Verdict::Unchanged);
}

#[test]
fn a_resource_policy_that_is_not_given_may_be_what_allows() {
    let narrow = [("identity", ROLE, allow("ec2:*", "*"))];
    let get = json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject",
        "resources": [{"ARN": "arn:aws:s3:::b/k"}, {"ARN": "arn:aws:s3:::b", "accountId": "111122223333"}]});
    assert_eq!(
        verdict(&narrow, get.clone()),
        Verdict::Undecided("the resource's policy".to_owned())
    );
    let bucket = json!({"Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let both = [
        ("identity", ROLE, allow("ec2:*", "*")),
        ("resource", "arn:aws:s3:::b/*", bucket),
    ];
    assert_eq!(verdict(&both, get), Verdict::Unchanged);
}

#[test]
fn only_calls_that_permission_decided_are_judged() {
    let scp = [("scp", "", deny("*", json!({})))];
    for more in [
        json!({"errorCode": "NoSuchEntityException"}),
        json!({"eventType": "AwsServiceEvent"}),
        json!({"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin"}),
    ] {
        assert!(matches!(verdict(&scp, more), Verdict::Unjudged(_)));
    }
    let dry = json!({"errorCode": "Client.DryRunOperation"});
    assert!(matches!(verdict(&scp, dry), Verdict::NewlyDenied(_)));
}

#[test]
fn layers_come_from_a_file_too_and_mistakes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("layers.yaml");
    let mut asked = options(folder.path(), &[]);
    assert!(Changes::of(&asked).is_err());
    asked.with.push(file.clone());
    std::fs::write(
        &file,
        "scp:\n- Version: 2012-10-17\n  Statement: [{Effect: Deny, Action: 'ec2:*', Resource: '*'}]\n",
    )
    .unwrap();
    let changes = Changes::of(&asked).unwrap();
    // FullAWSAccess stands beside it.
    assert_eq!(changes.service_control.len(), 2);
    std::fs::write(&file, "scps: []\n").unwrap();
    assert!(Changes::of(&asked).is_err());
    asked.with.clear();
    asked.identity.push("no-arn=x.json".to_owned());
    assert!(Changes::of(&asked).is_err());
}
