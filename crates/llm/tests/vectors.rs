//! Vectors as a program asks for them, on the fake engine.

use std::time::Duration;

use trillm_core::{Engine, Error as CoreError, LoadOptions, ModelFile, ModelInfo, Pipeline, Pooling, SessionOptions};
use trillm_llm::{EmbedOptions, Error, Llm};
use trillm_sched::SchedulerOptions;
use trillm_testkit::Fake;

/// A model that embeds, where each step takes so long.
fn llm(step_time: Duration) -> Llm {
    let fake = Fake { step_time, ..Fake::default() };
    let pipeline = Some(Pipeline { pooling: vec![Pooling::Mean], ..Pipeline::default() });
    let info = ModelInfo { pipeline, ..ModelInfo::default() };
    let model = fake.load(ModelFile::new("fake", info, ()), &LoadOptions::default()).expect("a model");
    Llm::serve(model, SessionOptions::default(), SchedulerOptions::default()).expect("it serves")
}

#[test]
fn one_vector_for_each_text_at_once_or_one_by_one() {
    let llm = llm(Duration::ZERO);
    let options = EmbedOptions::default();
    let all = llm.embed(&["one", "another"], &options).expect("begun").collect().expect("vectors");
    assert_eq!(all.numbers.len(), 2 * all.width);
    let mut inputs = llm.embedding(&options).expect("it embeds");
    for text in ["one", "another"] {
        inputs.add_text(text).expect("tokens");
    }
    let mut embedding = inputs.start().expect("begun");
    assert_eq!(embedding.wait(Duration::from_mins(1)).expect("in time").expect("vectors"), all);
    let unit = EmbedOptions { normalize: true, ..options };
    let of_length_one = llm.embed(&["another"], &unit).expect("begun").collect().expect("vectors").numbers;
    let length = all.numbers[all.width..].iter().map(|number| number * number).sum::<f32>().sqrt();
    for (number, raw) in of_length_one.iter().zip(&all.numbers[all.width..]) {
        assert!((number - raw / length).abs() < 1e-6, "{number} is not {raw} / {length}");
    }
}

#[test]
fn who_does_not_wait_gets_nothing_and_holds_nobody_up() {
    let llm = llm(Duration::from_millis(300));
    let options = EmbedOptions::default();
    let mut slow = llm.embed(&["one"], &options).expect("begun");
    assert!(slow.wait(Duration::from_millis(1)).is_none());
    let dropped = llm.embed(&["two"; 1000], &options).expect("begun");
    drop(dropped);
    llm.embed(&["three"], &options).expect("begun").collect().expect("vectors");
    slow.collect().expect("vectors");
    llm.close();
    let closed = llm.embed(&["four"], &options).err();
    assert!(matches!(closed, Some(Error::Core(CoreError::Closed))), "{closed:?}");
}

#[test]
fn what_a_model_cannot_do_is_refused() {
    let error = llm(Duration::ZERO).score(&[("one", "another")], &EmbedOptions::default()).err();
    assert!(matches!(error, Some(Error::Core(CoreError::Unsupported { .. }))), "{error:?}");
}

#[test]
fn how_long_calls_took_is_known_of_all_of_them() {
    let llm = llm(Duration::ZERO);
    let embed = |texts: &[&str], pooling| {
        let options = EmbedOptions { pooling, ..EmbedOptions::default() };
        llm.embed(texts, &options).expect("begun").collect().expect("vectors");
    };
    embed(&["one", "another"], None);
    assert_eq!((llm.stats().latency.count, llm.stats().first_token.count), (1, 0));
    // Another pooling has what embeds made anew, and then what was there before.
    embed(&["one"], Some(Pooling::Max));
    embed(&["one"], None);
    assert_eq!((llm.stats().latency.count, llm.stats().first_token.count), (3, 0));
}
