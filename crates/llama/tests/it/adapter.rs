//! A LoRA adapter.

use std::path::{Path, PathBuf};

use trillm_core::{LoadOptions, Token};
use trillm_testkit::models::gguf::{Gguf, TensorType};

use crate::common::{STORIES, distance, load, run, shared, small};

const RANK: usize = 4;
const WIDTH: usize = 64;

/// An adapter of the story model that changes the queries of the first layer.
fn adapter() -> PathBuf {
    let (rank, width) = (RANK as u64, WIDTH as u64);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adapter.gguf");
    let file = Gguf::default()
        .key("general.type", "adapter")
        .key("general.architecture", "llama")
        .key("adapter.type", "lora")
        .key("adapter.lora.alpha", RANK as f32)
        .tensor("blk.0.attn_q.weight.lora_a", &[width, rank], TensorType::F32)
        .tensor("blk.0.attn_q.weight.lora_b", &[rank, width], TensorType::F32);
    let size = RANK * WIDTH;
    file.write(&path, |index, out| {
        let weights = (index * size..(index + 1) * size).flat_map(|i| ((i % 7) as f32 - 3.0).to_le_bytes());
        out.write_all(&weights.collect::<Vec<u8>>())
    })
    .expect("a scratch file");
    path
}

#[test]
fn adapters_apply_by_their_scale() {
    let Some(path) = shared(STORIES) else { return };
    let adapter = adapter();
    let row = |scales: &[f32]| {
        let lora = scales.iter().map(|&scale| (adapter.clone(), scale)).collect();
        let model = load(&path, &LoadOptions { lora, ..LoadOptions::default() }).expect("it loads");
        let told = model.info().notes.iter().filter(|note| note.starts_with("LoRA adapter"));
        assert_eq!(told.count(), scales.len(), "every adapter is told of");
        let mut session = model.session(&small()).expect("a session");
        run(&mut *session, 0, 0, &[Token(1), Token(403), Token(407)])
    };
    let (plain, none, half, both) = (row(&[]), row(&[0.0]), row(&[1.0]), row(&[0.5, 0.5]));
    assert!(distance(&plain, &none) < 1e-5);
    assert!(distance(&plain, &half) > 1e-2);
    assert!(distance(&half, &both) < 2e-2, "{}", distance(&half, &both));
}
