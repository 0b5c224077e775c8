//! What only a file's place tells to be a secret: password hashes, login keys, histories, the files in which programs keep logins.
//!
//! Invariant: these rules read a file's head alone, by lines.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;

use super::rule;
use super::{Sighting, entropy};

/// What kind of file a path names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Shadow,
    AuthorizedKeys,
    HostKey,
    History,
    Netrc,
    Pgpass,
    Docker,
    /// Settings of a person or program, in which names tell what is a secret.
    Settings,
}

/// Paths that hold other people's examples: documentation, and the tests of packages.
pub(super) fn is_specimen(path: &str) -> bool {
    let path = path.strip_prefix('/').unwrap_or(path);
    let whole = ["usr/share/doc/", "usr/share/man/", "usr/share/perl/"];
    let parts = ["/test/", "/tests/", "/testdata/", "/test-data/", "/examples/"];
    whole.iter().any(|start| path.starts_with(start))
        || (path.starts_with("usr/") && parts.iter().any(|part| path.contains(part)))
}

impl Kind {
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let below =
            |end: &str| folder == end || folder.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
        Some(match name {
            "shadow" | "shadow-" | "shadow.bak" if below("etc") => Self::Shadow,
            "authorized_keys" | "authorized_keys2" if below(".ssh") => Self::AuthorizedKeys,
            _ if below("etc/ssh") && name.starts_with("ssh_host_") && name.ends_with("_key") => Self::HostKey,
            _ if name.starts_with('.') && name.ends_with("_history") => Self::History,
            ".netrc" | "_netrc" => Self::Netrc,
            ".pgpass" => Self::Pgpass,
            ".dockercfg" => Self::Docker,
            "config.json" if below(".docker") => Self::Docker,
            _ if is_settings(folder, name) => Self::Settings,
            _ => return None,
        })
    }

    pub(super) fn sightings(self, text: &[u8]) -> Vec<Sighting> {
        match self {
            Self::Shadow => each(text, shadow),
            Self::AuthorizedKeys => each(text, authorized),
            Self::HostKey => host_key(text),
            Self::History => history(text),
            Self::Netrc => netrc(text),
            Self::Pgpass => each(text, pgpass),
            Self::Docker => docker(text),
            Self::Settings => each(text, assigned),
        }
    }
}

/// Files in which people and programs keep settings of their own, as far as their names tell.
fn is_settings(folder: &str, name: &str) -> bool {
    let own = ["home/", "root", "opt/", "srv/", "var/www/", "app/", "etc/"];
    let lower = name.to_ascii_lowercase();
    let named = lower.starts_with(".env")
        || [".env", ".tfvars", ".properties"]
            .iter()
            .any(|end| lower.ends_with(end))
        || matches!(
            lower.as_str(),
            ".npmrc"
                | ".pypirc"
                | ".my.cnf"
                | ".boto"
                | ".s3cfg"
                | "user-data.txt"
                | "user-data.txt.i"
                | "environment"
        );
    let secrets = lower.contains("secret") || lower.contains("credential") || lower.contains("password");
    let text = [
        ".yml", ".yaml", ".json", ".ini", ".conf", ".txt", ".toml", ".sh", ".cfg",
    ];
    let shell = matches!(
        lower.as_str(),
        ".bashrc" | ".profile" | ".bash_profile" | ".zshrc"
    );
    let there = own.iter().any(|place| folder.starts_with(place)) || folder.starts_with("var/lib/cloud");
    named || (there && (shell || (secrets && text.iter().any(|end| lower.ends_with(end)))))
}

/// Every line by itself, with its place.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    text.split(|byte| *byte == b'\n').map(move |line| {
        let begin = at;
        at += line.len() + 1;
        (begin, line.trim_ascii())
    })
}

fn each(text: &[u8], look: impl Fn(&[u8]) -> Option<Sighting>) -> Vec<Sighting> {
    let found = lines(text).filter_map(|(at, line)| {
        let mut sighting = look(line)?;
        sighting.at = at;
        Some(sighting)
    });
    found.collect()
}

/// `name:hash:…` (shadow(5)).
fn shadow(line: &[u8]) -> Option<Sighting> {
    let mut fields = line.split(|byte| *byte == b':');
    let (name, hash) = (fields.next()?, fields.next()?);
    fields.next()?;
    let name = printable(name);
    if hash.is_empty() {
        return Some(Sighting::new(
            &rule::EMPTY_PASSWORD,
            0,
            format!("{name} has no password"),
        ));
    }
    let bare = hash.trim_ascii_start();
    // A lock in front of a hash keeps passwords out, but the hash is there all the same.
    let bare = bare
        .iter()
        .position(|byte| *byte != b'!')
        .and_then(|at| bare.get(at..))
        .unwrap_or_default();
    let is_hash = bare.starts_with(b"$") || (bare.len() == 13 && bare.iter().all(u8::is_ascii_alphanumeric));
    is_hash.then(|| Sighting::new(&rule::PASSWORD_HASH, 0, format!("the password hash of {name}")))
}

