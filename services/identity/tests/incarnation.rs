//! Sessions and the account that they were issued in.

use identity::iam::account::ACCOUNTS;
use pipeline::testing::ACCOUNT;
use serde_json::json;

use crate::scene::Scene;
use crate::sessions::caller_of;

/// Root has no row that a session could end with, so its sessions end with its account, even if another comes in its place.
#[test]
fn sessions_of_root_end_with_their_account() {
    let scene = Scene::new();
    let sts = |operation, input| scene.cloud.call(&scene.root, "sts", operation, input).unwrap();
    let own = sts("GetSessionToken", json!({}));
    let federated = sts("GetFederationToken", json!({"Name": "guest"}));
    assert!(caller_of(&scene, &own).is_ok() && caller_of(&scene, &federated).is_ok());
    let system = |again: bool| {
        let done = scene.cloud.gateway.system("us-east-1", |call| {
            if again {
                return identity::bootstrap(call, ACCOUNT, None).map(drop);
            }
            call.delete(&ACCOUNTS, &ACCOUNT.to_owned())
        });
        assert!(done.is_ok());
    };
    for again in [false, true] {
        system(again);
        assert!(caller_of(&scene, &own).is_err(), "again: {again}");
        assert!(caller_of(&scene, &federated).is_err(), "again: {again}");
    }
    let fresh = sts("GetSessionToken", json!({}));
    assert!(caller_of(&scene, &fresh).is_ok());
}
