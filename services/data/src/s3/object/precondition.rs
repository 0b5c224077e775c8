//! Conditional requests: `If-Match` and its kin for reads, copies and writes (RFC 9110, section 13; S3 User Guide, "Conditional
//! requests").
//!
//! Invariant: entity tags come before dates, and a condition that must hold before one that must not.

use wire::Timestamp;

/// What conditions are held against: the object as it is.
#[derive(Clone, Copy)]
pub(crate) struct State<'a> {
    /// Without quotes.
    pub(crate) etag: &'a str,
    pub(crate) modified: Timestamp,
}

/// The conditions of a read, or of a copy's source.
#[derive(Clone, Copy, Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) matches: Option<&'a str>,
    pub(crate) none_match: Option<&'a str>,
    pub(crate) modified_since: Option<Timestamp>,
    pub(crate) unmodified_since: Option<Timestamp>,
}

/// What becomes of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Proceed,
    /// 304
    NotModified,
    /// 412, with the header that failed.
    Failed(&'static str),
}

impl Conditions<'_> {
    /// Holds the conditions against an object. A dated condition counts only where the tag of its side is absent.
    pub(crate) fn judge(&self, state: State<'_>) -> Verdict {
        let whole = |at: Timestamp| at.seconds();
        match (self.matches, self.unmodified_since) {
            (Some(tags), _) if !names(tags, state.etag) => return Verdict::Failed("If-Match"),
            (None, Some(since)) if whole(state.modified) > whole(since) => {
                return Verdict::Failed("If-Unmodified-Since");
            }
            _ => {}
        }
        match (self.none_match, self.modified_since) {
            (Some(tags), _) if names(tags, state.etag) => Verdict::NotModified,
            (None, Some(since)) if whole(state.modified) <= whole(since) => Verdict::NotModified,
            _ => Verdict::Proceed,
        }
    }
}

/// Whether a list of entity tags names this one; `*` names every one.
pub(crate) fn names(tags: &str, etag: &str) -> bool {
    tags.split(',').map(bare).any(|tag| tag == "*" || tag == etag)
}

/// An entity tag without its quotes and its mark of weakness.
pub(crate) fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATE: State<'static> = State {
        etag: "abc",
        modified: Timestamp(10_500),
    };
    const EARLIER: Option<Timestamp> = Some(Timestamp(9_000));
    const SAME: Option<Timestamp> = Some(Timestamp(10_000));

    fn check(
        matches: Option<&str>,
        unmodified_since: Option<Timestamp>,
        none_match: Option<&str>,
        modified_since: Option<Timestamp>,
    ) -> Verdict {
        let conditions = Conditions {
            matches,
            none_match,
            modified_since,
            unmodified_since,
        };
        conditions.judge(STATE)
    }

    #[test]
    fn tags_must_match_or_must_not() {
        assert_eq!(check(Some("\"abc\""), None, None, None), Verdict::Proceed);
        assert_eq!(check(Some("*"), None, None, None), Verdict::Proceed);
        assert_eq!(check(Some("\"x\", \"abc\""), None, None, None), Verdict::Proceed);
        assert_eq!(
            check(Some("\"x\""), None, None, None),
            Verdict::Failed("If-Match")
        );
        assert_eq!(check(None, None, Some("abc"), None), Verdict::NotModified);
        assert_eq!(check(None, None, Some("W/\"abc\""), None), Verdict::NotModified);
        assert_eq!(check(None, None, Some("\"x\""), None), Verdict::Proceed);
    }

    #[test]
    fn dates_count_in_whole_seconds() {
        assert_eq!(check(None, SAME, None, None), Verdict::Proceed);
        assert_eq!(
            check(None, EARLIER, None, None),
            Verdict::Failed("If-Unmodified-Since")
        );
        assert_eq!(check(None, None, None, SAME), Verdict::NotModified);
        assert_eq!(check(None, None, None, EARLIER), Verdict::Proceed);
    }

    /// GetObject: a tag that matches outweighs a date that fails, and a tag that differs one that would hold.
    #[test]
    fn tags_come_before_dates() {
        assert_eq!(check(Some("abc"), EARLIER, None, None), Verdict::Proceed);
        assert_eq!(check(None, None, Some("abc"), EARLIER), Verdict::NotModified);
        assert_eq!(check(None, None, Some("x"), SAME), Verdict::Proceed);
    }
}
