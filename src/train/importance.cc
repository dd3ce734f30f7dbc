#include "src/train/importance.h"

#include <algorithm>
#include <cmath>

#include "runtime/core/rows.h"
#include "src/model/rows.h"
#include "src/train/pareto.h"

namespace libnf {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kChunk = 4096, kPiece = 512;

class Sums {
 public:
  Sums(const Allocator& allocator, int64_t n) : tail_(allocator, n) {}
  void add(double log_w) {
    ++n_;
    if (log_w > high_) {
      const double shrink = std::exp(high_ - log_w);
      sum_ *= shrink;
      squares_ *= shrink * shrink;
      high_ = log_w;
    }
    if (log_w > -kInfinity) {
      const double w = std::exp(log_w - high_);
      sum_ += w;
      squares_ += w * w;
    } else {
      ++zeros_;
    }
    tail_.add(log_w);
    const double before = -log_w - mean_;
    mean_ += before / static_cast<double>(n_);
    deviations_ += before * (-log_w - mean_);
  }
  ImportanceSummary summary() {
    const auto n = static_cast<double>(n_);
    const auto estimate = [&](double sum, double squares, double* log_z, double* error, double* ess) {
      const double spread = std::max(0.0, n * squares / (sum * sum) - 1);
      *log_z = high_ + std::log(sum / n);
      *error = std::sqrt(spread / std::max(1.0, n - 1));
      *ess = sum * sum / squares;
    };
    ImportanceSummary s;
    s.samples = n_;
    estimate(sum_, squares_, &s.log_z, &s.log_z_error, &s.ess);
    s.largest_share = 1 / sum_;
    const ParetoTail::Smoothed tail = tail_.smooth(high_);
    s.pareto_k = tail.k;
    estimate(sum_ - tail.raw + tail.sum, squares_ - tail.raw_squares + tail.squares, &s.smoothed_log_z,
             &s.smoothed_log_z_error, &s.smoothed_ess);
    s.reverse_kl = zeros_ ? kInfinity : mean_;
    s.reverse_kl_error = zeros_ ? kInfinity : std::sqrt(deviations_ / n / std::max(1.0, n - 1));
    return s;
  }
  bool empty() const { return sum_ == 0; }
  double high() const { return high_; }

 private:
  ParetoTail tail_;
  int64_t n_ = 0, zeros_ = 0;
  double high_ = -kInfinity, sum_ = 0, squares_ = 0;  // sums of powers of exp(log w - high)
  double mean_ = 0, deviations_ = 0;                  // mean and squared deviations of -log w (Welford 1962)
};

View part_of(const View& v, int64_t first, int64_t rows) {
  View p = v;
  p.data = static_cast<char*>(v.data) + first * v.stride[0] * size_of(v.dtype);
  p.shape[0] = rows;
  return p;
}

// Refuses log densities whose distance to the next float is so large that it would show in log Z.
void check_rounding(const Target& target, DType dtype, double log_p) {
  if (!target.rounds(dtype)) return;
  const float near = std::abs(static_cast<float>(log_p));
  const double step = std::nextafter(near, std::numeric_limits<float>::infinity()) - near;
  if (step < 0.25) return;
  fail(Code::numeric,
       "the target's log density is about %g, where float32 has steps of %g, so log Z would be wrong: make the target "
       "with nf_target_create_callback_f64, subtract a constant from its log density, or use a float64 model",
       log_p, step);
}

// Evaluates the target on the rows of x, on all threads if the target allows it.
void evaluate(Executor& executor, const Target& target, const View& x, const View& context, const View& log_p) {
  const int64_t n = x.shape[0];
  if (!target.thread_safe()) return target.evaluate(x, context, log_p, {});
  executor.parallel_for(static_cast<uint32_t>((n + kPiece - 1) / kPiece), [&](uint32_t i) {
    const int64_t first = i * kPiece, rows = std::min(kPiece, n - first);
    target.evaluate(part_of(x, first, rows), context, part_of(log_p, first, rows), {});
  });
}

}  // namespace

