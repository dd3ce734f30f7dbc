//! The thread contract of nf.h in types, and the bits of several threads.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use libnf::{options, Batches, Error, Executor, Level, Model, Options, Runtime, Session, Table, Target, Trainer};

fn send<T: Send>() {}
fn sync<T: Sync>() {}

#[test]
fn types_are_as_shareable_as_the_contract_allows() {
    send::<Model>();
    sync::<Model>();
    send::<Session>();
    sync::<Session>(); // a shared reference can only ask for its size
    send::<Trainer>();
    send::<Table>();
    sync::<Table>();
    send::<Target>();
    sync::<Target>();
    send::<Batches>();
    sync::<Batches>();
    send::<Options>();
    sync::<Options>();
    send::<Runtime>();
    sync::<Runtime>();
    send::<Error>();
    sync::<Error>();
}

/// A trainer is not Sync: this compiles only because exactly one of the two implementations applies.
trait OnlyIfNotSync<A> {
    fn holds() {}
}
impl<T: ?Sized> OnlyIfNotSync<()> for T {}
struct IsSync;
impl<T: ?Sized + Sync> OnlyIfNotSync<IsSync> for T {}
#[test]
fn a_trainer_is_not_sync() {
    <Trainer as OnlyIfNotSync<_>>::holds();
}

const SPEC: &str = r#"{"event": 3, "layers": [{"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [32]},
    {"type": "reverse"}]}]}"#;

fn rows(n: usize) -> Vec<[f32; 3]> {
    (0..n).map(|i| [(i as f32 * 0.37).sin(), (i as f32 * 0.11).cos(), (i % 13) as f32 * 0.1]).collect()
}
fn bits(v: &[f32]) -> Vec<u32> {
    v.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn eight_threads_have_the_bits_of_one() {
    let model = Model::new(SPEC, 3).unwrap();
    let x = rows(4000);
    let one = options! { "session.threads" => 1 }.unwrap();
    let expected = bits(&model.session(Some(&one)).unwrap().log_prob(&x, None).unwrap());
    let next = AtomicUsize::new(0);
    let got = Mutex::new(vec![0u32; x.len()]);
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                let mut session = model.session(Some(&one)).unwrap();
                // Blocks of sizes that have nothing in common with those of the library.
                loop {
                    let at = next.fetch_add(37, Ordering::Relaxed);
                    if at >= x.len() {
                        break;
                    }
                    let block = &x[at..(at + 37).min(x.len())];
                    let scores = session.log_prob::<f32>(block, None).unwrap();
                    got.lock().unwrap()[at..at + block.len()].copy_from_slice(&bits(&scores));
                }
            });
        }
        // The same model is scored, saved and cloned at the same time by calls of its own.
        s.spawn(|| assert_eq!(bits(&model.score(&x, None).unwrap()), expected));
        s.spawn(|| assert_eq!(model.try_clone(None).unwrap().hash(), model.hash()));
        s.spawn(|| assert!(!model.to_bytes().unwrap().is_empty()));
    });
    assert_eq!(*got.lock().unwrap(), expected);
}

#[test]
fn sessions_move_between_threads() {
    let model = Model::new(SPEC, 3).unwrap();
    let mut session = model.session(None).unwrap();
    let x = rows(10);
    let here = session.log_prob::<f32>(&x, None).unwrap();
    let there = std::thread::scope(|s| s.spawn(|| session.log_prob::<f32>(&x, None).unwrap()).join().unwrap());
    assert_eq!(bits(&here), bits(&there));
}

/// Runs each body on a thread of its own.
struct Spawn(Arc<AtomicUsize>);
// SAFETY: scope joins all threads.
unsafe impl Executor for Spawn {
    fn concurrency(&self) -> u32 {
        3
    }
    fn parallel_for(&self, n: u32, body: &(dyn Fn(u32) + Sync)) {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::thread::scope(|s| {
            for i in 0..n {
                s.spawn(move || body(i));
            }
        });
    }
}

/// The system's memory, counted.
struct Counting(Arc<AtomicUsize>);
// SAFETY: the system's allocator does what is asked of it.
unsafe impl libnf::Allocator for Counting {
    fn alloc(&self, size: usize, align: usize) -> *mut u8 {
        self.0.fetch_add(size, Ordering::Relaxed);
        unsafe { std::alloc::alloc(std::alloc::Layout::from_size_align(size, align).unwrap()) }
    }
    unsafe fn free(&self, p: *mut u8, size: usize, align: usize) {
        self.0.fetch_sub(size, Ordering::Relaxed);
        unsafe { std::alloc::dealloc(p, std::alloc::Layout::from_size_align(size, align).unwrap()) }
    }
}

#[test]
fn hooks_of_the_host_outlive_what_uses_them() {
    let (calls, bytes, notes) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::new(Mutex::new(vec![])));
    let log = notes.clone();
    let runtime = Runtime::builder()
        .executor(Spawn(calls.clone()))
        .allocator(Counting(bytes.clone()))
        .log(move |level, text| log.lock().unwrap().push((level, text.to_owned())))
        .build(None)
        .unwrap();
    let model = Model::with_runtime(Some(&runtime), SPEC, 3).unwrap();
    drop(runtime);
    let x = rows(5000);
    let scores = model.score::<f32>(&x, None).unwrap();
    assert_eq!(bits(&scores), bits(&Model::new(SPEC, 3).unwrap().score(&x, None).unwrap()));
    assert!(calls.load(Ordering::Relaxed) > 0, "the executor was not called");
    assert!(bytes.load(Ordering::Relaxed) > 0, "the allocator was not called");
    assert!(notes.lock().unwrap().iter().any(|(level, text)| *level == Level::Info && text.contains("simd")), "{notes:?}");
    drop(model);
    assert_eq!(bytes.load(Ordering::Relaxed), 0, "memory leaks");
    assert_eq!(Arc::strong_count(&calls), 1, "the executor leaks");
}
