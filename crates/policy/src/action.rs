//! Actions of a statement, and the index that finds the statements that may speak about an action.

use crate::{
    context::{Context, fold_hash},
    pattern::{Case, Pattern, Syntax},
};

/// `Action` or `NotAction`.
#[derive(Debug, Clone)]
pub(crate) struct Actions {
    pub(crate) negated: bool,
    pub(crate) patterns: Box<[Pattern]>,
}

/// The action of a request, hashed once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) text: &'a str,
    hash: u64,
    service: u64,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let service = text.split_once(':').map_or(text, |(service, _)| service);
        Self {
            text,
            hash: fold_hash(text),
            service: fold_hash(service),
        }
    }
}

impl Actions {
    pub(crate) fn compile(sources: &[String], negated: bool) -> Self {
        let patterns = sources
            .iter()
            .map(|source| Pattern::compile(source, Syntax::WILDCARDS));
        Self {
            negated,
            patterns: patterns.collect(),
        }
    }

    /// Action names are compared without case.
    pub(crate) fn match_action(&self, action: &str, context: &Context) -> bool {
        self.negated
            != self
                .patterns
                .iter()
                .any(|pattern| pattern.matches(action, context, Case::Folded))
    }
}

/// Statement numbers by what their actions begin with. Each list is sorted, so that a lookup is two binary
/// searches, and the work for a request does not grow with statements about other actions.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActionIndex {
    /// (hash of the whole name, statement)
    exact: Box<[(u64, u32)]>,
    /// (hash of the service, statement), for `s3:Get*`
    service: Box<[(u64, u32)]>,
    /// Statements that may match any action: `*`, `NotAction`.
    any: Box<[u32]>,
}

impl ActionIndex {
    pub(crate) fn of<'a>(statements: impl Iterator<Item = &'a Actions>) -> Self {
        let (mut exact, mut service, mut any) = (Vec::new(), Vec::new(), Vec::new());
        for (number, actions) in (0u32..).zip(statements) {
            if actions.negated {
                any.push(number);
                continue;
            }
            for pattern in &actions.patterns {
                match (pattern, literal_service(pattern)) {
                    (Pattern::Exact(name), _) => exact.push((fold_hash(name), number)),
                    (_, Some(prefix)) => service.push((fold_hash(prefix), number)),
                    (_, None) => any.push(number),
                }
            }
        }
        exact.sort_unstable();
        exact.dedup();
        service.sort_unstable();
        service.dedup();
        any.dedup();
        Self {
            exact: exact.into(),
            service: service.into(),
            any: any.into(),
        }
    }

    pub(crate) fn candidates(&self, asked: Asked<'_>) -> Candidates<'_> {
        Candidates {
            exact: of_hash(&self.exact, asked.hash),
            service: of_hash(&self.service, asked.service),
            any: &self.any,
        }
    }
}

/// The three lists merged in the order of statements, each statement once.
pub(crate) struct Candidates<'a> {
    exact: &'a [(u64, u32)],
    service: &'a [(u64, u32)],
    any: &'a [u32],
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let heads = [
            self.exact.first().map(|(_, number)| *number),
            self.service.first().map(|(_, number)| *number),
            self.any.first().copied(),
        ];
        let least = heads.into_iter().flatten().min()?;
        let [exact, service, any] = heads.map(|head| head == Some(least));
        if exact {
            self.exact = self.exact.get(1..).unwrap_or_default();
        }
        if service {
            self.service = self.service.get(1..).unwrap_or_default();
        }
        if any {
            self.any = self.any.get(1..).unwrap_or_default();
        }
        usize::try_from(least).ok()
    }
}

fn of_hash(entries: &[(u64, u32)], hash: u64) -> &[(u64, u32)] {
    let from = entries.partition_point(|(held, _)| *held < hash);
    let tail = entries.get(from..).unwrap_or_default();
    let length = tail.partition_point(|(held, _)| *held == hash);
    tail.get(..length).unwrap_or_default()
}

/// `s3` of `s3:Get*`: the part before the colon, if no wildcard comes before it.
fn literal_service(pattern: &Pattern) -> Option<&str> {
    let head = match pattern {
        Pattern::Exact(text) | Pattern::Prefix(text) => text,
        Pattern::Pieces(pieces) => match pieces.first()? {
            crate::pattern::Piece::Text(text) => text,
            _ => return None,
        },
        Pattern::Any => return None,
    };
    head.split_once(':').map(|(service, _)| service)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(statements: &[&[&str]]) -> ActionIndex {
        let compiled: Vec<Actions> = statements
            .iter()
            .map(|sources| {
                let sources: Vec<String> = sources.iter().map(|source| (*source).to_owned()).collect();
                Actions::compile(&sources, false)
            })
            .collect();
        ActionIndex::of(compiled.iter())
    }

    #[test]
    fn candidates_come_once_and_in_order() {
        let index = index(&[
            &["*"],
            &["s3:GetObject", "s3:Get*"],
            &["kms:*"],
            &["S3:getobject"],
            &["s3*"],
        ]);
        let found: Vec<usize> = index.candidates(Asked::new("s3:GetObject")).collect();
        assert_eq!(found, [0, 1, 3, 4]);
        let found: Vec<usize> = index.candidates(Asked::new("ec2:Run")).collect();
        assert_eq!(found, [0, 4]);
    }
}
