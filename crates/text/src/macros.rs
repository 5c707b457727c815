//! Macros as Jinja2 calls them.
//!
//! minijinja's macros know no `varargs` and `kwargs`, evaluate a default before the parameters in front of it, and take
//! a default for what was given but is undefined. So each macro becomes one of minijinja's with every argument by its
//! place, and an object of ours that binds arguments as Jinja2 does. Call blocks are macros too: `caller`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, Tuple, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::expression::expression;
use crate::tokens::{between, is_name, is_word, reads, tokens};

/// The filter that makes a macro.
const MACRO: &str = "__macro";
/// The test whether an argument was not given.
const MISSING: &str = "__missing";
/// Names that a macro may read without declaring them.
const SPECIAL: [&str; 3] = ["varargs", "kwargs", "caller"];

/// Adds what rewritten macros need.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_filter(MACRO, make);
    environment.add_test(MISSING, |value: &Value| value.downcast_object_ref::<Missing>().is_some());
}

/// A macro or a call block whose end was not seen yet.
pub(crate) struct Open {
    /// None of a call block.
    name: Option<String>,
    /// What minijinja's macro is called.
    inner: String,
    parameters: Vec<(String, Option<String>)>,
    /// The call that a call block goes to.
    call: String,
    /// Which of [`SPECIAL`] are read inside.
    reads: [bool; 3],
}

impl Open {
    /// Reads the beginning of a macro or a call block: what follows the word. `number` makes its name unique.
    pub(crate) fn new(word: &str, inside: &str, number: usize) -> Option<Self> {
        let inside = inside.trim();
        let named = inside.find(|c: char| !is_word(c)).unwrap_or(inside.len());
        let (name, signature) = if word == "macro" { inside.split_at(named) } else { ("", inside) };
        let signature = signature.trim_start();
        let (list, call) = if signature.starts_with('(') {
            let end = closing(signature)?;
            (&signature[1..end], signature[end + 1..].trim())
        } else {
            ("", signature)
        };
        let is_complete = if word == "macro" { !name.is_empty() && call.is_empty() } else { call.ends_with(')') };
        if !is_complete {
            return None;
        }
        let mut parameters = Vec::new();
        for parameter in between(",", list).into_iter().map(str::trim).filter(|parameter| !parameter.is_empty()) {
            let (name, default) = parameter.split_once('=').map_or((parameter, None), |(a, b)| (a, Some(b.trim())));
            let name = name.trim();
            let is_late =
                default.is_none() && parameters.last().is_some_and(|(_, last): &(_, Option<_>)| last.is_some());
            if !is_name(name) || is_late || default.is_some_and(str::is_empty) {
                return None;
            }
            parameters.push((name.to_owned(), default.map(str::to_owned)));
        }
        let inner = format!("__macro_{number}");
        let name = (word == "macro").then(|| name.to_owned());
        Some(Self { name, inner, parameters, call: call.to_owned(), reads: [false; 3] })
    }

    /// Whether this word ends it.
    pub(crate) fn is_closed_by(&self, word: &str) -> bool {
        word == if self.name.is_some() { "endmacro" } else { "endcall" }
    }

    /// Notes which special names an expression inside reads.
    pub(crate) fn see(&mut self, text: &str) {
        for (seen, name) in self.reads.iter_mut().zip(SPECIAL) {
            *seen = *seen || reads(text, name);
        }
    }

    /// The tag that begins it; `left` and `right` are the signs of its white-space control.
    pub(crate) fn begin(&self, left: &str, right: &str) -> String {
        let declared = |name: &&str| self.parameters.iter().any(|(known, _)| known == name);
        let special = SPECIAL.iter().filter(|name| !declared(name)).copied();
        let names: Vec<&str> = self.parameters.iter().map(|(name, _)| name.as_str()).chain(special).collect();
        let mut tags = vec![format!("macro {}({})", self.inner, names.join(", "))];
        for (name, default) in &self.parameters {
            if let Some(default) = default {
                tags.push(format!("if {name} is {MISSING}"));
                tags.push(format!("set {name} = ({})", expression(default)));
                tags.push("endif".into());
            }
        }
        format!("{{%{left} {} {right}%}}", tags.join(" %}{% "))
    }

