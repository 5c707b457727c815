//! Keyword arguments as requests and options. A name that is not known is an error, and so is a value of the wrong kind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOverflowError, PyRecursionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyMapping, PyString};
use trillm::{
    CacheType, CoreError, Defaults, GraphOptions, Message, OpenOptions, Optimization, Quantize, RenderOptions, Request,
    SessionOptions, Token,
};

use crate::door;
use crate::enter::{AT_ONCE, outside};
use crate::errors::{invalid, raise, repr};
use crate::heavy::{is_heavy, kept};
use crate::place::Place;
use crate::plain::plain;
use crate::prompt::{self, element, one_text, scalar};
use crate::room;
use crate::speeds::speeds;

type Value<'a, 'py> = &'a Bound<'py, PyAny>;

const POSITIVE: &str = "1 to 4294967295";
const POSITIVE_OR_FIT: &str = "a whole number, 1 to 4294967295, or \"fit\"";
const COUNT: &str = "a whole number, 0 to 4294967295";
const LONG: &str = "a whole number, 0 to 2**64 - 1";
/// As many tokens as there is room for.
const FIT: &str = "fit";
const NUMBER: &str = "a number";
const BIAS: &str = "a mapping of token ids, whole numbers from 0 to 4294967295, to numbers";
pub(crate) const TEXTS: &str = "a text or a list of texts";
const SECONDS: &str = "seconds, more than 0 and less than 2**64, or None for no limit";
const PATH: &str = "a path";
const DEVICE: &str = "\"auto\" or \"cpu\"";
const MESSAGES: &str = "a list of messages, each a mapping with role and content";
const TOOLS: &str = "a list of tools, each a mapping";
/// From here on not every whole number is one in single precision, and no parameter goes so far.
const ROUNDED: f64 = 16_777_216.0;
/// Bytes of JSON from which on reading them takes more than a millisecond.
const LONG_TEXT: usize = 1 << 16;
const ADAPTERS: &str = "a list of paths, or of pairs of path and scale";

/// How text is generated.
pub(crate) struct Generate {
    pub(crate) request: Request,
    /// Both are about a text that becomes tokens, if it is known what of.
    pub(crate) add_special: Option<bool>,
    pub(crate) parse_special: Option<bool>,
}

impl From<&Defaults> for Generate {
    /// What a caller does not choose.
    fn from(defaults: &Defaults) -> Self {
        Self { request: defaults.request(), add_special: None, parse_special: None }
    }
}

/// How a chat is rendered and continued.
pub(crate) struct Chat {
    pub(crate) generate: Generate,
    pub(crate) options: RenderOptions,
    pub(crate) template: Option<String>,
}

impl From<&Defaults> for Chat {
    /// What a caller does not choose.
    fn from(defaults: &Defaults) -> Self {
        let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
        Self { generate: Generate::from(defaults), options, template: None }
    }
}

/// Calls `set` for every argument; it says whether it knows the name. `None` is for the default, of known names alone.
/// `kind` is what `trillm.types` calls these parameters.
pub(crate) fn each<'py>(
    kind: &'static str,
    params: Option<&Bound<'py, PyDict>>,
    mut set: impl FnMut(&str, Value<'_, 'py>) -> PyResult<bool>,
) -> PyResult<()> {
    for (name, value) in params.into_iter().flatten() {
        let name = name.cast::<PyString>()?.to_cow()?.into_owned();
        let value = scalar(&value)?;
        let known = if value.is_none() { is_known(&value, kind, &name)? } else { set(&name, &value)? };
        if !known {
            let error = ours(value.py(), |params| params.call_method1("unexpected", (kind, name)))?;
            return Err(PyErr::from_value(error));
        }
    }
    Ok(())
}

fn is_known(any: Value<'_, '_>, kind: &str, name: &str) -> PyResult<bool> {
    ours(any.py(), |params| params.call_method1("known", (kind,))?.contains(name))
}

/// What of parameters is said in Python.
fn ours<'py, T>(py: Python<'py>, work: impl FnOnce(Bound<'py, PyModule>) -> PyResult<T>) -> PyResult<T> {
    door::module(py, "trillm._params", work)
}

pub(crate) fn get<'a, 'py, T: FromPyObject<'a, 'py>>(
    name: &str,
    value: &'a Bound<'py, PyAny>,
    expected: &str,
) -> PyResult<T> {
    value.extract().map_err(|_| invalid(name, &repr(value), expected))
}

