//! `why` tells of a recorded call what was decided then, whatever became of the policies since.

use pipeline::ledger::Record;
use pipeline::testing::ACCOUNT;
use pipeline::why;
use scenarios::sign::Keys;
use scenarios::world::World;
use serde_json::{Value, json};

const MAY_ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}"#;

/// A small generator of numbers, so that every run asks the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.roll(u64::try_from(of.len()).unwrap())).unwrap()]
    }

    fn statement(&mut self) -> Value {
        let actions = [
            "*",
            "iam:*",
            "iam:Get*",
            "iam:List*",
            "iam:GetUser",
            "iam:ListUsers",
            "iam:TagUser",
            "sts:*",
        ];
        let resources = [
            "*",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:iam::111122223333:user/existing",
            "arn:aws:iam::*:role/${aws:username}",
        ];
        let effect = if self.roll(4) == 0 { "Deny" } else { "Allow" };
        let action = if self.roll(8) == 0 { "NotAction" } else { "Action" };
        let mut statement =
            json!({"Effect": effect, action: self.pick(&actions), "Resource": self.pick(&resources)});
        let condition = match self.roll(8) {
            0 => json!({"StringEquals": {"aws:username": self.pick(&["ana", "ben"])}}),
            1 => json!({"Bool": {"aws:SecureTransport": "true"}}),
            2 => {
                json!({"DateLessThan": {"aws:CurrentTime": self.pick(&["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"])}})
            }
            3 => json!({"StringEqualsIfExists": {"aws:RequestTag/team": "red"}}),
            4 => json!({"IpAddress": {"aws:SourceIp": self.pick(&["127.0.0.0/8", "192.0.2.0/24"])}}),
            5 => json!({"StringLike": {"aws:PrincipalOrgID": self.pick(&["o-*", "p-*"])}}),
            6 => {
                json!({"ForAnyValue:StringLike": {"aws:ResourceOrgPaths": self.pick(&["o-*/r-*/", "o-*/r-*/ou-*"])}})
            }
            _ => return statement,
        };
        statement["Condition"] = condition;
        statement
    }

    fn policy(&mut self) -> String {
        let statements: Vec<_> = (0..=self.roll(3)).map(|_| self.statement()).collect();
        json!({"Version": "2012-10-17", "Statement": statements}).to_string()
    }
}

/// Gives the user new policies: inline, of a group, and a managed one that is also the boundary now and then.
fn rearrange(world: &World, dice: &mut Dice) {
    world.make(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": dice.policy()}),
    );
    world.make(
        "PutGroupPolicy",
        json!({"GroupName": "existing", "PolicyName": "all", "PolicyDocument": dice.policy()}),
    );
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/existing");
    let version = json!({"PolicyArn": arn, "PolicyDocument": dice.policy(), "SetAsDefault": true});
    world.make("CreatePolicyVersion", version);
    let versions = world.make("ListPolicyVersions", json!({"PolicyArn": arn}));
    for version in versions["Versions"].as_array().unwrap() {
        if version["IsDefaultVersion"] == json!(false) {
            world.make(
                "DeletePolicyVersion",
                json!({"PolicyArn": arn, "VersionId": version["VersionId"]}),
            );
        }
    }
    let user = json!({"UserName": "ana"});
    let bounded = json!({"UserName": "ana", "PermissionsBoundary": arn});
    match dice.roll(3) {
        0 => world.make("PutUserPermissionsBoundary", bounded),
        1 => world
            .call("iam", "DeleteUserPermissionsBoundary", user)
            .unwrap_or_default(),
        _ => Value::Null,
    };
}

/// Gives the key another policy (with and without the account's own say), and a grant now and then.
fn rearrange_key(world: &World, dice: &mut Dice) {
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let rule = ["kms:*", "kms:PutKeyPolicy"][usize::try_from(dice.roll(2)).unwrap()];
    let mut statements = vec![
        json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": [rule, "kms:CreateGrant"], "Resource": "*"}),
    ];
    if dice.roll(2) == 0 {
        let effect = dice.pick(&["Allow", "Allow", "Deny"]);
        let ana = format!("arn:aws:iam::{ACCOUNT}:user/ana");
        let colour = dice.pick(&["red", "blue"]);
        statements.push(json!({
            "Effect": effect, "Principal": {"AWS": ana}, "Action": ["kms:Encrypt", "kms:DescribeKey"], "Resource": "*",
            "Condition": {"StringEqualsIfExists": {"kms:EncryptionContext:team": colour}},
        }));
    }
    let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let key = world.existing.key_id.as_str();
    world
        .call("kms", "PutKeyPolicy", json!({"KeyId": key, "Policy": policy}))
        .unwrap();
    if dice.roll(6) == 0 {
        let ana = format!("arn:aws:iam::{ACCOUNT}:user/ana");
        let only = json!({"EncryptionContextEquals": {"team": dice.pick(&["red", "blue"])}});
        let grant =
            json!({"KeyId": key, "GranteePrincipal": ana, "Operations": ["Encrypt"], "Constraints": only});
        world.call("kms", "CreateGrant", grant).unwrap();
    }
}

/// A session of the role `existing`, with a policy of its own half of the time.
fn session(world: &World, boss: &Keys, dice: &mut Dice) -> Keys {
    world.make(
        "PutRolePolicy",
        json!({"RoleName": "existing", "PolicyName": "existing", "PolicyDocument": dice.policy()}),
    );
    let mut input =
        json!({"RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/existing"), "RoleSessionName": "shift"});
    if dice.roll(2) == 0 {
        input["Policy"] = dice.policy().into();
    }
    let said = world.ask(boss, "sts", "AssumeRole", &input);
    let body = String::from_utf8(said.body).unwrap();
    let part = |name: &str| {
        let rest = body
            .split_once(&format!("<{name}>"))
            .unwrap_or_else(|| panic!("{body}"))
            .1;
        rest.split_once('<').unwrap().0.to_owned()
    };
    Keys {
        id: part("AccessKeyId"),
        secret: part("SecretAccessKey"),
        token: Some(part("SessionToken")),
    }
}

