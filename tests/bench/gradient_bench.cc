// Gradients by rows beside the values they belong to, on one thread: log_prob of one row from views and as
// nf_log_prob_row, nf_log_prob_grad of one row, both of 10,000 rows, and pulls and pushes of 1,000. `ratio` is the time
// of a case over that of log_prob of as many rows, measured in turns with it in the same run.
// Times are CPU times of the thread.
#include <benchmark/benchmark.h>
#include <nf/nf.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace libnf::bench {
namespace {

const char kToy[] =
    R"({"event": [2], "layers": [{"repeat": 8, "layers": [
        {"type": "affine_coupling", "net": {"type": "residual", "hidden": [64], "blocks": 1}}, {"type": "reverse"}]}]})";
const char kPower[] =
    R"({"event": [6], "layers": [{"repeat": 10, "layers": [
        {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [128, 128]}}, {"type": "reverse"}]}]})";
const char kMaf[] =
    R"({"event": [43], "layers": [{"repeat": 5, "layers": [
        {"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [512, 512]}}, {"type": "reverse"}]}]})";
const char kNsf[] =
    R"({"event": [6], "layers": [{"repeat": 5, "layers": [
        {"type": "lu_linear"},
        {"type": "spline_coupling", "mask": "alternating", "net": {"type": "residual", "hidden": [256], "blocks": 2},
         "bins": 8},
        {"type": "lu_linear"},
        {"type": "spline_coupling", "mask": "alternating", "swap": true, "bins": 8,
         "net": {"type": "residual", "hidden": [256], "blocks": 2}}]}]})";
const char kNsfAr[] =
    R"({"event": [6], "layers": [{"repeat": 10, "layers": [
        {"type": "spline_autoregressive", "bins": 8, "net": {"type": "mlp", "hidden": [256, 256]}}, {"type": "reverse"}]}]})";

void check(nf_status s, const nf_error& e) {
  if (s != NF_OK) throw std::runtime_error(e.message);
}

class Gradients {
 public:
  Gradients(const char* spec, int64_t rows) : rows_(rows) {
    nf_error e = NF_ERROR_INIT;
    nf_options *one = nullptr, *at_once = nullptr;
    check(nf_options_create(&one, &e), e);
    check(nf_options_create(&at_once, &e), e);
    check(nf_options_set_i64(one, "runtime.threads", 1, &e), e);
    check(nf_options_set(at_once, "session.gradients", "true", &e), e);
    check(nf_runtime_create(one, nullptr, nullptr, nullptr, nullptr, &runtime_, &e), e);
    check(nf_model_create(runtime_, spec, NF_TEXT, 1, &model_, &e), e);
    check(nf_session_create(model_, at_once, &session_, &e), e);
    nf_options_free(one);
    nf_options_free(at_once);
    nf_model_info info = NF_MODEL_INFO_INIT;
    check(nf_model_get_info(model_, &info, &e), e);
    event_ = info.event_size;
    for (int64_t i = 0; i < rows * event_; ++i) {
      x_.push_back(static_cast<float>(std::sin(0.37 * static_cast<double>(i))));
      wide_.push_back(x_.back());
    }
    y_ = dx_ = x_;
    lp_.resize(static_cast<size_t>(rows));
    log_det_.assign(static_cast<size_t>(rows), 1.0f);
  }
  ~Gradients() {
    nf_session_free(session_);
    nf_model_free(model_);
    nf_runtime_free(runtime_);
  }
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  void log_prob() {
    const nf_view x = nf_rows_f32(x_.data(), rows_, event_);
    const nf_out lp = nf_out_vec_f32(lp_.data(), rows_);
    done(nf_log_prob(session_, &x, nullptr, &lp, &e_));
  }
  void log_prob_row() {
    double lp;
    done(nf_log_prob_row(session_, wide_.data(), nullptr, &lp, &e_));
    benchmark::DoNotOptimize(lp);
  }
  void log_prob_grad() {
    const nf_view x = nf_rows_f32(x_.data(), rows_, event_);
    const nf_out lp = nf_out_vec_f32(lp_.data(), rows_), dx = nf_out_rows_f32(dx_.data(), rows_, event_);
    done(nf_log_prob_grad(session_, &x, nullptr, &lp, &dx, nullptr, &e_));
  }
  void vjp(nf_direction direction) {
    const nf_view x = nf_rows_f32(x_.data(), rows_, event_), l = nf_vec_f32(log_det_.data(), rows_);
    const nf_out y = nf_out_rows_f32(y_.data(), rows_, event_), dx = nf_out_rows_f32(dx_.data(), rows_, event_);
    done(nf_vjp(session_, direction, &x, nullptr, &x, &l, &y, nullptr, &dx, nullptr, &e_));
  }
  void jvp(nf_direction direction) {
    const nf_view x = nf_rows_f32(x_.data(), rows_, event_);
    const nf_out y = nf_out_rows_f32(y_.data(), rows_, event_), dx = nf_out_rows_f32(dx_.data(), rows_, event_);
    done(nf_jvp(session_, direction, &x, nullptr, &x, nullptr, &y, nullptr, &dx, nullptr, &e_));
  }

