//! Functions and tests of Jinja2 that minijinja lacks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value, functions, tests};

use crate::arguments::{add_function, add_test};
use crate::letters::is_cased;
use crate::operators::{is_ordered, modulo};
use crate::{lazy, python};

/// Tests that compare, by their names.
const ORDERS: [(&str, &[&str]); 4] =
    [("<", &["<", "lt", "lessthan"]), ("<=", &["<=", "le"]), (">", &[">", "gt", "greaterthan"]), (">=", &[">=", "ge"])];

/// Adds them.
pub(crate) fn install(environment: &mut Environment) {
    environment.add_global("self", Value::from_object(Blocks));
    crate::groups::install(environment);
    environment.add_function("cycler", cycler);
    add_function(environment, "joiner", joiner);
    environment.add_function("dict", dict);
    environment.add_function("namespace", namespace);
    environment.add_function("lipsum", lipsum);
    environment.add_test("filter", is_filter);
    environment.add_test("test", is_test);
    environment.add_test("lower", |value: &Value| python::text(value).map(|text| is_cased(&text, false)));
    environment.add_test("upper", |value: &Value| python::text(value).map(|text| is_cased(&text, true)));
    add_test(environment, "divisibleby", is_divisible_by);
    for (name, rest) in [("even", 0), ("odd", 1)] {
        environment.add_test(name, move |value: &Value| Ok(modulo(value, &Value::from(2))? == Value::from(rest)));
    }
    for (operator, names) in ORDERS {
        for name in names {
            let is_so = |left: &Value, right: &Value| is_ordered(left, operator, right);
            environment.add_test(*name, is_so);
        }
    }
    add_test(environment, "in", is_in);
    add_test(environment, "sameas", is_sameas);
    environment.add_test("callable", is_callable);
    environment.add_test("sequence", is_sequence);
}

/// Different each time, so refused by its name.
fn lipsum(_: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::UnknownFunction, "lipsum is unknown"))
}

fn is_divisible_by(value: &Value, divisor: &Value) -> Result<bool, Error> {
    modulo(value, divisor).map(|rest| rest == Value::from(0))
}

/// `value in of`, which only what is in something can be.
fn is_in(state: &mut State, value: &Value, of: &Value) -> Result<bool, Error> {
    let is_text = |value: &Value| value.kind() == ValueKind::String;
    if is_text(of) && !is_text(value) {
        let detail = format!("'in <string>' requires string as left operand, not {}", python::type_name(value));
        return Err(python::blaming(value, Error::new(ErrorKind::InvalidOperation, detail)));
    }
    if !of.is_undefined() {
        python::items(of).map(drop)?;
    }
    tests::is_in(state, value, of)
}

/// `value is other`: what is undefined is made anew each time it is asked for.
fn is_sameas(value: &Value, other: &Value) -> bool {
    !value.is_undefined() && tests::is_sameas(value, other)
}

fn is_filter(state: &State, name: &Value) -> bool {
    name.as_str().is_some_and(|name| tests::is_filter(state, name))
}

fn is_test(state: &State, name: &Value) -> bool {
    name.as_str().is_some_and(|name| tests::is_test(state, name))
}

/// Functions, macros and loops; what is undefined can be called in Jinja2, and fails then.
fn is_callable(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Plain => value.downcast_object_ref::<Blocks>().is_none(),
        ValueKind::Undefined => true,
        ValueKind::Map => python::is_of(value, "Macro") || python::is_of(value, "Loop"),
        _ => false,
    }
}

/// What has a length and can be indexed: a dictionary too, as Jinja2 has it.
fn is_sequence(value: &Value) -> bool {
    match value.kind() {
        ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined => true,
        ValueKind::Iterable => value.len().is_some() && !lazy::is_lazy(value),
        _ => false,
    }
}

/// `self`, which a template has whatever its blocks are. Where it names one, it is a macro (`expression.rs`).
#[derive(Debug)]
struct Blocks;

impl Object for Blocks {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<TemplateReference None>")
    }
}

/// `cycler('odd', 'even')`: gives one after the other.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.items[self.at.load(Ordering::Relaxed)].clone())
    }

    fn call_method(self: &Arc<Self>, _: &mut State, method: &str, args: &[Value]) -> Result<Value, Error> {
        from_args::<()>(args)?;
        let now = self.at.load(Ordering::Relaxed);
        match method {
            "next" => {
                self.at.store((now + 1) % self.items.len(), Ordering::Relaxed);
                Ok(self.items[now].clone())
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Cycler of {}>", self.items.len())
    }
}

fn cycler(Rest(items): Rest<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(Error::new(ErrorKind::MissingArgument, "at least one item has to be provided"));
    }
    Ok(Value::from_object(Cycler { items, at: AtomicUsize::new(0) }))
}

/// `joiner(', ')`: nothing when it is first called, then the text.
#[derive(Debug)]
struct Joiner {
    text: Value,
    calls: AtomicUsize,
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State, args: &[Value]) -> Result<Value, Error> {
        from_args::<()>(args)?;
        Ok(if self.calls.fetch_add(1, Ordering::Relaxed) == 0 { Value::from("") } else { self.text.clone() })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<Joiner>")
    }
}

fn joiner(text: Option<Value>) -> Value {
    Value::from_object(Joiner { text: text.unwrap_or_else(|| Value::from(", ")), calls: AtomicUsize::new(0) })
}

/// `dict(other, key=value)`; `other` may also be a list of pairs.
// minijinja hands arguments to a function by value.
#[expect(clippy::needless_pass_by_value)]
fn dict(Rest(other): Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    if other.len() > 1 {
        let detail = format!("dict expected at most 1 argument, got {}", other.len());
        return Err(Error::new(ErrorKind::TooManyArguments, detail));
    }
    // Of two with one key the place is that of the first, and the value that of the last.
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    if let Some(other) = other.first() {
        let is_map = other.kind() == ValueKind::Map;
        python::defined(other)?;
        for item in python::items(other)? {
            let item = item?;
            if is_map {
                let value = other.get_item(&item)?;
                pairs.push((item, value));
                continue;
            }
            let mut pair = python::items(&item)?;
            match (pair.next().transpose()?, pair.next().transpose()?, pair.next()) {
                (Some(key), Some(value), None) => pairs.push((key, value)),
                _ => return Err(Error::new(ErrorKind::InvalidOperation, "dict expects pairs of key and value")),
            }
        }
    }
    for name in named.args() {
        pairs.push((Value::from(name), named.peek(name)?));
    }
    Ok(Value::from_pairs(pairs))
}

/// `namespace(map, name=value)`.
fn namespace(other: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
    functions::namespace(Some(ValueOrKwargs::from(dict(other, named)?)))
}
