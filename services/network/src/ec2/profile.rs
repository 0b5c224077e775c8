//! The instance profile of an instance: who may give it one, and the operations that do.
//!
//! Source: Amazon EC2 User Guide, "Attach an IAM role to an instance"; Amazon EC2 API Reference, `AssociateIamInstanceProfile`.
//!
//! Invariant: nobody gives an instance a role that they may not pass to EC2 (S1.13).

use api::ec2 as model;
use pipeline::identity::InstanceProfile;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::{Arn, Context};
use wire::{Fault, Timestamp};

use super::fault::{combination, invalid, invalid_value, missing};
use super::instance::{self, Association, Instance, PRINCIPAL, State};
use super::naming;
use super::page::Listing;
use super::place::RegionScope;

/// What it takes to hand a role to an instance.
pub(super) const PASS: Access = Access::write("iam:PassRole");

impl Association {
    /// A new one.
    pub(super) fn new(call: &Call<'_>, profile: &InstanceProfile) -> Result<Self> {
        Ok(Self {
            id: naming::draw(call, "iip-assoc")?,
            profile_arn: profile.arn.clone(),
            profile_id: profile.id.clone(),
            profile_name: profile.name.clone(),
            since: call.now.0,
        })
    }

    fn shown(
        &self,
        instance: &str,
        state: model::IamInstanceProfileAssociationState,
    ) -> model::IamInstanceProfileAssociation {
        model::IamInstanceProfileAssociation {
            association_id: Some(self.id.clone()),
            iam_instance_profile: Some(model::IamInstanceProfile {
                arn: Some(self.profile_arn.clone()),
                id: Some(self.profile_id.clone()),
            }),
            instance_id: Some(instance.to_owned()),
            state: Some(state),
            timestamp: Some(Timestamp(self.since)),
        }
    }
}

/// The profile that a request names, with a role in it.
pub(super) fn resolve(
    look: &mut Look<'_>,
    given: &model::IamInstanceProfileSpecification,
) -> Result<InstanceProfile> {
    let account = look.account().to_owned();
    let directory = look.directory();
    let (value, parameter, why, found) = match (&given.arn, &given.name) {
        (Some(_), Some(_)) => {
            return Err(combination(
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
            ));
        }
        (None, None) => return Err(missing("IamInstanceProfile")),
        (None, Some(name)) => (
            name,
            "iamInstanceProfile.name",
            "Invalid IAM Instance Profile name",
            directory.instance_profile(look, &account, name)?,
        ),
        (Some(arn), None) => {
            let parsed = Arn::parse(arn).filter(|arn| arn.service() == "iam" && arn.account() == account);
            let name = parsed.as_ref().and_then(|arn| {
                let path = arn.resource().strip_prefix("instance-profile/")?;
                path.rsplit('/').next()
            });
            let found = match name {
                Some(name) => directory.instance_profile(look, &account, name)?,
                None => None,
            };
            (
                arn,
                "iamInstanceProfile.arn",
                "Invalid IAM Instance Profile ARN",
                found.filter(|found| found.arn == *arn),
            )
        }
    };
    let found = found.ok_or_else(|| invalid_value(value, parameter, why))?;
    if found.role.is_none() {
        return Err(invalid(format!(
            "IAM Instance Profile \"{}\" has no associated IAM Roles",
            found.arn
        )));
    }
    Ok(found)
}

/// Asks whether the caller may hand the profile's role to an instance.
pub(super) fn pass(call: &mut Call<'_>, profile: &InstanceProfile, instance_arn: &str) -> Result<()> {
    let Some((_, role)) = &profile.role else {
        return Err(Fault::internal("a profile without a role was resolved"));
    };
    let context = Context::new()
        .with("iam:PassedToService", PRINCIPAL)
        .with("iam:AssociatedResourceArn", instance_arn.to_owned());
    let owner = call.account().to_owned();
    call.also(PASS, role, &owner, context)
}

/// An instance that is to get a profile, as policies see it.
#[derive(Clone)]
pub struct Receiving {
    instance: Instance,
    profile: Option<InstanceProfile>,
}

impl Resource for Receiving {
    const TYPE: &'static str = Instance::TYPE;

    fn arn(&self) -> String {
        self.instance.arn()
    }

    fn account(&self) -> &str {
        &self.instance.account
    }

    fn conditions(&self, context: &mut Context) {
        self.instance.conditions(context);
        if let Some(profile) = &self.profile {
            context.insert("ec2:NewInstanceProfile", profile.arn.clone());
        }
    }
}

/// The instance that is to get a profile. What is wrong with the profile is told once the caller was admitted.
fn receiving(
    look: &mut Look<'_>,
    found: Found<Instance>,
    given: &model::IamInstanceProfileSpecification,
) -> Found<Receiving> {
    let profile = resolve(look, given).ok();
    match found {
        Found::Here(instance) => Found::Here(Receiving { instance, profile }),
        Found::Absent { arn, fault } => Found::Absent { arn, fault },
    }
}

/// Whether an instance can get or lose a profile now.
fn expect_resting(instance: &Instance) -> Result<()> {
    if matches!(instance.state, State::Running | State::Stopped | State::Pending) {
        return Ok(());
    }
    Err(Fault::plain(
        "IncorrectInstanceState",
        400,
        format!(
            "The instance '{}' is not in a valid state for this operation.",
            instance.id
        ),
    ))
}

