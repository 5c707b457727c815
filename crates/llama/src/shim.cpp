// Guards: C++ exceptions stop here.
//
// llama.cpp's C functions are not all `noexcept` in fact: decode, encode, tokenise and the vocabulary getters let
// exceptions out, and one that reaches Rust ends the process. Every function below returns `false` when something was
// thrown, with the exception's text in `what`; results travel through pointers.
//
// While something is made, an assert of llama.cpp or ggml that fails is an exception, too, and not the end of the
// process: what was made by then is lost, and its memory. Within a step it ends the process as ever: other threads are
// in the middle of it, and would wait for this one.

#include "llama.h"
#include "ggml-cpu.h"

#include <cstdio>
#include <exception>
#include <initializer_list>
#include <stdexcept>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace {

struct message {
    char * text;
    size_t size;
};

void say(const message * what, const char * text) noexcept {
    if (what->size > 0) {
        std::snprintf(what->text, what->size, "%s", text);
    }
}

template <typename F> bool guarded(const message * what, F && body) noexcept {
    try {
        body();
        return true;
    } catch (const std::exception & error) {
        say(what, error.what());
    } catch (...) {
        say(what, "an exception of an unknown type");
    }
    return false;
}

// Whether this thread makes something.
thread_local bool making = false;

// Called before ggml ends the process, which it does if this returns.
void assert_failed(const char * text) {
    if (making) {
        throw std::runtime_error(text);
    }
    std::fprintf(stderr, "%s\n", text);
}

// As `guarded`, and asserts are exceptions.
template <typename F> bool guarded_making(const message * what, F && body) noexcept {
    making = true;
    const bool fine = guarded(what, body);
    making = false;
    return fine;
}

} // namespace

extern "C" {

// Gives memory that was only needed to load back to the system: glibc keeps it, 3 MB for a vocabulary of 49,000.
void trillm_llama_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

// Has `guarded_making` hear of asserts.
void trillm_llama_hear_asserts(void) {
    ggml_set_abort_callback(assert_failed);
}

bool trillm_llama_model_load(
        const char * path, const llama_model_params * params, llama_model ** model, const message * what) {
    return guarded_making(what, [&] { *model = llama_model_load_from_file(path, *params); });
}

bool trillm_llama_adapter_load(
        llama_model * model, const char * path, llama_adapter_lora ** adapter, const message * what) {
    *adapter = nullptr;
    return guarded_making(what, [&] { *adapter = llama_adapter_lora_init(model, path); });
}

bool trillm_llama_context_new(
        llama_model * model, const llama_context_params * params, llama_context ** context, const message * what) {
    return guarded_making(what, [&] { *context = llama_init_from_model(model, *params); });
}

// Fails where the system does not give the threads; those that it gave sleep for ever then.
bool trillm_llama_pool_new(ggml_threadpool_params * params, ggml_threadpool ** pool, const message * what) {
    return guarded_making(what, [&] { *pool = ggml_threadpool_new(params); });
}

bool trillm_llama_adapters_set(
        llama_context * context, llama_adapter_lora ** adapters, size_t n, float * scales, const message * what) {
    return guarded(what, [&] { llama_set_adapters_lora(context, adapters, n, scales); });
}

// A context without a cache (an encoder) takes the same batch through `llama_encode`.
bool trillm_llama_step(
        llama_context * context, const llama_batch * batch, bool encode, int32_t * status, const message * what) {
    return guarded(what, [&] { *status = encode ? llama_encode(context, *batch) : llama_decode(context, *batch); });
}

// `ids` are places in the batch for scores, sequences for pooled embeddings.
bool trillm_llama_rows(
        llama_context * context, const int32_t * ids, size_t n, bool pooled, float ** rows, const message * what) {
    return guarded(what, [&] {
        for (size_t i = 0; i < n; ++i) {
            rows[i] = pooled ? llama_get_embeddings_seq(context, ids[i]) : llama_get_logits_ith(context, ids[i]);
        }
    });
}

bool trillm_llama_truncate(
        llama_context * context, int32_t sequence, int32_t keep, bool * done, const message * what) {
    return guarded(what, [&] { *done = llama_memory_seq_rm(llama_get_memory(context), sequence, keep, -1); });
}

bool trillm_llama_share(llama_context * context, int32_t from, int32_t to, int32_t len, const message * what) {
    return guarded(what, [&] { llama_memory_seq_cp(llama_get_memory(context), from, to, 0, len); });
}

bool trillm_llama_length(llama_context * context, int32_t sequence, int32_t * length, const message * what) {
    return guarded(what, [&] { *length = llama_memory_seq_pos_max(llama_get_memory(context), sequence) + 1; });
}

} // extern "C"
