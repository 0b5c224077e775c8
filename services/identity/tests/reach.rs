//! Who can do something, and what somebody can do and become.

use std::collections::BTreeMap;

use identity::iam::directory::described;
use identity::reach::{self, Population, WhatCan, WhoCan};
use pipeline::testing::ACCOUNT;
use pipeline::{Look, ResourcePolicies};
use policy::Context;
use serde_json::json;

use crate::scene::{Scene, allow, document, trust};

fn resources(look: &mut Look<'_>, arn: &str, action: &str) -> pipeline::Result<(ResourcePolicies, Context)> {
    let found = described::resource(look, arn, action)?;
    Ok(found.unwrap_or((ResourcePolicies::None, Context::default())))
}

fn arn(rest: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{rest}")
}

impl Scene {
    fn who(&self, action: &str, resource: &str, with: &[(&str, &str)]) -> WhoCan {
        let given: BTreeMap<String, Vec<String>> = with
            .iter()
            .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
            .collect();
        let found = self.cloud.gateway.system("us-east-1", |call| {
            let population = Population::read(call)?;
            reach::who_can(call, &population, (action, resource), &given, &resources)
        });
        found.map_err(|fault| fault.message).unwrap()
    }

    fn what(&self, principal: &str) -> WhatCan {
        let found = self.cloud.gateway.system("us-east-1", |call| {
            let population = Population::read(call)?;
            reach::what_can(call, &population, principal, &BTreeMap::new(), &resources)
        });
        found.map_err(|fault| fault.message).unwrap().unwrap()
    }

    fn holder(&self, name: &str, policy: &str) {
        self.root("CreateUser", json!({"UserName": name}));
        self.hold(name, "own", policy);
    }

    fn hold(&self, name: &str, inline: &str, policy: &str) {
        self.root(
            "PutUserPolicy",
            json!({"UserName": name, "PolicyName": inline, "PolicyDocument": policy}),
        );
    }

    fn role(&self, name: &str, trust: &str, policy: &str) {
        self.root(
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": trust}),
        );
        self.role_holds(name, "own", policy);
    }

    fn role_holds(&self, name: &str, inline: &str, policy: &str) {
        self.root(
            "PutRolePolicy",
            json!({"RoleName": name, "PolicyName": inline, "PolicyDocument": policy}),
        );
    }
}

fn on(effect: &str, action: &str, resource: &str) -> String {
    document(&json!({"Effect": effect, "Action": action, "Resource": resource}))
}

fn assume(role: &str) -> String {
    on("Allow", "sts:AssumeRole", &arn(&format!("role/{role}")))
}

fn names(able: &[reach::Able]) -> Vec<(String, usize)> {
    let named = |able: &reach::Able| {
        let name = able.arn.rsplit(['/', ':']).next().unwrap();
        (name.to_owned(), able.through.len())
    };
    let mut names: Vec<(String, usize)> = able.iter().map(named).collect();
    names.sort_unstable();
    names
}

/// ana becomes `first`, which becomes `second`, which deletes users; the two roles trust each other in a circle.
fn chained() -> Scene {
    let scene = Scene::new();
    scene.holder("ana", &assume("first"));
    scene.holder("bob", &allow("iam:Get*"));
    scene.role("first", &trust("AWS", ACCOUNT), &assume("second"));
    scene.role("second", &trust("AWS", ACCOUNT), &{
        document(&json!([
            {"Effect": "Allow", "Action": "iam:DeleteUser", "Resource": "*"},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
        ]))
    });
    scene
}

#[test]
fn those_who_can_become_a_role_that_can_are_named_with_their_way() {
    let answer = chained().who("iam:DeleteUser", &arn("user/bob"), &[]);
    let expected = [("ana", 2), ("first", 1), ("root", 0), ("second", 0)];
    assert_eq!(
        names(&answer.can),
        expected.map(|(name, steps)| (name.to_owned(), steps))
    );
    let ana = answer.can.iter().find(|able| able.arn.ends_with("/ana")).unwrap();
    assert_eq!(ana.through, [arn("role/first"), arn("role/second")]);
    assert_eq!(
        (ana.way.origin.as_str(), ana.way.statement),
        ("role/second inline own", 0)
    );
    assert_eq!(answer.asked, 5);
}

#[test]
fn a_deny_anywhere_on_the_way_closes_it() {
    let scene = chained();
    scene.role_holds("second", "not", &on("Deny", "iam:DeleteUser", &arn("user/bob")));
    let bob = scene.who("iam:DeleteUser", &arn("user/bob"), &[]);
    assert_eq!(names(&bob.can), [("root".to_owned(), 0)]);
    let ana = scene.who("iam:DeleteUser", &arn("user/ana"), &[]);
    assert_eq!(names(&ana.can).len(), 4);
}