/// A number that is meant as one.
fn figure<'a, 'py, T: FromPyObject<'a, 'py>>(name: &str, value: &'a Bound<'py, PyAny>, expected: &str) -> PyResult<T> {
    check_no_flag(name, value, expected)?;
    get(name, value, expected)
}

/// Refuses `True`, which is a number to Python and meant as none.
fn check_no_flag(name: &str, value: Value<'_, '_>, expected: &str) -> PyResult<()> {
    if value.is_instance_of::<PyBool>() { Err(invalid(name, &repr(value), expected)) } else { Ok(()) }
}

/// A number. A whole one beyond all that single precision has is as far beyond every range as infinity is.
fn number(name: &str, value: Value<'_, '_>) -> PyResult<f32> {
    check_no_flag(name, value, NUMBER)?;
    match value.extract::<f32>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            Ok(if value.lt(0)? { f32::NEG_INFINITY } else { f32::INFINITY })
        }
        number => number.map_err(|_| invalid(name, &repr(value), NUMBER)),
    }
}

pub(crate) fn flag(name: &str, value: Value<'_, '_>) -> PyResult<bool> {
    get(name, &scalar(value)?, "True or False")
}

fn positive(name: &str, value: Value<'_, '_>) -> PyResult<u32> {
    let expected = format!("a whole number, {}", SessionOptions::expected(name).unwrap_or(POSITIVE));
    let n: u32 = figure(name, value, &expected)?;
    if n == 0 { Err(invalid(name, "0", &expected)) } else { Ok(n) }
}

impl Generate {
    pub(crate) fn new(defaults: &Defaults, params: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut this = Self::from(defaults);
        each("GenerateParams", params, |name, value| this.set(name, value))?;
        this.check_rounded(params)?;
        Ok(this)
    }