 private:
  void done(nf_status s) { check(s, e_); }
  nf_error e_ = NF_ERROR_INIT;
  int64_t rows_, event_ = 0;
  nf_runtime* runtime_ = nullptr;
  nf_model* model_ = nullptr;
  nf_session* session_ = nullptr;
  std::vector<float> x_, y_, dx_, lp_, log_det_;
  std::vector<double> wide_;
};

// The median of the ratios of one call of `f` and one of `base`, which take turns: the speed of the machine drifts.
void measure(benchmark::State& state, const std::function<void()>& f, const std::function<void()>& base) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const auto seconds = [&](const std::function<void()>& call) {
    const double begin = now();
    call();
    return now() - begin;
  };
  for (int i = 0; i < 3; ++i) f(), base();
  std::vector<double> ratios, base_seconds;
  for (auto _ : state) {
    const double t = seconds(f), b = seconds(base);
    state.SetIterationTime(t);
    ratios.push_back(t / b);
    base_seconds.push_back(b);
  }
  const auto median = [](std::vector<double>& v) {
    std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
    return v[v.size() / 2];
  };
  state.counters["ratio"] = median(ratios);
  state.counters["log_prob_us"] = 1e6 * median(base_seconds);
}

void row(benchmark::State& state, const char* spec) {
  Gradients g(spec, 1);
  measure(
      state, [&] { g.log_prob_row(); }, [&] { g.log_prob(); });
}
void grad(benchmark::State& state, const char* spec, int64_t rows) {
  Gradients g(spec, rows);
  measure(
      state, [&] { g.log_prob_grad(); }, [&] { g.log_prob(); });
}
void vjp(benchmark::State& state, const char* spec, nf_direction direction) {
  Gradients g(spec, 1000);
  measure(
      state, [&] { g.vjp(direction); }, [&] { g.log_prob(); });
}
void jvp(benchmark::State& state, const char* spec, nf_direction direction) {
  Gradients g(spec, 1000);
  measure(
      state, [&] { g.jvp(direction); }, [&] { g.log_prob(); });
}

#define NF_GRADIENTS(name, spec)                                                                            \
  BENCHMARK_CAPTURE(row, name, spec)->UseManualTime()->Unit(benchmark::kMicrosecond);                       \
  BENCHMARK_CAPTURE(grad, name##_1, spec, 1)->UseManualTime()->Unit(benchmark::kMicrosecond);               \
  BENCHMARK_CAPTURE(grad, name##_10000, spec, 10000)->UseManualTime()->Unit(benchmark::kMicrosecond);       \
  BENCHMARK_CAPTURE(vjp, name##_inverse, spec, NF_INVERSE)->UseManualTime()->Unit(benchmark::kMicrosecond); \
  BENCHMARK_CAPTURE(jvp, name##_forward, spec, NF_FORWARD)->UseManualTime()->Unit(benchmark::kMicrosecond);
NF_GRADIENTS(realnvp_toy, kToy)
NF_GRADIENTS(realnvp_power, kPower)
NF_GRADIENTS(maf, kMaf)
NF_GRADIENTS(nsf, kNsf)
NF_GRADIENTS(nsf_autoregressive, kNsfAr)
#undef NF_GRADIENTS

}  // namespace
}  // namespace libnf::bench
