//! What a policy mentions and which of its statements match, for readers who ask about one policy rather than a decision.
//!
//! Invariant: matching goes through the same rule as [`crate::decide`].
//!
//! Source: IAM API Reference, "GetContextKeysForCustomPolicy" and "SimulateCustomPolicy".

use crate::{
    document::{Effect, Policy, Statement, Version},
    layers::{Layers, Request},
    pattern::{Pattern, Piece, Syntax},
    rule::Query,
};

impl Policy {
    /// The condition keys and policy variables that the policy mentions, in the order of its text, each once (compared without
    /// case) as it is first written.
    pub fn context_keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        for statement in &self.statements {
            self.mentioned(statement, &mut keys);
        }
        keys
    }

    /// The keys that the request does not have, of those that the statements about its action and resource mention.
    pub fn missing_keys(&self, request: &Request<'_>, layers: &Layers<'_>) -> Vec<String> {
        let query = Query::new(request, layers);
        let mut keys = Vec::new();
        for index in self.candidates(request.action) {
            let Some(statement) = self.statements.get(index) else {
                continue;
            };
            // A resource that has variables without values matches nothing, so that the variables are what is missing.
            if query.action_fits(statement)
                && (query.resource_fits(statement) || unresolved(statement, request))
            {
                self.mentioned(statement, &mut keys);
            }
        }
        keys.retain(|key| request.context.get(key).is_none());
        keys
    }

    /// The statements that match the request in every element, by index, and what they do. `layers` are those of the decision.
    pub fn matching(&self, request: &Request<'_>, layers: &Layers<'_>) -> Vec<(usize, Effect)> {
        let query = Query::new(request, layers);
        let matching = self.candidates(request.action).filter_map(|index| {
            let statement = self.statements.get(index)?;
            query.fits(statement).map(|_| (index, statement.effect))
        });
        matching.collect()
    }

    fn mentioned(&self, statement: &Statement, keys: &mut Vec<String>) {
        let patterns = statement.resources.iter().flat_map(|held| &held.patterns);
        patterns.for_each(|pattern| variables(pattern, keys));
        let syntax = Syntax {
            wildcards: true,
            variables: self.version == Version::V2012,
        };
        for test in &statement.conditions {
            add(&test.key, keys);
            for wanted in &test.wanted {
                variables(&Pattern::compile(wanted, syntax), keys);
            }
        }
    }
}

fn unresolved(statement: &Statement, request: &Request<'_>) -> bool {
    let mut patterns = statement.resources.iter().flat_map(|held| &held.patterns);
    patterns.any(|pattern| pattern.resolved(request.context).is_none())
}

pub(crate) fn variables(pattern: &Pattern, keys: &mut Vec<String>) {
    let Pattern::Pieces(pieces) = pattern else {
        return;
    };
    for piece in pieces {
        if let Piece::Variable { key, .. } = piece {
            add(key, keys);
        }
    }
}

fn add(key: &str, keys: &mut Vec<String>) {
    if !keys.iter().any(|held| held.eq_ignore_ascii_case(key)) {
        keys.push(key.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Effect, Layers, Policy, PolicyKind, Principal, Request};

    const TEXT: &str = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"dynamodb:*","Resource":"arn:aws:dynamodb:us-west-2:123456789012:table/${aws:username}",
         "Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}},
        {"Effect":"Deny","Action":"s3:*","Resource":"*",
         "Condition":{"StringNotEquals":{"AWS:UserName":"${aws:PrincipalTag/owner, 'none'}"}}}]}"#;

    #[test]
    fn keys_come_in_the_order_of_the_text_and_once() {
        let policy = Policy::parse(TEXT, PolicyKind::Identity).unwrap();
        assert_eq!(
            policy.context_keys(),
            ["aws:username", "aws:CurrentTime", "aws:PrincipalTag/owner"]
        );
    }

    #[test]
    fn an_old_document_has_no_variables() {
        let policy = Policy::parse(&TEXT.replace("2012-10-17", "2008-10-17"), PolicyKind::Identity).unwrap();
        assert_eq!(policy.context_keys(), ["aws:CurrentTime", "AWS:UserName"]);
    }

    #[test]
    fn only_what_the_request_asks_for_is_missing_or_matches() {
        let policy = Policy::parse(TEXT, PolicyKind::Identity).unwrap();
        let principal = Principal::Root {
            account: "123456789012".to_owned(),
        };
        let context = Context::new().with("aws:UserName", "martha");
        let request = Request {
            principal: &principal,
            action: "s3:GetObject",
            resource: "arn:aws:s3:::b/k",
            resource_account: None,
            context: &context,
        };
        let layers = Layers::default();
        assert_eq!(policy.missing_keys(&request, &layers), ["aws:PrincipalTag/owner"]);
        assert_eq!(policy.matching(&request, &layers), [(1, Effect::Deny)]);
        let other = Request {
            action: "dynamodb:GetItem",
            context: &Context::new(),
            ..request
        };
        assert_eq!(
            policy.missing_keys(&other, &layers),
            ["aws:username", "aws:CurrentTime"]
        );
        assert!(policy.matching(&other, &layers).is_empty());
    }
}
