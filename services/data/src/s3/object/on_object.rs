//! Operations on what an object has beside its bytes, which all find it alike: by bucket, key and perhaps version, of the owner that the
//! request expects.

/// Declares such an operation: `on_object! { /// Doc. Name(Input) -> Output, ACCESS, keys KEYS; |call, object, input| { … } }`. Between
/// the keys and the body may stand: `of_version ACCESS`, asked for instead where the request names a version; `set |input, context|
/// { … }`, which sets the keys; and `charged NAME`, which holds the body until it is known who pays, and names what the answer says of it.
macro_rules! on_object {
    (
        $(#[$doc:meta])* $name:ident($input:ty) -> $output:ty, $access:expr, keys $keys:expr
        $(, of_version $version:expr)? $(, set |$asked:ident, $context:ident| $set:block)? $(, charged $charged:ident)?;
        |$call:ident, $object:ident, $in:ident| $body:block
    ) => {
        $(#[$doc])*
        pub struct $name;

        impl pipeline::Operation for $name {
            type Input = $input;
            type Output = $output;
            type Target = $crate::s3::object::target::ObjectTarget;
            const ACCESS: pipeline::Access = $access;
            const CONDITIONS: &'static [&'static str] = $keys;
            const ALSO: &'static [pipeline::Access] = &[$($version)?];

            $(fn access(input: &Self::Input) -> pipeline::Access {
                $crate::s3::object::target::of_version(input.version_id.as_ref(), Self::ACCESS, $version)
            })?

            fn target(
                look: &mut pipeline::Look<'_>,
                input: &Self::Input,
            ) -> pipeline::Result<pipeline::Found<Self::Target>> {
                let version = input.version_id.as_deref();
                let owner = input.expected_bucket_owner.as_deref();
                $crate::s3::object::target::found(look, (&input.bucket, &input.key), version, owner)
            }

            $(fn conditions($asked: &Self::Input, $context: &mut policy::Context) $set)?

            fn handle(
                $call: &mut pipeline::Call<'_>,
                $object: pipeline::Authorized<Self::Target>,
                $in: Self::Input,
            ) -> pipeline::Result<Self::Output> {
                $(let $charged = $crate::s3::payer::charge($call, $object.bucket(), $in.request_payer)?;)?
                $body
            }
        }
    };
}

pub(crate) use on_object;
