//! The end of an organization: only when the management account is alone in it.

use api::organizations as model;
use api::organizations::fault::organization_not_empty_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use store::{AsKey, Key, Prefix, Record, Table};
use wire::typed::Empty;

use super::super::account::CREATE_ACCOUNT_STATUS;
use super::super::delegated::DELEGATED;
use super::super::event;
use super::super::handshake;
use super::super::membership::{CHILDREN, displace};
use super::super::policy;
use super::super::reach::{self, Reached, Who};
use super::super::resource_policy::RESOURCE_POLICY;
use super::super::service_access::SERVICE_ACCESS;
use super::super::unit::UNITS;
use super::ORGANIZATIONS;
use crate::iam::organizations_features;

/// Rows read at a time.
const STRIDE: usize = 256;

/// Deletes the organization. Its units and open handshakes go with it.
pub struct DeleteOrganization;

impl Operation for DeleteOrganization {
    type Input = model::DeleteOrganizationInput;
    type Output = Empty;
    type Target = Reached;
    const ACCESS: Access = Access::write("organizations:DeleteOrganization");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Reached>> {
        reach::everything(look, Who::Management)
    }

    fn handle(call: &mut Call<'_>, reached: Authorized<Reached>, _input: Self::Input) -> Result<Empty> {
        let organization = reached.organization();
        let members = (organization.management.as_str(), organization.id.as_str());
        if call.range(&CHILDREN, &members, None, 2)?.len() > 1 {
            return Err(organization_not_empty_exception(
                "To delete an organization you must first remove all member accounts (except the master).",
            ));
        }
        let management = organization.management.as_str();
        handshake::cancel_all(call, organization)?;
        event::departed(call, &reached.seat.member, event::Departure::Left)?;
        displace(call, &reached.seat.member)?;
        clear(call, &UNITS, &(management,))?;
        clear(call, &CHILDREN, &(management,))?;
        clear(call, &CREATE_ACCOUNT_STATUS, &(management,))?;
        clear(call, &DELEGATED, &(management,))?;
        clear(call, &SERVICE_ACCESS, &(management,))?;
        policy::forget_organization(call, management)?;
        organizations_features::forget(call, organization)?;
        call.delete(&RESOURCE_POLICY, &organization.management)?;
        call.delete(&ORGANIZATIONS, &organization.management)?;
        Ok(Empty)
    }
}

/// Removes every row below a prefix.
fn clear<K, V>(call: &mut Call<'_>, table: &Table<K, V>, prefix: &impl Prefix<K>) -> Result<()>
where
    K: Key + AsKey<K>,
    V: Record,
{
    loop {
        let rows = call.range(table, prefix, None, STRIDE)?;
        let full = rows.len() == STRIDE;
        for (key, _) in rows {
            call.delete(table, &key)?;
        }
        if !full {
            return Ok(());
        }
    }
}
