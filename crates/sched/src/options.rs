//! How a scheduler behaves.

/// Bounds on queueing and on sharing a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchedulerOptions {
    /// Requests that may wait; one more is refused as overloaded. Default 512.
    pub queue: usize,
    /// Prompt tokens in a step in which another sequence generates, or that another model waits for: bounds the pause
    /// that a long prompt makes in other streams. At least one; default 64.
    pub prompt_chunk: u32,
    /// Pieces that a reader may fall behind before its sequence pauses. Default 256.
    pub stream_capacity: usize,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        Self { queue: 512, prompt_chunk: 64, stream_capacity: 256 }
    }
}
