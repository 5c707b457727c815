//! A model's chat template: Jinja, as Hugging Face's `apply_chat_template` runs it.
//!
//! Templates come from strangers inside model files, so one can do nothing but make text: there is no loader, no file,
//! no environment, no object with methods of its own, and its work, memory and depth are bounded. What Python and Rust
//! do differently is in `pycompat.rs` and `tojson.rs`.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde_json::Map;

use crate::bounds::{MAX_OUTPUT, TooLong};
use crate::content::{Content, Fields};
use crate::form::{FORMS, says_nothing};
use crate::pycompat::Raised;
use crate::rewrite::rewrite;
use crate::{
    Error, Message, Result, calls, filters, generators, globals, json, macros, markup, numbers, operators, pycompat,
    python, ranks, sandbox, tojson, tools, urlize,
};

/// Bytes of a template. The longest in use are near 30 kB.
const MAX_SOURCE: usize = 256 << 10;
/// Steps of the template's program; 64 bytes of text made count as one. Real templates take some thousands.
const FUEL: u64 = 2_000_000;
/// Renderings that may fail to end in time before no more are begun: one may be the machine's fault.
const MAX_HUNG: u32 = 2;
/// Nested blocks, the most that minijinja has; a macro's call counts six times, so macros call one another 83 times, as
/// those that write nested JSON schemas do. 4 MiB of stack suffice.
const DEPTH: usize = 500;

/// How to render messages, apart from the messages.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderOptions {
    /// End with the beginning of the assistant's answer. Default true.
    pub add_generation_prompt: bool,
    /// Descriptions of tools, as JSON schema; `None` if there are none.
    pub tools: Option<serde_json::Value>,
    /// Put tools into the system message where the template does not show them. Default false: it is an error then.
    pub polyfill_tools: bool,
    /// Documents to answer from; `None` if there are none.
    pub documents: Option<serde_json::Value>,
    /// Further variables that a template may know, such as `enable_thinking`.
    pub variables: Map<String, serde_json::Value>,
    /// Which of a model's templates to use, by its name; `None` takes that for tools if there are tools and one for
    /// them, else the default.
    pub template_name: Option<String>,
}

impl Default for RenderOptions {
    fn default() -> Self {
        Self {
            add_generation_prompt: true,
            tools: None,
            polyfill_tools: false,
            documents: None,
            variables: Map::new(),
            template_name: None,
        }
    }
}

/// What a template takes in place of messages and options, and what it makes of it.
pub(crate) struct Adapted<'a> {
    pub(crate) messages: Vec<Cow<'a, Fields>>,
    pub(crate) options: Cow<'a, RenderOptions>,
    pub(crate) text: String,
}

