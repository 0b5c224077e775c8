//! The files that an instance begins with: its names, its users, links to what the host lends it.
//!
//! Invariant: what the instance changed itself stays as it is, apart from where the server is.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crypto::digest;

use super::Hello;

/// Where user data and logins find programs; those that shut the instance down come first.
pub(super) const PATH: &str = "/.instance/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What the host lends.
const LENT: &str = ".instance/etc";

/// Files that every system has.
const FILES: [(&str, &str); 5] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    (
        "etc/profile",
        "export PATH=/.instance/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
    ),
    ("etc/shells", "/bin/sh\n"),
];
const FOLDERS: [&str; 6] = [
    "var/cache",
    "var/lib",
    "var/log",
    "var/mail",
    "var/spool",
    "var/tmp",
];

/// Prepares the disk below `root`, from inside of the instance.
pub(super) fn prepare(root: &Path, hello: &Hello) -> io::Result<()> {
    for name in FOLDERS {
        make_folder(&root.join(name))?;
    }
    fs::set_permissions(root.join("var/tmp"), fs::Permissions::from_mode(0o1777))?;
    for (name, text) in FILES {
        keep(&root.join(name), text)?;
    }
    link(&root.join("var/run"), "/run")?;
    link(&root.join("etc/mtab"), "/proc/self/mounts")?;
    for entry in fs::read_dir(root.join(LENT)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let target = Path::new("/").join(LENT).join(&name);
        link(&root.join("etc").join(&name), &target)?;
    }
    let short = hello.hostname.split('.').next().unwrap_or_default();
    let hosts = format!(
        "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {} {short}\n",
        hello.hostname
    );
    let machine = digest::sha256(hello.instance_id.as_bytes());
    let machine = digest::hex(machine.get(..16).unwrap_or_default()) + "\n";
    let own = [
        ("etc/hostname", format!("{short}\n")),
        ("etc/hosts", hosts),
        ("etc/machine-id", machine),
    ];
    for (name, text) in own {
        let path = root.join(name);
        if hello.first {
            replace(&path, &text)?;
        } else {
            keep(&path, &text)?;
        }
    }
    environment(&root.join("etc/environment"), &hello.environment)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn make_folder(path: &Path) -> io::Result<()> {
    if is_there(path) {
        return Ok(());
    }
    fs::create_dir_all(path)
}

fn keep(path: &Path, text: &str) -> io::Result<()> {
    if is_there(path) {
        return Ok(());
    }
    fs::write(path, text)
}

/// Writes a file in place of what is there, a link too.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    if is_there(path) {
        fs::remove_file(path)?;
    }
    fs::write(path, text)
}

fn link(path: &Path, target: impl AsRef<Path>) -> io::Result<()> {
    if is_there(path) {
        return Ok(());
    }
    symlink(target, path)
}

/// Has the variables of every login say where the server is, and leaves the others.
fn environment(path: &Path, own: &[(String, String)]) -> io::Result<()> {
    let kept = fs::read_to_string(path).unwrap_or_default();
    let ours = ["AWS_ENDPOINT_URL=", "AWS_CA_BUNDLE="];
    let mut text = String::new();
    for line in kept
        .lines()
        .filter(|line| !ours.iter().any(|our| line.starts_with(our)))
    {
        text.push_str(line);
        text.push('\n');
    }
    if kept.is_empty() {
        text.push_str(&format!("PATH={PATH}\n"));
    }
    for (name, value) in own {
        text.push_str(&format!("{name}={value}\n"));
    }
    replace(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(first: bool, url: &str) -> Hello {
        Hello {
            instance_id: "i-0123456789abcdef0".to_owned(),
            hostname: "ip-172-31-0-5.ec2.internal".to_owned(),
            first,
            server: None,
            environment: vec![("AWS_ENDPOINT_URL".to_owned(), url.to_owned())],
            user_data_bytes: 0,
        }
    }

    #[test]
    fn an_instance_keeps_what_it_changed_and_learns_where_the_server_is() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let read = |name: &str| fs::read_to_string(at(name)).unwrap();
        for name in ["etc", "var", ".instance/etc/ssl"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        prepare(root.path(), &hello(true, "http://127.0.0.1:1")).unwrap();
        assert_eq!(read("etc/hostname"), "ip-172-31-0-5\n");
        assert_eq!(
            fs::read_link(at("etc/ssl")).unwrap(),
            Path::new("/.instance/etc/ssl")
        );
        assert_eq!(read("etc/machine-id").len(), 33);
        fs::write(at("etc/hostname"), "mine\n").unwrap();
        fs::write(at("etc/environment"), read("etc/environment") + "MINE=1\n").unwrap();
        prepare(root.path(), &hello(false, "http://127.0.0.1:2")).unwrap();
        assert_eq!(read("etc/hostname"), "mine\n");
        let environment = read("etc/environment");
        assert!(
            environment.contains("MINE=1\n") && environment.contains("AWS_ENDPOINT_URL=http://127.0.0.1:2\n")
        );
        assert_eq!(environment.matches("AWS_ENDPOINT_URL").count(), 1);
        // The image of an instance begins as another instance.
        prepare(root.path(), &hello(true, "http://127.0.0.1:2")).unwrap();
        assert_eq!(read("etc/hostname"), "ip-172-31-0-5\n");
    }

    #[test]
    fn links_that_an_image_brought_are_not_written_through() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "whole").unwrap();
        for name in ["etc", "var"] {
            fs::create_dir_all(root.path().join(name)).unwrap();
        }
        for name in ["hostname", "environment", "passwd"] {
            symlink(&victim, root.path().join("etc").join(name)).unwrap();
        }
        prepare(root.path(), &hello(true, "x")).unwrap();
        assert_eq!(fs::read_to_string(victim).unwrap(), "whole");
    }
}
