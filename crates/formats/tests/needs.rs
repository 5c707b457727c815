//! GGUF files without a tensor that llama.cpp does not ask for and reads all the same.

mod common;

use common::{Value, Writer, model, refused, tiny};
use trillm_testkit::models::gguf::TensorType::F32;

/// A model with numbers for whatever an architecture has, and these tensors.
fn of(architecture: &str, tensors: &[&str]) -> Writer {
    let keys = [
        ("ssm.conv_kernel", Value::from(4u32)),
        ("ssm.inner_size", 16u32.into()),
        ("ssm.state_size", 3u32.into()),
        ("ssm.time_step_rank", 2u32.into()),
        ("ssm.group_count", 1u32.into()),
        ("kda.head_dim", 3u32.into()),
        ("wkv.head_size", 4u32.into()),
        ("rope.dimension_sections", Value::array([2i32, 0, 0, 0])),
        ("attention.indexer.key_length", 6u32.into()),
        ("expert_count", 2u32.into()),
        ("expert_used_count", 1u32.into()),
    ];
    let file = tiny().architecture("llama", architecture).with(|file| file.tensors.truncate(1));
    let file = keys.iter().fold(file, |file, (key, value)| file.key(&format!("{architecture}.{key}"), value.clone()));
    tensors.iter().fold(file, |file, name| file.tensor(name, &[1], F32))
}

/// Asserts that a model with these tensors is sound with one of `needed`, and refused by the name of the first without.
#[track_caller]
fn needs(architecture: &str, given: &[&str], needed: &[&str]) {
    let file = of(architecture, given);
    refused(|| model(&file.bytes()), "missing_tensor", &format!("the tensor {} is missing", needed[0]));
    for name in needed {
        model(&file.clone().tensor(name, &[1], F32).bytes()).expect("sound");
    }
}

const FIRST: &str = "blk.0.attn_norm.weight";

#[test]
fn layers_besides_those_that_guess_ahead() {
    #[rustfmt::skip]
    let guessing = [
        "bailingmoe3", "cohere2moe", "deepseek2", "deepseek32", "deepseek4", "glm4moe", "hy_v3", "mimo2", "mistral4",
        "nemotron_h", "nemotron_h_moe", "qwen35", "qwen35moe", "qwen3next", "step35",
    ];
    for architecture in guessing {
        needs(architecture, &[], &[FIRST]);
    }
    needs("qwen4exp", &[], &["blk.0.hc_attn_norm.weight"]);
}

#[test]
fn positions_of_the_first_layer() {
    needs("t5encoder", &[], &["enc.blk.0.attn_rel_b.weight"]);
}

#[test]
fn parts_of_layers_with_a_state() {
    const SCAN: &str = "blk.0.ssm_conv1d.weight";
    const JOINED: &str = "blk.0.attn_qkv.weight";
    const GATE: &str = "blk.0.attn_gate.weight";
    for architecture in ["falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe"] {
        needs(architecture, &[FIRST, SCAN], &["blk.0.ssm_conv1d.bias"]);
    }
    for architecture in ["qwen35", "qwen35moe"] {
        needs(architecture, &[FIRST, SCAN, GATE], &[JOINED]);
        needs(architecture, &[FIRST, SCAN, JOINED], &[GATE]);
    }
    needs("qwen3next", &[FIRST, SCAN, GATE], &[JOINED, "blk.0.ssm_in.weight"]);
    needs("qwen3next", &[FIRST, SCAN, JOINED, "blk.0.ssm_in.weight"], &[GATE]);
    // With attention they have no such gate.
    model(&of("qwen3next", &[FIRST, JOINED]).bytes()).expect("sound");
    for architecture in ["bailingmoe3", "glm5-next", "kimi-k3"] {
        needs(architecture, &[FIRST, "blk.0.ssm_conv1d_q.weight", JOINED], &["blk.0.attn_q.weight"]);
    }
}

#[test]
fn parts_of_the_form_that_a_file_has() {
    needs("kimi-linear", &["blk.0.attn_q_a_norm.weight"], &["blk.0.attn_q.weight"]);
    needs("rwkv6qwen2", &["blk.0.time_mix_first.weight"], &["blk.0.time_mix_ln.weight"]);
    let lerp = |part: &str| format!("blk.0.time_mix_lerp_{part}.weight");
    needs(
        "rwkv6",
        &["blk.0.time_mix_w1.weight", &lerp("k"), &lerp("v"), &lerp("r"), &lerp("g")],
        &[&lerp("fused"), &lerp("w")],
    );
    for missing in ["k", "v", "r", "g"] {
        let given: Vec<String> =
            ["w", "k", "v", "r", "g"].into_iter().filter(|&part| part != missing).map(lerp).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        needs("rwkv6", &given, &[&lerp(missing), &lerp("fused")]);
    }
}

#[test]
fn latent_attention_by_keys_and_by_tensors() {
    let (joined, split) = ("blk.0.attn_kv_b.weight", "blk.0.attn_k_b.weight");
    for architecture in ["kimi-k3", "kimi-linear"] {
        needs(architecture, &[split], &[joined]);
        let latent = |tensors: &[&str]| {
            of(architecture, tensors)
                .key(&format!("{architecture}.attention.key_length_mla"), 4u32)
                .key(&format!("{architecture}.attention.value_length_mla"), 4u32)
        };
        refused(|| model(&latent(&[joined]).bytes()), "missing_tensor", split);
        model(&latent(&[split]).bytes()).expect("sound");
    }
}

#[test]
fn experts_beside_what_chooses_them() {
    const CHOICE: &str = "blk.0.ffn_gate_inp.weight";
    let (up, down) = ("blk.0.ffn_up_exps.weight", "blk.0.ffn_down_exps.weight");
    for architecture in ["hy_v3", "mimo2", "step35"] {
        needs(architecture, &[FIRST, CHOICE, up], &[down]);
        // None are chosen among.
        model(&of(architecture, &[FIRST]).bytes()).expect("sound");
    }
    needs("hy_v3", &[FIRST, CHOICE, down], &[up, "blk.0.ffn_gate_up_exps.weight"]);
    needs("mimo2", &[FIRST, CHOICE, down], &[up]);
    needs("step35", &[FIRST, CHOICE, down], &[up]);
    let shared = |part: &str| format!("blk.0.ffn_{part}_shexp.weight");
    needs("kimi-k3", &[&shared("gate"), &shared("up")], &[&shared("down")]);
    needs("kimi-k3", &[&shared("gate"), &shared("down")], &[&shared("up")]);
}

#[test]
fn the_second_of_two_layers_behind_an_embedding() {
    needs("gemma-embedding", &["dense_2.weight"], &["dense_3.weight"]);
}

#[test]
fn parts_of_an_indexer() {
    let parts = ["blk.0.indexer.attn_k.weight", "blk.0.indexer.attn_q_b.weight", "blk.0.indexer.proj.weight"];
    for missing in parts {
        let given: Vec<&str> = parts.into_iter().filter(|&part| part != missing).chain([FIRST]).collect();
        needs("glm-dsa", &given, &[missing]);
    }
    let types = Value::array([0u32]);
    model(&of("glm-dsa", &[FIRST]).key("glm-dsa.attention.indexer.types", types).bytes()).expect("sound");
}
