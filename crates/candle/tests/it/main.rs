//! The engine through the traits that every engine implements.

mod common;
mod conformance;
mod loading;
mod stories;
