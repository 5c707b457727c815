//! Which files of a listing make a model, for a program without Python; `tests/hub/test_choose.py` has every rule.

use trillm_core::Coded;
use trillm_formats::NamedModule;
use trillm_store::{Among, Kind, ModuleList, Preferences, choose, needed, smaller};

#[test]
fn files_that_belong_together_are_chosen_by_preference_or_as_asked_for() {
    let preferences = Preferences { formats: Kind::ALL.into(), quantizations: vec!["Q4_K_M".into(), "Q8_0".into()] };
    let listing = || {
        let shards = (1..=2).map(|number| (format!("big/x-Q4_K_M-0000{number}-of-00002.gguf"), Some(7)));
        let others = ["x-Q8_0.gguf", "mmproj-F16.gguf", "config.json", "model.safetensors", "../x-Q4_K_M.gguf"];
        shards.chain(others.map(|name| (name.to_owned(), None)))
    };
    let chosen = |wanted| choose(listing(), wanted, &preferences, &Among::default());
    let shards = chosen(None).unwrap();
    assert_eq!(shards.open.as_deref(), Some("x-Q4_K_M-00001-of-00002.gguf"));
    assert_eq!(shards.files.len(), 2);
    assert_eq!(chosen(Some("q8_0")).unwrap().files["x-Q8_0.gguf"], "x-Q8_0.gguf");
    assert!(chosen(Some("*.safetensors")).unwrap().files.contains_key("config.json"));
    let refused = chosen(Some("Q2_K")).unwrap_err();
    assert_eq!(refused.code(), "model_not_found");
    assert_eq!(refused.hint().unwrap(), "there is: Q4_K_M, Q8_0");
}

fn listed(names: &[&str]) -> Vec<(String, Option<u64>)> {
    names.iter().map(|name| ((*name).to_owned(), None)).collect()
}

/// A list of modules in the outermost folder: the network, a Pooling, a Dense.
fn list(folders: [&str; 3]) -> ModuleList {
    let modules = folders.iter().enumerate().map(|(number, folder)| NamedModule {
        folder: (*folder).into(),
        is_network: number == 0,
        needs_configuration: number > 0,
        has_weights: number == 2,
    });
    ModuleList { path: "modules.json".into(), modules: modules.collect() }
}

fn names(files: &[&str], lists: &[ModuleList]) -> Vec<String> {
    let formats = vec![Kind::Safetensors, Kind::Pytorch];
    let preferences = Preferences { formats, quantizations: Vec::new() };
    let chosen = choose(listed(files), None, &preferences, &Among { lists, ..Among::default() });
    let chosen = chosen.expect("a model");
    assert_eq!(chosen.open, None);
    chosen.files.into_keys().collect()
}

#[test]
fn the_parts_of_a_model_are_in_the_folders_that_its_list_names() {
    let files = [
        "config.json",
        "dense/layer/config.json",
        "dense/layer/model.safetensors",
        "modules.json",
        "pooling/config.json",
        "pytorch_model.bin",
        "tokenizer.json",
    ];
    // A part is no model, though it has weights in a better format.
    assert_eq!(names(&files, &[list(["", "pooling", "dense/layer"])]), files);
}

#[test]
fn a_network_in_a_folder_of_its_own_stays_there() {
    let old = |network: &str| {
        ["config.json", "model.safetensors", "sentence_roberta_config.json", "tokenizer.json"]
            .map(|name| format!("{network}/{name}"))
    };
    for network in ["0_Transformer", "encoder"] {
        let network_files = old(network);
        let mut files =
            vec!["1_Pooling/config.json", "2_Dense/config.json", "2_Dense/pytorch_model.bin", "modules.json"];
        files.extend(network_files.iter().map(String::as_str));
        files.sort_unstable();
        let with_others = [&files[..], &["README.md", "onnx/config.json"]].concat();
        assert_eq!(names(&with_others, &[list([network, "1_Pooling", "2_Dense"])]), files);
        // The usual names are believed before the list is here.
        if network == "0_Transformer" {
            assert_eq!(names(&with_others, &[]), files);
        }
    }
}

