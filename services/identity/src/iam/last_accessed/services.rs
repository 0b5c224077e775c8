//! AWS's services by the namespace that policies know them by, and the actions of which IAM tells the last use.
//!
//! Source: see `data/README.md`.

static SERVICES: &str = include_str!("../../../data/services.tsv");

/// A service.
#[derive(Clone, Copy)]
pub(super) struct Service {
    /// `iam`
    pub(super) namespace: &'static str,
    /// `AWS Identity and Access Management`
    pub(super) name: &'static str,
    tracked: &'static str,
}

impl Service {
    /// The actions of which the last use is told, without the namespace.
    pub(super) fn tracked(&self) -> impl Iterator<Item = &'static str> {
        self.tracked.split_ascii_whitespace()
    }
}

/// Every service, by namespace.
pub(super) fn all() -> impl Iterator<Item = Service> {
    SERVICES.lines().filter_map(|line| {
        let mut fields = line.split('\t');
        Some(Service {
            namespace: fields.next()?,
            name: fields.next()?,
            tracked: fields.next().unwrap_or_default(),
        })
    })
}

/// The service of a namespace.
pub(super) fn named(namespace: &str) -> Option<Service> {
    all().find(|service| service.namespace == namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_sorted_and_their_tracked_actions_exist() {
        let namespaces: Vec<_> = all().map(|service| service.namespace).collect();
        assert!(namespaces.is_sorted() && namespaces.len() == 456);
        for service in all() {
            for action in service.tracked() {
                let full = format!("{}:{action}", service.namespace);
                assert!(policy::reference::action(&full).is_some(), "{full}");
            }
        }
        let iam = named("iam").unwrap();
        assert!(iam.tracked().any(|action| action == "CreateUser"));
        // IAM User Guide: it is not tracked.
        assert!(!iam.tracked().any(|action| action == "PassRole"));
    }
}
