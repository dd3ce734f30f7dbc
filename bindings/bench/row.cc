// Times one-row log_prob through nf.hpp beside the same call in C, in turn; overhead.py builds and runs it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nf/nf.hpp>

namespace {

constexpr int kCalls = 200, kRounds = 2000;

template <class F>
double ns(F call) {
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) call();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begun).count() / kCalls;
}

}  // namespace

int main() {
  nf::Model model(R"({"event": 2, "layers": [{"repeat": 2, "layers": [
      {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [4]}}, {"type": "reverse"}]}]})",
                  1);
  nf::Session session(model, {{"session.threads", 1}});
  const double x[2] = {0.3, -0.2};
  double row_c = 1e30, row = 1e30, views_c = 1e30, views = 1e30, sum = 0;
  const float rows[2] = {0.3f, -0.2f};
  float out[1];
  for (int i = 0; i < kRounds; ++i) {
    row_c = std::min(row_c, ns([&] {
                       double value;
                       nf_error err = NF_ERROR_INIT;
                       if (nf_log_prob_row(session.get(), x, nullptr, &value, &err) == NF_OK) sum += value;
                     }));
    row = std::min(row, ns([&] { sum += session.log_prob_row(x); }));
    views_c = std::min(views_c, ns([&] {
                         const nf_view v = nf_rows_f32(rows, 1, 2);
                         const nf_out o = nf_out_vec_f32(out, 1);
                         nf_error err = NF_ERROR_INIT;
                         if (nf_log_prob(session.get(), &v, nullptr, &o, &err) == NF_OK) sum += out[0];
                       }));
    views = std::min(views, ns([&] {
                       session.log_prob_into(nf::Out(out, 1), nf::View(rows, 1, 2));
                       sum += out[0];
                     }));
  }
  std::printf("log_prob_row: C %.0f ns, C++ %+.1f %%; log_prob by views: C %.0f ns, C++ %+.1f %% (%g)\n", row_c,
              100 * (row / row_c - 1), views_c, 100 * (views / views_c - 1), sum);
}
