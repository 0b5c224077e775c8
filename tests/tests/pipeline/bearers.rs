//! Operations whose input proves the caller: no signature is asked for, the target judges whom the proof names, and the record
//! names them too.

use std::sync::Arc;

use pipeline::identity::{Federation, Identity, IdentityType};
use pipeline::operation::{Access, Operation, Result};
use pipeline::testing::ACCOUNT;
use pipeline::why;
use pipeline::{Authorized, Call, Endpoint, Found, Look, Resource, ResourcePolicies};
use policy::{Attached, Policy, PolicyKind};
use scenarios::client;
use scenarios::said::Said;
use scenarios::sample::Sampler;
use scenarios::world::World;
use wire::Fault;

use crate::nothing::Nothing;

const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/id.example";

/// Trusts the provider, for one subject.
struct Door;

impl Resource for Door {
    const TYPE: &'static str = "AWS::IAM::Role";

    fn arn(&self) -> String {
        format!("arn:aws:iam::{ACCOUNT}:role/door")
    }

    fn account(&self) -> &str {
        ACCOUNT
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"{PROVIDER}"}},
            "Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringEquals":{{"id.example:sub":"ann"}}}}}}]}}"#
        );
        let policy = Policy::parse(&text, PolicyKind::Trust).map_err(Fault::internal)?;
        Ok(ResourcePolicies::Policy(Attached::new(
            Arc::new(policy),
            "role/door trust policy",
        )))
    }
}

/// Comes with proof that it is `ann` or somebody else, or with proof that does not hold.
struct Comes<const SUBJECT: char>;

impl<const SUBJECT: char> Operation for Comes<SUBJECT> {
    type Input = Nothing;
    type Output = Nothing;
    type Target = Door;
    const ACCESS: Access = Access::write("sts:AssumeRoleWithWebIdentity");
    const BEARER: bool = true;

    fn bearer(_look: &mut Look<'_>, _input: &Nothing) -> Result<Identity> {
        let subject = match SUBJECT {
            'a' => "ann",
            'b' => "bob",
            _ => return Err(Fault::validation("the proof does not hold")),
        };
        let federation = Federation {
            context: vec![("id.example:sub".to_owned(), vec![subject.to_owned()])],
            ..Federation::default()
        };
        let kind = IdentityType::WebIdentityUser;
        Ok(Identity::federated(
            kind,
            ACCOUNT,
            PROVIDER,
            (&format!("{PROVIDER}:client:{subject}"), subject),
            federation,
        ))
    }

    fn target(_look: &mut Look<'_>, _input: &Nothing) -> Result<Found<Door>> {
        Ok(Found::Here(Door))
    }

    fn handle(_call: &mut Call<'_>, _door: Authorized<Door>, _input: Nothing) -> Result<Nothing> {
        Ok(Nothing)
    }
}

const OPERATION: &str = "AssumeRoleWithWebIdentity";
static ANN: &[Endpoint] = &[Endpoint::of::<Comes<'a'>>("sts", OPERATION)];
static BOB: &[Endpoint] = &[Endpoint::of::<Comes<'b'>>("sts", OPERATION)];
static LIAR: &[Endpoint] = &[Endpoint::of::<Comes<'x'>>("sts", OPERATION)];

/// The answer to an unsigned call.
fn unsigned(world: &World) -> Said {
    let service = api::models::service("sts").unwrap();
    let operation = service.operation(OPERATION).unwrap();
    let protocol = service.protocols[0];
    let sampler = Sampler {
        existing: &world.existing,
        present: false,
    };
    let input = sampler.input(service, operation);
    world.send(protocol, client::request(service, operation, protocol, &input))
}

/// What `why` makes of the record of a call.
fn decided_again(world: &World, id: &str) -> Vec<bool> {
    let explained = world.gateway.system("us-east-1", |call| why::explain(call, id));
    let explained = explained.map_err(|fault| fault.message).unwrap();
    let verdict = |one: &why::Explained| one.derivation.decision.allowed;
    explained.decisions.iter().map(verdict).collect()
}

#[test]
fn the_proof_stands_in_for_a_signature_and_the_target_judges_whom_it_names() {
    let world = World::with(ANN, &[]);
    let said = unsigned(&world);
    assert_eq!(said.status, 200, "{}", said.message);
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!(record.caller.kind, IdentityType::WebIdentityUser);
    assert_eq!(
        (record.caller.arn.as_str(), record.caller.user_name.as_deref()),
        (PROVIDER, Some("ann"))
    );
    assert_eq!((record.account.as_str(), record.error.is_none()), (ACCOUNT, true));
    assert_eq!(decided_again(&world, &record.id), [true]);
}

#[test]
fn another_subject_is_denied_by_the_same_trust_policy() {
    let world = World::with(BOB, &[]);
    let said = unsigned(&world);
    assert_eq!((said.status, said.code()), (403, "AccessDenied"));
    assert_eq!(
        said.message,
        "Not authorized to perform sts:AssumeRoleWithWebIdentity"
    );
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!(record.caller.user_name.as_deref(), Some("bob"));
    assert_eq!(
        record.error.as_ref().map(|error| error.code.as_str()),
        Some("AccessDenied")
    );
    assert_eq!(decided_again(&world, &record.id), [false]);
}

#[test]
fn a_proof_that_does_not_hold_is_refused_before_the_target_is_asked() {
    let world = World::with(LIAR, &[]);
    let said = unsigned(&world);
    assert_eq!(
        (said.status, said.message.as_str()),
        (400, "the proof does not hold")
    );
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!(
        (record.caller.kind, record.judgements.len()),
        (IdentityType::Unknown, 0)
    );
}
