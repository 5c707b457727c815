//! What `info` says of an ONNX model.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use trillm_core::{Layer, ModelInfo, Product, Purpose, Shape};

use super::cache::cosine_rows;
use super::discover::WHOLE;
use super::facts::Facts;
use super::graph::Model;
use super::positions::positions;
use super::rules::MICROSOFT;
use super::wiring::Wiring;
use super::{Cache, DataType, Interface, Role};
use crate::checkpoint::{folder_name, license};
use crate::huggingface::{Sidecars, TOKENIZER};
use crate::sentence::{self, About, Given, Labels};
use crate::{Result, disk};

/// What is known of a model but for its file and name. `modules` is the folder that says how texts become vectors.
pub(super) fn read(
    (folder, modules): (&Path, &Path),
    model: &Model<'_>,
    wiring: &Wiring<'_, '_>,
    facts: &Facts,
    sidecars: &Sidecars,
    (interface, width): (&Interface, u32),
) -> Result<ModelInfo> {
    let (parameters, weights) = weights(model, wiring);
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let (vocabulary, rows, kept, cache_type) = match interface {
        Interface::Decoder(decoder) => {
            let cache = &decoder.cache;
            (Some(decoder.vocabulary), Some(decoder.rows()), cache.kept(), cache.element())
        }
        Interface::Encoder(encoder) => (facts.vocabulary, encoder.embedded, Vec::new(), None),
    };
    let layers = facts.layers.unwrap_or(kept.len() as u32);
    // Without a cache nothing is kept, by however many layers.
    let kept = if kept.is_empty() { vec![Layer::default(); layers as usize] } else { kept };
    let shape = Shape {
        width,
        vocabulary: rows.or(vocabulary).unwrap_or(0),
        layers: Some(kept),
        cache_type,
        weights,
        heads: facts.heads.unwrap_or(0),
        products: products(model, wiring),
        tokenizer_bytes: disk::length(&folder.join(TOKENIZER)),
        grows: matches!(interface, Interface::Decoder(decoder) if matches!(decoder.cache, Cache::Grown(_))),
        ..Shape::default()
    };
    // Positions behind the end of a table cannot be computed, whatever the configuration says.
    let feeds = match interface {
        Interface::Decoder(decoder) => &decoder.feeds,
        Interface::Encoder(encoder) => &encoder.feeds,
    };
    let tables = [small(cosine_rows(model, wiring)), positions(model, wiring, feeds)];
    let context = tables.into_iter().chain([facts.context]).flatten().min();
    let class = facts.class.clone().unwrap_or_default();
    let mut notes = sidecars.notes.clone();
    let (purpose, pipeline, scoring) = match interface {
        Interface::Decoder(_) => (Purpose::Text, None, None),
        Interface::Encoder(encoder) => {
            let (width, context, causal) = (encoder.width, context.unwrap_or(0), true);
            let given = match &*encoder.vectors.name {
                _ if !encoder.pooled => Given::Tokens,
                WHOLE => Given::Whole,
                name => Given::Texts(name),
            };
            let about = About { width, context, sidecars, class: &class, causal, given };
            let modules = sentence::Folder::open(modules)?;
            if encoder.labels {
                let labels = Labels { count: width, layers: None };
                let mut scoring = sentence::labels(&modules, &facts.config, &about, labels)?;
                // Which token is of which text, a graph says where it has an input for it.
                scoring.tells_texts_apart &= encoder.feeds.iter().any(|feed| feed.role == Role::TokenTypes);
                (Purpose::Labels, None, Some(scoring))
            } else {
                (Purpose::Vectors, Some(sentence::read(&modules, &about, &mut notes)?), None)
            }
        }
    };
    Ok(ModelInfo {
        name: folder_name(folder),
        format: "onnx",
        architecture: facts.model_type.clone().unwrap_or_else(|| trillm_core::Error::UNKNOWN_KIND.into()),
        parameters,
        quantization: shape.dominant().into(),
        context_trained: context.unwrap_or(0),
        width,
        layers,
        vocabulary: vocabulary.unwrap_or(0),
        shape,
        class,
        purpose,
        pipeline,
        scoring,
        notes,
        license: license(folder)?,
        ..sidecars.info()
    })
}

