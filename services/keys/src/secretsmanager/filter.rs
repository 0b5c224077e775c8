//! Filters of lists: by prefix, by words, and their negation (Secrets Manager User Guide, "Find secrets in AWS Secrets Manager").
//!
//! Invariant: a secret is listed if every filter accepts it; a filter accepts what one of its values matches, unless one of its
//! negated values does.

use api::secretsmanager as model;
use api::secretsmanager::fault::invalid_parameter_exception;
use pipeline::Result;

use super::secret::Secret;

type Key = model::FilterNameStringType;

/// The filters of a request.
pub(crate) struct Filters(Vec<(Key, Vec<String>)>);

impl Filters {
    /// Reads them; a filter needs a key and values.
    pub(crate) fn read(filters: Option<Vec<model::Filter>>) -> Result<Self> {
        let read = filters.unwrap_or_default().into_iter().map(|filter| {
            let key = filter
                .key
                .ok_or_else(|| invalid_parameter_exception("Invalid filter key"))?;
            let values = filter
                .values
                .ok_or_else(|| invalid_parameter_exception("Invalid filter values"))?;
            Ok((key, values))
        });
        read.collect::<Result<_>>().map(Self)
    }

    /// What tells lists apart.
    pub(crate) fn told(&self) -> String {
        let told = self
            .0
            .iter()
            .map(|(key, values)| format!("{}={values:?}", key.as_str()));
        told.collect::<Vec<_>>().join("&")
    }

    pub(crate) fn accept(&self, secret: &Secret) -> bool {
        self.0.iter().all(|(key, values)| {
            let negated = values.iter().filter_map(|value| value.strip_prefix('!'));
            let plain: Vec<&String> = values.iter().filter(|value| !value.starts_with('!')).collect();
            let excluded = negated.into_iter().any(|value| matches(*key, value, secret));
            !excluded && (plain.is_empty() || plain.into_iter().any(|value| matches(*key, value, secret)))
        })
    }
}

fn matches(key: Key, value: &str, secret: &Secret) -> bool {
    let starts = |text: &str| text.starts_with(value);
    let description = secret.description.as_deref().unwrap_or_default();
    match key {
        Key::Name => starts(&secret.name),
        Key::TagKey => secret.tags.keys().any(|key| starts(key)),
        Key::TagValue => secret.tags.values().any(|value| starts(value)),
        Key::PrimaryRegion => starts(secret.shown_primary().as_ref().unwrap_or(&secret.region)),
        Key::OwningService => secret.owner.as_deref().is_some_and(starts),
        Key::Description => words(value).all(|word| has_word(description, &word)),
        Key::All => words(value).all(|word| {
            let tags = secret.tags.iter().flat_map(|(key, value)| [key.as_str(), value]);
            let mut texts = [secret.name.as_str(), description].into_iter().chain(tags);
            texts.any(|text| has_word(text, &word))
        }),
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|letter: char| !letter.is_alphanumeric());
    parts
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

fn has_word(text: &str, wanted: &str) -> bool {
    words(text).any(|word| word.starts_with(wanted))
}
