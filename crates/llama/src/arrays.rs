//! A batch in the shape llama.cpp takes: five parallel arrays, allocated once for the largest step.

use llama_cpp_sys_2 as sys;
use trillm_core::{Batch, Result, memory};

/// Parallel arrays of one element a token.
pub(crate) struct Arrays {
    tokens: Vec<i32>,
    positions: Vec<i32>,
    /// How many sequences a token belongs to: always one.
    counts: Vec<i32>,
    sequences: Vec<i32>,
    /// For each token, where its sequences stand.
    lists: Vec<*mut i32>,
    wanted: Vec<i8>,
    /// What the rows of the step are fetched by: the places of the wanted tokens, or the sequences if `pooled`.
    ids: Vec<i32>,
    pooled: bool,
}

impl Arrays {
    /// Arrays for steps of up to `tokens` tokens and `outputs` rows. Pooled rows belong to a sequence, not to a token.
    ///
    /// # Errors
    /// [`OutOfMemory`](trillm_core::Error::OutOfMemory).
    pub(crate) fn new(tokens: u32, outputs: u32, pooled: bool) -> Result<Self> {
        fn room<T>(count: u32) -> Result<Vec<T>> {
            let mut list = Vec::new();
            memory::reserve(&mut list, count as usize, "the tokens of a step")?;
            Ok(list)
        }
        Ok(Self {
            tokens: room(tokens)?,
            positions: room(tokens)?,
            counts: room(tokens)?,
            sequences: room(tokens)?,
            lists: room(tokens)?,
            wanted: room(tokens)?,
            ids: room(outputs)?,
            pooled,
        })
    }

    /// Takes over a batch that was checked against the limits.
    pub(crate) fn fill(&mut self, batch: &Batch) {
        self.tokens.clear();
        self.positions.clear();
        self.counts.clear();
        self.sequences.clear();
        self.wanted.clear();
        self.ids.clear();
        for span in &batch.spans {
            let tokens = &batch.tokens[span.tokens.clone()];
            let len = self.tokens.len() + tokens.len();
            self.tokens.extend(tokens.iter().map(|token| token.0 as i32));
            self.positions.extend((span.start as i32..).take(tokens.len()));
            self.counts.resize(len, 1);
            self.sequences.resize(len, span.slot.0 as i32);
            // Pooling takes every token's vector, and llama.cpp wants that said.
            self.wanted.resize(len, i8::from(self.pooled));
            if span.wants_output {
                self.wanted[len - 1] = 1;
                self.ids.push(if self.pooled { span.slot.0 as i32 } else { len as i32 - 1 });
            }
        }
    }

    /// What the rows of the step are fetched by.
    pub(crate) fn ids(&self) -> &[i32] {
        &self.ids
    }

    /// Whether rows are pooled over a sequence.
    pub(crate) fn pooled(&self) -> bool {
        self.pooled
    }

    /// Pointers to the arrays, for one call that ends before they change.
    pub(crate) fn batch(&mut self) -> sys::llama_batch {
        self.lists.clear();
        self.lists.extend(self.sequences.iter_mut().map(std::ptr::from_mut));
        sys::llama_batch {
            n_tokens: self.tokens.len() as i32,
            token: self.tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.counts.as_mut_ptr(),
            seq_id: self.lists.as_mut_ptr(),
            logits: self.wanted.as_mut_ptr(),
        }
    }
}
