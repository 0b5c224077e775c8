//! Storage classes: which an object may be given, and which must be restored before they are read.
//!
//! Invariant: an archived object gives no byte away but from a restored copy.
//!
//! Source: S3 User Guide, "Understanding and managing Amazon S3 storage classes", "Restoring an archived object".

use api::s3 as model;
use model::StorageClass as Class;
use pipeline::Result;
use wire::Fault;

/// The class of a request, `STANDARD` unless it says another. Classes of other kinds of buckets are refused.
pub(crate) fn read(asked: Option<Class>) -> Result<Class> {
    let class = asked.unwrap_or(Class::Standard);
    let general = matches!(
        class,
        Class::Standard
            | Class::ReducedRedundancy
            | Class::StandardIa
            | Class::OnezoneIa
            | Class::IntelligentTiering
            | Class::Glacier
            | Class::DeepArchive
            | Class::GlacierIr
    );
    if general {
        return Ok(class);
    }
    Err(
        Fault::plain("InvalidStorageClass", 400, "The storage class you specified is not valid").with(
            "StorageClassRequested",
            wire::Document::String(class.as_str().to_owned()),
        ),
    )
}

/// The class under a name that was stored.
pub(crate) fn stored(name: &str) -> Class {
    Class::parse(name).unwrap_or_default()
}

/// Whether objects of a class must be restored before they are read.
pub(crate) const fn is_archived(class: Class) -> bool {
    matches!(class, Class::Glacier | Class::DeepArchive)
}

/// The class as reads show it: of `STANDARD` nothing is said.
pub(crate) fn shown(name: &str) -> Option<Class> {
    Some(stored(name)).filter(|class| *class != Class::Standard)
}

/// The most hours that a restoration takes by class and tier; `None` where AWS does not offer the tier.
pub(crate) const fn restoration_minutes(class: Class, tier: model::Tier) -> Option<i64> {
    match (class, tier) {
        (Class::Glacier, model::Tier::Expedited) => Some(5),
        (Class::Glacier, model::Tier::Standard) => Some(5 * 60),
        (Class::Glacier, model::Tier::Bulk) | (Class::DeepArchive, model::Tier::Standard) => Some(12 * 60),
        (Class::DeepArchive, model::Tier::Bulk) => Some(48 * 60),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_general_buckets_are_taken() {
        assert!(read(None).is_ok_and(|class| class == Class::Standard));
        assert!(read(Some(Class::GlacierIr)).is_ok());
        for class in [Class::Outposts, Class::Snow, Class::ExpressOnezone] {
            assert!(read(Some(class)).is_err());
        }
    }

    #[test]
    fn expedited_restoration_is_not_for_the_deep_archive() {
        assert_eq!(
            restoration_minutes(Class::Glacier, model::Tier::Expedited),
            Some(5)
        );
        assert_eq!(
            restoration_minutes(Class::DeepArchive, model::Tier::Expedited),
            None
        );
        assert_eq!(restoration_minutes(Class::Standard, model::Tier::Bulk), None);
    }
}
