//! What a password must be like (IAM User Guide, "Set an account password policy for IAM users").
//!
//! Invariant: no message repeats any part of a password.

use api::iam::fault::password_policy_violation_exception;
use pipeline::Result;
use serde::{Deserialize, Serialize};
use wire::Fault;

/// The least length of a policy that names none.
pub(super) const LENGTH_MIN_UNSET: u32 = 6;
/// What AWS counts as symbols.
const SYMBOLS: &str = "!@#$%^&*()_+-=[]{}|'";
/// The default policy: the least length, and how many of the four kinds of characters there must be.
const DEFAULT_LENGTH_MIN: u32 = 8;
const DEFAULT_KINDS_MIN: usize = 3;

/// What an account demands of its users' passwords.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordPolicy {
    /// Characters, 6 to 128.
    pub length_min: u32,
    pub symbols: bool,
    pub numbers: bool,
    pub uppercase: bool,
    pub lowercase: bool,
    pub users_may_change: bool,
    /// Days after which a password must be changed, 1 to 1095.
    pub age_days_max: Option<u32>,
    /// Earlier passwords that may not come back, 1 to 24.
    pub reuse_prevention: Option<u32>,
    /// Whether an expired password can be renewed by administrators alone.
    pub hard_expiry: Option<bool>,
}

store::record!(PasswordPolicy, 1);

impl PasswordPolicy {
    /// When a password that was set then must be changed, both in milliseconds since the epoch.
    pub(crate) fn expiry(&self, changed: i64) -> Option<i64> {
        const DAY: i64 = 86_400_000;
        self.age_days_max
            .map(|days| changed.saturating_add(i64::from(days).saturating_mul(DAY)))
    }
}

/// The kinds of characters in a password.
struct Kinds {
    uppercase: bool,
    lowercase: bool,
    numbers: bool,
    symbols: bool,
}

impl Kinds {
    fn of(password: &str) -> Self {
        Self {
            uppercase: password.chars().any(|letter| letter.is_ascii_uppercase()),
            lowercase: password.chars().any(|letter| letter.is_ascii_lowercase()),
            numbers: password.chars().any(|letter| letter.is_ascii_digit()),
            symbols: password.chars().any(|letter| SYMBOLS.contains(letter)),
        }
    }

    fn count(&self) -> usize {
        [self.uppercase, self.lowercase, self.numbers, self.symbols]
            .into_iter()
            .filter(|kind| *kind)
            .count()
    }
}

/// Refuses a password that the policy, or AWS's default without one, forbids. `names` are those of the account, which the default
/// policy forbids as passwords.
pub(super) fn check(policy: Option<&PasswordPolicy>, names: [&str; 2], password: &str) -> Result<()> {
    let kinds = Kinds::of(password);
    let least = policy.map_or(DEFAULT_LENGTH_MIN, |policy| policy.length_min);
    if u32::try_from(password.chars().count()).is_ok_and(|length| length < least) {
        return Err(violation(&format!(
            "Password should have a minimum length of {least}"
        )));
    }
    let Some(policy) = policy else {
        if kinds.count() < DEFAULT_KINDS_MIN || names.contains(&password) {
            return Err(violation(
                "Password does not conform to the account password policy.",
            ));
        }
        return Ok(());
    };
    let demands = [
        (policy.uppercase, kinds.uppercase, "uppercase letter"),
        (policy.lowercase, kinds.lowercase, "lowercase letter"),
        (policy.numbers, kinds.numbers, "number"),
        (policy.symbols, kinds.symbols, "symbol"),
    ];
    match demands.into_iter().find(|(wanted, given, _)| *wanted && !*given) {
        Some((.., what)) => Err(violation(&format!("Password should have at least one {what}"))),
        None => Ok(()),
    }
}

pub(super) fn violation(message: &str) -> Fault {
    password_policy_violation_exception(message.to_owned())
}
