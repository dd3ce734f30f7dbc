//! NUTS of nuts-rs with one scale per column, and on latents of a flow that adapts during warm-up, on densities whose scale
//! changes from place to place.
//!   cargo run --release              # the funnel and eight schools; or name one: funnel, schools, quick
//! It prints effective samples per gradient of the density and per second, warm-up included, and checks expectations that are
//! known.
mod flow;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use flow::{Density, Fit, FlowLogp};
use nuts_rs::rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};
use nuts_rs::{Chain, CpuMath, DiagNutsSettings, FlowNutsSettings, Settings};
use summary::{normal_quantile, summarize};

/// x_0 ~ N(0, 1), the others N(0, e^x_0): Neal's funnel (2003) in the form of nutpie's documentation.
#[derive(Clone)]
struct Funnel(usize);
impl Density for Funnel {
    fn columns(&self) -> usize {
        self.0
    }
    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (precision, others) = ((-x[0]).exp(), (x.len() - 1) as f64);
        let squares: f64 = x[1..].iter().map(|v| v * v).sum();
        gradient[1..].iter_mut().zip(&x[1..]).for_each(|(g, v)| *g = -v * precision);
        gradient[0] = -x[0] + 0.5 * (squares * precision - others);
        -0.5 * (x[0] * x[0] + squares * precision + others * x[0])
    }
    fn layers(&self) -> String {
        r#"{"type": "masked_autoregressive", "invert": true, "hidden": [64], "cap": 5}"#.into()
    }
}

/// The eight schools of Rubin (1981), not centered: y_j ~ N(mu + tau e_j, s_j^2), e_j ~ N(0, 1), mu ~ N(0, 5^2), tau ~
/// half-Cauchy(0, 5), with the unknowns x = (mu, log tau, e_1 .. e_8).
#[derive(Clone)]
struct Schools;
impl Density for Schools {
    fn columns(&self) -> usize {
        10
    }
    fn log_density(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        const EFFECT: [f64; 8] = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0];
        const ERROR: [f64; 8] = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0];
        let (mu, tau) = (x[0], x[1].exp());
        let ratio = tau / 5.0;
        let mut sum = -mu * mu / 50.0 - (ratio * ratio).ln_1p() + x[1]; // log tau instead of tau adds a factor tau
        gradient[0] = -mu / 25.0;
        gradient[1] = 1.0 - 2.0 * ratio * ratio / (1.0 + ratio * ratio);
        for j in 0..8 {
            let e = x[2 + j];
            let residual = (EFFECT[j] - mu - tau * e) / ERROR[j];
            let pull = residual / ERROR[j];
            sum -= 0.5 * (e * e + residual * residual);
            gradient[0] += pull;
            gradient[1] += pull * tau * e;
            gradient[2 + j] = pull * tau - e;
        }
        sum
    }
    fn layers(&self) -> String {
        let block =
            r#"{"type": "masked_autoregressive", "invert": true, "hidden": [32, 32], "activation": "silu", "cap": 5}"#;
        format!(r#"{block}, {{"type": "reverse"}}, {block}"#)
    }
}

/// An expectation under the density.
struct Known {
    name: String,
    of: Box<dyn Fn(&[f64]) -> f64>,
    mean: f64,
    sd: Option<f64>, // otherwise from the draws, which say little about the tails of a rare event
}
fn known(name: impl Into<String>, mean: f64, of: impl Fn(&[f64]) -> f64 + 'static) -> Known {
    Known { name: name.into(), of: Box::new(of), mean, sd: None }
}

const CHAINS: u64 = 4;

/// The draws of each chain.
struct Run {
    rows: Vec<Vec<Box<[f64]>>>,
    gradients: u64,
    diverged: usize,
    seconds: f64,
}

fn sample<D: Density + Sync, S: Settings>(density: &D, fit: Fit, settings: S, draws: usize) -> Run {
    let (start, gradients) = (Instant::now(), Arc::<AtomicU64>::default());
    let one = |chain: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(chain + 1);
        let math = CpuMath::new(FlowLogp::new(density.clone(), fit, gradients.clone()));
        let mut sampler = settings.new_chain(chain, math, &mut rng).expect("valid settings");
        let x: Vec<f64> = (0..density.columns()).map(|_| rng.random_range(-2.0..2.0)).collect();
        sampler.set_position(&x).expect("a start");
        let (mut rows, mut diverged) = (vec![], 0);
        for draw in 0..settings.hint_num_tune() + draws {
            let (x, progress) = sampler.draw().expect("a draw");
            if draw >= settings.hint_num_tune() {
                rows.push(x);
                diverged += usize::from(progress.diverging);
            }
        }
        (rows, diverged)
    };
    let chains: Vec<_> = std::thread::scope(|s| {
        let one = &one;
        let running: Vec<_> = (0..CHAINS).map(|chain| s.spawn(move || one(chain))).collect();
        running.into_iter().map(|r| r.join().expect("a chain")).collect()
    });
    let diverged = chains.iter().map(|c| c.1).sum();
    let rows = chains.into_iter().map(|c| c.0).collect();
    Run { rows, gradients: gradients.load(Ordering::Relaxed), diverged, seconds: start.elapsed().as_secs_f64() }
}