/// A public key that may log in (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").
fn authorized(line: &[u8]) -> Option<Sighting> {
    if line.starts_with(b"#") {
        return None;
    }
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let kind = words.find(|word| {
        [b"ssh-".as_slice(), b"ecdsa-sha2-", b"sk-ssh-", b"sk-ecdsa-"]
            .iter()
            .any(|start| word.starts_with(start))
    })?;
    words.next().filter(|blob| blob.len() >= 40)?;
    let owner = words.next().map(printable).unwrap_or_default();
    Some(Sighting::new(
        &rule::AUTHORIZED_KEY,
        0,
        format!("{} {owner}", printable(kind)).trim_end().to_owned(),
    ))
}

fn host_key(text: &[u8]) -> Vec<Sighting> {
    let is_key = text.windows(17).any(|window| window == b" PRIVATE KEY-----");
    let found = is_key.then(|| Sighting::new(&rule::HOST_KEY, 0, "the private key of an SSH server"));
    found.into_iter().collect()
}

/// One finding for the history, and those of its lines that assign a secret.
fn history(text: &[u8]) -> Vec<Sighting> {
    let count = lines(text).filter(|(_, line)| !line.is_empty()).count();
    if count == 0 {
        return Vec::new();
    }
    let mut found = each(text, assigned);
    found.insert(
        0,
        Sighting::new(&rule::HISTORY, 0, format!("{count} lines of commands")),
    );
    found
}

/// `machine NAME login NAME password WORD`, on one line or several.
fn netrc(text: &[u8]) -> Vec<Sighting> {
    let mut found = Vec::new();
    let (mut host, mut after) = (String::new(), "");
    for (at, line) in lines(text) {
        if line.starts_with(b"#") {
            continue;
        }
        for word in line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
        {
            match (after, word) {
                ("machine", name) => {
                    host = printable(name);
                    after = "";
                }
                ("password", value) => {
                    after = "";
                    if !entropy::is_placeholder(value) {
                        let excerpt = format!("the password for {host}");
                        found.push(Sighting::new(&rule::NETRC, at, excerpt));
                    }
                }
                ("login", _) => after = "",
                (_, b"machine") => after = "machine",
                (_, b"login") => after = "login",
                (_, b"password") => after = "password",
                (_, b"default") => "any host".clone_into(&mut host),
                _ => {}
            }
        }
    }
    found
}

/// `host:port:database:user:password` (PostgreSQL, "The Password File").
fn pgpass(line: &[u8]) -> Option<Sighting> {
    if line.starts_with(b"#") {
        return None;
    }
    let mut fields = line.splitn(5, |byte| *byte == b':');
    let (host, _, _, user, password) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let excerpt = format!("the password of {} at {}", printable(user), printable(host));
    (!password.is_empty() && !entropy::is_placeholder(password))
        .then(|| Sighting::new(&rule::PGPASS, 0, excerpt))
}

/// `"auth": "Base64 of name:password"`.
fn docker(text: &[u8]) -> Vec<Sighting> {
    static AUTH: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("(?-u)\"(?:auth|identitytoken)\"\\s*:\\s*\"([A-Za-z0-9+/=._-]{8,4096})\"").ok()
    });
    let Some(auth) = AUTH.as_ref() else {
        return Vec::new();
    };
    let found = auth.captures_iter(text).filter_map(|hit| {
        let value = hit.get(1)?;
        let login = STANDARD.decode(value.as_bytes()).ok();
        let login = login.filter(|login| login.contains(&b':'));
        let token = hit.get(0)?.as_bytes().starts_with(b"\"identitytoken\"");
        let excerpt = if token {
            "a registry's identity token"
        } else {
            "a registry's name and password"
        };
        (token || login.is_some())
            .then(|| Sighting::new(&rule::DOCKER, hit.get(0).map_or(0, |hit| hit.start()), excerpt))
    });
    found.collect()
}

/// `NAME=value` where the name says that the value is a secret.
fn assigned(line: &[u8]) -> Option<Sighting> {
    static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let word = "password|passwd|secret|token|api_?key|access_?key|private_?key|authtoken|credential";
        let pattern = format!(
            "(?i-u)([a-z0-9_./:@-]{{0,80}}(?:{word})[a-z0-9_]{{0,40}})[\"']?[ \\t]*(?:=|:)[ \\t]*[\"']?([^\\s\"';#&|]{{8,512}})"
        );
        Regex::new(&pattern).ok()
    });
    if line.starts_with(b"#") || line.starts_with(b"//") {
        return None;
    }
    let hit = NAMED.as_ref()?.captures(line)?;
    let (name, value) = (hit.get(1)?, hit.get(2)?.as_bytes());
    // A path or a reference to where the secret is kept is none.
    let elsewhere = value.starts_with(b"/")
        || value.starts_with(b"arn:")
        || value.starts_with(b"./")
        || value.starts_with(b"~");
    if elsewhere || entropy::is_placeholder(value) || entropy::bits(value) < 2.5 {
        return None;
    }
    let name = printable(name.as_bytes());
    Some(Sighting::new(
        &rule::ASSIGNED,
        0,
        format!("{name} is a value of {} characters", value.len()),
    ))
}

/// A name for a person's eyes: printable, and short.
fn printable(text: &[u8]) -> String {
    let shown = text.iter().take(64).map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '?',
    });
    shown.collect()
}
