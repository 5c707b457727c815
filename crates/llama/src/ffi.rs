//! The only file that calls C: a thin safe layer over llama.cpp and the guards in `shim.cpp`.
//!
//! It keeps what makes the calls sound: who frees what, which pointer lives how long, that ids and indices stay inside
//! the arrays they index. It decides nothing; errors are what llama.cpp said, as text.

use std::any::Any;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_sys_2 as sys;
use trillm_core::Progress;
use trillm_pool::Reserve;

use crate::arrays::Arrays;
use crate::log;

/// What an exception or a failed call left to say; may be empty.
pub(crate) type Reason = String;

/// Where the shim writes the text of an exception.
#[repr(C)]
struct Message {
    text: *mut c_char,
    size: usize,
}

unsafe extern "C" {
    safe fn trillm_llama_trim();
    safe fn trillm_llama_hear_asserts();
    fn trillm_llama_model_load(
        path: *const c_char,
        params: *const sys::llama_model_params,
        model: *mut *mut sys::llama_model,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_adapter_load(
        model: *mut sys::llama_model,
        path: *const c_char,
        adapter: *mut *mut sys::llama_adapter_lora,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_context_new(
        model: *mut sys::llama_model,
        params: *const sys::llama_context_params,
        context: *mut *mut sys::llama_context,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_pool_new(
        params: *mut sys::ggml_threadpool_params,
        pool: *mut *mut sys::ggml_threadpool,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_adapters_set(
        context: *mut sys::llama_context,
        adapters: *mut *mut sys::llama_adapter_lora,
        n: usize,
        scales: *mut f32,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_step(
        context: *mut sys::llama_context,
        batch: *const sys::llama_batch,
        encode: bool,
        status: *mut i32,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_rows(
        context: *mut sys::llama_context,
        ids: *const i32,
        n: usize,
        pooled: bool,
        rows: *mut *mut f32,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_truncate(
        context: *mut sys::llama_context,
        sequence: i32,
        keep: i32,
        done: *mut bool,
        what: *const Message,
    ) -> bool;
    fn trillm_llama_share(context: *mut sys::llama_context, from: i32, to: i32, len: i32, what: *const Message)
    -> bool;
    fn trillm_llama_length(
        context: *mut sys::llama_context,
        sequence: i32,
        length: *mut i32,
        what: *const Message,
    ) -> bool;
}

/// Runs a guarded call; `Ok` carries what the shim said although nothing was thrown, nearly always nothing.
fn guarded(call: impl FnOnce(*const Message) -> bool) -> Result<Reason, Reason> {
    let mut text = [0_u8; 512];
    let message = Message { text: text.as_mut_ptr().cast(), size: text.len() };
    let fine = call(&raw const message);
    let said = match CStr::from_bytes_until_nul(&text) {
        Ok(said) if !said.is_empty() => said.to_string_lossy().into_owned(),
        _ => Reason::new(),
    };
    if fine { Ok(said) } else { Err(said) }
}

/// Sends llama.cpp's and ggml's log to [`log::receive`], for the whole process, and has asserts heard of by the shim.
pub(crate) fn install_log() {
    trillm_llama_hear_asserts();
    // SAFETY: the callback is a function that lives as long as the process and uses no user data.
    unsafe { sys::llama_log_set(Some(on_log), ptr::null_mut()) }
}

extern "C" fn on_log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives for this call.
    let text = unsafe { CStr::from_ptr(text) };
    // A subscriber may panic; a panic that reached C++ would end the process. There is nobody to tell: this is the log.
    let _ = catch_unwind(|| log::receive(level, &text.to_string_lossy()));
}

/// A fact of the build, as text.
pub(crate) fn system_info() -> String {
    // SAFETY: returns a pointer into a static string that is only rebuilt, with the same bytes, by this very call;
    // it is copied under a lock, so no other thread rebuilds it meanwhile.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: as above.
    copied(unsafe { sys::llama_print_system_info() })
}

/// ggml's version and the commit it was built from.
pub(crate) fn version() -> (String, String) {
    // SAFETY: both return pointers to string constants.
    unsafe { (copied(sys::ggml_version()), copied(sys::ggml_commit())) }
}

fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: only called with NUL-terminated strings that live during the call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// llama.cpp's own defaults for loading.
pub(crate) fn model_params() -> sys::llama_model_params {
    // SAFETY: no preconditions.
    unsafe { sys::llama_model_default_params() }
}

/// llama.cpp's own defaults for a context.
pub(crate) fn context_params() -> sys::llama_context_params {
    // SAFETY: no preconditions.
    unsafe { sys::llama_context_default_params() }
}

/// Why there is no model.
pub(crate) enum LoadFailure {
    /// The progress callback asked to stop.
    Cancelled,
    /// Anything else.
    Failed(Reason),
}

struct Watch<'a> {
    progress: &'a Progress,
    cancelled: bool,
    panic: Option<Box<dyn Any + Send>>,
}

extern "C" fn on_progress(share: f32, data: *mut c_void) -> bool {
    // SAFETY: `data` is the `Watch` that `Model::load` lent for the duration of the load, on this thread.
    let watch = unsafe { &mut *data.cast::<Watch>() };
    match catch_unwind(AssertUnwindSafe(|| (watch.progress)(share))) {
        Ok(go_on) => watch.cancelled |= !go_on,
        Err(panic) => watch.panic = Some(panic),
    }
    !watch.cancelled && watch.panic.is_none()
}

/// Weights, vocabulary and adapters. Nothing in it changes once it is shared, but for what `creating` guards.
pub(crate) struct Model {
    raw: NonNull<sys::llama_model>,
    vocab: NonNull<sys::llama_vocab>,
    /// Owned by the model, which frees them.
    adapters: Vec<*mut sys::llama_adapter_lora>,
    scales: Vec<f32>,
    /// Making a context may adjust the model's trained length, so contexts are made one at a time.
    creating: Mutex<()>,
}

// SAFETY: llama.cpp's model and vocabulary are read-only after loading and documented as safe to use from any thread;
// the one exception, the making of a context, is behind `creating`.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Loads a file. `params` is what [`model_params`] gave, changed in plain values only.
    pub(crate) fn load(
        path: &CStr,
        mut params: sys::llama_model_params,
        progress: Option<&Progress>,
    ) -> Result<Self, LoadFailure> {
        let mut watch = progress.map(|progress| Watch { progress, cancelled: false, panic: None });
        if let Some(watch) = &mut watch {
            params.progress_callback = Some(on_progress);
            params.progress_callback_user_data = ptr::from_mut(watch).cast();
        }
        let mut raw = ptr::null_mut();
        // SAFETY: `path` is NUL-terminated, `params` and `watch` outlive the call, `raw` is a place for the result.
        let loaded =
            guarded(|what| unsafe { trillm_llama_model_load(path.as_ptr(), &raw const params, &raw mut raw, what) });
        let cancelled = watch.is_some_and(|watch| match watch.panic {
            Some(panic) => resume_unwind(panic),
            None => watch.cancelled,
        });
        match (loaded, NonNull::new(raw)) {
            (Ok(_), Some(raw)) => {
                // SAFETY: the model is valid; its vocabulary is a part of it and never null.
                let vocab = unsafe { NonNull::new_unchecked(sys::llama_model_get_vocab(raw.as_ptr()).cast_mut()) };
                Ok(Self { raw, vocab, adapters: Vec::new(), scales: Vec::new(), creating: Mutex::new(()) })
            }
            _ if cancelled => Err(LoadFailure::Cancelled),
            (Ok(reason) | Err(reason), _) => Err(LoadFailure::Failed(reason)),
        }
    }

    /// Loads a LoRA adapter, which every context made later applies with `scale`.
    pub(crate) fn add_adapter(&mut self, path: &CStr, scale: f32) -> Result<(), Reason> {
        let mut adapter = ptr::null_mut();
        // SAFETY: the model is valid and, by `&mut self`, not shared yet; `path` is NUL-terminated.
        let said = guarded(|what| unsafe {
            trillm_llama_adapter_load(self.raw.as_ptr(), path.as_ptr(), &raw mut adapter, what)
        })?;
        if adapter.is_null() {
            return Err(said);
        }
        self.adapters.push(adapter);
        self.scales.push(scale);
        Ok(())
    }

    /// The context length the model was trained for.
    pub(crate) fn context_trained(&self) -> u32 {
        let _guard = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the model is valid; the lock keeps a context from changing the value meanwhile.
        unsafe { sys::llama_model_n_ctx_train(self.raw.as_ptr()) }.max(0) as u32
    }

    /// Width of an embedding.
    pub(crate) fn width(&self) -> u32 {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_n_embd_out(self.raw.as_ptr()) }.max(0) as u32
    }

    /// Whether the model's memory is a running state that cannot be cut: recurrent and hybrid models.
    pub(crate) fn is_recurrent(&self) -> bool {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_is_recurrent(self.raw.as_ptr()) || sys::llama_model_is_hybrid(self.raw.as_ptr()) }
    }

    /// Whether the model is an encoder with a decoder, as T5.
    pub(crate) fn is_encoder_decoder(&self) -> bool {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_has_encoder(self.raw.as_ptr()) && sys::llama_model_has_decoder(self.raw.as_ptr()) }
    }

    /// The architecture's name as the file says it.
    pub(crate) fn architecture(&self) -> String {
        let mut text = [0_u8; 64];
        // SAFETY: the model is valid, the key NUL-terminated; at most `text.len()` bytes are written, NUL included.
        unsafe {
            sys::llama_model_meta_val_str(
                self.raw.as_ptr(),
                c"general.architecture".as_ptr(),
                text.as_mut_ptr().cast(),
                text.len(),
            );
        }
        CStr::from_bytes_until_nul(&text).map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned())
    }

    /// Number of tokens in the vocabulary.
    pub(crate) fn vocabulary(&self) -> u32 {
        // SAFETY: the vocabulary is valid.
        unsafe { sys::llama_vocab_n_tokens(self.vocab.as_ptr()) }.max(0) as u32
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: made by `llama_model_load_from_file`, freed once; contexts hold an `Arc` of this and are gone.
        unsafe { sys::llama_model_free(self.raw.as_ptr()) }
    }
}

