//! MySQL and MariaDB: sessions, and the statements that change passwords.
//!
//! Invariant: names and passwords are quoted by the rules of the session.

use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, OptsBuilder, Value};
use tokio::time::timeout;

use crate::credential::Credential;
use crate::error::{Error, Result};
use crate::tls;

/// How long a server may take to let somebody in.
const LOGIN_TIME: Duration = Duration::from_secs(5);

/// A session.
pub(crate) struct Session {
    connection: Conn,
    dialect: Dialect,
}

/// How a server wants to be told things.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Dialect {
    /// `NO_BACKSLASH_ESCAPES`
    plain_backslashes: bool,
    /// Passwords are hashed by the statement: `PASSWORD('…')`.
    hashes: bool,
}

impl Dialect {
    fn of(version: &str, mode: &str) -> Self {
        let major = version.split('.').next().and_then(|major| major.parse().ok());
        let new_mysql = major.is_some_and(|major: u32| major >= 8) && !version.contains("MariaDB");
        Self {
            plain_backslashes: mode.split(',').any(|word| word == "NO_BACKSLASH_ESCAPES"),
            hashes: !new_mysql,
        }
    }

    fn quoted(&self, text: &str) -> String {
        Value::from(text).as_sql(self.plain_backslashes)
    }

    fn password(&self, password: &str) -> String {
        let quoted = self.quoted(password);
        if self.hashes {
            format!("PASSWORD({quoted})")
        } else {
            quoted
        }
    }

    /// A line of `SHOW GRANTS` of one user's, for another: each ends with the user, and what may follow is not for the other. MariaDB
    /// tells of the default role as well, in a statement of its own.
    fn grant_for(&self, grant: &str, other: &str) -> String {
        let other = self.quoted(other);
        if grant.starts_with("SET DEFAULT ROLE ") {
            let role = before_outside_quotes(grant, " FOR ");
            return format!("{role} FOR {other}");
        }
        let what = before_outside_quotes(grant, " TO ");
        format!("{what} TO {other}")
    }

    /// What a user must show beside its password, for another.
    fn requirement(&self, required: &Required, other: &str) -> String {
        let (kind, cipher, issuer, subject) = required;
        let required = match kind.as_str() {
            "" => "NONE".to_owned(),
            "ANY" => "SSL".to_owned(),
            "X509" => "X509".to_owned(),
            _ => {
                let parts = [("CIPHER", cipher), ("ISSUER", issuer), ("SUBJECT", subject)];
                let parts = parts.iter().filter(|(_, value)| !value.is_empty());
                let parts: Vec<_> = parts
                    .map(|(name, value)| format!("{name} {}", self.quoted(value)))
                    .collect();
                parts.join(" AND ")
            }
        };
        format!("ALTER USER {} REQUIRE {required}", self.quoted(other))
    }
}

/// What stands before a word that is part of no name and no text.
fn before_outside_quotes<'a>(statement: &'a str, word: &str) -> &'a str {
    let mut quote = None;
    for (at, character) in statement.char_indices() {
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if matches!(character, '`' | '\'' | '"') => quote = Some(character),
            None => {
                if let Some((before, rest)) = statement.split_at_checked(at)
                    && rest.starts_with(word)
                {
                    return before;
                }
            }
        }
    }
    statement
}

/// `ssl_type`, `ssl_cipher`, `x509_issuer`, `x509_subject` of `mysql.user`.
type Required = (String, String, String, String);

impl Session {
    pub(crate) async fn open(credential: &Credential, tls: bool) -> Result<Option<Self>> {
        let options = OptsBuilder::default()
            .ip_or_hostname(credential.host.as_str())
            .tcp_port(credential.port)
            .user(Some(credential.username.as_str()))
            .pass(Some(credential.password.as_str()))
            .db_name(credential.dbname.as_deref())
            .prefer_socket(false)
            .ssl_opts(if tls { Some(tls::mysql()?) } else { None });
        let Ok(Ok(mut connection)) = timeout(LOGIN_TIME, Conn::new(options)).await else {
            return Ok(None);
        };
        let told: Option<(String, String)> = connection
            .query_first("SELECT VERSION(), @@sql_mode")
            .await
            .map_err(|error| failed("a question", &error))?;
        let (version, mode) = told.unwrap_or_default();
        Ok(Some(Self {
            connection,
            dialect: Dialect::of(&version, &mode),
        }))
    }

    pub(crate) async fn run(&mut self, doing: &'static str, statement: &str) -> Result<()> {
        let ran = self.connection.query_drop(statement).await;
        ran.map_err(|error| failed(doing, &error))
    }

    pub(crate) async fn set_own_password(&mut self, password: &str) -> Result<()> {
        let statement = format!("SET PASSWORD = {}", self.dialect.password(password));
        self.run("SET PASSWORD", &statement).await
    }

