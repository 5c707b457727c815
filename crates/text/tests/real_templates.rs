//! Real chat templates, against what Python's Jinja makes of them (`golden/make.py`).
//!
//! The templates are other people's work and not in this repository: they are read from `shared/data` beside it, or
//! from where `TRILLM_SHARED` points, and the test says so and passes when they are absent.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest, Sha256};
use trillm_text::{ChatTemplate, Error, Message, RenderOptions};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn shared() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("TRILLM_SHARED").map_or_else(beside, PathBuf::from).join("data/chat-templates")
}

fn options(case: &Value) -> RenderOptions {
    RenderOptions {
        add_generation_prompt: case.get("add_generation_prompt").is_none_or(|value| value == true),
        tools: case.get("tools").cloned(),
        documents: None,
        template_name: None,
        polyfill_tools: false,
        variables: case.get("variables").and_then(Value::as_object).cloned().unwrap_or_default(),
    }
}

/// What is different, if anything is.
fn difference(found: Result<String, Error>, expected: &Value) -> Option<String> {
    match (found, expected.get("text"), expected.get("sha256"), expected.get("refused")) {
        (Ok(found), Some(text), _, _) => (text != &found).then(|| format!("\n   found {found:?}\nexpected {text}")),
        (Ok(found), _, Some(sum), _) => {
            let end: String = found.chars().skip(found.chars().count().saturating_sub(100)).collect();
            let same = sum == &sha256(found.as_bytes());
            (!same).then(|| format!("{} bytes ending {end:?}, expected {expected}", found.len()))
        }
        (Err(Error::Refused { reason }), _, _, Some(expected)) if *expected == reason => None,
        (Err(Error::Failed { .. }), None, None, None) => None,
        // transformers leaves content out that is null; ours is given as null, or as empty text, where that fails.
        (Ok(_), None, None, None) if expected["failed"] == "'dict object' has no attribute 'content'" => None,
        // Arguments are text where an object fails.
        (Ok(_), None, None, None)
            if expected["failed"] == "TypeError: can only concatenate str (not \"dict\") to str" =>
        {
            None
        }
        (found, ..) => Some(format!("\n   found {found:?}\nexpected {expected}")),
    }
}

#[test]
fn real_templates_render_as_in_python() {
    let folder = shared();
    if !folder.is_dir() {
        println!("skipped: no shared data");
        return;
    }
    let golden: Value = serde_json::from_str(include_str!("golden/renderings.json")).unwrap();
    let mut differences = Vec::new();
    let mut compared = 0;
    for (file, golden_template) in golden["templates"].as_object().unwrap() {
        let Ok(source) = std::fs::read_to_string(folder.join(file)) else {
            println!("skipped: no {file}");
            continue;
        };
        if golden_template["sha256"] != sha256(source.as_bytes()) {
            println!("skipped: {file} is another version");
            continue;
        }
        // In place of the date, the format in brackets, as make.py has it.
        let source = source.replace("strftime_now(", "'[{}]'.format(");
        let template =
            ChatTemplate::new(&source).unwrap().with_special_tokens([("bos_token", "<s>"), ("eos_token", "</s>")]);
        for (name, case) in golden["cases"].as_object().unwrap() {
            let mut given = case["messages"].as_array().unwrap().clone();
            let expected = &golden_template["expected"][name];
            compared += 1;
            let mut options = options(case);
            // What a template does not show is an error with us; the text is the one without it.
            let rendered = loop {
                match template.render(&Message::list(given.clone()).unwrap(), &options) {
                    Err(Error::ToolsNotShown) => options.tools = None,
                    Err(Error::PartNotShown { index, what }) => {
                        let (part, nothing) =
                            if what == "tool calls" { ("tool_calls", Value::Null) } else { ("content", "".into()) };
                        assert_ne!(given[index][part], nothing, "{file}, {name}: {what} of message {index}");
                        given[index][part] = nothing;
                    }
                    rendered => break rendered,
                }
            };
            if let Some(difference) = difference(rendered, expected) {
                differences.push(format!("{file}, {name}: {difference}"));
            }
        }
    }
    println!("{compared} renderings compared");
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}
