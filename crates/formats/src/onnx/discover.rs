//! How a graph is run: tokens to scores, or texts to vectors.

use super::facts::Facts;
use super::graph::{Dimension, Model, Node, Port};
use super::ports;
use super::rules::MICROSOFT;
use super::wire::shortened;
use super::wiring::{Projection, Wiring};
use super::{Decoder, Encoder, Feed, Interface, Output, Role};
use super::{cache, embedding};
use crate::{Error, Result};

/// The output of a whole model of sentence-transformers, all of its modules included.
pub(super) const WHOLE: &str = "sentence_embedding";

/// What was found out about a graph.
pub(super) struct Found<'a> {
    pub(super) interface: Interface,
    /// The projection to the scores, if it can be told to compute the last position alone.
    pub(super) last_row: Option<Projection<'a>>,
    /// The width of the hidden state, as far as the graph tells.
    pub(super) width: Option<u64>,
}

/// Reads inputs and outputs.
pub(super) fn discover<'m, 'a>(model: &'m Model<'a>, wiring: &Wiring<'m, 'a>, facts: &Facts) -> Result<Found<'a>> {
    let graph = &model.graph;
    let (mut feeds, mut pasts) = (Vec::new(), Vec::new());
    // An input with a tensor of its name has a value already: files before ir_version 4 list all weights so.
    for port in graph.inputs.iter().filter(|port| wiring.tensor(port.name).is_none()) {
        match ports::past(port.name, &facts.names) {
            Some((layer, part)) => pasts.push((port, layer, part)),
            None => feeds.push(ports::feed(port, &facts.names)?),
        }
    }
    if !feeds.iter().any(|feed| feed.role == Role::Tokens) {
        let (what, found) = ("the graph".into(), "no input for tokens".into());
        return Err(Error::Graph { what, found, expected: "input_ids".into() });
    }
    let mixes_rows = mixes_rows(model);
    let embedded = embedding::rows(model, wiring, &feeds);
    let scores = facts.names.scores.as_deref().unwrap_or("logits");
    let by_name = graph.outputs.iter().find(|port| port.name == scores);
    let Some(port) = by_name.or_else(|| labels_by_another_name(&graph.outputs, facts)) else {
        if let Some((port, ..)) = pasts.first() {
            return Err(ports::refused(
                port,
                format!("a cache in a graph without {scores:?}"),
                "an output with scores",
            ));
        }
        let (interface, width) = encoder(graph.outputs.as_slice(), feeds, facts, (mixes_rows, embedded))?;
        return Ok(Found { interface, last_row: None, width });
    };
    if facts.labels.is_some() && port.shape.as_ref().is_some_and(|shape| shape.len() == 2) {
        let interface = scorer(port, feeds, facts, (mixes_rows, embedded))?;
        return Ok(Found { interface, last_row: None, width: None });
    }
    let cache = cache::read(model, wiring, facts, &pasts)?;
    let shape = scores_shape(port, facts)?;
    let projection = wiring.projection(port.name);
    let given = shape[2].fixed().or(projection.as_ref().map(|it| it.columns)).or(facts.vocabulary.map(u64::from));
    let vocabulary = given.and_then(|size| u32::try_from(size).ok()).filter(|size| (1..=1 << 24).contains(size));
    let Some(vocabulary) = vocabulary else {
        return Err(ports::refused(port, "an unknown number of scores in a row".into(), "1 to 2^24"));
    };
    let keeps = feeds.iter().any(|feed| matches!(feed.role, Role::ScoresKept { .. }));
    let width = projection.as_ref().map(|it| it.rows);
    let last_row = projection.filter(|it| !keeps && can_cut(model, wiring, it));
    let is_cut = shape[1].fixed() == Some(1);
    let decoder = Decoder {
        feeds,
        scores: Output { name: port.name.into(), element: ports::floats(port)? },
        vocabulary,
        embedded,
        cache,
        last_row: is_cut || last_row.is_some(),
        mixes_rows,
    };
    Ok(Found { interface: Interface::Decoder(decoder), last_row: last_row.filter(|_| !is_cut), width })
}

/// The shape of the scores, or why they are not those of a language model.
fn scores_shape<'p, 'a>(port: &'p Port<'a>, facts: &Facts) -> Result<&'p [Dimension<'a>]> {
    /// Ends of names of classes whose scores are not for the next token.
    const OTHERS: [&str; 7] = [
        "ForMaskedLM",
        "ForTokenClassification",
        "ForSequenceClassification",
        "ForQuestionAnswering",
        "ForMultipleChoice",
        "ForNextSentencePrediction",
        "ForPreTraining",
    ];
    let expected = "scores for the next token, [batch, sequence, vocabulary]";
    if let Some(class) = facts.class.as_deref().filter(|class| OTHERS.iter().any(|other| class.ends_with(other))) {
        return Err(ports::refused(port, format!("the scores of a {class}"), expected));
    }
    if port.shape.as_ref().is_some_and(|shape| shape.len() == 2) {
        let found = "scores for whole texts: a classifier, whose class no config.json names";
        return Err(ports::refused(port, found.into(), expected));
    }
    let shape = ports::shape(port, 3)?;
    match (shape[0].fixed(), shape[1].fixed()) {
        (None, None | Some(1)) => Ok(shape),
        _ => Err(ports::refused(port, "a fixed batch or sequence".into(), expected)),
    }
}

/// Whether nothing but the scores comes from the projection, and the operator that cuts is there.
fn can_cut(model: &Model<'_>, wiring: &Wiring<'_, '_>, projection: &Projection<'_>) -> bool {
    /// The version since which `Slice` takes its bounds as inputs.
    const SLICE: i64 = 10;
    let version = model.opsets.iter().find(|opset| opset.domain.is_empty()).map(|opset| opset.version);
    let is_alone = projection.values.iter().all(|value| wiring.uses(value) == 1);
    let is_computed = wiring.maker(projection.hidden).is_some();
    version.is_some_and(|version| version >= SLICE) && is_alone && is_computed
}

