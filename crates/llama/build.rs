//! Compiles `src/shim.cpp` against the headers of the llama.cpp that `llama-cpp-sys-2` built.

use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/shim.cpp");
    let Some(include) = headers() else {
        println!("cargo::error=llama.h was not found next to the llama.cpp built by llama-cpp-sys-2");
        return;
    };
    let mut build = cc::Build::new();
    build.cpp(true).std("c++17").include(include).file("src/shim.cpp");
    if build.get_compiler().is_like_msvc() {
        build.flag("/EHsc");
    }
    build.compile("trillm_llama_shim");
}

/// `<out>/include`. The sys crate tells `<out>/lib/cmake` (or `lib64`) and `<out>`, whichever its build has.
fn headers() -> Option<PathBuf> {
    let cmake = env::var_os("DEP_LLAMA_GGML_CMAKE_DIR").map(PathBuf::from);
    let beside = cmake.as_deref().and_then(Path::parent).and_then(Path::parent).map(Path::to_path_buf);
    let root = env::var_os("DEP_LLAMA_ROOT").map(PathBuf::from);
    [beside, root].into_iter().flatten().map(|out| out.join("include")).find(|dir| dir.join("llama.h").is_file())
}
