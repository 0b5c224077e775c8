//! Whether a resource's policy grants to the public.
//!
//! Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", The meaning of "public": a policy is
//! public unless every grant is to fixed principals or bound to fixed values of certain keys, where a fixed value has neither
//! wildcard nor variable. Invariant: a policy that is called non-public grants nothing to a caller of whom none of these values
//! is known; where that cannot be proven, the policy is public.

use crate::{
    address::Network,
    condition::{Set, Test},
    contain::{
        branch::{Clause, Effort, Literal, Search, except, matching, search},
        fact::{Fact, constant},
        statements,
    },
    document::{Effect, Policy, Principals, Statement},
    operator::{ArnPattern, Comparison},
    pattern::{Pattern, Piece},
    principal::{Entry, is_account},
};

/// The keys whose values the caller cannot choose.
const BINDING: [&str; 18] = [
    "aws:PrincipalAccount",
    "aws:PrincipalArn",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:SourceIp",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:SourceOwner",
    "aws:SourceVpc",
    "aws:SourceVpce",
    "aws:VpceAccount",
    "aws:VpceOrgID",
    "aws:userid",
    "kms:CallerAccount",
    "s3:DataAccessPointAccount",
    "s3:DataAccessPointArn",
];

/// Longer prefixes bind a caller to few enough addresses.
const PREFIX_MIN: [u32; 2] = [8, 32];
/// RFC 1918 and RFC 4193.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Whether the policy grants anything to the public.
pub fn is_public(policy: &Policy) -> bool {
    !public_statements(policy).is_empty()
}

/// The statements, by index, that grant to the public and that no Deny takes back whole.
pub fn public_statements(policy: &Policy) -> Vec<usize> {
    let mut effort = Effort::default();
    let open = statements(policy, Effect::Allow).filter(|(_, statement)| {
        names_public(statement)
            && statement.conditions.iter().all(|test| !binds(test))
            && !taken_back(policy, statement, &mut effort)
    });
    open.map(|(index, _)| index).collect()
}

/// Whether the statement means whoever comes.
fn names_public(statement: &Statement) -> bool {
    match &statement.principal {
        None => true,
        Some(Principals { negated, entries }) => *negated || entries.contains(&Entry::Everyone),
    }
}

/// Whether Deny statements leave nothing of what the statement grants to the public.
fn taken_back(policy: &Policy, statement: &Statement, effort: &mut Effort) -> bool {
    let mut clauses: Vec<Clause<'_>> = matching(statement);
    for (_, denied) in statements(policy, Effect::Deny) {
        let everyone = match &denied.principal {
            None => true,
            // Nobody of the public is spared, unless everyone is.
            Some(Principals {
                negated: true,
                entries,
            }) => !entries.contains(&Entry::Everyone),
            Some(Principals { entries, .. }) => entries.contains(&Entry::Everyone),
        };
        if !everyone {
            continue;
        }
        let mut escapes: Clause<'_> = except(denied, false);
        escapes.retain(|option| !option.iter().any(is_of_principal));
        let (certain, open): (Vec<&Test>, Vec<&Test>) = denied
            .conditions
            .iter()
            .partition(|test| binding_key(test).is_some());
        if !certain.into_iter().all(always_meets_public) {
            continue;
        }
        escapes.extend(
            open.into_iter()
                .map(|test| vec![Literal::Fact(Fact::negated(test))]),
        );
        clauses.push(escapes);
    }
    matches!(search(clauses, effort), Search::Closed)
}

fn is_of_principal(literal: &Literal<'_>) -> bool {
    matches!(
        literal,
        Literal::Named(_) | Literal::Unnamed { .. } | Literal::Spared(..)
    )
}

fn binding_key(test: &Test) -> Option<&'static str> {
    BINDING
        .into_iter()
        .find(|key| key.eq_ignore_ascii_case(&test.key))
}

/// Whether the test holds for none of the public: it asks for fixed values of a key that callers cannot choose.
fn binds(test: &Test) -> bool {
    let Some(key) = binding_key(test) else {
        return false;
    };
    let without = matches!(test.comparison, Comparison::Null { .. }) || test.holds_without_key();
    !without && !test.negated && test.set != Set::All && fixed(key, &test.comparison)
}

/// Whether the test holds for all of the public: whether they lack the key or have a value that nobody wrote down.
fn always_meets_public(test: &Test) -> bool {
    let Some(key) = binding_key(test) else {
        return false;
    };
    !matches!(test.comparison, Comparison::Null { .. })
        && test.negated
        && test.holds_without_key()
        && fixed(key, &test.comparison)
}

fn fixed(key: &str, comparison: &Comparison) -> bool {
    match comparison {
        Comparison::Text { patterns, .. } => patterns.iter().all(|pattern| fixed_text(key, pattern)),
        Comparison::Arn(patterns) => patterns.iter().all(|pattern| match pattern {
            ArnPattern::Any => false,
            ArnPattern::Parts(parts) => fixed_arn(key, parts),
        }),
        Comparison::Address(networks) => networks.iter().all(narrow),
        _ => false,
    }
}

fn fixed_arn(key: &str, parts: &[Pattern; 6]) -> bool {
    let exact = |pattern: &Pattern| matches!(pattern, Pattern::Exact(_));
    let [.., account, _] = parts;
    let owned = matches!(account, Pattern::Exact(text) if is_account(text));
    let listed = key == "s3:DataAccessPointArn" && owned && parts.iter().all(constant);
    listed || parts.iter().all(exact)
}

