//! Credentials that were left in files: the check of an image before it is shared (S3.12, S35.7).
//!
//! A file is read once, as a stream, through a window of bounded size. What has a published form is found in any file, binary ones
//! too; what only its place tells (password hashes, login keys, histories) is found by the file's path. Sources: EC2 User Guide,
//! "Recommendations for creating shared Linux AMIs" and "Best practices for building AMIs"; the issuers' pages on their tokens.
//!
//! Not looked into: archives, compressed files and databases, and text in other than single-byte or UTF-8 characters.
//!
//! Invariant: no finding holds any part of a secret; what it shows of one is its published prefix and its length.

mod entropy;
mod pem;
mod place;
mod rule;
mod stream;
mod token;

use std::io::{self, Read};

use serde::Serialize;

pub use rule::{RULES, Rule, Severity, Side};

/// Bytes of one file that are read; of a larger one the rest is not looked at, and the report says so.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Findings of one file.
pub const FINDINGS_MAX: usize = 64;

/// A file of a disk.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// From the root of the disk, with or without the slash.
    pub path: &'a str,
    /// In bytes.
    pub size: u64,
}

/// What was found in one place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// `aws-access-key`
    pub rule: &'static str,
    pub severity: Severity,
    /// Who must mend it (S37.5).
    pub responsibility: Side,
    pub path: String,
    /// From 1; none in a binary file.
    pub line: Option<u64>,
    /// In bytes, from the file's start.
    pub offset: u64,
    /// What it is, without any part of the secret.
    pub excerpt: String,
    pub advice: &'static str,
    /// The id of an AWS access key, which is no secret: whether it is alive can be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
}

/// What one file holds.
#[derive(Clone, Default, Debug)]
pub struct Report {
    /// In the order of their places.
    pub findings: Vec<Finding>,
    /// Bytes that were read.
    pub read: u64,
    /// Whether something was left out: bytes past the bound, or findings past theirs.
    pub cut: bool,
}

/// Files of a disk that are named for not having been read whole.
const CUT_MAX: usize = 100;
/// Findings of one disk.
pub const DISK_FINDINGS_MAX: usize = 10_000;

/// What a whole disk holds.
#[derive(Clone, Default, Debug, Serialize)]
pub struct DiskReport {
    /// In the order of the disk's files.
    pub findings: Vec<Finding>,
    /// Regular files that were looked at.
    pub files: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Paths of files of which something was left out, the first of them.
    pub cut: Vec<String>,
    /// Whether findings were left out, because there are too many.
    pub more: bool,
}

/// Reads a disk, which comes as a tar, and tells what its files hold.
///
/// # Errors
/// Those of the content itself, and `InvalidData` for what is no tar.
pub fn scan_disk(tar: impl Read) -> io::Result<DiskReport> {
    let mut whole = DiskReport::default();
    crate::disk::files(tar, |file, content| {
        let report = scan(file, content)?;
        whole.files += 1;
        whole.bytes += report.read;
        if report.cut && whole.cut.len() < CUT_MAX {
            whole.cut.push(file.path.to_owned());
        }
        let room = DISK_FINDINGS_MAX.saturating_sub(whole.findings.len());
        whole.more |= report.findings.len() > room;
        whole.findings.extend(report.findings.into_iter().take(room));
        Ok(())
    })?;
    Ok(whole)
}

/// A finding without what the stream knows of its place.
struct Sighting {
    rule: &'static Rule,
    /// In the window, or in the text of a whole small file.
    at: usize,
    excerpt: String,
    access_key_id: Option<String>,
    /// As severe as this at most: a private key that is encrypted.
    at_most: Severity,
}

impl Sighting {
    fn new(rule: &'static Rule, at: usize, excerpt: impl Into<String>) -> Self {
        Self {
            rule,
            at,
            excerpt: excerpt.into(),
            access_key_id: None,
            at_most: Severity::Critical,
        }
    }
}

/// Reads a file and tells what it holds.
///
/// # Errors
/// Those of the content itself.
pub fn scan(file: File<'_>, content: impl Read) -> io::Result<Report> {
    let kind = place::Kind::of(file.path);
    let specimen = place::is_specimen(file.path);
    let mut report = Report {
        cut: file.size > FILE_BYTES_MAX,
        ..Report::default()
    };
    let mut windows = stream::Windows::new(content.take(FILE_BYTES_MAX), kind.is_some());
    while windows.advance()? {
        let mut sightings = token::sightings(windows.bytes());
        sightings.extend(pem::sightings(windows.bytes()));
        sightings.retain(|sighting| windows.owns(sighting.at));
        sightings.sort_by_key(|sighting| sighting.at);
        for sighting in sightings {
            let (offset, line) = windows.place(sighting.at);
            report.push(file.path, specimen, (offset, line), sighting);
        }
    }
    if let Some(kind) = kind {
        for sighting in kind.sightings(windows.head()) {
            let line = stream::line(windows.head(), sighting.at);
            let offset = u64::try_from(sighting.at).unwrap_or(u64::MAX);
            report.push(file.path, specimen, (offset, Some(line)), sighting);
        }
        report.findings.sort_by_key(|finding| finding.offset);
    }
    report.read = windows.read();
    Ok(report)
}

impl Report {
    fn push(&mut self, path: &str, specimen: bool, (offset, line): (u64, Option<u64>), sighting: Sighting) {
        // One secret that two rules see is told once, by the rule that came first.
        let same = |finding: &Finding| finding.line.is_some() && finding.line == line;
        if self
            .findings
            .iter()
            .any(|finding| same(finding) && sighting.rule.yields)
        {
            return;
        }
        if self.findings.len() >= FINDINGS_MAX {
            self.cut = true;
            return;
        }
        let severity = sighting.rule.severity.min(sighting.at_most);
        self.findings.push(Finding {
            rule: sighting.rule.id,
            severity: if specimen { Severity::Low } else { severity },
            responsibility: sighting.rule.side,
            path: path.to_owned(),
            line,
            offset,
            excerpt: sighting.excerpt,
            advice: sighting.rule.advice,
            access_key_id: sighting.access_key_id,
        });
    }
}
