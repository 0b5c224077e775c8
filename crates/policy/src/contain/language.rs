//! Patterns as sets of texts: whether one lies within another, and whether two have nothing in common.
//!
//! Invariant: both answers are proofs. A `false` says that nothing was proven, not that the opposite holds: a variable in the
//! outer pattern includes only itself, and in a comparison for common texts it may stand for anything.

use crate::pattern::{Case, Pattern, Piece};

/// Two patterns whose lengths multiply to more than this are not compared: hostile policies must not buy time.
const WORK_MAX: usize = 1 << 22;
/// Pairs of symbols that a search takes for one comparison.
const CELLS_A_STEP: usize = 1 << 8;

/// How much a comparison of two patterns counts against a search's bound: one, and more for long ones.
pub(crate) fn cost(one: &Pattern, two: &Pattern) -> usize {
    if fixed(one).is_some() && fixed(two).is_some() {
        return 1;
    }
    1 + length(one).saturating_mul(length(two)) / CELLS_A_STEP
}

/// The text that a pattern is or begins with, and whether anything may follow; `None` if it has wildcards elsewhere.
const fn fixed(pattern: &Pattern) -> Option<(&str, bool)> {
    match pattern {
        Pattern::Exact(text) => Some((text, false)),
        Pattern::Prefix(text) => Some((text, true)),
        _ => None,
    }
}

/// Whether no text is one of both, for patterns that are nothing but a beginning.
fn beginnings_apart((one, open): (&str, bool), (two, more): (&str, bool), case: Case) -> bool {
    let same = |one: &str, two: &str| match case {
        Case::Sensitive => one == two,
        Case::Folded => one.eq_ignore_ascii_case(two),
    };
    let begins = |long: &str, short: &str| long.get(..short.len()).is_some_and(|head| same(head, short));
    match (open, more) {
        (false, false) => !same(one, two),
        (true, false) => !begins(two, one),
        (false, true) => !begins(one, two),
        (true, true) => !begins(one, two) && !begins(two, one),
    }
}

/// At least the number of the pattern's symbols, but for a few.
fn length(pattern: &Pattern) -> usize {
    match pattern {
        Pattern::Any => 1,
        Pattern::Exact(text) | Pattern::Prefix(text) => text.len(),
        Pattern::Pieces(pieces) => {
            let each = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.len(),
                _ => 1,
            });
            each.sum()
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Symbol<'a> {
    Letter(char),
    One,
    Star,
    Variable(&'a Piece),
}

/// Whether every text of `inner` is one of `outer`.
pub(crate) fn includes(outer: &Pattern, inner: &Pattern, case: Case) -> bool {
    if matches!(outer, Pattern::Any) || outer == inner {
        return true;
    }
    let (outer, inner) = (symbols(outer, case), symbols(inner, case));
    if outer.len().saturating_mul(inner.len()) > WORK_MAX {
        return false;
    }
    // The inner pattern is read as a text in which a star of the outer one may stand for any symbols.
    let (mut at, mut from, mut mark) = (0, 0, None);
    loop {
        let fits = match (outer.get(at), inner.get(from)) {
            (None, None) => return true,
            (Some(Symbol::Star), _) => {
                mark = Some((at + 1, from));
                at += 1;
                continue;
            }
            (Some(Symbol::One), Some(symbol)) => matches!(symbol, Symbol::Letter(_) | Symbol::One),
            (Some(wanted), Some(symbol)) => wanted == symbol,
            _ => false,
        };
        if fits {
            at += 1;
            from += 1;
        } else {
            let Some((after, start)) = mark else { return false };
            if start >= inner.len() {
                return false;
            }
            mark = Some((after, start + 1));
            at = after;
            from = start + 1;
        }
    }
}

/// Whether the letters that all texts of one pattern begin or end with differ from the other's: what most pairs of patterns are told apart
/// by, at a fraction of the price of going through both.
fn ends_apart(one: &Pattern, two: &Pattern, case: Case) -> bool {
    let same = |one: &u8, two: &u8| match case {
        Case::Sensitive => one == two,
        Case::Folded => one.eq_ignore_ascii_case(two),
    };
    let (heads, tails) = ((head(one), head(two)), (tail(one), tail(two)));
    heads
        .0
        .bytes()
        .zip(heads.1.bytes())
        .any(|(one, two)| !same(&one, &two))
        || tails
            .0
            .bytes()
            .rev()
            .zip(tails.1.bytes().rev())
            .any(|(one, two)| !same(&one, &two))
}

/// The letters that every text of a pattern begins with.
fn head(pattern: &Pattern) -> &str {
    match pattern {
        Pattern::Any => "",
        Pattern::Exact(text) | Pattern::Prefix(text) => text,
        Pattern::Pieces(pieces) => match pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        },
    }
}

/// The letters that every text of a pattern ends with.
fn tail(pattern: &Pattern) -> &str {
    match pattern {
        Pattern::Any | Pattern::Prefix(_) => "",
        Pattern::Exact(text) => text,
        Pattern::Pieces(pieces) => match pieces.last() {
            Some(Piece::Text(text)) => text,
            _ => "",
        },
    }
}

