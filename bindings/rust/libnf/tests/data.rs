//! Tables, mini-batches, fits, checkpoints, scores and autoencoders.
use std::ops::ControlFlow;

use libnf::*;

const SPEC: &str = r#"{"event": 2, "layers": [{"type": "standardize"}, {"type": "affine_coupling", "hidden": [8]}]}"#;

fn rows(n: usize) -> Vec<[f32; 2]> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| (uniform(), uniform())).map(|(a, b)| [a, 3.0 * a * a + 0.1 * b]).collect()
}

#[test]
fn tables_of_files_and_memory() {
    let folder = std::env::temp_dir().join(format!("libnf-rust-tables-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (csv, npy) = (folder.join("t.csv"), folder.join("t.npy"));
    let values = [[1.5f64, 2.0, 7.0], [-3.0, 4.0, 8.0]];
    save_table(&values, &csv, Some(&["a", "b", "id"])).unwrap();
    save_table(&values, &npy, None).unwrap();
    assert!(matches!(save_table(&values, &csv, Some(&["a"])), Err(Error::Argument(_))));
    let o = options! { "table.columns" => "a,b", "table.dtype" => "float64", "table.id" => "id" }.unwrap();
    let t = Table::open(&csv, Some(&o)).unwrap();
    assert_eq!(t.view().unwrap().to_vec(), [1.5, 2.0, -3.0, 4.0]);
    assert_eq!(t.columns().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((t.column(2), t.row(1), t.line(1), t.row(2)), (None, Some(1), Some(3), None));
    assert_eq!((t.row_id(1), t.shape(), t.is_mapped()), (Some("8"), vec![2, 2], false));
    let mapped = Table::open(&npy, Some(&options! { "table.map" => "on" }.unwrap())).unwrap();
    assert!(mapped.is_mapped() && mapped.view().unwrap().dtype() == Dtype::F64);
    assert_eq!(mapped.view().unwrap().to_vec(), values.concat());
    let text = b"x;y\n1;2\n3;oops\n";
    let e = Table::parse(None, text, "memory.csv", None).unwrap_err();
    assert!(matches!(&e, Error::Format(d) if d.message.contains("memory.csv") && d.message.contains('3')), "{e}");
    let read = Table::read_from(None, &mut "x;y\n1;2\n".as_bytes(), "r", None).unwrap();
    assert_eq!(read.view().unwrap().to_vec(), [1.0, 2.0]);
    assert!(Table::describe(&csv, None).unwrap().contains("\"csv\""));
    assert!(Table::describe_bytes(text, "m", None).unwrap().contains("\"x\""));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn batches_are_functions_of_the_step() {
    let (x, w) = (rows(100), vec![2f32; 100]);
    let o = options! { "batches.batch" => 32, "batches.seed" => 4 }.unwrap();
    let mut b = Batches::new(None, Batch::of(&x).weight(&w), Some(&o)).unwrap();
    let mut again = Batches::new(None, Batch::of(&x).weight(&w), Some(&o)).unwrap();
    let batch = b.get(9).unwrap();
    let (first, weight) = (batch.x.unwrap().to_vec(), batch.weight.unwrap().to_vec());
    assert!(weight.iter().all(|&w| w == 2.0) && batch.context.is_none());
    assert_eq!(again.get(9).unwrap().x.unwrap().to_vec(), first);
    assert_ne!(again.get(8).unwrap().x.unwrap().to_vec(), first);
    let row = b.row(0).unwrap() as usize;
    assert_eq!(first[..2], x[row].map(f64::from));
    assert_eq!(b.row(1000), None);
}

#[test]
fn a_fit_reports_keeps_the_best_and_resumes() {
    let x = rows(2000);
    let mut m = Model::new(SPEC, 2).unwrap();
    let o = options! { "fit.steps" => 200, "trainer.lr" => 1e-2, "batches.batch" => 64 }.unwrap();
    let (mut validations, mut saved) = (0, None);
    let end = m
        .fit_with(&Batch::of(&x), None, Some(&o), |info, model| {
            if info.validated {
                validations += 1;
                model.set_note("best", Some(&info.best.to_string())).unwrap();
                saved = Some(model.try_clone(None).unwrap());
                assert_eq!(model.note("best").unwrap(), info.best.to_string());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((end.stop, end.step, end.train_rows, end.valid_rows), (Some(FitStop::Finished), 200, 1800, 200));
    assert!(validations > 5 && end.valid > -1.0 && saved.is_some(), "{end:?}");
    let stopped = Model::new(SPEC, 2).unwrap().fit_with(&Batch::of(&x), None, Some(&o), |info, _| match info.step {
        7 => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(stopped.unwrap().stop, Some(FitStop::Requested));
    let part: Vec<f32> = (0..2000).map(|i| (i % 4 == 0) as u8 as f32).collect();
    let split = m.fit(&Batch::of(&x).part(&part), None, Some(&o)).unwrap();
    assert_eq!((split.train_rows, split.valid_rows), (1500, 500));
    let mut bad = x.clone();
    bad[3][1] = f32::NAN;
    let e = m.fit(&Batch::of(&bad), None, Some(&o)).unwrap_err();
    assert!(matches!(e, Error::Numeric(_)) && e.row() == Some(3), "{e:?}");

    let scores: Vec<f64> = m.score(&x, None).unwrap();
    m.set_scores(&scores).unwrap();
    let q = m.score_quantile(0.1).unwrap();
    let rank = m.score_rank(&[q, f64::INFINITY]).unwrap();
    assert!((rank[0] - 0.1).abs() < 0.01 && rank[1] == 1.0, "{rank:?}");
}

#[test]
fn checkpoints_continue_with_the_same_bits() {
    let x = rows(256);
    let o = options! { "trainer.ema_decay" => 0.9, "trainer.lr" => 1e-2, "trainer.schedule" => "plateau" }.unwrap();
    let mut whole = Model::new(SPEC, 2).unwrap();
    let mut t = Trainer::new(&mut whole, Some(&o)).unwrap();
    let mut file = vec![];
    let mut hash = 0;
    for step in 0..20 {
        if step == 10 {
            t.write_to(&mut file).unwrap();
        }
        t.step(&Batch::of(&x)).unwrap();
        t.observe(step as f64).unwrap();
        hash = t.model().hash();
    }
    assert!(t.bytes() > 0 && t.options().unwrap().contains("plateau"));
    assert!(t.evaluate(&Batch::of(&x)).unwrap().0.is_finite());
    t.use_average(true).unwrap();
    assert_ne!(t.model().hash(), hash);
    t.use_average(false).unwrap();
    assert_eq!(t.model().hash(), hash);
    let mut resumed = Model::new(SPEC, 3).unwrap();
    {
        let mut t = Trainer::new(&mut resumed, Some(&o)).unwrap();
        t.restore_bytes(&file).unwrap();
        assert_eq!(t.step_count(), 10);
        for step in 10..20 {
            t.step(&Batch::of(&x)).unwrap();
            t.observe(step as f64).unwrap();
        }
        let path = std::env::temp_dir().join(format!("libnf-rust-{}.safetensors", std::process::id()));
        t.save(&path).unwrap();
        t.restart(false).unwrap();
        assert_eq!(t.step_count(), 0);
        t.restore(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(t.step_count(), 20);
        t.set_lr(None, 0.5).unwrap();
        assert!(t.options().unwrap().contains("0.5"));
        assert!(matches!(t.set_lr(Some("none"), 0.5), Err(Error::Argument(_))));
        let z = vec![[0.1f32; 2]; 256];
        let c = Cotangents { direction: Direction::Forward, out: Some(View::from(&z)), log_det: None, log_prob: None };
        t.accumulate(&Batch::of(&x), &c).unwrap();
        assert!(matches!(t.step(&Batch::of(&x)), Err(Error::State(_))));
        t.discard().unwrap();
        assert!(matches!(t.apply(0.0), Err(Error::State(_))));
    }
    assert_eq!(resumed.hash(), hash);
}

#[test]
fn autoencoders_encode_decode_and_weigh() {
    let spec = r#"{"kind": "vae", "event": 3, "latent": 2, "likelihood": "gaussian",
        "posterior": {"layers": [{"type": "planar", "repeat": 2}]}}"#;
    let m = Model::new(spec, 1).unwrap();
    assert_eq!((m.info().unwrap().log_prob, m.posterior_layers().unwrap()), (LogProbKind::Bound, Some(2)));
    let x = [[0.1f64, 0.2, 0.3], [1.0, -1.0, 0.0]];
    let mut s = m.session(Some(&options! { "session.score_samples" => 2000 }.unwrap())).unwrap();
    let e = s.encode::<f64>(&x, None).unwrap();
    assert_eq!((e.mean.len(), e.log_var.len(), e.z.len(), e.log_q.len()), (4, 4, 4, 2));
    let t = s.posterior_trace::<f64>(2, &x, None).unwrap();
    assert_eq!((&t.rows[8..], t.log_det.len()), (&e.z[..], 4));
    assert!(matches!(s.posterior_trace::<f64>(3, &x, None), Err(Error::Shape(_))));
    let back = s.decode::<f64>(View::rows(&e.z, 2).unwrap(), None).unwrap();
    assert!(back.len() == 6 && back.iter().all(|v| v.is_finite()));
    let bound: Vec<f64> = s.log_prob(&x, None).unwrap();
    let w = s.posterior_importance::<f64>(View::new(&x[0], &[1, 3]).unwrap(), 2000, 5, None).unwrap();
    assert!((w.info.log_z - bound[0]).abs() < 8.0 * w.info.log_z_error + 1e-3, "{:?} {bound:?}", w.info);
    assert_eq!((w.rows.len(), w.log_weight.len()), (4000, 2000));
    assert!(matches!(s.posterior_importance::<f64>(&x, 10, Sampling::seed(1).repeat(2), None), Err(Error::Argument(_))));
    assert!(matches!(s.log_prob_grad::<f64>(&x, None), Err(Error::Unsupported(_))));
    let flow = Model::new(SPEC, 1).unwrap();
    assert_eq!(flow.posterior_layers().unwrap(), None);
    assert!(matches!(flow.session(None).unwrap().encode::<f64>(&[[0f32; 2]], None), Err(Error::Unsupported(_))));
}

#[test]
fn images_of_bytes_in_either_order() {
    let m =
        Model::new(r#"{"event": [2, 2, 3], "layers": [{"type": "affine_coupling", "net": {"type": "conv"}}]}"#, 1).unwrap();
    assert_eq!(m.info().unwrap().event, [2, 2, 3]);
    let last: Vec<u8> = (0..24).collect();
    let channel_first: Vec<u8> =
        (0..2).flat_map(|n| (0..3).flat_map(move |c| (0..4).map(move |p| 12 * n + 3 * p + c))).collect();
    let mut s = m.session(None).unwrap();
    let expected = s.log_prob::<f64>(View::new(&last, &[2, 2, 2, 3]).unwrap(), None).unwrap();
    assert_eq!(s.log_prob::<f64>(View::rows(&last, 12).unwrap(), None).unwrap(), expected);
    let view = View::strided(&channel_first, 0, &[2, 2, 2, 3], &[12, 2, 1, 4]).unwrap();
    assert_eq!(s.log_prob::<f64>(view, None).unwrap(), expected);
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_of_ndarray_are_views() {
    use ndarray::{s, Array1, Array2};
    let m = Model::new(SPEC, 2).unwrap();
    let x = rows(10);
    let expected: Vec<f32> = m.score(&x, None).unwrap();
    let a = Array2::from_shape_fn((10, 2), |(i, j)| x[i][j]);
    assert_eq!(m.score::<f32>(View::array(&a).unwrap(), None).unwrap(), expected);
    let columns = Array2::from_shape_fn((2, 10), |(j, i)| x[i][j]);
    assert_eq!(m.score::<f32>(View::array(&columns.t()).unwrap(), None).unwrap(), expected);
    let turned = a.slice(s![..;-3, ..]);
    let every_third: Vec<f32> = expected.iter().rev().step_by(3).copied().collect();
    assert_eq!(m.score::<f32>(View::array(&turned).unwrap(), None).unwrap(), every_third);
    let mut out = Array1::<f64>::zeros(20);
    let mut evens = out.slice_mut(s![..;2]);
    m.session(None).unwrap().log_prob_into(&x, None, Out::array(&mut evens).unwrap()).unwrap();
    for i in 0..10 {
        assert_eq!((out[2 * i] as f32, out[2 * i + 1]), (expected[i], 0.0));
    }
}

#[test]
fn sessions_and_trainers_may_own_their_model() {
    let x = rows(64);
    let mut trainer = Trainer::of(Model::new(SPEC, 2).unwrap(), None).unwrap();
    let mut session = Session::of(std::sync::Arc::new(trainer.model().try_clone(None).unwrap()), None).unwrap();
    let before = session.log_prob::<f32>(&x, None).unwrap();
    let moved = std::thread::spawn(move || {
        trainer.step(&Batch::of(&rows(64))).unwrap();
        trainer
    });
    let model = moved.join().unwrap().into_model();
    assert_ne!(model.score::<f32>(&x, None).unwrap(), before);
    assert_eq!(session.log_prob::<f32>(&x, None).unwrap(), before);
    drop(Trainer::of(model, None).unwrap());
    assert!(matches!(
        Trainer::of(Model::new(SPEC, 2).unwrap(), Some(&options! { "fit.steps" => 1 }.unwrap())),
        Err(Error::Spec(_))
    ));
}
