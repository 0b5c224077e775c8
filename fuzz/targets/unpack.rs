//! Code of functions and layers, which anybody may have packed: whatever the entries are, they are unpacked inside the folder or refused,
//! and refusing is never the disk's fault.
#![no_main]

#[path = "../../crates/planes/src/functions/archive.rs"]
mod archive;

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

static PLACE: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = std::env::temp_dir().join(format!("ringwork-fuzz-unpack-{}", std::process::id()));
    fs::create_dir_all(place.join("inside")).expect("room on the disk");
    fs::write(place.join("beside"), "untouched").expect("room on the disk");
    place
});

/// Archives of entries: a byte of kind with a name, and a content, each up to a zero byte.
fn packed(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let mut archives = Vec::new();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    for entry in parts.chunks_exact(2).take(64) {
        let (kind, name) = entry[0].split_first()?;
        let (name, content) = (std::str::from_utf8(name).ok()?, entry[1]);
        let options = SimpleFileOptions::default();
        let options = options.unix_permissions(if kind & 1 == 0 { 0o644 } else { 0o755 });
        match kind % 5 {
            0 | 1 => {
                writer.start_file(name, options).ok()?;
                writer.write_all(content).ok()?;
            }
            2 => writer.add_directory(name, options).ok()?,
            3 => writer
                .add_symlink(name, std::str::from_utf8(content).ok()?, options)
                .ok()?,
            _ => {
                archives.push(writer.finish().ok()?.into_inner().into());
                writer = ZipWriter::new(Cursor::new(Vec::new()));
            }
        }
    }
    archives.push(writer.finish().ok()?.into_inner().into());
    Some(archives)
}

/// Every link leads nowhere or to somewhere inside.
fn stays_inside(folder: &Path, root: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let kind = fs::symlink_metadata(&path).expect("it is there").file_type();
        if kind.is_symlink() {
            let inside = path.canonicalize().map_or(true, |real| real.starts_with(root));
            assert!(inside, "{} leads outside", path.display());
        } else if kind.is_dir() {
            stays_inside(&path, root);
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(zips) = packed(bytes) else { return };
    let folder = PLACE.join("inside");
    match archive::unpack(&zips, &folder) {
        Ok(()) => stays_inside(&folder, &folder.canonicalize().expect("it is there")),
        Err(archive::Refused::Archive(sentence)) => assert!(!sentence.is_empty()),
        Err(archive::Refused::Disk(error)) => panic!("the disk is blamed: {error}"),
    }
    fs::remove_dir_all(&folder).expect("it can be removed");
    fs::create_dir(&folder).expect("room on the disk");
    let beside: Vec<_> = fs::read_dir(&*PLACE).expect("a folder").collect();
    assert_eq!(beside.len(), 2, "something was made beside the folder");
    assert_eq!(fs::read(PLACE.join("beside")).expect("a file"), b"untouched");
});
