//! Where what was measured of engines is kept: beside the models, in the user's own store, whichever store a model is in.

use trillm::Speeds;
use trillm_store::Store;

/// The file; `None` where there is no folder for it.
pub(crate) fn speeds() -> Option<Speeds> {
    Store::default_root().ok().map(|root| Speeds::in_folder(&root))
}