#[test]
fn what_a_list_names_is_needed() {
    let paths = ["modules.json", "net/model.safetensors", "net/config.json", "tokenizer.json"].map(str::to_owned);
    let needed = needed(&paths, &[list(["net", "pooling", "dense"])]);
    for path in ["net/tokenizer.json", "pooling/config.json", "dense/config.json", "dense/model.safetensors"] {
        assert!(needed.iter().any(|needed| needed == path), "{path} in {needed:?}");
    }
    assert!(!needed.iter().any(|path| path == "pooling/model.safetensors"));
    for (sign, home) in [
        ("1_Pooling/config.json", "modules.json"),
        ("a/config_sentence_transformers.json", "a/modules.json"),
        ("a/0_Transformer/config.json", "a/modules.json"),
    ] {
        assert!(trillm_store::needed(&[sign.to_owned()], &[]).contains(&home.to_owned()), "{sign}");
    }
}

#[test]
fn a_name_that_says_there_are_a_million_parts_costs_nothing() {
    let paths: Vec<_> = (1..=40).map(|model| format!("m{model}-000001-of-999999.gguf")).collect();
    let needed = needed(&paths, &[]);
    assert_eq!(needed.len(), 40);
    assert!(needed.contains(&"m7-000002-of-999999.gguf".to_owned()));
    let parts = trillm_store::needed(&["x-00002-of-00003.safetensors".to_owned()], &[]);
    assert!(
        ["x-00001-of-00003.safetensors", "x-00003-of-00003.safetensors"]
            .iter()
            .all(|part| parts.contains(&(*part).to_owned()))
    );
}

#[test]
fn smaller_ones_differ_by_their_quantization_alone() {
    let files = [
        ("tiny-Q8_0.gguf", Some(80)),
        ("tiny-Q4_K_M.gguf", Some(45)),
        ("tiny-UD-Q2_K_XL.gguf", Some(30)),
        ("Q6_K/tiny-Q6_K-00001-of-00002.gguf", Some(33)),
        ("Q6_K/tiny-Q6_K-00002-of-00002.gguf", Some(33)),
        // One that lacks a part, one of no size, a projector, another model, and the larger ones.
        ("Q5_K_M/tiny-Q5_K_M-00001-of-00002.gguf", Some(20)),
        ("tiny-Q3_K_M.gguf", None),
        ("mmproj-tiny-F16.gguf", Some(5)),
        ("tiny-draft-Q4_0.gguf", Some(3)),
        ("tiny-fp16.gguf", Some(160)),
        ("tiny.gguf", Some(320)),
        ("model.safetensors", Some(60)),
    ];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes));
    let named = |path| smaller(files.clone(), path).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let all = ["tiny-Q8_0.gguf", "Q6_K/tiny-Q6_K-00001-of-00002.gguf", "tiny-Q4_K_M.gguf", "tiny-UD-Q2_K_XL.gguf"];
    assert_eq!(named("tiny-Q8_0.gguf"), all[1..]);
    assert_eq!(named("tiny-fp16.gguf"), all);
    assert_eq!(named("tiny.gguf")[1..], all);
    assert_eq!(smaller(files.clone(), "Q6_K/tiny-Q6_K-00002-of-00002.gguf")[0], ("tiny-Q4_K_M.gguf".into(), 45));
    assert_eq!(smaller(files.clone(), "tiny-Q8_0.gguf")[0].1, 66);
    for path in ["model.safetensors", "tiny-Q3_K_M.gguf", "tiny-UD-Q2_K_XL.gguf", "nothing.gguf"] {
        assert_eq!(named(path), Vec::<String>::new(), "{path}");
    }
}