/// Somebody else got the threads that there were a moment ago.
pub(crate) const NO_THREADS: &str = "the system gives no more threads";

/// A cache and a graph, with the threads that compute it. Not `Send`: one thread owns it.
pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    pool: NonNull<sys::ggml_threadpool>,
    /// Rows of the last step: valid until the next one, which clears this first.
    rows: Vec<*mut f32>,
    row: usize,
    model: Arc<Model>,
}

impl Context {
    /// Makes a context. `params` is what [`context_params`] gave, changed in plain values only; `row` is the length of
    /// an output row, `outputs` the most rows of a step. As many threads as it wants beside the caller's are in
    /// `threads`, which end when it is about to start its own.
    pub(crate) fn new(
        model: &Arc<Model>,
        params: &sys::llama_context_params,
        row: u32,
        outputs: u32,
        threads: Reserve,
    ) -> Result<Self, Reason> {
        let creating = model.creating.lock().unwrap_or_else(PoisonError::into_inner);
        let mut raw = ptr::null_mut();
        // SAFETY: the model is valid and outlives the context through the `Arc`; `raw` is a place for the result.
        let said = guarded(|what| unsafe { trillm_llama_context_new(model.raw.as_ptr(), params, &raw mut raw, what) })?;
        drop(creating);
        let Some(raw) = NonNull::new(raw) else { return Err(said) };
        // SAFETY: no preconditions, plain values.
        let mut wanted = unsafe { sys::ggml_threadpool_params_default(params.n_threads) };
        // Workers sleep between steps: looking for work costs others a core and saved 3% of a 190 us step.
        wanted.poll = 0;
        let mut pool = ptr::null_mut();
        drop(threads);
        // SAFETY: the parameters are plain values and only read; `pool` is a place for the result.
        let made = guarded(|what| unsafe { trillm_llama_pool_new(&raw mut wanted, &raw mut pool, what) });
        let (Some(pool), Ok(_)) = (NonNull::new(pool), made) else {
            // SAFETY: just made, used nowhere.
            unsafe { sys::llama_free(raw.as_ptr()) };
            return Err(NO_THREADS.into());
        };
        // Without a pool of its own a context starts and joins its threads in every step.
        // SAFETY: both are valid; the pool is freed after the context.
        unsafe { sys::llama_attach_threadpool(raw.as_ptr(), pool.as_ptr(), pool.as_ptr()) };
        let context =
            Self { raw, pool, rows: Vec::with_capacity(outputs as usize), row: row as usize, model: model.clone() };
        context.apply_adapters()?;
        Ok(context)
    }

