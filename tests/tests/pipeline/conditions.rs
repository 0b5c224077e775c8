//! Global condition keys through the whole way of a request: what the wire, the clock and the credential say decides.

use http::{HeaderValue, Method};
use pipeline::testing::{ACCOUNT, REGION};
use pipeline::{Incoming, TlsFacts};
use scenarios::client;
use scenarios::sign::{Keys, sign};
use scenarios::world::World;
use serde_json::{Value, json};
use wire::Document;

/// How a request comes in.
#[derive(Clone)]
struct Way {
    peer: [u8; 4],
    tls: bool,
    agent: &'static str,
    region: &'static str,
}

const USUAL: Way = Way {
    peer: [127, 0, 0, 1],
    tls: false,
    agent: "aws-cli/2",
    region: REGION,
};

/// The status of `kms:ListKeys`, which has no target and no conditions of its own.
fn status(world: &World, keys: &Keys, way: &Way) -> u16 {
    let service = api::models::service("kms").unwrap();
    let operation = service.operation("ListKeys").unwrap();
    let mut request = client::request(service, operation, service.protocols[0], &Document::empty());
    request
        .headers
        .insert("user-agent", HeaderValue::from_static(way.agent));
    sign(&mut request, keys, way.region, "kms", world.wall_seconds());
    let incoming = Incoming {
        method: Method::POST,
        path: request.path,
        query: request.query,
        headers: request.headers,
        body: request.body.into(),
        peer: (way.peer, 50_000).into(),
        standing: pipeline::front::Standing::default(),
        tls: way.tls.then_some(TlsFacts {
            version: "TLSv1.3",
            cipher_suite: "TLS_AES_128_GCM_SHA256",
        }),
    };
    world.wait(world.gateway.serve(incoming)).status
}

fn policy(condition: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*", "Condition": condition,
    }})
}

/// Whether a user's policy with this condition lets the request in.
fn holds(world: &World, keys: &Keys, way: &Way, condition: &Value) -> bool {
    world.make(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": policy(condition).to_string()}),
    );
    match status(world, keys, way) {
        200 => true,
        400 => false,
        other => panic!("{condition}: {other}"),
    }
}

fn ana(world: &World) -> Keys {
    let keys = world.user("ana", None);
    let tags = json!({"UserName": "ana", "Tags": [{"Key": "team", "Value": "red"}]});
    world.make("TagUser", tags);
    keys
}

/// S2.7: a condition on the way that the request came holds for that way and for no other.
#[test]
fn conditions_see_the_way_of_a_request() {
    let world = World::bare();
    let keys = ana(&world);
    let usual = || USUAL.clone();
    for (condition, other) in [
        (
            json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
            Way {
                peer: [192, 0, 2, 7],
                ..usual()
            },
        ),
        (
            json!({"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:db8::/32"]}}),
            Way {
                peer: [192, 0, 2, 7],
                ..usual()
            },
        ),
        (
            json!({"Bool": {"aws:SecureTransport": "false"}}),
            Way { tls: true, ..usual() },
        ),
        (
            json!({"StringLike": {"aws:UserAgent": "aws-cli/*"}}),
            Way {
                agent: "curl/8",
                ..usual()
            },
        ),
        (
            json!({"StringEquals": {"aws:RequestedRegion": REGION}}),
            Way {
                region: "eu-west-3",
                ..usual()
            },
        ),
    ] {
        assert!(holds(&world, &keys, &usual(), &condition), "{condition}");
        assert!(!holds(&world, &keys, &other, &condition), "{condition}");
    }
    let secure = json!({"Bool": {"aws:SecureTransport": "true"}});
    assert!(!holds(&world, &keys, &USUAL, &secure));
    assert!(holds(&world, &keys, &Way { tls: true, ..usual() }, &secure));
}

/// S2.7: a condition on time holds until its time has come, by the cloud's clock.
#[test]
fn conditions_see_the_time() {
    let world = World::bare();
    let keys = ana(&world);
    let end = world.wall_seconds() + 3600;
    let iso = wire::Timestamp(end * 1000).iso8601();
    let before = [
        json!({"DateLessThan": {"aws:CurrentTime": iso}}),
        json!({"NumericLessThan": {"aws:EpochTime": end.to_string()}}),
        json!({"DateLessThan": {"aws:EpochTime": end.to_string()}}),
    ];
    let after = json!({"DateGreaterThanEquals": {"aws:CurrentTime": iso}});
    for condition in &before {
        assert!(holds(&world, &keys, &USUAL, condition), "{condition}");
    }
    assert!(!holds(&world, &keys, &USUAL, &after));
    world.pass(3600);
    for condition in &before {
        assert!(!holds(&world, &keys, &USUAL, condition), "{condition}");
    }
    assert!(holds(&world, &keys, &USUAL, &after));
}

