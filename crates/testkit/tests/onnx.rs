//! The ONNX forms of the tiny model have the files, names and numbers that they claim. That a runtime computes with
//! them what other engines do is tested where there is a runtime.
#![expect(clippy::unwrap_used, reason = "this is a test, and so are the functions it shares")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use trillm_testkit::TinyLlama;
use trillm_testkit::models::{OnnxForm, Part};

/// A protobuf message, taken apart: its fields in order. A number's bytes are those of 64 bits, little-endian.
struct Message(Vec<(u64, Vec<u8>)>);

impl Message {
    fn read(mut bytes: &[u8]) -> Self {
        let varint = |bytes: &mut &[u8]| {
            let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
            let (head, rest) = bytes.split_at(length);
            *bytes = rest;
            head.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
        };
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let value = match key & 7 {
                0 => varint(&mut bytes).to_le_bytes().to_vec(),
                wire => {
                    let length = if wire == 5 { 4 } else { varint(&mut bytes) };
                    let (value, rest) = bytes.split_at(length as usize);
                    bytes = rest;
                    value.to_vec()
                }
            };
            fields.push((key >> 3, value));
        }
        Self(fields)
    }

    fn all(&self, field: u64) -> Vec<&[u8]> {
        self.0.iter().filter(|(number, _)| *number == field).map(|(_, value)| value.as_slice()).collect()
    }

    fn text(&self, field: u64) -> &str {
        std::str::from_utf8(self.all(field)[0]).unwrap()
    }

    fn numbers(&self, field: u64) -> Vec<u64> {
        self.all(field).iter().map(|bytes| u64::from_le_bytes((*bytes).try_into().unwrap())).collect()
    }

    fn messages(&self, field: u64) -> Vec<Self> {
        self.all(field).into_iter().map(Self::read).collect()
    }
}

/// The default model in a form, in a folder of its own.
fn written(form: OnnxForm) -> (tempfile::TempDir, Message) {
    let folder = tempfile::tempdir().unwrap();
    TinyLlama::default().write_onnx(folder.path(), form).unwrap();
    let model = Message::read(&fs::read(folder.path().join("model.onnx")).unwrap());
    (folder, model)
}

fn names(declared: &[Message]) -> Vec<&str> {
    declared.iter().map(|declared| declared.text(1)).collect()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// The weights of a part as other files have them: row after row.
fn weights(part: Part, layer: Option<u32>) -> Vec<f32> {
    let tiny = TinyLlama::default();
    let tensors = tiny.shape.tensors();
    tensors.iter().find(|tensor| tensor.part == part && tensor.layer == layer).unwrap().weights(tiny.seed)
}

/// A matrix of so many columns, column after column.
fn transposed(rows: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| rows[column..].iter().step_by(columns)).copied().collect()
}

#[test]
fn inputs_and_outputs_are_those_of_the_exporters() {
    let separate =
        |prefix: &str| ["0.key", "0.value", "1.key", "1.value"].map(|name| format!("{prefix}.{name}")).join(" ");
    let (past, present) = (separate("past_key_values"), separate("present"));
    let plain = "input_ids attention_mask position_ids";
    let expected = [
        (OnnxForm::Grown, format!("{plain} {past}"), format!("logits {present}")),
        (OnnxForm::Shared, format!("input_ids attention_mask {past}"), format!("logits {present}")),
        (OnnxForm::NoCache, plain.into(), "logits".into()),
        (OnnxForm::Joined, format!("{plain} past_0 past_1"), "logits present_0 present_1".into()),
        (OnnxForm::Merged, format!("{plain} {past} use_cache_branch"), format!("logits {present}")),
        (OnnxForm::Encoder, "input_ids attention_mask".into(), "last_hidden_state".into()),
    ];
    assert_eq!(expected.len(), OnnxForm::ALL.len());
    for (form, inputs, outputs) in expected {
        let (_folder, model) = written(form);
        let graph = &model.messages(7)[0];
        assert_eq!(names(&graph.messages(11)).join(" "), inputs, "{form:?}");
        assert_eq!(names(&graph.messages(12)).join(" "), outputs, "{form:?}");
    }
}

#[test]
fn every_value_is_made_before_it_is_used() {
    fn check(graph: &Message, outer: &[String]) {
        let mut known = outer.to_vec();
        known.extend(names(&graph.messages(11)).into_iter().map(String::from));
        known.extend(graph.messages(5).iter().map(|weight| weight.text(8).to_owned()));
        for node in graph.messages(1) {
            for input in node.all(1).into_iter().filter(|input| !input.is_empty()) {
                let input = std::str::from_utf8(input).unwrap();
                assert!(known.iter().any(|value| value == input), "{} takes {input}", node.text(3));
            }
            node.messages(5).iter().flat_map(|attribute| attribute.messages(6)).for_each(|inner| check(&inner, &known));
            for output in node.all(2) {
                let output = std::str::from_utf8(output).unwrap();
                assert!(known.iter().all(|value| value != output), "{} gives {output} again", node.text(3));
                known.push(output.into());
            }
        }
        for output in names(&graph.messages(12)) {
            assert!(known.iter().any(|value| value == output), "no node gives {output}");
        }
    }
    for form in OnnxForm::ALL {
        check(&written(form).1.messages(7)[0], &[]);
    }
}

