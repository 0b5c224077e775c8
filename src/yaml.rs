//! How YAML that people write is read: the seed, and tests of policies.
//!
//! Invariant: aliases may save writing, and no more; what they expand to is bounded, and no error quotes the lines around.

/// The options of every reader of YAML here.
pub(crate) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 2000,
            max_anchors: 1000,
            max_depth: 32,
            flow_nesting_limit: 32,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 250_000, max_replay_stack_depth: 8 },
        // Account ids are digits that begin with zeros.
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        // A snippet would show the lines around, and secrets with them.
        with_snippet: false,
    }
}
