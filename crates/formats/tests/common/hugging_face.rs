//! Writes small folders of models in Hugging Face's layout.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use serde_json::{Value, json};

/// A safetensors file of 32-bit floats, all of them zero.
pub fn safetensors(tensors: &[(&str, &[u64])]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut at = 0;
    for (name, shape) in tensors {
        let end = at + 4 * shape.iter().product::<u64>();
        header.insert((*name).into(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [at, end] }));
        at = end;
    }
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; at as usize]].concat()
}

/// A small model's `config.json`, with the keys that every family has.
pub fn config(model_type: &str) -> Value {
    json!({
        "model_type": model_type,
        "hidden_size": 64,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "num_hidden_layers": 6,
        "intermediate_size": 128,
        "vocab_size": 1000,
        "max_position_embeddings": 2048,
    })
}

/// `config` with `keys` added or replaced.
pub fn with(mut config: Value, keys: Value) -> Value {
    let (Some(object), Value::Object(keys)) = (config.as_object_mut(), keys) else { panic!("objects") };
    object.extend(keys);
    config
}

/// `config` without a key.
pub fn without(mut config: Value, key: &str) -> Value {
    config.as_object_mut().expect("an object").remove(key).expect("the key");
    config
}
