// Splines of columns (src/net/spline_column.h) against golden vectors of group 05 (nflows, normflows; float64), with
// separate parameters for every row and column: values, log-determinants, inverses, and gradients of the input and of
// all raw parameters, in both dtypes.
#include <gtest/gtest.h>

#include <numeric>

#include "src/net/spline_column.h"
#include "tests/support/flow_case.h"
#include "tests/support/golden.h"

namespace libnf::test {
namespace {

using Names = std::vector<std::string>;

template <class T>
class SplineColumnGolden : public testing::Test {
 protected:
  // `parts` are the tensors [n, D, .] that form the parameters of a column, in this order.
  void check(const char* name, const SplineConfig& config, const Names& parts) {
    SCOPED_TRACE(name);
    const Golden g = Golden::load(name);
    const int64_t n = g["x"].rows(), event = g["x"].cols();
    std::vector<ParamInfo> none;
    const SplineColumn column(config, Declare(none, "", event, 0, 0));
    const Values h = joined(g, parts, "");
    ASSERT_EQ(static_cast<int64_t>(h.size()), n * event * column.per());

    const Mapping there = run(column, g["x"].data, h, n, {g["cot_z"].data, g["cot_log_det"].data}, false);
    const double lost = sizeof(T) == 4 ? 10 * g.number("float32_log_det_err") : 0;
    const double log_det_tolerance = std::max(golden_tolerance<T>, lost);
    expect_close(there.y, g["z"], golden_tolerance<T>, "z");
    expect_close(there.log_det, g["log_det"], log_det_tolerance, "log_det");
    expect_close(there.gx, g["grad.x"], std::max(golden_grad_tolerance<T>, lost), "grad.x");
    expect_close(there.gh, joined(g, parts, "grad."), std::max(golden_grad_tolerance<T>, lost), "grad of parameters");

    // The inverse is as exact as the slope permits, so it is compared with x itself instead of their inverse.
    const Mapping back = run(column, g["z"].data, h, n, {}, true);
    double least = 0;
    for (const double l : g["log_det"].data) least = std::min(least, l);
    const double tolerance = sizeof(T) == 4 ? 1e-5 * std::exp(-least) : kGoldenF64;
    expect_close(back.y, g["x"], std::min(tolerance, 2e-3), "x_back");
    Values opposite = g["log_det"].data;
    for (double& l : opposite) l = -l;
    expect_close(back.log_det, opposite, sizeof(T) == 4 ? 1e-2 : kGoldenF64, "log_det of the inverse");
  }

 private:
  struct Mapping {
    Values y, log_det, gx, gh;
  };

  static Values joined(const Golden& g, const Names& parts, const std::string& prefix) {
    const GoldenTensor& first = g[prefix + parts[0]];
    const int64_t splines = first.shape[0] * first.shape[1];
    Values h;
    for (int64_t s = 0; s < splines; ++s)
      for (const std::string& p : parts) {
        const GoldenTensor& t = g[prefix + p];
        const int64_t k = t.shape[2];
        h.insert(h.end(), t.data.begin() + s * k, t.data.begin() + (s + 1) * k);
      }
    return h;
  }

  static Mapping run(const SplineColumn& column, const Values& x, const Values& h, int64_t n, const MappedValues& cot,
                     bool inverse) {
    Tape t(system_allocator(), dtype_of<T>);
    const auto leaf = [&](const Values& v) {
      Var node = t.empty({n, static_cast<int64_t>(v.size()) / n});
      std::copy(v.begin(), v.end(), node->out.template as<T>());
      node->needs_grad = !cot.y.empty();
      return node;
    };
    Var xv = leaf(x), hv = leaf(h);
    std::vector<int32_t> all(x.size() / static_cast<size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    const Mapped m = couple_columns(t, column, all.data(), static_cast<int64_t>(all.size()), xv, hv, inverse);
    Mapping r{values_of<T>(m.y->out), values_of<T>(m.log_det->out), {}, {}};
    if (cot.y.empty()) return r;
    std::copy(cot.y.begin(), cot.y.end(), t.grad(*m.y).template as<T>());
    std::copy(cot.log_det.begin(), cot.log_det.end(), t.grad(*m.log_det).template as<T>());
    t.backward();
    r.gx = values_of<T>(t.grad(*xv));
    r.gh = values_of<T>(t.grad(*hv));
    return r;
  }
};

using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(SplineColumnGolden, Types);

SplineConfig config_of(const char* name, SplineTailsKind tails) {
  const Golden g = Golden::load(name);
  SplineConfig c;
  c.bins = static_cast<int64_t>(g.number("bins"));
  c.tails = tails;
  c.convention = SplineConvention::nflows;
  if (g.has_meta("tail_bound"))
    c.bound = g.number("tail_bound");
  else
    c.interval = {0, 1};
  return c;
}

const Names kRational = {"unnormalized_widths", "unnormalized_heights", "unnormalized_derivatives"};

TYPED_TEST(SplineColumnGolden, RationalQuadratic) {
  this->check("05_rqs_linear_tails", config_of("05_rqs_linear_tails", SplineTailsKind::linear), kRational);
  this->check("05_rqs_unit", config_of("05_rqs_unit", SplineTailsKind::none), kRational);
  this->check("05_rqs_circular", config_of("05_rqs_circular", SplineTailsKind::circular), kRational);
}

TYPED_TEST(SplineColumnGolden, RationalQuadraticFromTheIdentity) {
  SplineConfig c = config_of("05_rqs_unit_identity_init", SplineTailsKind::none);
  c.convention = SplineConvention::identity;
  this->check("05_rqs_unit_identity_init", c, kRational);
}

TYPED_TEST(SplineColumnGolden, LinearQuadraticCubic) {
  const Names cubic = {"unnormalized_widths", "unnormalized_heights", "unnorm_derivatives_left",
                       "unnorm_derivatives_right"};
  for (const auto& [name, kind, parts] :
       {std::tuple<std::string, SplineKind, Names>{"linear", SplineKind::linear, {"unnormalized_pdf"}},
        {"quadratic", SplineKind::quadratic, {"unnormalized_widths", "unnormalized_heights"}},
        {"cubic", SplineKind::cubic, cubic}})
    for (const bool tails : {false, true}) {
      const std::string file = "05_spline_" + name + (tails ? "_tails" : "_unit");
      SplineConfig c = config_of(file.c_str(), tails ? SplineTailsKind::linear : SplineTailsKind::none);
      c.kind = kind;
      if (kind == SplineKind::linear) c.min_bin_height = 0;  // there are no such bounds for it
      if (kind == SplineKind::cubic) c.min_derivative = 0;
      this->check(file.c_str(), c, parts);
    }
}

}  // namespace
}  // namespace libnf::test
