//! The fake engine passes the suite that real ones must pass.

use trillm_core::{ModelFile, ModelInfo};
use trillm_testkit::{Fake, conformance};

conformance!(fake, || Fake::default().load_model());
conformance!(without_prefixes, || Fake { reuses_prefix: false, ..Fake::default() }.load_model());
conformance!(with_few_cells, || Fake { cells: Some(100), ..Fake::default() }.load_model());
conformance!(with_one_slot, || Fake { slots: Some(1), ..Fake::default() }.load_model());
conformance!(with_room_for_every_slot, || Fake { cells: Some(4 * 256), ..Fake::default() }.load_model());

#[test]
fn cancels_loading() {
    conformance::cancels_loading(&Fake::default(), || ModelFile::new("no file", ModelInfo::default(), ()));
}
