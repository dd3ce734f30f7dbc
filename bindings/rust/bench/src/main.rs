//! What a call of libnf costs from Rust beside C, on a model so small that little else is measured: RealNVP of two columns, one
//! row a call, one thread.
//!   cargo run --release -p bench
//! All loops use one session. Short rounds of them alternate, and each loop's fastest round counts, so that other programs on
//! the machine do not. The last
//! line says how much slower the safe layer is than C; with the argument `check`, more than 5 % is a failure.
use std::hint::black_box;
use std::ptr::null;
use std::time::Instant;

use libnf::nf_sys as sys;
use libnf::{options, Model, View};

const SPEC: &str = r#"{"event": 2, "layers": [{"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]}"#;
const CALLS: i64 = 500;
const ROUNDS: usize = 1000;

extern "C" {
    fn loop_log_prob(s: *mut sys::nf_session, x: *const f32, out: *mut f32, n: i64) -> f64;
    fn loop_log_prob_row(s: *mut sys::nf_session, x: *const f64, out: *mut f64, n: i64) -> f64;
}

fn seconds(mut call: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    start.elapsed().as_secs_f64()
}

fn main() {
    let x = [0.25f32, -0.5];
    let row = [0.25f64, -0.5];
    let (mut out, mut one) = ([0f32], 0f64);
    let model = Model::new(SPEC, 1).expect("a model");
    let mut session = model.session(Some(&options! { "session.threads" => 1 }.expect("options"))).expect("a session");
    let raw = session.as_ptr();

    let names = ["C", "nf_sys", "libnf", "C, nf_log_prob_row", "libnf, log_prob_row"];
    let mut best = [f64::INFINITY; 5];
    for _ in 0..ROUNDS {
        let times = [
            // SAFETY: here and below, one thread uses the session, and the memory is as large as the views say.
            unsafe { loop_log_prob(raw, x.as_ptr(), out.as_mut_ptr(), CALLS) },
            seconds(|| {
                let mut v = sys::nf_view::INIT;
                v.ndim = 2;
                v.data = x.as_ptr().cast();
                (v.shape[0], v.shape[1]) = (1, 2);
                let mut o = sys::nf_out::INIT;
                o.ndim = 1;
                o.data = out.as_mut_ptr().cast();
                o.shape[0] = 1;
                let mut err = sys::nf_error::INIT;
                assert_eq!(unsafe { sys::nf_log_prob(raw, &v, null(), &o, &mut err) }, 0);
            }),
            seconds(|| session.log_prob_into(View::rows(&x, 2).expect("rows"), None, &mut out).expect("a score")),
            unsafe { loop_log_prob_row(raw, row.as_ptr(), &mut one, CALLS) },
            seconds(|| one = black_box(session.log_prob_row(&row, None).expect("a score"))),
        ];
        for (best, t) in best.iter_mut().zip(times) {
            assert!(t > 0.0, "a call in C failed");
            *best = best.min(t);
        }
    }
    for (name, t) in names.iter().zip(best) {
        println!("{name:<20} {:7.1} ns a call", 1e9 * t / CALLS as f64);
    }
    let (views, rows) = (best[2] / best[0] - 1.0, best[4] / best[3] - 1.0);
    println!("libnf beside C: {:+.1} % by views, {:+.1} % by log_prob_row", 100.0 * views, 100.0 * rows);
    if std::env::args().any(|a| a == "check") && (views > 0.05 || rows > 0.05) {
        std::process::exit(1);
    }
}
