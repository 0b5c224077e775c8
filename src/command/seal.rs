//! `ringwork seal`: says how the seal of a stopped server opens, and changes it without touching the data.

use crypto::{Seal, SealHeader};

use crate::arguments::{Seal as Options, SealChange};
use crate::error::Error;
use crate::folder::{self, Folder};
use crate::serve::opener;

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let folder = Folder::at(&options.server.data);
    let failed = |source| Error::Seal {
        path: folder.path().to_owned(),
        source,
    };
    let Some(bytes) = folder::read(&folder.seal_header())? else {
        return Err(Error::Usage(format!(
            "{} has no seal: no durable server ran there",
            folder.path().display()
        )));
    };
    let header = SealHeader::from_bytes(&bytes).map_err(failed)?;
    match &options.change {
        SealChange::Show => {
            println!(
                "The seal opens by a {}.",
                if header.wants_passphrase() {
                    "passphrase"
                } else {
                    "key file"
                }
            );
            Ok(())
        }
        SealChange::Change {
            key_file,
            passphrase_file,
            to_key_file,
            to_passphrase_file,
        } => {
            if to_key_file.is_none() && to_passphrase_file.is_none() {
                return Err(Error::Usage(
                    "name --to-key-file or --to-passphrase-file".to_owned(),
                ));
            }
            // The store's lock proves that no server runs on the folder.
            let chain = Box::new(pipeline::ledger::LedgerChain::default());
            let locked = store::Store::open_unconverted(folder.path(), chain);
            let _locked = locked.map_err(|source| Error::Store {
                path: folder.path().to_owned(),
                source,
            })?;
            let now = opener(&folder, key_file.as_deref(), passphrase_file.as_deref())?;
            let seal = Seal::unlock(&now, &header).map_err(failed)?;
            let next = opener(&folder, to_key_file.as_deref(), to_passphrase_file.as_deref())?;
            let changed = seal.reseal(&next).map_err(failed)?;
            folder::write(&folder.seal_header(), &changed.to_bytes())?;
            println!(
                "The seal opens by the new {} from now on.",
                if changed.wants_passphrase() {
                    "passphrase"
                } else {
                    "key file"
                }
            );
            Ok(())
        }
    }
}
