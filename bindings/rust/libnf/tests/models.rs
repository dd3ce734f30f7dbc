//! Models, sessions and trainers: every call does what libnf does, and says what is wrong.
use libnf::*;

const SPEC: &str = r#"{"event": 2, "context": 1, "layers": [{"type": "standardize"},
    {"repeat": 2, "layers": [{"type": "masked_autoregressive", "hidden": [8]}, {"type": "reverse"}]}]}"#;

fn model() -> Model {
    let mut m = Model::new(SPEC, 5).unwrap();
    m.init_from_data(&X, Some(View::from(&C))).unwrap();
    // Away from the identity, where a fresh flow starts.
    for t in m.tensors().unwrap() {
        if t.trainable {
            let n: usize = t.shape.iter().product();
            let v: Vec<f64> = (0..n).map(|i| 0.3 * (i as f64 + t.name.len() as f64).sin()).collect();
            m.set_tensor(&t.name, View::new(&v, &t.shape).unwrap()).unwrap();
        }
    }
    m
}
const X: [[f64; 2]; 3] = [[0.5, -1.0], [0.25, 2.0], [-1.0, 0.75]];
const C: [[f64; 1]; 3] = [[0.1], [0.2], [-0.3]];

fn close(a: &[f64], b: &[f64], within: f64) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= within * (1.0 + b.abs()), "{a} is not {b}");
    }
}

#[test]
fn a_model_tells_what_it_is() {
    let m = model();
    let info = m.info().unwrap();
    assert_eq!((info.event_size, info.latent_size, info.context_size, info.layer_count), (2, 2, 1, 5));
    assert_eq!((info.dtype, info.log_prob, info.has_layers), (Dtype::F32, LogProbKind::Exact, true));
    assert_eq!((info.event, info.latent), (vec![2], vec![2]));
    let layer = m.layer(1).unwrap();
    assert_eq!((layer.kind.as_str(), layer.name.as_str()), ("masked_autoregressive", "layers.1"));
    assert!(layer.place.contains(&layer.path), "{layer:?}");
    let first = m.tensor(layer.tensors.start).unwrap();
    assert!(first.name.starts_with("layers.1.") && first.trainable, "{first:?}");
    assert!(matches!(m.layer(5), Err(Error::Argument(_))));
    assert!(m.spec().contains("masked_autoregressive") && m.describe().unwrap().contains("\"layers\""));
    assert!(version() >= 200 && version_string().starts_with("0.") && describe_parts().contains("affine_coupling"));
    assert!(describe_options().contains("trainer.lr") && describe_targets().contains("\"u1\""));
}

#[test]
fn tensors_masks_and_notes() {
    let mut m = model();
    let masked = m.tensors().unwrap().into_iter().find(|t| t.masked).unwrap();
    let n: usize = masked.shape.iter().product();
    let (mut values, mut mask) = (vec![0f64; n], vec![0f32; n]);
    m.get_tensor(&masked.name, Out::new(&mut values, &masked.shape).unwrap()).unwrap();
    m.get_mask(&masked.name, Out::new(&mut mask, &masked.shape).unwrap()).unwrap();
    assert!(mask.contains(&0.0) && mask.contains(&1.0));
    assert!(values.iter().zip(&mask).all(|(v, m)| *m == 1.0 || *v == 0.0));
    let generation = m.generation();
    m.set_tensor(&masked.name, View::new(&values, &masked.shape).unwrap()).unwrap();
    assert_ne!(m.generation(), generation);
    m.set_note("unit", Some("meters")).unwrap();
    m.set_note("about", Some("test")).unwrap();
    assert_eq!(m.note("unit"), Some("meters"));
    assert_eq!(m.note_keys().collect::<Vec<_>>(), ["about", "unit"]);
    m.set_note("unit", None).unwrap();
    assert_eq!(m.note("unit"), None);
    assert!(matches!(m.get_tensor("layers.9.no", &mut values), Err(Error::Argument(_))));
}

