//! The JSON of a database's secret (Secrets Manager User Guide, "JSON structure of AWS Secrets Manager secrets").
//!
//! Invariant: members that the function does not know survive a rotation.

use serde_json::{Map, Value};

use crate::database::Engine;
use crate::error::{Error, Result};

/// Who logs in where. No `Debug`: it holds the password.
#[derive(Clone)]
pub(crate) struct Credential {
    members: Map<String, Value>,
    pub(crate) host: String,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) port: u16,
    pub(crate) dbname: Option<String>,
    pub(crate) ssl: Ssl,
    pub(crate) master_arn: Option<String>,
}

/// What `ssl` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ssl {
    /// It is not there, or says nothing: TLS first, and in clear if that fails.
    Preferred,
    Required,
    Disabled,
}

impl Credential {
    /// Reads the text of a secret.
    pub(crate) fn parse(text: &str, engine: Engine) -> Result<Self> {
        let parsed: Value = serde_json::from_str(text)
            .map_err(|_| Error::Refused("the secret's value is not JSON".to_owned()))?;
        let Value::Object(members) = parsed else {
            return Err(Error::Refused("the secret's value is no JSON object".to_owned()));
        };
        let need = |name: &'static str| {
            let value = members.get(name).and_then(Value::as_str);
            value.map(str::to_owned).ok_or(Error::Key(name))
        };
        let named = need("engine")?;
        if !engine.names().contains(&named.as_str()) {
            return Err(Error::Refused(format!(
                "Database engine must be set to '{}' in order to use this rotation function",
                engine.names().first().copied().unwrap_or_default()
            )));
        }
        let optional = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let port = match members.get("port") {
            None | Some(Value::Null) => Some(engine.port()),
            Some(Value::Number(port)) => port.as_u64().and_then(|port| u16::try_from(port).ok()),
            Some(Value::String(port)) => port.parse().ok(),
            Some(_) => None,
        };
        Ok(Self {
            host: need("host")?,
            username: need("username")?,
            password: need("password")?,
            port: port.ok_or_else(|| Error::Refused("the secret's port is none".to_owned()))?,
            dbname: optional("dbname").map(str::to_owned),
            ssl: ssl(members.get("ssl")),
            master_arn: optional("masterarn").map(str::to_owned),
            members,
        })
    }

    /// The text of a secret for another user or password, all else as it is.
    pub(crate) fn with(&self, username: &str, password: &str) -> String {
        let mut members = self.members.clone();
        members.insert("username".to_owned(), Value::String(username.to_owned()));
        members.insert("password".to_owned(), Value::String(password.to_owned()));
        Value::Object(members).to_string()
    }
}

fn ssl(value: Option<&Value>) -> Ssl {
    match value {
        Some(Value::Bool(true)) => Ssl::Required,
        Some(Value::Bool(false)) => Ssl::Disabled,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ssl::Required,
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ssl::Disabled,
        _ => Ssl::Preferred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"engine":"postgres","host":"db","username":"ann","password":"p","port":"5433","dbname":"x","extra":[1]}"#;

    #[test]
    fn a_secret_is_read_and_keeps_what_is_not_known() {
        let read = Credential::parse(TEXT, Engine::Postgresql).ok().unwrap();
        assert_eq!(
            (read.host.as_str(), read.port, read.dbname.as_deref()),
            ("db", 5433, Some("x"))
        );
        assert_eq!(read.ssl, Ssl::Preferred);
        let next: Value = serde_json::from_str(&read.with("ann_clone", "q\"")).unwrap();
        assert_eq!(next["extra"], serde_json::json!([1]));
        assert_eq!(
            (&next["username"], &next["password"]),
            (&"ann_clone".into(), &"q\"".into())
        );
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_without_the_value() {
        let refused = |text: &str, engine| Credential::parse(text, engine).err().unwrap().to_string();
        assert_eq!(
            refused(TEXT, Engine::Mysql),
            "Database engine must be set to 'mysql' in order to use this rotation function"
        );
        let without = TEXT.replace("\"password\"", "\"pass\"");
        assert_eq!(
            refused(&without, Engine::Postgresql),
            "Key is missing from secret JSON: password"
        );
        assert_eq!(
            refused("hunter2", Engine::Postgresql),
            "the secret's value is not JSON"
        );
        assert_eq!(
            refused("[]", Engine::Postgresql),
            "the secret's value is no JSON object"
        );
        for (given, meant) in [
            ("true", Ssl::Required),
            ("\"False\"", Ssl::Disabled),
            ("\"x\"", Ssl::Preferred),
            ("1", Ssl::Preferred),
        ] {
            let text = TEXT.replace("\"extra\":[1]", &format!("\"ssl\":{given}"));
            assert!(
                Credential::parse(&text, Engine::Postgresql).ok().unwrap().ssl == meant,
                "{given}"
            );
        }
    }
}