/// Writes down that an instance has a profile, in a new association.
fn give(
    call: &mut Call<'_>,
    mut instance: Instance,
    profile: &InstanceProfile,
) -> Result<model::IamInstanceProfileAssociation> {
    let held = Association::new(call, profile)?;
    let shown = held.shown(
        &instance.id,
        model::IamInstanceProfileAssociationState::Associating,
    );
    instance.profile = Some(held);
    instance.keep(call)?;
    Ok(shown)
}

/// Gives an instance a profile.
pub struct AssociateIamInstanceProfile;

impl Operation for AssociateIamInstanceProfile {
    type Input = model::AssociateIamInstanceProfileRequest;
    type Output = model::AssociateIamInstanceProfileResult;
    type Target = Receiving;
    const ACCESS: Access = Access::write("ec2:AssociateIamInstanceProfile");
    const ALSO: &'static [Access] = &[PASS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Receiving>> {
        let found = instance::named(look, &input.instance_id)?;
        Ok(receiving(look, found, &input.iam_instance_profile))
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<Receiving>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let profile = resolve(call, &input.iam_instance_profile)?;
        let instance = target.into_inner().instance;
        pass(call, &profile, &instance.arn())?;
        expect_resting(&instance)?;
        if instance.profile.is_some() {
            return Err(Fault::plain(
                "IncorrectState",
                400,
                format!("There is an existing association for instance {}", instance.id),
            ));
        }
        let shown = give(call, instance, &profile)?;
        Ok(model::AssociateIamInstanceProfileResult {
            iam_instance_profile_association: Some(shown),
        })
    }
}

/// The instance with an association of this id. None is judged as any instance.
fn associated(look: &mut Look<'_>, id: &str) -> Result<Found<Instance>> {
    let found = instance::all(look)?
        .into_iter()
        .find(|instance| instance.profile.as_ref().is_some_and(|held| held.id == id));
    let arn = naming::arn(look.region(), look.account(), "instance", "*");
    Ok(Found::or_absent(
        found.map(|instance| (*instance).clone()),
        || {
            let message = format!("An invalid association-id of '{id}' was given");
            (arn, Fault::plain("InvalidAssociationID.NotFound", 400, message))
        },
    ))
}

/// Takes its profile from an instance.
pub struct DisassociateIamInstanceProfile;

impl Operation for DisassociateIamInstanceProfile {
    type Input = model::DisassociateIamInstanceProfileRequest;
    type Output = model::DisassociateIamInstanceProfileResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:DisassociateIamInstanceProfile");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        associated(look, &input.association_id)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<Instance>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let mut instance = target.into_inner();
        expect_resting(&instance)?;
        let held = instance.profile.take();
        let shown = held.map(|held| {
            held.shown(
                &instance.id,
                model::IamInstanceProfileAssociationState::Disassociating,
            )
        });
        super::credentials::forget(call, &instance)?;
        instance.keep(call)?;
        Ok(model::DisassociateIamInstanceProfileResult {
            iam_instance_profile_association: shown,
        })
    }
}

/// Gives an instance another profile, without a moment between.
pub struct ReplaceIamInstanceProfileAssociation;

impl Operation for ReplaceIamInstanceProfileAssociation {
    type Input = model::ReplaceIamInstanceProfileAssociationRequest;
    type Output = model::ReplaceIamInstanceProfileAssociationResult;
    type Target = Receiving;
    const ACCESS: Access = Access::write("ec2:ReplaceIamInstanceProfileAssociation");
    const ALSO: &'static [Access] = &[PASS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Receiving>> {
        let found = associated(look, &input.association_id)?;
        Ok(receiving(look, found, &input.iam_instance_profile))
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<Receiving>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let profile = resolve(call, &input.iam_instance_profile)?;
        let instance = target.into_inner().instance;
        pass(call, &profile, &instance.arn())?;
        expect_resting(&instance)?;
        super::credentials::forget(call, &instance)?;
        let shown = give(call, instance, &profile)?;
        Ok(model::ReplaceIamInstanceProfileAssociationResult {
            iam_instance_profile_association: Some(shown),
        })
    }
}

/// Lists which instance has which profile.
pub struct DescribeIamInstanceProfileAssociations;

impl Operation for DescribeIamInstanceProfileAssociations {
    type Input = model::DescribeIamInstanceProfileAssociationsRequest;
    type Output = model::DescribeIamInstanceProfileAssociationsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeIamInstanceProfileAssociations");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let paged = (input.max_results, input.next_token);
        let list = "DescribeIamInstanceProfileAssociations";
        let listing = Listing::read(list, None, input.filters, paged)?;
        let ids = input.association_ids.unwrap_or_default();
        let associated = model::IamInstanceProfileAssociationState::Associated;
        let mut found = Vec::new();
        for instance in instance::all(call)? {
            let Some(held) = instance.profile.as_ref().filter(|_| !instance.state.is_gone()) else {
                continue;
            };
            let passes = listing.filters.pass(|name| match name {
                "instance-id" => Some(vec![instance.id.clone()]),
                "state" => Some(vec![associated.as_str().to_owned()]),
                _ => None,
            })?;
            if passes && (ids.is_empty() || ids.contains(&held.id)) {
                found.push((held.id.clone(), held.shown(&instance.id, associated)));
            }
        }
        if let Some(missing) = ids.iter().find(|id| !found.iter().any(|(known, _)| known == *id)) {
            let message = format!("An invalid association-id of '{missing}' was given");
            return Err(Fault::plain("InvalidAssociationID.NotFound", 400, message));
        }
        let (associations, next_token) = listing.page(call, found)?;
        Ok(model::DescribeIamInstanceProfileAssociationsResult {
            iam_instance_profile_associations: Some(associations),
            next_token,
        })
    }
}
