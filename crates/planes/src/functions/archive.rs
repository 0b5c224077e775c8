//! Unpacking the code of functions and their layers, which anybody may have packed.
//!
//! Invariant: nothing is written or linked outside the given folder, and no more than `UNPACKED_MAX` bytes, `ENTRIES_MAX` entries and
//! `DEPTH_MAX` folders deep. What is unpacked cannot be written to by its mode.
//!
//! Source: Lambda Developer Guide, "Lambda quotas" (deployment package, unzipped).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use wire::zip::{Archive, Error, Kind};

/// Bytes of all files together: 250 MiB.
const UNPACKED_MAX: u64 = 262_144_000;
/// Files, folders and links of an archive. Stops archives from using up the file system's entries.
const ENTRIES_MAX: usize = 100_000;
/// Folders inside one another.
const DEPTH_MAX: usize = 64;
/// Octets of a name, and of one part of it: what file systems take, with room for the folder's own name.
const NAME_MAX: usize = 2048;
const PART_MAX: usize = 255;
/// Bytes that no link's target has: a path ends before them.
const LINK_END: u64 = 4096;

/// Why an archive is not unpacked: the archive's fault, in a sentence, or the disk's.
#[derive(Debug)]
pub(super) enum Refused {
    Archive(String),
    Disk(io::Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Archive(match error {
            Error::Entries(most) => format!("The archive has more than {most} entries."),
            other => format!("The archive cannot be read: {other}"),
        })
    }
}

fn refuse<T>(sentence: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::Archive(sentence.into()))
}

/// Unpacks `zips` into `folder`, which exists and is empty: each over those before it.
pub(super) fn unpack(zips: &[Bytes], folder: &Path) -> Result<(), Refused> {
    unpack_within(zips, folder, UNPACKED_MAX)
}

fn unpack_within(zips: &[impl AsRef<[u8]>], folder: &Path, bytes_max: u64) -> Result<(), Refused> {
    let mut left = bytes_max;
    let mut folders = BTreeSet::new();
    let mut links = Vec::new();
    for (number, zip) in zips.iter().enumerate() {
        // What one before it has goes where this one has something else.
        let mut under: BTreeMap<PathBuf, String> = links.drain(..).collect();
        let archive = Archive::read(zip.as_ref(), ENTRIES_MAX)?;
        for entry in archive.entries() {
            let path = safe_path(entry.name)?;
            if path.as_os_str().is_empty() {
                continue;
            }
            if !under.is_empty() {
                for place in path.ancestors() {
                    under.remove(place);
                }
            }
            match entry.kind {
                Kind::Folder => make_folders(folder, &path, &mut folders)?,
                Kind::Link => {
                    if number > 0 {
                        // A folder stays, and then the link is refused.
                        let _ = fs::remove_file(folder.join(&path));
                    }
                    links.push((path.clone(), target_of(archive.content(entry)?, &path)?));
                }
                Kind::File => {
                    if let Some(parent) = path.parent() {
                        make_folders(folder, parent, &mut folders)?;
                    }
                    let content = archive.content(entry)?;
                    left -= write(content, &folder.join(&path), entry.executable, left)?;
                }
            }
        }
        links.extend(under);
    }
    // Links come last, so that nothing is written through one.
    for (path, target) in &links {
        link(folder, path, target, &mut folders)?;
    }
    stay_inside(folder, links.iter().map(|(path, _)| path))?;
    seal_folders(folder, &folders).map_err(Refused::Disk)
}

/// Where a link leads.
fn target_of(content: impl Read, path: &Path) -> Result<String, Refused> {
    let mut target = String::new();
    let read = content.take(LINK_END).read_to_string(&mut target);
    match read {
        Ok(bytes) if bytes > 0 && (bytes as u64) < LINK_END => Ok(target),
        _ => refuse(format!(
            "The target of the link {} cannot be read.",
            path.display()
        )),
    }
}

