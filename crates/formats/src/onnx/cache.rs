//! How a decoder keeps earlier positions: which tensors, of which size, and whether in one buffer.

use std::collections::{BTreeMap, HashMap};

use super::facts::Facts;
use super::graph::{Dimension, Graph, Model, Node, Port};
use super::ports;
use super::rules::MICROSOFT;
use super::wiring::Wiring;
use super::{Cache, CacheTensor, DataType, Part};
use crate::{Error, Result};

const GQA: &str = "GroupQueryAttention";

/// What the graph has for each layer and part, by number.
type Ports<'m, 'a> = BTreeMap<u32, HashMap<Part, &'m Port<'a>>>;

/// The cache of a decoder; `pasts` are the inputs that are one, in the order of the graph.
pub(super) fn read<'m, 'a>(
    model: &'m Model<'a>,
    wiring: &Wiring<'m, 'a>,
    facts: &Facts,
    pasts: &[(&'m Port<'a>, u32, Part)],
) -> Result<Cache> {
    let mut presents: Ports<'m, 'a> = BTreeMap::new();
    for port in &model.graph.outputs {
        let Some((layer, part)) = ports::present(port.name, &facts.names) else { continue };
        if presents.entry(layer).or_default().insert(part, port).is_some() {
            return Err(ports::refused(port, "a second output for one part of the cache".into(), "one"));
        }
    }
    let (mut tensors, mut shared) = (Vec::new(), 0);
    for &(port, layer, part) in pasts {
        let present = presents.get_mut(&layer).and_then(|parts| parts.remove(&part));
        let Some(present) = present else {
            return Err(ports::refused(
                port,
                "earlier positions without an output for them".into(),
                "past and present",
            ));
        };
        let attention = attention(wiring, present, port);
        shared += u32::from(attention.is_some());
        if attention.is_some() && wiring.uses(port.name) != 1 {
            // The buffer of this operator is longer than what it holds: whoever else looks at it is misled.
            let expected = format!("one that {GQA} alone reads");
            return Err(ports::refused(port, "a cache that other operators read, too".into(), &expected));
        }
        tensors.push(tensor(wiring, facts, attention, [port, present], (layer, part))?);
    }
    if let Some(left) = presents.values().flat_map(HashMap::values).next() {
        return Err(ports::refused(left, "an output for a cache that is no input".into(), "past and present"));
    }
    refuse_hidden(model)?;
    if tensors.is_empty() {
        return Ok(Cache::None);
    }
    let count = tensors.len() as u32;
    // It counts positions from the first, so rows of a cache that grows could not be filled up before theirs.
    let has_attention = model.graph.nodes.iter().any(|node| node.is(MICROSOFT, GQA));
    match shared {
        0 if !has_attention => Ok(Cache::Grown(tensors)),
        _ if shared == count => Ok(Cache::Shared(tensors)),
        _ => {
            let found = format!("{shared} of {count} tensors that are inputs and outputs of {GQA}");
            Err(Error::Graph { what: "the cache".into(), found, expected: format!("all or none, and then no {GQA}") })
        }
    }
}

/// The operator that writes `present` into the buffer of `past`, if it is one that does so.
fn attention<'m, 'a>(wiring: &Wiring<'m, 'a>, present: &Port<'a>, past: &Port<'a>) -> Option<&'m Node<'a>> {
    let (_, node) = wiring.maker(present.name)?;
    // Inputs 3 and 4 are keys and values, outputs 1 and 2 are theirs.
    let place = node.outputs.iter().position(|output| *output == present.name)?;
    let is_shared = node.is(MICROSOFT, GQA) && (1..=2).contains(&place) && node.input(place + 2) == Some(past.name);
    is_shared.then_some(node)
}

/// Where this operator is in a graph within the graph, or in a function, its cache cannot be told.
fn refuse_hidden(model: &Model<'_>) -> Result<()> {
    fn find<'g, 'a>(nodes: &'g [Node<'a>]) -> Option<&'g Node<'a>> {
        nodes.iter().find_map(|node| if node.is(MICROSOFT, GQA) { Some(node) } else { inner(node) })
    }
    fn inner<'g, 'a>(node: &'g Node<'a>) -> Option<&'g Node<'a>> {
        node.graphs().find_map(|Graph { nodes, .. }| find(nodes))
    }
    let functions = || model.functions.iter().find_map(|function| find(&function.nodes));
    match model.graph.nodes.iter().find_map(inner).or_else(functions) {
        None => Ok(()),
        Some(node) => {
            let found = "in a branch or a function".into();
            Err(Error::Graph { what: node.label(), found, expected: "it in the main graph".into() })
        }
    }
}