    /// Refuses a number far beyond its range here, where it is what was given: later it is the nearest one in single
    /// precision.
    fn check_rounded(&self, params: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let sampling = &self.request.sampling;
        let numbers = [
            sampling.temperature,
            sampling.top_p,
            sampling.min_p,
            sampling.typical_p,
            sampling.repetition_penalty,
            sampling.presence_penalty,
            sampling.frequency_penalty,
        ];
        if numbers.iter().all(|number| f64::from(*number).abs() < ROUNDED) {
            return Ok(());
        }
        // Of any prompt, by a model of any size.
        let checked = self.request.clone().prepare(vec![Token(0)], u32::MAX, u32::MAX);
        if let (Err(CoreError::InvalidParameter { name, expected, .. }), Some(params)) = (checked, params)
            && let Some(given) = params.get_item(name)?
        {
            return Err(invalid(name, &repr(&given), expected));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value<'_, '_>) -> PyResult<bool> {
        let request = &mut self.request;
        let sampling = &mut request.sampling;
        match name {
            "max_tokens" => {
                let fit = value.extract::<&str>().is_ok_and(|word| word == FIT);
                request.max_tokens = if fit { None } else { Some(figure(name, value, POSITIVE_OR_FIT)?) };
            }
            "temperature" => sampling.temperature = number(name, value)?,
            "top_k" => sampling.top_k = figure(name, value, COUNT)?,
            "top_p" => sampling.top_p = number(name, value)?,
            "min_p" => sampling.min_p = number(name, value)?,
            "typical_p" => sampling.typical_p = number(name, value)?,
            "repetition_penalty" => sampling.repetition_penalty = number(name, value)?,
            "presence_penalty" => sampling.presence_penalty = number(name, value)?,
            "frequency_penalty" => sampling.frequency_penalty = number(name, value)?,
            "repeat_last_n" => sampling.repeat_last_n = figure(name, value, COUNT)?,
            "seed" => sampling.seed = Some(figure(name, value, LONG)?),
            "logprobs" => sampling.logprobs = Some(figure(name, value, "a whole number, 0 to 20")?),
            "logit_bias" => {
                let items = value.cast::<PyMapping>().map_err(|_| invalid(name, &repr(value), BIAS))?.items()?;
                sampling.logit_bias = items.iter().map(|item| bias(name, &item)).collect::<PyResult<_>>()?;
            }
            "stop" => request.stop = prompt::texts(name, value, TEXTS)?,
            "ignore_eos" => request.ignore_eos = flag(name, value)?,
            "priority" => request.priority = figure(name, value, "a whole number, -2147483648 to 2147483647")?,
            "cache_salt" => request.cache_salt = figure(name, value, LONG)?,
            "timeout" => {
                let timeout = Duration::try_from_secs_f64(figure(name, value, SECONDS)?).ok();
                let timeout = timeout.filter(|timeout| !timeout.is_zero());
                let timeout = timeout.ok_or_else(|| invalid(name, &repr(value), SECONDS))?;
                request.deadline = Instant::now().checked_add(timeout);
            }
            "add_special" => self.add_special = Some(flag(name, value)?),
            "parse_special" => self.parse_special = Some(flag(name, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Refuses what cannot be done for a prompt of token ids, which is taken as it is.
    pub(crate) fn check_ids(&self, place: Place) -> PyResult<()> {
        for (name, value) in [("add_special", self.add_special), ("parse_special", self.parse_special)] {
            if value == Some(true) {
                return Err(invalid(name, "True", &format!("nothing or False, as {place} is token ids")));
            }
        }
        Ok(())
    }
}

/// One entry of a logit bias.
fn bias(name: &str, item: Value<'_, '_>) -> PyResult<(Token, f32)> {
    let (token, bias): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
    let key = || invalid(name, &format!("a mapping with the key {}", repr(&token)), BIAS);
    let token = prompt::id(&token).ok_or_else(key)?;
    Ok((token, number(&element(name, token.0 as usize), &scalar(&bias)?)?))
}

/// Parameters of a chat that take long to read, by their names.
pub(crate) type Heavy = Vec<(String, Py<PyAny>)>;

impl Chat {
    pub(crate) fn new(defaults: &Defaults, params: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut this = Self::from(defaults);
        each("ChatParams", params, |name, value| this.set(name, value))?;
        this.check(params)?;
        Ok(this)
    }

    /// The same, without what takes long to read: that is for [`read`](Self::read).
    pub(crate) fn begun(defaults: &Defaults, params: Option<&Bound<'_, PyDict>>) -> PyResult<(Self, Heavy)> {
        let (mut this, mut heavy) = (Self::from(defaults), Heavy::new());
        each("ChatParams", params, |name, value| {
            if matches!(name, "tools" | "template_args") && is_heavy(value) {
                heavy.push((name.to_owned(), kept(value)?));
                return Ok(true);
            }
            this.set(name, value)
        })?;
        this.check(params)?;
        Ok((this, heavy))
    }

    /// Reads what was left.
    pub(crate) fn read(&mut self, py: Python<'_>, heavy: Heavy) -> PyResult<()> {
        heavy.into_iter().try_for_each(|(name, value)| self.set(&name, value.bind(py)).map(drop))
    }

    fn set(&mut self, name: &str, value: Value<'_, '_>) -> PyResult<bool> {
        let options = &mut self.options;
        match name {
            "tools" => options.tools = Some(tools(name, value)?),
            "polyfill_tools" => options.polyfill_tools = flag(name, value)?,
            "add_generation_prompt" => options.add_generation_prompt = flag(name, value)?,
            "template" => self.template = Some(one_text(name, value, "a Jinja template")?),
            "template_name" => options.template_name = Some(one_text(name, value, "the name of a chat template")?),
            "template_args" => match json(name, value, "a mapping")? {
                serde_json::Value::Object(variables) => {
                    if let Some(taken) = ["messages", "tools"].into_iter().find(|taken| variables.contains_key(*taken))
                    {
                        let expected = format!("other names: there is a parameter {taken}");
                        return Err(invalid(name, &format!("a mapping with {taken:?}"), &expected));
                    }
                    options.variables = variables;
                }
                _ => return Err(invalid(name, &repr(value), "a mapping")),
            },
            // A template writes the control tokens of a chat.
            "add_special" | "parse_special" => return Ok(false),
            _ => return self.generate.set(name, value),
        }
        Ok(true)
    }

    fn check(&self, params: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        if let (Some(_), Some(name)) = (&self.template, &self.options.template_name) {
            return Err(invalid("template_name", name, "none, as there is a template"));
        }
        self.generate.check_rounded(params)
    }
}

/// Descriptions of tools: a list of mappings.
fn tools(name: &str, value: Value<'_, '_>) -> PyResult<serde_json::Value> {
    let tools = json(name, value, TOOLS)?;
    let list = tools.as_array().ok_or_else(|| invalid(name, &repr(value), TOOLS))?;
    match list.iter().position(|tool| !tool.is_object()) {
        Some(index) => Err(invalid(&element(name, index), &repr(&value.get_item(index)?), "a mapping")),
        None => Ok(tools),
    }
}

/// A Python value as JSON. `expected` is the whole of it. Others have their turn between values.
fn json(name: &str, value: Value<'_, '_>, expected: &str) -> PyResult<serde_json::Value> {
    let mut count = 0;
    let mut read = |item: Value<'_, '_>| plain(item, &mut count)?.map_or_else(|| dumped(name, item), Ok);
    let said = match value.cast_exact::<PyList>() {
        Err(_) => read(value),
        Ok(list) => {
            // A place in a list for each, and what a mapping takes.
            room::check::<[u8; 256]>(list.len(), name)?;
            list.iter().map(|item| read(&item)).collect::<PyResult<_>>().map(serde_json::Value::Array)
        }
    };
    said.or_else(|error| {
        let py = value.py();
        let known = error.is_instance_of::<PyTypeError>(py)
            || error.is_instance_of::<PyValueError>(py)
            || error.is_instance_of::<PyRecursionError>(py);
        if !known {
            return Err(room::told(py, error, name));
        }
        let culprit: Option<(String, String, String)> =
            ours(py, |params| params.call_method1("culprit", (name, value, expected))?.extract())?;
        let (name, found, expected) =
            culprit.unwrap_or_else(|| (name.into(), error.value(py).to_string(), "what JSON can say".into()));
        Err(invalid(&name, &found, &expected))
    })
}

/// A value by Python's own `json`; `trillm._params.plain` says what else is taken.
fn dumped(name: &str, value: Value<'_, '_>) -> PyResult<serde_json::Value> {
    let py = value.py();
    let options = PyDict::new(py);
    options.set_item("default", ours(py, |params| params.getattr("plain"))?)?;
    // Outside ASCII, nothing is written as an escape, so that half of a surrogate pair is found here and not misread.
    options.set_item("ensure_ascii", false)?;
    let text = door::module(py, "json", |json| json.call_method("dumps", (value,), Some(&options)))?;
    let text = text.cast::<PyString>()?;
    let text = text.to_cow()?;
    // The text twice, and a value for what stands between these.
    let values = text.bytes().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    room::check::<u8>(text.len().saturating_mul(2).saturating_add(values.saturating_mul(80)), name)?;
    let read = || trillm::read_json(&text).map_err(|error| error.to_string());
    // A megabyte of text takes some milliseconds, in which others may have the lock.
    let read = if text.len() > LONG_TEXT { outside(py, read)? } else { read() };
    read.map_err(PyValueError::new_err)
}

/// Chat messages; `place` is what errors call them.
pub(crate) fn messages(place: Place, value: Value<'_, '_>) -> PyResult<Vec<Message>> {
    let name = place.to_string();
    match json(&name, value, MESSAGES)? {
        serde_json::Value::Array(list) => {
            let list =
                if list.len() > AT_ONCE { outside(value.py(), || Message::list(list))? } else { Message::list(list) };
            list.map_err(|error| place.raise(error.into()))
        }
        _ => Err(invalid(&name, &repr(value), MESSAGES)),
    }
}

/// How a model is loaded, and who is told how far that is.
pub(crate) fn open_options(params: Option<&Bound<'_, PyDict>>) -> PyResult<(OpenOptions, Option<Py<PyAny>>)> {
    let mut options = OpenOptions { speeds: speeds(), ..OpenOptions::default() };
    let mut progress = None;
    each("LoadParams", params, |name, value| {
        if name == "progress" {
            if !value.is_callable() {
                return Err(invalid(name, &repr(value), "a function, or None"));
            }
            progress = Some(value.clone().unbind());
            return Ok(true);
        }
        set_option(&mut options, name, value)
    })?;
    if let Some(params) = params {
        check_agree(params)?;
    }
    Ok((options, progress))
}

/// Refuses what no model could be loaded with, before there is one.
#[pyfunction]
#[pyo3(signature = (**params))]
pub(crate) fn check_load_params(params: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let (options, _) = open_options(params)?;
    options.session.check().map_err(raise)
}

/// Refuses options that say the opposite of each other.
fn check_agree(params: &Bound<'_, PyDict>) -> PyResult<()> {
    let given = |name: &str| Ok::<_, PyErr>(params.get_item(name)?.filter(|value| !value.is_none()));
    if let (Some(mmap), Some(copy)) = (given("mmap")?, given("copy")?)
        && mmap.is_truthy()? == copy.is_truthy()?
    {
        return Err(invalid("copy", &repr(&copy), &format!("the opposite of mmap, which is {}", repr(&mmap))));
    }
    if let (Some(device), Some(layers)) = (given("device")?, given("gpu_layers")?)
        && one_text("device", &device, DEVICE)? == "cpu"
        && layers.is_truthy()?
    {
        return Err(invalid("gpu_layers", &repr(&layers), "0 or nothing, as device is \"cpu\""));
    }
    Ok(())
}

fn set_option(options: &mut OpenOptions, name: &str, value: Value<'_, '_>) -> PyResult<bool> {
    let OpenOptions { engine, load, session, scheduler, system, published, neutral, .. } = options;
    match name {
        "engine" => *engine = Some(one_text(name, value, "an engine's name")?),
        "system" => *system = Some(one_text(name, value, "a text")?),
        "published" => *published = crate::defaults::read(name, value)?,
        "defaults" => {
            *neutral = match one_text(name, value, "\"publisher\" or \"neutral\"")?.as_str() {
                "publisher" => false,
                "neutral" => true,
                other => return Err(invalid(name, other, "\"publisher\" or \"neutral\"")),
            }
        }
        "context" => session.context = Some(positive(name, value)?),
        "parallel" => session.parallel = positive(name, value)?,
        "replicas" => session.replicas = positive(name, value)?,
        "threads" => session.threads = Some(positive(name, value)?),
        "batch" => session.batch = positive(name, value)?,
        "ubatch" => session.ubatch = positive(name, value)?,
        "queue" => scheduler.queue = positive(name, value)? as usize,
        "prompt_chunk" => scheduler.prompt_chunk = positive(name, value)?,
        "gpu_layers" => load.gpu_layers = Some(figure(name, value, COUNT)?),
        "mmap" => load.mmap = flag(name, value)?,
        "copy" => load.mmap = !flag(name, value)?,
        "quantize" => {
            load.quantize = match one_text(name, value, "the name of a type")?.as_str() {
                "q8_0" => Some(Quantize::Q8_0),
                "q4_k" => Some(Quantize::Q4K),
                other => return Err(invalid(name, other, "q8_0 or q4_k")),
            }
        }
        "mlock" => load.mlock = flag(name, value)?,
        "flash_attention" => session.flash_attention = Some(get(name, value, "True, False or None")?),
        "device" => match one_text(name, value, DEVICE)?.as_str() {
            "auto" => {}
            "cpu" => load.gpu_layers = Some(0),
            other => return Err(invalid(name, other, DEVICE)),
        },
        "cache_type" => {
            session.cache_type = match one_text(name, value, "the name of a type")?.as_str() {
                "f32" => CacheType::F32,
                "f16" => CacheType::F16,
                "q8_0" => CacheType::Q8_0,
                "q4_0" => CacheType::Q4_0,
                other => return Err(invalid(name, other, "f32, f16, q8_0 or q4_0")),
            }
        }
        "lora" => {
            let adapters: Vec<Bound<'_, PyAny>> = get(name, value, ADAPTERS)?;
            for adapter in &adapters {
                let pair = adapter.extract::<(PathBuf, f32)>();
                let pair = pair.or_else(|_| get(name, adapter, ADAPTERS).map(|path| (path, 1.0)))?;
                if !pair.1.is_finite() {
                    return Err(invalid(name, &repr(adapter), "scales that are finite numbers"));
                }
                load.lora.push(pair);
            }
        }
        "tokenizer" => load.tokenizer = Some(get(name, value, PATH)?),
        _ => return set_graph_option(&mut load.graph, name, value),
    }
    Ok(true)
}

/// How a graph is run, for models that are one.
fn set_graph_option(graph: &mut GraphOptions, name: &str, value: Value<'_, '_>) -> PyResult<bool> {
    match name {
        "runtime_library" => graph.library = Some(get(name, value, PATH)?),
        "providers" => graph.providers = get(name, value, "a list of names")?,
        "execution_mode" => {
            graph.parallel = match one_text(name, value, "a text")?.as_str() {
                "sequential" => false,
                "parallel" => true,
                other => return Err(invalid(name, other, "sequential or parallel")),
            }
        }
        "graph_optimization_level" => {
            graph.optimization = match one_text(name, value, "a text")?.as_str() {
                "disabled" => Optimization::Disabled,
                "basic" => Optimization::Basic,
                "extended" => Optimization::Extended,
                "all" => Optimization::All,
                other => return Err(invalid(name, other, "disabled, basic, extended or all")),
            }
        }
        "inter_threads" => graph.inter_threads = Some(positive(name, value)?),
        "prepack" => graph.prepack = flag(name, value)?,
        _ => return Ok(false),
    }
    Ok(true)
}
