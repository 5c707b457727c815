//! Tools that a template does not show are an error, or are put into the system message if that is asked for.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use trillm_core::Coded;
use trillm_text::{ChatTemplate, Error, Message, RenderOptions};

const PLAIN: &str = "{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}";

fn tools() -> Value {
    json!([
        {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}},
        {"name": "add", "description": "a + b"},
    ])
}

fn render(template: &str, messages: &Value, polyfill_tools: bool) -> Result<String, Error> {
    let options = RenderOptions { tools: Some(tools()), polyfill_tools, ..RenderOptions::default() };
    let messages = Message::list(messages.as_array().unwrap().clone()).unwrap();
    ChatTemplate::new(template).unwrap().render(&messages, &options)
}

fn user() -> Value {
    json!([{"role": "user", "content": "Hi"}])
}

#[test]
fn tools_that_are_not_shown_are_an_error() {
    for template in [
        PLAIN,
        // A template may speak of tools and show none.
        "{# tools #}{% if tools %}{% set shown = tools %}{% endif %}{{ messages[0].content }}",
        "{% if tools %}You have tools. {% endif %}{{ messages[0].content }}",
        // Or not all.
        "{{ tools[0] | tojson }}{{ messages[0].content }}",
        // Or only beside a system message, and here is none.
        "{% for m in messages %}{{ m.content }}{% if m.role == 'system' %}{{ tools }}{% endif %}{% endfor %}",
        // A user who writes their names shows none.
        "{% for m in messages %}get_weather add {{ m.content }}{% endfor %}",
    ] {
        let error = render(template, &user(), false).expect_err(template);
        assert_eq!(
            (error.code(), error.to_string().as_str()),
            ("tools_not_shown", "the chat template has no place for tools in these messages",)
        );
        assert!(error.hint().unwrap().contains("polyfill_tools"));
    }
}

#[test]
fn a_name_that_is_there_anyway_shows_no_tool() {
    let speaks = "{% if tools %}You can call functions. {% endif %}{{ messages[0].content }}";
    let first = "{{ tools[0] | tojson }}{{ messages[0].content }}";
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "description": "d"}});
    let nameless = |description: &str| json!({"description": description});
    for (template, tools, content) in [
        (speaks, json!([tool("weather")]), "What is the weather like?"),
        (speaks, json!([tool("météo")]), "Hi"),
        (speaks, json!([tool("get weather"), tool("a.b")]), "get weather, a.b"),
        (speaks, json!([nameless("Says what the weather is like.")]), "Hi"),
        (first, json!([tool("get_weather"), tool("weather")]), "Hi"),
        (first, json!([tool("add"), tool("add")]), "add"),
        (first, json!([tool("add"), nameless("add")]), "add"),
    ] {
        let render = |template: &str, polyfill_tools| {
            let options = RenderOptions { tools: Some(tools.clone()), polyfill_tools, ..RenderOptions::default() };
            ChatTemplate::new(template).unwrap().render(&[Message::new("user", content)], &options)
        };
        assert_eq!(render(template, false), Err(Error::ToolsNotShown), "{template} {tools}");
        let all = "{{ tools | tojson }}{{ messages[0].content }}";
        assert!(render(all, false).is_ok(), "{tools}");
        assert!(render(PLAIN, true).unwrap().contains(content), "{tools}");
    }
}

#[test]
fn a_tool_is_shown_in_words_of_the_templates_own() {
    for template in [
        "{% for t in tools %}{{ (t.function or t).name | upper }} {% endfor %}",
        "{% for t in tools %}{% if (t.function or t).name in ['add', 'get_weather'] %}{{ (t.function or t).name }} \
         {% else %}{{ raise_exception('unknown') }}{% endif %}{% endfor %}",
        "{% set known = {'add': 'add: sums', 'get_weather': 'get_weather: asks'} %}\
         {% for t in tools %}{{ known[(t.function or t).name] }} {% endfor %}",
    ] {
        assert!(render(template, &user(), false).is_ok(), "{template}");
    }
}

