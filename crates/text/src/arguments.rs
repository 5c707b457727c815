//! The parameters of Jinja2's filters, tests and functions by their names: `truncate(8, leeway=0)`.
//!
//! Functions of Rust take their arguments by place. Here is what each place is called, so that each may be given either
//! way, and one that nobody has is an error. What stands between those that were given is undefined, which is no
//! argument for a filter. One that was given and is undefined is an error where Python has no use for it, and a value
//! like any other where it has.

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Kwargs, Object, Rest, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::python;

/// What filters and tests take beside the value, and functions take. Those that are not here take nothing by name.
/// The first letter says what may be given: behind a [`NEEDED`] what is defined, such as a number; behind a [`FLAG`]
/// anything that is true or not; behind an [`ANY`] anything at all, [`given`] if it was.
const PARAMETERS: [(&str, &[&str]); 32] = [
    ("attr", &["name"]),
    ("batch", &["linecount", "fill_with"]),
    ("center", &["!width"]),
    ("d", &["default_value", "boolean"]),
    ("default", &["default_value", "boolean"]),
    ("dictsort", &["^case_sensitive", "!by", "!reverse"]),
    ("divisibleby", &["num"]),
    ("filesizeformat", &["^binary"]),
    ("float", &["?default"]),
    ("groupby", &["attribute", "default", "^case_sensitive"]),
    ("in", &["seq"]),
    ("indent", &["!width", "^first", "^blank"]),
    ("int", &["?default", "base"]),
    ("join", &["?d", "?attribute"]),
    ("joiner", &["sep"]),
    ("max", &["^case_sensitive", "?attribute"]),
    ("min", &["^case_sensitive", "?attribute"]),
    ("raise_exception", &["message"]),
    ("replace", &["old", "new", "!count"]),
    ("round", &["?precision", "!method"]),
    ("sameas", &["other"]),
    ("slice", &["!slices", "fill_with"]),
    ("sort", &["!reverse", "^case_sensitive", "?attribute"]),
    ("strftime_now", &["format"]),
    ("sum", &["!attribute", "?start"]),
    ("tojson", &["^ensure_ascii", "!indent", "!separators", "^sort_keys"]),
    ("trim", &["!chars"]),
    ("truncate", &["!length", "^killwords", "end", "!leeway"]),
    ("unique", &["^case_sensitive", "?attribute"]),
    ("wordwrap", &["!width", "^break_long_words", "?wrapstring", "^break_on_hyphens"]),
    ("urlize", &["trim_url_limit", "^nofollow", "target", "rel", "extra_schemes"]),
    ("xmlattr", &["^autospace"]),
];

const NEEDED: char = '!';
const FLAG: char = '^';
const ANY: char = '?';

/// What stands for a parameter behind an [`ANY`] that was not given.
#[derive(Debug)]
struct Absent;

impl Object for Absent {}

/// An argument, if there is one.
pub(crate) fn given(argument: &Value) -> Option<&Value> {
    argument.downcast_object_ref::<Absent>().is_none().then_some(argument)
}

/// Adds a filter that takes its arguments by place or by name.
pub(crate) fn add_filter<F, Rv, Args>(environment: &mut Environment, name: &'static str, filter: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let call = either_way(name, Value::from_function(filter), 1);
    environment.add_filter(name, move |state: &mut State, given: Rest<ValueOrKwargs>| call(state, given));
}

/// Adds a function that takes its arguments by place or by name.
pub(crate) fn add_function<F, Rv, Args>(environment: &mut Environment, name: &'static str, function: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let call = either_way(name, Value::from_function(function), 0);
    environment.add_function(name, move |state: &mut State, given: Rest<ValueOrKwargs>| call(state, given));
}

/// Adds a test that takes its arguments by place or by name.
pub(crate) fn add_test<F, Rv, Args>(environment: &mut Environment, name: &'static str, test: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let call = either_way(name, Value::from_function(test), 1);
    environment.add_test(name, move |state: &mut State, given: Rest<ValueOrKwargs>| {
        call(state, given).map(|found| found.is_true())
    });
}

/// Calls a function with arguments by place or by name, behind as many values as come `first`.
fn either_way(
    name: &'static str,
    function: Value,
    first: usize,
) -> impl Fn(&mut State, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync {
    move |state: &mut State, given: Rest<ValueOrKwargs>| {
        function.call(state, &by_place(name, &given.into_values(), first)?)
    }
}

/// All arguments of a function, each where it belongs, behind as many values as come first.
fn by_place(function: &str, given: &[Value], first: usize) -> Result<Vec<Value>, Error> {
    let (places, named): (&[Value], Kwargs) = from_args(given)?;
    let parameters = PARAMETERS.iter().find(|(name, _)| *name == function).map_or(&[][..], |(_, names)| names);
    if places.len() > parameters.len() + first {
        let detail = format!("{function}() takes at most {} arguments", parameters.len());
        return Err(Error::new(ErrorKind::TooManyArguments, detail));
    }
    let mut values: Vec<Option<Value>> = places.iter().cloned().map(Some).collect();
    values.resize(values.len().max(first), None);
    let behind = parameters.iter().zip(first..);
    for name in named.args() {
        let refuse = |what: &str| Error::new(ErrorKind::TooManyArguments, format!("{function}() {what} '{name}'"));
        let known = behind.clone().find(|(known, _)| known.trim_start_matches([NEEDED, FLAG, ANY]) == name);
        let (_, at) = known.ok_or_else(|| refuse("got an unexpected keyword argument"))?;
        values.resize(values.len().max(at + 1), None);
        if values[at].replace(named.peek(name)?).is_some() {
            return Err(refuse("got multiple values for argument"));
        }
    }
    for (parameter, at) in behind {
        match (parameter.chars().next(), values.get_mut(at).and_then(Option::as_mut)) {
            (Some(NEEDED), Some(value)) => python::defined(value)?,
            (Some(FLAG), Some(value)) => *value = Value::from(value.is_true()),
            (Some(ANY), None) => {
                values.resize(values.len().max(at + 1), None);
                values[at] = Some(Value::from_object(Absent));
            }
            _ => {}
        }
    }
    Ok(values.into_iter().map(Option::unwrap_or_default).collect())
}
