//! Renders sources with a few variables, and compares.
#![allow(dead_code, reason = "each file of tests uses some of it")]
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use trillm_text::{ChatTemplate, Error, Message, RenderOptions, read_json};

/// Renders a source with variables that are given as JSON.
pub(crate) fn render_with(source: &str, variables: &str, messages: &[Message]) -> Result<String, Error> {
    let Value::Object(variables) = read_json(variables).unwrap() else { panic!("{variables}") };
    let options = RenderOptions { variables, ..RenderOptions::default() };
    ChatTemplate::new(source)?.with_special_tokens([("bos_token", "<s>")]).render(messages, &options)
}

/// Renders a source with a text, a list and a mapping, and messages of the system and of a user.
pub(crate) fn render(source: &str) -> Result<String, Error> {
    const VARIABLES: &str = r#"{
        "text": "  Hello World  ",
        "list": ["a", "b", "c"],
        "map": {"b": 1, "a": {"items": [1, 2.0, true, null, "é<&>'\""]}},
        "nothing": null
    }"#;
    render_with(source, VARIABLES, &[Message::new("system", "Be brief."), Message::new("user", "Hi")])
}

/// Each source and what it renders to.
pub(crate) fn all_alike(render: impl Fn(&str) -> Result<String, Error>, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(render(source).as_deref(), Ok(*expected), "{source}");
    }
}
