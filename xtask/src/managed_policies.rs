//! `cargo xtask managed-policies FILE`: AWS's managed policies in the compact form that `services/identity` embeds.
//!
//! `FILE` is JSON: name → Path, DefaultVersionId, CreateDate, UpdateDate, Document. Invariant: the same file gives the same
//! bytes, so that a rewrite shows only what AWS changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use serde::Deserialize;

use crate::models::{root, write};

/// A block ends with the policy that makes it this long: so much is unpacked for the sake of one policy.
const BLOCK_BYTES: usize = 48 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    path: String,
    default_version_id: String,
    create_date: String,
    update_date: String,
    document: serde_json::Value,
}

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let [file] = arguments else {
        return Err("managed-policies takes one file".into());
    };
    let text = fs::read(file).map_err(|e| format!("{file}: {e}"))?;
    let policies: BTreeMap<String, Given> =
        serde_json::from_slice(&text).map_err(|e| format!("{file}: {e}"))?;
    let (index, texts) = pack(&policies)?;
    let folder = root().join("services/identity/data");
    write(&folder.join("managed-policies.tsv"), index.as_bytes())?;
    write(&folder.join("managed-policies.bin"), &texts)
}

/// The index, a line a policy in byte order of the names, and the blocks: their number, the end of each counted from the
/// first (32 bits, little endian), then the blocks themselves, each a gzip stream of documents.
fn pack(policies: &BTreeMap<String, Given>) -> Result<(String, Vec<u8>), String> {
    let (mut index, mut ends, mut blocks, mut open) = (String::new(), Vec::new(), Vec::new(), String::new());
    for (name, policy) in policies {
        let document = serde_json::to_string(&policy.document).map_err(|e| format!("{name}: {e}"))?;
        let fields = [
            name,
            &policy.path,
            &policy.default_version_id,
            &policy.create_date,
            &policy.update_date,
        ];
        if fields.iter().any(|field| field.contains(['\t', '\n'])) {
            return Err(format!("{name} holds a tab or a line end"));
        }
        let (block, at) = (ends.len(), open.len());
        let (created, updated) = (moment(&policy.create_date)?, moment(&policy.update_date)?);
        let _ = writeln!(
            index,
            "{name}\t{}\t{}\t{created}\t{updated}\t{block}\t{at}\t{}",
            policy.path,
            policy.default_version_id,
            document.len()
        );
        open.push_str(&document);
        if open.len() >= BLOCK_BYTES {
            close(&mut open, &mut blocks, &mut ends)?;
        }
    }
    if !open.is_empty() {
        close(&mut open, &mut blocks, &mut ends)?;
    }
    let mut texts = Vec::with_capacity(blocks.len() + 4 * ends.len() + 4);
    for number in std::iter::once(ends.len()).chain(ends.iter().copied()) {
        let number = u32::try_from(number).map_err(|_| "the blocks are too long")?;
        texts.extend_from_slice(&number.to_le_bytes());
    }
    texts.extend_from_slice(&blocks);
    Ok((index, texts))
}

fn close(open: &mut String, blocks: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), String> {
    // No time and no name in the header: they would make every run differ.
    let mut writer = GzBuilder::new().mtime(0).write(&mut *blocks, Compression::best());
    writer.write_all(open.as_bytes()).map_err(|e| e.to_string())?;
    writer.finish().map_err(|e| e.to_string())?;
    ends.push(blocks.len());
    open.clear();
    Ok(())
}

/// Seconds since the epoch of `2015-02-06T18:39:46+00:00`.
fn moment(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text} is not a UTC time");
    let plain = text
        .strip_suffix("+00:00")
        .or_else(|| text.strip_suffix('Z'))
        .ok_or_else(wrong)?;
    let numbers: Result<Vec<i64>, _> = plain.split(['-', 'T', ':']).map(str::parse).collect();
    let numbers = numbers.map_err(|_| wrong())?;
    let &[year, month, day, hour, minute, second] = numbers.as_slice() else {
        return Err(wrong());
    };
    // Days in the proleptic Gregorian calendar, with years that begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * months + 2) / 5 + day - 1 - 719_468;
    Ok(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies() -> BTreeMap<String, Given> {
        let one = |statement: &str| Given {
            path: "/".to_owned(),
            default_version_id: "v3".to_owned(),
            create_date: "2015-02-06T18:39:46+00:00".to_owned(),
            update_date: "2024-02-29T00:00:01+00:00".to_owned(),
            document: serde_json::json!({"Version": "2012-10-17", "Statement": statement.repeat(30_000)}),
        };
        ["a", "b", "c"]
            .into_iter()
            .map(|name| (name.to_owned(), one(name)))
            .collect()
    }

    #[test]
    fn moments_are_counted_from_the_epoch() {
        assert_eq!(moment("1970-01-01T00:00:00+00:00"), Ok(0));
        assert_eq!(moment("2015-02-06T18:39:46+00:00"), Ok(1_423_247_986));
        assert_eq!(moment("2024-02-29T00:00:01Z"), Ok(1_709_164_801));
        assert!(moment("2024-02-29").is_err());
    }

    #[test]
    fn packing_is_repeatable_and_fills_blocks() {
        let (index, texts) = pack(&policies()).unwrap();
        assert_eq!(pack(&policies()).unwrap(), (index.clone(), texts.clone()));
        let lines: Vec<&str> = index.lines().collect();
        assert_eq!(lines[0], "a\t/\tv3\t1423247986\t1709164801\t0\t0\t30039");
        assert_eq!(lines[1], "b\t/\tv3\t1423247986\t1709164801\t0\t30039\t30039");
        assert_eq!(lines[2], "c\t/\tv3\t1423247986\t1709164801\t1\t0\t30039");
        assert_eq!(texts[..4], 2_u32.to_le_bytes());
    }
}
