//! The engine through the traits that every engine implements. ONNX Runtime's library is found by `ORT_DYLIB_PATH`.

mod common;
mod conformance;
mod loading;
mod parity;
mod stories;
