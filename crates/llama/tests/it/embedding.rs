//! Sessions whose rows are vectors.

use crate::common::{batch, distance, embedding, encode, run, stories};
use trillm_core::{Error, Pooling, Slot, Token};

#[test]
fn one_vector_for_a_text() {
    let Some(model) = stories() else { return };
    let texts = ["Once upon a time", "The dog is happy today"].map(|text| encode(&*model, text));
    for pooling in [Pooling::Mean, Pooling::First, Pooling::Last] {
        let mut session = model.session(&embedding(pooling)).expect("a session");
        let limits = session.limits();
        assert_eq!((limits.row, limits.tokens_per_step, limits.reuses_prefix), (64, 512, false));
        let alone = texts.each_ref().map(|text| {
            let row = run(&mut *session, 0, 0, text);
            session.truncate(Slot(0), 0).expect("it clears");
            row
        });
        assert!(alone[0].iter().all(|number| number.is_finite()) && alone[0].iter().any(|&number| number != 0.0));
        let step = batch(&[(2, 0, &texts[1], true), (1, 0, &texts[0], true)]);
        let rows = session.step(&step).expect("the step runs");
        assert!(distance(&alone[1], rows.row(0)) < 2e-3, "{pooling:?}");
        assert!(distance(&alone[0], rows.row(1)) < 2e-3, "{pooling:?}");
    }
}

#[test]
fn a_text_is_not_cut() {
    let Some(model) = stories() else { return };
    let text = encode(&*model, "Once upon a time");
    let mut session = model.session(&embedding(Pooling::Mean)).expect("a session");
    run(&mut *session, 0, 0, &text);
    let more = session.step(&batch(&[(0, text.len() as u32, &text, true)]));
    assert!(matches!(more.err(), Some(Error::Batch(_))));
    assert!(matches!(session.share(Slot(0), Slot(1), 1), Err(Error::Unsupported { .. })));
}

#[test]
fn a_whole_context_fits_one_step() {
    let Some(model) = stories() else { return };
    let mut session = model.session(&embedding(Pooling::Last)).expect("a session");
    let text = vec![Token(403); session.limits().context as usize];
    assert_eq!(run(&mut *session, 0, 0, &text).len(), 64);
}
