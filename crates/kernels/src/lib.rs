//! Dot products, matrix products and attention over weights that stay as the file has them.
//!
//! Products are streamed for few rows (`stream.rs`) and cut into panels for many (`panel.rs`). All of it is safe code over
//! the trait `Simd`, which `Isa::run` compiles for each instruction set and picks one of at run time.
#![deny(unsafe_code)]
#![warn(missing_docs)]

mod attention;
mod cells;
mod compute;
pub mod elementwise;
mod inputs;
mod matrix;
mod multiply;
mod norm;
mod panel;
mod plan;
mod product;
mod sequence;
pub mod simd;
mod stream;

pub use attention::{Attention, Rule};
pub use cells::{Cells, Heads, PAGE};
pub use compute::Compute;
pub use matrix::{Matrix, Weights};
pub use multiply::multiply;
pub use sequence::Sequence;
