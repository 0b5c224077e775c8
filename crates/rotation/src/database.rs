//! A session with a database's server, whichever it is.

use crate::credential::{Credential, Ssl};
use crate::error::Result;
use crate::{mysql, postgresql};

/// The kinds of servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Engine {
    Postgresql,
    Mysql,
}

impl Engine {
    /// What secrets call it.
    pub(crate) const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Postgresql => &["postgres", "aurora-postgresql"],
            Self::Mysql => &["mysql", "mariadb", "aurora-mysql", "aurora"],
        }
    }

    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Postgresql => 5432,
            Self::Mysql => 3306,
        }
    }

    /// What passwords do without, since connection strings trip over it.
    pub(crate) const fn excluded_characters(self) -> &'static str {
        match self {
            Self::Postgresql => ":/@\"'\\",
            Self::Mysql => "/@\"'\\",
        }
    }
}

/// A session of somebody who logged in.
pub(crate) enum Session {
    Postgresql(postgresql::Session),
    Mysql(mysql::Session),
}

impl Session {
    /// Logs in, over TLS as the secret says; `None` if the server does not let the user in or does not answer.
    pub(crate) async fn open(engine: Engine, credential: &Credential) -> Result<Option<Self>> {
        let tls = credential.ssl != Ssl::Disabled;
        let opened = Self::attempt(engine, credential, tls).await?;
        if opened.is_some() || credential.ssl != Ssl::Preferred {
            return Ok(opened);
        }
        Self::attempt(engine, credential, false).await
    }

    async fn attempt(engine: Engine, credential: &Credential, tls: bool) -> Result<Option<Self>> {
        Ok(match engine {
            Engine::Postgresql => postgresql::Session::open(credential, tls)
                .await?
                .map(Self::Postgresql),
            Engine::Mysql => mysql::Session::open(credential, tls).await?.map(Self::Mysql),
        })
    }

    /// Runs a statement.
    pub(crate) async fn run(&mut self, doing: &'static str, statement: &str) -> Result<()> {
        match self {
            Self::Postgresql(session) => session.run(doing, statement).await,
            Self::Mysql(session) => session.run(doing, statement).await,
        }
    }

    /// Changes the password of the user who is logged in.
    pub(crate) async fn set_own_password(&mut self, user: &str, password: &str) -> Result<()> {
        match self {
            Self::Postgresql(session) => session.set_password(user, password).await,
            Self::Mysql(session) => session.set_own_password(password).await,
        }
    }

    /// Changes the password of `other`; makes it after the image of `user` if it is not there.
    pub(crate) async fn set_other_password(&mut self, user: &str, other: &str, password: &str) -> Result<()> {
        match self {
            Self::Postgresql(session) => session.set_other_password(user, other, password).await,
            Self::Mysql(session) => session.set_other_password(user, other, password).await,
        }
    }

    /// Says good-bye.
    pub(crate) async fn close(self) {
        match self {
            Self::Postgresql(session) => session.close().await,
            Self::Mysql(session) => session.close().await,
        }
    }
}
