//! Operations on a bucket as a whole, which all find it alike: by name, in its region, of the owner that the request expects.

/// Declares such an operation: `on_bucket! { /// Doc. Name(Input) -> Output, ACCESS; |call, bucket, input| { … } }`. With `entrance`
/// behind the access, access points know it too.
macro_rules! on_bucket {
    ($(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr; |$call:ident, $bucket:ident, $in:ident| $body:block) => {
        $crate::s3::bucket::on_bucket::on_bucket! {
            $(#[$doc])* $name($input) -> $output, $access, also &[]; |$call, $bucket, $in| $body
        }
    };
    ($(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr, entrance; |$call:ident, $bucket:ident, $in:ident| $body:block) => {
        $crate::s3::bucket::on_bucket::on_bucket! {
            $(#[$doc])* $name($input) -> $output, $access, also &[], by entrance; |$call, $bucket, $in| $body
        }
    };
    ($(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr, also $also:expr; |$call:ident, $bucket:ident, $in:ident| $body:block) => {
        $crate::s3::bucket::on_bucket::on_bucket! {
            $(#[$doc])* $name($input) -> $output, $access, also $also, by bucket; |$call, $bucket, $in| $body
        }
    };
    ($(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr, also $also:expr, by $find:ident; |$call:ident, $bucket:ident, $in:ident| $body:block) => {
        $(#[$doc])*
        pub struct $name;

        impl pipeline::Operation for $name {
            type Input = $input;
            type Output = $output;
            type Target = $crate::s3::bucket::BucketTarget;
            const ACCESS: pipeline::Access = $access;
            const ALSO: &'static [pipeline::Access] = $also;

            fn target(
                look: &mut pipeline::Look<'_>,
                input: &Self::Input,
            ) -> pipeline::Result<pipeline::Found<Self::Target>> {
                $crate::s3::locate::$find(look, &input.bucket, input.expected_bucket_owner.as_deref())
            }

            fn handle(
                $call: &mut pipeline::Call<'_>,
                $bucket: pipeline::Authorized<Self::Target>,
                $in: Self::Input,
            ) -> pipeline::Result<Self::Output> {
                $body
            }
        }
    };
}

pub(crate) use on_bucket;
