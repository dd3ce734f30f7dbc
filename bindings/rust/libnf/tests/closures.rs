//! Closures as targets, losses, sources and progress: what they compute, and what happens when they fail or panic.
use std::io;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use libnf::*;

const SPEC: &str = r#"{"event": 2, "layers": [{"type": "affine"}]}"#;

fn rows(n: usize) -> Vec<[f64; 2]> {
    (0..n).map(|i| [(i % 17) as f64 * 0.1, (i % 5) as f64]).collect()
}
/// A normal density with its center at (1, -2), counting what it is asked.
fn normal(asked: Arc<AtomicUsize>) -> Target {
    Target::from_fn(2, move |p| {
        asked.fetch_add(p.log_density.len(), Ordering::Relaxed);
        let at = [1.0, -2.0];
        for (row, log_density) in p.x.chunks(2).zip(p.log_density) {
            *log_density = -0.5 * row.iter().zip(at).map(|(v, c)| (v - c) * (v - c)).sum::<f64>();
        }
        if let Some(gradient) = p.gradient {
            for (i, (g, v)) in gradient.iter_mut().zip(p.x).enumerate() {
                *g = at[i % 2] - v;
            }
        }
        Ok(())
    })
    .unwrap()
}
/// The text of a panic.
fn panics(body: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).expect_err("the panic should go on");
    payload.downcast_ref::<&str>().map(|s| s.to_string()).or(payload.downcast_ref::<String>().cloned()).unwrap()
}

#[test]
fn a_target_trains_a_model() {
    let asked = Arc::<AtomicUsize>::default();
    let target = normal(asked.clone());
    let mut model = Model::new(SPEC, 1).unwrap();
    let o = options! { "trainer.objective" => "reverse_kl", "trainer.samples" => 256, "trainer.lr" => 0.05 }.unwrap();
    let mut trainer = Trainer::new(&mut model, Some(&o)).unwrap();
    trainer.set_target(&target).unwrap();
    drop(target); // the trainer keeps it
    assert!(!trainer.run_without_data(400, |_| ControlFlow::Continue(())).unwrap());
    assert!(asked.load(Ordering::Relaxed) >= 400 * 256);
    drop(trainer);
    let mean = |column: usize| {
        let drawn = model.draw::<f64>(4000, 1, None).unwrap();
        drawn.iter().skip(column).step_by(2).sum::<f64>() / 4000.0
    };
    assert!((mean(0) - 1.0).abs() < 0.1 && (mean(1) + 2.0).abs() < 0.1, "{} {}", mean(0), mean(1));
    drop(model);
    assert_eq!(Arc::strong_count(&asked), 1, "the closure leaks");
}