    fn apply_adapters(&self) -> Result<(), Reason> {
        let (mut adapters, mut scales) = (self.model.adapters.clone(), self.model.scales.clone());
        if adapters.is_empty() {
            return Ok(());
        }
        // SAFETY: as many adapters as scales, all of them alive as long as the model; llama.cpp copies both lists.
        guarded(|what| unsafe {
            trillm_llama_adapters_set(
                self.raw.as_ptr(),
                adapters.as_mut_ptr(),
                adapters.len(),
                scales.as_mut_ptr(),
                what,
            )
        })?;
        Ok(())
    }

    /// Cache cells.
    pub(crate) fn cells(&self) -> u32 {
        // SAFETY: the context is valid.
        unsafe { sys::llama_n_ctx(self.raw.as_ptr()) }
    }

    /// The most tokens that can be given at once: without a causal mask, no more than are computed together.
    pub(crate) fn tokens_per_step(&self) -> u32 {
        // SAFETY: the context is valid.
        unsafe {
            let batch = sys::llama_n_batch(self.raw.as_ptr());
            let causal = sys::llama_get_causal_attn(self.raw.as_ptr()) && self.has_memory();
            if causal { batch } else { batch.min(sys::llama_n_ubatch(self.raw.as_ptr())) }
        }
    }

