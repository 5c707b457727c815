//! A LoRA adapter, written here byte by byte.

use std::path::{Path, PathBuf};

use trillm_core::{LoadOptions, Token};

use crate::common::{STORIES, distance, load, run, shared, small};

const RANK: usize = 4;
const WIDTH: usize = 64;

/// An adapter of the story model that changes the queries of the first layer.
fn adapter() -> PathBuf {
    let text = |out: &mut Vec<u8>, text: &str| {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    };
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(2_u64.to_le_bytes());
    out.extend(4_u64.to_le_bytes());
    for (key, value) in [("general.type", "adapter"), ("general.architecture", "llama"), ("adapter.type", "lora")] {
        text(&mut out, key);
        out.extend(8_u32.to_le_bytes());
        text(&mut out, value);
    }
    text(&mut out, "adapter.lora.alpha");
    out.extend(6_u32.to_le_bytes());
    out.extend((RANK as f32).to_le_bytes());
    let size = (RANK * WIDTH * 4) as u64;
    for (name, shape, offset) in [("lora_a", [WIDTH, RANK], 0), ("lora_b", [RANK, WIDTH], size)] {
        text(&mut out, &format!("blk.0.attn_q.weight.{name}"));
        out.extend(2_u32.to_le_bytes());
        out.extend(shape.iter().flat_map(|&n| (n as u64).to_le_bytes()));
        out.extend(0_u32.to_le_bytes());
        out.extend(offset.to_le_bytes());
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend((0..2 * RANK * WIDTH).flat_map(|i| ((i % 7) as f32 - 3.0).to_le_bytes()));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adapter.gguf");
    std::fs::write(&path, out).expect("a scratch file");
    path
}

#[test]
fn adapters_apply_by_their_scale() {
    let Some(path) = shared(STORIES) else { return };
    let adapter = adapter();
    let row = |scales: &[f32]| {
        let lora = scales.iter().map(|&scale| (adapter.clone(), scale)).collect();
        let model = load(&path, &LoadOptions { lora, ..LoadOptions::default() }).expect("it loads");
        assert_eq!(model.info().notes.len(), scales.len(), "every adapter is told of");
        let mut session = model.session(&small()).expect("a session");
        run(&mut *session, 0, 0, &[Token(1), Token(403), Token(407)])
    };
    let (plain, none, half, both) = (row(&[]), row(&[0.0]), row(&[1.0]), row(&[0.5, 0.5]));
    assert!(distance(&plain, &none) < 1e-5);
    assert!(distance(&plain, &half) > 1e-2);
    assert!(distance(&half, &both) < 2e-2, "{}", distance(&half, &both));
}