/// A compiled chat template.
pub struct ChatTemplate {
    source: String,
    environment: Arc<Environment<'static>>,
    content: Content,
    /// `bos_token`, `eos_token` and their like.
    special: Vec<(Value, Value)>,
    /// How many renderings did not end in time; their threads may run still.
    hung: AtomicU32,
}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`Error::InvalidTemplate`] if it is no valid Jinja, or longer than 256 KiB; if no thread can be started.
    pub fn new(source: &str) -> Result<Self> {
        if source.len() > MAX_SOURCE {
            return Err(Error::InvalidTemplate { reason: format!("{} bytes, at most {MAX_SOURCE}", source.len()) });
        }
        let blank = Self {
            source: String::new(),
            environment: Arc::default(),
            content: Content::Both,
            special: Vec::new(),
            hung: AtomicU32::new(0),
        };
        let mut template = blank.with_source(source.to_owned())?;
        template.content = template.probe()?;
        Ok(template)
    }

    /// Another source that takes what this one takes.
    pub(crate) fn with_source(&self, source: String) -> Result<Self> {
        let words = source.clone();
        let environment = Arc::new(sandbox::run(move || compile(rewrite(&words)))?);
        let (content, special) = (self.content, self.special.clone());
        Ok(Self { source, environment, content, special, hung: AtomicU32::new(0) })
    }

    /// What it was compiled from.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Tells the template how the model spells its special tokens, by name: `bos_token`, `pad_token`, …
    #[must_use]
    pub fn with_special_tokens<'t>(mut self, tokens: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        self.special = tokens.into_iter().map(|(name, text)| (Value::from(name), Value::from(text))).collect();
        self
    }

    /// Renders messages.
    ///
    /// Content that is a list of texts is joined with newlines where the template takes only text, and text is made a
    /// list of one part where it takes only lists. Arguments of tool calls that are JSON text are an object for the
    /// template, or text where it fails on an object; fields that are null are absent.
    ///
    /// # Errors
    /// [`Error::Refused`] with the template's own words, [`Error::Failed`], [`Error::Exceeded`], and
    /// [`Error::InvalidMessage`] for parts the template has no place for, [`Error::ToolsNotShown`] and
    /// [`Error::PartNotShown`].
    pub fn render(&self, messages: &[Message], options: &RenderOptions) -> Result<String> {
        Ok(self.adapt(messages, options)?.text)
    }

    /// Messages in the form that this template takes, and what it makes of them.
    pub(crate) fn adapt<'a>(&self, messages: &'a [Message], options: &'a RenderOptions) -> Result<Adapted<'a>> {
        let (formed, text) = self.form(messages, options)?;
        calls::check_shown(&formed, &text, |messages| self.run(messages, options))?;
        let adapted = Adapted { messages: formed, options: Cow::Borrowed(options), text };
        let Some(tools) = options.tools.as_ref().filter(|tools| tools::are_given(tools)) else {
            return Ok(adapted);
        };
        let with = |tools: Option<serde_json::Value>| RenderOptions { tools, ..options.clone() };
        if tools::are_shown(tools, &adapted.text, |others| self.run(&adapted.messages, &with(others))) {
            return Ok(adapted);
        }
        if !options.polyfill_tools {
            return Err(Error::ToolsNotShown);
        }
        let options = with(None);
        let put = |tools: &serde_json::Value| tools::in_system(messages, tools);
        let messages_with = put(tools)?;
        let (formed, text) = self.form(&messages_with, &options)?;
        let others_shown = |others: Option<serde_json::Value>| {
            let messages = others.as_ref().map_or_else(|| Ok(messages.to_vec()), put)?;
            Ok(self.form(&messages, &options)?.1)
        };
        if !tools::are_shown(tools, &text, others_shown) {
            return Err(Error::ToolsNotShown);
        }
        let messages = formed.into_iter().map(|fields| Cow::Owned(fields.into_owned())).collect();
        Ok(Adapted { messages, options: Cow::Owned(options), text })
    }

    /// The first form of these messages that the template does not fail on.
    fn form<'a>(&self, messages: &'a [Message], options: &RenderOptions) -> Result<(Vec<Cow<'a, Fields>>, String)> {
        let adapt =
            |(index, message)| self.content.adapt(message).map_err(|reason| Error::InvalidMessage { index, reason });
        let messages = messages.iter().enumerate().map(adapt).collect::<Result<Vec<_>>>()?;
        let mut tried: Vec<Vec<Cow<'_, Fields>>> = Vec::new();
        let mut first = None;
        for form in FORMS {
            let formed: Vec<_> = messages.iter().map(|fields| form.of(fields)).collect();
            if tried.contains(&formed) {
                continue;
            }
            match self.run(&formed, options) {
                Ok(text) => return Ok((formed, text)),
                // More of the same costs as much again, and says nothing new.
                Err(error @ (Error::Exceeded { .. } | Error::Core(_))) => return Err(error),
                Err(error) => drop(first.get_or_insert(error)),
            }
            tried.push(formed);
        }
        Err(match first.unwrap_or(Error::NoChatTemplate) {
            Error::Failed { reason } => match messages.iter().position(|fields| says_nothing(fields)) {
                Some(index) => Error::InvalidMessage {
                    index,
                    reason: format!("it has no content, and the chat template failed: {reason}"),
                },
                None => Error::Failed { reason },
            },
            other => other,
        })
    }

    /// Renders adapted messages.
    pub(crate) fn run(&self, messages: &[Cow<Fields>], options: &RenderOptions) -> Result<String> {
        let given = |value: &Option<serde_json::Value>| value.as_ref().map(json::value).transpose();
        let own = [
            ("messages", messages.iter().map(|fields| json::object(fields)).collect::<Result<Vec<_>>>()?.into()),
            ("tools", given(&options.tools)?.into()),
            ("documents", given(&options.documents)?.into()),
            ("add_generation_prompt", Value::from(options.add_generation_prompt)),
        ];
        let variable = |(name, value): (&String, _)| Ok((Value::from(name), json::value(value)?));
        let variables = options.variables.iter().map(variable).collect::<Result<Vec<_>>>()?;
        // Of two with one name the latter counts.
        let own = own.into_iter().map(|(name, value)| (Value::from(name), value));
        let context = Value::from_pairs(self.special.iter().cloned().chain(own).chain(variables));
        if self.hung.load(Ordering::Relaxed) >= MAX_HUNG {
            return Err(Error::Exceeded { limit: sandbox::TIME_LIMIT });
        }
        let environment = Arc::clone(&self.environment);
        let result = sandbox::run(move || {
            let template = environment.get_template(NAME).map_err(|error| failure(&error))?;
            let mut out = Bounded(Vec::new());
            template.render_captured_to(context, &mut out).map_err(|error| failure(&error))?;
            String::from_utf8(out.0).map_err(|error| Error::Failed { reason: error.to_string() })
        });
        if result == Err(Error::Exceeded { limit: sandbox::TIME_LIMIT }) {
            self.hung.fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    /// Finds out what content this template takes, by rendering a message of each kind.
    fn probe(&self) -> Result<Content> {
        const NEEDLE: &str = "needle";
        // A template that prints a list as a list prints this.
        const PART: &str = "'type'";
        let shows = |content: serde_json::Value| {
            let mut message = Message::new("user", "");
            message.0.insert("content".into(), content);
            match self.run(&[Cow::Owned(message.0)], &RenderOptions::default()) {
                Ok(text) => Ok(text.contains(NEEDLE) && !text.contains(PART)),
                // Of the system, not of the template: what is found out here is kept.
                Err(error @ Error::Core(_)) => Err(error),
                // It hangs whatever it is given: it is waited for once.
                Err(Error::Exceeded { limit: sandbox::TIME_LIMIT }) => {
                    self.hung.store(MAX_HUNG, Ordering::Relaxed);
                    Ok(false)
                }
                Err(_) => Ok(false),
            }
        };
        Ok(match (shows(NEEDLE.into())?, shows(serde_json::json!([{"type": "text", "text": NEEDLE}]))?) {
            (true, true) => Content::Both,
            (false, true) => Content::Parts,
            (_, false) => Content::Text,
        })
    }
}

fn compile(source: String) -> Result<Environment<'static>> {
    let invalid = |error: minijinja::Error| Error::InvalidTemplate { reason: reason(&error) };
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(invalid)?);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // Errors name what is undefined.
    environment.set_debug(true);
    environment.set_formatter(print);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    pycompat::install(&mut environment);
    operators::install(&mut environment);
    ranks::install(&mut environment);
    filters::install(&mut environment);
    numbers::install(&mut environment);
    globals::install(&mut environment);
    generators::install(&mut environment);
    macros::install(&mut environment);
    markup::install(&mut environment);
    tojson::install(&mut environment);
    urlize::install(&mut environment);
    environment.add_template_owned(NAME, source).map_err(invalid)?;
    Ok(environment)
}

