//! Once warm, nothing is allocated between two tokens: neither by the decode thread nor by the reader.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use common::{request, start};
use trillm_sched::{Event, SchedulerOptions};
use trillm_testkit::Fake;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_warm_loop_allocates_nothing() {
    // One binary, one test: nothing else may run beside it.
    let (fake, gate) = Fake::default().gated();
    let options = SchedulerOptions { stream_capacity: 1000, ..SchedulerOptions::default() };
    let scheduler = start(&fake, 4, 8192, options);
    let submit = |i: u32| scheduler.submit(request(&format!("prompt {i}"), 1000)).unwrap();
    let mut streams: Vec<_> = (0..4).map(submit).collect();
    // A fifth waits for a slot meanwhile, and is looked at in every step.
    let waiting = submit(4);
    // A thread that waits for the first time makes itself a waker.
    assert!(streams.iter().all(|stream| !stream.wait(Duration::from_millis(1))));
    let mut round = |count| {
        gate.allow(count);
        for _ in 0..count - 20 {
            for stream in &mut streams {
                assert!(matches!(stream.next(), Some(Event::Piece(_))));
            }
        }
    };
    round(300);
    let before = ALLOCATIONS.load(SeqCst);
    round(500);
    let (allocated, queued) = (ALLOCATIONS.load(SeqCst) - before, scheduler.stats().waiting);
    drop(waiting);
    // Or nothing would come to its end.
    gate.open();
    assert_eq!((allocated, queued), (0, 1));
}
