//! Which files of a listing make a model, for a program without Python; `tests/hub/test_choose.py` has every rule.

use trillm_core::Coded;
use trillm_store::{Kind, Preferences, choose};

#[test]
fn files_that_belong_together_are_chosen_by_preference_or_as_asked_for() {
    let preferences = Preferences { formats: Kind::ALL.into(), quantizations: vec!["Q4_K_M".into(), "Q8_0".into()] };
    let listing = || {
        let shards = (1..=2).map(|number| (format!("big/x-Q4_K_M-0000{number}-of-00002.gguf"), Some(7)));
        let others = ["x-Q8_0.gguf", "mmproj-F16.gguf", "config.json", "model.safetensors", "../x-Q4_K_M.gguf"];
        shards.chain(others.map(|name| (name.to_owned(), None)))
    };
    let chosen = |wanted| choose(listing(), wanted, &preferences);
    let shards = chosen(None).unwrap();
    assert_eq!(shards.open.as_deref(), Some("x-Q4_K_M-00001-of-00002.gguf"));
    assert_eq!(shards.files.len(), 2);
    assert_eq!(chosen(Some("q8_0")).unwrap().files["x-Q8_0.gguf"], "x-Q8_0.gguf");
    assert!(chosen(Some("*.safetensors")).unwrap().files.contains_key("config.json"));
    let refused = chosen(Some("Q2_K")).unwrap_err();
    assert_eq!(refused.code(), "model_not_found");
    assert_eq!(refused.hint().unwrap(), "there is: Q4_K_M, Q8_0");
}
