// Evaluates a test case of an op (runtime/op/family.h) on given values in either dtype and several memory layouts, with
// gradients for random cotangents, and computes five-point central differences to compare with.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "runtime/op/family.h"
#include "runtime/tape/tape.h"

namespace libnf {

// Lets GoogleTest print parameters by name; must be in the namespace of OpCase for argument-dependent lookup.
inline void PrintTo(const OpCase* c, std::ostream* os) { *os << c->name; }

}  // namespace libnf

namespace libnf::test {

using Values = std::vector<double>;
using Sizes = std::map<char, int64_t>;  // extents by letter

Dims dims_of(const OpInput& input, const Sizes& sizes);
int count_inputs(const OpCase& c);

// Draws values from a domain, representable in float32 so that both dtypes see the same numbers.
Values draw(Domain domain, int64_t count, std::mt19937_64& random);
Values draw_normal(int64_t count, std::mt19937_64& random);

// A case with concrete inputs.
struct Problem {
  const OpCase* c;
  std::vector<Dims> shape;
  std::vector<Values> x;

  Problem(const OpCase& op_case, const Sizes& sizes, uint64_t seed);
  int inputs() const { return static_cast<int>(x.size()); }
  bool differentiable(int i) const { return c->in[i].differentiable; }
};

enum class Placing {
  packed,    // row-major
  rows,      // rows with gaps between them
  strided,   // every other element
  reversed,  // the first axis varies fastest
};

// Gaps between elements hold NaN, so that reading them shows in the result.
template <class T>
class Tensor {
 public:
  Tensor(const Dims& shape, const Values& values, Placing placing);
  View view();

 private:
  std::vector<T> memory_;
  View view_;
};

// Returns the elements of a view in row-major order; zeros if it has no data.
template <class T>
Values values_of(const View& v);

struct Cotangents {
  Values y, extra;
};

struct Result {
  Dims y_shape, extra_shape;
  Values y, extra;
  std::vector<Values> grad;  // per input; empty if not requested
};

struct Options {
  Placing placing = Placing::packed;
  const Cotangents* cotangents = nullptr;  // nullptr: no gradients
  unsigned grads = ~0u;                    // bit i: gradient of input i, if it is differentiable
  int64_t first_row = 0;
  int tangent_of = -1;  // >= 0: y and extra are the tangents of those along `direction` of this input
  const Values* direction = nullptr;
  int uses = 1;         // number of ops that read the inputs, all with the same cotangents
  bool shared = false;  // input 1 is the Var of input 0
};

// Elements are the same if both are NaN, equal, or at most `tolerance` apart.
testing::AssertionResult same(const Values& got, const Values& want, double tolerance);

// Reuses one tape for many evaluations.
template <class T>
class Runner {
 public:
  Runner();
  Result run(const Problem& p, const Options& options = {});
  Tape& tape() { return tape_; }

 private:
  Tape tape_;
};

// Estimates d/dh of sum(cot f(h)) at 0 from five points.
double five_point(double h, const Values& cot, const std::function<Values(double)>& f);

double largest(const Values& v);  // max |v| over finite elements, at least 1

}  // namespace libnf::test
