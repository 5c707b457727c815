//! What every engine must do, one function for each behaviour.
//!
//! [`conformance!`](crate::conformance!) makes a test of each. The sequences are random token ids, run greedily. What
//! an engine computes in a batch, in chunks or on a shared prefix is compared with the same tokens run alone in a fresh
//! session. Batches are checked against the limits first, as the scheduler does, so a bad one reaches no engine; what
//! is asked of the engine is that everything within its limits works.
//!
//! Not asked, because the scheduler keeps to it: `share` into a slot that is not empty, or of more than the donor
//! holds.

mod batches;
mod driver;
mod embeddings;
mod loading;
mod memory;
mod mixture;
mod prefixes;
mod text;

pub use batches::{
    a_batch_equals_one_by_one, a_prompt_beside_generation_disturbs_nobody, chunks_equal_the_whole,
    limits_can_be_reached, rows_come_in_the_order_asked, what_is_beyond_the_limits_is_an_error,
};
pub use driver::{CLEAR_LEAD, TOLERANCE, best};
pub use embeddings::embeddings_in_a_batch_equal_one_by_one;
pub use loading::{cancels_loading, limits_say_how_many_threads_compute, two_sessions_run_at_once};
pub use memory::{a_full_cache_leaves_the_state_intact, every_cell_can_be_used_again, truncate_to_zero_always_works};
pub use mixture::any_order_equals_each_alone;
pub use prefixes::{
    a_shared_cell_counts_once, sharing_equals_computing_again, sharing_leaves_the_donor_intact,
    truncating_equals_starting_afresh,
};
pub use text::{control_tokens_come_only_when_asked_for, info_and_tokenizer_agree, text_survives_tokens};

/// Makes a module of tests, one for each behaviour, for the model that `$model`, a closure, loads.
///
/// ```
/// trillm_testkit::conformance!(fake, || trillm_testkit::Fake::default().load_model());
/// ```
#[macro_export]
macro_rules! conformance {
    ($name:ident, $model:expr) => {
        $crate::conformance!(
            @each $name, $model,
            a_batch_equals_one_by_one,
            a_prompt_beside_generation_disturbs_nobody,
            chunks_equal_the_whole,
            any_order_equals_each_alone,
            limits_can_be_reached,
            rows_come_in_the_order_asked,
            what_is_beyond_the_limits_is_an_error,
            embeddings_in_a_batch_equal_one_by_one,
            two_sessions_run_at_once,
            limits_say_how_many_threads_compute,
            a_full_cache_leaves_the_state_intact,
            every_cell_can_be_used_again,
            truncate_to_zero_always_works,
            a_shared_cell_counts_once,
            sharing_equals_computing_again,
            sharing_leaves_the_donor_intact,
            truncating_equals_starting_afresh,
            control_tokens_come_only_when_asked_for,
            info_and_tokenizer_agree,
            text_survives_tokens,
        );
    };
    (@each $name:ident, $model:expr, $($behaviour:ident,)+) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names")]
            use super::*;

            $(#[test]
            fn $behaviour() {
                let load = $model;
                $crate::conformance::$behaviour(&*load());
            })+
        }
    };
}