    /// What stands in place of the tag that ends it.
    pub(crate) fn end(&self, left: &str, right: &str) -> String {
        let inner = &self.inner;
        let names: Vec<String> = self.parameters.iter().map(|(name, _)| format!("'{name}'")).collect();
        let defaults = self.parameters.iter().filter(|(_, default)| default.is_some()).count();
        let [varargs, kwargs, caller] = self.reads;
        let name = self.name.as_ref().map_or("none".into(), |name| format!("'{name}'"));
        let made =
            format!("{inner}|{MACRO}({name}, [{}], {defaults}, [{varargs}, {kwargs}, {caller}])", names.join(", "));
        let end = format!("{{%{left} endmacro %}}");
        if let Some(name) = &self.name {
            return format!("{end}{{% set {name} = {made} {right}%}}");
        }
        let (call, _) = self.call.split_at(self.call.len() - 1);
        let opening = tokens(call).filter(|token| !token.trim().is_empty()).last();
        let comma = if matches!(opening, Some("(" | ",")) { "" } else { "," };
        let call = expression(&format!("{call}{comma} caller={made})")).into_owned();
        // The tag after it takes the line break that the block's end would.
        format!("{end}{{{{ {call} }}}}{{% set {inner} = none {right}%}}")
    }
}

/// Where the bracket closes that a text begins with.
fn closing(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 0usize);
    for token in tokens(text) {
        match token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 1 => return Some(at),
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += token.len();
    }
    None
}

/// What an argument is that was not given and has a default.
#[derive(Debug)]
struct Missing;

impl Object for Missing {}

/// A macro, or a call block for the macro that it calls.
#[derive(Debug)]
struct Macro {
    name: Option<String>,
    /// minijinja's macro, which takes all parameters by place, and then those of [`SPECIAL`] that are none of them.
    inner: Value,
    parameters: Vec<String>,
    /// How many of the last parameters have a default.
    defaults: usize,
    /// Which of [`SPECIAL`] it reads.
    reads: [bool; 3],
}

fn make(
    inner: &Value,
    name: Option<String>,
    parameters: Vec<String>,
    defaults: usize,
    reads: Vec<bool>,
) -> Result<Value, Error> {
    let reads = reads.try_into().map_err(|_| Error::from(ErrorKind::MissingArgument))?;
    Ok(Value::from_object(Macro { name, inner: inner.clone(), parameters, defaults, reads }))
}

impl Macro {
    fn refuse<T>(&self, what: &str) -> Result<T, Error> {
        let name = self.name.as_deref().unwrap_or("None");
        Err(Error::new(ErrorKind::TooManyArguments, format!("macro '{name}' {what}")))
    }
}

impl Object for Macro {
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["name", "arguments", "catch_varargs", "catch_kwargs", "caller"])
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let [varargs, kwargs, caller] = self.reads;
        Some(match key.as_str()? {
            "name" => Value::from(self.name.clone()),
            "arguments" => Tuple::from(self.parameters.iter().map(Value::from).collect::<Vec<_>>()).into(),
            "catch_varargs" => Value::from(varargs),
            "catch_kwargs" => Value::from(kwargs),
            "caller" => Value::from(caller),
            _ => return None,
        })
    }

    fn call(self: &Arc<Self>, state: &mut State, args: &[Value]) -> Result<Value, Error> {
        let (given, named): (&[Value], Kwargs) = from_args(args)?;
        let mut named =
            named.args().map(|name| Ok((name, named.peek::<Value>(name)?))).collect::<Result<Vec<_>, Error>>()?;
        let mut take = |wanted: &str| named.iter().position(|(name, _)| *name == wanted).map(|at| named.remove(at).1);
        let [varargs, kwargs, caller] = self.reads;
        let count = self.parameters.len();
        let mut values: Vec<Value> = given.iter().take(count).cloned().collect();
        let by_place = values.len();
        for (index, name) in self.parameters.iter().enumerate().skip(by_place) {
            let has_default = index >= count - self.defaults;
            let absent = || if has_default { Value::from_object(Missing) } else { Value::UNDEFINED };
            values.push(take(name).unwrap_or_else(absent));
        }
        let declares = |name: &str| self.parameters.iter().any(|known| known == name);
        let called_by = if caller && !declares("caller") { take("caller") } else { None };
        if let Some((name, _)) = named.first().filter(|_| !kwargs) {
            let twice = named.iter().any(|(name, _)| *name == "caller");
            return self.refuse(&if twice {
                "was invoked with two values for the special caller argument".into()
            } else {
                format!("takes no keyword argument '{name}'")
            });
        }
        if given.len() > count && !varargs {
            return self.refuse(&format!("takes not more than {count} argument(s)"));
        }
        let rest = given.iter().skip(count).cloned().collect::<Vec<_>>();
        let special = [
            Tuple::from(rest).into(),
            Value::from_pairs(named.into_iter().map(|(name, value)| (Value::from(name), value))),
            called_by.filter(|caller| !caller.is_none()).unwrap_or(Value::UNDEFINED),
        ];
        values.extend(SPECIAL.iter().zip(special).filter(|(name, _)| !declares(name)).map(|(_, value)| value));
        self.inner.call(state, &values)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "<Macro '{name}'>"),
            None => f.write_str("<Macro anonymous>"),
        }
    }
}
