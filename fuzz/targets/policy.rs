//! The policy language: any text is a policy or is refused, and a policy's statements can be looked at.
#![no_main]

use policy::{Policy, PolicyKind};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const KINDS: [PolicyKind; 6] = [
        PolicyKind::Identity,
        PolicyKind::Boundary,
        PolicyKind::Session,
        PolicyKind::Resource,
        PolicyKind::Trust,
        PolicyKind::Key,
    ];
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let kind = KINDS[usize::from(*first) % KINDS.len()];
    match Policy::parse(text, kind) {
        Ok(policy) => {
            assert_eq!(policy.text(), text);
            for statement in policy.statements() {
                let span = statement.span();
                assert!(
                    text.get(span.start..span.end).is_some(),
                    "a statement lies in its text"
                );
                let _ = (
                    statement.sid(),
                    statement.effect(),
                    statement.principals().count(),
                );
            }
            let _ = policy.candidates("kms:Decrypt").count();
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
