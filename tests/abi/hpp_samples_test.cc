// nf.hpp: samples as a range, in loops of C++17 and as an input range of C++20.
#include <nf/nf.hpp>
#include <ranges>
#include <span>

#include "tests/abi/abi_support.h"

namespace abi_test {
namespace {

static_assert(std::ranges::input_range<nf::Samples<float>> && std::ranges::viewable_range<nf::Samples<double>>);
static_assert(std::ranges::contiguous_range<nf::Row<float>> && std::ranges::sized_range<nf::Row<float>>);
static_assert(std::is_constructible_v<nf::View, nf::Row<float>> && !std::is_constructible_v<nf::Out, nf::Row<float>>);

class HppSamples : public testing::Test {
 protected:
  nf::Model m{kSpec, 1};
  nf::Session s{m};
};

TEST_F(HppSamples, BitsOfTheSameSamplesInOneCall) {
  for (const int64_t n : {1, 8, 9, 24, 25, 1000}) {
    std::vector<double> all;
    for (const nf::Row<double> row : s.samples<double>(n, {7, 3})) all.insert(all.end(), row.begin(), row.end());
    EXPECT_EQ(all, s.sample<double>(n, {7, 3})) << n;
  }
  for (const nf::Row<float> row : s.samples(0, 7)) ADD_FAILURE() << row[0];
}

TEST_F(HppSamples, Ranges) {
  const std::vector<float> all = s.sample(400, 7);
  const auto right = [](nf::Row<float> row) { return row[0] > 0; };
  std::vector<float> kept, wanted;
  for (const std::span<const float> row : s.samples(1 << 30, 7) | std::views::filter(right) | std::views::take(100))
    kept.insert(kept.end(), row.begin(), row.end());
  for (size_t i = 0; i < 400 && wanted.size() < 200; ++i)
    if (all[2 * i] > 0) wanted.insert(wanted.end(), {all[2 * i], all[2 * i + 1]});
  EXPECT_EQ(kept, wanted);
}

TEST_F(HppSamples, OneContextForAll) {
  nf::Model conditional(
      R"({"event": 2, "context": 3, "base": {"type": "diagonal_normal", "parameters": "context", "hidden": [4]},
                            "layers": [{"type": "reverse"}]})",
      1);
  nf::Session c(conditional);
  const std::vector<float> one = {1, 2, 3}, eight(24, 1.f);
  std::vector<float> all;
  for (const nf::Row<float> row : c.samples(20, 7, nf::View(one, 3))) all.insert(all.end(), row.begin(), row.end());
  EXPECT_EQ(all, c.sample(20, 7, nf::View(one, 3)));
  const auto code = [&](const nf::Sampling& how, const nf::View& ctx) {
    try {
      for (const nf::Row<float> row : c.samples(20, how, ctx)) ADD_FAILURE() << "a row of " << row.size();
    } catch (const nf::Exception& e) {
      return e.status();
    }
    return nf_status{NF_OK};
  };
  EXPECT_EQ(code(7, nf::View(eight, 3)), NF_ERR_ARGUMENT) << "as many as the first block has rows";
  EXPECT_EQ(code({7, 0, 2}, nf::View(one, 3)), NF_ERR_ARGUMENT);
  EXPECT_EQ(code(7, {}), NF_ERR_ARGUMENT) << "no context";
}

}  // namespace
}  // namespace abi_test
