//! Without a permission nothing is done, and nothing is told of what there is.

use pipeline::Endpoint;
use scenarios::said::{Said, Shared};
use scenarios::sample::Sampler;
use scenarios::sign::Keys;
use scenarios::world::{World, built};
use serde_json::json;
use wire::model::{Operation, Service};

use crate::exceptions::{Exceptions, Excuse};

/// The ledger, the note that an action was tried, and the texts of policies that took part in decisions.
const RECORD_ALONE: [u16; 4] = [0, 1, 0x0178, 0x0f02];

/// Operations that refuse the smallest input before they decide.
const JUDGED_LATE: &[Excuse] = &[(
    "kms:RetireGrant of what is missing",
    "the id of a grant is as long as a key: nobody finds one by asking, and whether its key exists is not told",
)];

/// Operations that more than an action of the caller decides.
const NOT_ENOUGH: &[Excuse] = &[
    ("s3control:CreateAccessPoint", OWN_ACCOUNT),
    ("s3control:DeleteAccessPoint", OWN_ACCOUNT),
    ("s3control:DeleteAccessPointPolicy", OWN_ACCOUNT),
    ("s3control:DeletePublicAccessBlock", OWN_ACCOUNT),
    ("s3control:GetAccessPoint", OWN_ACCOUNT),
    ("s3control:GetAccessPointPolicy", OWN_ACCOUNT),
    ("s3control:GetAccessPointPolicyStatus", OWN_ACCOUNT),
    ("s3control:GetPublicAccessBlock", OWN_ACCOUNT),
    ("s3control:ListAccessPoints", OWN_ACCOUNT),
    ("s3control:PutAccessPointPolicy", OWN_ACCOUNT),
    ("s3control:PutPublicAccessBlock", OWN_ACCOUNT),
    (
        "sts:AssumeRole",
        "a role that is not there trusts nobody, and is refused as AccessDenied like AWS's",
    ),
    (
        "sts:AssumeRoot",
        "the root user of an account that is no member trusts nobody",
    ),
];

const OWN_ACCOUNT: &str = "the account that is named is not the caller's own";

/// Operations that the caller's own policies decide: not those that are open to all, nor those whose input proves the caller.
fn judged() -> impl Iterator<Item = (&'static Endpoint, &'static Service, &'static Operation)> {
    built().filter(|(endpoint, ..)| !endpoint.access.open && !endpoint.is_bearer())
}

fn ask(
    world: &World,
    keys: &Keys,
    service: &'static Service,
    operation: &'static Operation,
    present: bool,
) -> Said {
    let input = Sampler {
        existing: &world.existing,
        present,
    }
    .input(service, operation);
    let protocol = service.protocols[0];
    world.send(
        protocol,
        world.signed(keys, (service, operation, protocol), &input),
    )
}

fn is_denied(service: &Service, said: &Said) -> bool {
    let (code, status) = Shared::Denied.on(service.protocols[0]);
    said.code() == code && said.status == status
}

/// S2.9: access is denied by default; what there is and what there is not are refused alike, and nothing changes.
#[test]
fn a_user_without_policies_is_denied_everything_and_learns_nothing() {
    let world = World::furnished();
    let nobody = world.user("nobody", None);
    let excused = Exceptions::of(JUDGED_LATE);
    let mut wrong = Vec::new();
    for (endpoint, service, operation) in judged() {
        for present in [true, false] {
            world.plan.take_written();
            let said = ask(&world, &nobody, service, operation, present);
            let what = if present { "existing" } else { "missing" };
            let label = format!("{}:{} of what is {what}", service.name, operation.name);
            let words = format!(
                ":user/nobody is not authorized to perform: {} on resource: ",
                endpoint.access.action
            );
            let told = is_denied(service, &said) && said.message.contains(&words);
            if !told && !excused.excuse(&label) {
                wrong.push(format!(
                    "{label}: {} {} {}",
                    said.status,
                    said.code(),
                    said.message
                ));
            }
            let written = world.plan.take_written();
            if written.iter().any(|table| !RECORD_ALONE.contains(table)) {
                wrong.push(format!("{label}: wrote {written:x?}"));
            }
        }
    }
    excused.settle(&wrong);
}

/// S2.10: a single Deny overrides any Allow.
#[test]
fn an_explicit_deny_beats_administrator_access() {
    let world = World::furnished();
    let denied = world.user("denied", None);
    let administrator =
        json!({"UserName": "denied", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
    world.make("AttachUserPolicy", administrator);
    let mut wrong = Vec::new();
    for (endpoint, service, operation) in judged() {
        let deny = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": endpoint.access.action, "Resource": "*"}});
        let policy = json!({"UserName": "denied", "PolicyName": "deny", "PolicyDocument": deny.to_string()});
        world.make("PutUserPolicy", policy);
        let said = ask(&world, &denied, service, operation, true);
        let label = format!("{}:{}", service.name, operation.name);
        let told = said
            .message
            .contains("with an explicit deny in an identity-based policy");
        if !is_denied(service, &said) || !told {
            wrong.push(format!(
                "{label}: {} {} {}",
                said.status,
                said.code(),
                said.message
            ));
        }
        let record = world
            .newest(World::trail(service), 1)
            .into_iter()
            .next()
            .expect("a record");
        let judged = record
            .judgements
            .last()
            .map(|judged| (judged.action.as_str(), judged.allowed));
        if judged != Some((endpoint.access.action, false)) || record.id != said.request_id {
            wrong.push(format!("{label}: recorded {judged:?} in {}", record.operation));
        }
    }
    assert!(wrong.is_empty(), "{} of:\n{}", wrong.len(), wrong.join("\n"));
}

/// S2.9: exactly the action that an operation declares, and those that it declares beside it, let it pass the decision.
#[test]
fn the_declared_actions_are_enough() {
    let world = World::furnished();
    let allowed = world.user("allowed", None);
    let excused = Exceptions::of(NOT_ENOUGH);
    let mut wrong = Vec::new();
    for (endpoint, service, operation) in judged() {
        let label = format!("{}:{}", service.name, operation.name);
        let actions: Vec<_> = endpoint
            .also
            .iter()
            .chain([&endpoint.access])
            .map(|access| access.action)
            .collect();
        let allow = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}});
        let policy =
            json!({"UserName": "allowed", "PolicyName": "allow", "PolicyDocument": allow.to_string()});
        world.make("PutUserPolicy", policy);
        let said = ask(&world, &allowed, service, operation, false);
        if is_denied(service, &said) && !excused.excuse(&label) {
            wrong.push(format!("{label}: {}", said.message));
        }
    }
    excused.settle(&wrong);
}
