//! `Filters` of EC2's lists: all of them must match, each by one of its values, in which `*` and `?` stand for more.
//!
//! Source: Amazon EC2 User Guide, "List and filter using the CLI and API"; Amazon EC2 API Reference, `Filter`.
//!
//! Invariant: a filter that a list does not know is refused, never passed over.

use std::collections::BTreeMap;

use api::ec2 as model;
use pipeline::Result;

use super::fault::{invalid, missing};

/// Values of one request's filters at most.
const VALUES_MAX: usize = 200;

/// What a thing has under a filter's name: none for what it lacks, `None` for a name that no such thing has.
pub(super) type Values = Option<Vec<String>>;

/// Checked filters.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads filters.
    pub(super) fn read(given: Option<Vec<model::Filter>>) -> Result<Self> {
        let mut filters = Vec::new();
        for filter in given.unwrap_or_default() {
            let name = filter.name.filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| missing("Filter.1.Name"))?;
            let values = filter.values.unwrap_or_default();
            if values.is_empty() {
                return Err(invalid(format!(
                    "The filter '{name}' is invalid: it has no value"
                )));
            }
            filters.push((name, values));
        }
        let count: usize = filters.iter().map(|(_, values)| values.len()).sum();
        if count > VALUES_MAX {
            return Err(invalid(format!(
                "The maximum number of filter values specified on a single call is {VALUES_MAX}"
            )));
        }
        Ok(Self(filters))
    }

    /// Whether a thing passes all filters. `of` tells what it has under a name.
    pub(super) fn pass(&self, of: impl Fn(&str) -> Values) -> Result<bool> {
        let mut passes = true;
        for (name, wanted) in &self.0 {
            let held = of(name).ok_or_else(|| invalid(format!("The filter '{name}' is invalid")))?;
            passes &= wanted
                .iter()
                .any(|pattern| held.iter().any(|value| matches(pattern, value)));
        }
        Ok(passes)
    }
}

/// What tags say under `tag:KEY`, `tag-key` and `tag-value`; `None` for other names.
pub(super) fn of_tags(name: &str, tags: &BTreeMap<String, String>) -> Values {
    if let Some(key) = name.strip_prefix("tag:") {
        return Some(tags.get(key).cloned().into_iter().collect());
    }
    match name {
        "tag-key" => Some(tags.keys().cloned().collect()),
        "tag-value" => Some(tags.values().cloned().collect()),
        _ => None,
    }
}

/// Whether a value is what a pattern says, in time that grows with the product of their lengths at the most.
pub(super) fn matches(pattern: &str, value: &str) -> bool {
    let pattern = read_pattern(pattern);
    let value: Vec<char> = value.chars().collect();
    let (mut at, mut place, mut star) = (0, 0, None);
    while let Some(character) = value.get(place) {
        match pattern.get(at) {
            Some(Part::Many) => {
                star = Some((at, place));
                at += 1;
            }
            Some(part) if part.is(*character) => {
                at += 1;
                place += 1;
            }
            _ => match star {
                Some((behind, from)) => {
                    star = Some((behind, from + 1));
                    at = behind + 1;
                    place = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|part| *part == Part::Many)
}

#[derive(PartialEq, Eq)]
enum Part {
    Many,
    Any,
    One(char),
}

impl Part {
    fn is(&self, character: char) -> bool {
        match self {
            Self::Many => false,
            Self::Any => true,
            Self::One(own) => *own == character,
        }
    }
}

/// A backslash takes the meaning off the character behind it.
fn read_pattern(text: &str) -> Vec<Part> {
    let mut characters = text.chars();
    let mut parts = Vec::new();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Many,
            '?' => Part::Any,
            '\\' => Part::One(characters.next().unwrap_or('\\')),
            other => Part::One(other),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks_stand_for_more() {
        for (pattern, value) in [
            ("*", ""),
            ("*", "anything"),
            ("i-?23", "i-123"),
            ("a*b*c", "axxbyyc"),
            ("\\*amazon\\?\\\\", "*amazon?\\"),
            ("", ""),
        ] {
            assert!(matches(pattern, value), "{pattern} {value}");
        }
        for (pattern, value) in [("", "x"), ("?", ""), ("a*b", "abc"), ("\\*", "x"), ("A", "a")] {
            assert!(!matches(pattern, value), "{pattern} {value}");
        }
        assert!(!matches(&"*a".repeat(100), &"a".repeat(99)));
    }
}
