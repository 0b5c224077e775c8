//! Lists of what is in a bucket, which all are asked for alike: of a bucket or through an access point, by prefix, delimiter and size.

use policy::Context;

/// The condition keys of a list.
pub(super) const KEYS: &[&str] = &["s3:delimiter", "s3:max-keys", "s3:prefix"];

/// Sets them.
pub(super) fn conditions(
    context: &mut Context,
    prefix: Option<&String>,
    delimiter: Option<&String>,
    size: Option<i32>,
) {
    if let Some(prefix) = prefix {
        context.insert("s3:prefix", prefix.clone());
    }
    if let Some(delimiter) = delimiter {
        context.insert("s3:delimiter", delimiter.clone());
    }
    if let Some(size) = size {
        context.insert("s3:max-keys", size.to_string());
    }
}

/// Declares such an operation: `on_list! { /// Doc. Name(Input) -> Output, ACCESS; |call, bucket, input, charged| { … } }`. The body runs
/// once it is known who pays, and `charged` is what the answer says of it.
macro_rules! on_list {
    (
        $(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr;
        |$call:ident, $bucket:ident, $in:ident, $charged:ident| $body:block
    ) => {
        $(#[$doc])*
        pub struct $name;

        impl pipeline::Operation for $name {
            type Input = $input;
            type Output = $output;
            type Target = $crate::s3::bucket::BucketTarget;
            const ACCESS: pipeline::Access = $access;
            const CONDITIONS: &'static [&'static str] = $crate::s3::listing::on_list::KEYS;

            fn target(
                look: &mut pipeline::Look<'_>,
                input: &Self::Input,
            ) -> pipeline::Result<pipeline::Found<Self::Target>> {
                $crate::s3::locate::entrance(look, &input.bucket, input.expected_bucket_owner.as_deref())
            }

            fn conditions(input: &Self::Input, context: &mut policy::Context) {
                $crate::s3::listing::on_list::conditions(
                    context,
                    input.prefix.as_ref(),
                    input.delimiter.as_ref(),
                    input.max_keys,
                );
            }

            fn handle(
                $call: &mut pipeline::Call<'_>,
                $bucket: pipeline::Authorized<Self::Target>,
                $in: Self::Input,
            ) -> pipeline::Result<Self::Output> {
                let $charged = $crate::s3::payer::charge($call, &$bucket, $in.request_payer)?;
                $body
            }
        }
    };
}

pub(super) use on_list;
