//! Tensors that llama.cpp does not ask for, and then computes with: without one, it reads from address zero.
//!
//! Taken from `src/models/*.cpp` of the pinned llama.cpp: what is created there with `TENSOR_NOT_REQUIRED`, or by
//! `create_tensor_qkv` in one of two forms, and then goes to ggml without a look. What goes only to helpers that look
//! is not here (`build_norm`, `build_ffn`, biases, scales, factors of positions, sinks), and neither is what an assert
//! finds while a context is made, which is an error. So no file is refused that llama.cpp runs.

use std::collections::HashSet;

use trillm_core::Layer;

use super::keys::Keys;
use super::tensor::Tensor;
use crate::{Error, Result};

/// Architectures, tensors that are there together, and of what they make necessary: one. `*` is the number of a layer.
type Need<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str]);

/// What a file leaves out that holds only the layers that guess tokens ahead: then nothing is asked for of the others.
#[rustfmt::skip]
const GUESSING: &[&str] = &[
    "bailingmoe3", "cohere2moe", "deepseek2", "deepseek32", "deepseek4", "glm-dsa", "glm4moe", "hy_v3", "mimo2",
    "mistral4", "nemotron_h", "nemotron_h_moe", "qwen35", "qwen35moe", "qwen3next", "step35",
];
const SCANNING: &[&str] = &["falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe"];

const EXPERTS: &[&str] = &["hy_v3", "mimo2", "step35"];
const KIMI: &[&str] = &["kimi-k3", "kimi-linear"];

#[rustfmt::skip]
const NEEDS: &[Need<'_>] = &[
    (GUESSING, &[], &["blk.0.attn_norm.weight"]),
    (&["qwen4exp"], &[], &["blk.0.hc_attn_norm.weight"]),
    // The positions of the first layer are those of all others without.
    (&["t5encoder"], &[], &["enc.blk.0.attn_rel_b.weight"]),

    (SCANNING, &["blk.*.ssm_conv1d.weight"], &["blk.*.ssm_conv1d.bias"]),
    (&["qwen35", "qwen35moe"], &["blk.*.ssm_conv1d.weight"], &["blk.*.attn_qkv.weight"]),
    (&["qwen35", "qwen35moe"], &["blk.*.ssm_conv1d.weight"], &["blk.*.attn_gate.weight"]),
    // `ssm_in` is both in one, the older form.
    (&["qwen3next"], &["blk.*.ssm_conv1d.weight"], &["blk.*.attn_qkv.weight", "blk.*.ssm_in.weight"]),
    (&["qwen3next"], &["blk.*.ssm_conv1d.weight", "blk.*.attn_qkv.weight"], &["blk.*.attn_gate.weight"]),

    // The loader takes these joined or compressed as well, and the graph does not.
    (&["bailingmoe3", "glm5-next", "kimi-k3"], &["blk.*.ssm_conv1d_q.weight"], &["blk.*.attn_q.weight"]),
    (&["kimi-linear"], &["blk.*.attn_q_a_norm.weight"], &["blk.*.attn_q.weight"]),
    (&["rwkv6qwen2"], &["blk.*.time_mix_first.weight"], &["blk.*.time_mix_ln.weight"]),

    // One for all five is the newer form; an assert finds it where there is neither.
    (&["rwkv6"], &["blk.*.time_mix_w1.weight"], &["blk.*.time_mix_lerp_fused.weight", "blk.*.time_mix_lerp_w.weight"]),
    (&["rwkv6"], &["blk.*.time_mix_lerp_w.weight"], &["blk.*.time_mix_lerp_k.weight", "blk.*.time_mix_lerp_fused.weight"]),
    (&["rwkv6"], &["blk.*.time_mix_lerp_w.weight"], &["blk.*.time_mix_lerp_v.weight", "blk.*.time_mix_lerp_fused.weight"]),
    (&["rwkv6"], &["blk.*.time_mix_lerp_w.weight"], &["blk.*.time_mix_lerp_r.weight", "blk.*.time_mix_lerp_fused.weight"]),
    (&["rwkv6"], &["blk.*.time_mix_lerp_w.weight"], &["blk.*.time_mix_lerp_g.weight", "blk.*.time_mix_lerp_fused.weight"]),

    (EXPERTS, &["blk.*.ffn_gate_inp.weight"], &["blk.*.ffn_down_exps.weight"]),
    (&["mimo2", "step35"], &["blk.*.ffn_gate_inp.weight"], &["blk.*.ffn_up_exps.weight"]),
    (&["hy_v3"], &["blk.*.ffn_gate_inp.weight"], &["blk.*.ffn_up_exps.weight", "blk.*.ffn_gate_up_exps.weight"]),
    (&["kimi-k3"], &["blk.*.ffn_gate_shexp.weight"], &["blk.*.ffn_up_shexp.weight"]),
    (&["kimi-k3"], &["blk.*.ffn_gate_shexp.weight"], &["blk.*.ffn_down_shexp.weight"]),

    // Vectors as wide as the first of the two makes them are shorter than what is read, and that is found in a step.
    (&["gemma-embedding"], &["dense_2.weight"], &["dense_3.weight"]),
];

