//! Facts about the build, for `trillm doctor`. No network, no cmake.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let fact = |name: &str, variable: &str| {
        println!("cargo:rustc-env=TRILLM_{name}={}", env::var(variable).unwrap_or_default());
    };
    fact("TARGET", "TARGET");
    fact("FEATURES", "CARGO_CFG_TARGET_FEATURE");
    // `target-cpu=native` in .cargo/config.toml: this build runs on machines like this one only.
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let cpu = flags.split('\x1f').find_map(|flag| flag.split("target-cpu=").nth(1)).unwrap_or("baseline");
    println!("cargo:rustc-env=TRILLM_CPU={cpu}");
}
