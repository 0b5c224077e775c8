//! PostgreSQL: sessions, and the statements that change passwords.
//!
//! Invariant: names and passwords are quoted by the rules of the server; a password goes to the server as the SCRAM verifier that it
//! would keep itself, so that it stands in none of the server's logs, unless the server keeps another form.

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use crate::credential::Credential;
use crate::error::{Error, Result};
use crate::tls::Tls;

/// How long a server may take to let somebody in.
const LOGIN_TIME: Duration = Duration::from_secs(5);

/// A session.
pub(crate) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn open(credential: &Credential, tls: bool) -> Result<Option<Self>> {
        let mut config = Config::new();
        config
            .host(&credential.host)
            .port(credential.port)
            .user(&credential.username)
            .password(&credential.password)
            .dbname(credential.dbname.as_deref().unwrap_or("postgres"))
            .ssl_mode(if tls { SslMode::Require } else { SslMode::Disable })
            .connect_timeout(LOGIN_TIME)
            .application_name("rotation");
        let Ok(Ok((client, connection))) = timeout(LOGIN_TIME * 2, config.connect(Tls::new()?)).await else {
            return Ok(None);
        };
        let connection = tokio::spawn(async move {
            // It ends with the session; what goes wrong meanwhile, the session's statements tell.
            let _ = connection.await;
        });
        Ok(Some(Self { client, connection }))
    }

    pub(crate) async fn run(&mut self, doing: &'static str, statement: &str) -> Result<()> {
        let ran = self.client.batch_execute(statement).await;
        ran.map_err(|error| failed(doing, &error))
    }

    /// The first column of the first row.
    async fn ask(&self, statement: &str) -> Result<Option<String>> {
        let rows = self.client.simple_query(statement).await;
        let rows = rows.map_err(|error| failed("a question", &error))?;
        let first = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Ok(first.map(str::to_owned))
    }

    /// The password as the server keeps it, or as it is where the server keeps another form.
    async fn kept(&self, password: &str) -> Result<String> {
        let form = self.ask("SHOW password_encryption").await?;
        Ok(match form.as_deref() {
            Some("scram-sha-256") => scram_sha_256(password.as_bytes()),
            _ => password.to_owned(),
        })
    }

    pub(crate) async fn set_password(&mut self, user: &str, password: &str) -> Result<()> {
        let kept = self.kept(password).await?;
        let (user, kept) = (escape_identifier(user), escape_literal(&kept));
        self.run("ALTER USER", &format!("ALTER USER {user} WITH PASSWORD {kept}"))
            .await
    }

    pub(crate) async fn set_other_password(&mut self, user: &str, other: &str, password: &str) -> Result<()> {
        let there = format!("SELECT 1 FROM pg_roles WHERE rolname = {}", escape_literal(other));
        if self.ask(&there).await?.is_some() {
            return self.set_password(other, password).await;
        }
        let kept = self.kept(password).await?;
        let (user, other, kept) = (
            escape_identifier(user),
            escape_identifier(other),
            escape_literal(&kept),
        );
        // One batch is one transaction: no role without its membership stays behind.
        let made = format!("CREATE ROLE {other} WITH LOGIN PASSWORD {kept}; GRANT {user} TO {other}");
        self.run("CREATE ROLE", &made).await
    }

    pub(crate) async fn close(self) {
        drop(self.client);
        let _ = timeout(LOGIN_TIME, self.connection).await;
    }
}

/// The server's code and words; they name users, not passwords.
fn failed(doing: &'static str, error: &tokio_postgres::Error) -> Error {
    let reason = error.as_db_error().map_or_else(
        || error.to_string(),
        |told| format!("{}: {}", told.code().code(), told.message()),
    );
    Error::Database { doing, reason }
}
