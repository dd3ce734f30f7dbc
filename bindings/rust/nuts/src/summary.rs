//! Effective sample sizes and R-hat of Markov chains (Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021): chains are split in
//! halves and replaced by normal scores of their ranks, so that heavy tails do no harm.

/// What a quantity's draws say about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub mean: f64,
    pub sd: f64,
    pub ess: f64,
    pub r_hat: f64,
}

/// The quantile function of the standard normal distribution (Acklam's rational approximation, relative error 1e-9).
pub fn normal_quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let poly = |c: &[f64], t: f64| c.iter().fold(0.0, |sum, c| sum * t + c);
    if p < 0.02425 {
        let t = (-2.0 * p.ln()).sqrt();
        let c = [
            -7.784894002430293e-3,
            -0.3223964580411365,
            -2.400758277161838,
            -2.549732539343734,
            4.374664141464968,
            2.938163982698783,
        ];
        let d = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1.0];
        return poly(&c, t) / poly(&d, t);
    }
    let (t, r) = (p - 0.5, (p - 0.5) * (p - 0.5));
    let a =
        [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
    let b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1.0];
    poly(&a, r) * t / poly(&b, r)
}

/// Summarizes one quantity from the draws of each chain, all of the same length.
pub fn summarize(chains: &[Vec<f64>]) -> Summary {
    let half = chains[0].len() / 2;
    let mut flat = vec![];
    for chain in chains {
        flat.extend_from_slice(&chain[..half]);
        flat.extend_from_slice(&chain[chain.len() - half..]);
    }
    let (n, count, total) = (half as f64, 2 * chains.len(), flat.len() as f64);
    let average = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let mean = average(&flat);
    let sd = (flat.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (total - 1.0)).sqrt();

    let mut order: Vec<usize> = (0..flat.len()).collect();
    order.sort_by(|&a, &b| flat[a].total_cmp(&flat[b]));
    let mut score = vec![0.0; flat.len()];
    let mut first = 0;
    while first < order.len() {
        let mut end = first + 1;
        while end < order.len() && flat[order[end]] <= flat[order[first]] {
            end += 1;
        }
        let rank = 0.5 * (first + end + 1) as f64; // equal draws share their mean rank
        order[first..end].iter().for_each(|&i| score[i] = normal_quantile((rank - 0.375) / (total + 0.25)));
        first = end;
    }

    let parts: Vec<&[f64]> = score.chunks(half).collect();
    let means: Vec<f64> = parts.iter().map(|p| average(p)).collect();
    let within = parts.iter().zip(&means).map(|(p, m)| p.iter().map(|v| (v - m) * (v - m)).sum::<f64>()).sum::<f64>()
        / ((n - 1.0) * count as f64);
    let center = average(&means);
    let between = means.iter().map(|m| (m - center) * (m - center)).sum::<f64>() / (count as f64 - 1.0);
    let variance = (n - 1.0) / n * within + between;

    // Autocorrelations, until the sum of a pair of them is negative (Geyer 1992), made monotone.
    let correlation = |lag: usize| {
        let products = |p: &[f64], m: f64| p.iter().zip(&p[lag..]).map(|(a, b)| (a - m) * (b - m)).sum::<f64>();
        let sum: f64 = parts.iter().zip(&means).map(|(p, &m)| products(p, m)).sum();
        1.0 - (within - sum / (n - 1.0) / count as f64) / variance
    };
    let (mut time, mut smallest) = (-1.0, f64::INFINITY);
    for lag in (0..half.saturating_sub(1)).step_by(2) {
        let pair = if lag == 0 { 1.0 } else { correlation(lag) } + correlation(lag + 1);
        if !(pair > 0.0) {
            break;
        }
        smallest = f64::min(smallest, pair);
        time += 2.0 * smallest;
    }
    Summary { mean, sd, ess: total / f64::max(time, 1.0 / total.log10()), r_hat: (variance / within).sqrt() }
}
