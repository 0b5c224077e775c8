//! Signing in to the console: what a browser shows, what comes of it, and its record. Who knows passwords is the directory.
//!
//! Invariant: a step is answered only after its events are durable, in one commit with what the step wrote; the step decides for itself
//! what to write, so that a failed one is kept too.

use std::net::SocketAddr;
use std::sync::Arc;

use crypto::Secret;
use serde_json::{Map, Value};
use wire::{Fault, Timestamp, fault::Common};

use crate::call::{Call, Look, RequestFacts};
use crate::front::{TlsFacts, network};
use crate::gateway::{ATTEMPTS_MAX, Gateway};
use crate::identity::{Identity, IdentityType};
use crate::ledger::record::Caller;
use crate::operation::Result;
use crate::recorder::{self, Moment};

/// Sign-ins are global; those of AWS's global address are recorded here.
const REGION: &str = "us-east-1";

/// Temporary credentials. No `Debug`: they are secret.
#[derive(Clone)]
pub struct Keys {
    pub access_key_id: String,
    pub secret_access_key: Secret,
    pub session_token: Secret,
}

/// A step of signing in or out. Cookies are what the browser holds of a session.
pub enum Step {
    Password {
        /// Twelve digits or an alias.
        account: String,
        user: String,
        password: Secret,
    },
    /// The code of an MFA device of the user's.
    Code {
        cookie: String,
        code: String,
    },
    /// The user has changed the password, by IAM.
    Renewed {
        cookie: String,
    },
    /// STS lent the user a role.
    SwitchRole {
        cookie: String,
        role: SwitchedRole,
        keys: Keys,
        expires: Timestamp,
    },
    /// Back to the user.
    ExitRole {
        cookie: String,
    },
    SignOut {
        cookie: String,
    },
    /// A broker shows credentials of a role or a federated user, and asks for a token to sign in with.
    SigninToken {
        /// The broker's JSON of the credentials.
        session: Secret,
        lasting: Lasting,
    },
    /// Such a token comes back in a browser.
    Login {
        token: Secret,
    },
}

/// How long a broker asks the console session to last, in seconds; each parameter is of one kind of credentials.
#[derive(Clone, Copy, Default)]
pub struct Lasting {
    /// `SessionDuration`, of a role's.
    pub session: Option<i64>,
    /// `DurationSeconds`, of a federated user's.
    pub federated: Option<i64>,
}

/// A role that a user of the console has switched to.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct SwitchedRole {
    pub account: String,
    pub role: String,
    pub display_name: String,
}

/// How far a sign-in has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub enum Stage {
    /// The password was right; a code is asked for.
    Code,
    /// A new password is asked for: this one was set by others, or is too old.
    NewPassword,
    In,
}

/// What comes of a step.
pub struct Stepped {
    pub outcome: Outcome,
    pub events: Vec<SignInEvent>,
}

/// What the browser is told.
pub enum Outcome {
    /// With a message for people.
    Refused(&'static str),
    /// The session goes on under a new cookie.
    Next { cookie: String, stage: Stage },
    /// What a browser signs in with, as a broker asked.
    Token(String),
    /// Nothing more to tell: signed out.
    Done,
}

impl Stepped {
    /// What AWS says of whatever is wrong with a user name or password.
    pub const WRONG: &'static str = "Your authentication information is incorrect. Please try again.";