/// An entry's name as a path below the folder.
fn safe_path(name: &str) -> Result<PathBuf, Refused> {
    let mut safe = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => safe.push(part),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return refuse(format!("The entry {name:?} does not lie inside the archive."));
            }
        }
    }
    if name.contains(['\0', '\\']) {
        return refuse(format!("The entry {name:?} has a name that is not portable."));
    }
    if safe.components().count() > DEPTH_MAX {
        return refuse(format!("The entry {name:?} lies too deep."));
    }
    if name.len() > NAME_MAX || safe.iter().any(|part| part.len() > PART_MAX) {
        return refuse(format!(
            "An entry has a name of more than {NAME_MAX} octets, or {PART_MAX} in one part."
        ));
    }
    Ok(safe)
}

fn make_folders(folder: &Path, path: &Path, made: &mut BTreeSet<PathBuf>) -> Result<(), Refused> {
    if path.as_os_str().is_empty() || made.contains(path) {
        return Ok(());
    }
    if made.len() >= ENTRIES_MAX {
        return refuse(format!("The archive has more than {ENTRIES_MAX} folders."));
    }
    if let Some(parent) = path.parent() {
        make_folders(folder, parent, made)?;
    }
    match DirBuilder::new().mode(0o755).create(folder.join(path)) {
        Ok(()) => {
            made.insert(path.to_owned());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refuse(format!(
            "The archive has a file and a folder with the name {}.",
            path.display()
        )),
        Err(error) => Err(Refused::Disk(error)),
    }
}

/// Writes one file, of at most `left` bytes; a later entry of the same name takes the place of an earlier. Tells the bytes.
fn write(entry: impl Read, path: &Path, executable: bool, left: u64) -> Result<u64, Refused> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => {
            return refuse(format!(
                "The archive has a file and a folder with the name {}.",
                path.display()
            ));
        }
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(Refused::Disk)?;
    // One byte more than may be tells that there is more, whatever the archive says of its sizes.
    let mut bounded = entry.take(left.saturating_add(1));
    let written = io::copy(&mut bounded, &mut file).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Refused::Disk(error),
        _ => Refused::Archive(format!("An entry of the archive cannot be unpacked: {error}.")),
    })?;
    if written > left {
        return refuse(format!("Unzipped size must be smaller than {UNPACKED_MAX} bytes"));
    }
    let mode = if executable { 0o555 } else { 0o444 };
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(Refused::Disk)?;
    Ok(written)
}

fn link(folder: &Path, path: &Path, target: &str, folders: &mut BTreeSet<PathBuf>) -> Result<(), Refused> {
    let outside = || refuse(format!("The link {} leads outside the archive.", path.display()));
    let mut depth = path.components().count().saturating_sub(1);
    for component in Path::new(target).components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return outside(),
        }
    }
    if let Some(parent) = path.parent() {
        make_folders(folder, parent, folders)?;
    }
    symlink(target, folder.join(path)).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::InvalidInput => {
            Refused::Archive(format!("The link {} cannot be made: {error}.", path.display()))
        }
        _ => Refused::Disk(error),
    })
}

/// Follows every link as the system would: a chain of links can lead where each alone does not.
fn stay_inside<'a>(folder: &Path, links: impl Iterator<Item = &'a PathBuf>) -> Result<(), Refused> {
    let root = folder.canonicalize().map_err(Refused::Disk)?;
    for path in links {
        if folder
            .join(path)
            .canonicalize()
            .is_ok_and(|real| !real.starts_with(&root))
        {
            return refuse(format!("The link {} leads outside the archive.", path.display()));
        }
    }
    Ok(())
}

