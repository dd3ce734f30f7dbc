//! Random calls with random shapes, types, strides, options, specs and files: each returns a result or an error, and none
//! crashes. Seeds are fixed; NF_RANDOM_CALLS=N makes N times as many.
use std::cell::Cell;
use std::ops::ControlFlow;

use libnf::*;

/// SplitMix64.
struct Random(Cell<u64>);
impl Random {
    fn next(&self) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e3779b97f4a7c15));
        let mut z = self.0.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    }
    fn below(&self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }
    fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
    fn number(&self) -> f64 {
        match self.below(40) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => -1e300,
            3 => 0.0,
            4 => 1e-320,
            _ => (self.next() >> 11) as f64 / (1u64 << 53) as f64 * 4.0 - 2.0,
        }
    }
}

/// Memory for views of any type; most shapes are right.
struct Memory {
    f32: Vec<f32>,
    f64: Vec<f64>,
    u8: Vec<u8>,
}
const ROOM: usize = 4096;
impl Memory {
    fn new(r: &Random) -> Self {
        let f64: Vec<f64> = (0..ROOM).map(|_| r.number()).collect();
        Self { f32: f64.iter().map(|&v| v as f32).collect(), u8: f64.iter().map(|&v| (v * 60.0) as u8).collect(), f64 }
    }
}
fn shape(r: &Random, right: &[usize]) -> Vec<usize> {
    let mut s = right.to_vec();
    if r.chance(12) {
        let k = r.below(s.len() + 1);
        match r.below(4) {
            0 if k < s.len() => s[k] = r.below(6),
            1 if s.len() > 1 => drop(s.pop()),
            2 => s.insert(k, r.below(3)),
            _ => s = (0..r.below(10)).map(|_| r.below(3)).collect(),
        }
    }
    s
}
fn layout(r: &Random, right: &[usize]) -> (usize, Vec<usize>, Vec<isize>) {
    let shape = shape(r, right);
    let strides = match r.below(3) {
        0 => (0..shape.len()).map(|_| r.below(9) as isize - 2).collect(),
        _ => (0..shape.len()).map(|k| shape[k + 1..].iter().product::<usize>().max(1) as isize).collect(),
    };
    (r.below(60), shape, strides)
}
fn view<'a>(r: &Random, m: &'a Memory, right: &[usize]) -> View<'a> {
    loop {
        let (at, shape, strides) = layout(r, right);
        let v = match r.below(5) {
            0 => View::strided(&m.u8, at, &shape, &strides),
            1 | 2 => View::strided(&m.f32, at, &shape, &strides),
            3 => View::strided(&m.f64, at, &shape, &strides),
            _ => {
                let n = shape.iter().product::<usize>();
                if n <= ROOM {
                    View::new(&m.f64[..n], &shape)
                } else {
                    continue;
                }
            }
        };
        if let Ok(v) = v {
            return v;
        }
    }
}
fn maybe<'a>(r: &Random, m: &'a Memory, right: &[usize], wanted: bool) -> Option<View<'a>> {
    (wanted != r.chance(6)).then(|| view(r, m, right))
}
/// Calls f with memory to write, or none.
fn out<R>(r: &Random, right: &[usize], f: impl FnOnce(&Random, Option<Out<'_>>) -> R) -> R {
    let (mut single, mut double) = (vec![0f32; ROOM], vec![0f64; ROOM]);
    loop {
        let (at, shape, strides) = layout(r, right);
        let o = match r.below(6) {
            0 => return f(r, None),
            1 | 2 => Out::strided(&mut single, at, &shape, &strides),
            _ => Out::strided(&mut double, at, &shape, &strides),
        };
        if let Ok(o) = o {
            return f(r, Some(o));
        }
    }
}

/// Names, types and choices of the options, found in their JSON without a parser.
fn known_options() -> Vec<(String, Vec<String>)> {
    let quoted = |s: &str| s.split('"').nth(1).unwrap_or_default().to_owned();
    let of = |part: &str| {
        let choices = part
            .split_once("\"choices\":")
            .map_or(vec![], |(_, c)| c.split(']').next().unwrap().split(',').map(quoted).collect());
        (quoted(part), choices)
    };
    describe_options().split("{\"name\":").skip(1).map(of).collect()
}
fn some_options(r: &Random, known: &[(String, Vec<String>)], scopes: &[&str]) -> Options {
    let mut o = Options::new().unwrap();
    for _ in 0..r.below(4) {
        let (name, choices) = r.pick(known);
        let wanted = scopes.iter().any(|s| name.starts_with(s)) || r.chance(5);
        // Options that make a call long, write files or are of no use here.
        let heavy = [
            "threads",
            "steps",
            "epochs",
            "samples",
            "checkpoint",
            "resume",
            "burn_in",
            "thin",
            "draws",
            "every",
            "iterations",
        ];
        if !wanted || heavy.iter().any(|h| name.contains(h)) {
            continue;
        }
        let _ = match r.below(4) {
            _ if !choices.is_empty() => o.set(name, r.pick(choices)),
            0 => o.set(name, r.number()),
            1 => o.set(name, r.chance(50)),
            2 => o.set(name, r.below(9)),
            _ => o.parse(name, "0.5"),
        };
    }
    o
}

const SPECS: [&str; 8] = [
    r#"{"event": 2, "layers": [{"type": "affine_coupling", "hidden": [5]}, {"type": "reverse"}]}"#,
    r#"{"event": 3, "context": 2, "dtype": "float64", "layers": [{"type": "masked_autoregressive", "hidden": [6]}, {"type": "lu_linear"}]}"#,
    r#"{"event": 2, "layers": [{"type": "actnorm"}, {"type": "spline_coupling", "hidden": [4]}, {"type": "batch_norm"}]}"#,
    r#"{"event": [2, 2, 2], "layers": [{"type": "squeeze"}, {"type": "split", "layers": [{"type": "actnorm"}]}]}"#,
    r#"{"event": 2, "layers": [{"type": "planar"}, {"type": "radial", "invert": true}]}"#,
    r#"{"event": 1, "context": 1, "layers": [{"type": "spline"}, {"type": "elementwise_affine"}]}"#,
    r#"{"event": 2, "layers": [{"type": "dequantize"}, {"type": "standardize"}, {"type": "affine"}]}"#,
    r#"{"kind": "vae", "event": 3, "latent": 2, "likelihood": "bernoulli", "posterior": {"layers": [{"type": "planar"}]}}"#,
];

fn infer(r: &Random, m: &Memory, model: &Model, known: &[(String, Vec<String>)]) {
    let i = model.info().unwrap();
    let o = some_options(r, known, &["session."]);
    let Ok(mut s) = model.session(Some(&o)) else { return };
    let target = Target::from_fn(i.event_size, |p| {
        p.log_density.iter_mut().zip(p.x.chunks(p.columns)).for_each(|(l, x)| *l = -x.iter().map(|v| v * v).sum::<f64>());
        if let Some(g) = p.gradient {
            g.iter_mut().zip(p.x).for_each(|(g, x)| *g = -2.0 * x);
        }
        Ok(())
    })
    .unwrap();
    for _ in 0..12 {
        let n = r.below(7);
        let event: Vec<usize> = if i.event.len() > 1 && r.chance(50) { i.event.clone() } else { vec![i.event_size] };
        let (x, z) = ([&[n][..], &event].concat(), [n, i.latent_size]);
        let context = maybe(r, m, &[if r.chance(20) { 1 } else { n }, i.context_size], i.context_size > 0);
        let direction = if r.chance(50) { Direction::Forward } else { Direction::Inverse };
        let (from, to) = if direction == Direction::Forward { (&x[..], &z[..]) } else { (&z[..], &x[..]) };
        let from_view = view(r, m, from);
        let how = Sampling { seed: r.next(), first: r.next(), repeat: 1 + r.below(2), temperature: 1.0 };
        // Errors are as good as results.
        match r.below(14) {
            0 => drop(s.log_prob::<f32>(view(r, m, &x), context)),
            1 => drop(out(r, to, |r, o| out(r, &[n], |_, d| o.map(|o| s.map_into(direction, from_view, context, o, d))))),
            2 => drop(s.trace::<f64>(direction, from_view, context)),
            3 => drop(out(r, &x, |r, o| out(r, &[n], |_, d| o.map(|o| s.sample_into(how, context, o, d))))),
            4 => {
                let x = view(r, m, &x);
                drop(out(r, &[n], |r, a| {
                    out(r, &[n, i.event_size], |r, b| {
                        out(r, &[n, i.context_size], |_, c| s.log_prob_grad_into(x, context, a, b, c))
                    })
                }))
            }
            5 => {
                let at = At { direction, from: from_view, context };
                let (cot, det) = (maybe(r, m, to, true), maybe(r, m, &[n], true));
                drop(out(r, to, |r, a| {
                    out(r, &[n], |r, b| {
                        out(r, from, |r, c| {
                            out(r, &[n, i.context_size], |_, d| {
                                s.vjp_into(at, cot, det, PullbackInto { to: a, log_det: b, d_from: c, d_context: d })
                            })
                        })
                    })
                }))
            }
            6 => {
                let at = At { direction, from: from_view, context };
                drop(s.jvp::<f32>(at, maybe(r, m, from, true), maybe(r, m, &[n, i.context_size], i.context_size > 0)))
            }
            7 => drop(s.base_log_prob::<f64>(view(r, m, &z), context)),
            8 => drop((s.base_sample::<f32>(n, how, context), s.base_quantile::<f64>(view(r, m, &z), context))),
            9 => drop(s.encode::<f32>(view(r, m, &x), context)),
            10 => drop((
                s.decode::<f32>(view(r, m, &z), context),
                s.posterior_trace::<f64>(r.below(3), view(r, m, &x), context),
            )),
            11 => drop((
                s.posterior_importance::<f64>(view(r, m, &[1, i.event_size]), n, 1, context),
                s.importance::<f64>(&target, n, 1, context),
            )),
            12 => {
                let start = Start {
                    proposal: Some(&mut s).filter(|_| n % 2 == 0),
                    context,
                    at: maybe(r, m, &[2, i.event_size], false),
                    runtime: None,
                };
                drop(target.metropolis::<f32>(n, 2, start, Some(&some_options(r, known, &["metropolis.step"]))))
            }
            _ => {
                let (row, context): (Vec<f64>, Vec<f64>) = (
                    (0..i.event_size + r.below(2)).map(|_| r.number()).collect(),
                    (0..i.context_size).map(|_| r.number()).collect(),
                );
                drop(s.log_prob_row(&row, Some(&context).filter(|c| !c.is_empty()).map(|c| c.as_slice())))
            }
        }
    }
}

fn train(r: &Random, m: &Memory, model: &mut Model, known: &[(String, Vec<String>)]) {
    let i = model.info().unwrap();
    let n = 2 + r.below(30);
    let batch = |r: &Random| Batch {
        x: maybe(r, m, &[n, i.event_size], true),
        context: maybe(r, m, &[n, i.context_size], i.context_size > 0),
        weight: maybe(r, m, &[n], r.below(2) == 0),
        scores: maybe(r, m, &[n, i.event_size], r.below(4) == 0),
        part: maybe(r, m, &[n], r.below(6) == 0),
    };
    let rows = batch(r);
    if let Some(x) = rows.x.filter(|_| r.chance(30)) {
        let _ = model.init_from_data(x, rows.context);
    }
    if r.chance(30) {
        let mut o = some_options(r, known, &["fit.", "trainer.", "batches."]);
        if o.set("fit.steps", r.below(5)).is_ok() {
            let _ = model.fit_with(&rows, None, Some(&o), |i, _| {
                if i.step > 4 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
        }
    }
    let o = some_options(r, known, &["trainer."]);
    let Ok(mut t) = Trainer::new(model, Some(&o)) else { return };
    for _ in 0..6 {
        let rows = batch(r);
        match r.below(8) {
            0 | 1 => drop(t.step(&rows)),
            2 => drop(t.evaluate(&rows)),
            3 => {
                let forward = r.chance(50);
                let c = Cotangents {
                    direction: if forward { Direction::Forward } else { Direction::Inverse },
                    out: maybe(r, m, &[n, i.latent_size], true),
                    log_det: maybe(r, m, &[n], true),
                    log_prob: maybe(r, m, &[n], false),
                };
                drop(t.accumulate(&rows, &c));
                drop(if r.chance(50) { t.apply(r.number()).map(drop) } else { t.discard() });
            }
            4 => drop((t.observe(r.number()), t.set_lr(None, r.number()), t.restart(r.chance(50)))),
            5 => {
                let mut file = vec![];
                if t.write_to(&mut file).is_ok() {
                    for _ in 0..r.below(4) {
                        let at = r.below(file.len());
                        file[at] ^= 1 << r.below(8);
                    }
                    drop(t.restore_bytes(&file));
                }
            }
            6 => drop((t.use_average(r.chance(50)), t.run_without_data(2, |_| ControlFlow::Break(())))),
            _ => {
                if let Ok(mut b) = Batches::new(None, rows, Some(&some_options(r, known, &["batches."]))) {
                    let _ = b.get(r.next());
                    let _ = t.run_batches(&mut b, t.step_count() + 2, |_| ControlFlow::Continue(()));
                }
            }
        }
    }
}

fn times() -> u64 {
    std::env::var("NF_RANDOM_CALLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

#[test]
fn calls_never_crash() {
    let runtimes = [Runtime::with_threads(1).unwrap(), Runtime::with_threads(2).unwrap()];
    let known = known_options();
    assert!(known.len() > 50 && known.iter().any(|(n, c)| n == "trainer.objective" && c.len() > 3), "{known:?}");
    let mut failed = 0;
    for seed in 0..250 * times() {
        let r = Random(Cell::new(seed));
        let m = Memory::new(&r);
        let mut model =
            Model::with_runtime(Some(&runtimes[usize::from(seed % 8 == 0)]), SPECS[r.below(8)], r.next()).unwrap();
        infer(&r, &m, &model, &known);
        train(&r, &m, &mut model, &known);
        infer(&r, &m, &model, &known);
        failed += u32::from(model.score::<f32>(view(&r, &m, &[3, 2]), None).is_err());
    }
    assert!(failed > 0);
}

#[test]
fn specs_files_and_tables_never_crash() {
    let known = known_options();
    let valid = Model::new(SPECS[0], 1).unwrap().to_bytes().unwrap();
    let table = b"a,b,c\n1,2,3\n4,5,6\n\"7\",8e3,-9\n".to_vec();
    for seed in 0..1500 * times() {
        let r = Random(Cell::new(seed + 1_000_000));
        let damage = |bytes: &[u8]| {
            let mut b = bytes.to_vec();
            for _ in 0..1 + r.below(3) {
                let at = r.below(b.len());
                match r.below(4) {
                    0 => b[at] = r.next() as u8,
                    1 => b.truncate(at + 1),
                    2 => b.insert(at, *r.pick(b"{}[],:\"0-e\n")),
                    _ => b[at] ^= 1 << r.below(8),
                }
            }
            b
        };
        let (spec, file, rows) = (damage(SPECS[seed as usize % 8].as_bytes()), damage(&valid), damage(&table));
        if let Ok(model) = Model::new(&String::from_utf8_lossy(&spec), seed) {
            let _ = model.draw::<f32>(2, seed, None);
        }
        let _ = Model::from_bytes(None, &file, None);
        let o = some_options(&r, &known, &["table."]);
        if let Ok(t) = Table::parse(None, &rows, "t", Some(&o)) {
            let n = t.view().unwrap().to_vec().len();
            assert_eq!(n, t.shape().iter().product::<usize>());
        }
        let _ = Table::describe_bytes(&rows, "t", Some(&o));
    }
}
