//! `GET /_ringwork/why?id=…`: the recorded call and the derivation of its decisions.

use pipeline::why::{self, Explanation};

use super::{Control, Result};

impl Control {
    pub(super) fn why(&self, id: String) -> Result<Explanation> {
        Ok(self.gateway.system("us-east-1", |call| why::explain(call, &id))?)
    }
}