/// Asks for something; the id of the answer and whether it was allowed.
fn ask(world: &World, keys: &Keys, dice: &mut Dice) -> (String, bool) {
    let name = dice.pick(&["ana", "existing", "missing"]);
    let key = world.existing.key_id.as_str();
    let (operation, input) = match dice.roll(6) {
        4 => ("DescribeKey", json!({"KeyId": key})),
        5 => {
            let team = dice.pick(&["red", "blue"]);
            (
                "Encrypt",
                json!({"KeyId": key, "Plaintext": "AAAA", "EncryptionContext": {"team": team}}),
            )
        }
        0 => ("ListUsers", json!({})),
        1 => ("GetUser", json!({"UserName": name})),
        2 => (
            "TagUser",
            json!({"UserName": name, "Tags": [{"Key": "team", "Value": dice.pick(&["red", "blue"])}]}),
        ),
        _ => ("GetRole", json!({"RoleName": name})),
    };
    let service = if matches!(operation, "DescribeKey" | "Encrypt") {
        "kms"
    } else {
        "iam"
    };
    let said = world.ask(keys, service, operation, &input);
    assert!(said.status < 500, "{operation}: {said:?}");
    (said.request_id.clone(), !said.code().starts_with("AccessDenied"))
}

fn explained(world: &World, id: &str) -> (Record, Vec<(bool, String)>) {
    let explanation = world.gateway.system("us-east-1", |call| why::explain(call, id));
    let explanation = explanation.map_err(|fault| fault.message).unwrap();
    let decisions = explanation.decisions.iter();
    let decisions = decisions
        .map(|explained| (explained.derivation.decision.allowed, explained.ladder.clone()))
        .collect();
    (explanation.record, decisions)
}

fn check(world: &World, asked: &[(String, bool)]) {
    for (id, allowed) in asked {
        let (record, decisions) = explained(world, id);
        assert!(record.id == *id && !record.judgements.is_empty());
        let recorded: Vec<_> = record.judgements.iter().map(|judged| judged.allowed).collect();
        let told: Vec<_> = decisions.iter().map(|(allowed, _)| *allowed).collect();
        assert_eq!(told, recorded, "{}: {decisions:?}", record.operation);
        assert_eq!(
            told.iter().all(|allowed| *allowed),
            *allowed,
            "{}: {decisions:?}",
            record.operation
        );
    }
}

/// The explanation agrees with what was answered, at once, after every change of the policies, and after they are gone
/// together with the user.
#[test]
fn why_gives_the_recorded_verdict_whatever_became_of_the_policies() {
    let world = World::furnished();
    let keys = world.user("ana", None);
    world.make(
        "AddUserToGroup",
        json!({"GroupName": "existing", "UserName": "ana"}),
    );
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/existing");
    world.make("AttachUserPolicy", json!({"UserName": "ana", "PolicyArn": arn}));
    let boss = world.user("boss", Some(MAY_ASSUME));
    let mut dice = Dice(20_261_122);
    let mut asked = Vec::new();
    for _ in 0..40 {
        rearrange(&world, &mut dice);
        rearrange_key(&world, &mut dice);
        let shift = session(&world, &boss, &mut dice);
        let now: Vec<_> = (0..12)
            .map(|turn| ask(&world, if turn % 3 == 0 { &shift } else { &keys }, &mut dice))
            .collect();
        check(&world, &now);
        asked.extend(now);
    }
    assert!(
        asked.iter().filter(|(_, allowed)| *allowed).count() > 20,
        "some are allowed"
    );
    assert!(
        asked.iter().filter(|(_, allowed)| !*allowed).count() > 20,
        "some are denied"
    );
    check(&world, &asked);
    world
        .call("iam", "DeleteUserPermissionsBoundary", json!({"UserName": "ana"}))
        .unwrap_or_default();
    world.make("DetachUserPolicy", json!({"UserName": "ana", "PolicyArn": arn}));
    world.make("DeletePolicy", json!({"PolicyArn": arn}));
    world.make(
        "DeleteUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own"}),
    );
    world.make(
        "DeleteGroupPolicy",
        json!({"GroupName": "existing", "PolicyName": "all"}),
    );
    world.make(
        "RemoveUserFromGroup",
        json!({"GroupName": "existing", "UserName": "ana"}),
    );
    world.make(
        "DeleteAccessKey",
        json!({"UserName": "ana", "AccessKeyId": keys.id}),
    );
    world.make("DeleteUser", json!({"UserName": "ana"}));
    check(&world, &asked);
}

/// A call that was never made is not explained, and neither is one that no policy judged told to be allowed.
#[test]
fn an_unknown_id_is_told_to_be_unknown() {
    let world = World::bare();
    let id = world.ask(&world.root, "iam", "ListUsers", &json!({})).request_id;
    let other = format!("{}0", &id[..35]);
    let other = if other == id {
        format!("{}1", &id[..35])
    } else {
        other
    };
    let found = |id: &str| {
        world
            .gateway
            .system("us-east-1", |call| why::explain(call, id))
            .is_ok()
    };
    assert!(found(&id) && !found(&other) && !found("no id at all"));
}
