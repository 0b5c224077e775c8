//! How much work the calls of every day are: rows are counted, not seconds.

use serde_json::json;

use crate::scene::Scene;
use crate::sessions::{grant, sts};

/// The rows that a call looks at once everything about its caller was noted.
fn rows(scene: &Scene, call: impl Fn()) -> u64 {
    call();
    let looked = || {
        let done = scene.cloud.gateway.store().statistics();
        done.engine_reads + done.cache_hits
    };
    let before = looked();
    call();
    looked() - before
}

/// What bears on a call, by its caller's own rows: the user, the key's last use, the account's place in an organization, the
/// last attempt. Whatever else the account holds costs nothing.
#[test]
fn a_call_looks_at_few_rows() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    grant(&scene, "ana", &crate::scene::allow("iam:GetAccountSummary"));
    let key = scene.root("CreateAccessKey", json!({"UserName": "ana"}));
    let id = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
    let ana = scene.cloud.caller(id, None).unwrap();
    let whoami = || {
        sts(&scene, &ana, "GetCallerIdentity", json!({})).unwrap();
    };
    let bare = rows(&scene, whoami);
    assert!(bare <= 2, "{bare} rows");
    let refused = || {
        scene.call(&ana, "ListUsers", json!({})).unwrap_err();
    };
    let refused = rows(&scene, refused);
    assert!(refused <= 4, "{refused} rows of a refused call");
}
