//! Which function a handler's name means, and the way of an event to it.

use serde_json::Value;

use crate::alternating_users;
use crate::database::Engine;
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::secrets::Secrets;
use crate::single_user;
use crate::steps::{self, Rotation};

/// The functions by their handlers' names, with what they do.
pub const HANDLERS: [(&str, &str); 4] = [
    (
        "postgresql.single-user",
        "a PostgreSQL user changes its own password",
    ),
    (
        "postgresql.alternating-users",
        "two PostgreSQL users take turns, changed by a superuser",
    ),
    (
        "mysql.single-user",
        "a MySQL or MariaDB user changes its own password",
    ),
    (
        "mysql.alternating-users",
        "two MySQL or MariaDB users take turns, changed by a superuser",
    ),
];

/// A function that is ready for events.
pub(crate) struct Handler {
    secrets: Secrets,
    engine: Engine,
    alternating: bool,
}

impl Handler {
    pub(crate) fn of(environment: Environment) -> Result<Self> {
        let (engine, alternating) = match environment.handler.as_str() {
            "postgresql.single-user" => (Engine::Postgresql, false),
            "postgresql.alternating-users" => (Engine::Postgresql, true),
            "mysql.single-user" => (Engine::Mysql, false),
            "mysql.alternating-users" => (Engine::Mysql, true),
            handler => {
                return Err(Error::Handler {
                    handler: handler.to_owned(),
                    known: HANDLERS.map(|(name, _)| name).join(", "),
                });
            }
        };
        Ok(Self {
            secrets: Secrets::new(environment),
            engine,
            alternating,
        })
    }

    /// Takes the step that an event asks for.
    pub(crate) async fn handle(&self, event: &Value) -> Result<()> {
        let text = |name: &'static str| {
            let value = event.get(name).and_then(Value::as_str);
            value.map(str::to_owned).ok_or(Error::Event(name))
        };
        let rotation = Rotation {
            secrets: &self.secrets,
            engine: self.engine,
            arn: text("SecretId")?,
            version: text("ClientRequestToken")?,
            token: event
                .get("RotationToken")
                .and_then(Value::as_str)
                .map(str::to_owned),
        };
        let step = text("Step")?;
        if rotation.expect_staged().await? == steps::Stage::Current {
            return Ok(());
        }
        match step.as_str() {
            "createSecret" if self.alternating => rotation.create_secret(alternating_users::other_user).await,
            "createSecret" => rotation.create_secret(str::to_owned).await,
            "setSecret" if self.alternating => alternating_users::set_secret(&rotation).await,
            "setSecret" => single_user::set_secret(&rotation).await,
            "testSecret" => rotation.test_secret().await,
            "finishSecret" => rotation.finish_secret().await,
            _ => Err(Error::Refused(format!(
                "Invalid step parameter {step} for secret {}",
                rotation.arn
            ))),
        }
    }
}
