//! The tiny model as ONNX: a graph that computes it, in the forms that exporters give graphs.
//!
//! All forms compute the same, with the weights of the file in Hugging Face's layout, so that a reader that takes one
//! for another is found out by its tokens. Nothing is optimized: a runtime does that.

mod array;
mod form;
mod fused;
mod genai_config;
mod graph;
mod initializers;
mod interface;
mod llama;
mod plain;
mod wire;

use std::fs;
use std::io;
use std::path::Path;

pub use form::OnnxForm;

use array::Array;
use fused::{Fused, rotation_tables};
use genai_config::genai_config;
use graph::{Attribute, Graph};
use initializers::initializers;
use interface::{Cache, declare_inputs, declare_outputs, output_names};
use llama::hidden_state;
use plain::{Plain, TABLE};

use super::element::Element;
use super::huggingface::{HuggingFace, put_json, tensor_name};
use super::weights::{Part, Shape};

/// The file with the graph.
const GRAPH: &str = "model.onnx";
/// The file with the weights, where they are not in the graph.
const DATA: &str = "model.onnx.data";
/// What the offset of each weight in that file is a multiple of.
const ALIGNMENT: usize = 64;

/// Writes the folder, which is made if it is not there.
pub(super) fn write(model: &HuggingFace, folder: &Path, form: OnnxForm) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    model.write_tokenizer(folder)?;
    let shape = &model.shape;
    let mut graph = Graph::default();
    declare_inputs(&mut graph, shape, form);
    declare_outputs(&mut graph, shape, form);
    match form {
        OnnxForm::Grown | OnnxForm::Placed => add_plain(&mut graph, shape, form, Cache::Grown),
        OnnxForm::Joined => add_plain(&mut graph, shape, form, Cache::Joined),
        OnnxForm::NoCache | OnnxForm::Encoder | OnnxForm::PlacedEncoder => {
            add_plain(&mut graph, shape, form, Cache::None);
        }
        OnnxForm::Merged => add_branches(&mut graph, shape),
        OnnxForm::Shared => {
            let operators = Fused::new(&mut graph, shape);
            let hidden = hidden_state(&mut graph, shape, &operators);
            add_result(&mut graph, form, &hidden);
        }
    }

    let bytes = if form == OnnxForm::Shared {
        put_json(folder, "genai_config.json", &genai_config(shape, GRAPH))?;
        let mut weights = initializers(model, form)?;
        weights.extend(rotation_tables(shape));
        fs::write(folder.join(DATA), add_external(&mut graph, &weights))?;
        graph.model(10, &[("", 21), ("com.microsoft", 1)])
    } else {
        model.write_config(folder, &Element::F32)?;
        for (name, array) in initializers(model, form)? {
            graph.initializer(array.inline(&name));
        }
        if form.has_table() {
            let rows = OnnxForm::POSITIONS * shape.width;
            let table = Array::of_floats(&[OnnxForm::POSITIONS, shape.width], vec![0.0; rows as usize]);
            graph.initializer(table.inline(TABLE));
        }
        graph.model(8, &[("", 17)])
    };
    fs::write(folder.join(GRAPH), bytes)
}

/// Adds all nodes of a graph, or of a branch of one, in plain operators.
fn add_plain(graph: &mut Graph, shape: &Shape, form: OnnxForm, cache: Cache) {
    // What gives vectors is exported without positions: the graph counts them.
    let positions = (!form.gives_vectors()).then_some("position_ids");
    let mut operators = Plain::new(graph, shape, cache, positions);
    operators.placed = form.has_table();
    let hidden = hidden_state(graph, shape, &operators);
    add_result(graph, form, &hidden);
}

/// Adds the choice between two whole graphs. The weights are the outer graph's, where both find them.
fn add_branches(graph: &mut Graph, shape: &Shape) {
    let form = OnnxForm::Merged;
    let branch = |cache| {
        let mut branch = Graph::default();
        declare_outputs(&mut branch, shape, form);
        add_plain(&mut branch, shape, form, cache);
        Attribute::Graph(branch)
    };
    let branches = [("then_branch", branch(Cache::Resumed)), ("else_branch", branch(Cache::Begun))];
    let names = output_names(shape, form);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    graph.node("If", &["use_cache_branch"], &names, &branches);
}

/// Adds what makes the first output of the last hidden state.
fn add_result(graph: &mut Graph, form: OnnxForm, hidden: &str) {
    if form.gives_vectors() {
        graph.node("Identity", &[hidden], &["last_hidden_state"], &[]);
    } else {
        graph.node("MatMul", &[hidden, &tensor_name(Part::Output, None)], &["logits"], &[]);
    }
}

/// Adds weights whose data lies in another file, and gives what that file holds.
fn add_external(graph: &mut Graph, weights: &[(String, Array)]) -> Vec<u8> {
    let mut file = Vec::new();
    for (name, array) in weights {
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        graph.initializer(array.external(name, DATA, file.len()));
        file.extend(&array.data);
    }
    file
}
