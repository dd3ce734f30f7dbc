// Splines: time per element of the kernels, for 64 rows of 8 bins in float32.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "runtime/kernel/spline.h"
#include "runtime/kernel/spline_pieces.h"

namespace libnf::bench {
namespace {

constexpr int64_t kRows = 64, kBins = 8;

struct Rows {
  std::vector<float> in, params, out, log_det, g, g_in, g_params;
  kernel::SplineBox box;
  Rows()
      : in(kRows),
        params(kRows * (3 * kBins + 1)),
        out(kRows),
        log_det(kRows),
        g(kRows, 1),
        g_in(kRows),
        g_params(params.size()) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& v : in) v = normal(random);
    for (float& v : params) v = normal(random);
  }
  kernel::SplineRows<float> rows() const { return {kRows, in.data(), params.data(), kRows}; }
};

// Arguments: inverse, gradient.
void rational(benchmark::State& state) {
  Rows r;
  kernel::SplineShape shape;
  shape.bins = kBins;
  const bool inverse = state.range(0);
  for (auto _ : state) {
    if (state.range(1))
      kernel::rational_spline_grad<float>(shape, r.box, inverse, r.rows(), r.g.data(), r.g.data(), r.g_in.data(),
                                          r.g_params.data());
    else
      kernel::rational_spline<float>(shape, r.box, inverse, r.rows(), r.out.data(), r.log_det.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}

// The same with the kind of pieces in front.
void pieces(benchmark::State& state) {
  Rows r;
  kernel::PiecesShape shape;
  shape.pieces = static_cast<kernel::SplinePieces>(state.range(0));
  shape.bins = kBins;
  const bool inverse = state.range(1);
  for (auto _ : state) {
    if (state.range(2))
      kernel::pieces_spline_grad<float>(shape, r.box, inverse, r.rows(), r.g.data(), r.g.data(), r.g_in.data(),
                                        r.g_params.data());
    else
      kernel::pieces_spline<float>(shape, r.box, inverse, r.rows(), r.out.data(), r.log_det.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}

BENCHMARK(rational)->ArgsProduct({{0, 1}, {0, 1}})->ArgNames({"inverse", "grad"});
BENCHMARK(pieces)->ArgsProduct({{0, 1, 2}, {0, 1}, {0, 1}})->ArgNames({"pieces", "inverse", "grad"});

}  // namespace
}  // namespace libnf::bench
