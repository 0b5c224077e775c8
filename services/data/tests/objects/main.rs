//! Objects, their lists and uploads in parts, through the whole way of a signed request.

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod access_point;
#[cfg(test)]
mod client;
#[cfg(test)]
mod conditional;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod encryption;
#[cfg(test)]
mod events;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod function;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod locking;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod multipart;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod older_signature;
#[cfg(test)]
mod payer;
#[cfg(test)]
mod permission;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod replication;
#[cfg(test)]
mod replication_rules;
#[cfg(test)]
mod signing;
#[cfg(test)]
mod versions;
mod website;
#[cfg(test)]
mod writing;
