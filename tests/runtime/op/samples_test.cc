// Tangents of samples: those of a mixture belong to the implicit map that its gradient belongs to, so that
// <cotangent, J v> = <J' cotangent, v>.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "runtime/op/mixture.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

TEST(MixtureSample, TangentIsThatOfTheGradient) {
  constexpr int64_t n = 6, components = 3;
  for (const int64_t d : {1, 2, 4})
    for (const bool per_row : {false, true}) {
      std::mt19937_64 random(static_cast<uint64_t>(d));
      Tape t(system_allocator(), DType::f64);
      t.random.seed = 5;
      const Dims shapes[] = {per_row ? Dims{n, components} : Dims{components},
                             per_row ? Dims{n, components * d} : Dims{components * d},
                             per_row ? Dims{n, components * d} : Dims{components * d}};
      Values values[3], along[3];
      Var in[3], v[3];
      for (int i = 0; i < 3; ++i) {
        values[i] = draw_normal(shapes[i].count(), random);
        along[i] = draw_normal(shapes[i].count(), random);
        if (i == 2)
          for (double& s : values[i]) s *= 0.3;
        in[i] = t.input(contiguous_view(values[i].data(), DType::f64, shapes[i]), true);
        v[i] = t.input(contiguous_view(along[i].data(), DType::f64, shapes[i]), false);
      }
      Var z = mixture_sample(t, n, d, in[0], in[1], in[2]);
      Values cot = draw_normal(n * d, random);
      const Node* stop = nullptr;
      double forward[3], reverse[3];
      for (int i = 0; i < 3; ++i) {
        Var dz = jvp(t, z, in[i], v[i]);
        ASSERT_NE(dz, nullptr);
        const Values tangent = values_of<double>(dz->out);
        forward[i] = 0;
        for (size_t k = 0; k < cot.size(); ++k) forward[i] += cot[k] * tangent[k];
      }
      double* seed = t.grad(*z).as<double>();
      for (size_t k = 0; k < cot.size(); ++k) seed[k] += cot[k];
      t.backward(stop);
      for (int i = 0; i < 3; ++i) {
        const Values g = values_of<double>(t.grad(*in[i]));
        reverse[i] = 0;
        for (size_t k = 0; k < g.size(); ++k) reverse[i] += g[k] * along[i][k];
        EXPECT_NEAR(forward[i], reverse[i], 1e-9 * std::max(1.0, std::abs(reverse[i]))) << "input " << i << ", d " << d;
      }
    }
}

}  // namespace
}  // namespace libnf::test
