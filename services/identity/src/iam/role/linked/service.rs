//! The services that have roles of their own in an account, as data in the program. See `data/README.md` for the form and the source.

static SERVICES: &str = include_str!("../../../../data/service-linked-roles.tsv");

/// What is known of a service's role.
#[derive(Clone, Copy)]
pub(super) struct Service {
    /// `autoscaling.amazonaws.com`
    pub(super) principal: &'static str,
    /// `AWSServiceRoleForAutoScaling`
    role: &'static str,
    /// The name of the AWS managed policy that the role bears.
    policy: &'static str,
    /// The role's name may end in a suffix.
    suffixed: bool,
}

impl Service {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            principal: fields.next()?,
            role: fields.next()?,
            policy: fields.next()?,
            suffixed: fields.next()? == "suffix",
        })
    }

    /// The service of a principal; principals differ by case.
    pub(super) fn find(principal: &str) -> Option<Self> {
        SERVICES
            .lines()
            .filter_map(Self::read)
            .find(|service| service.principal == principal)
    }

    /// The role's name; `None` if it takes no suffix.
    pub(super) fn role_name(&self, suffix: Option<&str>) -> Option<String> {
        match suffix {
            None => Some(self.role.to_owned()),
            Some(suffix) => self.suffixed.then(|| format!("{}_{suffix}", self.role)),
        }
    }

    pub(super) fn policy_arn(&self) -> String {
        format!("arn:aws:iam::aws:policy/aws-service-role/{}", self.policy)
    }

    /// The trust policy: the service and nobody else.
    pub(super) fn trust(&self) -> String {
        serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Action": ["sts:AssumeRole"],
                "Effect": "Allow",
                "Principal": {"Service": [self.principal]},
            }],
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iam::managed::catalogue;

    #[test]
    fn every_line_is_whole_names_a_policy_of_the_catalogue_and_stands_in_order() {
        let principals: Vec<&str> = SERVICES
            .lines()
            .map(|line| Service::read(line).unwrap().principal)
            .collect();
        assert!(principals.is_sorted() && principals.len() > 100);
        for line in SERVICES.lines() {
            let service = Service::read(line).unwrap();
            assert!(catalogue::by_arn(&service.policy_arn()).is_some(), "{line}");
            assert!(
                service.role.starts_with("AWSServiceRoleFor") && service.role.len() <= 64,
                "{line}"
            );
            assert!(service.principal.ends_with(".amazonaws.com"), "{line}");
        }
    }
}
