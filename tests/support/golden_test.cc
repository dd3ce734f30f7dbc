// Tests that the comparison used by every golden test can fail.
#include "tests/support/golden.h"

#include <cmath>
#include <limits>
#include <stdexcept>

namespace libnf::test {
namespace {

TEST(Golden, ReadsTensorsAndMetadata) {
  const Golden g = Golden::load("12_opt_adam");
  EXPECT_EQ(g.meta("optimizer"), "Adam");
  EXPECT_EQ(g.numbers("betas"), (std::vector<double>{0.9, 0.999}));
  EXPECT_EQ(g.number("no_such_key", 7), 7);
  EXPECT_FALSE(g.flag("amsgrad"));
  EXPECT_EQ(g["params"].shape, (std::vector<int64_t>{21, 6}));
  EXPECT_EQ(g["params"].row(20).size(), 6u);
  EXPECT_EQ(g["params"].row(20)[5], g["params"].data[21 * 6 - 1]);
}

TEST(Golden, SaysWhatIsMissing) {
  const Golden g = Golden::load("12_opt_adam");
  EXPECT_THROW(g["nothing"], std::runtime_error);
  EXPECT_THROW(g.meta("nothing"), std::runtime_error);
  EXPECT_THROW(g.number("optimizer"), std::runtime_error);
  EXPECT_THROW(g["params"].row(21), std::out_of_range);
  EXPECT_THROW(g["params"].item(), std::out_of_range);
  EXPECT_THROW(Golden::load("no_such_case"), std::runtime_error);
  EXPECT_TRUE(Golden::names("no_such_case").empty());
  EXPECT_FALSE(Golden::names("12_opt_").empty());
}

TEST(Golden, ClosenessIsRelativeAboveOneAndAbsoluteBelow) {
  const std::vector<double> expected = {1000, 0.001};
  EXPECT_TRUE(is_close(std::vector<double>{1000.9e-3 * 1000, 0.0018}, expected, 1e-3));
  const auto far = is_close(std::vector<double>{1002, 0.001}, expected, 1e-3);
  EXPECT_FALSE(far);
  EXPECT_NE(std::string(far.message()).find("worst is [0]"), std::string::npos) << far.message();
  EXPECT_FALSE(is_close(std::vector<float>{1000, 0.003f}, expected, 1e-3));
}

TEST(Golden, ClosenessFailsOnNanSizeAndNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = INFINITY;
  EXPECT_FALSE(is_close(std::vector<double>{nan}, std::vector<double>{nan}, 1.0));
  EXPECT_FALSE(is_close(std::vector<double>{nan}, std::vector<double>{0}, 1.0));
  EXPECT_TRUE(is_close(std::vector<double>{inf}, std::vector<double>{inf}, 1e-9));
  EXPECT_FALSE(is_close(std::vector<double>{-inf}, std::vector<double>{inf}, 1e-9));
  EXPECT_FALSE(is_close(std::vector<double>{1, 1}, std::vector<double>{1}, 1.0));
  EXPECT_FALSE(is_close(std::vector<double>{}, std::vector<double>{}, 1.0));
}

}  // namespace
}  // namespace libnf::test