/// Latent attention is made for the keys of the file, and computed by its tensors.
const LATENT: &[Need<'_>] = &[(KIMI, &["blk.*.attn_kv_b.weight"], &["blk.*.attn_k_b.weight"])];
const NOT_LATENT: &[Need<'_>] = &[(KIMI, &["blk.*.attn_k_b.weight"], &["blk.*.attn_kv_b.weight"])];

/// What a layer of `glm-dsa` with an indexer needs.
const INDEXER: &[&str] = &["indexer.attn_k.weight", "indexer.attn_q_b.weight", "indexer.proj.weight"];

/// Checks the tensors of a model, whose layers keep `kept`.
pub(crate) fn check(keys: &Keys<'_, '_>, kept: Option<&[Layer]>, tensors: &[&Tensor<'_>]) -> Result<()> {
    let names: HashSet<&str> = tensors.iter().map(|tensor| tensor.name).collect();
    let latent = if keys.is_latent()? { LATENT } else { NOT_LATENT };
    for (_, given, needed) in NEEDS.iter().chain(latent).filter(|need| need.0.contains(&keys.architecture)) {
        let Some((first, others)) = given.split_first() else {
            require(&names, needed, "", &format!("in {}", keys.architecture))?;
            continue;
        };
        for layer in tensors.iter().filter_map(|tensor| layer(tensor.name, first)) {
            if others.iter().all(|other| names.contains(at(other, layer).as_str())) {
                require(&names, needed, layer, &format!("beside {}", at(first, layer)))?;
            }
        }
    }
    if keys.architecture == "glm-dsa" {
        for (index, _) in kept.unwrap_or_default().iter().enumerate().filter(|(_, layer)| layer.index > 0) {
            for part in INDEXER {
                require(&names, &[&format!("blk.{index}.{part}")], "", "where the layer has an indexer")?;
            }
        }
    }
    Ok(())
}

/// The number of the layer that a tensor called as `pattern` says is of; none, and empty, for one of the whole model.
fn layer<'a>(name: &'a str, pattern: &str) -> Option<&'a str> {
    match pattern.split_once('*') {
        None => (name == pattern).then_some(""),
        Some((before, behind)) => name.strip_prefix(before)?.strip_suffix(behind),
    }
}

fn at(pattern: &str, layer: &str) -> String {
    pattern.replace('*', layer)
}

/// Checks that one of `needed` is there.
fn require(names: &HashSet<&str>, needed: &[&str], layer: &str, place: &str) -> Result<()> {
    let needed: Vec<String> = needed.iter().map(|name| at(name, layer)).collect();
    if needed.iter().any(|name| names.contains(name.as_str())) {
        return Ok(());
    }
    let expected = format!("{} {place}", needed.join(" or "));
    Err(Error::MissingTensor { name: needed[0].clone(), expected })
}