/// Whether no text is one of both.
pub(crate) fn disjoint(one: &Pattern, two: &Pattern, case: Case) -> bool {
    if matches!(one, Pattern::Any) || matches!(two, Pattern::Any) {
        return false;
    }
    if let (Some(one), Some(two)) = (fixed(one), fixed(two)) {
        return beginnings_apart(one, two, case);
    }
    if ends_apart(one, two, case) {
        return true;
    }
    let (one, two) = (symbols(one, case), symbols(two, case));
    if one.len().saturating_mul(two.len()) > WORK_MAX {
        return false;
    }
    // Row by row from the end: whether the rests of both patterns have a text in common.
    let (mut below, mut row) = (vec![false; two.len() + 1], vec![false; two.len() + 1]);
    for i in (0..=one.len()).rev() {
        for j in (0..=two.len()).rev() {
            let at = |row: &[bool], j: usize| row.get(j).copied().unwrap_or(false);
            let common = match (one.get(i), two.get(j)) {
                (None, None) => true,
                (Some(symbol), other) if many(*symbol) => {
                    at(&below, j) || (other.is_some() && at(&row, j + 1))
                }
                (_, Some(symbol)) if many(*symbol) => {
                    at(&row, j + 1) || (one.get(i).is_some() && at(&below, j))
                }
                (Some(Symbol::Letter(a)), Some(Symbol::Letter(b))) if a != b => false,
                (Some(_), Some(_)) => at(&below, j + 1),
                _ => false,
            };
            if let Some(cell) = row.get_mut(j) {
                *cell = common;
            }
        }
        // Every cell of a row is written before it is read.
        std::mem::swap(&mut below, &mut row);
    }
    !below.first().copied().unwrap_or(true)
}

const fn many(symbol: Symbol<'_>) -> bool {
    matches!(symbol, Symbol::Star | Symbol::Variable(_))
}

fn symbols(pattern: &Pattern, case: Case) -> Vec<Symbol<'_>> {
    let mut symbols = Vec::new();
    match pattern {
        Pattern::Any => symbols.push(Symbol::Star),
        Pattern::Exact(text) => letters(text, case, &mut symbols),
        Pattern::Prefix(text) => {
            letters(text, case, &mut symbols);
            symbols.push(Symbol::Star);
        }
        Pattern::Pieces(pieces) => {
            for piece in pieces {
                match piece {
                    Piece::Text(text) => letters(text, case, &mut symbols),
                    Piece::One => symbols.push(Symbol::One),
                    Piece::Star => symbols.push(Symbol::Star),
                    Piece::Variable { .. } => symbols.push(Symbol::Variable(piece)),
                }
            }
        }
    }
    // `*?` and `?*` are the same; single letters first, so that reading from the left proves more.
    for run in symbols.split_mut(|symbol| !matches!(symbol, Symbol::One | Symbol::Star)) {
        run.sort_by_key(|symbol| *symbol == Symbol::Star);
    }
    symbols.dedup_by(|next, held| *next == Symbol::Star && *held == Symbol::Star);
    symbols
}

fn letters<'a>(text: &str, case: Case, into: &mut Vec<Symbol<'a>>) {
    into.extend(text.chars().map(|letter| {
        Symbol::Letter(match case {
            Case::Sensitive => letter,
            Case::Folded => letter.to_ascii_lowercase(),
        })
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Syntax;

    fn compiled(source: &str) -> Pattern {
        Pattern::compile(
            source,
            Syntax {
                wildcards: true,
                variables: true,
            },
        )
    }

    #[test]
    fn inclusion_is_proven_where_it_holds() {
        for (outer, inner, wanted) in [
            ("*", "a", true),
            ("a*", "ab*", true),
            ("ab*", "a*", false),
            ("a*c", "abc", true),
            ("a*c", "a*bc", true),
            ("a*c", "ab*", false),
            ("a?c", "abc", true),
            ("a?c", "a?c", true),
            ("a?", "a*", false),
            ("a*", "a?", true),
            ("?*", "*?", true),
            ("a*b*c", "axbybzc", true),
            ("*/x/*", "a/x/${aws:username}", true),
            ("a/${aws:username}", "a/${aws:username}", true),
            ("a/${aws:username}", "a/martha", false),
            ("a/?", "a/${aws:username}", false),
            ("s3:get*", "S3:GetObject", true),
        ] {
            assert_eq!(
                includes(&compiled(outer), &compiled(inner), Case::Folded),
                wanted,
                "{outer} includes {inner}"
            );
        }
        assert!(!includes(&compiled("a*"), &compiled("Ab"), Case::Sensitive));
    }

    #[test]
    fn what_has_nothing_in_common_is_disjoint() {
        for (one, two, wanted) in [
            ("a*", "b*", true),
            ("a*", "*b", false),
            ("a*c", "a*d", true),
            ("a*C", "a*dc", false),
            ("*Bc", "*bD", true),
            ("a*c*", "a*d", false),
            ("a*b*c", "a*bb*c", false),
            ("a?b", "a??b", true),
            ("*${aws:username}", "*b", false),
            ("a?", "a", true),
            ("a?", "ab", false),
            ("*a*", "b", true),
            ("*", "b", false),
            ("${aws:username}", "b", false),
            ("x${aws:username}", "b", true),
            ("ab*", "AB", false),
            ("ab*", "abc*", false),
            ("ab*", "ac*", true),
            ("é*", "ea", true),
            ("ab", "abc", true),
            ("arn:aws:s3:::a/*", "arn:aws:s3:::a", true),
        ] {
            assert_eq!(
                disjoint(&compiled(one), &compiled(two), Case::Folded),
                wanted,
                "{one} {two}"
            );
            assert_eq!(
                disjoint(&compiled(two), &compiled(one), Case::Folded),
                wanted,
                "{two} {one}"
            );
        }
    }
}
