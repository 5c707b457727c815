//! The small files that say how tokens are used.

mod common;

use common::{Folder, refused};
use serde_json::{Map, Value, json};
use trillm_formats::huggingface::Sidecars;

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => panic!("an object"),
    }
}

fn read(folder: &Folder, config: Value) -> Sidecars {
    Sidecars::read(&folder.0, &object(config)).expect("accepted")
}

#[test]
fn all_of_them_may_be_absent() {
    assert_eq!(read(&Folder::new("no-sidecars"), json!({})), Sidecars::default());
}

#[test]
fn tokens_are_strings_or_objects() {
    let folder = Folder::new("tokens");
    let tokens =
        json!({ "bos_token": { "__type": "AddedToken", "content": "<s>", "lstrip": false }, "eos_token": "</s>" });
    folder.write("tokenizer_config.json", with(&tokens, json!({})));
    let found = read(&folder, json!({}));
    assert_eq!((found.bos.as_deref(), found.eos.as_deref()), (Some("<s>"), Some("</s>")));
    // Without a list of tokens by their ids the older file stands above the newer one, as in transformers.
    folder.write(
        "special_tokens_map.json",
        with(&json!({ "bos_token": "<b>", "eos_token": { "content": "<e>" } }), json!({})),
    );
    folder.write("tokenizer_config.json", br#"{"bos_token": null}"#);
    let found = read(&folder, json!({}));
    assert_eq!((found.bos.as_deref(), found.eos.as_deref()), (Some("<b>"), Some("<e>")));
    folder.write("tokenizer_config.json", br#"{"bos_token": null, "added_tokens_decoder": {}}"#);
    let found = read(&folder, json!({}));
    assert_eq!((found.bos, found.eos), (None, None));
    folder.write("tokenizer_config.json", br#"{"bos_token": 7, "added_tokens_decoder": {}}"#);
    refused(
        || Sidecars::read(&folder.0, &Map::new()),
        "invalid_key",
        "tokenizer_config.json: the key bos_token holds 7",
    );
}

#[test]
fn minus_one_is_no_token() {
    let folder = Folder::new("minus-one");
    folder.write("generation_config.json", br#"{"eos_token_id": [-1, 7], "bos_token_id": -1}"#);
    let found = read(&folder, json!({ "eos_token_id": -1, "bos_token_id": 3 }));
    assert_eq!((found.end_ids, found.bos_id), (vec![7], Some(3)));
    folder.write("generation_config.json", br#"{"eos_token_id": -1}"#);
    let found = read(&folder, json!({ "bos_token_id": -1 }));
    assert_eq!((found.end_ids, found.bos_id), (vec![], None));
}

/// Contents, and which of them are special.
fn tokens(found: &Sidecars) -> Vec<(&str, bool)> {
    found.tokens.iter().map(|token| (token.content.as_str(), token.special)).collect()
}

#[test]
fn tokens_are_named_in_many_places() {
    let folder = Folder::new("named");
    let by_id = json!({
        "20": { "content": "<later>", "special": false, "rstrip": true },
        "3": { "content": "<first>", "special": true },
        "10": { "content": "<unk>", "special": false },
    });
    let config = json!({
        "added_tokens_decoder": by_id, "unk_token": "<unk>", "add_bos_token": true, "image_token": "<image>",
        "additional_special_tokens": ["<more>", { "content": "<most>", "lstrip": true }, 7], "bos_token": null,
    });
    folder.write("tokenizer_config.json", with(&config, json!({})));
    // Older files, which do not count beside a list by ids.
    folder.write("special_tokens_map.json", br#"{"pad_token": "<pad>"}"#);
    folder.write("added_tokens.json", br#"{"<b>": 9, "<a>": 8, "<unk>": 1}"#);
    let found = read(&folder, json!({}));
    let wanted =
        [("<first>", true), ("<unk>", true), ("<later>", false), ("<image>", true), ("<more>", true), ("<most>", true)];
    assert_eq!(tokens(&found), wanted);
    assert_eq!(
        found.tokens[2].found.map(|found| (found.rstrip, found.lstrip, found.normalized)),
        Some((true, false, true))
    );
    assert_eq!(found.tokens[3].found, None);

    let config = br#"{"own_token": "<own>", "sep_token": "<sep>", "extra_special_tokens": {"audio_token": "<audio>"}}"#;
    folder.write("tokenizer_config.json", config);
    let found = read(&folder, json!({}));
    let wanted = [
        ("<unk>", false),
        ("<a>", false),
        ("<b>", false),
        ("<sep>", true),
        ("<pad>", true),
        ("<own>", true),
        ("<audio>", true),
    ];
    assert_eq!(tokens(&found), wanted);

    let again = json!({ "model_specific_special_tokens": { "x_token": "<foo>" }, "added_tokens_decoder": {} });
    for (more, wanted) in [
        (json!({}), &["<foo>"][..]),
        (json!({ "extra_special_tokens": ["<b>"] }), &["<foo>", "<b>"]),
        (json!({ "extra_special_tokens": {} }), &["<foo>"]),
        // What names them elsewhere stands for it.
        (json!({ "own_token": "<own>" }), &["<own>"]),
        (json!({ "extra_special_tokens": { "b_token": "<b>" } }), &["<b>"]),
    ] {
        folder.write("tokenizer_config.json", with(&again, more));
        let found = read(&folder, json!({}));
        assert_eq!(found.tokens.iter().map(|token| &token.content).collect::<Vec<_>>(), wanted);
        assert!(found.tokens.iter().all(|token| token.special));
    }

    for wrong in [json!([]), json!({ "x": {} }), json!({ "1": "<a>" }), json!({ "-1": {} })] {
        folder.write("tokenizer_config.json", with(&json!({ "added_tokens_decoder": wrong }), json!({})));
        refused(|| Sidecars::read(&folder.0, &Map::new()), "invalid_key", "added_tokens_decoder");
    }
}

fn with(value: &Value, more: Value) -> &'static [u8] {
    let mut all = object(value.clone());
    all.extend(object(more));
    Box::leak(Value::Object(all).to_string().into_bytes().into_boxed_slice())
}

#[test]
fn chat_templates_are_found_in_order() {
    let folder = Folder::new("templates");
    folder.write("tokenizer_config.json", br#"{"chat_template": "one"}"#);
    assert_eq!(read(&folder, json!({})).chat_templates.default.as_deref(), Some("one"));
    let named = br#"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#;
    folder.write("tokenizer_config.json", named);
    assert_eq!(read(&folder, json!({})).chat_templates.default.as_deref(), Some("d"));
    folder.write("tokenizer_config.json", br#"{"chat_template": [{"name": "tool_use", "template": "t"}]}"#);
    assert_eq!(read(&folder, json!({})).chat_templates.default, None);
    folder.write("chat_template.jinja", "file ä".as_bytes());
    assert_eq!(read(&folder, json!({})).chat_templates.default.as_deref(), Some("file ä"));
    folder.write("chat_template.jinja", b"x\xff");
    refused(|| Sidecars::read(&folder.0, &Map::new()), "malformed", "the chat template at offset 1");
    folder.write("chat_template.jinja", &vec![b'x'; (1 << 20) + 1]);
    refused(|| Sidecars::read(&folder.0, &Map::new()), "over_limit", "chat_template.jinja");
    std::fs::remove_file(folder.0.join("chat_template.jinja")).expect("removed");
    let long = json!({ "chat_template": "x".repeat((1 << 20) + 1) }).to_string();
    folder.write("tokenizer_config.json", long.as_bytes());
    refused(|| Sidecars::read(&folder.0, &Map::new()), "invalid_key", "a string of 1048577 bytes");
    folder.write("tokenizer_config.json", br#"{"chat_template": [{"name": "default"}]}"#);
    refused(|| Sidecars::read(&folder.0, &Map::new()), "invalid_key", "name and template");
}

#[test]
fn ids_come_from_the_generation_config_first() {
    let folder = Folder::new("ids");
    let config = json!({ "eos_token_id": 2, "bos_token_id": 1 });
    let found = read(&folder, config.clone());
    assert_eq!((found.end_ids, found.bos_id), (vec![2], Some(1)));
    folder.write("generation_config.json", br#"{"eos_token_id": [128001, 128009]}"#);
    let found = read(&folder, config);
    assert_eq!((found.end_ids, found.bos_id), (vec![128_001, 128_009], Some(1)));
    folder.write("generation_config.json", b"{}");
    let found = read(&folder, json!({ "text_config": { "eos_token_id": [1, 106], "bos_token_id": 2 } }));
    assert_eq!((found.end_ids, found.bos_id), (vec![1, 106], Some(2)));
    for wrong in [json!("2"), json!(-2), json!([1.5]), json!(["a"]), json!(([1].repeat(2000))), json!(1u64 << 32)] {
        let config = object(json!({ "eos_token_id": wrong }));
        refused(|| Sidecars::read(&folder.0, &config), "invalid_key", "eos_token_id");
    }
}

#[test]
fn chat_templates_have_names() {
    let folder = Folder::new("named-templates");
    let found = |folder: &Folder| {
        let templates = read(folder, json!({})).chat_templates;
        templates.iter().map(|(name, source)| format!("{name}: {source}")).collect::<Vec<_>>()
    };
    let list = br#"{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}"#;
    folder.write("tokenizer_config.json", list);
    assert_eq!(found(&folder), ["default: d", "tool_use: t"]);
    folder.write("tokenizer_config.json", br#"{"chat_template": {"rag": "r", "tool_use": "t"}}"#);
    assert_eq!(found(&folder), ["rag: r", "tool_use: t"]);
    // Files replace all of them, as in transformers.
    std::fs::create_dir(folder.0.join("additional_chat_templates")).expect("made");
    folder.write("additional_chat_templates/rag.jinja", b"file");
    folder.write("additional_chat_templates/note.txt", b"no template");
    assert_eq!(found(&folder), ["rag: file"]);
    folder.write("chat_template.jinja", b"main");
    assert_eq!(found(&folder), ["default: main", "rag: file"]);
    for number in 0..64 {
        folder.write(&format!("additional_chat_templates/{number}.jinja"), b"x");
    }
    refused(|| Sidecars::read(&folder.0, &Map::new()), "over_limit", "additional_chat_templates");
}

#[test]
fn tokens_with_a_task_have_names() {
    let folder = Folder::new("named-tokens");
    let config = json!({
        "pad_token": "<pad>", "cls_token": { "content": "[CLS]" }, "mask_token": null, "image_token": "<image>",
        "add_bos_token": true, "extra_special_tokens": { "boi_token": "<boi>" },
    });
    folder.write("tokenizer_config.json", with(&config, json!({})));
    folder.write("special_tokens_map.json", br#"{"mask_token": "[MASK]", "unk_token": "<unk>", "pad_token": "other"}"#);
    let found = read(&folder, json!({})).special_tokens;
    let found: Vec<(&str, &str)> = found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let expected = [
        ("boi_token", "<boi>"),
        ("cls_token", "[CLS]"),
        ("image_token", "<image>"),
        ("mask_token", "[MASK]"),
        ("pad_token", "other"),
        ("unk_token", "<unk>"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_class_of_a_tokenizer_names_what_no_file_does() {
    let folder = Folder::new("usual-tokens");
    let found = |config: Value, model: Value| {
        folder.write("tokenizer_config.json", with(&config, json!({})));
        let found = read(&folder, model);
        let list = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
        };
        (list(&found.special_tokens), list(&found.usual_tokens))
    };
    let llama = "bos_token=<s> eos_token=</s> unk_token=<unk>";
    let class = json!({ "tokenizer_class": "LlamaTokenizerFast" });
    assert_eq!(found(class.clone(), json!({ "model_type": "llama" })), (String::new(), llama.into()));
    assert_eq!(found(json!({}), class), (String::new(), llama.into()));
    // What a file says counts, also that there is none.
    let some = json!({ "tokenizer_class": "LlamaTokenizer", "bos_token": null, "eos_token": "<e>" });
    assert_eq!(found(some, json!({})), ("eos_token=<e>".into(), "unk_token=<unk>".into()));
    let qwen = "eos_token=<|endoftext|> pad_token=<|endoftext|> unk_token=<|endoftext|>";
    assert_eq!(found(json!({}), json!({ "model_type": "qwen3" })), (String::new(), qwen.into()));
    assert_eq!(found(json!({}), json!({ "model_type": "llama" })), (String::new(), String::new()));
}

#[test]
fn publishers_say_how_they_sample() {
    let folder = Folder::new("sampling");
    let found = |config: Value| {
        folder.write("generation_config.json", with(&config, json!({})));
        let sidecars = read(&folder, json!({}));
        let request = sidecars.defaults.request();
        let names: Vec<&str> = sidecars.defaults.list().iter().map(|(name, ..)| *name).collect();
        (names.join(" "), request, sidecars.notes)
    };
    let all = json!({
        "do_sample": true, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "min_p": 0, "repetition_penalty": 1.05,
        "typical_p": null, "stop_strings": ["a", "b"],
    });
    let (names, request, notes) = found(all);
    assert_eq!(names, "temperature top_k top_p min_p repetition_penalty stop");
    let sampling = &request.sampling;
    assert_eq!((sampling.temperature, sampling.top_k, sampling.top_p), (0.6, 20, 0.95));
    assert_eq!((sampling.min_p, sampling.repetition_penalty), (0.0, 1.05));
    assert_eq!((request.stop, notes), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    // Greedy: what chooses among tokens does not count, and what changes their order does.
    let greedy = json!({
        "do_sample": false, "temperature": 0.6, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.5,
        "repetition_penalty": 1.5, "stop_strings": "x",
    });
    let (names, request, _) = found(greedy);
    assert_eq!(names, "temperature repetition_penalty stop");
    assert_eq!((request.sampling.temperature, request.sampling.repetition_penalty), (0.0, 1.5));
    let (names, ..) = found(json!({ "top_k": -1, "stop_strings": "x" }));
    assert_eq!(names, "top_k stop");
    // What cannot be used keeps no model from being loaded, and is told.
    let (names, _, notes) = found(json!({ "temperature": "hot", "top_p": 1.5, "top_k": "all", "stop_strings": [""] }));
    assert_eq!(names, "");
    for (note, part) in notes.iter().zip(["temperature is \"hot\"", "top_k is \"all\"", "top_p is 1.5", "stop is"]) {
        assert!(note.starts_with("generation_config.json: ") && note.contains(part), "{note}");
    }
    assert_eq!(notes.len(), 4);
    // So is what there is nothing like here, unless it changes nothing.
    let (.., notes) = found(json!({ "num_beams": 4, "no_repeat_ngram_size": 3, "penalty_alpha": null }));
    assert_eq!(notes, ["generation_config.json: no use is made here of no_repeat_ngram_size, num_beams"]);
    let (.., notes) = found(json!({ "max_new_tokens": 1, "begin_suppress_tokens": [1], "presence_penalty": 1.5 }));
    let expected = "no use is made here of begin_suppress_tokens, max_new_tokens, presence_penalty";
    assert_eq!(notes, [format!("generation_config.json: {expected}")]);
    let (.., notes) = found(json!({ "num_beams": 1, "no_repeat_ngram_size": 0, "suppress_tokens": [], "top_k": 5 }));
    assert_eq!(notes, Vec::<String>::new());
    // The defaults of transformers 5.24, which files repeat.
    let usual = json!({
        "max_length": 20, "min_length": 0, "length_penalty": 1.0, "early_stopping": false, "num_beam_groups": 1,
        "num_return_sequences": 1, "encoder_no_repeat_ngram_size": 0, "remove_invalid_values": false,
        "exponential_decay_length_penalty": null, "epsilon_cutoff": 0.0, "use_cache": true, "output_scores": false,
    });
    assert_eq!(found(usual).2, Vec::<String>::new());
}

#[test]
fn a_bad_default_stops_no_load() {
    let folder = Folder::new("bad-defaults");
    // Python writes and reads such numbers.
    folder
        .write("generation_config.json", br#"{"temperature": NaN, "top_p": -Infinity, "top_k": 5, "eos_token_id": 7}"#);
    let found = read(&folder, json!({ "eos_token_id": 2 }));
    assert_eq!((found.defaults.list().len(), found.end_ids), (1, vec![7]));
    let expected = ["temperature is \"NaN\", expected a number", "top_p is \"-Infinity\", expected a number"];
    assert_eq!(found.notes, expected.map(|note| format!("generation_config.json: {note}; it is not used")));
    // transformers 5.24 takes the ids of config.json then, too.
    folder.write("generation_config.json", br#"{"temperature": 0.5, }"#);
    let found = read(&folder, json!({ "eos_token_id": 2 }));
    assert_eq!((found.defaults.list().len(), found.end_ids), (0, vec![2]));
    let [note] = &found.notes[..] else { panic!("{:?}", found.notes) };
    assert!(note.starts_with("generation_config.json is not used: trailing comma"), "{note}");
}
