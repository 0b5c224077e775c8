//! Looking after the files as a whole: removing what no row names, and copying all of them with the rows.

use std::path::Path;

use super::yard::Yard;
use crate::Gateway;

impl Gateway {
    /// Deletes every file of a content that no row names, and tells how many: what calls left behind whose process died. Blocks; calls
    /// may go on meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub fn sweep(&self) -> store::Result<usize> {
        self.yard().sweep(&self.store)
    }

    /// Writes all rows as of now to the file `rows`, and the contents that they name below `folder`. Blocks; no content is deleted
    /// meanwhile.
    ///
    /// # Errors
    /// The store's.
    pub fn save(&self, rows: &Path, folder: &Path) -> store::Result<()> {
        // In this order: the files of every row that is saved are there already, and stay.
        let _pause = self.yard().pause();
        self.store.save(rows)?;
        self.store.blobs().save(folder)
    }

    const fn yard(&self) -> &std::sync::Arc<Yard> {
        &self.environment.yard
    }
}
