// Using libnf from Rust with std only: trains a RealNVP on a banana, saves and loads it, scores and samples.
//   rustc -O --edition 2021 examples/rust/train.rs -L build/src -l nf -C link-arg=-Wl,-rpath,$PWD/build/src \
//     -o build/train_rust
//   build/train_rust build/banana.safetensors
mod nf;

const SPEC: &str = r#"{"event": [2], "layers": [
  {"repeat": 4, "layers": [{"type": "affine_coupling", "hidden": [32, 32]}, {"type": "reverse"}]}]}"#;

// y = x^2 / 2 plus noise, which a Gaussian cannot fit. Uses an LCG and the Box-Muller transform.
fn banana(rows: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut out = Vec::with_capacity(2 * rows);
    for _ in 0..rows {
        let (r, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        let x = r * angle.cos();
        out.push(x as f32);
        out.push((0.5 * x * x + 0.3 * r * angle.sin()) as f32);
    }
    out
}

fn mean(v: &[f32]) -> f64 {
    v.iter().map(|&x| x as f64).sum::<f64>() / v.len() as f64
}

fn bits(v: &[f32]) -> Vec<u32> {
    v.iter().map(|x| x.to_bits()).collect()
}

fn run(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = nf::Runtime::new()?;
    let model = nf::Model::new(&runtime, SPEC, 1)?;
    let (train, test) = (banana(4096, 1), banana(1024, 2));
    let before = mean(&nf::Session::new(&model)?.log_prob(&test, 2)?);

    let mut trainer = nf::Trainer::new(&model, &[("trainer.lr", "2e-3")])?;
    for step in 0..300 {
        // The host owns the loop; here, mini-batches of 256 in order.
        let at = step % 16 * 512;
        let info = trainer.step(&train[at..at + 512], 2)?;
        if info.step % 100 == 0 {
            println!("step {}  loss {:.3}", info.step, info.loss);
        }
    }
    let scores = nf::Session::new(&model)?.log_prob(&test, 2)?;
    println!("mean log-likelihood of test rows: {:.3} before, {:.3} after", before, mean(&scores));

    model.save(path)?;
    let loaded = nf::Model::load(&runtime, path)?;
    drop(model); // in any order: handles keep alive what they were created from
    let mut session = nf::Session::new(&loaded)?;

    if !(mean(&scores) > before + 0.1) {
        return Err("training did not improve the model".into());
    }
    if bits(&session.log_prob(&test, 2)?) != bits(&scores) {
        return Err("the loaded model scores differently".into());
    }
    // Samples are numbered, so splitting a run gives the same rows.
    let mut parts = session.sample(5, 0, 40, 2)?;
    parts.extend(session.sample(5, 40, 60, 2)?);
    if bits(&session.sample(5, 0, 100, 2)?) != bits(&parts) {
        return Err("samples depend on the split".into());
    }
    // Errors are values that carry libnf's message.
    match nf::Model::new(&runtime, r#"{"event": [2], "layers": [{"type": "affine_cuopling"}]}"#, 1) {
        Err(e) if e.message.contains("affine_coupling") => Ok(()),
        _ => Err("a misspelt layer should be answered with the right name".into()),
    }
}

fn main() {
    if let Err(e) = run(&std::env::args().nth(1).unwrap_or("/tmp/banana.safetensors".into())) {
        println!("{e}");
        std::process::exit(1);
    }
}
