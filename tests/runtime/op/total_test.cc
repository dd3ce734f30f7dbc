// Every op with bad numbers and bad shapes, and that a row's result is a function of that row alone.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "runtime/op/registry.h"
#include "tests/support/op_check.h"

namespace libnf::test {
namespace {

const Sizes kSizes = {{'n', 5}, {'d', 4}, {'m', 3}, {'c', 2}, {'e', 6}};
constexpr int64_t kRows = 5;

template <class T>
class Rows {
 public:
  explicit Rows(const OpCase& c) : c_(c) {}

  bool by_row(int i) const { return c_.in[i].dims[0] == 'n'; }

  // Returns whether the op maps rows to rows: the first extent of its first input and of its outputs is n.
  bool applies(const Problem& p) {
    if (!p.inputs() || !by_row(0)) return false;
    const Result r = runner.run(p);
    return r.y_shape.rank > 0 && r.y_shape[0] == kRows && std::strchr(c_.in[0].dims + 1, 'n') == nullptr;
  }

  // Returns the elements of row r.
  static Values row(const Values& v, int64_t r) {
    const auto size = static_cast<int64_t>(v.size()) / kRows;
    return Values(v.begin() + r * size, v.begin() + (r + 1) * size);
  }

  Problem alone(const Problem& p, int64_t r) const {
    Problem one = p;
    for (int i = 0; i < p.inputs(); ++i) {
      if (!by_row(i)) continue;
      const auto k = static_cast<size_t>(i);
      one.x[k] = row(p.x[k], r);
      one.shape[k].d[0] = 1;
    }
    return one;
  }

  Runner<T> runner;

 private:
  const OpCase& c_;
};

Values ones(size_t n) { return Values(n, 1.0); }

// Compares bits, except for the sign and payload of a NaN.
bool equal(const Values& a, const Values& b) { return bool(same(a, b, 0)); }

class AnyOp : public testing::TestWithParam<const OpCase*> {
 protected:
  const OpCase& c_ = *GetParam();
  std::mt19937_64 random_{77};

  template <class T>
  void rows_are_independent() {
    Rows<T> rows(c_);
    const Problem p(c_, kSizes, random_());
    if (!rows.applies(p)) return;
    const Result plain = rows.runner.run(p);
    const Cotangents cot = {draw_normal(static_cast<int64_t>(plain.y.size()), random_),
                            draw_normal(static_cast<int64_t>(plain.extra.size()), random_)};
    Options o;
    o.cotangents = &cot;
    const Result all = rows.runner.run(p, o);
    for (int64_t r = 0; r < kRows; ++r) {
      const Cotangents own = {rows.row(cot.y, r), rows.row(cot.extra, r)};
      o.cotangents = &own;
      o.first_row = r;
      const Result one = rows.runner.run(rows.alone(p, r), o);
      EXPECT_EQ(one.y, rows.row(all.y, r)) << "row " << r;
      EXPECT_EQ(one.extra, rows.row(all.extra, r)) << "row " << r;
      for (int i = 0; i < p.inputs(); ++i) {
        if (!rows.by_row(i) || !p.differentiable(i)) continue;
        EXPECT_EQ(one.grad[static_cast<size_t>(i)], rows.row(all.grad[static_cast<size_t>(i)], r)) << "row " << r;
      }
    }
  }