fn seal_folders(folder: &Path, folders: &BTreeSet<PathBuf>) -> io::Result<()> {
    for path in folders.iter().rev() {
        fs::set_permissions(folder.join(path), Permissions::from_mode(0o555))?;
    }
    fs::set_permissions(folder, Permissions::from_mode(0o555))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jail::remove;
    use proptest::prelude::*;
    use std::io::{Cursor, Write as _};
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// An entry: its name, what it is, and its content or target.
    #[derive(Clone, Debug)]
    enum Entry {
        File(String, Vec<u8>),
        Folder(String),
        Link(String, String),
    }

    fn packed(entries: &[Entry]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        for entry in entries {
            let _ = match entry {
                Entry::File(name, content) => zip
                    .start_file(name.as_str(), options.unix_permissions(0o755))
                    .and_then(|()| zip.write_all(content).map_err(Into::into)),
                Entry::Folder(name) => zip.add_directory(name.as_str(), options),
                Entry::Link(name, target) => zip.add_symlink(name.as_str(), target.as_str(), options),
            };
        }
        zip.finish().unwrap().into_inner()
    }

    fn unpacked(entries: &[Entry]) -> (tempfile::TempDir, Result<(), Refused>) {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        fs::create_dir(&code).unwrap();
        let result = unpack_within(&[packed(entries)], &code, 1 << 20);
        (folder, result)
    }

    fn file(name: &str, content: &str) -> Entry {
        Entry::File(name.to_owned(), content.as_bytes().to_vec())
    }

    fn link_to(name: &str, target: &str) -> Entry {
        Entry::Link(name.to_owned(), target.to_owned())
    }

    #[test]
    fn code_is_unpacked_read_only() {
        let (folder, result) = unpacked(&[
            file("a/b/index.py", "x = 1"),
            file("index.py", "first"),
            link_to("a/link.py", "../index.py"),
        ]);
        result.unwrap();
        let code = folder.path().join("code");
        assert_eq!(fs::read_to_string(code.join("a/b/index.py")).unwrap(), "x = 1");
        assert_eq!(fs::read_to_string(code.join("a/link.py")).unwrap(), "first");
        for path in ["a", "a/b", "index.py"] {
            let mode = code.join(path).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o555, "{path}");
        }
        remove(&code).unwrap();
        assert!(!code.exists());
    }

    #[test]
    fn one_archive_lies_over_another() {
        let below = [
            file("python/a.py", "below"),
            file("python/b.py", "below"),
            link_to("l", "python"),
            link_to("m", "python/a.py"),
            file("n", "below all"),
        ];
        let above = [
            file("python/a.py", "above"),
            file("l/own", "above"),
            link_to("m", "python/b.py"),
            link_to("n", "python/b.py"),
        ];
        let folder = tempfile::tempdir().unwrap();
        unpack_within(&[packed(&below), packed(&above)], folder.path(), 1 << 20).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("python/a.py"), "above");
        assert_eq!(read("python/b.py"), "below");
        assert_eq!(read("l/own"), "above");
        assert_eq!((read("m"), read("n")), ("below".to_owned(), "below".to_owned()));
        assert!(!folder.path().join("python/own").exists());
        remove(folder.path()).unwrap();
        // All of them together are bounded, and none leads outside with the help of another.
        let half = Entry::File("a".to_owned(), vec![0; (1 << 19) + 1]);
        let other = Entry::File("b".to_owned(), vec![0; 1 << 19]);
        for pair in [
            [packed(&[half]), packed(&[other])],
            [packed(&[link_to("d/a", "..")]), packed(&[link_to("b", "d/a/..")])],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let refused = unpack_within(&pair, folder.path(), 1 << 20);
            assert!(matches!(refused, Err(Refused::Archive(_))), "{refused:?}");
        }
    }

    #[test]
    fn archives_that_reach_outside_are_refused() {
        let cases: &[&[Entry]] = &[
            &[file("../evil", "")],
            &[file("a/../../evil", "")],
            &[file("/evil", "")],
            &[link_to("a", "/etc")],
            &[link_to("a", "../code2")],
            &[link_to("d/a", "../.."), file("d/x", "")],
            &[link_to("d/a", ".."), link_to("b", "d/a/.."), file("d/x", "")],
            &[link_to("a", "d"), file("a/x", "")],
            &[file("a", ""), file("a/b", "")],
            &[file("a/b", ""), file("a", "")],
        ];
        for entries in cases {
            let (folder, result) = unpacked(entries);
            assert!(matches!(result, Err(Refused::Archive(_))), "{entries:?}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{entries:?}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let (_folder, result) = unpacked(&[Entry::File("a".to_owned(), vec![0; (1 << 20) + 1])]);
        assert!(matches!(result, Err(Refused::Archive(sentence)) if sentence.contains("Unzipped size")));
        let (_folder, result) = unpacked(&[Entry::File("a".to_owned(), vec![0; 1 << 20])]);
        result.unwrap();
        let deep = "d/".repeat(DEPTH_MAX + 1);
        let (_folder, result) = unpacked(&[Entry::Folder(deep)]);
        assert!(matches!(result, Err(Refused::Archive(_))));
    }

    /// What no file system takes is the archive's fault, and no fault of the disk's.
    #[test]
    fn names_have_bounds() {
        let long = |octets: usize| "n".repeat(octets);
        let (_folder, result) = unpacked(&[file(&format!("d/{}", long(PART_MAX)), "")]);
        result.unwrap();
        let parts = vec![long(100); 21].join("/");
        for name in [long(PART_MAX + 1), format!("{}/x", long(PART_MAX + 1)), parts] {
            for entry in [
                file(&name, ""),
                Entry::Folder(format!("{name}/")),
                link_to(&name, "x"),
            ] {
                let (_folder, result) = unpacked(&[entry]);
                assert!(matches!(result, Err(Refused::Archive(_))), "{result:?}");
            }
        }
    }

    /// Nor is a link that leads to no name, or to one that no file system takes; it is not cut either.
    #[test]
    fn targets_of_links_have_bounds() {
        let (_folder, result) = unpacked(&[link_to("l", &"n/".repeat(2047))]);
        result.unwrap();
        for target in [String::new(), "n/".repeat(2048), "n/".repeat(3000)] {
            let (_folder, result) = unpacked(&[link_to("l", &target)]);
            assert!(matches!(result, Err(Refused::Archive(_))), "{result:?}");
        }
    }

    /// A directory that says to hold millions of entries is refused before room is made for it, in the wide form too.
    #[test]
    fn directories_are_bounded_before_they_are_read() {
        let small = packed(&[file("a", "x")]);
        let (body, end) = small.split_at(small.len() - 22);
        let mut zip = body.to_vec();
        zip.extend_from_slice(b"PK\x06\x06");
        zip.extend_from_slice(&44_u64.to_le_bytes());
        zip.extend_from_slice(&[0; 12]);
        for number in [50_000_000_u64, 50_000_000, u64::MAX / 2, 0] {
            zip.extend_from_slice(&number.to_le_bytes());
        }
        zip.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        zip.extend_from_slice(&(body.len() as u64).to_le_bytes());
        zip.extend_from_slice(&[1, 0, 0, 0]);
        zip.extend_from_slice(&end[..8]);
        zip.extend_from_slice(&[0xff; 12]);
        zip.extend_from_slice(&[0, 0]);
        let folder = tempfile::tempdir().unwrap();
        let refused = unpack_within(&[zip], folder.path(), 1 << 20);
        assert!(matches!(refused, Err(Refused::Archive(_))), "{refused:?}");
    }

    /// Everything below a folder, without following links.
    fn listed(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                found.extend(listed(&path));
            }
            found.push(path);
        }
        found
    }

    fn name() -> impl Strategy<Value = String> {
        proptest::collection::vec(proptest::sample::select(vec!["a", "b", "..", ".", "", "c"]), 1..5)
            .prop_map(|parts| parts.join("/"))
    }

    fn entry() -> impl Strategy<Value = Entry> {
        prop_oneof![
            (name(), proptest::collection::vec(any::<u8>(), 0..20)).prop_map(|(n, c)| Entry::File(n, c)),
            name().prop_map(Entry::Folder),
            (name(), name()).prop_map(|(n, target)| Entry::Link(n, target)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn nothing_leads_outside(entries in proptest::collection::vec(entry(), 0..8)) {
            let (folder, result) = unpacked(&entries);
            prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            if result.is_ok() {
                let root = folder.path().join("code").canonicalize().unwrap();
                for path in listed(&root) {
                    prop_assert!(path.canonicalize().map_or(true, |real| real.starts_with(&root)), "{:?}", path);
                }
            }
            remove(&folder.path().join("code")).unwrap();
        }

        #[test]
        fn damaged_archives_are_refused_or_read(
            place in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<proptest::sample::Index>(),
        ) {
            let mut zip = packed(&[file("a/b", "content"), link_to("c", "a"), file("d", "more")]);
            let at = place.index(zip.len());
            zip[at] = byte;
            let zip = &zip[..=cut.index(zip.len())];
            let folder = tempfile::tempdir().unwrap();
            let code = folder.path().join("code");
            fs::create_dir(&code).unwrap();
            let _ = unpack_within(&[zip], &code, 1 << 20);
            prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
            remove(&code).unwrap();
        }
    }
}
