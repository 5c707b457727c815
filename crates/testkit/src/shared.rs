//! Where the files for tests are that are too large, or not ours, to be in the repository.

use std::env;
use std::path::{Path, PathBuf};

/// The folder of shared test data: `data` in `$TRILLM_SHARED`, or in the folder `shared` beside the repository. `None`,
/// and a line that says so, if it is not there: the test has nothing to do then.
pub fn shared_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = env::var_os("TRILLM_SHARED").map_or_else(beside, PathBuf::from).join("data");
    if data.is_dir() {
        return Some(data);
    }
    #[expect(clippy::print_stderr, reason = "a test that does nothing should say so")]
    {
        eprintln!("skipped: no shared data");
    }
    None
}
