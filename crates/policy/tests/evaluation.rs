//! The evaluation logic by IAM's documentation: within an account, across accounts, and every limiting layer.

mod scene;

use policy::{Layer, PolicyKind, Principal, Reason};
use scene::{OTHER, OWN, Scene, alice, federated, linked, root, service, session};

const GET: &str = "s3:GetObject";
const OBJECT: &str = "arn:aws:s3:::b/k";
const ALLOW: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
const DENY: &str = r#"{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}"#;
const NOTHING: &str = r#"{"Effect":"Allow","Action":"ec2:*","Resource":"*"}"#;

fn naming(effect: &str, principal: &str) -> String {
    format!(r#"{{"Effect":"{effect}","Principal":{principal},"Action":"s3:*","Resource":"*"}}"#)
}

fn aws(arn: &str) -> String {
    naming("Allow", &format!(r#"{{"AWS":"{arn}"}}"#))
}

// S2.9: denied by default, granted only by an explicit Allow. S1.3: that Allow is a policy.
#[test]
fn nothing_is_allowed_by_default() {
    let scene = Scene::default();
    assert_eq!(
        scene.because(&alice(), GET, OBJECT),
        "because no identity-based policy allows the s3:GetObject action"
    );
    assert!(Scene::identity(&[ALLOW]).allows(&alice(), GET, OBJECT));
    assert!(!Scene::identity(&[NOTHING]).allows(&alice(), GET, OBJECT));
}

// S2.10: one Deny overrides any Allow, in whatever layer it stands.
#[test]
fn a_deny_anywhere_wins() {
    let full = || {
        Scene::identity(&[ALLOW])
            .also(PolicyKind::Resource, &[&naming("Allow", r#""*""#)])
            .also(PolicyKind::Boundary, &[ALLOW])
            .also(PolicyKind::Session, &[ALLOW])
            .also(PolicyKind::Endpoint, &[&naming("Allow", r#""*""#)])
            .also(PolicyKind::ServiceControl, &[ALLOW])
    };
    assert!(full().allows(&session(), GET, OBJECT));
    let everyone = naming("Deny", r#""*""#);
    for (kind, statement, words) in [
        (
            PolicyKind::Identity,
            DENY,
            "with an explicit deny in an identity-based policy",
        ),
        (
            PolicyKind::Boundary,
            DENY,
            "with an explicit deny in a permissions boundary",
        ),
        (
            PolicyKind::Session,
            DENY,
            "with an explicit deny in a session policy",
        ),
        (
            PolicyKind::ServiceControl,
            DENY,
            "with an explicit deny in a service control policy",
        ),
        (
            PolicyKind::Resource,
            &everyone,
            "with an explicit deny in a resource-based policy",
        ),
        (
            PolicyKind::Endpoint,
            &everyone,
            "with an explicit deny in a VPC endpoint policy",
        ),
        (
            PolicyKind::ResourceControl,
            &everyone,
            "with an explicit deny in a resource control policy",
        ),
    ] {
        let scene = full().also(kind, &[statement]);
        assert_eq!(scene.because(&session(), GET, OBJECT), words);
    }
}

// S1.8: permissions add up over the policies of the user and its groups.
#[test]
fn identity_policies_add_up() {
    let scene = Scene::identity(&[NOTHING]).also(PolicyKind::Identity, &[ALLOW]);
    let decision = scene.decide(&alice(), GET, OBJECT);
    assert_eq!(
        decision.reason,
        Reason::Allowed {
            layer: Layer::Identity,
            policy: 1,
            statement: 0
        }
    );
    assert!(scene.allows(&alice(), "ec2:RunInstances", "*"));
}

// S2.5, S2.6, S2.7, S2.8: the worked example: attach and detach only from that instance.
#[test]
fn volumes_are_attached_only_from_the_instance() {
    let scene = |source: &str| {
        Scene::identity(&[r#"{
            "Sid": "Stmt1", "Effect": "Allow",
            "Action": ["ec2:AttachVolume", "ec2:DetachVolume"],
            "Resource": ["arn:aws:ec2:*:*:volume/*", "arn:aws:ec2:*:*:instance/*"],
            "Condition": {"ArnEquals": {"ec2:SourceInstanceARN": "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"}}
        }"#])
        .with("ec2:SourceInstanceARN", source)
    };
    let volume = "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1";
    let right = scene("arn:aws:ec2:eu-west-1:111122223333:instance/i-1");
    assert!(right.allows(&session(), "ec2:AttachVolume", volume));
    assert!(right.allows(
        &session(),
        "ec2:detachvolume",
        "arn:aws:ec2:eu-west-1:111122223333:instance/i-1"
    ));
    assert!(!right.allows(&session(), "ec2:DeleteVolume", volume));
    assert!(!right.allows(
        &session(),
        "ec2:AttachVolume",
        "arn:aws:ec2:eu-west-1:111122223333:snapshot/s"
    ));
    let wrong = scene("arn:aws:ec2:eu-west-1:111122223333:instance/i-2");
    assert!(!wrong.allows(&session(), "ec2:AttachVolume", volume));
}

// S2.16: a permission on one path of a hierarchy of parameters reaches what is below it and nothing beside it.
#[test]
fn one_path_of_a_hierarchy_is_granted() {
    let scene = Scene::identity(&[r#"{
        "Effect": "Allow", "Action": ["ssm:GetParameter", "ssm:GetParametersByPath"],
        "Resource": ["arn:aws:ssm:*:111122223333:parameter/prod/web", "arn:aws:ssm:*:111122223333:parameter/prod/web/*"]
    }"#]);
    let of = |path: &str| format!("arn:aws:ssm:eu-west-1:111122223333:parameter{path}");
    for below in ["/prod/web", "/prod/web/port", "/prod/web/tls/cert"] {
        assert!(scene.allows(&alice(), "ssm:GetParameter", &of(below)), "{below}");
    }
    for beside in [
        "/prod",
        "/prod/webby",
        "/prod/db/port",
        "/test/web/port",
        "/prod/Web/port",
    ] {
        assert!(
            !scene.allows(&alice(), "ssm:GetParameter", &of(beside)),
            "{beside}"
        );
    }
    assert!(!scene.allows(&alice(), "ssm:PutParameter", &of("/prod/web/port")));
}

#[test]
fn not_action_and_not_resource_mean_all_others() {
    let scene = Scene::identity(&[r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#]);
    assert!(scene.allows(&alice(), GET, OBJECT));
    assert!(!scene.allows(&alice(), "iam:CreateUser", "*"));
    let scene = Scene::identity(&[
        ALLOW,
        r#"{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}"#,
    ]);
    assert!(scene.allows(&alice(), GET, OBJECT));
    assert!(!scene.allows(&alice(), GET, "arn:aws:s3:::c/k"));
}

// "Variables and tags", Resource element and the older version of the language.
#[test]
fn variables_in_resources() {
    let statement =
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/home/${aws:username}/*"}"#;
    let scene = Scene::identity(&[statement]).with("aws:username", "martha");
    assert!(scene.allows(&alice(), GET, "arn:aws:s3:::b/home/martha/x"));
    assert!(!scene.allows(&alice(), GET, "arn:aws:s3:::b/home/nikki/x"));
    assert!(!Scene::identity(&[statement]).allows(&alice(), GET, "arn:aws:s3:::b/home//x"));
    let mut old = Scene::default().with("aws:username", "martha");
    old.identity = vec![scene::attached(
        PolicyKind::Identity,
        &format!(r#"{{"Statement":[{statement}]}}"#),
    )];
    assert!(!old.allows(&alice(), GET, "arn:aws:s3:::b/home/martha/x"));
    assert!(old.allows(&alice(), GET, "arn:aws:s3:::b/home/${aws:username}/x"));
}

// The Carlos example of "Policy evaluation for requests within a single account".
#[test]
fn carlos_may_not_save_logs() {
    let carlos = Principal::User {
        arn: "arn:aws:iam::123456789012:user/carlossalazar".into(),
        account: "123456789012".into(),
        id: "AIDACARLOS".into(),
    };
    let scene = Scene::identity(&[
        r#"{"Sid":"AllowS3ListRead","Effect":"Allow","Action":["s3:GetBucketLocation","s3:ListAllMyBuckets"],"Resource":"arn:aws:s3:::*"}"#,
        r#"{"Sid":"AllowS3Self","Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b-carlossalazar/*","arn:aws:s3:::b-carlossalazar"]}"#,
        r#"{"Sid":"DenyS3Logs","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*log*"}"#,
    ])
    .also(PolicyKind::Resource, &[&aws("arn:aws:iam::123456789012:user/carlossalazar")]);
    assert!(!scene.allows(&carlos, "s3:PutObject", "arn:aws:s3:::b-carlossalazar-logs/x"));
    assert!(scene.allows(&carlos, "s3:PutObject", "arn:aws:s3:::b-carlossalazar/x"));
}

// S2.14, S2.15: whom a resource policy reaches, without any identity policy.
#[test]
fn a_resource_policy_alone_allows_whom_it_names() {
    let provider = Principal::Federated {
        provider: "accounts.google.com".into(),
    };
    for (principal, caller, wanted) in [
        (r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#, alice(), true),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:user/Alice"}"#,
            alice(),
            false,
        ),
        (r#"{"AWS":"AIDAALICE"}"#, alice(), true),
        (
            r#"{"AWS":"arn:aws:iam::111122223333:role/jobs/reader"}"#,
            session(),
            true,
        ),
        (r#"{"AWS":"AROAREADER"}"#, session(), true),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader/night"}"#,
            session(),
            true,
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader/day"}"#,
            session(),
            false,
        ),
        (
            r#"{"AWS":"arn:aws:sts::111122223333:federated-user/guest"}"#,
            federated(),
            true,
        ),
        // An account is delegated to, not allowed: its identity policies decide.
        (r#"{"AWS":"111122223333"}"#, alice(), false),
        (r#"{"Service":"sns.amazonaws.com"}"#, service(), true),
        (r#"{"Service":"sqs.amazonaws.com"}"#, service(), false),
        (r#"{"Federated":"accounts.google.com"}"#, provider, true),
        (r#""*""#, Principal::Anonymous, true),
        (r#"{"AWS":"*"}"#, Principal::Anonymous, true),
        (r#"{"AWS":"*"}"#, alice(), true),
        (r#"{"AWS":"111122223333"}"#, Principal::Anonymous, false),
    ] {
        let scene = Scene::resource(&[&naming("Allow", principal)]);
        assert_eq!(
            scene.allows(&caller, GET, OBJECT),
            wanted,
            "{principal} {caller:?}"
        );
    }
}

// S2.14: a canonical user ID names an account.
#[test]
fn a_canonical_user_is_its_account() {
    let statement = naming("Allow", r#"{"CanonicalUser":"79a59d"}"#);
    let mut scene = Scene::resource(&[&statement]).also(PolicyKind::Identity, &[ALLOW]);
    scene.resource_account = Some(OTHER.into());
    assert!(!scene.allows(&alice(), GET, OBJECT));
    scene.context.set_canonical_user("79a59d");
    assert!(scene.allows(&alice(), GET, OBJECT));
}

// "How AWS enforcement code logic evaluates requests", the principal-dependent part of resource-based policies.
#[test]
fn boundaries_and_session_policies_limit_by_how_the_resource_names_the_caller() {
    let role = "arn:aws:iam::111122223333:role/jobs/reader";
    let night = "arn:aws:sts::111122223333:assumed-role/reader/night";
    let user = "arn:aws:iam::111122223333:user/alice";
    let guest = "arn:aws:sts::111122223333:federated-user/guest";
    for (named, caller, limit, wanted) in [
        (role, session(), PolicyKind::Boundary, false),
        (role, session(), PolicyKind::Session, false),
        (night, session(), PolicyKind::Boundary, true),
        (night, session(), PolicyKind::Session, true),
        (user, alice(), PolicyKind::Boundary, true),
        (guest, federated(), PolicyKind::Session, true),
        (user, federated(), PolicyKind::Session, false),
    ] {
        let scene = Scene::resource(&[&aws(named)]).also(limit, &[NOTHING]);
        assert_eq!(scene.allows(&caller, GET, OBJECT), wanted, "{named} {limit:?}");
        let denying = Scene::resource(&[&aws(named)]).also(limit, &[DENY]);
        assert!(!denying.allows(&caller, GET, OBJECT));
    }
    // "Permissions boundaries … do not limit permissions granted using aws:PrincipalArn with a wildcard in Principal."
    let statement = format!(
        r#"{{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{{"ArnEquals":{{"aws:PrincipalArn":"{role}"}}}}}}"#
    );
    let scene = Scene::resource(&[&statement])
        .also(PolicyKind::Boundary, &[NOTHING])
        .with("aws:PrincipalArn", role);
    assert!(scene.allows(&session(), GET, OBJECT));
}

// S2.17: boundary and session policies intersect with identity policies.
#[test]
fn boundary_and_session_policies_intersect() {
    let both = Scene::identity(&[ALLOW])
        .also(PolicyKind::Boundary, &[ALLOW])
        .also(PolicyKind::Session, &[ALLOW]);
    assert!(both.allows(&session(), GET, OBJECT));
    let bounded = Scene::identity(&[ALLOW]).also(PolicyKind::Boundary, &[NOTHING]);
    assert_eq!(
        bounded.because(&alice(), GET, OBJECT),
        "because no permissions boundary allows the s3:GetObject action"
    );
    let limited = Scene::identity(&[ALLOW]).also(PolicyKind::Session, &[NOTHING]);
    assert_eq!(
        limited.because(&session(), GET, OBJECT),
        "because no session policy allows the s3:GetObject action"
    );
    // What only the session policy allows is not granted.
    assert!(
        !Scene::identity(&[NOTHING])
            .also(PolicyKind::Session, &[ALLOW])
            .allows(&session(), GET, OBJECT)
    );
    let empty = Scene {
        session: Some(Vec::new()),
        ..Scene::identity(&[ALLOW])
    };
    assert!(!empty.allows(&session(), GET, OBJECT));
}

// "If you didn't pass a session policy": a role session has the role's permissions, a federated user none.
#[test]
fn a_federated_user_needs_session_policies() {
    let scene = Scene::identity(&[ALLOW]);
    assert!(scene.allows(&session(), GET, OBJECT));
    assert_eq!(
        scene.because(&federated(), GET, OBJECT),
        "because no session policy allows the s3:GetObject action"
    );
    assert!(
        scene
            .also(PolicyKind::Session, &[ALLOW])
            .allows(&federated(), GET, OBJECT)
    );
}

// S2.17: every level of the organization must allow.
#[test]
fn each_level_of_service_control_must_allow() {
    let scene = Scene::identity(&[ALLOW])
        .also(PolicyKind::ServiceControl, &[ALLOW])
        .also(PolicyKind::ServiceControl, &[NOTHING]);
    let decision = scene.decide(&alice(), GET, OBJECT);
    assert_eq!(
        decision.reason,
        Reason::ImplicitDeny {
            layer: Layer::ServiceControl,
            level: 1
        }
    );
    assert_eq!(
        scene.because(&alice(), GET, OBJECT),
        "because no service control policy allows the s3:GetObject action"
    );
    // It grants nothing by itself.
    assert!(
        !Scene::default()
            .also(PolicyKind::ServiceControl, &[ALLOW])
            .allows(&alice(), GET, OBJECT)
    );
    let mut bare = Scene::identity(&[ALLOW]);
    bare.service_control = vec![Vec::new()];
    assert!(!bare.allows(&alice(), GET, OBJECT));
}

// S2.17: service-linked roles and services are outside SCPs; RCPs bind services, and spare kms:RetireGrant.
#[test]
fn whom_organization_policies_do_not_bind() {
    let scene = Scene::identity(&[ALLOW]).also(PolicyKind::ServiceControl, &[DENY]);
    assert!(scene.allows(&linked(), GET, OBJECT));
    assert!(!scene.allows(&session(), GET, OBJECT));
    let everyone = naming("Deny", r#""*""#);
    let open = Scene::resource(&[&naming("Allow", r#""*""#)]);
    let scene = open.also(PolicyKind::ServiceControl, &[DENY]);
    assert!(scene.allows(&service(), GET, OBJECT));
    let scene = scene.also(PolicyKind::ResourceControl, &[&everyone]);
    assert!(!scene.allows(&service(), GET, OBJECT));
    assert!(scene.allows(&linked(), GET, OBJECT));
}

// S2.17: an endpoint's policy limits everyone who comes through it.
#[test]
fn an_endpoint_policy_limits() {
    let scene = Scene::identity(&[ALLOW]).also(
        PolicyKind::Endpoint,
        &[&aws("arn:aws:iam::111122223333:user/bob")],
    );
    assert_eq!(
        scene.because(&alice(), GET, OBJECT),
        "because no VPC endpoint policy allows the s3:GetObject action"
    );
    let scene = Scene::resource(&[&aws("arn:aws:iam::111122223333:user/alice")]).also(
        PolicyKind::Endpoint,
        &[&naming("Allow", r#"{"AWS":"111122223333"}"#)],
    );
    assert!(scene.allows(&alice(), GET, OBJECT));
}

// S2.11: root is outside identity policies and boundaries, and inside resource policies, SCPs and RCPs.
#[test]
fn root_is_allowed_unless_resource_or_organization_deny() {
    assert!(Scene::default().allows(&root(), GET, OBJECT));
    let spared = Scene::identity(&[DENY]).also(PolicyKind::Boundary, &[DENY]);
    assert!(spared.allows(&root(), GET, OBJECT));
    let everyone = naming("Deny", r#""*""#);
    assert!(!Scene::resource(&[&everyone]).allows(&root(), GET, OBJECT));
    assert!(
        !Scene::default()
            .also(PolicyKind::ServiceControl, &[DENY])
            .allows(&root(), GET, OBJECT)
    );
    assert!(
        !Scene::default()
            .also(PolicyKind::ServiceControl, &[NOTHING])
            .allows(&root(), GET, OBJECT)
    );
    assert!(
        !Scene::default()
            .also(PolicyKind::ResourceControl, &[&everyone])
            .allows(&root(), GET, OBJECT)
    );
    let abroad = Scene {
        resource_account: Some(OTHER.into()),
        ..Scene::default()
    };
    assert!(!abroad.allows(&root(), GET, OBJECT));
}

// S1.4, "Cross-account policy evaluation logic": an account governs its own resources alone, so both accounts must allow.
#[test]
fn across_accounts_both_sides_must_allow() {
    let role = "arn:aws:iam::111122223333:role/jobs/reader";
    let night = "arn:aws:sts::111122223333:assumed-role/reader/night";
    let abroad = |scene: Scene| Scene {
        resource_account: Some(OTHER.into()),
        ..scene
    };
    for principal in [role, night, "arn:aws:iam::111122223333:root"] {
        let resource = || abroad(Scene::resource(&[&aws(principal)]));
        assert!(
            resource()
                .also(PolicyKind::Identity, &[ALLOW])
                .allows(&session(), GET, OBJECT)
        );
        assert_eq!(
            resource().because(&session(), GET, OBJECT),
            "because no identity-based policy allows the s3:GetObject action"
        );
        let bounded = resource()
            .also(PolicyKind::Identity, &[ALLOW])
            .also(PolicyKind::Boundary, &[NOTHING]);
        assert!(!bounded.allows(&session(), GET, OBJECT));
    }
    assert_eq!(
        abroad(Scene::identity(&[ALLOW])).because(&session(), GET, OBJECT),
        "because no resource-based policy allows the s3:GetObject action"
    );
    // The account is also taken from the ARN.
    let queue = format!("arn:aws:sqs:us-east-1:{OTHER}:q");
    let scene = Scene::identity(&[r#"{"Effect":"Allow","Action":"sqs:*","Resource":"*"}"#]);
    assert!(!scene.allows(&alice(), "sqs:SendMessage", &queue));
    assert!(scene.allows(&alice(), "sqs:SendMessage", &queue.replace(OTHER, OWN)));
}

// Trust policies: a named user needs nothing more, the account delegates, and silence is refusal (S1.10, S1.12).
#[test]
fn trust_policies_must_allow() {
    let role = "arn:aws:iam::111122223333:role/jobs/reader";
    let trust = |principal: &str| {
        Scene::trust(&[&format!(
            r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#
        )])
    };
    let own = r#"{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::111122223333:role/jobs/reader"}"#;
    let by_name = trust(r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#);
    assert!(by_name.allows(&alice(), "sts:AssumeRole", role));
    let by_account = trust(r#"{"AWS":"111122223333"}"#);
    assert!(!by_account.allows(&alice(), "sts:AssumeRole", role));
    assert!(
        by_account
            .also(PolicyKind::Identity, &[own])
            .allows(&alice(), "sts:AssumeRole", role)
    );
    let silent = trust(r#"{"AWS":"444455556666"}"#).also(PolicyKind::Identity, &[own]);
    assert_eq!(
        silent.because(&alice(), "sts:AssumeRole", role),
        "because no role trust policy allows the sts:AssumeRole action"
    );
    let refused = Scene::trust(&[r#"{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}"#]);
    assert_eq!(
        refused.because(&alice(), "sts:AssumeRole", role),
        "with an explicit deny in the role trust policy"
    );
    assert!(trust(r#"{"Service":"sns.amazonaws.com"}"#).allows(&service(), "sts:AssumeRole", role));
}

// "AWS JSON policy elements: NotPrincipal", key points.
#[test]
fn not_principal_spares_only_whom_it_lists_at_every_level() {
    let scene = |listed: &[&str]| {
        let principal = format!(r#"{{"AWS":["{}"]}}"#, listed.join(r#"",""#));
        let deny =
            format!(r#"{{"Effect":"Deny","NotPrincipal":{principal},"Action":"s3:*","Resource":"*"}}"#);
        Scene::resource(&[&deny]).also(PolicyKind::Identity, &[ALLOW])
    };
    let (user, account) = (
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:root",
    );
    assert!(scene(&[user, account]).allows(&alice(), GET, OBJECT));
    assert!(!scene(&[user]).allows(&alice(), GET, OBJECT));
    assert!(!scene(&[account]).allows(&alice(), GET, OBJECT));
    assert!(scene(&[account]).allows(&root(), GET, OBJECT));
    let (role, night) = (
        "arn:aws:iam::111122223333:role/jobs/reader",
        "arn:aws:sts::111122223333:assumed-role/reader/night",
    );
    assert!(scene(&[role, night, account]).allows(&session(), GET, OBJECT));
    assert!(!scene(&[role, account]).allows(&session(), GET, OBJECT));
    assert!(!scene(&[night, account]).allows(&session(), GET, OBJECT));
    // "… will always deny any IAM principal that has a permissions boundary policy attached".
    let bounded = scene(&[user, account]).also(PolicyKind::Boundary, &[ALLOW]);
    assert!(!bounded.allows(&alice(), GET, OBJECT));
}

// Issue 2, "It must show" 6: flat in what the principal does not have.
#[test]
fn statements_about_other_actions_are_not_looked_at() {
    let others: Vec<String> = (0..1000)
        .map(|n| {
            format!(
                r#"{{"Effect":"Allow","Action":"svc{}:Op{n}","Resource":"*"}}"#,
                n % 50
            )
        })
        .collect();
    let mut statements: Vec<&str> = others.iter().map(String::as_str).collect();
    statements.insert(500, ALLOW);
    let policy = &scene::attached(PolicyKind::Identity, &scene::document(&statements)).policy;
    assert_eq!(policy.statements().len(), 1001);
    assert_eq!(policy.candidates(GET).collect::<Vec<_>>(), [500]);
    assert_eq!(policy.candidates("svc7:Op57").collect::<Vec<_>>(), [57]);
    assert_eq!(policy.candidates("svc7:Other").count(), 0);
}
