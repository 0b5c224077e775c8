//! Buckets and what is configured on them, through the pipeline.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod making;
#[cfg(test)]
mod mfa_delete;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod policy;
