//! The fake engine does what other tests rely on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use trillm_core::{Batch, Error, Model, Result, Session, SessionOptions, Slot, Token};
use trillm_testkit::fake::{Fake, Fault, IM_END, Says};

fn encode(model: &dyn Model, text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    model.tokenizer().encode(text, true, true, &mut tokens).expect("encode");
    tokens
}

fn best(row: &[f32]) -> Token {
    Token((0..).zip(row).max_by(|a, b| a.1.total_cmp(b.1)).expect("a row").0)
}

fn step(session: &mut dyn Session, slot: u32, start: usize, tokens: &[Token]) -> Result<Vec<f32>> {
    let mut batch = Batch::default();
    batch.push(Slot(slot), start as u32, tokens, true);
    session.step(&batch).map(|rows| rows.row(0).to_vec())
}

/// What the model says after `prompt`, until it ends or has said 300 tokens.
fn say(model: &dyn Model, prompt: &str) -> (String, Option<Token>) {
    let mut session = model.session(&SessionOptions::default()).expect("it works");
    let mut tokens = encode(model, prompt);
    let mut row = step(&mut *session, 0, 0, &tokens).expect("it works");
    let begin = tokens.len();
    while tokens.len() < begin + 300 {
        let token = best(&row);
        if model.tokenizer().is_end(token) {
            break;
        }
        row = step(&mut *session, 0, tokens.len(), &[token]).expect("it works");
        tokens.push(token);
    }
    let bytes: Vec<u8> = tokens[begin..].iter().flat_map(|&token| model.tokenizer().bytes(token)).copied().collect();
    let end = Some(best(&row)).filter(|&token| model.tokenizer().is_end(token));
    (String::from_utf8_lossy(&bytes).into_owned(), end)
}

#[test]
fn it_says_its_script_and_ends() {
    for text in ["Paris.", "aaab aaab aaac", "naïve 😀", "x"] {
        let model = Fake::saying(text).load_model();
        assert_eq!(say(&*model, "What is the capital of France?"), (text.into(), model.tokenizer().eos()));
    }
    assert_eq!(say(&*Fake::saying("to be<|im_end|>").load_model(), "or"), ("to be".into(), Some(IM_END)));
}

#[test]
fn letters_go_on_without_end_and_depend_on_the_prompt() {
    let model = Fake::default().load_model();
    let (text, end) = say(&*model, "a");
    assert!(text.len() == 300 && end.is_none());
    assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_lowercase()), "{text}");
    assert_ne!(text, say(&*model, "b").0);
    assert_eq!(text, say(&*model, "a").0);
}

#[test]
fn whims_end_by_themselves() {
    let model = Fake { says: Says::Whims, ..Fake::default() }.load_model();
    let ended = ["a", "b", "c", "d", "e"].iter().filter(|prompt| say(&*model, prompt).1.is_some()).count();
    assert!(ended >= 3, "{ended} of five ended within 300 tokens");
}

#[test]
fn faults_come_in_their_steps_over_all_sessions() {
    let fake = Fake::default().with_fault(1, Fault::Error).with_fault(2, Fault::Panic).with_fault(3, Fault::Nan);
    let model = fake.with_fault(4, Fault::CacheFull).load_model();
    let options = SessionOptions::default();
    let mut session = model.session(&options).unwrap();
    assert!(step(&mut *session, 0, 0, &[Token(1)]).is_ok());
    assert!(matches!(step(&mut *session, 0, 1, &[Token(1); 4]), Err(Error::Engine { .. })));
    // How much the slot holds is unknown: one who goes on as if nothing had happened, or all, is told.
    assert!(matches!(step(&mut *session, 0, 1, &[Token(1)]), Err(Error::Batch(_))));
    assert!(matches!(step(&mut *session, 0, 5, &[Token(1)]), Err(Error::Batch(_))));
    drop(session);
    let mut session = model.session(&options).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| step(&mut *session, 0, 0, &[Token(1)]).is_ok())).is_err());
    assert!(step(&mut *session, 1, 0, &[Token(1)]).unwrap().iter().all(|score| score.is_nan()));
    assert_eq!(step(&mut *session, 1, 1, &[Token(1)]), Err(Error::CacheFull));
    assert!(step(&mut *session, 1, 1, &[Token(1)]).is_ok());
}

#[test]
fn sessions_run_out_when_told_to() {
    let model = Fake { sessions: 1, ..Fake::default() }.load_model();
    assert!(model.session(&SessionOptions::default()).is_ok());
    assert!(matches!(model.session(&SessionOptions::default()).map(|_| ()), Err(Error::Engine { .. })));
}

#[test]
fn batches_are_recorded() {
    let (fake, record) = Fake::default().recorded();
    let model = fake.load_model();
    let mut session = model.session(&SessionOptions::default()).unwrap();
    step(&mut *session, 3, 0, &[Token(5), Token(6)]).unwrap();
    let batches = record.lock().unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!((batches[0].spans[0].slot, &batches[0].tokens[..]), (Slot(3), &[Token(5), Token(6)][..]));
}

#[test]
fn a_gate_holds_steps_until_they_are_allowed() {
    let (fake, gate) = Fake::default().gated();
    let model = fake.load_model();
    thread::scope(|scope| {
        let stepper = scope.spawn(|| {
            let mut session = model.session(&SessionOptions::default()).unwrap();
            (0..3).all(|position| step(&mut *session, 0, position, &[Token(1)]).is_ok())
        });
        gate.wait_for(1);
        gate.allow(1);
        gate.wait_for(2);
        assert!(!stepper.is_finished());
        gate.open();
        assert!(stepper.join().unwrap());
    });
}

#[test]
fn a_step_takes_its_time() {
    let fake = Fake { step_time: Duration::from_millis(2), token_time: Duration::from_micros(500), ..Fake::default() };
    let model = fake.load_model();
    let mut session = model.session(&SessionOptions::default()).unwrap();
    let begin = Instant::now();
    step(&mut *session, 0, 0, &[Token(1); 4]).unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(4));
}