#[test]
fn a_form_has_its_operators() {
    let operators = |graph: &Message| {
        let mut counts = HashMap::new();
        graph.messages(1).iter().for_each(|node| *counts.entry(node.text(4).to_owned()).or_insert(0) += 1);
        counts
    };
    let versions = |model: &Message| -> Vec<_> {
        model.messages(8).iter().map(|set| (set.text(1).to_owned(), set.numbers(2)[0])).collect()
    };

    let (_folder, grown) = written(OnnxForm::Grown);
    assert_eq!(versions(&grown), [(String::new(), 17)]);
    let graph = &grown.messages(7)[0];
    assert!(graph.messages(1).iter().all(|node| node.text(7).is_empty()));
    assert_eq!(operators(graph)["Softmax"], 2);

    let (_folder, shared) = written(OnnxForm::Shared);
    assert_eq!(versions(&shared), [(String::new(), 21), ("com.microsoft".into(), 1)]);
    let counts = operators(&shared.messages(7)[0]);
    assert_eq!((counts["GroupQueryAttention"], counts["SimplifiedLayerNormalization"]), (2, 5));
    assert!(!counts.contains_key("Softmax"));

    let (_folder, merged) = written(OnnxForm::Merged);
    let nodes = merged.messages(7)[0].messages(1);
    assert_eq!((nodes.len(), nodes[0].text(4)), (1, "If"));
    assert_eq!(names(&nodes[0].messages(5)), ["then_branch", "else_branch"]);
}

#[test]
fn weights_in_the_graph_are_those_of_the_other_files() {
    let (_folder, model) = written(OnnxForm::Grown);
    let all: HashMap<String, Message> =
        model.messages(7)[0].messages(5).into_iter().map(|weight| (weight.text(8).to_owned(), weight)).collect();
    assert_eq!(all.len(), TinyLlama::default().shape.tensors().len());

    let embedding = &all["model.embed_tokens.weight"];
    assert_eq!((embedding.numbers(1), embedding.numbers(2)), (vec![300, 64], vec![1]));
    assert_eq!(floats(embedding.all(9)[0]), weights(Part::Embedding, None));

    // A matrix is turned: 64 outputs of 128 inputs become 128 rows of 64.
    let down = &all["model.layers.1.mlp.down_proj.weight"];
    assert_eq!(down.numbers(1), [128, 64]);
    assert_eq!(floats(down.all(9)[0]), transposed(&weights(Part::Down, Some(1)), 128));

    // What gives vectors has no output matrix.
    let (_folder, encoder) = written(OnnxForm::Encoder);
    assert_eq!(encoder.messages(7)[0].messages(5).len(), all.len() - 1);
}

#[test]
fn weights_beside_the_graph_are_aligned() {
    let (folder, model) = written(OnnxForm::Shared);
    let data = fs::read(folder.path().join("model.onnx.data")).unwrap();
    let mut end = 0;
    let mut packed = None;
    for weight in model.messages(7)[0].messages(5) {
        let entries: Vec<_> =
            weight.messages(13).iter().map(|entry| (entry.text(1).to_owned(), entry.text(2).to_owned())).collect();
        let [(_, location), (_, offset), (_, length)] = entries.as_slice() else { panic!("{entries:?}") };
        let (offset, length): (usize, usize) = (offset.parse().unwrap(), length.parse().unwrap());
        assert_eq!((location.as_str(), offset % 64, weight.numbers(14)), ("model.onnx.data", 0, vec![1]));
        assert_eq!(length as u64, 4 * weight.numbers(1).iter().product::<u64>());
        assert!(offset >= end && weight.all(9).is_empty());
        end = offset + length;
        if weight.text(8) == "model.layers.0.attn.qkv_proj.MatMul.weight" {
            assert_eq!(weight.numbers(1), [64, 128]);
            packed = Some(floats(&data[offset..end]));
        }
    }
    assert_eq!(end, data.len());
    // The values come after 64 queries and 32 keys, and their rows are not reordered.
    let values: Vec<f32> = packed.unwrap().chunks(128).flat_map(|row| row[96..].to_vec()).collect();
    assert_eq!(values, transposed(&weights(Part::Value, Some(0)), 64));
}

#[test]
fn the_small_files_are_those_of_the_exporters() {
    for form in OnnxForm::ALL {
        let (folder, _) = written(form);
        let found = files(folder.path()).join(" ");
        let expected = if form == OnnxForm::Shared {
            "genai_config.json model.onnx model.onnx.data tokenizer.json tokenizer_config.json"
        } else {
            "config.json generation_config.json model.onnx tokenizer.json tokenizer_config.json"
        };
        assert_eq!(found, expected, "{form:?}");
    }
    let (folder, _) = written(OnnxForm::Shared);
    let config: Value = serde_json::from_slice(&fs::read(folder.path().join("genai_config.json")).unwrap()).unwrap();
    assert_eq!(config["model"]["decoder"]["filename"], "model.onnx");
    assert_eq!(
        (&config["model"]["context_length"], &config["model"]["decoder"]["head_size"]),
        (&512.into(), &16.into())
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for form in OnnxForm::ALL {
        let read = |seed| {
            let folder = tempfile::tempdir().unwrap();
            TinyLlama { seed, ..TinyLlama::default() }.write_onnx(folder.path(), form).unwrap();
            files(folder.path()).into_iter().map(|name| fs::read(folder.path().join(name)).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(read(1), read(1), "{form:?}");
        assert_ne!(read(1), read(2), "{form:?}");
    }
}
