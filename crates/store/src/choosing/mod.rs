//! Which files of a repository make the model that is wanted.
//!
//! Nothing is fetched or read here: the names of files say enough, beside lists of modules that somebody has read, and the
//! formats' readers check the rest when the model is opened. Names are a stranger's: those that the store would refuse
//! are treated as if they were not there.

mod among;
mod candidate;
mod candidates;
mod choice;
mod companions;
mod modules;
mod needed;
mod pattern;
mod quantization;
mod repository;
mod sets;
mod smaller;

pub use among::Among;
pub use candidate::Kind;
pub use choice::{Choice, Preferences, choose};
pub use modules::ModuleList;
pub use needed::needed;
pub use smaller::smaller;
