//! Services by the request's host, `<prefix>.<region>.amazonaws.com` or `<prefix>.localhost`.
//!
//! Invariant: the work is bounded, whatever the host: few labels are looked at.

use super::Catalog;

/// More labels than any AWS host has before its suffix.
const LABELS_MAX: usize = 8;

/// The services whose endpoint prefix occurs in the host, labels from the left, longer prefixes first. Empty if the
/// host tells nothing.
pub(super) fn services(host: &str, catalog: &dyn Catalog) -> &'static [&'static str] {
    let name = host
        .split_once(':')
        .map_or(host, |(name, _)| name)
        .trim_end_matches('.');
    if name.len() > 253
        || name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        || name.starts_with('[')
    {
        return &[];
    }
    let lower = name.to_ascii_lowercase();
    let mut starts = vec![0];
    starts.extend(lower.match_indices('.').map(|(at, _)| at + 1).take(LABELS_MAX));
    for (first, start) in starts.iter().enumerate() {
        // The end of a label is one before the start of the next.
        let ends = starts
            .iter()
            .skip(first + 1)
            .map(|next| next - 1)
            .take(2)
            .chain([lower.len()]);
        let mut ends: Vec<usize> = ends.take(3).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        for end in ends {
            let found = lower
                .get(*start..end)
                .map(|prefix| catalog.by_endpoint_prefix(prefix))
                .unwrap_or_default();
            if !found.is_empty() {
                return found;
            }
        }
    }
    &[]
}