fn fixed_text(key: &str, pattern: &Pattern) -> bool {
    match (key, pattern) {
        // `AROLEID:*` is any session of one role, but the pattern is not fixed in AWS's sense.
        (_, Pattern::Exact(_)) => true,
        // An organization's id bounds every path in it.
        ("aws:PrincipalOrgPaths" | "aws:SourceOrgPaths", _) => {
            head(pattern).is_some_and(|text| text.starts_with("o-") && text.contains('/'))
        }
        ("s3:DataAccessPointArn", _) => {
            constant(pattern)
                && head(pattern).is_some_and(|text| {
                    text.split(':').nth(4).is_some_and(is_account) && text.matches(':').count() >= 5
                })
        }
        _ => false,
    }
}

/// The fixed text that a pattern begins with.
fn head(pattern: &Pattern) -> Option<&str> {
    match pattern {
        Pattern::Prefix(text) => Some(text),
        Pattern::Pieces(pieces) => match pieces.first()? {
            Piece::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn narrow(network: &Network) -> bool {
    let (four, prefix) = network.shape();
    let private = PRIVATE
        .iter()
        .filter_map(|text| Network::parse(text))
        .any(|held| held.includes(network));
    let [least_four, least_six] = PREFIX_MIN;
    private || prefix >= if four { least_four } else { least_six }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::PolicyKind;

    fn public(statements: &str) -> bool {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        is_public(
            &Policy::parse(&text, PolicyKind::Resource).unwrap_or_else(|error| panic!("{}", error.located())),
        )
    }

    fn when(condition: &str) -> bool {
        public(&format!(
            r#"{{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"*","Condition":{{{condition}}}}}"#
        ))
    }

    #[test]
    fn fixed_values_of_binding_keys_make_a_grant_private() {
        for (condition, wanted) in [
            (r#""StringLike":{"aws:SourceVpc":"vpc-*"}"#, true),
            (r#""StringEquals":{"aws:SourceVpc":"vpc-91237329"}"#, false),
            (r#""StringEqualsIfExists":{"aws:SourceVpc":"vpc-91237329"}"#, true),
            (r#""StringNotEquals":{"aws:SourceVpc":"vpc-91237329"}"#, true),
            (r#""StringEquals":{"aws:PrincipalOrgID":"o-x"}"#, false),
            (
                r#""StringEquals":{"aws:PrincipalOrgID":"${aws:PrincipalOrgID}"}"#,
                true,
            ),
            (
                r#""ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-x/r-y/*"}"#,
                false,
            ),
            (
                r#""ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"o-x/r-y/*"}"#,
                true,
            ),
            (r#""IpAddress":{"aws:SourceIp":"203.0.113.0/24"}"#, false),
            (r#""IpAddress":{"aws:SourceIp":"0.0.0.0/1"}"#, true),
            (
                r#""IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/0"]}"#,
                true,
            ),
            (r#""IpAddress":{"aws:SourceIp":"172.16.0.0/12"}"#, false),
            (r#""IpAddress":{"aws:SourceIp":"2001:db8::/31"}"#, true),
            (
                r#""ArnEquals":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:t"}"#,
                false,
            ),
            (r#""ArnLike":{"aws:SourceArn":"arn:aws:sns:*:*:t"}"#, true),
            (r#""StringEquals":{"aws:userid":"AIDAEXAMPLE"}"#, false),
            (r#""StringLike":{"aws:userid":"AROAEXAMPLE:*"}"#, true),
            (
                r#""ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:123456789012:accesspoint/*"}"#,
                false,
            ),
            (
                r#""StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:123456789012:accesspoint/*"}"#,
                false,
            ),
            (
                r#""ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/x"}"#,
                true,
            ),
            (r#""StringEquals":{"aws:UserAgent":"x"}"#, true),
            (r#""Bool":{"aws:SecureTransport":"true"}"#, true),
            (r#""Null":{"aws:SourceVpc":"false"}"#, true),
        ] {
            assert_eq!(when(condition), wanted, "{condition}");
        }
    }

    #[test]
    fn a_denial_of_strangers_takes_a_public_grant_back() {
        let grant =
            r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;
        assert!(public(grant));
        for (denial, wanted) in [
            (
                r#""Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-x"}}"#,
                false,
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:UserAgent":"x"}}"#,
                true,
            ),
            (
                r#""Principal":"*","Action":"s3:Put*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-x"}}"#,
                true,
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/a*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-x"}}"#,
                true,
            ),
            (
                r#""Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-x"}}"#,
                true,
            ),
            (
                r#""NotPrincipal":{"AWS":"arn:aws:iam::111122223333:user/alice"},"Action":"s3:*","Resource":"*""#,
                false,
            ),
            (
                r#""Principal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*""#,
                true,
            ),
            (r#""Principal":"*","NotAction":"s3:List*","Resource":"*""#, false),
            (
                r#""Principal":"*","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"0.0.0.0/1"}}"#,
                true,
            ),
        ] {
            assert_eq!(
                public(&format!(r#"{grant},{{"Effect":"Deny",{denial}}}"#)),
                wanted,
                "{denial}"
            );
        }
        assert!(!public(
            r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}"#
        ));
        assert!(public(
            r#"{"Effect":"Allow","Principal":{"AWS":["111122223333","*"]},"Action":"s3:*","Resource":"*"}"#
        ));
    }
}
