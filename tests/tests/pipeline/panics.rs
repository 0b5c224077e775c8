//! A handler that panics: the caller learns an id, the trail has the call, and the next call is served.

use pipeline::operation::{Access, Operation, Result};
use pipeline::{AccountScope, Authorized, Call, Endpoint, Found, Look};
use scenarios::world::World;
use serde_json::json;

use crate::nothing::Nothing;

/// Writes, and then panics.
struct ListServerCertificates;

impl Operation for ListServerCertificates {
    type Input = Nothing;
    type Output = Nothing;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListServerCertificates");

    fn target(look: &mut Look<'_>, _input: &Nothing) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Nothing) -> Result<Nothing> {
        call.schedule("tests.never", call.now, json!({}))?;
        panic!("a bug of a handler")
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<ListServerCertificates>(
    "iam",
    "ListServerCertificates",
)];

#[test]
fn a_handler_that_panics_fails_its_own_call_alone() {
    let world = World::with(ENDPOINTS, &[]);
    let said = world.ask(&world.root, "iam", "ListServerCertificates", &json!({}));
    assert_eq!((said.status, said.code()), (500, "InternalFailure"));
    let body = String::from_utf8(said.body).unwrap();
    assert!(!body.contains("bug") && body.contains(&said.request_id), "{body}");
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!(
        (record.id.as_str(), record.operation.as_str()),
        (said.request_id.as_str(), "ListServerCertificates")
    );
    assert_eq!(
        record.error.as_ref().map(|error| error.code.as_str()),
        Some("InternalFailure")
    );
    assert_eq!(
        world.gateway.next_due().map_err(|fault| fault.message),
        Ok(None),
        "what it wrote is gone"
    );
    assert_eq!(world.ask(&world.root, "iam", "ListUsers", &json!({})).status, 200);
    let nobody = world.user("nobody", None);
    let denied = world.ask(&nobody, "iam", "ListServerCertificates", &json!({}));
    assert_eq!(
        denied.code(),
        "AccessDenied",
        "the decision comes before the handler"
    );
}
