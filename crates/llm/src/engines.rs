//! Which engines are compiled in.

use trillm_core::Engine;

use crate::{Error, Result};

/// The engines of this build, the preferred one for a format first.
pub fn engines() -> &'static [&'static dyn Engine] {
    &[
        #[cfg(feature = "llama")]
        &trillm_llama::Llama,
        #[cfg(feature = "candle")]
        &trillm_candle::Candle,
        #[cfg(feature = "onnx")]
        &trillm_onnx::Onnx,
    ]
}

/// The engine called `wanted`, or for `auto` the first that takes files of this format.
///
/// # Errors
/// [`Error::UnknownEngine`], [`Error::WrongEngine`], [`Error::NoEngine`].
pub(crate) fn engine_for(wanted: &str, format: &'static str) -> Result<&'static dyn Engine> {
    let names = || engines().iter().map(|engine| engine.name()).collect::<Vec<_>>().join(", ");
    let found = engines().iter().find(|engine| wanted == "auto" && engine.accepts(format) || wanted == engine.name());
    match found {
        Some(engine) if engine.accepts(format) => Ok(*engine),
        Some(engine) => Err(Error::WrongEngine { engine: engine.name(), format }),
        None if wanted == "auto" => Err(Error::NoEngine { format, present: names() }),
        None => Err(Error::UnknownEngine { name: wanted.to_owned(), present: names() }),
    }
}
