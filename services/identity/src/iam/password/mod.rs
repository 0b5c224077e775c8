//! Passwords: the account's policy of them, and the login profiles of users (S3.10).
//!
//! Invariant: a password is kept only as a hash, and none is set that the policy of its account forbids.

mod account;
mod change;
mod profile;
mod rules;

pub use account::{DeleteAccountPasswordPolicy, GetAccountPasswordPolicy, UpdateAccountPasswordPolicy};
pub(crate) use account::{change_is_open, of_account};
pub use change::ChangePassword;
pub use profile::{
    CreateLoginProfile, DeleteLoginProfile, GetLoginProfile, LoginProfile, UpdateLoginProfile,
};
pub(crate) use profile::{is_of, of_user, rename_owner, root_has_profile};
pub use rules::PasswordPolicy;
