//! User data at the first start of an instance: a script is run, anything else is refused on the console. And the scripts that an
//! instance keeps for every start.
//!
//! Invariant: user data is written to the instance's memory alone, never to its disk, so no image of it holds the script.
//!
//! Source: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance".

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::read::MultiGzDecoder;
use rustix::process::Pid;

use super::files::PATH;
use super::say;

/// Bytes of user data that came compressed.
const UNPACKED_MAX: u64 = 1 << 20;
/// A folder in memory.
const FOLDER: &str = "/run/user-data";

/// Where cloud-init has the scripts that run at every start.
const EACH_TIME_FOLDER: &str = "/var/lib/cloud/scripts/per-boot";
const EACH_TIME: &str = r#"for script in "$0"/*; do if [ -x "$script" ]; then "$script"; fi; done"#;

/// What user data is.
#[derive(PartialEq, Eq, Debug)]
enum Kind {
    Nothing,
    Script(Vec<u8>),
    Refused(&'static str),
}

/// Starts the script that user data is; on the console it says why not.
pub(super) fn start(given: &[u8], environment: &[(String, String)]) -> Option<Pid> {
    let script = match kind(given) {
        Kind::Nothing => return None,
        Kind::Refused(what) => {
            say(&format!(
                "User data was not run: {what}. Only scripts that begin with #! are run here."
            ));
            return None;
        }
        Kind::Script(script) => script,
    };
    match run(&script, environment) {
        Ok(pid) => Some(pid),
        Err(error) => {
            say(&format!("User data could not be run: {error}."));
            None
        }
    }
}

/// Starts what is to run at every start, one after another.
pub(super) fn start_each_time(environment: &[(String, String)]) {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", EACH_TIME, EACH_TIME_FOLDER]);
    if let Err(error) = spawn(&mut command, environment) {
        say(&format!("Scripts of every start could not be run: {error}."));
    }
}

fn kind(given: &[u8]) -> Kind {
    if given.is_empty() {
        return Kind::Nothing;
    }
    if given.starts_with(b"\x1f\x8b") {
        let mut unpacked = Vec::new();
        let read = MultiGzDecoder::new(given)
            .take(UNPACKED_MAX + 1)
            .read_to_end(&mut unpacked);
        if read.is_err() {
            return Kind::Refused("it is damaged gzip");
        }
        if u64::try_from(unpacked.len()).is_ok_and(|length| length > UNPACKED_MAX) {
            return Kind::Refused("it unpacks to more than a mebibyte");
        }
        if unpacked.starts_with(b"\x1f\x8b") {
            return Kind::Refused("it is compressed twice");
        }
        return kind(&unpacked);
    }
    if given.starts_with(b"#!") {
        return Kind::Script(given.to_vec());
    }
    let text = String::from_utf8_lossy(given.get(..64).unwrap_or(given)).to_ascii_lowercase();
    Kind::Refused(if text.starts_with("#cloud-config") {
        "it is a cloud-config document"
    } else if text.starts_with("content-type:") || text.starts_with("mime-version:") {
        "it is a MIME message of several parts"
    } else if text.starts_with("#include") {
        "it is a list of addresses to include"
    } else if text.starts_with("#cloud-boothook") {
        "it is a boot hook"
    } else {
        "it is no script"
    })
}

fn run(script: &[u8], environment: &[(String, String)]) -> io::Result<Pid> {
    DirBuilder::new().mode(0o700).recursive(true).create(FOLDER)?;
    let path = Path::new(FOLDER).join("part-001");
    let _ = fs::remove_file(&path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&path)?;
    file.write_all(script)?;
    // A file that is open for writing cannot be run.
    drop(file);
    spawn(&mut Command::new(&path), environment)
}

fn spawn(command: &mut Command, environment: &[(String, String)]) -> io::Result<Pid> {
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0);
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // The first process waits for every process there is, this one too.
    drop(child);
    pid.ok_or_else(|| io::Error::other("it ended at once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut made = GzEncoder::new(Vec::new(), Compression::default());
        made.write_all(bytes).unwrap();
        made.finish().unwrap()
    }

    #[test]
    fn only_scripts_are_run() {
        let script = b"#!/bin/sh\ntrue\n";
        assert_eq!(kind(b""), Kind::Nothing);
        assert_eq!(kind(script), Kind::Script(script.to_vec()));
        assert_eq!(kind(&packed(script)), Kind::Script(script.to_vec()));
        for (given, words) in [
            (b"#cloud-config\nruncmd: []".to_vec(), "cloud-config"),
            (b"Content-Type: multipart/mixed; boundary=x".to_vec(), "MIME"),
            (b"MIME-Version: 1.0".to_vec(), "MIME"),
            (b"#cloud-boothook\n#!/bin/sh".to_vec(), "boot hook"),
            (b"#include\nhttp://example.com".to_vec(), "include"),
            (b"echo hello".to_vec(), "no script"),
            (packed(&packed(script)), "twice"),
            (packed(&vec![b'#'; (1 << 20) + 1]), "mebibyte"),
            (b"\x1f\x8bxx".to_vec(), "damaged"),
        ] {
            let Kind::Refused(why) = kind(&given) else {
                panic!("{words}")
            };
            assert!(why.contains(words), "{why}");
        }
    }
}
