//! Providers: their metadata, their life, their tags.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::testing::BEGINNING;
use serde_json::{Value, json};

use super::idp::{ENTITY, Idp, PROVIDER, metadata};
use crate::scene::{Scene, code};

fn create(scene: &Scene, name: &str, text: &str) -> Result<Value, pipeline::testing::Failure> {
    scene.call(
        &scene.root,
        "CreateSAMLProvider",
        json!({"Name": name, "SAMLMetadataDocument": text}),
    )
}

/// S6.1, S6.2: a provider is made of its metadata, shown, changed, tagged and deleted.
#[test]
fn a_provider_lives() {
    let scene = Scene::new();
    let text = Idp::rsa().metadata();
    let input = json!({"Name": "Corp.AD", "SAMLMetadataDocument": text, "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]});
    let made = scene.root("CreateSAMLProvider", input);
    assert_eq!(made["SAMLProviderArn"], PROVIDER);
    assert_eq!(made["Tags"][0]["Key"], "a");
    let named = json!({"SAMLProviderArn": PROVIDER});
    let shown = scene.root("GetSAMLProvider", named.clone());
    assert_eq!(shown["SAMLMetadataDocument"], text);
    let id = shown["SAMLProviderUUID"].as_str().unwrap();
    assert!(id.starts_with("SAMLSP") && id.len() == 22, "{id}");
    assert_eq!(shown["CreateDate"].as_f64().unwrap(), (BEGINNING / 1000) as f64);
    assert!(shown["ValidUntil"].as_f64().unwrap() > 4.9e9);
    assert_eq!(
        code(
            &scene,
            "CreateSAMLProvider",
            json!({"Name": "Corp.AD", "SAMLMetadataDocument": text})
        ),
        "EntityAlreadyExists"
    );
    let until = metadata(
        ENTITY,
        r#" validUntil="2027-01-01T00:00:00Z""#,
        &[&STANDARD.encode(Idp::ecdsa().certificate.der())],
    );
    scene.root(
        "UpdateSAMLProvider",
        json!({"SAMLProviderArn": PROVIDER, "SAMLMetadataDocument": until}),
    );
    let list = scene.root("ListSAMLProviders", json!({}));
    let [entry] = list["SAMLProviderList"].as_array().unwrap().as_slice() else {
        panic!("{list}")
    };
    assert_eq!(
        (&entry["Arn"], entry["ValidUntil"].as_f64().unwrap()),
        (&json!(PROVIDER), 1_798_761_600.0)
    );
    scene.root(
        "TagSAMLProvider",
        json!({"SAMLProviderArn": PROVIDER, "Tags": [{"Key": "C", "Value": "3"}]}),
    );
    scene.root(
        "UntagSAMLProvider",
        json!({"SAMLProviderArn": PROVIDER, "TagKeys": ["a"]}),
    );
    let tags = scene.root(
        "ListSAMLProviderTags",
        json!({"SAMLProviderArn": PROVIDER, "MaxItems": 1}),
    );
    assert_eq!(
        (&tags["Tags"][0]["Key"], &tags["IsTruncated"]),
        (&json!("C"), &json!(true))
    );
    let rest = json!({"SAMLProviderArn": PROVIDER, "Marker": tags["Marker"]});
    assert_eq!(scene.root("ListSAMLProviderTags", rest)["Tags"][0]["Key"], "b");
    assert_eq!(
        scene.root("GetAccountSummary", json!({}))["SummaryMap"]["Providers"],
        1
    );
    scene.root("DeleteSAMLProvider", named.clone());
    let failure = scene.refused("GetSAMLProvider", named.clone());
    assert_eq!(
        (failure.code.as_str(), failure.message),
        ("NoSuchEntity", format!("Manifest not found for arn {PROVIDER}"))
    );
    assert_eq!(code(&scene, "DeleteSAMLProvider", named), "NoSuchEntity");
    assert_eq!(
        code(
            &scene,
            "GetSAMLProvider",
            json!({"SAMLProviderArn": "arn:aws:iam::111122223333:user/Corp"})
        ),
        "InvalidInput"
    );
}

/// A document that is not one provider's metadata with usable keys makes no provider, and bombs do not go off.
#[test]
fn metadata_is_read_strictly() {
    let scene = Scene::new();
    let good = Idp::rsa().metadata();
    let certificate = STANDARD.encode(Idp::rsa().certificate.der());
    let doctype = |internal: &str| {
        let document = good.split_once("?>").unwrap().1;
        let document = document.replace("idp.corp.example/sso", "&x;");
        format!("<!DOCTYPE md:EntityDescriptor {internal}>{document}")
    };
    let bomb = (0..12).fold("<!ENTITY x0 'ha'>".to_owned(), |bomb, n| {
        format!("{bomb}<!ENTITY x{} '{}'>", n + 1, format!("&x{n};").repeat(10))
    });
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    for (what, text) in [
        ("internal entity", doctype("[<!ENTITY x 'y'>]")),
        (
            "external entity",
            doctype("[<!ENTITY x SYSTEM 'file:///etc/passwd'>]"),
        ),
        ("bomb", doctype(&format!("[{bomb}<!ENTITY x '&x12;'>]"))),
        ("bare document type", doctype("")),
        ("unknown entity", good.replace("idp.corp.example/sso", "&x;")),
        (
            "nesting",
            good.replace("<md:SingleSignOn", &format!("{deep}<md:SingleSignOn")),
        ),
        ("text", "x".repeat(1000)),
        ("no name", good.replace("entityID=", "entity=")),
        ("no provider", good.replace("IDPSSODescriptor", "SPSSODescriptor")),
        ("no keys", metadata(ENTITY, "", &[])),
        (
            "keys of another use",
            good.replace("\"signing\"", "\"encryption\""),
        ),
        (
            "a broken certificate",
            metadata(ENTITY, "", &[certificate.split_at(4).1]),
        ),
        (
            "a good and a broken certificate",
            metadata(ENTITY, "", &[&certificate, "AAAA"]),
        ),
        (
            "a broken time",
            metadata(ENTITY, " validUntil=\"soon\"", &[&certificate]),
        ),
        (
            "another namespace",
            good.replace("SAML:2.0:metadata", "SAML:1.0:metadata"),
        ),
        ("another encoding", good.replace("UTF-8", "UTF-16")),
    ] {
        let failure = create(&scene, "p", &text).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("InvalidInput", "Could not parse metadata"),
            "{what}"
        );
    }
    assert!(
        create(&scene, "p", "<short/>")
            .unwrap_err()
            .message
            .contains("length")
    );
    assert!(create(&scene, "p", &good).is_ok());
}

#[test]
fn an_account_has_a_hundred_providers() {
    let scene = Scene::new();
    let text = Idp::ecdsa().metadata();
    for n in 0..100 {
        create(&scene, &format!("p{n}"), &text).unwrap();
    }
    let failure = create(&scene, "more", &text).unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        (
            "LimitExceeded",
            "Cannot exceed quota for SAMLProvidersPerAccount: 100"
        )
    );
    scene.root(
        "DeleteSAMLProvider",
        json!({"SAMLProviderArn": "arn:aws:iam::111122223333:saml-provider/p7"}),
    );
    assert!(create(&scene, "more", &text).is_ok());
    assert_eq!(
        scene.root("ListSAMLProviders", json!({}))["SAMLProviderList"]
            .as_array()
            .unwrap()
            .len(),
        100
    );
}