/// Whether there is an operator that finds one scale for all numbers of a tensor, whichever rows they are of.
fn mixes_rows(model: &Model<'_>) -> bool {
    fn any(nodes: &[Node<'_>]) -> bool {
        nodes.iter().any(|node| {
            let scales = node.is("", "DynamicQuantizeLinear")
                || node.is(MICROSOFT, "DynamicQuantizeMatMul")
                || node.is(MICROSOFT, "DynamicQuantizeLSTM");
            scales || node.graphs().any(|graph| any(&graph.nodes))
        })
    }
    any(&model.graph.nodes) || model.functions.iter().any(|function| any(&function.nodes))
}

/// The one output of a graph whose class gives labels for whole texts, whatever the exporter called it: a number for
/// each label, and by no name that vectors have.
fn labels_by_another_name<'p, 'a>(outputs: &'p [Port<'a>], facts: &Facts) -> Option<&'p Port<'a>> {
    let labels = u64::from(facts.labels.filter(|labels| *labels > 0)?);
    let [port] = outputs else { return None };
    let is_vector = port.name == WHOLE || TOKENS.contains(&port.name) || TEXTS.contains(&port.name);
    let fits = port.shape.as_deref().is_some_and(|shape| shape.len() == 2 && shape[1].fixed() == Some(labels));
    (facts.names.scores.is_none() && fits && !is_vector).then_some(port)
}

/// Outputs with a vector for each token, the best first.
const TOKENS: [&str; 4] = ["last_hidden_state", "token_embeddings", "hidden_states", "hidden_state"];
/// Outputs with a vector for each text.
const TEXTS: [&str; 4] = ["sentence_embeddings", "text_embeds", "embeddings", "pooler_output"];

/// A graph without scores; gives its width too.
fn encoder(
    outputs: &[Port<'_>],
    feeds: Vec<Feed>,
    facts: &Facts,
    (mixes_rows, embedded): (bool, Option<u32>),
) -> Result<(Interface, Option<u64>)> {
    let rank = |port: &Port<'_>| port.shape.as_ref().map(Vec::len);
    let by_name = |names: &[&str], wanted: usize| {
        let of = |name: &&str| outputs.iter().find(|port| port.name == *name && rank(port) == Some(wanted));
        names.iter().find_map(of)
    };
    let only = || outputs.first().filter(|port| outputs.len() == 1 && rank(port) == Some(3));
    let found = by_name(&[WHOLE], 2).or_else(|| by_name(&TOKENS, 3)).or_else(|| by_name(&TEXTS, 2)).or_else(only);
    let Some(port) = found else {
        let found: Vec<String> = outputs.iter().take(8).map(|port| shortened(port.name)).collect();
        let (what, expected) = ("the graph".into(), "logits, last_hidden_state or sentence_embedding".into());
        return Err(Error::Graph { what, found: format!("the outputs {}", found.join(", ")), expected });
    };
    let pooled = rank(port) == Some(2);
    let shape = ports::shape(port, if pooled { 2 } else { 3 })?;
    let (width, others) = (shape[shape.len() - 1], &shape[..shape.len() - 1]);
    if others.iter().any(|length| length.fixed().is_some()) {
        return Err(ports::refused(port, "a fixed batch or sequence".into(), "any number of texts and tokens"));
    }
    let width = width.fixed().or(facts.width.map(u64::from)).and_then(|width| u32::try_from(width).ok());
    let Some(width) = width.filter(|width| (1..=1 << 20).contains(width)) else {
        return Err(ports::refused(port, "vectors of unknown width".into(), "a number from 1 to 2^20"));
    };
    check_feeds(&feeds)?;
    let vectors = Output { name: port.name.into(), element: ports::floats(port)? };
    let encoder = Encoder { feeds, vectors, pooled, labels: false, width, embedded, mixes_rows };
    Ok((Interface::Encoder(encoder), Some(width.into())))
}

/// A graph that scores whole texts, of a class that does: its labels are a vector like any other.
fn scorer(
    port: &Port<'_>,
    feeds: Vec<Feed>,
    facts: &Facts,
    (mixes_rows, embedded): (bool, Option<u32>),
) -> Result<Interface> {
    let shape = ports::shape(port, 2)?;
    if shape[0].fixed().is_some() {
        return Err(ports::refused(port, "a fixed batch".into(), "any number of texts"));
    }
    let width = shape[1].fixed().or(facts.labels.map(u64::from)).and_then(|width| u32::try_from(width).ok());
    let Some(width) = width.filter(|width| (1..=1 << 20).contains(width)) else {
        return Err(ports::refused(port, "an unknown number of labels".into(), "a number from 1 to 2^20"));
    };
    check_feeds(&feeds)?;
    let vectors = Output { name: port.name.into(), element: ports::floats(port)? };
    Ok(Interface::Encoder(Encoder { feeds, vectors, pooled: true, labels: true, width, embedded, mixes_rows }))
}

/// Checks that nothing is wanted but texts.
fn check_feeds(feeds: &[Feed]) -> Result<()> {
    let of_texts = |feed: &&Feed| matches!(feed.role, Role::Tokens | Role::Mask | Role::TokenTypes | Role::Positions);
    match feeds.iter().find(|feed| !of_texts(feed)) {
        None => Ok(()),
        Some(feed) => {
            let (what, found) = (format!("{:?}", feed.name), "an input of a decoder".into());
            Err(Error::Graph { what, found, expected: "inputs of an encoder, or an output with scores".into() })
        }
    }
}