#[test]
fn importance_and_chains_agree_with_what_is_known() {
    let target = normal(Arc::default());
    let info = target.info().unwrap();
    assert!(!info.builtin && info.event_size == 2 && info.log_z.is_nan());
    let model =
        Model::new(r#"{"event": 2, "dtype": "float64", "base": "normal", "layers": [{"type": "elementwise_affine"}]}"#, 1)
            .unwrap();
    let mut wide = model.try_clone(None).unwrap();
    wide.set_tensor("layers.0.log_scale", &[-1.0f64; 2]).unwrap();
    let mut session = wide.session(None).unwrap();
    let w = session.importance::<f64>(&target, 20_000, 3, None).unwrap();
    let log_z = (2.0 * std::f64::consts::PI).ln();
    assert!((w.info.log_z - log_z).abs() < 5.0 * w.info.log_z_error, "{:?}", w.info);
    let e = importance_mean(&w.log_weight, View::rows(&w.rows, 2).unwrap()).unwrap();
    assert!((e.mean[0] - 1.0).abs() < 5.0 * e.error[0] && (e.mean[1] + 2.0).abs() < 5.0 * e.error[1], "{e:?}");
    let (smoothed, k) = importance_smooth(&w.log_weight).unwrap();
    assert!(smoothed.len() == 20_000 && k == w.info.pareto_k);

    let walk = options! { "metropolis.step_size" => 1.5, "metropolis.burn_in" => 200, "metropolis.thin" => 10 }.unwrap();
    let chains = target.metropolis::<f64>(500, 4, Start::default(), Some(&walk)).unwrap();
    let start = Start { proposal: Some(&mut session), ..Start::default() };
    let better = target.metropolis::<f64>(500, 4, start, None).unwrap();
    for c in [&chains, &better] {
        let mean = c.rows.iter().step_by(2).sum::<f64>() / 2000.0;
        assert!((mean - 1.0).abs() < 0.25 && c.acceptance > 0.1, "{mean} {}", c.acceptance);
    }
    let at_target: Vec<f64> = target.log_density(View::rows(&chains.rows, 2).unwrap(), None).unwrap();
    let q: Vec<f64> = session.log_prob(View::rows(&chains.rows, 2).unwrap(), None).unwrap();
    let ratio: Vec<f64> = at_target.iter().zip(&q).map(|(p, q)| p - q).collect();
    let coverage = importance_coverage(&w.log_weight, &ratio).unwrap();
    assert!((coverage.log_z - log_z).abs() < 0.1 && coverage.target_samples == 2000, "{coverage:?}");
    let mean = score_mean(&q, None).unwrap();
    assert!(mean.rows == 2000 && (mean.mean - q.iter().sum::<f64>() / 2000.0).abs() < 1e-12);
}

#[test]
fn losses_of_the_host_train_as_nll_does() {
    let x = rows(64);
    let mut by_nll = Model::new(SPEC, 1).unwrap();
    let mut by_host = by_nll.try_clone(None).unwrap();
    let mut nll = Trainer::new(&mut by_nll, None).unwrap();
    let mut host = Trainer::new(&mut by_host, None).unwrap();
    for _ in 0..5 {
        let expected = nll.step(&Batch::of(&x)).unwrap();
        let got = host.step_on::<f64>(&Batch::of(&x), Direction::Forward, |z, d| {
            let n = z.log_det.len() as f64;
            let mut loss = (2.0 * std::f64::consts::PI).ln();
            for (cot, z) in d.rows.iter_mut().zip(&z.rows) {
                *cot = z / n;
                loss += 0.5 * z * z / n;
            }
            for (cot, det) in d.log_det.iter_mut().zip(&z.log_det) {
                *cot = -1.0 / n;
                loss -= det / n;
            }
            Some(loss)
        });
        let got = got.unwrap().unwrap();
        assert!((got.loss - expected.loss).abs() < 1e-5 * expected.loss.abs(), "{} {}", got.loss, expected.loss);
        assert!((got.grad_norm - expected.grad_norm).abs() < 1e-4 * expected.grad_norm);
    }
    assert!(host.step_on::<f64>(&Batch::of(&x), Direction::Forward, |_, _| None).unwrap().is_none());
    assert_eq!(host.step_count(), 5);
}

#[test]
fn sources_and_progress_drive_a_run() {
    let x = rows(256);
    let mut model = Model::new(SPEC, 1).unwrap();
    let mut trainer = Trainer::new(&mut model, None).unwrap();
    let mut seen = vec![];
    let mut blocks = source_fn(|step| x.chunks(64).nth(step as usize).map(Batch::of));
    let broke = trainer.run(&mut blocks, 0, |i| {
        seen.push(i.step);
        ControlFlow::Continue(())
    });
    assert!(!broke.unwrap());
    assert_eq!(seen, [1, 2, 3, 4], "until the source ends");
    let mut batches = Batches::new(None, Batch::of(&x), Some(&options! { "batches.batch" => 64 }.unwrap())).unwrap();
    assert_eq!(batches.per_epoch(), 4);
    let stop =
        trainer.run_batches(
            &mut batches,
            100,
            |i| if i.step == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) },
        );
    assert!(stop.unwrap());
    assert_eq!(trainer.step_count(), 7);
}

