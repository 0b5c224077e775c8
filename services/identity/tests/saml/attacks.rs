//! Attacks on XML signatures, in the shapes that the literature names. Each begins with a genuine response for `ann` and ends, if it
//! works, with a session for `eve`.

use super::Federated;
use super::idp::{ENVELOPED, EXCLUSIVE, Idp, Named, RSA, Says, name_id};

fn evil(id: &str) -> String {
    Says {
        id: id.to_owned(),
        subject: name_id("eve"),
        ..Says::default()
    }
    .assertion()
}

fn refused_all(town: &Federated, cases: Vec<(&str, String)>) {
    for (name, response) in cases {
        let (code, message) = town.refused(&response);
        assert_eq!(code, "InvalidIdentityToken", "{name}: {message}");
    }
}

/// Signature wrapping, XSW 1 to 8 of Somorovsky et al., "On Breaking SAML", and neighbours, with the same id and with another.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn wrapped_signatures_are_refused() {
    let town = Federated::new();
    let says = Says::default();
    let plain = says.assertion();
    let signed = town.idp.signed(&says.id, &plain);
    let signature = town.idp.signature(&says.id, &plain);
    let whole_plain = says.response(&plain);
    let whole = town.idp.respond_whole(&says);
    let whole_signature = town.idp.signature("_r1", &whole_plain);
    let within = |assertion: &str, what: &str| {
        assertion.replacen("<saml:Subject>", &format!("{what}<saml:Subject>"), 1)
    };
    let inside =
        |signature: &str, what: &str| signature.replace("</ds:Signature>", &format!("{what}</ds:Signature>"));
    let object = |what: &str| {
        format!(r#"<ds:Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{what}</ds:Object>"#)
    };
    for id in ["_a1", "_evil"] {
        let eve = evil(id);
        let outer = whole_plain
            .replace(&plain, &eve)
            .replace("\"_r1\"", if id == "_a1" { "\"_r1\"" } else { "\"_r2\"" });
        let before_status = |what: &str| {
            says.response("")
                .replacen("<samlp:Status>", &format!("{what}<samlp:Status>"), 1)
        };
        let extensions = |what: &str| before_status(&format!("<samlp:Extensions>{what}</samlp:Extensions>"));
        let add = |extensions: &str, what: &str| {
            extensions.replace("</samlp:Response>", &format!("{what}</samlp:Response>"))
        };
        refused_all(
            &town,
            vec![
                (
                    "XSW1: the signed response within the signature of an evil one",
                    outer.replacen(
                        "</saml:Issuer>",
                        &format!("</saml:Issuer>{}", inside(&whole_signature, &whole_plain)),
                        1,
                    ),
                ),
                (
                    "XSW1: in an object",
                    outer.replacen(
                        "</saml:Issuer>",
                        &format!(
                            "</saml:Issuer>{}",
                            inside(&whole_signature, &object(&whole_plain))
                        ),
                        1,
                    ),
                ),
                (
                    "XSW2: beside the signature",
                    outer.replacen(
                        "</saml:Issuer>",
                        &format!("</saml:Issuer>{whole_signature}{whole_plain}"),
                        1,
                    ),
                ),
                (
                    "XSW2: the signed response as a child",
                    outer.replace("</samlp:Response>", &format!("{whole}</samlp:Response>")),
                ),
                (
                    "XSW3: an evil assertion before the signed one",
                    says.response(&format!("{eve}{signed}")),
                ),
                ("XSW3: behind it", says.response(&format!("{signed}{eve}"))),
                (
                    "XSW4: the signed assertion within the evil one",
                    says.response(&within(&eve, &signed)),
                ),
                (
                    "XSW5: the signature on the evil one, the original at the end",
                    says.response(&format!("{}{plain}", within(&eve, &signature))),
                ),
                (
                    "XSW6: the original within that signature",
                    says.response(&within(&eve, &inside(&signature, &plain))),
                ),
                (
                    "XSW7: the evil one in extensions",
                    add(&extensions(&eve), &signed),
                ),
                (
                    "XSW7: the signed one in extensions",
                    add(&extensions(&signed), &eve),
                ),
                (
                    "XSW8: the original in an object of the signature",
                    says.response(&within(&eve, &inside(&signature, &object(&plain)))),
                ),
                (
                    "the signed one in advice",
                    says.response(&within(&eve, &format!("<saml:Advice>{signed}</saml:Advice>"))),
                ),
                (
                    "the signature on the evil one",
                    says.response(&within(&eve, &signature)),
                ),
                (
                    "the signature on the response",
                    says.response(&eve)
                        .replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1),
                ),
                (
                    "the signature beside the evil one",
                    says.response(&format!("{signature}{eve}")),
                ),
            ],
        );
    }
    refused_all(&town, vec![("none", says.response(&plain))]);
}