fn values(run: &Run, of: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
    run.rows.iter().map(|chain| chain.iter().map(|x| of(x)).collect()).collect()
}

/// Prints a row of the table and returns the least effective sample size per 1000 gradients.
fn report(what: &str, columns: usize, run: &Run) -> f64 {
    let all: Vec<_> = (0..columns).map(|j| summarize(&values(run, |x| x[j]))).collect();
    let least = all.iter().map(|s| s.ess).fold(f64::INFINITY, f64::min);
    let r_hat = all.iter().map(|s| s.r_hat).fold(0.0, f64::max);
    let rate = 1000.0 * least / run.gradients as f64;
    println!(
        "  {what:<6} {:>9} {:>7.1} {least:>8.0} {r_hat:>7.3} {rate:>9.2} {:>9.1} {:>9}",
        run.gradients,
        run.seconds,
        least / run.seconds,
        run.diverged
    );
    rate
}

/// Compares both samplers. Returns whether the one with the flow has the right expectations.
fn compare<D: Density + Sync>(name: &str, density: D, tune: u64, draws: usize, fit: Fit, known: &[Known]) -> bool {
    println!("{name}, {} columns, {CHAINS} chains of {draws} draws", density.columns());
    println!("         gradients seconds  min ESS   R-hat  ESS/1000     ESS/s  diverged");
    let mut plain = DiagNutsSettings::default();
    (plain.num_tune, plain.num_draws) = (tune, draws as u64);
    let mut flow = FlowNutsSettings::default();
    (flow.num_tune, flow.num_draws) = (tune, draws as u64);
    flow.adapt_options.transform_update_freq = 100;
    let before = report("plain", density.columns(), &sample(&density, fit, plain, draws));
    let run = sample(&density, fit, flow, draws);
    println!("  {:.1} times as many effective samples per gradient", report("flow", density.columns(), &run) / before);
    let mut right = true;
    for k in known {
        let s = summarize(&values(&run, &k.of));
        let error = k.sd.unwrap_or(s.sd) / s.ess.sqrt();
        println!("  {:<16} {:8.4} +- {error:.4}, exactly {:.4}", k.name, s.mean, k.mean);
        right &= (s.mean - k.mean).abs() < 4.5 * error;
    }
    right
}

fn funnel_quantiles() -> Vec<Known> {
    let at = |p: f64| {
        let q = normal_quantile(p);
        let below = known(format!("P(x_0 < {q:.3})"), p, move |x| f64::from(u8::from(x[0] < q)));
        Known { sd: Some((p * (1.0 - p)).sqrt()), ..below }
    };
    [0.01, 0.1, 0.5, 0.9, 0.99].map(at).into()
}
fn schools_means() -> Vec<Known> {
    // By quadrature.
    vec![
        known("mean of mu", 4.3968, |x| x[0]),
        known("mean of tau", 3.5977, |x| x[1].exp()),
        known("mean of log tau", 0.8021, |x| x[1]),
    ]
}

fn main() {
    let name = std::env::args().nth(1);
    let wanted = |n: &str| name.as_deref().is_none_or(|w| w == n);
    let mut right = true;
    if wanted("schools") {
        right &= compare("Eight schools", Schools, 800, 1000, Fit::default(), &schools_means());
    }
    if wanted("funnel") {
        right &= compare("Funnel", Funnel(101), 1000, 1000, Fit::default(), &funnel_quantiles());
    }
    if name.as_deref() == Some("quick") {
        let fit = Fit { steps: 150, ..Fit::default() };
        right &= compare("Eight schools", Schools, 300, 300, fit, &schools_means());
        right &= compare("Funnel", Funnel(20), 400, 400, fit, &funnel_quantiles());
    }
    if !right {
        println!("the expectations are wrong");
        std::process::exit(1);
    }
}