#[test]
fn panics_of_closures_go_on_after_the_call() {
    let x = rows(64);
    let mut model = Model::new(SPEC, 1).unwrap();
    assert_eq!(panics(|| drop(model.fit_with(&Batch::of(&x), None, None, |_, _| panic!("in fit")))), "in fit");
    let before = model.score::<f64>(&x, None).unwrap();
    {
        let mut trainer = Trainer::new(&mut model, None).unwrap();
        let mut source = source_fn(|step| if step < 2 { Some(Batch::of(&x)) } else { panic!("in a source") });
        assert_eq!(panics(|| drop(trainer.run(&mut source, 0, |_| ControlFlow::Continue(())))), "in a source");
        assert_eq!(trainer.step_count(), 2, "the trainer stays usable");
        let mut source = source_fn(|_| Some(Batch::of(&x)));
        assert_eq!(panics(|| drop(trainer.run(&mut source, 9, |_| panic!("in progress {}", 1)))), "in progress 1");
        trainer.step(&Batch::of(&x)).unwrap();
    }
    assert_ne!(model.score::<f64>(&x, None).unwrap(), before);
    let bad = Target::from_fn(2, |_| panic!("in a target")).unwrap();
    assert_eq!(panics(|| drop(bad.log_density::<f64>(&x, None))), "in a target");
    assert_eq!(panics(|| drop(model.session(None).unwrap().importance::<f64>(&bad, 10, 0, None))), "in a target");
    struct Bad;
    impl io::Write for Bad {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            panic!("in a writer")
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert_eq!(panics(|| drop(model.write_to(&mut Bad))), "in a writer");
    let noisy = Runtime::builder().log(|_, _| panic!("in a log"));
    assert_eq!(panics(|| drop(noisy.build(None))), "in a log");
    // Nothing is left behind.
    model.score::<f64>(&x, None).unwrap();
}

#[test]
fn closures_that_fail_or_stop_are_errors() {
    let x = rows(4);
    let failing = Target::from_fn(2, |_| Err(Stop::Failed)).unwrap();
    assert!(matches!(failing.log_density::<f64>(&x, None), Err(Error::Callback(_))));
    let stopping = Target::from_fn(2, |_| Err(Stop::Cancelled)).unwrap();
    assert!(matches!(stopping.log_density::<f64>(&x, None), Err(Error::Cancelled(_))));
    let mut model = Model::new(SPEC, 1).unwrap();
    struct Full(usize);
    impl io::Write for Full {
        fn write(&mut self, b: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_sub(b.len());
            if self.0 == 0 {
                Err(io::Error::new(io::ErrorKind::StorageFull, "full"))
            } else {
                Ok(b.len())
            }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let e = model.write_to(&mut Full(100)).unwrap_err();
    assert!(matches!(&e, Error::Io(_)), "{e:?}");
    assert_eq!(io::Error::from(e).kind(), io::ErrorKind::StorageFull);
    let refused = Trainer::with_collective(&mut model, None, Collective::new(0, 2, |_| Err(Stop::Failed)));
    let e = refused.and_then(|mut t| t.step(&Batch::of(&x))).unwrap_err();
    assert!(matches!(e, Error::Callback(_)), "{e}");
}

#[test]
fn two_ranks_train_as_one_does() {
    let x = rows(64);
    let start = Model::new(SPEC, 1).unwrap();
    let mut whole = start.try_clone(None).unwrap();
    Trainer::new(&mut whole, None).unwrap().step(&Batch::of(&x)).unwrap();
    let (meet, total) = (Arc::new(Barrier::new(2)), Arc::<Mutex<Vec<f64>>>::default());
    let rank = |r: u32| {
        let (meet, total) = (meet.clone(), total.clone());
        let mut model = start.try_clone(None).unwrap();
        let sum = Collective::new(r, 2, move |s| {
            let mine: Vec<f64> = match &s {
                Summands::F32(v) => v.iter().map(|&x| x.into()).collect(),
                Summands::F64(v) => v.to_vec(),
            };
            meet.wait();
            let mut all = total.lock().unwrap();
            all.resize(mine.len(), 0.0);
            all.iter_mut().zip(&mine).for_each(|(a, m)| *a += m);
            drop(all);
            meet.wait();
            let all = total.lock().unwrap().clone();
            match s {
                Summands::F32(v) => v.iter_mut().zip(&all).for_each(|(v, a)| *v = *a as f32),
                Summands::F64(v) => v.copy_from_slice(&all),
            }
            if meet.wait().is_leader() {
                total.lock().unwrap().clear();
            }
            meet.wait();
            Ok(())
        });
        let mut trainer = Trainer::with_collective(&mut model, None, sum).unwrap();
        trainer.step(&Batch::of(&x[32 * r as usize..][..32])).unwrap();
        drop(trainer);
        model.score::<f64>(&x, None).unwrap()
    };
    let (a, b) = std::thread::scope(|s| {
        let other = s.spawn(|| rank(1));
        (rank(0), other.join().unwrap())
    });
    assert_eq!(a, b);
    assert_ne!(a, start.score::<f64>(&x, None).unwrap());
    for (a, w) in a.iter().zip(whole.score::<f64>(&x, None).unwrap()) {
        assert!((a - w).abs() < 1e-4, "{a} {w}");
    }
    assert_eq!(Arc::strong_count(&meet), 1, "the collective leaks");
}
