//! The services of this crate, through the pipeline.

#[cfg(test)]
mod cloud;
#[cfg(test)]
mod kms;
#[cfg(test)]
mod secretsmanager;
#[cfg(test)]
mod ssm;
#[cfg(test)]
mod year;
