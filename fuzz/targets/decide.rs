//! Decisions: whatever policies say of whatever request, there is one decision, the same each time and however it is asked for; it
//! agrees with what is said of the policies by themselves; and one more denial allows nothing.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::contain::{granted, new_access};
use policy::public::{is_public, public_statements};
use policy::{
    Attached, Context, Decision, Finding, Grant, KeyLayer, Layer, Layers, Policy, PolicyKind, Principal,
    Reason, Request, Unknown, because_naming, decide, decide_knowing, explain, suggest,
};

const ACCOUNT: &str = "111122223333";
const DENIAL: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;

fn principals() -> [Principal; 6] {
    let (account, user) = (
        ACCOUNT.to_owned(),
        "arn:aws:iam::111122223333:user/a/ann".to_owned(),
    );
    [
        Principal::User {
            arn: user.clone(),
            account: account.clone(),
            id: "AIDAEXAMPLE".to_owned(),
        },
        Principal::Root {
            account: account.clone(),
        },
        Principal::AssumedRole {
            arn: "arn:aws:sts::111122223333:assumed-role/r/s".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/r".to_owned(),
            account: account.clone(),
            role_id: "AROAEXAMPLE".to_owned(),
        },
        Principal::FederatedUser {
            arn: "arn:aws:sts::111122223333:federated-user/f".to_owned(),
            account,
            user_arn: user,
        },
        Principal::Service {
            name: "sns.amazonaws.com".to_owned(),
        },
        Principal::Anonymous,
    ]
}

fn parsed(text: Option<&&str>, kind: PolicyKind) -> Option<Attached> {
    let policy = Policy::parse(text.copied().filter(|text| !text.is_empty())?, kind).ok()?;
    Some(Attached::new(Arc::new(policy), "a policy"))
}

fn context(lines: &str) -> Context {
    let mut context = Context::new();
    for line in lines.lines().take(32) {
        if let Some((key, value)) = line.split_once('=') {
            let values: Vec<String> = value.split('|').map(str::to_owned).collect();
            match values.as_slice() {
                [one] => context.insert(key.to_owned(), one.clone()),
                _ => context.insert_many(key.to_owned(), values),
            }
        }
    }
    context
}

/// What is asked in other ways than by `decide`.
fn agrees(request: &Request<'_>, layers: &Layers<'_>) -> Decision {
    let decision = decide(request, layers);
    assert_eq!(decision, decide(request, layers), "the same each time");
    assert_eq!(explain(request, layers).decision, decision, "as it is explained");
    let known = Unknown {
        key: &|_| false,
        resource: false,
    };
    assert_eq!(
        decide_knowing(request, layers, &known),
        Finding::Decided(decision),
        "as it is when all is known"
    );
    let unknown = Unknown {
        key: &|_| true,
        resource: true,
    };
    if let Finding::Decided(certain) = decide_knowing(request, layers, &unknown) {
        assert_eq!(certain.allowed, decision.allowed, "what is certain is so");
    }
    assert_eq!(
        because_naming(&decision, layers, request.action).is_empty(),
        decision.allowed
    );
    if let Reason::Allowed {
        layer: Layer::Identity,
        policy,
        ..
    } = decision.reason
    {
        let held = &layers.identity[policy].policy;
        assert!(held.may_allow_action(request.action), "what allows may allow");
        let service = request
            .action
            .split_once(':')
            .map_or(request.action, |(service, _)| service);
        assert!(
            held.may_allow_service(service),
            "what allows may allow the service"
        );
    }
    decision
}

fn alone(policy: &Policy, request: &Request<'_>, layers: &Layers<'_>) {
    let count = policy.statements().count();
    assert!(
        public_statements(policy)
            .iter()
            .all(|statement| *statement < count)
    );
    assert_eq!(is_public(policy), !public_statements(policy).is_empty());
    for gain in new_access(policy, policy) {
        assert!(gain.witness.is_none(), "nothing is granted more than by itself");
    }
    for gain in granted(policy, &[request.action.to_owned()], &[]) {
        assert!(gain.statement < count);
    }
    let _ = (
        policy.context_keys(),
        policy.missing_keys(request, layers),
        policy.matching(request, layers),
    );
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let parts: Vec<&str> = text.split('\0').collect();
    let [action, resource, lines, ..] = parts.as_slice() else {
        return;
    };
    // A name without a service is none of an action.
    if !action.contains(':') {
        return;
    }
    let principals = principals();
    let principal = &principals[usize::from(*first) % principals.len()];
    let context = context(lines);
    let request = Request {
        principal,
        action,
        resource,
        resource_account: Some(ACCOUNT).filter(|_| first & 0x40 != 0),
        context: &context,
    };
    let identity: Vec<Attached> = [
        parsed(parts.get(3), PolicyKind::Identity),
        parsed(parts.get(9), PolicyKind::Identity),
    ]
    .into_iter()
    .flatten()
    .collect();
    let resource_policy = parsed(parts.get(4), PolicyKind::Resource);
    let boundary = parsed(parts.get(5), PolicyKind::Boundary);
    let session: Option<Vec<Attached>> = parsed(parts.get(6), PolicyKind::Session).map(|held| vec![held]);
    let control: Vec<Vec<Attached>> = parsed(parts.get(7), PolicyKind::Identity)
        .map(|held| vec![held])
        .into_iter()
        .collect();
    let key = parsed(parts.get(8), PolicyKind::Key);
    let encryption_context = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let grants = [Grant {
        id: "g".to_owned(),
        grantee: "arn:aws:iam::111122223333:user/a/ann".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        context_equals: None,
        context_subset: Some(encryption_context.clone()),
        source_arn: None,
    }];
    let layers = Layers {
        service_control: &control,
        resource: resource_policy.as_ref(),
        identity: &identity,
        boundary: boundary.as_ref(),
        session: session.as_deref(),
        key: key.as_ref().map(|policy| KeyLayer {
            policy,
            grants: &grants,
            encryption_context: &encryption_context,
        }),
        ..Layers::default()
    };
    let decision = agrees(&request, &layers);
    let denial = Attached::new(
        Arc::new(Policy::parse(DENIAL, PolicyKind::Identity).expect("a policy")),
        "denial",
    );
    let with_denial: Vec<Attached> = identity.iter().cloned().chain([denial]).collect();
    let stricter = agrees(
        &request,
        &Layers {
            identity: &with_denial,
            ..layers
        },
    );
    assert!(decision.allowed || !stricter.allowed, "a denial allows");
    if matches!(principal, Principal::User { .. } | Principal::AssumedRole { .. }) {
        assert!(!stricter.allowed, "a denial denies");
    }
    if !decision.allowed {
        let _ = suggest(&request, &layers);
    }
    for held in identity.iter().chain(&resource_policy).chain(&key) {
        alone(&held.policy, &request, &layers);
    }
});
