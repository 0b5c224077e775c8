//! The decision benchmark: our evaluator and the public `cedar-policy` crate on equivalent policies, in one run.
//!
//! `same_action`: N statements that all speak about the action asked for, of which the last allows: the worst case
//! for our index. `other_actions`: N statements of which one speaks about it. `account`: 10,000 policies in the account, of
//! which the caller has 10. Parsing and building the request lie outside the measurement for both.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use policy::{Attached, Context, Layers, Policy, PolicyKind, Principal, Request, decide};
use std::{hint::black_box, sync::Arc};

const SIZES: [usize; 4] = [1, 10, 100, 1000];
const ACCOUNT: usize = 10_000;
const OWN: usize = 10;

/// One rule in both languages: who (Cedar's policies all lie in one set), what, on which object, over TLS.
struct Rule {
    user: String,
    action: String,
    object: String,
}

impl Rule {
    fn ours(&self) -> String {
        let Self { action, object, .. } = self;
        format!(
            r#"{{"Effect":"Allow","Action":"{action}","Resource":"{object}","Condition":{{"Bool":{{"aws:SecureTransport":"true"}}}}}}"#
        )
    }

    fn cedar(&self) -> String {
        let Self { user, action, object } = self;
        format!(
            r#"permit(principal == User::"{user}", action == Action::"{action}", resource == Object::"{object}") when {{ context.SecureTransport }};"#
        )
    }
}

fn rule(user: &str, action: &str, object: usize) -> Rule {
    let object = format!("arn:aws:s3:::bucket-{object}/object");
    Rule {
        user: user.to_owned(),
        action: action.to_owned(),
        object,
    }
}

struct Ours {
    identity: Vec<Attached>,
    principal: Principal,
    context: Context,
    object: String,
}

impl Ours {
    /// One policy for each group of rules.
    fn new(groups: &[&[Rule]], object: &str) -> Self {
        let parsed = groups.iter().map(|rules| {
            let statements: Vec<String> = rules.iter().map(Rule::ours).collect();
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
                statements.join(",")
            );
            let policy = Policy::parse(&text, PolicyKind::Identity).expect("the benchmark's policy is valid");
            Attached::new(Arc::new(policy), "bench")
        });
        let mut context = Context::with_capacity(4);
        context.insert("aws:username", "alice");
        context.insert("aws:SourceIp", "203.0.113.1");
        context.insert("aws:CurrentTime", "2026-11-22T00:00:00Z");
        context.insert("aws:SecureTransport", "true");
        let principal = Principal::User {
            arn: "arn:aws:iam::111122223333:user/alice".to_owned(),
            account: "111122223333".to_owned(),
            id: "AIDAALICE".to_owned(),
        };
        Self {
            identity: parsed.collect(),
            principal,
            context,
            object: object.to_owned(),
        }
    }

    fn decide(&self) -> bool {
        let request = Request {
            principal: &self.principal,
            action: "s3:GetObject",
            resource: &self.object,
            resource_account: None,
            context: &self.context,
        };
        decide(
            &request,
            &Layers {
                identity: &self.identity,
                ..Layers::default()
            },
        )
        .allowed
    }
}

struct Cedar {
    authorizer: cedar_policy::Authorizer,
    policies: cedar_policy::PolicySet,
    entities: cedar_policy::Entities,
    request: cedar_policy::Request,
}

impl Cedar {
    fn new<'r>(rules: impl Iterator<Item = &'r Rule>, object: &str) -> Self {
        let source: String = rules.map(Rule::cedar).collect();
        let context = [
            ("username", r#""alice""#),
            ("SourceIp", r#""203.0.113.1""#),
            ("CurrentTime", r#""2026-11-22T00:00:00Z""#),
            ("SecureTransport", "true"),
        ];
        let context = context.map(|(key, value)| {
            (
                key.to_owned(),
                value
                    .parse::<cedar_policy::RestrictedExpression>()
                    .expect("a literal"),
            )
        });
        let entity = |text: String| text.parse::<cedar_policy::EntityUid>().expect("an entity");
        let request = cedar_policy::Request::new(
            entity(r#"User::"alice""#.to_owned()),
            entity(r#"Action::"s3:GetObject""#.to_owned()),
            entity(format!(r#"Object::"{object}""#)),
            cedar_policy::Context::from_pairs(context).expect("distinct keys"),
            None,
        );
        Self {
            authorizer: cedar_policy::Authorizer::new(),
            policies: source.parse().expect("the benchmark's policies are valid"),
            entities: cedar_policy::Entities::empty(),
            request: request.expect("no schema to violate"),
        }
    }

    fn decide(&self) -> bool {
        let response = self
            .authorizer
            .is_authorized(&self.request, &self.policies, &self.entities);
        response.decision() == cedar_policy::Decision::Allow
    }
}

fn pair(criterion: &mut Criterion, group: &str, size: usize, ours: &Ours, cedar: &Cedar) {
    assert!(
        ours.decide() && cedar.decide(),
        "both must allow, or they do not measure the same"
    );
    let mut group = criterion.benchmark_group(group);
    group.bench_function(BenchmarkId::new("ringwork", size), |bencher| {
        bencher.iter(|| black_box(ours).decide())
    });
    group.bench_function(BenchmarkId::new("cedar", size), |bencher| {
        bencher.iter(|| black_box(cedar).decide())
    });
    group.finish();
}

fn statements(criterion: &mut Criterion) {
    for size in SIZES {
        let last = format!("arn:aws:s3:::bucket-{}/object", size - 1);
        let same: Vec<Rule> = (0..size).map(|n| rule("alice", "s3:GetObject", n)).collect();
        pair(
            criterion,
            "same_action",
            size,
            &Ours::new(&[&same], &last),
            &Cedar::new(same.iter(), &last),
        );
        let other: Vec<Rule> = (0..size)
            .map(|n| {
                if n + 1 == size {
                    rule("alice", "s3:GetObject", n)
                } else {
                    rule("alice", &format!("s3:Other{n}"), n)
                }
            })
            .collect();
        pair(
            criterion,
            "other_actions",
            size,
            &Ours::new(&[&other], &last),
            &Cedar::new(other.iter(), &last),
        );
    }
}

fn account(criterion: &mut Criterion) {
    let rules: Vec<Rule> = (0..ACCOUNT)
        .map(|n| {
            if n < OWN {
                rule("alice", "s3:GetObject", n)
            } else {
                rule(&format!("user{n}"), "s3:GetObject", n)
            }
        })
        .collect();
    let last = format!("arn:aws:s3:::bucket-{}/object", OWN - 1);
    let own: Vec<&[Rule]> = rules.iter().take(OWN).map(std::slice::from_ref).collect();
    pair(
        criterion,
        "account",
        ACCOUNT,
        &Ours::new(&own, &last),
        &Cedar::new(rules.iter(), &last),
    );
}

criterion_group!(decision, statements, account);
criterion_main!(decision);
