//! Which events a configuration names, and which keys its filter lets through.
//!
//! Source: S3 User Guide, "Configuring event notifications using object key name filtering".

use api::s3 as model;

/// Whether a configured type (`s3:ObjectCreated:*`) names an event (`ObjectCreated:Put`).
pub(crate) fn names(configured: &str, event: &str) -> bool {
    let configured = configured.strip_prefix("s3:").unwrap_or(configured);
    match configured.strip_suffix('*') {
        Some(head) => event.starts_with(head),
        None => configured == event,
    }
}

/// The value of a filter's rule. It is written as in a URL.
pub(crate) fn value(
    filter: Option<&model::NotificationConfigurationFilter>,
    name: model::FilterRuleName,
) -> String {
    let rules = filter
        .and_then(|filter| filter.key.as_ref())
        .and_then(|key| key.filter_rules.as_deref())
        .unwrap_or_default();
    let rule = rules.iter().find(|rule| rule.name == Some(name));
    let value = rule.and_then(|rule| rule.value.as_deref()).unwrap_or_default();
    decoded(value).unwrap_or_else(|| value.to_owned())
}

/// Whether a key begins and ends as a filter wants.
pub(crate) fn passes(filter: Option<&model::NotificationConfigurationFilter>, key: &str) -> bool {
    key.starts_with(&value(filter, model::FilterRuleName::Prefix))
        && key.ends_with(&value(filter, model::FilterRuleName::Suffix))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push(u8::try_from(high << 4 | low).ok()?);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_names_all_events_of_a_kind() {
        assert!(names("s3:ObjectCreated:*", "ObjectCreated:Put"));
        assert!(names("s3:ObjectCreated:Put", "ObjectCreated:Put"));
        assert!(!names("s3:ObjectCreated:Put", "ObjectCreated:Copy"));
        assert!(!names("s3:ObjectRemoved:*", "ObjectCreated:Put"));
        assert!(names("s3:LifecycleTransition", "LifecycleTransition"));
    }

    #[test]
    fn keys_pass_by_their_ends() {
        let rule = |name, value: &str| model::FilterRule {
            name: Some(name),
            value: Some(value.to_owned()),
        };
        let filter = model::NotificationConfigurationFilter {
            key: Some(model::S3KeyFilter {
                filter_rules: Some(vec![
                    rule(model::FilterRuleName::Prefix, "my+images/%C3%A4"),
                    rule(model::FilterRuleName::Suffix, ".jpg"),
                ]),
            }),
        };
        assert!(passes(Some(&filter), "my images/ä.jpg"));
        assert!(!passes(Some(&filter), "my images/a.jpg"));
        assert!(!passes(Some(&filter), "my images/ä.png"));
        assert!(passes(None, "anything"));
    }
}