/// One tensor of the cache, from its input and its output.
fn tensor<'a>(
    wiring: &Wiring<'_, 'a>,
    facts: &Facts,
    attention: Option<&Node<'a>>,
    [past, present]: [&Port<'a>; 2],
    (layer, content): (u32, Part),
) -> Result<CacheTensor> {
    let element = ports::floats(past)?;
    if ports::floats(present)? != element {
        let found = ports::element_name(present);
        return Err(ports::refused(present, found, &format!("those of {:?}, {}", past.name, element.name())));
    }
    let joined = content == Part::Both;
    let rank = if joined { 5 } else { 4 };
    let (shape, out) = (ports::shape(past, rank)?, ports::shape(present, rank)?);
    let first = rank - 4;
    if joined && shape[0].fixed().is_some_and(|length| length != 2) {
        return Err(ports::refused(past, "keys and values of another order".into(), "the length 2 first"));
    }
    for (length, what) in [(shape[first], "batch"), (shape[first + 2], "length")] {
        if let Dimension::Fixed(length) = length {
            return Err(ports::refused(past, format!("a cache with its {what} fixed at {length}"), "any"));
        }
    }
    let fixed = |index: usize| shape[index].fixed().or(out[index].fixed());
    let attribute = |name| attention.and_then(|node| node.int(name)).and_then(|number| u64::try_from(number).ok());
    let heads = fixed(first + 1).or(attribute("kv_num_heads")).or(facts.kv_heads.map(u64::from));
    let width = match fixed(first + 3) {
        Some(width) => Some(width),
        None => head_width(wiring, facts, attention),
    };
    let size = |name: &str, number: Option<u64>| {
        let number =
            number.and_then(|number| u32::try_from(number).ok()).filter(|number| (1..=1 << 16).contains(number));
        number.ok_or_else(|| {
            ports::refused(past, format!("an unknown {name}"), "a number from 1 to 65536, in the graph or beside it")
        })
    };
    let (heads, width) = (size("number of heads", heads)?, size("width of a head", width)?);
    if let Some(node) = attention {
        check(node, heads, width)?;
    }
    Ok(CacheTensor {
        past: past.name.into(),
        present: present.name.into(),
        element,
        heads,
        width,
        layer,
        part: content,
    })
}

/// What the operator asks for, as ONNX Runtime 1.32 checks it when it runs on a CPU.
fn check(node: &Node<'_>, heads: u32, width: u32) -> Result<()> {
    let refused = |found, expected: String| Err(Error::Graph { what: node.label(), found, expected });
    let multiple = if node.int("do_rotary") == Some(1) { 16 } else { 8 };
    if !width.is_multiple_of(multiple) {
        let expected = format!("a multiple of {multiple}, as ONNX Runtime asks for");
        return refused(format!("the head size {width}"), expected);
    }
    let (all, kv) = (node.int("num_heads"), node.int("kv_num_heads"));
    let (Some(all @ 1..=65536), Some(kv @ 1..=65536)) = (all, kv) else {
        return refused(format!("num_heads {all:?} and kv_num_heads {kv:?}"), "numbers from 1 to 65536".into());
    };
    if kv != i64::from(heads) || all % kv != 0 {
        let found = format!("{all} heads, {kv} of them for keys, and a cache of {heads}");
        return refused(found, "a cache of those for keys, of which the others are a multiple".into());
    }
    Ok(())
}

/// The width of a head where the cache does not say it: exporters leave room for caches of fewer bits.
fn head_width(wiring: &Wiring<'_, '_>, facts: &Facts, attention: Option<&Node<'_>>) -> Option<u64> {
    let given = facts.head.map(u64::from);
    let from_config = facts.config_head.map(u64::from);
    let Some(node) = attention else { return given.or(from_config) };
    let positive = |name| node.int(name).and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
    let projected = || {
        let kv = positive("kv_num_heads")?;
        // Without a key of its own, the first input has queries, keys and values side by side.
        let (value, heads) = match node.input(1) {
            Some(key) => (key, kv),
            None => (node.input(0)?, positive("num_heads")?.checked_add(kv.checked_mul(2)?)?),
        };
        let columns = wiring.projection(value)?.columns;
        columns.is_multiple_of(heads).then(|| columns / heads)
    };
    // A row has a cosine for each pair of numbers; heads that are turned only in part say so.
    let cosines = || {
        let table = wiring.tensor(node.input(7)?)?;
        let &[_, columns] = &table.shape[..] else { return None };
        positive("rotary_embedding_dim").is_none().then_some(columns.saturating_mul(2))
    };
    // The graph first: it is what is computed.
    projected().or(given).or_else(cosines).or(from_config)
}

/// Rows of the tables with cosines: the longest sequence that they allow.
pub(super) fn cosine_rows(model: &Model<'_>, wiring: &Wiring<'_, '_>) -> Option<u64> {
    let nodes = model.graph.nodes.iter().filter(|node| node.is(MICROSOFT, GQA));
    let tables = nodes.filter_map(|node| wiring.tensor(node.input(7)?));
    let tables = tables.filter(|table| matches!(table.element, DataType::F32 | DataType::F16));
    tables.filter_map(|table| table.shape.first().copied()).min()
}
