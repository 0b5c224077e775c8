//! `AWS::CDK::Metadata`: what the CDK notes of itself in a template. Nothing is made.
//!
//! Invariant: it holds nothing but what the template says.

use pipeline::Result;

use super::{Existing, Made, Property, ResourceType, Services, Wanted};

pub(crate) struct Metadata;

impl ResourceType for Metadata {
    described!("AWS::CDK::Metadata", [Property::new("Analytics")], []);

    fn create(&self, services: &mut Services<'_, '_>, _wanted: &Wanted<'_>) -> Result<Made> {
        services.call.uuid().map(Made::new)
    }

    fn update(
        &self,
        _services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        _wanted: &Wanted<'_>,
    ) -> Result<Made> {
        Ok(Made::new(existing.physical_id))
    }

    fn delete(&self, _services: &mut Services<'_, '_>, _existing: &Existing<'_>) -> Result<()> {
        Ok(())
    }
}
