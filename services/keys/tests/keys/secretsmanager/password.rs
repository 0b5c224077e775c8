//! Random passwords.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Vault;

fn password(vault: &Vault, input: Value) -> String {
    let answer = vault.ok("GetRandomPassword", input);
    answer["RandomPassword"].as_str().unwrap().to_owned()
}

/// S11.5: 32 characters of every type, another one each time.
#[test]
fn a_password_has_every_type() {
    let vault = Vault::new();
    let drawn: BTreeSet<String> = (0..50).map(|_| password(&vault, json!({}))).collect();
    assert_eq!(drawn.len(), 50);
    for text in &drawn {
        let has = |fits: fn(&char) -> bool| text.chars().any(|letter| fits(&letter));
        assert_eq!(text.len(), 32);
        assert!(has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit));
        assert!(has(char::is_ascii_punctuation) && !text.contains(' '));
    }
    // The types stand anywhere, not in an order of their own.
    let firsts: BTreeSet<char> = drawn.iter().filter_map(|text| text.chars().next()).collect();
    assert!(firsts.iter().any(|letter| !letter.is_ascii_uppercase()));
}

/// S11.5: every option counts.
#[test]
fn a_password_keeps_to_its_options() {
    let vault = Vault::new();
    let digits = password(
        &vault,
        json!({ "PasswordLength": 4096, "ExcludeUppercase": true, "ExcludeLowercase": true, "ExcludePunctuation": true,
            "ExcludeCharacters": "01" }),
    );
    assert_eq!(digits.len(), 4096);
    let used: BTreeSet<char> = digits.chars().collect();
    assert_eq!(used, "23456789".chars().collect());
    let letters = password(
        &vault,
        json!({ "ExcludeNumbers": true, "ExcludePunctuation": true, "IncludeSpace": true }),
    );
    assert!(
        letters.contains(' ')
            && letters
                .chars()
                .all(|letter| letter == ' ' || letter.is_ascii_alphabetic())
    );
    assert_eq!(
        password(
            &vault,
            json!({ "PasswordLength": 1, "RequireEachIncludedType": false })
        )
        .len(),
        1
    );
    let refused = vault.refused(
        &vault.here.root(),
        "GetRandomPassword",
        json!({ "PasswordLength": 3 }),
    );
    assert_eq!(
        refused,
        (
            "InvalidParameterException".to_owned(),
            "Password length is too short based on the required types.".to_owned()
        )
    );
    let none = json!({ "ExcludeUppercase": true, "ExcludeLowercase": true, "ExcludePunctuation": true, "ExcludeNumbers": true });
    assert_eq!(vault.code("GetRandomPassword", none), "InvalidParameterException");
    let empty = json!({ "ExcludeCharacters": "0123456789" });
    assert_eq!(
        vault.code("GetRandomPassword", empty),
        "InvalidParameterException"
    );
}
