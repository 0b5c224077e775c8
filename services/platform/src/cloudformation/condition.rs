//! What policies see of requests that are alike, said once for all operations that take them.
//!
//! Source: Service Authorization Reference, "Condition keys for AWS CloudFormation".
//!
//! Invariant: an operation's `CONDITIONS` are the keys that its `conditions` may set, since one macro writes both.

/// For operations that make or change a stack at once: the template, the types of its resources, tags, a role, a stack policy.
macro_rules! sees_submission {
    () => {
        const CONDITIONS: &'static [&'static str] = &[
            "aws:RequestTag/${TagKey}",
            "aws:TagKeys",
            "cloudformation:ResourceTypes",
            "cloudformation:RoleArn",
            "cloudformation:StackPolicyUrl",
            "cloudformation:TemplateUrl",
        ];

        fn conditions(input: &Self::Input, context: &mut policy::Context) {
            let named = (
                input.template_url.as_deref(),
                input.role_arn.as_deref(),
                input.stack_policy_url.as_deref(),
            );
            $crate::cloudformation::submission::requested(named, input.resource_types.as_deref(), context);
            $crate::cloudformation::submission::requested_tags(input.tags.as_deref(), context);
        }
    };
}

/// For operations that may be handed a role.
macro_rules! sees_role {
    () => {
        const CONDITIONS: &'static [&'static str] = &["cloudformation:RoleArn"];

        fn conditions(input: &Self::Input, context: &mut policy::Context) {
            $crate::cloudformation::submission::requested(
                (None, input.role_arn.as_deref(), None),
                None,
                context,
            );
        }
    };
}

/// For operations that are told of a template.
macro_rules! sees_template {
    () => {
        const CONDITIONS: &'static [&'static str] = &["cloudformation:TemplateUrl"];

        fn conditions(input: &Self::Input, context: &mut policy::Context) {
            let named = (input.template_url.as_deref(), None, None);
            $crate::cloudformation::submission::requested(named, None, context);
        }
    };
}

/// For operations on a change set, which are judged on its stack.
macro_rules! sees_change_set {
    () => {
        type Target = $crate::cloudformation::stack::StackTarget;
        const CONDITIONS: &'static [&'static str] = &["cloudformation:ChangeSetName"];

        fn target(
            look: &mut pipeline::Look<'_>,
            input: &Self::Input,
        ) -> pipeline::Result<pipeline::Found<Self::Target>> {
            $crate::cloudformation::change_set::target(
                look,
                &input.change_set_name,
                input.stack_name.as_deref(),
            )
        }

        fn conditions(input: &Self::Input, context: &mut policy::Context) {
            context.insert(
                "cloudformation:ChangeSetName",
                input.change_set_name.clone(),
            );
        }
    };
}

pub(crate) use {sees_change_set, sees_role, sees_submission, sees_template};
