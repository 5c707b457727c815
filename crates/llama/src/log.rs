//! llama.cpp's log: one line an event, and the last warnings kept for the error they explain.
//!
//! A failed load or step returns null or a number; the reason is only in the log. So each thread keeps its last
//! warnings while a call of ours runs ([`Lines`]), and lines of llama.cpp's own threads go to a common ring.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use llama_cpp_sys_2 as sys;
use trillm_core::PerProcess;

/// Warnings and errors kept.
const KEPT: usize = 8;

/// Warnings about what is in order here: the scheduler makes room and tries again, the caller chose the pooling.
const EXPECTED: [&str; 2] = ["failed to find a memory slot", "model default pooling_type is"];

thread_local! {
    static HERE: RefCell<State> = const { RefCell::new(State::new()) };
}

static ELSEWHERE: PerProcess<Mutex<VecDeque<String>>> = PerProcess::new();

fn elsewhere() -> MutexGuard<'static, VecDeque<String>> {
    ELSEWHERE.get(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

struct State {
    /// Whether a call of ours runs on this thread.
    listening: bool,
    /// A line that has not ended yet, and its level.
    open: String,
    level: sys::ggml_log_level,
    kept: VecDeque<String>,
    /// Names of the buffers that the weights went to.
    buffers: Vec<String>,
}

impl State {
    const fn new() -> Self {
        Self {
            listening: false,
            open: String::new(),
            level: sys::GGML_LOG_LEVEL_NONE,
            kept: VecDeque::new(),
            buffers: Vec::new(),
        }
    }

    fn finish_line(&mut self) {
        let line = std::mem::take(&mut self.open);
        let line = line.trim_end();
        if line.is_empty() {
            return;
        }
        emit(self.level, line);
        if let Some(name) = buffer(line).filter(|_| self.listening) {
            self.buffers.push(name.to_owned());
        }
        if self.level != sys::GGML_LOG_LEVEL_WARN && self.level != sys::GGML_LOG_LEVEL_ERROR {
            return;
        }
        if self.listening {
            keep(&mut self.kept, line);
        } else {
            keep(&mut elsewhere(), line);
        }
    }
}

/// What the log says while this value lives, on the thread that made it.
pub(crate) struct Lines(());

#[expect(clippy::unused_self, reason = "the value shows that this thread listens")]
impl Lines {
    /// Starts listening, with nothing heard yet.
    pub(crate) fn listen() -> Self {
        HERE.with_borrow_mut(|state| {
            state.listening = true;
            state.kept.clear();
            state.buffers.clear();
        });
        Self(())
    }

    /// The last warnings and errors; if there were none, those of threads that llama.cpp started.
    pub(crate) fn take(&self) -> Vec<String> {
        let here: Vec<String> = HERE.with_borrow_mut(|state| state.kept.drain(..).collect());
        if here.is_empty() { elsewhere().drain(..).collect() } else { here }
    }

    /// Whether one of the last warnings contains `words`.
    pub(crate) fn mention(&self, words: &str) -> bool {
        HERE.with_borrow(|state| state.kept.iter().any(|line| line.contains(words)))
    }

    /// Names of the buffers that weights went to, as `CPU_Mapped`.
    pub(crate) fn buffers(&self) -> Vec<String> {
        HERE.with_borrow_mut(|state| std::mem::take(&mut state.buffers))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        HERE.with_borrow_mut(|state| state.listening = false);
    }
}

/// Takes a piece of log: a line, several, or a part of one.
pub(crate) fn receive(level: sys::ggml_log_level, text: &str) {
    // A thread that is ending has no state any more; its last words are lost.
    let _ = HERE.try_with(|state| {
        // A subscriber that calls llama.cpp from inside an event would come back here.
        let Ok(mut state) = state.try_borrow_mut() else { return };
        if level != sys::GGML_LOG_LEVEL_CONT {
            state.finish_line();
            state.level = level;
        }
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            state.open.push_str(line);
            state.finish_line();
            rest = after;
        }
        state.open.push_str(rest);
    });
}

fn emit(level: sys::ggml_log_level, line: &str) {
    match level {
        sys::GGML_LOG_LEVEL_ERROR => tracing::error!(target: "trillm::llama", "{line}"),
        sys::GGML_LOG_LEVEL_WARN if !EXPECTED.iter().any(|known| line.contains(known)) => {
            tracing::warn!(target: "trillm::llama", "{line}");
        }
        _ => tracing::debug!(target: "trillm::llama", "{line}"),
    }
}

fn keep(kept: &mut VecDeque<String>, line: &str) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(line.to_owned());
}

/// The buffer's name in `load_tensors:   CPU_Mapped model buffer size =     1.01 MiB`.
fn buffer(line: &str) -> Option<&str> {
    line.split_once(" model buffer size =")?.0.rsplit([' ', ':']).next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_parts_and_keeps_warnings() {
        let lines = Lines::listen();
        receive(sys::GGML_LOG_LEVEL_WARN, "one ");
        receive(sys::GGML_LOG_LEVEL_CONT, "line");
        receive(sys::GGML_LOG_LEVEL_CONT, "\n");
        receive(sys::GGML_LOG_LEVEL_INFO, "not kept\n");
        receive(sys::GGML_LOG_LEVEL_ERROR, "two\nthree\n");
        receive(sys::GGML_LOG_LEVEL_ERROR, "unfinished");
        receive(sys::GGML_LOG_LEVEL_INFO, "next\n");
        assert_eq!(lines.take(), ["one line", "two", "three", "unfinished"]);
    }

    #[test]
    fn keeps_the_last() {
        let lines = Lines::listen();
        for i in 0..20 {
            receive(sys::GGML_LOG_LEVEL_ERROR, &format!("{i}\n"));
        }
        let kept = lines.take();
        assert_eq!((kept.len(), kept[0].as_str(), kept[KEPT - 1].as_str()), (KEPT, "12", "19"));
    }

    #[test]
    fn finds_buffer_names() {
        let lines = Lines::listen();
        receive(sys::GGML_LOG_LEVEL_INFO, "load_tensors:   CPU_Mapped model buffer size =     1.01 MiB\n");
        receive(sys::GGML_LOG_LEVEL_INFO, "load_tensors:  CPU_REPACK model buffer size =    61.00 MiB\n");
        assert_eq!(lines.buffers(), ["CPU_Mapped", "CPU_REPACK"]);
    }
}
