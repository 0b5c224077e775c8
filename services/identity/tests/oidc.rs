//! OpenID Connect providers through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::issuer::{self, Issuer};
use crate::scene::{READ_ALL, Scene, code};

fn arn(url: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{url}")
}

fn named(url: &str) -> Value {
    json!({ "OpenIDConnectProviderArn": arn(url) })
}

fn with(url: &str, member: &str, value: Value) -> Value {
    let mut input = named(url);
    input[member] = value;
    input
}

fn thumbprint(letter: char) -> String {
    letter.to_string().repeat(40)
}

/// A provider at `id.example/Realm` with one client.
fn furnished() -> Scene {
    let scene = Scene::new();
    let made = scene.root(
        "CreateOpenIDConnectProvider",
        json!({
            "Url": "https://id.example/Realm", "ClientIDList": ["app", "app"], "ThumbprintList": [thumbprint('a')],
            "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
        }),
    );
    assert_eq!(made["OpenIDConnectProviderArn"], json!(arn("id.example/Realm")));
    assert_eq!(made["Tags"][0]["Key"], "a");
    scene
}

/// S6.1, S6.3: an account says which providers outside of AWS it believes, and for which clients.
#[test]
fn a_provider_is_known_by_its_url() {
    let scene = furnished();
    let shown = scene.root("GetOpenIDConnectProvider", named("id.example/Realm"));
    assert_eq!(
        (&shown["Url"], &shown["ClientIDList"], &shown["ThumbprintList"]),
        (
            &json!("id.example/Realm"),
            &json!(["app"]),
            &json!([thumbprint('a')])
        )
    );
    let listed = scene.root("ListOpenIDConnectProviders", json!({}));
    assert_eq!(
        listed["OpenIDConnectProviderList"],
        json!([{"Arn": arn("id.example/Realm")}])
    );
    let again = scene.refused(
        "CreateOpenIDConnectProvider",
        json!({"Url": "https://id.example/Realm", "ThumbprintList": [thumbprint('a')]}),
    );
    assert_eq!(
        (again.code.as_str(), again.message.as_str()),
        (
            "EntityAlreadyExists",
            "Provider with url https://id.example/Realm already exists."
        )
    );
    // Letters count: another realm is another provider.
    let other = scene.refused("GetOpenIDConnectProvider", named("id.example/realm"));
    assert_eq!(
        (other.code.as_str(), other.message),
        (
            "NoSuchEntity",
            format!(
                "OpenIDConnect Provider not found for arn {}",
                arn("id.example/realm")
            )
        )
    );
    assert_eq!(
        scene.root("GetAccountSummary", json!({}))["SummaryMap"]["Providers"],
        1
    );
}

#[test]
fn clients_and_thumbprints_change_in_place() {
    let scene = furnished();
    let realm = "id.example/Realm";
    for client in ["second", "second"] {
        scene.root(
            "AddClientIDToOpenIDConnectProvider",
            with(realm, "ClientID", client.into()),
        );
    }
    for client in ["app", "app"] {
        scene.root(
            "RemoveClientIDFromOpenIDConnectProvider",
            with(realm, "ClientID", client.into()),
        );
    }
    let five = json!(['b', 'c', 'd', 'e', 'f'].map(thumbprint));
    scene.root(
        "UpdateOpenIDConnectProviderThumbprint",
        with(realm, "ThumbprintList", five.clone()),
    );
    let shown = scene.root("GetOpenIDConnectProvider", named(realm));
    assert_eq!(
        (&shown["ClientIDList"], &shown["ThumbprintList"]),
        (&json!(["second"]), &five)
    );
    let six = json!(['a', 'b', 'c', 'd', 'e', 'f'].map(thumbprint));
    let refused = scene.refused(
        "UpdateOpenIDConnectProviderThumbprint",
        with(realm, "ThumbprintList", six),
    );
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "InvalidInput",
            "Thumbprint list must contain fewer than 5 entries."
        )
    );
    for number in 0..99 {
        scene.root(
            "AddClientIDToOpenIDConnectProvider",
            with(realm, "ClientID", format!("c{number}").into()),
        );
    }
    let refused = scene.refused(
        "AddClientIDToOpenIDConnectProvider",
        with(realm, "ClientID", "one more".into()),
    );
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "LimitExceeded",
            "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
        )
    );
}

#[test]
fn a_deleted_provider_is_gone_and_may_be_deleted_again() {
    let scene = furnished();
    for _ in 0..2 {
        scene.root("DeleteOpenIDConnectProvider", named("id.example/Realm"));
    }
    assert_eq!(
        code(&scene, "GetOpenIDConnectProvider", named("id.example/Realm")),
        "NoSuchEntity"
    );
    assert_eq!(
        scene.root("GetAccountSummary", json!({}))["SummaryMap"]["Providers"],
        0
    );
}

#[test]
fn tags_are_set_listed_and_removed() {
    let scene = furnished();
    let realm = "id.example/Realm";
    scene.root(
        "TagOpenIDConnectProvider",
        with(realm, "Tags", json!([{"Key": "A", "Value": "3"}])),
    );
    scene.root("UntagOpenIDConnectProvider", with(realm, "TagKeys", json!(["b"])));
    let listed = scene.root("ListOpenIDConnectProviderTags", named(realm));
    assert_eq!(listed["Tags"], json!([{"Key": "A", "Value": "3"}]));
}

#[test]
fn a_hundred_providers_are_enough() {
    let scene = Scene::new();
    let input = |number: usize| json!({"Url": format!("https://p{number}.example"), "ThumbprintList": [thumbprint('a')]});
    for number in 0..100 {
        scene.root("CreateOpenIDConnectProvider", input(number));
    }
    let refused = scene.refused("CreateOpenIDConnectProvider", input(100));
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "LimitExceeded",
            "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100"
        )
    );
}

#[test]
fn without_thumbprints_the_certificate_is_looked_at_once() {
    let issuer = Issuer::new("https://id.example");
    let scene = Scene::reaching(&issuer);
    scene.root(
        "CreateOpenIDConnectProvider",
        json!({"Url": "https://id.example", "ClientIDList": ["app"]}),
    );
    let shown = scene.root("GetOpenIDConnectProvider", named("id.example"));
    assert_eq!(shown["ThumbprintList"], json!([issuer::THUMBPRINT]));
    let refused = scene.refused(
        "CreateOpenIDConnectProvider",
        json!({"Url": "https://silent.example"}),
    );
    assert_eq!(
        (refused.code.as_str(), refused.message.as_str()),
        (
            "OpenIdIdpCommunicationError",
            "Please check .well-known/openid-configuration of provider: https://silent.example is valid."
        )
    );
}

/// Nothing leaves the machine for somebody who may not register providers.
#[test]
fn who_may_not_create_reaches_nothing() {
    let issuer = Issuer::new("https://id.example");
    let scene = Scene::reaching(&issuer);
    let user = scene.user("reader");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "reader", "PolicyName": "read", "PolicyDocument": READ_ALL}),
    );
    let input = json!({"Url": "https://id.example"});
    let refused = scene.call(&user, "CreateOpenIDConnectProvider", input);
    assert_eq!(refused.unwrap_err().code, "AccessDenied");
    assert_eq!(issuer.fetches(), 0);
    let shown = scene.call(&user, "ListOpenIDConnectProviders", json!({}));
    assert_eq!(shown.unwrap()["OpenIDConnectProviderList"], json!([]));
}
