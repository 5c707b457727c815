//! The forms in which clients send messages, and in which templates take them.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use trillm_text::{ChatTemplate, Error, Message, RenderOptions};

fn chat(source: &str, messages: &Value) -> Result<String, Error> {
    let messages = Message::list(messages.as_array().unwrap().clone()).unwrap();
    ChatTemplate::new(source)?.render(&messages, &RenderOptions::default())
}

#[test]
fn arguments_are_an_object_or_the_text_that_a_template_needs() {
    let call = |arguments: Value| json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]);
    let arguments = "messages[0].tool_calls[0].function.arguments";
    let by_name = format!("{{{{ {arguments}.city }}}}");
    let as_text = format!("{{{{ 'f: ' + {arguments} }}}}");
    let as_json = format!("{{{{ {arguments} | tojson }}}}");
    for (source, given, expected) in [
        (&by_name, json!("{\"city\": \"Paris\"}"), "Paris"),
        (&by_name, json!({"city": "Paris"}), "Paris"),
        (&as_text, json!("{\"city\": \"Paris\"}"), "f: {\"city\": \"Paris\"}"),
        (&as_text, json!({"city": "Paris"}), "f: {\"city\": \"Paris\"}"),
        (&as_json, json!("{\"city\":\"Paris\"}"), "{\"city\": \"Paris\"}"),
        // Clients write nothing where there are none.
        (&as_json, json!(""), "{}"),
        // What is no object stays text.
        (&as_json, json!("[1]"), "\"[1]\""),
        (&as_json, json!("no JSON"), "\"no JSON\""),
    ] {
        assert_eq!(chat(source, &call(given)).unwrap(), expected, "{source}");
    }
}

#[test]
fn null_content_is_absent_or_what_a_template_needs() {
    let messages =
        json!([{"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]);
    for (source, expected) in [
        ("[{{ messages[0].content }}]", "[]"),
        ("{{ 'content' in messages[0] }}", "False"),
        ("{{ messages[0].content + '.' }}", "."),
        ("{{ 'x' in messages[0].content.split() }}", "False"),
        (
            "{% if messages[0].content is none %}{{ 'call ' + messages[0].tool_calls[0].function.arguments }}{% else %}{{ messages[0]['content'].x.y }}{% endif %}",
            "call {}",
        ),
    ] {
        // Calls that are not shown are an error.
        let source = format!("{source}{{{{ messages[0].tool_calls[0].function.name }}}}");
        assert_eq!(chat(&source, &messages).unwrap(), format!("{expected}f"), "{source}");
    }
    let thought = json!([{"role": "assistant", "content": "a", "reasoning": "why"}]);
    assert_eq!(chat("{{ messages[0].reasoning_content }}{{ messages[0].thinking }}", &thought).unwrap(), "whywhy");
    // As transformers 5.24 puts them: the one name before all others, the other where it is or at the end.
    for (message, expected) in [
        (
            json!({"role": "assistant", "reasoning_content": "w", "content": "a"}),
            ["thinking", "role", "reasoning_content", "content"],
        ),
        (
            json!({"role": "assistant", "content": "a", "thinking": "w"}),
            ["thinking", "role", "content", "reasoning_content"],
        ),
    ] {
        let keys = chat("{{ messages[0]|list|join(' ') }}", &json!([message])).unwrap();
        assert_eq!(keys, expected.join(" "));
    }
}