    /// A refusal that tells of nothing.
    #[must_use]
    pub const fn refused() -> Self {
        Self {
            outcome: Outcome::Refused(Self::WRONG),
            events: Vec::new(),
        }
    }
}

/// Who an event is about.
pub enum Who {
    /// A user, who proved it.
    Known(Box<Identity>),
    /// A user, who did not.
    Claimed {
        account: String,
        user_id: String,
        user_name: String,
    },
    /// A name that no user of the account bears; it may be a password that was typed into the wrong field.
    Hidden { account: String },
}

/// CloudTrail's `AwsConsoleSignIn` event (CloudTrail User Guide, "AWS Management Console sign-in events").
pub struct SignInEvent {
    /// `ConsoleLogin`
    pub name: &'static str,
    pub who: Who,
    /// The event's `errorMessage`; none of a success.
    pub error: Option<&'static str>,
    /// The access key of credentials that the answer stands for (`responseElements`).
    pub access_key_id: Option<String>,
    /// `additionalEventData`
    pub details: Map<String, Value>,
}

/// A console session as its cookie finds it.
pub struct ConsoleSession {
    pub stage: Stage,
    pub account: String,
    pub alias: Option<String>,
    /// As the user is called now; `role/session` or a federated user's name of who came by a broker.
    pub user_name: String,
    /// What a role's session is called that this session assumes.
    pub session_name: String,
    /// When the session ends.
    pub expires: Timestamp,
    /// The user's own; none while a code is asked for.
    pub keys: Option<Keys>,
    /// The role switched to, and its credentials, as long as these last.
    pub role: Option<(SwitchedRole, Keys)>,
}

/// A browser, as the wire tells of it.
#[derive(Clone)]
pub struct Visitor {
    pub peer: SocketAddr,
    pub user_agent: Option<String>,
    pub host: Option<String>,
    pub tls: Option<TlsFacts>,
}

impl Visitor {
    /// A step as a request: its record tells of the browser.
    pub(crate) fn facts(&self, id: String) -> RequestFacts {
        RequestFacts {
            id,
            source_ip: self.peer.ip().to_canonical().to_string(),
            user_agent: self.user_agent.clone(),
            secure: self.tls.is_some(),
            host: self.host.clone(),
            tls: self.tls,
            ..RequestFacts::default()
        }
    }

    /// Whom failures are counted by, beside the user.
    fn source(&self) -> String {
        network(self.peer.ip()).to_string()
    }
}

impl Gateway {
    /// Takes a step of signing in or out, and records it. Blocks, also for as long as a password's hash takes.
    ///
    /// # Errors
    /// The store's alone.
    pub fn sign_in(&self, visitor: &Visitor, step: &Step) -> Result<Outcome> {
        let environment = &self.environment;
        let nobody = Identity::anonymous(&environment.management_account);
        let facts = visitor.facts(environment.draw_id(environment.clock.wall().0));
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let now = environment.clock.now();
            let account = Arc::clone(&environment.management_account);
            let look = Look::new(&mut tx, environment, now, REGION, account);
            let mut call = Call::new(look, &nobody, &facts, "signin");
            let stepped = environment.directory.sign_in(&mut call, &visitor.source(), step);
            if call.look.conflict {
                continue;
            }
            let planned = !call.pending.is_empty();
            let Stepped { outcome, events } = stepped?;
            let appends = events.into_iter().map(|event| {
                let wall = environment.clock.wall();
                let moment = Moment {
                    now,
                    wall,
                    event: environment.draw_id(wall.0),
                };
                recorder::append(&recorder::signed_in(event, REGION, &facts, moment))
            });
            let appends = appends.collect();
            match self.store.commit(tx, appends).wait() {
                Ok(_) => {
                    if planned {
                        self.replanned.notify_one();
                    }
                    return Ok(outcome);
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::common(Common::Unavailable, ""))
    }

    /// The console session of a cookie, while it lasts.
    ///
    /// # Errors
    /// The store's alone.
    pub fn console_session(&self, cookie: &str) -> Result<Option<ConsoleSession>> {
        self.system(REGION, |call| {
            let directory = call.look.directory();
            directory.console_session(call, cookie)
        })
    }
}

impl Who {
    pub(crate) fn caller(self) -> Caller {
        let claimed = |account: String, user_id: String, user_name: String| Caller {
            kind: IdentityType::IamUser,
            principal_id: user_id,
            account,
            user_name: Some(user_name),
            ..Caller::unknown("")
        };
        match self {
            Self::Known(identity) => Caller::of(&identity),
            Self::Claimed {
                account,
                user_id,
                user_name,
            } => claimed(account, user_id, user_name),
            Self::Hidden { account } => claimed(
                account,
                String::new(),
                "HIDDEN_DUE_TO_SECURITY_REASONS".to_owned(),
            ),
        }
    }
}
