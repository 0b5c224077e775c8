//! Services that call each other for their caller: judged as the caller, seen as coming through the service, recorded, and undone
//! with the call that they were made for.

use pipeline::ledger::Record;
use pipeline::operation::{Access, Operation, Result};
use pipeline::testing::{ACCOUNT, REGION};
use pipeline::{AccountScope, Authorized, Call, Endpoint, Found, Look, why};
use scenarios::world::World;
use serde_json::{Value, json};
use wire::{Document, Fault};

use crate::nothing::Nothing;

const BY: &str = "athena.amazonaws.com";

/// Encrypts for its caller under the key that exists.
struct Encrypts;

/// Makes an alias for its caller, and fails.
struct Fails;

fn key(call: &mut Call<'_>) -> Result<Document> {
    let answer = call.invoke(BY, "kms", "ListKeys", Document::empty())?;
    let Some(Document::List(keys)) = answer.member("Keys") else {
        return Err(Fault::internal("no keys"));
    };
    let first = keys.first().and_then(|key| key.member("KeyId"));
    first.cloned().ok_or_else(|| Fault::internal("no key"))
}

impl Operation for Encrypts {
    type Input = Nothing;
    type Output = Nothing;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("athena:ListWorkGroups");

    fn target(look: &mut Look<'_>, _input: &Nothing) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Nothing) -> Result<Nothing> {
        let input = vec![("KeyId", key(call)?), ("Plaintext", Document::Blob(vec![7; 4]))];
        call.invoke(BY, "kms", "Encrypt", Document::Structure(input))
            .map(|_| Nothing)
    }
}

impl Operation for Fails {
    type Input = Nothing;
    type Output = Nothing;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("athena:CreateWorkGroup");

    fn target(look: &mut Look<'_>, _input: &Nothing) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Nothing) -> Result<Nothing> {
        let input = vec![
            ("AliasName", Document::String("alias/made".to_owned())),
            ("TargetKeyId", key(call)?),
        ];
        call.invoke(BY, "kms", "CreateAlias", Document::Structure(input))?;
        Err(Fault::validation("and then it fails"))
    }
}

static ENDPOINTS: &[Endpoint] = &[
    Endpoint::of::<Encrypts>("athena", "ListWorkGroups"),
    Endpoint::of::<Fails>("athena", "CreateWorkGroup"),
];

fn world() -> World {
    let mut world = World::with(ENDPOINTS, &[]);
    let made = world.call("kms", "CreateKey", json!({})).unwrap();
    made["KeyMetadata"]["KeyId"]
        .as_str()
        .unwrap()
        .clone_into(&mut world.existing.key_id);
    world
}

fn policy(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// The newest record of an operation.
fn recorded(world: &World, operation: &str) -> Option<Record> {
    let records = world.newest(REGION, 20);
    records.into_iter().find(|record| record.operation == operation)
}

#[test]
fn a_service_may_do_for_its_caller_what_the_caller_may_do_through_it() {
    let world = world();
    let through = json!([
        {"Effect": "Allow", "Action": ["athena:*", "kms:ListKeys"], "Resource": "*"},
        {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {
            "StringEquals": {"kms:ViaService": format!("athena.{REGION}.amazonaws.com"), "aws:CalledViaFirst": BY},
            "Bool": {"aws:ViaAWSService": "true"},
        }},
    ]);
    let ana = world.user("ana", Some(&policy(&through)));
    let said = world.ask(&ana, "athena", "ListWorkGroups", &json!({}));
    assert_eq!(said.status, 200, "{}", said.message);
    let record = recorded(&world, "Encrypt").unwrap();
    assert_eq!(record.caller.user_name.as_deref(), Some("ana"));
    assert_eq!(
        (record.caller.invoked_by.as_deref(), record.source_ip.as_str()),
        (Some(BY), BY)
    );
    assert!(record.error.is_none() && record.account == ACCOUNT);
    let explained = world
        .gateway
        .system(REGION, |call| why::explain(call, &record.id));
    let explained = explained.map_err(|fault| fault.message).unwrap();
    assert!(explained.decisions[0].derivation.decision.allowed);
    let direct = json!({"KeyId": world.existing.key_id, "Plaintext": "AAAA"});
    assert_eq!(
        world.ask(&ana, "kms", "Encrypt", &direct).code(),
        "AccessDeniedException"
    );
}

#[test]
fn a_service_does_nothing_for_a_caller_who_may_not() {
    let world = world();
    let own = json!([{"Effect": "Allow", "Action": ["athena:*", "kms:ListKeys"], "Resource": "*"}]);
    let bob = world.user("bob", Some(&policy(&own)));
    let said = world.ask(&bob, "athena", "ListWorkGroups", &json!({}));
    assert!(
        said.message.contains("not authorized to perform: kms:Encrypt"),
        "{}",
        said.message
    );
    let record = recorded(&world, "Encrypt").unwrap();
    assert_eq!(
        record.error.map(|error| error.code).as_deref(),
        Some("AccessDenied")
    );
    assert_eq!(record.caller.invoked_by.as_deref(), Some(BY));
}

#[test]
fn what_was_done_for_a_call_that_fails_is_undone_and_untold() {
    let world = world();
    let said = world.ask(&world.root, "athena", "CreateWorkGroup", &json!({"Name": "made"}));
    assert_eq!(said.message, "and then it fails");
    let aliases = world.call("kms", "ListAliases", json!({})).unwrap();
    let names = aliases["Aliases"].as_array().unwrap().iter();
    assert!(
        !names
            .map(|alias| &alias["AliasName"])
            .any(|name| name == "alias/made")
    );
    assert!(recorded(&world, "CreateAlias").is_none());
    assert!(recorded(&world, "ListKeys").is_some(), "it was read all the same");
}