/// The one template's name, seen in error messages.
const NAME: &str = "chat_template";

/// Prints a value.
fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), minijinja::Error> {
    if *state.auto_escape() == AutoEscape::Html && !value.is_safe() {
        out.write_str(&markup::html(&python::text(value)?))?;
    } else if python::is_ours(value) {
        out.write_str(&python::text(value)?)?;
    } else {
        minijinja::escape_formatter(out, state, value)?;
    }
    Ok(())
}

/// Output that may not grow beyond [`MAX_OUTPUT`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn failure(error: &minijinja::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = cause {
        if let Some(Raised(reason)) = found.downcast_ref() {
            return Error::Refused { reason: reason.clone() };
        }
        if found.is::<TooLong>() || found.is::<io::Error>() {
            return Error::Exceeded { limit: "output limit of 16 MiB" };
        }
        if let Some(error) = found.downcast_ref::<minijinja::Error>() {
            if error.kind() == ErrorKind::OutOfFuel {
                return Error::Exceeded { limit: "work limit of 2 million steps" };
            }
            if error.detail() == Some("recursion limit exceeded") {
                return Error::Exceeded { limit: "nesting limit of 500 levels" };
            }
        }
        cause = found.source();
    }
    Error::Failed { reason: reason(error) }
}

/// An error's message with the messages of its causes.
fn reason(error: &minijinja::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(found) = cause {
        text = format!("{text}: {found}");
        cause = found.source();
    }
    text
}
