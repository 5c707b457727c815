//! Facts about a model.

use std::collections::BTreeMap;
use std::ffi::OsString;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::defaults::Defaults;

macro_rules! model_info {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr,)*) => {
        /// What a model file says, and what was decided when it was loaded.
        #[pyclass(frozen, get_all, eq, module = "trillm._core")]
        #[derive(PartialEq)]
        pub(crate) struct ModelInfo { $($(#[$doc])* $name: $type,)* }

        impl From<&trillm::ModelInfo> for ModelInfo {
            fn from(info: &trillm::ModelInfo) -> Self {
                Self { $($name: $value(info),)* }
            }
        }

        #[pymethods]
        impl ModelInfo {
            #[new]
            #[pyo3(signature = (**fields))]
            fn new(fields: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
                $(let $name = field(fields, stringify!($name))?.extract()?;)*
                Ok(Self { $($name,)* })
            }

            fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Reduced<'py>)> {
                // What calls a class with keyword arguments, in every protocol.
                let new = this.py().import("copyreg")?.getattr("__newobj_ex__")?;
                Ok((new, (this.get_type(), (), this.get().to_dict(this.py())?)))
            }

            /// All of it, for JSON.
            pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
                let dict = PyDict::new(py);
                $(dict.set_item(stringify!($name), &self.$name)?;)*
                Ok(dict)
            }

            fn __repr__(&self) -> String {
                format!("<trillm.ModelInfo {:?} {} {}>", self.name, self.architecture, self.quantization)
            }
        }
    };
}

type Info = trillm::ModelInfo;
type Reduced<'py> = (Bound<'py, PyType>, (), Bound<'py, PyDict>);

fn field<'py>(fields: Option<&Bound<'py, PyDict>>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let found = fields.map(|fields| fields.get_item(name)).transpose()?.flatten();
    found.ok_or_else(|| PyTypeError::new_err(format!("missing keyword argument {name:?}")))
}

fn chat_templates(info: &Info) -> BTreeMap<String, String> {
    info.chat_templates.iter().map(|(name, source)| (name.to_owned(), source.to_owned())).collect()
}

fn described(pipeline: Option<&trillm::Pipeline>) -> Vec<String> {
    pipeline.map_or_else(Vec::new, trillm::Pipeline::describe)
}

model_info! {
    /// The model's own name for itself, or the file's.
    name: String = |info: &Info| info.name.clone(),
    /// The file.
    path: OsString = |info: &Info| info.path.clone().into_os_string(),
    /// File format.
    format: String = |info: &Info| info.format.to_owned(),
    /// Architecture.
    architecture: String = |info: &Info| info.architecture.clone(),
    /// Bytes of all the model's files.
    bytes: u64 = |info: &Info| info.bytes,
    /// Number of weights.
    parameters: u64 = |info: &Info| info.parameters,
    /// The type most weights are stored in.
    quantization: String = |info: &Info| info.quantization.clone(),
    /// The longest sequence the model was trained for, in tokens.
    context_trained: u32 = |info: &Info| info.context_trained,
    /// Width of the hidden state.
    width: u32 = |info: &Info| info.width,
    /// Number of layers.
    layers: u32 = |info: &Info| info.layers,
    /// Tokens of the context that is taken if none is asked for.
    context_default: u32 = |info: &Info| info.cache().0,
    /// Bytes of keys and values of so many tokens in 16-bit numbers, or as the file fixes them; `None` for an
    /// architecture of which that is not known.
    cache_bytes: Option<u64> = |info: &Info| info.cache().1,
    /// Number of tokens in the vocabulary.
    vocabulary: u32 = |info: &Info| info.vocabulary,
    /// The model's chat template (Jinja), if it has one for every chat.
    chat_template: Option<String> = |info: &Info| info.chat_templates.default.clone(),
    /// All its chat templates by name; that for every chat is called `default`.
    chat_templates: BTreeMap<String, String> = chat_templates,
    /// How its publisher says it is used best: each value with its source.
    defaults: Defaults = |info: &Info| Defaults::from(&info.defaults),
    /// The system message given to chats that have none; `None` leaves that to the template.
    system: Option<String> = |info: &Info| info.system.clone(),
    /// The class that the files were written from, such as `BertModel`; empty if they do not say it.
    class_name: String = |info: &Info| info.class.clone(),
    /// What it is for: `text`, `vectors` or `labels`.
    purpose: String = |info: &Info| info.purpose.name().to_owned(),
    /// What can be asked of it: `generate`, `chat`, `embed`, `score`.
    capabilities: Vec<String> = |info: &Info| info.capabilities().into_iter().map(str::to_owned).collect(),
    /// Pooling for embeddings, if the file asks for one.
    pooling: Option<String> = trillm::ModelInfo::pooling,
    /// Every step from a text to its vector; empty for a model that makes none.
    pipeline: Vec<String> = |info: &Info| described(info.pipeline.as_ref()),
    /// Every step from a pair of texts to its scores; empty for a model that makes none.
    scoring: Vec<String> = |info: &Info| described(info.scoring.as_ref()),
    /// Texts that may be put before a text to embed, by name.
    prompts: BTreeMap<String, String> = |info: &Info| {
        info.pipeline.iter().flat_map(|pipeline| pipeline.prompts.iter().cloned()).collect()
    },
    /// The name of the one that is put there if none is asked for.
    default_prompt_name: Option<String> = |info: &Info| {
        info.pipeline.as_ref().and_then(|pipeline| pipeline.default_prompt.clone())
    },
    /// Licence, as the file says it.
    license: Option<String> = |info: &Info| info.license.clone(),
    /// The engine that runs it; empty before loading.
    engine: String = |info: &Info| info.engine.to_owned(),
    /// Where it is computed; empty before loading.
    device: String = |info: &Info| info.device.clone(),
    /// How the weights are held; empty before loading.
    weights: String = |info: &Info| info.weights.to_owned(),
    /// What the reader should know.
    notes: Vec<String> = |info: &Info| info.notes.clone(),
    /// Of the notes those that are worth a warning: it may answer worse, or slower.
    warnings: Vec<String> = |info: &Info| info.warnings.clone(),
}
