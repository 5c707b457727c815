//! llama.cpp's own tokenizer, which the engine does not call: for short texts, what it says is what ours must say.

use std::ffi::CString;
use std::path::Path;

use llama_cpp_sys_2 as sys;

/// A vocabulary that llama.cpp loaded.
pub(crate) struct Reference(*mut sys::llama_model);

impl Reference {
    /// Loads the vocabulary of a file that passed our own checks.
    pub(crate) fn load(file: &Path) -> Self {
        let path = CString::new(file.as_os_str().as_encoded_bytes()).expect("a path without zeros");
        // SAFETY: no preconditions; the path is NUL-terminated. Nothing throws on a file that was checked.
        let model = unsafe {
            let mut params = sys::llama_model_default_params();
            params.vocab_only = true;
            sys::llama_model_load_from_file(path.as_ptr(), params)
        };
        assert!(!model.is_null(), "llama.cpp loads {}", file.display());
        Self(model)
    }

    fn vocabulary(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is valid.
        unsafe { sys::llama_model_get_vocab(self.0) }
    }

    /// The ids of a text.
    pub(crate) fn encode(&self, text: &str, add_special: bool, parse_special: bool) -> Vec<u32> {
        let mut ids = vec![0_i32; text.len() * 4 + 16];
        let (room, len) = (ids.len() as i32, text.len() as i32);
        // SAFETY: the vocabulary is valid; text and ids have the sizes given.
        let n = unsafe {
            let (text, ids) = (text.as_ptr().cast(), ids.as_mut_ptr());
            sys::llama_tokenize(self.vocabulary(), text, len, ids, room, add_special, parse_special)
        };
        ids.truncate(usize::try_from(n).expect("there is room"));
        ids.into_iter().map(|id| id as u32).collect()
    }

    pub(crate) fn tokens(&self) -> u32 {
        // SAFETY: the vocabulary is valid.
        unsafe { sys::llama_vocab_n_tokens(self.vocabulary()) as u32 }
    }

    /// What a token is in a text.
    pub(crate) fn bytes(&self, id: u32) -> Vec<u8> {
        let mut bytes = vec![0_u8; 4096];
        // SAFETY: the vocabulary is valid, and so is the id; the buffer has the size given.
        let n = unsafe {
            let room = bytes.as_mut_ptr().cast();
            sys::llama_token_to_piece(self.vocabulary(), id as i32, room, 4096, 0, false)
        };
        bytes.truncate(usize::try_from(n).expect("there is room"));
        bytes
    }

    pub(crate) fn is_end(&self, id: u32) -> bool {
        // SAFETY: the vocabulary is valid, and so is the id.
        unsafe { sys::llama_vocab_is_eog(self.vocabulary(), id as i32) }
    }

    pub(crate) fn is_control(&self, id: u32) -> bool {
        // SAFETY: the vocabulary is valid, and so is the id.
        let bits = unsafe { sys::llama_vocab_get_attr(self.vocabulary(), id as i32) } as u32;
        bits & (sys::LLAMA_TOKEN_ATTR_CONTROL | sys::LLAMA_TOKEN_ATTR_UNKNOWN) != 0
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: loaded above, freed once.
        unsafe { sys::llama_model_free(self.0) }
    }
}