#[test]
fn many_tools_whose_names_are_cut_are_each_looked_for() {
    // The last name is in the others, and in a description; the template counts what it is asked for.
    let names = (0..1000).map(|n| format!("find_{n:04}")).chain(["find".into()]);
    let tools = names.map(|name| json!({"name": name, "description": "As find, but better."})).collect::<Vec<_>>();
    let cut = "{% for t in tools %}{{ t.name[:9] }} {% endfor %}{{ messages[0].content }}";
    let but_one = "{% for t in tools if t.name != 'find_0500' %}{{ t.name[:9] }} {% endfor %}{{ messages[0].content }}";
    let but_last = "{% for t in tools if t.name != 'find' %}{{ t.name[:9] }} {% endfor %}{{ messages[0].content }}";
    let knows_both = "{% if tools %}find_0001 find_0002{% endif %}{{ messages[0].content }}";
    // Without any of them it fails: what is missing is found by halves.
    let all = "{% if not tools %}{{ raise_exception('none') }}{% endif %}".to_owned() + cut;
    let show = |template: &str, tools: &[Value], content: &str| {
        let options = RenderOptions { tools: Some(tools.to_vec().into()), ..RenderOptions::default() };
        ChatTemplate::new(template).unwrap().render(&[Message::new("user", content)], &options)
    };
    for template in [cut, &all] {
        assert!(show(template, &tools, "find_0500").is_ok(), "{template}");
    }
    for template in [but_one, but_last] {
        assert_eq!(show(template, &tools, "find_0500"), Err(Error::ToolsNotShown), "{template}");
    }
    assert_eq!(show(knows_both, &tools[1..3], "Hi"), Err(Error::ToolsNotShown));
}

#[test]
fn tools_that_are_shown_are_the_templates_own() {
    for (template, expected) in [
        ("{% for t in tools %}{{ (t.function or t).name }} {% endfor %}", "get_weather add "),
        ("{% set known = tools %}{{ known | map(attribute='name') | list }}{{ tools[0] }}", ""),
        ("{% if not tools %}{{ raise_exception('none') }}{% endif %}{{ tools | tojson }}", ""),
    ] {
        let with = render(template, &user(), false).unwrap();
        assert_eq!(render(template, &user(), true).as_deref(), Ok(with.as_str()), "polyfill_tools changes nothing");
        assert!(expected.is_empty() || with == expected, "{with}");
    }
    let options = RenderOptions { tools: Some(json!([])), ..RenderOptions::default() };
    let shown = ChatTemplate::new(PLAIN).unwrap().render(&[Message::new("user", "Hi")], &options);
    assert_eq!(shown.as_deref(), Ok("[user: Hi]"), "no tools are nothing to show");
}

#[test]
fn tools_are_put_into_the_system_message_when_that_is_asked_for() {
    let text = "You can call any of the following tools to satisfy the user's requests:\n\
        {\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"parameters\": {\"type\": \"object\"}}}\n\
        {\"name\": \"add\", \"description\": \"a + b\"}";
    let system = |content: Value| json!([{"role": "system", "content": content}, {"role": "user", "content": "Hi"}]);
    for (messages, expected) in [
        (user(), format!("[system: {text}][user: Hi]")),
        (system("Be brief.".into()), format!("[system: Be brief.\n\n{text}][user: Hi]")),
        (system("".into()), format!("[system: {text}][user: Hi]")),
        (system(Value::Null), format!("[system: {text}][user: Hi]")),
        (system(json!([{"type": "text", "text": "Be brief."}])), format!("[system: Be brief.\n{text}][user: Hi]")),
    ] {
        assert_eq!(render(PLAIN, &messages, true), Ok(expected));
    }
    // A template without a place for a system message has none for tools.
    let user_only = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
    assert_eq!(render(user_only, &user(), true), Err(Error::ToolsNotShown));
    let refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}x";
    assert_eq!(render(refuses, &user(), true), Err(Error::Refused { reason: "no system".into() }));
}

