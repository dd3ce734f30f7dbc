// Convolutions at the shapes of image flows on one core, as fractions of the product's roof: forward, gradient of the
// input, gradient of the weights. Arguments: images, height = width, channels in, channels out, kernel.
#include <vector>

#include "runtime/op/conv_product.h"
#include "tests/bench/roof.h"

namespace libnf::bench {
namespace {

enum class Part { forward, input, weights };

template <Part part>
void conv(benchmark::State& state) {
  const int64_t n = state.range(0), size = state.range(1), in = state.range(2), out = state.range(3),
                kernel = state.range(4);
  ConvPlan plan;
  plan.in = in, plan.out = out;
  plan.map.height = plan.map.width = plan.map.out_h = plan.map.out_w = size;
  plan.map.kernel_h = plan.map.kernel_w = kernel;
  plan.map.top = plan.map.left = (kernel - 1) / 2;
  const int64_t rows = n * size * size;
  std::vector<float> x(static_cast<size_t>(rows * in), 0.5f), y(static_cast<size_t>(rows * out), 0.25f),
      w(static_cast<size_t>(plan.depth() * out), 0.125f);
  Tape t(system_allocator(), DType::f32);
  ConvInto<float> to;
  to.y = part == Part::forward ? y.data() : x.data();
  measure(state, 2.0 * static_cast<double>(rows * plan.depth() * out), 1, [&] {
    const TapeScope scope(t);
    if (part == Part::weights)
      conv_weights<float>(t, plan, n, x.data(), y.data(), w.data(), false);
    else
      conv_apply<float>(t, plan, part == Part::input, n, part == Part::forward ? x.data() : y.data(), w.data(), to);
    benchmark::ClobberMemory();
  });
}

void shapes(benchmark::internal::Benchmark* b) {
  for (const auto& s : {std::vector<int64_t>{8, 32, 6, 256, 3},  // Glow, CIFAR-10: three levels
                        {8, 16, 6, 256, 3},
                        {8, 16, 256, 256, 1},
                        {8, 16, 256, 12, 3},
                        {8, 8, 12, 256, 3},
                        {8, 8, 256, 24, 3},
                        {8, 4, 256, 256, 3},
                        {8, 8, 256, 256, 3},
                        {8, 28, 64, 32, 3},  // gated nets on MNIST
                        {8, 28, 64, 64, 1},
                        {8, 14, 96, 48, 3},
                        {8, 7, 128, 64, 3},
                        {8, 28, 64, 2, 3}})
    b->Args(s);
}

BENCHMARK(conv<Part::forward>)->Apply(shapes);
BENCHMARK(conv<Part::input>)->Apply(shapes);
BENCHMARK(conv<Part::weights>)->Apply(shapes);

}  // namespace
}  // namespace libnf::bench
