//! The rules: what is looked for, how grave it is, who must mend it, and how.
//!
//! Invariant: a rule's id never changes its meaning; programs filter by it.

use serde::Serialize;

/// How grave a finding is, the gravest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// The halves of the shared responsibility model (S37.4, S37.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Security in the cloud: what runs in an instance, and what its image holds.
    Customer,
    /// Security of the cloud.
    Provider,
}

/// One thing that is looked for.
#[derive(Debug)]
pub struct Rule {
    /// `aws-access-key`
    pub id: &'static str,
    pub severity: Severity,
    pub side: Side,
    /// What to do about it.
    pub advice: &'static str,
    /// Whether it says nothing of a line of which another rule spoke.
    pub(super) yields: bool,
}

const fn rule(id: &'static str, severity: Severity, advice: &'static str) -> Rule {
    Rule {
        id,
        severity,
        side: Side::Customer,
        advice,
        yields: false,
    }
}

const REVOKE: &str = "Revoke the token at its issuer, remove it from the image, and let instances read it from Secrets Manager or Parameter Store.";
const ROTATE: &str = "Change the password, remove it from the image, and let instances read it from Secrets Manager or Parameter Store.";
const REPLACE: &str =
    "Replace the key pair, remove the private key from the image, and keep it in Secrets Manager or KMS.";

pub(super) static ACCESS_KEY: Rule = rule(
    "aws-access-key",
    Severity::Critical,
    "Deactivate and delete the access key, remove it from the image, and give instances a role by an instance profile.",
);
pub(super) static ACCESS_KEY_ID: Rule = rule(
    "aws-access-key-id",
    Severity::Medium,
    "Look for the secret access key that belongs to it; an instance needs neither, but a role by an instance profile.",
);
pub(super) static SECRET_ACCESS_KEY: Rule = rule(
    "aws-secret-access-key",
    Severity::Critical,
    "Find the access key that it belongs to, deactivate and delete it, and give instances a role by an instance profile.",
);
pub(super) static SESSION_TOKEN: Rule = rule(
    "aws-session-token",
    Severity::High,
    "Revoke the sessions of the role that issued it, and remove it from the image.",
);
pub(super) static PRIVATE_KEY: Rule = rule("private-key", Severity::High, REPLACE);
pub(super) static HOST_KEY: Rule = rule(
    "ssh-host-key",
    Severity::High,
    "Remove the host's key pairs from the image; the SSH server makes new ones at an instance's first start.",
);
pub(super) static AUTHORIZED_KEY: Rule = rule(
    "ssh-authorized-key",
    Severity::Medium,
    "Remove login keys from the image; whoever holds one can log in to every instance of it. EC2 adds the key pair of the launch.",
);
pub(super) static PASSWORD_HASH: Rule = rule(
    "password-hash",
    Severity::High,
    "Lock the account in the image (`passwd -l`): everyone who starts the image can try passwords against the hash.",
);
pub(super) static EMPTY_PASSWORD: Rule = rule(
    "empty-password",
    Severity::High,
    "Lock the account in the image (`passwd -l`): it lets anybody in without a password.",
);
pub(super) static HISTORY: Rule = rule(
    "shell-history",
    Severity::Low,
    "Delete histories before the image is made; commands tell names, addresses and often passwords.",
);
pub(super) static URL_PASSWORD: Rule = rule("url-password", Severity::High, ROTATE);
pub(super) static NETRC: Rule = rule("netrc-password", Severity::High, ROTATE);
pub(super) static PGPASS: Rule = rule("pgpass-password", Severity::High, ROTATE);
pub(super) static DOCKER: Rule = rule(
    "docker-login",
    Severity::High,
    "Log out of the registry (`docker logout`) before the image is made, and let instances log in by their role.",
);
pub(super) static ASSIGNED: Rule = Rule {
    yields: true,
    ..rule("assigned-secret", Severity::Medium, ROTATE)
};
pub(super) static GITHUB: Rule = rule("github-token", Severity::High, REVOKE);
pub(super) static GITLAB: Rule = rule("gitlab-token", Severity::High, REVOKE);
pub(super) static SLACK: Rule = rule("slack-token", Severity::High, REVOKE);
pub(super) static STRIPE: Rule = rule("stripe-key", Severity::High, REVOKE);
pub(super) static GOOGLE: Rule = rule("google-key", Severity::High, REVOKE);
pub(super) static PACKAGES: Rule = rule("package-registry-token", Severity::High, REVOKE);
pub(super) static MAIL: Rule = rule("sendgrid-key", Severity::High, REVOKE);
pub(super) static AZURE: Rule = rule("azure-storage-key", Severity::High, REVOKE);
pub(super) static VAULT: Rule = rule("vault-token", Severity::High, REVOKE);
pub(super) static HOSTING: Rule = rule("digitalocean-token", Severity::High, REVOKE);

/// Every rule.
pub static RULES: [&Rule; 25] = [
    &ACCESS_KEY,
    &ACCESS_KEY_ID,
    &SECRET_ACCESS_KEY,
    &SESSION_TOKEN,
    &PRIVATE_KEY,
    &HOST_KEY,
    &AUTHORIZED_KEY,
    &PASSWORD_HASH,
    &EMPTY_PASSWORD,
    &HISTORY,
    &URL_PASSWORD,
    &NETRC,
    &PGPASS,
    &DOCKER,
    &ASSIGNED,
    &GITHUB,
    &GITLAB,
    &SLACK,
    &STRIPE,
    &GOOGLE,
    &PACKAGES,
    &MAIL,
    &AZURE,
    &VAULT,
    &HOSTING,
];