fn show(template: &str, messages: &Value) -> Result<String, Error> {
    let messages = Message::list(messages.as_array().unwrap().clone()).unwrap();
    ChatTemplate::new(template).unwrap().render(&messages, &RenderOptions::default())
}

fn called(calls: &Value) -> Value {
    json!([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null, "tool_calls": calls}])
}

#[test]
fn calls_and_answers_that_are_not_shown_are_an_error() {
    let calls = json!([
        {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Paris"}}},
        {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Rome"}}},
    ]);
    let answered = json!([{"role": "user", "content": "Hi"}, {"role": "tool", "content": "sunny"}]);
    let parts =
        json!([{"role": "user", "content": "Hi"}, {"role": "tool", "content": [{"type": "text", "text": "sunny"}]}]);
    let old = json!([{"role": "assistant", "content": "So.", "function_call": {"name": "f", "arguments": "{}"}}]);
    let first =
        "{% for m in messages %}{{ m.tool_calls[0].function | tojson if m.tool_calls else m.content }}{% endfor %}";
    let users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
    for (template, messages, index, what) in [
        (PLAIN, called(&calls), 1, "tool calls"),
        (PLAIN, called(&json!([{"name": "f", "arguments": {}}])), 1, "tool calls"),
        (PLAIN, old, 0, "tool calls"),
        // One of them.
        (first, called(&calls), 1, "tool calls"),
        // A user who writes its name shows none.
        ("{% for m in messages %}get_weather {{ m.content }}{% endfor %}", called(&calls), 1, "tool calls"),
        (users, called(&calls), 1, "tool calls"),
        (users, answered.clone(), 1, "what a tool answered"),
        (users, parts.clone(), 1, "what a tool answered"),
    ] {
        let error = show(template, &messages).expect_err(template);
        assert_eq!(error, Error::PartNotShown { index, what });
        assert_eq!(error.code(), "calls_not_shown");
        let said = format!("messages[{index}]: the chat template has no place for {what} in these messages");
        assert_eq!(error.to_string(), said);
        assert!(error.hint().unwrap().contains("as text"));
    }
}

#[test]
fn calls_and_answers_that_are_shown_are_left_alone() {
    let call = json!([{"function": {"name": "f", "arguments": {"x": 1}}}]);
    let answered = |content: Value| json!([{"role": "user", "content": "Hi"}, {"role": "tool", "content": content}]);
    let users = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}";
    for (template, messages, expected) in [
        ("{{ messages[1].tool_calls[0].function.name }}", called(&call), "f"),
        // In other words than its name.
        ("{{ messages[1].tool_calls[0].function.arguments.x }}", called(&call), "1"),
        ("{{ 'call' if messages[1].tool_calls else 'none' }}", called(&call), "call"),
        // A template that fails without it, or with another name.
        ("{{ messages[1].tool_calls[0].function.name.count('f') }}", called(&call), "1"),
        ("{{ {'f': 'known'}[messages[1].tool_calls[0].function.name] }}", called(&call), "known"),
        ("{{ messages[1].content }}", answered("sunny".into()), "sunny"),
        ("{{ messages[1].content | length }}", answered("sunny".into()), "5"),
        // Cut, so that what is behind it is not there.
        ("{{ messages[1].content[:20] }}", answered("a text of twenty-five letters".into()), "a text of twenty-fiv"),
        // There is nothing to show.
        (users, called(&json!([])), "Hi"),
        (users, called(&Value::Null), "Hi"),
        (users, answered("".into()), "Hi"),
        (users, answered(Value::Null), "Hi"),
    ] {
        assert_eq!(show(template, &messages).as_deref(), Ok(expected), "{template}");
    }
}