/// What asks for the decryption of assertions is refused and changes nothing.
#[test]
fn encryption_is_refused() {
    let scene = Scene::new();
    let text = Idp::rsa().metadata();
    let with = |member: &str, value: &str| json!({"Name": "p", "SAMLMetadataDocument": text, member: value});
    for (member, value) in [
        ("AssertionEncryptionMode", "Required"),
        ("AddPrivateKey", "-----BEGIN PRIVATE KEY-----"),
    ] {
        assert_eq!(
            code(&scene, "CreateSAMLProvider", with(member, value)),
            "InvalidInput"
        );
    }
    scene.root("CreateSAMLProvider", with("AssertionEncryptionMode", "Allowed"));
    let arn = "arn:aws:iam::111122223333:saml-provider/p";
    assert_eq!(
        scene.root("GetSAMLProvider", json!({"SAMLProviderArn": arn}))["AssertionEncryptionMode"],
        "Allowed"
    );
    for (member, value) in [
        ("AssertionEncryptionMode", "Required"),
        ("AddPrivateKey", "x"),
        ("RemovePrivateKey", "ABCDEFGHIJKLMNOPQRSTUVWX"),
    ] {
        assert_eq!(
            code(
                &scene,
                "UpdateSAMLProvider",
                json!({"SAMLProviderArn": arn, member: value})
            ),
            "InvalidInput"
        );
    }
    assert_eq!(
        code(&scene, "UpdateSAMLProvider", json!({"SAMLProviderArn": arn})),
        "InvalidInput"
    );
}