/// S2.7: a condition on the caller holds for her and for no other; a long-term key has no keys of sessions.
#[test]
fn conditions_see_the_caller() {
    let world = World::bare();
    let keys = ana(&world);
    let shown = world.make("GetUser", json!({"UserName": "ana"}));
    let id = shown["User"]["UserId"].as_str().unwrap();
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/ana");
    for (operator, key, right, wrong) in [
        ("StringEquals", "aws:username", "ana", "ben"),
        ("StringEquals", "aws:userid", id, "AIDAX"),
        (
            "ArnEquals",
            "aws:PrincipalArn",
            arn.as_str(),
            "arn:aws:iam::111122223333:user/ben",
        ),
        ("StringEquals", "aws:PrincipalAccount", ACCOUNT, "444455556666"),
        ("StringEquals", "aws:PrincipalType", "User", "AssumedRole"),
        ("StringEquals", "aws:PrincipalTag/team", "red", "blue"),
        ("StringEquals", "aws:ResourceAccount", ACCOUNT, "444455556666"),
        ("Bool", "aws:PrincipalIsAWSService", "false", "true"),
        ("Bool", "aws:ViaAWSService", "false", "true"),
        ("Null", "aws:MultiFactorAuthPresent", "true", "false"),
        ("Null", "aws:TokenIssueTime", "true", "false"),
        ("Null", "aws:SourceIdentity", "true", "false"),
        ("Null", "aws:PrincipalTag/none", "true", "false"),
    ] {
        assert!(
            holds(&world, &keys, &USUAL, &json!({operator: {key: right}})),
            "{key}"
        );
        assert!(
            !holds(&world, &keys, &USUAL, &json!({operator: {key: wrong}})),
            "{key}"
        );
    }
}

/// S2.7: a session has its role's ARN, the time of its issue, its tags and its source identity, and had no MFA.
#[test]
fn conditions_see_the_session() {
    let world = World::bare();
    let any = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:*", "Resource": "*"}});
    let ana = world.user("ana", Some(&any.to_string()));
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:user/ana")},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    }});
    let made = world.make(
        "CreateRole",
        json!({"RoleName": "work", "AssumeRolePolicyDocument": trust.to_string()}),
    );
    let role = format!("arn:aws:iam::{ACCOUNT}:role/work");
    let asked = json!({
        "RoleArn": role, "RoleSessionName": "day", "SourceIdentity": "ana",
        "Tags": [{"Key": "team", "Value": "red"}],
    });
    let said = world.ask(&ana, "sts", "AssumeRole", &asked);
    assert_eq!(said.status, 200, "{}", said.message);
    let body = String::from_utf8(said.body).unwrap();
    let between = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>")).unwrap();
        rest.split_once("</").unwrap().0.to_owned()
    };
    let keys = Keys {
        id: between("AccessKeyId"),
        secret: between("SecretAccessKey"),
        token: Some(between("SessionToken")),
    };
    let id = format!("{}:day", made["Role"]["RoleId"].as_str().unwrap());
    let now = wire::Timestamp(world.wall_seconds() * 1000).iso8601();
    for (operator, key, right, wrong) in [
        (
            "ArnEquals",
            "aws:PrincipalArn",
            role.as_str(),
            "arn:aws:sts::111122223333:assumed-role/work/day",
        ),
        ("StringEquals", "aws:userid", id.as_str(), "AROAX:day"),
        ("StringEquals", "aws:PrincipalType", "AssumedRole", "User"),
        ("StringEquals", "aws:PrincipalTag/team", "red", "blue"),
        ("StringEquals", "aws:SourceIdentity", "ana", "ben"),
        (
            "DateLessThanEquals",
            "aws:TokenIssueTime",
            now.as_str(),
            "2020-01-01T00:00:00Z",
        ),
        ("Bool", "aws:MultiFactorAuthPresent", "false", "true"),
        ("Null", "aws:MultiFactorAuthAge", "true", "false"),
        ("Null", "aws:username", "true", "false"),
    ] {
        for (value, expected) in [(right, 200), (wrong, 400)] {
            let document = policy(&json!({operator: {key: value}})).to_string();
            world.make(
                "PutRolePolicy",
                json!({"RoleName": "work", "PolicyName": "own", "PolicyDocument": document}),
            );
            assert_eq!(status(&world, &keys, &USUAL), expected, "{key} {value}");
        }
    }
}
