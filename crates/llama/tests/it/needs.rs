//! A file without a tensor is refused, or runs without it: it never ends the process. So models are run without each of
//! theirs in turn, in a process of their own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use trillm_core::{Model, Pooling, Purpose, Token};
use trillm_testkit::models::gguf::{Gguf, TensorType, Value};

use crate::common::{batch, embedding, small};
use crate::grown::{grow, header, tried};
use crate::headers::{Keys, delta, each, experts, indexer, kept_heads, latent, no_heads, scan, streams};

/// The architecture that a process is for.
const ARCHITECTURE: &str = "TRILLM_NEEDS_ARCHITECTURE";

/// A model, and what it has of the tensors that llama.cpp does not ask for and needs.
struct Case {
    architecture: &'static str,
    keys: Keys,
    /// Tensors that it begins with.
    has: &'static [&'static str],
    needs: &'static [&'static str],
}

fn case(architecture: &'static str, keys: &[Keys], needs: &'static [&'static str]) -> Case {
    Case { architecture, keys: keys.concat(), has: &[], needs }
}

impl Case {
    fn with(mut self, has: &'static [&'static str]) -> Self {
        self.has = has;
        self
    }
}

const CHOICE: &[&str] = &["blk.1.ffn_gate_inp.weight"];
const CHOSEN: &[&str] = &["blk.0.attn_norm.weight", "blk.1.ffn_down_exps.weight", "blk.1.ffn_up_exps.weight"];

fn cases() -> Vec<Case> {
    let windows = || {
        vec![
            ("attention.sliding_window", 64u32.into()),
            ("attention.sliding_window_pattern", Value::array([false, true])),
        ]
    };
    let wkv = || vec![("wkv.head_size", 16u32.into()), ("attention.layer_norm_epsilon", 1e-5f32.into())];
    let extra = || vec![("time_mix_extra_dim", 8u32.into()), ("time_decay_extra_dim", 8u32.into())];
    let buckets = || vec![("attention.relative_buckets_count", 32u32.into()), ("attention.head_count_kv", 4u32.into())];
    let four = || vec![("block_count", 4u32.into())];
    let guesses = || vec![("nextn_predict_layers", 1u32.into()), ("block_count", 3u32.into())];
    let sections = || vec![each("rope.dimension_sections", &[4, 4, 0, 0])];
    let networks =
        |sizes: &[u32]| vec![("attention.layer_norm_epsilon", 1e-5f32.into()), each("feed_forward_length", sizes)];
    let situ = || {
        vec![
            ("attn_res.block_size", 2u32.into()),
            ("activation.situ_beta", 1f32.into()),
            ("activation.situ_linear_beta", 1f32.into()),
        ]
    };
    let pools = || {
        vec![
            ("attention.indexer.kpool", 4u32.into()),
            ("attention.key_length", 32u32.into()),
            ("rope.dimension_count", 0u32.into()),
        ]
    };
    let first = || vec![each("attention.indexer.types", &[1, 0])];
    let alternating = || kept_heads(&[0, 1, 0]);
    vec![
        case("t5encoder", &[buckets()], &["enc.blk.0.attn_rel_b.weight"]),
        case(
            "nemotron_h",
            &[scan(), kept_heads(&[0, 0, 2]), networks(&[0, 128, 0])],
            &["blk.0.attn_norm.weight", "blk.0.ssm_conv1d.bias"],
        ),
        case("falcon-h1", &[scan()], &["blk.0.ssm_conv1d.bias", "blk.1.ssm_conv1d.bias"]),
        case("granitehybrid", &[scan(), kept_heads(&[0, 2])], &["blk.0.ssm_conv1d.bias"]),
        case("qwen3next", &[scan(), experts(), four()], &["blk.0.attn_norm.weight", "blk.0.attn_qkv.weight"]),
        case(
            "qwen35",
            &[scan(), sections(), four()],
            &["blk.0.attn_norm.weight", "blk.0.attn_gate.weight", "blk.0.attn_qkv.weight"],
        ),
        case(
            "qwen35moe",
            &[scan(), sections(), experts(), four()],
            &["blk.0.attn_norm.weight", "blk.0.attn_gate.weight", "blk.0.attn_qkv.weight"],
        ),
        case(
            "glm-dsa",
            &[latent(), experts(), indexer(), first()],
            &["blk.0.attn_norm.weight", "blk.0.indexer.attn_k.weight"],
        ),
        case(
            "rwkv6",
            &[wkv(), extra(), no_heads()],
            &["blk.0.time_mix_lerp_g.weight", "blk.0.time_mix_lerp_k.weight", "blk.1.time_mix_lerp_fused.weight"],
        )
        .with(&["blk.0.time_mix_lerp_w.weight", "blk.0.time_mix_lerp_k.weight"]),
        case("kimi-linear", &[latent(), experts(), delta(), alternating()], &[]),
        case(
            "kimi-k3",
            &[latent(), experts(), delta(), situ(), alternating()],
            &["blk.0.attn_q.weight", "blk.1.ffn_down_shexp.weight"],
        )
        .with(&["blk.1.ffn_gate_shexp.weight"]),
        case("bailingmoe3", &[latent(), experts(), delta(), alternating()], &["blk.0.attn_q.weight"]),
        case(
            "glm5-next",
            &[latent(), experts(), delta(), indexer(), streams(), kept_heads(&[0, 1, 0]), pools()],
            &["blk.0.attn_q.weight"],
        ),
        case("deepseek2", &[latent(), experts(), guesses()], &["blk.0.attn_norm.weight"]),
        case("deepseek32", &[latent(), experts(), indexer(), guesses()], &["blk.0.attn_norm.weight"]),
        case("glm4moe", &[experts(), guesses()], &["blk.0.attn_norm.weight"]),
        case("hy_v3", &[experts(), guesses()], CHOSEN).with(CHOICE),
        case("mimo2", &[experts(), windows()], CHOSEN).with(CHOICE),
        case("step35", &[experts(), windows()], CHOSEN).with(CHOICE),
        case("grok", &[experts()], &[]),
    ]
}

