//! EC2 through the pipeline, with a plane that keeps what it is told.
fn main() {}
