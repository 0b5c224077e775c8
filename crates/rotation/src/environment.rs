//! What a function learns from the variables that Lambda sets (Lambda Developer Guide, "Defined runtime environment variables").

use crate::error::{Error, Result};

/// The variables of a function, read.
pub struct Environment {
    /// `HOST:PORT` of the Runtime API.
    pub(crate) runtime_api: String,
    pub(crate) handler: String,
    /// Where Secrets Manager is.
    pub(crate) endpoint: String,
    /// PEM of what signs the endpoint's certificate.
    pub(crate) authority: Option<Vec<u8>>,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) passwords: Passwords,
    /// Unix seconds now, which signatures tell.
    pub(crate) now: fn() -> i64,
}

/// What `GetRandomPassword` is asked for, as AWS's rotation functions take it from their variables.
#[derive(Clone, Default)]
pub(crate) struct Passwords {
    pub(crate) exclude_characters: Option<String>,
    pub(crate) length: Option<i64>,
    pub(crate) exclude_numbers: bool,
    pub(crate) exclude_punctuation: bool,
    pub(crate) exclude_uppercase: bool,
    pub(crate) exclude_lowercase: bool,
    pub(crate) require_each: Option<bool>,
}

impl Environment {
    /// Reads the variables by `get`; files that they name by `read`. `now` tells unix seconds.
    ///
    /// # Errors
    /// Which variable is missing.
    pub fn read(
        get: impl Fn(&str) -> Option<String>,
        read: impl Fn(&str) -> Option<Vec<u8>>,
        now: fn() -> i64,
    ) -> Result<Self> {
        let need = |name: &'static str| {
            get(name)
                .filter(|value| !value.is_empty())
                .ok_or(Error::Variable(name))
        };
        let endpoint = ["SECRETS_MANAGER_ENDPOINT", "AWS_ENDPOINT_URL_SECRETS_MANAGER"];
        let endpoint = endpoint.into_iter().find_map(&get);
        let truth = |name: &str| get(name).map(|value| value.eq_ignore_ascii_case("true"));
        Ok(Self {
            runtime_api: need("AWS_LAMBDA_RUNTIME_API")?,
            handler: need("_HANDLER")?,
            endpoint: endpoint.map_or_else(|| need("AWS_ENDPOINT_URL"), Ok)?,
            authority: get("AWS_CA_BUNDLE").and_then(|path| read(&path)),
            region: need("AWS_REGION")?,
            access_key_id: need("AWS_ACCESS_KEY_ID")?,
            secret_access_key: need("AWS_SECRET_ACCESS_KEY")?,
            session_token: get("AWS_SESSION_TOKEN"),
            passwords: Passwords {
                exclude_characters: get("EXCLUDE_CHARACTERS"),
                length: get("PASSWORD_LENGTH").and_then(|length| length.parse().ok()),
                exclude_numbers: truth("EXCLUDE_NUMBERS") == Some(true),
                exclude_punctuation: truth("EXCLUDE_PUNCTUATION") == Some(true),
                exclude_uppercase: truth("EXCLUDE_UPPERCASE") == Some(true),
                exclude_lowercase: truth("EXCLUDE_LOWERCASE") == Some(true),
                require_each: truth("REQUIRE_EACH_INCLUDED_TYPE"),
            },
            now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let all = [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("_HANDLER", "postgresql.single-user"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "ASIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("EXCLUDE_NUMBERS", "True"),
        ];
        let without = |left_out: &str| {
            let get = |name: &str| {
                let found = all.iter().find(|(known, _)| *known == name && name != left_out);
                found.map(|(_, value)| (*value).to_owned())
            };
            Environment::read(get, |_| None, || 0)
        };
        let read = without("").ok().unwrap();
        assert_eq!(read.endpoint, "http://127.0.0.1:4566");
        assert!(read.passwords.exclude_numbers && !read.passwords.exclude_uppercase);
        for (name, _) in &all[..6] {
            let error = without(name).err().unwrap();
            assert_eq!(error.to_string(), format!("the variable {name} is missing"));
        }
    }
}
