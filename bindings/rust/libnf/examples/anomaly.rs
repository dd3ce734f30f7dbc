//! Finds anomalies in a real table: learns the density of all rows without labels, saves and loads the model, scores the rows on
//! several threads, and says which column makes the rarest row rare.
//!
//!   cargo run --release --example anomaly -- flow.safetensors
//!
//! The table is mammography of ADBench, 11,183 rows of 6 columns, 260 of them labeled as calcifications:
//! $NF_DATA_DIR/adbench/23_mammography.npz, where NF_DATA_DIR is ../shared/data beside the repository unless it is set. A second
//! argument names another .npz with rows X and labels y.
use std::ops::ControlFlow;
use std::path::PathBuf;

use libnf::{options, Batch, Model, Table, View};

const THREADS: usize = 4;

/// A flow with masked autoregressive layers. The noise, in training only, keeps the density from having spikes at repeated rows.
fn spec(columns: usize) -> String {
    format!(
        r#"{{"event": {columns}, "layers": [{{"type": "standardize"}}, {{"type": "noise", "std": 0.1}},
            {{"repeat": 3, "layers": [{{"type": "masked_autoregressive", "hidden": [32, 32]}}, {{"type": "reverse"}}]}}]}}"#
    )
}

/// Scores rows on several threads. Each has a session of its own; they share the model.
fn score(model: &Model, rows: &[f32], columns: usize) -> libnf::Result<Vec<f32>> {
    let one = options! { "session.threads" => 1 }?;
    let mut scores = vec![0f32; rows.len() / columns];
    let block = scores.len().div_ceil(THREADS);
    std::thread::scope(|s| {
        let mut running = vec![];
        for (rows, scores) in rows.chunks(block * columns).zip(scores.chunks_mut(block)) {
            let one = &one;
            running.push(s.spawn(move || {
                let mut session = model.session(Some(one))?;
                session.log_prob_into(View::rows(rows, columns)?, None, scores)
            }));
        }
        running.into_iter().try_for_each(|r| r.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(scores)
}

/// The probability that a labeled row has a lower score than another one.
fn auroc(scores: &[f32], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut others, mut pairs) = (0.0, 0.0);
    for i in order {
        if labels[i] > 0.0 {
            pairs += others;
        } else {
            others += 1.0;
        }
    }
    pairs / others / (labels.len() as f64 - others)
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or("flow.safetensors".into());
    let set = arguments.next().map(PathBuf::from).unwrap_or_else(|| {
        let data = std::env::var_os("NF_DATA_DIR").map(PathBuf::from);
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data");
        data.unwrap_or(beside.into()).join("adbench/23_mammography.npz")
    });
    let labels = Table::open(&set, Some(&options! { "table.array" => "y", "table.dtype" => "float64" }?))?.view()?.to_vec();
    let table = Table::open(&set, Some(&options! { "table.array" => "X" }?))?;
    let (x, columns) = (table.view()?, table.shape()[1]);
    println!("{} rows of {columns} columns, {} labeled", x.len(), labels.iter().filter(|&&l| l > 0.0).count());

    let mut model = Model::new(&spec(columns), 1)?;
    let settings =
        options! { "fit.steps" => 1500, "trainer.lr" => 2e-3, "trainer.schedule" => "cosine", "batches.batch" => 256 }?;
    let end = model.fit_with(&Batch::of(x), None, Some(&settings), |info, _| {
        if info.validated && info.step % 500 == 0 {
            println!("step {:4}  held-out rows {:.3} nats", info.step, info.valid);
        }
        ControlFlow::Continue(())
    })?;
    println!("best: {:.3} +- {:.3} nats at step {}, {:.1} s", end.best, end.valid_error, end.best_step, end.seconds);
    // What is rare is a fact about the training rows, and saved with the model.
    let all: Vec<f32> = model.score(x, None)?;
    model.set_scores(&all)?;
    model.save(&path)?;

    let model = Model::load(&path, None)?;
    let rows: Vec<f32> = x.to_vec().iter().map(|&v| v as f32).collect();
    let scores = score(&model, &rows, columns)?;
    let area = auroc(&scores, &labels);
    let limit = model.score_quantile(0.01)?;
    let rare = scores.iter().filter(|&&s| f64::from(s) < limit).count();
    println!(
        "{THREADS} threads scored {} rows: area under the ROC curve {area:.3}, {rare} rows below {limit:.1} nats",
        scores.len()
    );

    let mut session = model.session(None)?;
    let (rarest, lowest) = scores.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).ok_or("no rows")?;
    let row = &rows[rarest * columns..][..columns];
    let slope = session.log_prob_grad::<f32>(View::rows(row, columns)?, None)?.dx;
    let steepest = (0..columns).max_by(|&a, &b| slope[a].abs().total_cmp(&slope[b].abs())).ok_or("no columns")?;
    println!(
        "row {rarest} is the rarest, {lowest:.1} nats; column {steepest} pulls most: {:.1} nats per unit",
        slope[steepest]
    );
    for drawn in session.samples::<f32>(7, None).take(2) {
        println!("a sample: {:.2?}", drawn?);
    }

    // What the program relies on.
    let same = |a: &[f32], b: &[f32]| a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()));
    if !same(&scores, &all) {
        return Err("the loaded model on several threads scores differently".into());
    }
    if area < 0.8 {
        return Err("the density does not rank the labeled rows".into());
    }
    Ok(())
}

fn main() {
    if let Err(e) = run() {
        println!("{e}");
        std::process::exit(1);
    }
}