#[test]
fn files_bytes_and_copies() {
    let mut m = model();
    m.set_self_test(16).unwrap();
    let scores = m.score::<f32>(&X, Some(View::from(&C))).unwrap();
    let folder = std::env::temp_dir().join(format!("libnf-rust-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("m.safetensors");
    m.save(&path).unwrap();
    let verify = options! { "load.verify" => true }.unwrap();
    let file = Model::load(&path, Some(&verify)).unwrap();
    let mut bytes = m.to_bytes().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    let read = Model::read_from(None, &mut bytes.as_slice(), None).unwrap();
    let mut other = Model::new(SPEC, 6).unwrap();
    other.copy_from(&m).unwrap();
    for same in [&file, &read, &other, &m.try_clone(None).unwrap()] {
        assert_eq!(same.hash(), m.hash());
        assert_eq!(same.score::<f32>(&X, Some(View::from(&C))).unwrap(), scores);
    }
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(matches!(Model::from_bytes(None, &bytes, None), Err(Error::Checksum(_))));
    assert!(matches!(Model::from_bytes(None, &bytes[..40], None), Err(Error::Format(_))));
    let e = Model::load(folder.join("none.safetensors"), None).unwrap_err();
    assert!(matches!(&e, Error::Io(_)), "{e:?}");
    assert_eq!(std::io::Error::from(e).kind(), std::io::ErrorKind::NotFound);
    let smaller = Model::new(r#"{"event": 2, "layers": [{"type": "reverse"}]}"#, 1).unwrap();
    assert!(matches!(other.copy_from(&smaller), Err(Error::Spec(_))));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn views_of_any_type_shape_and_stride_have_the_same_bits() {
    let m = model();
    let mut s = m.session(None).unwrap();
    let c = Some(View::from(&C));
    let expected = s.log_prob::<f64>(&X, c).unwrap();
    let flat: Vec<f64> = X.concat();
    assert_eq!(s.log_prob::<f64>(View::rows(&flat, 2).unwrap(), c).unwrap(), expected);
    let by_column = [0.5, 0.25, -1.0, -1.0, 2.0, 0.75];
    assert_eq!(s.log_prob::<f64>(View::strided(&by_column, 0, &[3, 2], &[1, 3]).unwrap(), c).unwrap(), expected);
    let backward: Vec<f64> = flat.iter().rev().copied().collect();
    assert_eq!(s.log_prob::<f64>(View::strided(&backward, 5, &[3, 2], &[-2, -1]).unwrap(), c).unwrap(), expected);
    let single: Vec<[f32; 2]> = X.iter().map(|r| r.map(|v| v as f32)).collect();
    assert_eq!(s.log_prob::<f64>(&single, c).unwrap(), expected);
    assert_eq!(s.log_prob_row(&X[1], Some(&C[1])).unwrap(), expected[1]);
    let bytes = [[1u8, 0], [2, 3], [255, 7]];
    let floats = bytes.map(|r| r.map(f32::from));
    assert_eq!(s.log_prob::<f64>(&bytes, c).unwrap(), s.log_prob::<f64>(&floats, c).unwrap());
    // One context for all rows, by a stride of 0 and as one row.
    let shared = s.log_prob::<f64>(&X, Some(View::from(&C[..1]))).unwrap();
    assert_eq!(s.log_prob::<f64>(&X, Some(View::strided(&[0.1f64], 0, &[3, 1], &[0, 1]).unwrap())).unwrap(), shared);
    let mut spread = [9f64; 7];
    s.log_prob_into(&X, c, Out::strided(&mut spread, 6, &[3], &[-3]).unwrap()).unwrap();
    assert_eq!(spread, [expected[2], 9.0, 9.0, expected[1], 9.0, 9.0, expected[0]]);
    assert_eq!(View::strided(&by_column, 0, &[3, 2], &[1, 3]).unwrap().to_vec(), flat);
    assert!(s.log_prob::<f64>(&[[0f32; 2]; 0], Some(View::from(&C[..1]))).unwrap().is_empty());
    assert!(m.session(None).unwrap().bytes() > 0);
}

#[test]
fn wrong_shapes_are_errors_that_name_what_is_right() {
    let m = model();
    let mut s = m.session(None).unwrap();
    let c = Some(View::from(&C));
    let shape = |r: Result<Vec<f64>>| match r {
        Err(Error::Shape(d)) => d.message,
        other => panic!("{other:?}"),
    };
    assert!(shape(s.log_prob(&[[1.0f64; 3]; 3], c)).contains('3'));
    shape(s.log_prob(&[1.0f64; 2], c));
    assert!(matches!(s.log_prob::<f64>(&X, None), Err(Error::Argument(_))));
    shape(s.log_prob(&X, Some(View::from(&C[..2]))));
    shape(s.log_prob_row(&[1.0], Some(&[1.0])).map(|v| vec![v]));
    shape(s.log_prob_row(&[1.0, 2.0], None).map(|v| vec![v]));
    assert!(matches!(s.log_prob_into(&X, c, &mut [0f64; 2]), Err(Error::Shape(_))));
    for e in [
        View::rows(&[1.0f32; 5], 2).err(),
        View::rows(&[1.0f32; 5], 0).err(),
        View::new(&[1.0f32; 4], &[1; 9]).err(),
        View::new(&[0f32; 0], &[usize::MAX, usize::MAX]).err(),
        View::strided(&[1.0f32; 4], 0, &[2, 2], &[2, 2]).err(),
        View::strided(&[1.0f32; 4], 3, &[2], &[1]).err(),
        View::strided(&[1.0f32; 4], 0, &[2], &[-1]).err(),
        View::strided(&[1.0f32; 4], 0, &[2], &[1, 1]).err(),
        View::strided(&[1.0f32; 4], 0, &[usize::MAX >> 1], &[isize::MAX]).err(),
        Out::strided(&mut [1.0f32; 4], 0, &[2, 2], &[1, 1]).err(),
        Out::strided(&mut [1.0f32; 4], 0, &[2], &[0]).err(),
    ] {
        assert!(matches!(e, Some(Error::Shape(_))), "{e:?}");
    }
    let nan = options! { "session.nonfinite" => "error" }.unwrap();
    let e = m
        .session(Some(&nan))
        .unwrap()
        .log_prob::<f64>(&[[0.0, 0.0], [f64::NAN, 0.0]], Some(View::from(&C[..2])))
        .unwrap_err();
    assert!(matches!(e, Error::Numeric(_)) && e.row() == Some(1), "{e:?}");
    let e = Model::new(r#"{"event": [2], "layers": [{"type": "affine_cuopling"}]}"#, 1).unwrap_err();
    assert!(matches!(e, Error::Spec(_)) && e.message().contains("affine_coupling"), "{e}");
    assert!(e.to_string().starts_with("NF_ERR_SPEC: spec.layers[0]"), "{e}");
    assert!(matches!(options! { "trainer.lrr" => 1.0 }, Err(Error::Spec(_))));
    assert!(matches!(options! { "trainer.lr" => "high" }, Err(Error::Spec(_))));
    assert!(matches!(options! { "a\0b" => 1.0 }, Err(Error::Argument(_))));
    assert!(matches!(m.session(Some(&options! { "trainer.lr" => 1.0 }.unwrap())), Err(Error::Spec(_))));
    assert!(matches!(s.sample::<f32>(usize::MAX / 16, 1, Some(View::from(&C[..1]))), Err(Error::OutOfMemory(_))));
}

#[test]
fn maps_traces_and_samples() {
    let m = model();
    let mut s = m.session(None).unwrap();
    let c = Some(View::from(&C));
    let z = s.forward::<f64>(&X, c).unwrap();
    let base = s.base_log_prob::<f64>(View::rows(&z.rows, 2).unwrap(), c).unwrap();
    let sum: Vec<f64> = base.iter().zip(&z.log_det).map(|(b, d)| b + d).collect();
    close(&s.log_prob::<f64>(&X, c).unwrap(), &sum, 1e-5);
    let x = s.inverse::<f64>(View::rows(&z.rows, 2).unwrap(), c).unwrap();
    close(&x.rows, &X.concat(), 1e-4);
    let t = s.trace::<f64>(Direction::Forward, &X, c).unwrap();
    assert_eq!(t.rows[5 * 6..], z.rows);
    close(&t.rows[..6], &X.concat(), 1e-6);
    assert_eq!(t.log_det.len(), 15);

    let one = Some(View::from(&C[..1]));
    let rows = s.sample::<f64>(100, 7, one).unwrap();
    assert_eq!(s.sample::<f64>(60, Sampling::seed(7).first(40), one).unwrap(), rows[80..]);
    let lazy: Vec<Vec<f64>> = s.samples(7, one).take(100).collect::<Result<_>>().unwrap();
    assert_eq!(lazy.concat(), rows);
    let mut some = s.samples::<f64>(7, one);
    for k in 0..50 {
        assert_eq!(some.next_row().unwrap(), &rows[2 * k..2 * k + 2]);
    }
    let (mut again, mut scores) = (vec![[0f64; 2]; 100], vec![0f64; 100]);
    s.sample_into(7, one, &mut again, Some(Out::from(&mut scores))).unwrap();
    assert_eq!(again.concat(), rows);
    close(&scores, &s.log_prob::<f64>(&again, one).unwrap(), 1e-4);
    assert_eq!(m.draw::<f64>(100, 7, one).unwrap(), rows);
    let latents = s.base_sample::<f64>(100, 7, one).unwrap();
    close(&s.inverse::<f64>(View::rows(&latents, 2).unwrap(), one).unwrap().rows, &rows, 1e-5);
    let repeated = s.sample::<f64>(6, Sampling::seed(7).repeat(2), c).unwrap();
    assert_eq!(repeated.len(), 12);
    let cold = s.sample::<f64>(100, Sampling::seed(7).temperature(1e-3), one).unwrap();
    assert!((cold[0] - cold[2]).abs() < 0.05);
    assert_eq!(s.base_quantile::<f64>(&[[0.5f64, 0.5]], one).unwrap(), [0.0, 0.0]);
    let mut without = s.samples::<f64>(7, None);
    assert!(matches!(without.next(), Some(Err(Error::Argument(_)))));
    assert!(without.next().is_none());
}

#[test]
fn gradients_agree_with_differences() {
    let spec = SPEC.replace("\"context\": 1", "\"context\": 1, \"dtype\": \"float64\"");
    let mut m = Model::new(&spec, 5).unwrap();
    m.init_from_data(&X, Some(View::from(&C))).unwrap();
    let mut s = m.session(Some(&options! { "session.gradients" => true }.unwrap())).unwrap();
    let c = Some(View::from(&C));
    let g = s.log_prob_grad::<f64>(&X, c).unwrap();
    close(&g.log_prob, &s.log_prob::<f64>(&X, c).unwrap(), 1e-12);
    let h = 1e-6;
    for column in 0..2 {
        let moved = |by: f64| {
            X.map(|mut r| {
                r[column] += by;
                r
            })
        };
        let (up, down) = (s.log_prob::<f64>(&moved(h), c).unwrap(), s.log_prob::<f64>(&moved(-h), c).unwrap());
        for r in 0..3 {
            close(&[g.dx[2 * r + column]], &[(up[r] - down[r]) / (2.0 * h)], 1e-6);
        }
    }
    let (up, down) = (C.map(|r| [r[0] + h]), C.map(|r| [r[0] - h]));
    let up = s.log_prob::<f64>(&X, Some(View::from(&up))).unwrap();
    let down = s.log_prob::<f64>(&X, Some(View::from(&down))).unwrap();
    for r in 0..3 {
        close(&[g.dcontext[r]], &[(up[r] - down[r]) / (2.0 * h)], 1e-6);
    }
    // <cot, J tan> is the same from either side.
    let (cot, tan, one) = ([[0.3f64, -1.0]; 3], [[0.7f64, 0.2]; 3], [1.5f64; 3]);
    let (forward, inverse) = (s.forward::<f64>(&X, c).unwrap().rows, s.inverse::<f64>(&X, c).unwrap().rows);
    for (at, to) in [(At::forward(&X), forward), (At::inverse(&X), inverse)] {
        let at = at.context(&C);
        let back = s.vjp::<f64>(at, Some(View::from(&cot)), Some(View::from(&one))).unwrap();
        let push = s.jvp::<f64>(at, Some(View::from(&tan)), None).unwrap();
        assert_eq!(back.to, to);
        assert_eq!(s.map::<f64>(at.direction, at.from, at.context).unwrap().rows, to);
        for r in 0..3 {
            let dot = |a: &[f64], b: &[f64]| a[0] * b[0] + a[1] * b[1];
            let from = dot(&back.d_from[2 * r..], &tan[r]);
            close(&[from], &[dot(&push.tan_to[2 * r..], &cot[r]) + 1.5 * push.tan_log_det[r]], 1e-10);
        }
    }
    let mut only = [[0f64; 2]; 3];
    s.vjp_into(
        At::forward(&X).context(&C),
        None,
        Some(View::from(&one)),
        PullbackInto { d_from: Some(Out::from(&mut only)), ..Default::default() },
    )
    .unwrap();
    assert!(only[0][0] != 0.0 || only[0][1] != 0.0);
}