    /// Whether there is a cache at all; encoders have none.
    pub(crate) fn has_memory(&self) -> bool {
        // SAFETY: the context is valid.
        !unsafe { sys::llama_get_memory(self.raw.as_ptr()) }.is_null()
    }

    /// Computes what `arrays` holds. Returns llama.cpp's status, 0 for success.
    ///
    /// The caller has checked ids, sequences, positions and sums against the limits: llama.cpp asserts some of them.
    pub(crate) fn step(&mut self, arrays: &mut Arrays) -> Result<i32, Reason> {
        self.rows.clear();
        let encode = !self.has_memory();
        let batch = arrays.batch();
        let mut status = 0;
        // SAFETY: the context is valid; the batch points into `arrays`, which is borrowed for the call and holds
        // `n_tokens` elements in each array.
        guarded(|what| unsafe {
            trillm_llama_step(self.raw.as_ptr(), &raw const batch, encode, &raw mut status, what)
        })?;
        Ok(status)
    }

    /// Fetches the rows of the last step: `ids` are places in the batch, or sequences if `pooled`.
    pub(crate) fn fetch(&mut self, ids: &[i32], pooled: bool) -> Result<(), Reason> {
        self.rows.clear();
        if ids.is_empty() {
            return Ok(());
        }
        let mut rows = std::mem::take(&mut self.rows);
        rows.resize(ids.len(), ptr::null_mut());
        // SAFETY: the context is valid; `ids` can be read and `rows` written at `ids.len()` places. Unknown ids give
        // null.
        guarded(|what| unsafe {
            trillm_llama_rows(self.raw.as_ptr(), ids.as_ptr(), ids.len(), pooled, rows.as_mut_ptr(), what)
        })?;
        if rows.iter().any(|row| row.is_null()) {
            return Err("a row that was asked for was not computed".into());
        }
        self.rows = rows;
        Ok(())
    }

    /// Row `index` of the last step; empty if there is none.
    pub(crate) fn row(&self, index: usize) -> &[f32] {
        self.rows.get(index).map_or(&[], |&row| {
            // SAFETY: a row that `fetch` got has `self.row` numbers; only `step`, which needs `&mut self`, frees or
            // writes them, and it forgets the rows first.
            unsafe { std::slice::from_raw_parts(row, self.row) }
        })
    }

    /// Forgets positions `keep..` of a sequence. `false` if the memory cannot be cut there.
    pub(crate) fn truncate(&mut self, sequence: u32, keep: u32) -> Result<bool, Reason> {
        let mut done = false;
        // SAFETY: the context is valid; the caller has checked the sequence, which llama.cpp asserts.
        guarded(|what| unsafe {
            trillm_llama_truncate(self.raw.as_ptr(), sequence as i32, keep as i32, &raw mut done, what)
        })?;
        Ok(done)
    }

    /// Makes the first `len` positions of one sequence those of another too. The cache is one pool for all sequences,
    /// so cells are marked, not copied.
    pub(crate) fn share(&mut self, from: u32, to: u32, len: u32) -> Result<(), Reason> {
        // SAFETY: the context is valid; the caller has checked both sequences, which llama.cpp asserts.
        guarded(|what| unsafe { trillm_llama_share(self.raw.as_ptr(), from as i32, to as i32, len as i32, what) })?;
        Ok(())
    }

    /// How many positions a sequence holds.
    pub(crate) fn length(&self, sequence: u32) -> Result<u32, Reason> {
        let mut length = 0;
        // SAFETY: the context is valid; the caller has checked the sequence, which llama.cpp asserts.
        guarded(|what| unsafe { trillm_llama_length(self.raw.as_ptr(), sequence as i32, &raw mut length, what) })?;
        Ok(length.max(0) as u32)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made by `new` and are freed once: the context, which uses the pool, first. The model
        // follows with the `Arc`.
        unsafe {
            sys::llama_free(self.raw.as_ptr());
            sys::ggml_threadpool_free(self.pool.as_ptr());
        }
    }
}

/// Gives memory that was only needed to load back to the system.
pub(crate) fn trim() {
    trillm_llama_trim();
}
