//! AWS's own managed policies, as data in the program (S1.17): an index that is searched in place, and packed documents.
//!
//! Invariant: listing unpacks nothing, and one document unpacks one block. See `data/README.md` for the form and the source.

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use flate2::read::GzDecoder;
use foldhash::quality::RandomState;
use policy::{Attached, Policy, PolicyKind};
use wire::Fault;

static INDEX: &str = include_str!("../../../data/managed-policies.tsv");
static TEXTS: &[u8] = include_bytes!("../../../data/managed-policies.bin");

/// How every ARN of these policies begins, before the path.
pub(crate) const PREFIX: &str = "arn:aws:iam::aws:policy";
/// Document bytes that stay parsed.
const PARSED_BYTES_MAX: usize = 512 * 1024;

/// What the index says of a policy.
#[derive(Clone, Copy)]
pub struct Entry {
    pub(crate) name: &'static str,
    /// `/`, `/job-function/`, …
    pub(crate) path: &'static str,
    /// `v3`
    pub(crate) version: &'static str,
    /// Seconds since the epoch.
    pub(crate) created: i64,
    /// Seconds since the epoch.
    pub(crate) updated: i64,
    block: usize,
    at: usize,
    length: usize,
}

/// Every policy, in the byte order of the names.
pub(crate) fn all() -> impl Iterator<Item = Entry> {
    INDEX.lines().filter_map(Entry::read)
}

/// The policy that bears this ARN.
pub(crate) fn by_arn(arn: &str) -> Option<Entry> {
    let path_and_name = arn.strip_prefix(PREFIX)?;
    let (_, name) = path_and_name.rsplit_once('/')?;
    by_name(name).filter(|entry| path_and_name.strip_suffix(name) == Some(entry.path))
}

/// Halves the index, which is ASCII, until one line is left.
fn by_name(name: &str) -> Option<Entry> {
    let (mut low, mut high) = (0, INDEX.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = INDEX
            .get(low..middle)?
            .rfind('\n')
            .map_or(low, |end| low + end + 1);
        let line = INDEX.get(start..)?.lines().next()?;
        let (found, _) = line.split_once('\t')?;
        match found.cmp(name) {
            Ordering::Equal => return Entry::read(line),
            Ordering::Less => low = start + line.len() + 1,
            Ordering::Greater => high = start,
        }
    }
    None
}

impl Entry {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            name: fields.next()?,
            path: fields.next()?,
            version: fields.next()?,
            created: fields.next()?.parse().ok()?,
            updated: fields.next()?.parse().ok()?,
            block: fields.next()?.parse().ok()?,
            at: fields.next()?.parse().ok()?,
            length: fields.next()?.parse().ok()?,
        })
    }

    pub(crate) fn arn(&self) -> String {
        format!("{PREFIX}{}{}", self.path, self.name)
    }

    /// The unique id, always the same one: letters and digits drawn from the ARN.
    pub(crate) fn id(&self) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let digest = crypto::digest::sha256(self.arn().as_bytes());
        let drawn = digest
            .iter()
            .take(17)
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
        format!(
            "ANPA{}",
            drawn.map(|letter| char::from(*letter)).collect::<String>()
        )
    }

    /// The document of the default version.
    pub(crate) fn text(&self) -> Result<String, Fault> {
        let broken = || Fault::internal(format!("the document of {} is not in its place", self.name));
        let mut unpacked = Vec::new();
        let packed = block(self.block).ok_or_else(broken)?;
        GzDecoder::new(packed)
            .read_to_end(&mut unpacked)
            .map_err(Fault::internal)?;
        let document = unpacked
            .get(self.at..)
            .and_then(|rest| rest.get(..self.length))
            .ok_or_else(broken)?;
        String::from_utf8(document.to_vec()).map_err(Fault::internal)
    }
}

/// The policy of an ARN as the evaluator takes it, and the ARN as decisions name it; kept for the next time. Hot: what is kept
/// is found without a look at the index, and nothing is copied.
pub(crate) fn parsed(arn: &str) -> Result<Option<Attached>, Fault> {
    let held = PARSED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = held.policies.get(arn) {
        return Ok(Some(kept.clone()));
    }
    drop(held);
    let Some(entry) = by_arn(arn) else { return Ok(None) };
    let policy = Policy::parse(&entry.text()?, PolicyKind::Identity).map_err(Fault::internal)?;
    let kept = Attached::new(Arc::new(policy), arn);
    PARSED
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .keep(entry.length, &kept);
    Ok(Some(kept))
}

static PARSED: LazyLock<RwLock<Parsed>> = LazyLock::new(RwLock::default);

/// The policies that were asked for last, bounded by the length of their documents.
#[derive(Default)]
struct Parsed {
    policies: HashMap<Arc<str>, Attached, RandomState>,
    /// In the order in which they came, with their lengths.
    order: VecDeque<(Arc<str>, usize)>,
    bytes: usize,
}

impl Parsed {
    fn keep(&mut self, length: usize, kept: &Attached) {
        let arn = &kept.origin;
        if self.policies.insert(Arc::clone(arn), kept.clone()).is_some() {
            return;
        }
        self.order.push_back((Arc::clone(arn), length));
        self.bytes += length;
        while self.bytes > PARSED_BYTES_MAX {
            let Some((oldest, length)) = self.order.pop_front() else {
                return;
            };
            self.policies.remove(&oldest);
            self.bytes -= length;
        }
    }
}

/// The packed bytes of a block.
fn block(number: usize) -> Option<&'static [u8]> {
    let blocks = word(0)?;
    let begin = 4 * (blocks + 1);
    let start = if number == 0 { 0 } else { word(number)? };
    let end = word(number + 1).filter(|_| number < blocks)?;
    TEXTS.get(begin + start..begin + end)
}

fn word(at: usize) -> Option<usize> {
    let bytes: [u8; 4] = TEXTS.get(4 * at..4 * at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S1.17: every managed policy of AWS is found by its ARN, and its document is one that decisions can be made of.
    #[test]
    fn every_policy_is_found_and_parses() {
        let mut count = 0;
        for entry in all() {
            let found = by_arn(&entry.arn()).unwrap();
            assert_eq!(
                (found.name, found.block, found.at),
                (entry.name, entry.block, entry.at)
            );
            let text = entry.text().ok().unwrap();
            if let Err(error) = Policy::parse(&text, PolicyKind::Identity) {
                panic!("{}: {}", entry.name, error.located());
            }
            count += 1;
        }
        assert_eq!(count, 1582);
    }

    #[test]
    fn only_the_exact_arn_finds() {
        assert!(by_arn("arn:aws:iam::aws:policy/AdministratorAccess").is_some());
        assert!(by_arn("arn:aws:iam::aws:policy/job-function/Billing").is_some());
        for arn in [
            "",
            "/Billing",
            "/administratoraccess",
            "/job-function/AdministratorAccess",
            "/0",
            "/zzzz",
            "/",
        ] {
            assert!(by_arn(&format!("{PREFIX}{arn}")).is_none(), "{arn}");
        }
        assert!(by_arn("arn:aws:iam::123456789012:policy/AdministratorAccess").is_none());
    }

    #[test]
    fn parsed_policies_are_kept_within_their_bound() {
        for entry in all().take(400) {
            assert!(parsed(&entry.arn()).is_ok_and(|kept| kept.is_some()));
        }
        let held = PARSED.read().unwrap();
        assert!(held.bytes <= PARSED_BYTES_MAX);
        assert_eq!(held.policies.len(), held.order.len());
        assert_eq!(
            held.bytes,
            held.order.iter().map(|(_, length)| length).sum::<usize>()
        );
    }
}