/// How many numbers the weights have, and the bytes that they are by how they are stored.
fn weights(model: &Model<'_>, wiring: &Wiring<'_, '_>) -> (u64, BTreeMap<String, u64>) {
    // Operators of ONNX Runtime unpack matrices themselves: their inputs say less than their attributes.
    let mut packed: HashMap<&str, (u64, String)> = HashMap::new();
    // Scales and zero points belong to packed matrices; tables of cosines are computed, not trained.
    let mut others: HashSet<&str> = HashSet::new();
    for node in &model.graph.nodes {
        let number = |name| node.int(name).and_then(|number| u64::try_from(number).ok());
        let bits = number("bits").unwrap_or(4);
        if node.is(MICROSOFT, "MatMulNBits") {
            let size = number("K").unwrap_or(0).saturating_mul(number("N").unwrap_or(0));
            packed.extend(node.input(1).map(|name| (name, (size, format!("INT{bits}")))));
            others.extend([2, 3].into_iter().filter_map(|index| node.input(index)));
        } else if node.is(MICROSOFT, "GatherBlockQuantized") {
            let data = node.input(0).and_then(|name| wiring.tensor(name));
            let size = data
                .map(|data| if data.element == DataType::U8 { data.bytes.saturating_mul(8) / bits.max(1) } else { 0 });
            if let (Some(name), Some(size @ 1..)) = (node.input(0), size) {
                packed.entry(name).or_insert_with(|| (size, format!("INT{bits}")));
            }
            others.extend([2, 3].into_iter().filter_map(|index| node.input(index)));
        } else if node.is(MICROSOFT, "GroupQueryAttention") {
            others.extend([7, 8].into_iter().filter_map(|index| node.input(index)));
        }
    }
    let (mut parameters, mut bytes_in) = (0u64, BTreeMap::<String, u64>::new());
    for tensor in &model.graph.tensors {
        let (size, kind) = match packed.get(tensor.name) {
            Some((size, kind)) => (*size, kind.clone()),
            None if others.contains(tensor.name) => continue,
            None => match kind(tensor.element) {
                Some(kind) => (tensor.shape.iter().product(), kind.into()),
                None => continue,
            },
        };
        parameters = parameters.saturating_add(size);
        let bytes = bytes_in.entry(kind).or_default();
        *bytes = bytes.saturating_add(tensor.bytes);
    }
    (parameters, bytes_in)
}

/// The matrices that rows are multiplied with, in the main graph. Those that operators unpack themselves have as many
/// rows and columns as their attributes say.
fn products(model: &Model<'_>, wiring: &Wiring<'_, '_>) -> Vec<Product> {
    let mut shape = Shape::default();
    for node in &model.graph.nodes {
        let Some(tensor) = node.input(1).and_then(|name| wiring.tensor(name)) else { continue };
        let number = |name| node.int(name).and_then(|number| u64::try_from(number).ok());
        let (kind, rows, columns) = match (node.op, &tensor.shape[..]) {
            ("MatMulNBits", _) if node.is(MICROSOFT, "MatMulNBits") => {
                let kind = format!("INT{}", number("bits").unwrap_or(4));
                (kind, number("N").unwrap_or(0), number("K").unwrap_or(0))
            }
            ("MatMul" | "Gemm", &[first, second]) => {
                let Some(kind) = kind(tensor.element) else { continue };
                let turned = node.op == "Gemm" && number("transB") == Some(1);
                let (rows, columns) = if turned { (first, second) } else { (second, first) };
                (kind.into(), rows, columns)
            }
            _ => continue,
        };
        shape.add_product(Product { kind, rows, columns, experts: 1, bytes: tensor.bytes });
    }
    shape.products
}

/// How weights of a type are called; `None` for types that indexes and masks have.
fn kind(element: DataType) -> Option<&'static str> {
    match element {
        DataType::F32 => Some("F32"),
        DataType::F16 => Some("F16"),
        DataType::F64 => Some("F64"),
        DataType::Bf16 => Some("BF16"),
        DataType::I8 | DataType::U8 => Some("INT8"),
        DataType::I4 | DataType::U4 => Some("INT4"),
        DataType::U16
        | DataType::I16
        | DataType::I32
        | DataType::I64
        | DataType::U32
        | DataType::U64
        | DataType::Bool => None,
    }
}