fn path(case: &Case) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("needs-{}.gguf", case.architecture))
}

/// Runs three tokens.
fn steps(model: &dyn Model) -> Result<Vec<f32>, trillm_core::Error> {
    let tokens = [Token(5), Token(6), Token(7)];
    let options = if model.info().purpose == Purpose::Vectors { embedding(Pooling::Mean) } else { small() };
    let mut session = model.session(&options)?;
    Ok(session.step(&batch(&[(0, 0, &tokens, true)]))?.row(0).to_vec())
}

#[test]
#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn without_each_of_its_tensors() {
    let Ok(wanted) = env::var(ARCHITECTURE) else { return };
    let case = cases().into_iter().find(|case| case.architecture == wanted).expect("a case");
    let path = path(&case);
    let header = header(case.architecture, &case.keys);
    let header = case.has.iter().fold(header, |file, name| file.tensor(name, &[1], TensorType::F32));
    let (file, model) = grow(header, &path);
    println!("complete");
    let row = steps(&*model).expect("it runs");
    assert!(!row.is_empty() && row.iter().all(|number| number.is_finite()), "{row:?}");
    let mut refused = BTreeSet::new();
    for index in 0..file.tensors.len() {
        let name = file.tensors[index].name.clone();
        let without: Gguf = file.clone().with(|file| drop(file.tensors.remove(index)));
        fs::write(&path, without.bytes()).expect("it is written");
        println!("{name}");
        match tried(&path) {
            Ok(model) => drop(steps(&*model)),
            Err(said) if said.contains("the tensor ") && said.contains(" is missing") => {
                refused.insert(name);
            }
            Err(_) => {}
        }
    }
    println!("refused {refused:?}");
    for name in case.needs {
        assert!(refused.contains(*name), "{name} is not needed");
    }
}

#[test]
fn a_file_without_a_tensor_does_not_end_the_process() {
    let failed = |case: &Case| {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["needs::without_each_of_its_tensors", "--exact", "--nocapture"]);
        let output = command.env(ARCHITECTURE, case.architecture).output().expect("it starts");
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        (!output.status.success()).then(|| format!("{}: {}\n{}", case.architecture, output.status, said.concat()))
    };
    let failed: Vec<String> = cases().iter().filter_map(failed).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
