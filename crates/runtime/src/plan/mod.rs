//! What a model will take of memory, before it is loaded: [`plan`], a pure function of what its files say, of the options
//! and of the machine.
//!
//! Counted is what a process that runs nothing yet gets beside what it has: bytes that become resident, at the most, while
//! the model is loaded and then used to the end of its cache by all slots. Private are those that are no file's; those of
//! files the system can drop and read again, which is slow and breaks nothing.
//!
//! What each engine does with a model is in a file of its name. A number that follows from sizes is computed from them; the
//! few that do not were measured, and say so. What no rule was read for is `None`, and noted.

mod adapters;
mod alternatives;
mod budget;
mod candle;
mod check;
mod engines;
mod llama;
mod machine;
mod need;
mod onnx;
mod options;
mod planned;
mod verdict;

pub use adapters::adapter_bytes;
pub use alternatives::{Alternative, Change, Idle, Others, Smaller};
pub use budget::{Budget, Left};
pub use check::{MemoryRefused, check};
pub use machine::{Counts, Limit, Machine};
pub use need::Need;
pub use options::Options;
pub use planned::{Plan, plan};
pub use verdict::Verdict;
