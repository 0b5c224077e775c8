//! What has a policy of its own, over all services: each service publishes its resources here, and engines that ask who can reach
//! what read them without knowing the service.
//!
//! Invariant: a reader sees resources one page at a time, in an order that stays, so that it can go on in another transaction.

use policy::Arn;

use crate::call::{Call, Look};
use crate::operation::Result;
use crate::resource::ResourcePolicies;

/// One service's resources of one type.
pub struct Inventory {
    /// CloudFormation's type name: `AWS::KMS::Key`.
    pub kind: &'static str,
    /// botocore's name of the service whose calls change them.
    pub service: &'static str,
    /// A page of an account's resources in a region: at most `limit`, behind the place `after`. Those of a global service are in
    /// every region.
    pub page: fn(&mut Look<'_>, &Stretch<'_>) -> Result<Vec<Placed>>,
    /// The resource of an ARN; `None` if the ARN names none of this type.
    pub find: fn(&mut Look<'_>, &Arn) -> Result<Option<Inventoried>>,
}

/// Which page of an inventory.
pub struct Stretch<'a> {
    /// Twelve digits.
    pub account: &'a str,
    pub region: &'a str,
    /// The place of the last resource of the page before.
    pub after: Option<&'a str>,
    pub limit: usize,
}

/// A resource behind the place where it stands, which is good for `Stretch::after`.
pub type Placed = (String, Inventoried);

/// A resource with its policies.
pub struct Inventoried {
    pub arn: String,
    /// The account that owns it.
    pub owner: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub policies: ResourcePolicies,
    pub tags: Vec<(String, String)>,
}

/// What one service keeps encrypted under keys of KMS: whoever asks what a key's end would take with it reads these lists without
/// knowing the service. Only the ciphertexts tell the keys, whatever the resource says of itself by now.
pub struct Dependents {
    /// CloudFormation's type name: `AWS::SecretsManager::Secret`.
    pub kind: &'static str,
    /// A page over all accounts and regions: at most `limit`, behind the place `after`.
    pub page: DependentsPage,
}

/// At most so many, behind a place.
pub type DependentsPage = fn(&mut Look<'_>, Option<&[String]>, usize) -> Result<Vec<Dependent>>;

/// A resource and the keys that it cannot be read without.
pub struct Dependent {
    /// Where it stands in its list.
    pub place: Vec<String>,
    pub arn: String,
    /// ARNs of keys; more than one where its versions differ, none where nothing of it is encrypted.
    pub keys: Vec<String>,
}

/// Hears, in the call's own transaction, that a call of a service changed something.
pub struct Observer {
    pub changed: fn(&mut Call<'_>) -> Result<()>,
}

impl Look<'_> {
    /// The inventories of all services.
    pub fn inventories(&self) -> &[&'static Inventory] {
        &self.environment.inventories
    }

    /// Whether this cloud answers for a service, by botocore's name: `kms`.
    pub fn serves(&self, service: &str) -> bool {
        self.environment.services.serves(service)
    }

    /// The actions that the operations of this cloud ask for, in order: `kms:CreateKey`.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.environment.actions.iter().copied()
    }
}
