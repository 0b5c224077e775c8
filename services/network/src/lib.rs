//! What runs in a network: EC2. Its networks themselves are not built yet.
//!
//! Invariant: this crate starts no process and opens no socket; what runs is run by the plane of instances, by errands of jobs.

pub mod ec2;
