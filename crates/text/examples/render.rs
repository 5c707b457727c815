//! Renders cases for `tools/fuzz/templates.py`: a line of JSON in, a line of JSON out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "this is a program, run by people")]

use std::io::{BufRead, stdin};

use serde_json::{Value, json};
use trillm_text::{ChatTemplate, Error, Message, RenderOptions, read_json};

fn render(case: &Value) -> Result<String, Error> {
    let template = ChatTemplate::new(case["template"].as_str().unwrap_or_default())?;
    let special = case["special"].as_object().into_iter().flatten();
    let template = template.with_special_tokens(special.map(|(name, text)| (name.as_str(), text.as_str().unwrap())));
    let mut options = RenderOptions {
        add_generation_prompt: case["add_generation_prompt"] == true,
        tools: case.get("tools").filter(|tools| !tools.is_null()).cloned(),
        variables: case["variables"].as_object().cloned().unwrap_or_default(),
        ..RenderOptions::default()
    };
    let messages = Message::list(case["messages"].as_array().cloned().unwrap_or_default())?;
    let rendered = template.render(&messages, &options);
    // Tools that a template does not show are an error with us, and the text of transformers is the one without them.
    if rendered == Err(Error::ToolsNotShown) {
        options.tools = None;
        return template.render(&messages, &options);
    }
    rendered
}

fn main() {
    for line in stdin().lock().lines() {
        let answer = match render(&read_json(&line.unwrap()).unwrap()) {
            Ok(text) => json!({ "text": text }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{answer}");
    }
}