#[test]
fn what_only_conditions_stand_before_is_told_apart_until_they_are_given() {
    let scene = Scene::new();
    scene.holder("ana", &assume("outside"));
    let trust = document(&json!({
        "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "42"}},
    }));
    scene.role("outside", &trust, &allow("iam:DeleteUser"));
    let without = scene.who("iam:DeleteUser", &arn("user/bob"), &[]);
    assert_eq!(names(&without.can).len(), 2, "root and the role itself");
    let need = &without.conditionally[0].way.needs[0];
    assert_eq!(
        (need.key.as_str(), need.values[0].as_str()),
        ("sts:ExternalId", "42")
    );
    let with = scene.who("iam:DeleteUser", &arn("user/bob"), &[("sts:ExternalId", "42")]);
    assert_eq!((names(&with.can).len(), with.conditionally.len()), (3, 0));
}

#[test]
fn what_a_principal_can_do_is_what_its_statements_come_to_in_every_layer() {
    let scene = Scene::new();
    scene.holder("ana", &allow("kms:*"));
    let bound = scene.root(
        "CreatePolicy",
        json!({"PolicyName": "bound", "PolicyDocument": allow("kms:Describe*")}),
    );
    let before = scene.what(&arn("user/ana"));
    let all = &before.granted[0];
    assert_eq!((all.service.as_str(), all.actions.len()), ("kms", all.of));
    assert!(all.of > 40 && before.refused.is_empty() && !before.administrator);
    scene.root(
        "PutUserPermissionsBoundary",
        json!({"UserName": "ana", "PermissionsBoundary": bound["Policy"]["Arn"]}),
    );
    let after = scene.what(&arn("user/ana"));
    let left = &after.granted[0].actions;
    assert!(left.iter().all(|name| name.starts_with("Describe")), "{left:?}");
    assert_eq!(left.len() + after.refused[0].actions, all.of);
}

#[test]
fn roles_that_can_be_become_are_named_once_though_they_trust_each_other() {
    let scene = chained();
    let answer = scene.what(&arn("user/ana"));
    let roles = answer
        .roles
        .iter()
        .map(|role| (role.arn.clone(), role.through.len()));
    let roles: Vec<(String, usize)> = roles.collect();
    assert_eq!(roles, [(arn("role/first"), 0), (arn("role/second"), 1)]);
    assert!(scene.what(&arn("user/bob")).roles.is_empty());
}

/// The escalations of a principal, by id.
fn open(answer: &WhatCan) -> Vec<&str> {
    answer.escalations.iter().map(|way| way.id.as_str()).collect()
}

#[test]
fn a_policy_on_oneself_that_one_may_write_is_an_escalation() {
    let scene = Scene::new();
    scene.holder("ana", &on("Allow", "iam:PutUserPolicy", &arn("user/ana")));
    let answer = scene.what(&arn("user/ana"));
    assert_eq!(open(&answer), ["iam-007"]);
    assert_eq!(answer.escalations[0].targets, [arn("user/ana")]);
    scene.hold("ana", "own", &on("Allow", "iam:PutUserPolicy", &arn("user/bob")));
    assert!(open(&scene.what(&arn("user/ana"))).is_empty(), "not oneself");
}

#[test]
fn passing_a_role_is_an_escalation_only_where_a_role_trusts_the_service() {
    let scene = Scene::new();
    let run = document(&json!([
        {"Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:InvokeFunction"], "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"},
    ]));
    scene.holder("ana", &run);
    assert!(open(&scene.what(&arn("user/ana"))).is_empty());
    scene.role("worker", &trust("Service", "lambda.amazonaws.com"), &allow("*"));
    let answer = scene.what(&arn("user/ana"));
    assert_eq!(open(&answer), ["lambda-001"]);
    assert_eq!(answer.escalations[0].targets, [arn("role/worker")]);
    scene.hold("ana", "not", &on("Deny", "iam:PassRole", "*"));
    assert!(open(&scene.what(&arn("user/ana"))).is_empty());
}

#[test]
fn what_a_role_could_gain_counts_for_those_who_can_become_it() {
    let scene = chained();
    scene.role_holds(
        "second",
        "keys",
        &on("Allow", "iam:CreateAccessKey", &arn("user/bob")),
    );
    let answer = scene.what(&arn("user/ana"));
    let way = answer.escalations.iter().find(|way| way.id == "iam-002").unwrap();
    assert_eq!(way.targets, [arn("user/bob")]);
    assert_eq!(way.through, [arn("role/first"), arn("role/second")]);
}

#[test]
fn an_administrator_has_nothing_to_gain() {
    let scene = Scene::new();
    scene.holder("boss", &allow("*"));
    let answer = scene.what(&arn("user/boss"));
    assert!(answer.administrator && answer.escalations.is_empty());
    assert!(answer.granted.len() > 300, "every service");
}
