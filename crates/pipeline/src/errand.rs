//! Errands: what an operation or a job has done outside between two runs of it, and what came of it.
//!
//! An operation asks by `Call::errand`. What is not done yet suspends the run, which keeps nothing; the gateway does the errand in
//! no transaction and runs the operation again, which then finds the outcome. A conflict runs it once more with the same outcome.
//!
//! What `make` asked of other services (credentials of a role) is recorded with the outcome, since the run that asked keeps nothing.
//!
//! Invariant: within one call an errand is done once. A job whose server stops before the job's last transaction does it again:
//! errands of jobs are done at least once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use wire::{Fault, Timestamp};

use crate::call::Call;
use crate::functions::{Ended, Functions, Invocation, NotRun};
use crate::instances::{Failure, Instances, Outturn, Task};
use crate::invoke::Invoked;
use crate::kept::Unkept;
use crate::operation::Result;
use crate::outside::Wanted;

/// Errands of one call; more are refused, so that no call goes on for ever.
const ERRANDS_MAX: usize = 64;

/// What is to be done outside.
pub enum Errand {
    /// A function is run.
    Invoke(Box<Invocation>),
    /// An instance is started, stopped and so on.
    Instance(Box<Task>),
}

/// What came of an errand.
pub enum Outcome {
    /// A function ended, or could not be run.
    Invoked(Ended),
    /// What came of a task for the plane of instances.
    Instance(Outturn),
}

/// The ways in which errands are done; none if this Ringwork does none.
#[derive(Default)]
pub(crate) struct Errands {
    pub(crate) functions: Option<Arc<dyn Functions>>,
    pub(crate) instances: Option<Arc<dyn Instances>>,
}

impl Errands {
    async fn go(&self, errand: &Errand) -> Outcome {
        match errand {
            Errand::Invoke(invocation) => match &self.functions {
                Some(functions) => Outcome::Invoked(functions.invoke(invocation).await),
                None => errand.refused(),
            },
            Errand::Instance(task) => match &self.instances {
                Some(instances) => Outcome::Instance(instances.perform(task).await),
                None => errand.refused(),
            },
        }
    }
}

impl Errand {
    /// What comes of an errand that is not done.
    const fn refused(&self) -> Outcome {
        match self {
            Self::Invoke(_) => Outcome::Invoked(Err(NotRun::Refused)),
            Self::Instance(_) => Outcome::Instance(Err(Failure::Refused)),
        }
    }
}

/// An errand that a run cannot go on without.
pub(crate) struct Sent {
    name: String,
    errand: Errand,
    told: Told,
}

/// The calls that were made for an errand, to be recorded by the run that finds the outcome.
#[derive(Clone, Default)]
struct Told {
    invoked: Vec<Invoked>,
    unkept: Unkept,
}

/// An errand that is done.
struct Done {
    name: String,
    outcome: Arc<Outcome>,
    told: Told,
}

/// What the errands of one call came to, by all its runs.
#[derive(Default)]
pub(crate) struct Outcomes {
    done: Vec<Done>,
    /// How often the present run has asked under each name.
    asked: Mutex<HashMap<String, usize>>,
}

impl Outcomes {
    /// Forgets what a run has asked for: the next asks from the beginning.
    pub(crate) fn begin_run(&mut self) {
        self.asked.get_mut().clear();
    }

    pub(crate) async fn send(&mut self, errands: &Errands, sent: Sent) {
        let outcome = if self.done.len() < ERRANDS_MAX {
            errands.go(&sent.errand).await
        } else {
            sent.errand.refused()
        };
        self.done.push(Done {
            name: sent.name,
            outcome: Arc::new(outcome),
            told: sent.told,
        });
    }

    /// The outcome of the run's next errand of this name, if it is done.
    fn next(&self, name: &str) -> Option<&Done> {
        let mut asked = self.asked.lock();
        let count = asked.entry(name.to_owned()).or_default();
        let found = self.done.iter().filter(|done| done.name == name).nth(*count)?;
        *count += 1;
        Some(found)
    }
}

impl Call<'_> {
    /// What came of an errand. If it is not done yet, `make` says what is to be done and this run ends; the next finds the outcome
    /// and does not `make` again, so what `make` draws (credentials, ids) is drawn once.
    ///
    /// `refused` is the outcome where errands are not done at all.
    ///
    /// `name` tells the errands of one call apart and must be the same in every run, so it holds nothing that is drawn. Errands of
    /// the same name are told apart by the order in which a run asks for them.
    ///
    /// # Errors
    /// `make`'s, and an internal fault that no caller sees when the errand must be done first: hand it up.
    pub fn errand(
        &mut self,
        name: &str,
        refused: impl FnOnce() -> Outcome,
        make: impl FnOnce(&mut Self) -> Result<Errand>,
    ) -> Result<Arc<Outcome>> {
        let Some(brought) = self.look.brought else {
            return Ok(Arc::new(refused()));
        };
        if let Some(done) = brought.outcomes.next(name) {
            self.invoked.extend(done.told.invoked.iter().cloned());
            self.unkept.extend(done.told.unkept.clone());
            return Ok(Arc::clone(&done.outcome));
        }
        let (before, own) = (self.invoked.len(), std::mem::take(&mut self.unkept));
        let made = make(self);
        let unkept = std::mem::replace(&mut self.unkept, own);
        let errand = match made {
            Ok(errand) => errand,
            Err(fault) => {
                self.unkept.extend(unkept);
                return Err(fault);
            }
        };
        let told = Told {
            invoked: self.invoked.split_off(before),
            unkept,
        };
        let name = name.to_owned();
        self.look.wanted = Some(Wanted::Errand(Sent { name, errand, told }));
        Err(Fault::internal("an errand must be done first"))
    }

    /// Runs a function as an errand. See `errand`.
    ///
    /// # Errors
    /// As `errand`.
    pub fn run_function(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut Self) -> Result<Invocation>,
    ) -> Result<Arc<Outcome>> {
        let refused = || Outcome::Invoked(Err(NotRun::Refused));
        self.errand(name, refused, |call| make(call).map(Box::new).map(Errand::Invoke))
    }

    /// Whether a process of a function of the call's account waits for work. See `Functions::waits`. Processes of a closed account wait
    /// for nothing: a new one would need credentials, which nobody gets there.
    ///
    /// # Errors
    /// The store's, as a fault.
    pub fn function_waits(
        &mut self,
        function_arn: &str,
        configuration: &str,
        until: Timestamp,
    ) -> Result<bool> {
        let functions = &self.look.environment.outdoors.errands.functions;
        let waits = functions
            .as_ref()
            .is_some_and(|functions| functions.waits(function_arn, configuration, until));
        if !waits {
            return Ok(false);
        }
        let account = self.look.account_shared();
        let closed = self.look.directory().account_closed(&mut self.look, &account)?;
        Ok(!closed)
    }

    /// Whether the runner has the code with this SHA-256 unpacked, so that `Invocation::zip` may stay empty. It keeps the code
    /// for a minute at least after it said so.
    pub fn holds_code(&self, sha256: &str) -> bool {
        let functions = &self.look.environment.outdoors.errands.functions;
        functions
            .as_ref()
            .is_some_and(|functions| functions.holds(sha256))
    }
}