    pub(crate) async fn set_other_password(&mut self, user: &str, other: &str, password: &str) -> Result<()> {
        let dialect = self.dialect.clone();
        let (quoted_user, quoted_other) = (dialect.quoted(user), dialect.quoted(other));
        let there = format!("SELECT User FROM mysql.user WHERE User = {quoted_other}");
        let there: Option<String> = self.first(&there).await?;
        if there.is_none() {
            let made = format!(
                "CREATE USER {quoted_other} IDENTIFIED BY {}",
                dialect.quoted(password)
            );
            self.run("CREATE USER", &made).await?;
        }
        let grants = self
            .connection
            .query(format!("SHOW GRANTS FOR {quoted_user}"))
            .await;
        let grants: Vec<String> = grants.map_err(|error| failed("SHOW GRANTS", &error))?;
        for grant in grants {
            self.run("GRANT", &dialect.grant_for(&grant, other)).await?;
        }
        let required = format!(
            "SELECT CONVERT(ssl_type USING utf8), CONVERT(ssl_cipher USING utf8), CONVERT(x509_issuer USING utf8), \
             CONVERT(x509_subject USING utf8) FROM mysql.user WHERE User = {quoted_user}"
        );
        let required: Option<Required> = self.first(&required).await?;
        if let Some(required) = required {
            self.run("ALTER USER", &dialect.requirement(&required, other))
                .await?;
        }
        let set = format!("SET PASSWORD FOR {quoted_other} = {}", dialect.password(password));
        self.run("SET PASSWORD", &set).await
    }

    async fn first<T: mysql_async::prelude::FromRow + Send + 'static>(
        &mut self,
        statement: &str,
    ) -> Result<Option<T>> {
        let found = self.connection.query_first(statement).await;
        found.map_err(|error| failed("a question", &error))
    }

    pub(crate) async fn close(self) {
        let _ = timeout(LOGIN_TIME, self.connection.disconnect()).await;
    }
}

/// The server's code and what it means. Its words may quote the statement, and with it the password.
fn failed(doing: &'static str, error: &mysql_async::Error) -> Error {
    let reason = match error {
        mysql_async::Error::Server(told) => format!("error {} ({})", told.code, told.state),
        _ => "the session broke off".to_owned(),
    };
    Error::Database { doing, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_want_to_be_told_in_their_own_ways() {
        let old = Dialect::of("5.7.44-log", "STRICT_TRANS_TABLES");
        let maria = Dialect::of("10.11.6-MariaDB-0+deb12u1", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES");
        let new = Dialect::of("8.4.0", "");
        assert_eq!(old.password("a'b\\"), "PASSWORD('a\\'b\\\\')");
        assert_eq!(maria.password("a'b\\"), "PASSWORD('a''b\\')");
        assert_eq!(new.password("p"), "'p'");
        assert_eq!(Dialect::of("9.1.0", ""), new);
        assert!(Dialect::of("11.4.2-MariaDB", "").hashes);
    }

    #[test]
    fn grants_and_requirements_are_taken_over() {
        let dialect = Dialect::of("8.4.0", "");
        let grant = "GRANT SELECT, INSERT ON `shop`.* TO `ann`@`%` WITH GRANT OPTION";
        assert_eq!(
            dialect.grant_for(grant, "ann_clone"),
            "GRANT SELECT, INSERT ON `shop`.* TO 'ann_clone'"
        );
        for (grant, expected) in [
            (
                "GRANT USAGE ON *.* TO `ann`@`%` IDENTIFIED BY PASSWORD '*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4'",
                "GRANT USAGE ON *.* TO 'ann_clone'",
            ),
            (
                "GRANT `clerk` TO `ann`@`%` WITH ADMIN OPTION",
                "GRANT `clerk` TO 'ann_clone'",
            ),
            (
                "SET DEFAULT ROLE `clerk` FOR `ann`@`%`",
                "SET DEFAULT ROLE `clerk` FOR 'ann_clone'",
            ),
            (
                "SET DEFAULT ROLE `what TO FOR who` FOR `ann`@`%`",
                "SET DEFAULT ROLE `what TO FOR who` FOR 'ann_clone'",
            ),
            (
                "GRANT SELECT ON `a TO b`.* TO `ann`@`%`",
                "GRANT SELECT ON `a TO b`.* TO 'ann_clone'",
            ),
            (
                "GRANT SELECT ON `a`` TO b`.* TO `ann`@`%`",
                "GRANT SELECT ON `a`` TO b`.* TO 'ann_clone'",
            ),
        ] {
            assert_eq!(dialect.grant_for(grant, "ann_clone"), expected);
        }
        let required = |kind: &str, cipher: &str, issuer: &str| {
            let required = (
                kind.to_owned(),
                cipher.to_owned(),
                issuer.to_owned(),
                String::new(),
            );
            dialect.requirement(&required, "b")
        };
        assert_eq!(required("", "", ""), "ALTER USER 'b' REQUIRE NONE");
        assert_eq!(required("ANY", "", ""), "ALTER USER 'b' REQUIRE SSL");
        assert_eq!(required("X509", "", ""), "ALTER USER 'b' REQUIRE X509");
        assert_eq!(
            required("SPECIFIED", "AES", "/CN=x"),
            "ALTER USER 'b' REQUIRE CIPHER 'AES' AND ISSUER '/CN=x'"
        );
    }
}
