//! Libraries that speak to tokens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as CryptokiError, RvError};

use super::fault::TokenFault;

/// A process loads and initialises a library once (PKCS#11 section 5.4): a second time would be an
/// error, and the end of the first would be that of the second.
pub(super) fn library(path: &Path) -> Result<Pkcs11, TokenFault> {
    static LOADED: Mutex<BTreeMap<PathBuf, Pkcs11>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(path) {
        return Ok(library.clone());
    }
    let fault = |error: CryptokiError| TokenFault::Library {
        path: path.to_owned(),
        why: error.to_string(),
    };
    let library = Pkcs11::new(path).map_err(fault)?;
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(CryptokiError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(fault(error)),
    }
    loaded.insert(path.to_owned(), library.clone());
    Ok(library)
}