  // A bad number in one row leaves other rows unchanged; NaN reaches every output that depends on it.
  template <class T>
  void bad_numbers() {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    Rows<T> rows(c_);
    const Problem p(c_, kSizes, random_());
    const Result before = rows.runner.run(p);
    const bool by_rows = rows.applies(p);
    const Cotangents cot = {ones(before.y.size()), ones(before.extra.size())};
    Options o;
    o.cotangents = &cot;
    const Result plain = rows.runner.run(p, o);
    const double bad[] = {std::nan(""), kInf, -kInf, 1e38, -1e38, 1e300, -1e300, 1e-40, 5e-324, -0.0};
    for (size_t i = 0; i < p.x.size(); ++i) {
      for (size_t k = 0; k < p.x[i].size(); k += 3) {
        const auto r = static_cast<int64_t>(k / std::max<size_t>(1, p.x[i].size() / kRows));
        Problem moved = p;
        moved.x[i][k] = p.x[i][k] * 0.9375;
        const Result near = rows.runner.run(moved);
        for (double value : bad) {
          moved.x[i][k] = value;
          const Result bad_result = rows.runner.run(moved, o);
          if (std::isnan(value)) {
            for (size_t j = 0; j < before.y.size(); ++j)
              EXPECT_TRUE(near.y[j] == before.y[j] || std::isnan(bad_result.y[j]))
                  << "y " << j << " depends on element " << k << " of input " << i;
            for (size_t j = 0; j < before.extra.size(); ++j)
              EXPECT_TRUE(near.extra[j] == before.extra[j] || std::isnan(bad_result.extra[j])) << "extra " << j;
          }
          if (!by_rows || !rows.by_row(static_cast<int>(i))) continue;
          for (int64_t other = 0; other < kRows; ++other) {
            if (other == r) continue;
            EXPECT_TRUE(equal(rows.row(bad_result.y, other), rows.row(plain.y, other))) << value << " in row " << r;
            EXPECT_TRUE(equal(rows.row(bad_result.extra, other), rows.row(plain.extra, other))) << value;
            for (size_t g = 0; g < p.x.size(); ++g) {
              if (!rows.by_row(static_cast<int>(g)) || !p.differentiable(static_cast<int>(g))) continue;
              EXPECT_TRUE(equal(rows.row(bad_result.grad[g], other), rows.row(plain.grad[g], other)))
                  << value << " in row " << r << " of input " << i << ", gradient of input " << g;
            }
          }
        }
      }
    }
  }
};

TEST_P(AnyOp, RowsAreIndependent) {
  rows_are_independent<float>();
  rows_are_independent<double>();
}

TEST_P(AnyOp, BadNumbersStayInTheirRow) {
  bad_numbers<float>();
  bad_numbers<double>();
}

// Tries every input with one more element along an axis, without its last axis, and with one more axis: the op either
// accepts the shape or reports an error. An extent that two inputs share cannot change in only one of them.
TEST_P(AnyOp, WrongShapesAreErrors) {
  const Problem p(c_, kSizes, random_());
  const auto attempt = [&](int i, const Dims& shape, bool must_fail) {
    Problem wrong = p;
    const auto k = static_cast<size_t>(i);
    wrong.shape[k] = shape;
    wrong.x[k].assign(static_cast<size_t>(shape.count()), 0.5);
    Runner<double> runner;
    try {
      runner.run(wrong);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::shape) << e.what();
      const std::string message = e.what(), op = message.substr(0, message.find(':'));
      EXPECT_TRUE(!op.empty() && op.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789") == std::string::npos)
          << "no op is named by: " << message;
      return;
    }
    EXPECT_FALSE(must_fail) << "input " << i << " of shape " << to_string(shape) << " was accepted";
  };
  for (int i = 0; i < p.inputs(); ++i) {
    const Dims& shape = p.shape[static_cast<size_t>(i)];
    for (int axis = 0; axis < shape.rank; ++axis) {
      const char letter = c_.in[i].dims[axis];
      bool shared = false;
      for (int j = 0; j < p.inputs(); ++j) shared |= j != i && letter >= 'a' && std::strchr(c_.in[j].dims, letter);
      Dims longer = shape;
      ++longer.d[axis];
      attempt(i, longer, shared);
    }
    if (shape.rank > 0) {
      Dims shorter = shape;
      shorter.d[--shorter.rank] = 0;
      attempt(i, shorter, false);
    }
    if (shape.rank < kMaxRank) {
      Dims higher = shape;
      higher.d[higher.rank++] = 2;
      attempt(i, higher, false);
    }
  }
}

std::vector<const OpCase*> all_cases() {
  std::vector<const OpCase*> all;
  for (const OpFamily* family : op_families())
    for (int i = 0; i < family->n_cases; ++i) all.push_back(&family->cases[i]);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Registry, AnyOp, testing::ValuesIn(all_cases()),
                         [](const auto& info) { return std::string(info.param->name); });

}  // namespace
}  // namespace libnf::test