ImportanceSummary importance(const Allocator& allocator, Executor& executor, Session& session, const Density& model,
                             const Target& target, uint64_t seed, uint64_t first, int64_t n, const View& context,
                             const View& x, const View& log_weight) {
  const int64_t chunk = std::min(n, kChunk), d = model.columns(), size = size_of(model.dtype());
  const int64_t row = checked_mul(d + 1, size) + int64_t{sizeof(double)};
  const Buffer memory(allocator, static_cast<size_t>(checked_mul(chunk, row)), "samples to weigh");
  double* const densities = memory.as<double>();  // of the target
  char* const p = static_cast<char*>(static_cast<void*>(densities + chunk));
  const View rows = contiguous_view(p, model.dtype(), {chunk, d});
  const View log_q = contiguous_view(p + chunk * d * size, model.dtype(), {chunk});
  const View log_p = contiguous_view(densities, DType::f64, {chunk});
  Sums sums(allocator, n);
  double heaviest = 0;  // log density of the target at the sample of the largest weight
  for (int64_t at = 0, count; at < n; at += count) {
    count = std::min(chunk, n - at);
    const View xs = part_of(rows, 0, count), lq = part_of(log_q, 0, count), lp = part_of(log_p, 0, count);
    session.sample({seed, first + static_cast<uint64_t>(at)}, context, xs, lq);
    evaluate(executor, target, xs, context, lp);
    for (int64_t r = 0; r < count; ++r) {
      const double q = scalar_at(lq, r), t = scalar_at(lp, r);
      const auto number = static_cast<unsigned long long>(first + static_cast<uint64_t>(at + r));
      if (!std::isfinite(q)) fail(Code::numeric, "the model's log density of sample %llu is %g", number, q);
      if (!(t < kInfinity)) fail(Code::numeric, "the target's log density of sample %llu is %g", number, t);
      if (t - q > sums.high()) heaviest = t;
      sums.add(t - q);
      if (!log_weight.data) continue;
      char* out = static_cast<char*>(log_weight.data) + (at + r) * log_weight.stride[0] * size_of(log_weight.dtype);
      with_dtype(log_weight.dtype, [&]<class T>() {
        const T w = static_cast<T>(t - q);
        std::copy_n(static_cast<const char*>(static_cast<const void*>(&w)), sizeof w, out);
      });
    }
    if (x.data) copy_rows(xs, part_of(x, at, count));
  }
  if (sums.empty())
    fail(Code::numeric, "the density of the target is 0 at all %lld samples of the model", static_cast<long long>(n));
  check_rounding(target, model.dtype(), heaviest);
  return sums.summary();
}

ImportanceSummary posterior_importance(const Allocator& allocator, Session& session, uint64_t seed, uint64_t first,
                                       int64_t n, const View& x, const View& context, const View& z,
                                       const View& log_weight) {
  const int64_t chunk = std::min(n, kChunk);
  const Buffer memory(allocator, static_cast<size_t>(chunk) * sizeof(double), "weights of draws");
  const View weights = contiguous_view(memory.as<double>(), DType::f64, {chunk});
  Sums sums(allocator, n);
  for (int64_t at = 0, count; at < n; at += count) {
    count = std::min(chunk, n - at);
    const View w = part_of(weights, 0, count);
    session.sample_posterior({seed, first + static_cast<uint64_t>(at)}, x, context,
                             z.data ? part_of(z, at, count) : View{}, w);
    for (int64_t r = 0; r < count; ++r) {
      const double log_w = scalar_at(w, r);
      if (!(log_w < kInfinity))
        fail(Code::numeric, "the log weight of draw %llu is %g",
             static_cast<unsigned long long>(first + static_cast<uint64_t>(at + r)), log_w);
      sums.add(log_w);
    }
    if (log_weight.data) copy_rows(w, part_of(log_weight, at, count));
  }
  if (sums.empty())
    fail(Code::numeric, "log p(x | z) is -infinity at all %lld draws: %s", static_cast<long long>(n),
         "the row is outside the support of the likelihood, or numbers overflowed");
  return sums.summary();
}

void importance_mean(const View& log_weight, const View& values, const View& mean, const View& error) {
  const int64_t n = values.shape[0], k = values.shape[1];
  double high = -kInfinity;
  for (int64_t i = 0; i < n; ++i) {
    const double w = scalar_at(log_weight, i);
    if (!(w < kInfinity)) fail(Code::numeric, "log_weight[%lld] is %g", static_cast<long long>(i), w);
    high = std::max(high, w);
  }
  if (high == -kInfinity) fail(Code::numeric, "all %lld weights are 0", static_cast<long long>(n));
  const auto weight = [&](int64_t i) { return std::exp(scalar_at(log_weight, i) - high); };
  const auto column = [&](int64_t j) {
    View v = values;
    v.data = static_cast<char*>(values.data) + j * values.stride[1] * size_of(values.dtype);
    v.shape = {n};
    return v;
  };
  const auto put = [](const View& v, int64_t j, double value) {
    View one = v;
    one.data = static_cast<char*>(v.data) + j * v.stride[0] * size_of(v.dtype);
    one.shape = {1};
    copy_rows(contiguous_view(&value, DType::f64, {1}), one);
  };
  // The first pass only checks, so nothing is written on error.
  for (const bool write : {false, true}) {
    for (int64_t j = 0; j < k; ++j) {
      const View v = column(j);
      double sum = 0, weighted = 0, squares = 0;
      for (int64_t i = 0; i < n; ++i) {
        const double w = weight(i), g = scalar_at(v, i);
        if (!std::isfinite(g))
          fail(Code::numeric, "values[%lld, %lld] is %g", static_cast<long long>(i), static_cast<long long>(j), g);
        sum += w;
        weighted += w * g;
      }
      const double center = weighted / sum;
      if (!write) continue;
      for (int64_t i = 0; i < n; ++i) {
        const double off = weight(i) / sum * (scalar_at(v, i) - center);
        squares += off * off;
      }
      put(mean, j, center);
      if (error.data) put(error, j, std::sqrt(squares));
    }
  }
}

}  // namespace libnf
