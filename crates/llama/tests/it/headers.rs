//! Keys of models of other architectures, as small as they go.

use trillm_testkit::models::gguf::Value;

pub(crate) type Key = (&'static str, Value);
pub(crate) type Keys = Vec<Key>;

/// A number for each layer.
pub(crate) fn each(key: &'static str, numbers: &[u32]) -> Key {
    (key, Value::array(numbers.iter().copied()))
}

/// Layers with so many heads that keys and values are kept for.
pub(crate) fn kept_heads(numbers: &[u32]) -> Keys {
    vec![("block_count", (numbers.len() as u32).into()), each("attention.head_count_kv", numbers)]
}

pub(crate) fn no_heads() -> Keys {
    vec![("attention.head_count", 0u32.into()), ("attention.head_count_kv", 0u32.into())]
}

/// Two experts, one at a time.
pub(crate) fn experts() -> Keys {
    vec![
        ("expert_count", 2u32.into()),
        ("expert_used_count", 1u32.into()),
        ("expert_feed_forward_length", 32u32.into()),
        ("expert_shared_count", 1u32.into()),
        ("expert_shared_feed_forward_length", 32u32.into()),
        ("expert_weights_scale", 1f32.into()),
        ("expert_gating_func", 2u32.into()),
        ("leading_dense_block_count", 1u32.into()),
    ]
}

/// Latent attention: one key for all heads, of 32 numbers and 8 with positions.
pub(crate) fn latent() -> Keys {
    vec![
        ("attention.head_count_kv", 1u32.into()),
        ("attention.q_lora_rank", 48u32.into()),
        ("attention.kv_lora_rank", 32u32.into()),
        ("attention.key_length", 40u32.into()),
        ("attention.value_length", 32u32.into()),
        ("attention.key_length_mla", 24u32.into()),
        ("attention.value_length_mla", 16u32.into()),
        ("rope.dimension_count", 8u32.into()),
    ]
}

/// An indexer of two heads.
pub(crate) fn indexer() -> Keys {
    vec![
        ("attention.indexer.head_count", 2u32.into()),
        ("attention.indexer.key_length", 64u32.into()),
        ("attention.indexer.top_k", 16u32.into()),
    ]
}

/// Hyper-connections of four streams.
pub(crate) fn streams() -> Keys {
    vec![
        ("hyper_connection.count", 4u32.into()),
        ("hyper_connection.sinkhorn_iterations", 2u32.into()),
        ("hyper_connection.epsilon", 1e-5f32.into()),
        ("hyper_connection.magnitude", 1f32.into()),
        ("hyper_connection.low_rank", 8u32.into()),
    ]
}

/// A running state by the delta rule, in heads of 16 numbers.
pub(crate) fn delta() -> Keys {
    vec![("ssm.conv_kernel", 4u32.into()), ("kda.head_dim", 16u32.into()), ("kda.gate_lower_bound", (-5f32).into())]
}

/// A running state of 128 numbers with 16 columns each.
pub(crate) fn scan() -> Keys {
    vec![
        ("ssm.conv_kernel", 4u32.into()),
        ("ssm.inner_size", 128u32.into()),
        ("ssm.state_size", 16u32.into()),
        ("ssm.time_step_rank", 8u32.into()),
        ("ssm.group_count", 2u32.into()),
    ]
}