/// What was signed cannot be changed, and no signature counts but the provider's.
#[test]
fn altered_messages_are_refused() {
    let town = Federated::new();
    let says = Says::default();
    let good = town.idp.respond(&says);
    let whole = town.idp.respond_whole(&says);
    let stranger = Idp::rsa();
    let key_info = |response: &str, idp: &Idp| {
        use base64::Engine as _;
        let certificate = base64::engine::general_purpose::STANDARD.encode(idp.certificate.der());
        let info = format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
        );
        response.replace("</ds:SignatureValue>", &format!("</ds:SignatureValue>{info}"))
    };
    let cut = |text: &str, from: &str, to: &str| {
        let (before, rest) = text.split_once(from).unwrap();
        let (_, behind) = rest.split_once(to).unwrap();
        format!("{before}{behind}")
    };
    refused_all(&town, vec![
        ("another name", good.replace("ann@", "eve@")),
        ("another attribute", good.replace(">ann<", ">eve<")),
        ("another time", good.replace("NotBefore=", "notBefore=")),
        ("white space", good.replace("<saml:Subject>", "<saml:Subject> ")),
        ("an element more", good.replace("<saml:Subject>", "<saml:Advice></saml:Advice><saml:Subject>")),
        ("another prefix", good.replace("saml:", "s:").replace("xmlns:saml", "xmlns:s")),
        ("stripped", cut(&good, "<ds:Signature ", "</ds:Signature>")),
        ("stripped from a signed response", cut(&whole, "<ds:Signature ", "</ds:Signature>")),
        ("a response changed around it", whole.replace("\"_r1\"", "\"_r2\"")),
        ("no value", cut(&good, "<ds:SignatureValue>", "</ds:SignatureValue>")),
        ("another digest", good.replace("<ds:DigestValue>", "<ds:DigestValue>AAAA")),
        ("a stranger's key", stranger.respond(&says)),
        ("a stranger's key, shown", key_info(&stranger.respond(&says), &stranger)),
        ("a stranger's key under the provider's certificate", key_info(&stranger.respond(&says), &town.idp)),
        ("a good assertion in a response that a stranger signed",
         stranger.signed("_r1", &says.response(&town.idp.signed(&says.id, &says.assertion())))),
        ("a stranger's assertion in a good response",
         town.idp.signed("_r1", &says.response(&stranger.signed(&says.id, &says.assertion())))),
        ("two signatures", {
            let signature = town.idp.signature(&says.id, &says.assertion());
            says.response(&town.idp.signed(&says.id, &says.assertion()).replacen("<saml:Subject>", &format!("{signature}<saml:Subject>"), 1))
        }),
        ("a bare assertion", town.idp.signed(&says.id, &says.assertion())),
        ("two assertions, both signed", {
            let other = Says { id: "_a2".to_owned(), ..says.clone() };
            says.response(&format!("{}{}", town.idp.signed(&says.id, &says.assertion()), town.idp.signed("_a2", &other.assertion())))
        }),
        ("doubled ids", town.idp.respond(&Says { id: "_r1".to_owned(), ..says.clone() })),
        ("no id", town.idp.respond(&Says { id: String::new(), ..says.clone() })),
        ("encrypted", says.response("<saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"></saml:EncryptedAssertion>")),
        ("a condition that nobody knows", town.idp.respond(&Says {
            conditions: says.conditions.replace("</saml:Conditions>", "<saml:Condition></saml:Condition></saml:Conditions>"),
            ..says.clone()
        })),
        ("a document type", format!("<!DOCTYPE r [<!ENTITY x 'y'>]>{good}")),
        ("a processing instruction", format!("<?x y?>{good}")),
        ("an entity in the name", good.replace("ann@", "&eve;@")),
    ]);
}

/// Only one form of signature is taken, so that no transform or algorithm can make it cover something else.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn other_algorithms_are_refused() {
    const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
    const HMAC: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    const WITH_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
    const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    let mut town = Federated::new();
    let says = Says::default();
    let forms: [Named; 12] = [
        Named { method: SHA1, ..RSA },
        Named { method: HMAC, ..RSA },
        Named {
            method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            ..RSA
        },
        Named {
            method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            ..RSA
        },
        Named {
            digest: "http://www.w3.org/2000/09/xmldsig#sha1",
            ..RSA
        },
        Named {
            digest: "http://www.w3.org/2001/04/xmldsig-more#md5",
            ..RSA
        },
        Named {
            canonicalization: WITH_COMMENTS,
            ..RSA
        },
        Named {
            canonicalization: INCLUSIVE,
            ..RSA
        },
        Named {
            transforms: &[ENVELOPED],
            ..RSA
        },
        Named {
            transforms: &[EXCLUSIVE],
            ..RSA
        },
        Named {
            transforms: &[
                ENVELOPED,
                EXCLUSIVE,
                "http://www.w3.org/TR/1999/REC-xslt-19991116",
            ],
            ..RSA
        },
        Named {
            transforms: &["http://www.w3.org/TR/1999/REC-xpath-19991116", EXCLUSIVE],
            ..RSA
        },
    ];
    for named in forms {
        town.idp.named = named;
        let (code, message) = town.refused(&town.idp.respond(&says));
        assert_eq!(
            (code.as_str(), message.as_str()),
            ("InvalidIdentityToken", "Response signature invalid"),
            "{}",
            named.method
        );
    }
    town.idp.named = RSA;
    let (good, plain) = (town.idp.respond(&says), says.assertion());
    let reference = town.idp.signature(&says.id, &plain);
    let misdirected = good.replace(&reference, &town.idp.signature("_r1", &plain));
    assert_eq!(town.refused(&misdirected).1, "Response signature invalid");
    for (name, signature) in [
        ("no reference", reference.replace("Reference", "reference")),
        (
            "an empty reference",
            reference.replace("URI=\"#_a1\"", "URI=\"\""),
        ),
        (
            "another reference",
            reference.replace("URI=\"#_a1\"", "URI=\"#_r1\""),
        ),
        (
            "a reference elsewhere",
            reference.replace("URI=\"#_a1\"", "URI=\"https://evil.example/\""),
        ),
    ] {
        assert_eq!(
            town.refused(&good.replace(&reference, &signature)).1,
            "Response signature invalid",
            "{name}"
        );
    }
    assert!(town.redeem(&good).is_ok());
}

/// Depth and width are bounded before anything is verified.
#[test]
fn bombs_are_refused() {
    let town = Federated::new();
    let good = town.idp.respond(&Says::default());
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let wide: String = (0..2000).map(|n| format!(" a{n}=\"\"")).collect();
    let bomb = format!(
        "<!DOCTYPE r [<!ENTITY a '{}'><!ENTITY b '{}'>]>",
        "x".repeat(1000),
        "&a;".repeat(1000)
    );
    for (name, response) in [
        (
            "deep",
            good.replace("</samlp:Response>", &format!("{deep}</samlp:Response>")),
        ),
        (
            "wide",
            good.replace("<samlp:Status>", &format!("<samlp:Status{wide}>")),
        ),
        ("entities", format!("{bomb}{}", good.replace("ann@", "&b;@"))),
        ("cut", good.chars().take(good.len() / 2).collect()),
        ("empty", " ".repeat(8)),
    ] {
        assert_eq!(town.refused(&response).0, "InvalidIdentityToken", "{name}");
    }
}
