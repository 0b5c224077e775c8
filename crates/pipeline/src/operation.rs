//! Operations as rows of tables: what an operation reads, what it needs, and the one function that runs it.
//!
//! Invariant: `Endpoint::run` authorizes before it handles; there is no other way to a handler.

use policy::Context;
use wire::{Document, Fault, FromDocument, IntoDocument};

use crate::authorize;
use crate::call::{Call, Look};
use crate::identity::Identity;
use crate::quota;
use crate::resource::{Authorized, Found, Resource};

/// What a handler answers.
pub type Result<T> = std::result::Result<T, Fault>;

/// The access level of an action, as AWS's service authorization reference gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Read,
    List,
    Write,
    Tagging,
    PermissionsManagement,
}

/// What a caller must be allowed before an operation runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// `kms:CreateKey`
    pub action: &'static str,
    pub level: Level,
    /// No policy is asked: AWS lets every authenticated caller do this (`sts:GetCallerIdentity`).
    pub open: bool,
}

impl Access {
    const fn new(action: &'static str, level: Level) -> Self {
        Self {
            action,
            level,
            open: false,
        }
    }

    pub const fn read(action: &'static str) -> Self {
        Self::new(action, Level::Read)
    }

    pub const fn list(action: &'static str) -> Self {
        Self::new(action, Level::List)
    }

    pub const fn write(action: &'static str) -> Self {
        Self::new(action, Level::Write)
    }

    pub const fn tagging(action: &'static str) -> Self {
        Self::new(action, Level::Tagging)
    }

    pub const fn permissions(action: &'static str) -> Self {
        Self::new(action, Level::PermissionsManagement)
    }

    /// An operation that needs no permission on AWS. It still needs a valid signature.
    pub const fn open(action: &'static str) -> Self {
        Self {
            action,
            level: Level::Read,
            open: true,
        }
    }

    /// Whether CloudTrail calls the event read-only.
    pub const fn read_only(self) -> bool {
        matches!(self.level, Level::Read | Level::List)
    }
}

/// One operation of one service. Implemented by a unit struct named as AWS names the operation.
pub trait Operation: 'static {
    type Input: FromDocument;
    type Output: IntoDocument;
    /// What the operation is done to. Operations on nothing yet target `AccountScope` or `Denoted`.
    type Target: Resource;

    const ACCESS: Access;
    /// Condition keys that `conditions` may set, as the service authorization reference spells them
    /// (`kms:EncryptionContext:${EncryptionContextKey}`, `aws:RequestTag/${TagKey}`).
    const CONDITIONS: &'static [&'static str] = &[];
    /// What else the handler asks for, by `Call::authorize`.
    const ALSO: &'static [Access] = &[];
    /// CloudTrail's `readOnly`, where it differs from the access level (`kms:Decrypt` is read-only there).
    const READ_ONLY: bool = Self::ACCESS.read_only();
    /// The input itself proves who calls, so that no signature is asked for: `bearer` reads the proof.
    const BEARER: bool = false;

    /// Verifies the proof of a `BEARER` operation and says who calls, before the target is sought; the target is then judged
    /// for that caller, and the record names it. Whatever `Identity::federation` says goes into the context of every decision.
    ///
    /// # Errors
    /// The fault that answers a proof that does not hold.
    fn bearer(_look: &mut Look<'_>, _input: &Self::Input) -> Result<Identity> {
        Err(Fault::internal(
            "an operation without a proof in its input was asked for one",
        ))
    }

    /// What this input needs. It is `ACCESS`, but where AWS asks for another action by the input (`s3:GetObjectVersion` where a version
    /// is named); such an action is declared in `ALSO`.
    fn access(_input: &Self::Input) -> Access {
        Self::ACCESS
    }

    /// Finds what the input names, inside the transaction. It may refuse a name that cannot be one, but must not
    /// refuse for absence: that is `Found::Absent`, which is judged first.
    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Self::Target>>;

    /// Sets the condition keys that the input carries.
    fn conditions(_input: &Self::Input, _context: &mut Context) {}

    /// Does it. May run more than once, so it has no effect but through `call`.
    fn handle(
        call: &mut Call<'_>,
        target: Authorized<Self::Target>,
        input: Self::Input,
    ) -> Result<Self::Output>;
}

type Run = fn(&mut Call<'_>, &'static str, Document) -> Result<Document>;
type Prove = fn(&mut Look<'_>, &Document) -> Result<Identity>;

/// One row of a service's `OPERATIONS`: an `Operation` without its types.
pub struct Endpoint {
    /// botocore's service name.
    pub service: &'static str,
    /// AWS's operation name.
    pub name: &'static str,
    pub access: Access,
    pub conditions: &'static [&'static str],
    pub also: &'static [Access],
    pub read_only: bool,
    run: Run,
    prove: Option<Prove>,
}

impl Endpoint {
    /// Erases the operation's types. Called by `operations!`.
    pub const fn of<O: Operation>(service: &'static str, name: &'static str) -> Self {
        Self {
            service,
            name,
            access: O::ACCESS,
            conditions: O::CONDITIONS,
            also: O::ALSO,
            read_only: O::READ_ONLY,
            run: run::<O>,
            prove: if O::BEARER { Some(prove::<O>) } else { None },
        }
    }

    /// Whether the input proves the caller, instead of a signature.
    pub const fn is_bearer(&self) -> bool {
        self.prove.is_some()
    }

    /// The caller whom the input proves; `None` for operations that are signed.
    pub(crate) fn prove(&self, look: &mut Look<'_>, input: &Document) -> Result<Option<Identity>> {
        self.prove.map(|prove| prove(look, input)).transpose()
    }

    /// Authorizes and handles one decoded and checked input.
    pub(crate) fn run(&self, call: &mut Call<'_>, input: Document) -> Result<Document> {
        (self.run)(call, self.name, input)
    }
}

fn run<O: Operation>(call: &mut Call<'_>, name: &'static str, input: Document) -> Result<Document> {
    let input = O::Input::from_document(input)?;
    let found = O::target(&mut call.look, &input)?;
    let mut context = Context::default();
    O::conditions(&input, &mut context);
    let class = match &found {
        Found::Here(target) => target.class(),
        Found::Absent { .. } => "",
    };
    quota::spend(call, name, class, &context)?;
    let target = authorize::admit(call, O::access(&input), found, context)?;
    O::handle(call, target, input).map(IntoDocument::into_document)
}

fn prove<O: Operation>(look: &mut Look<'_>, input: &Document) -> Result<Identity> {
    O::bearer(look, &O::Input::from_document(input.clone())?)
}

/// The table of a service's operations: `operations!["kms"; key::{CreateKey, DescribeKey}, alias::{CreateAlias}]`.
/// `cargo xtask codegen` reads the same text to know which types to generate.
#[macro_export]
macro_rules! operations {
    ($service:literal; $($noun:ident::{$($operation:ident),* $(,)?}),* $(,)?) => {
        &[$($($crate::Endpoint::of::<$noun::$operation>($service, stringify!($operation)),)*)*]
    };
}
