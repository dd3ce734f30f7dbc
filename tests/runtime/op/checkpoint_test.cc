// checkpoint gives the same bits as the sub-graph recorded node by node, and refuses what it cannot differentiate.
#include "runtime/op/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/op/ops.h"
#include "tests/support/expect_error.h"

namespace libnf {
namespace {

using Doubles = std::vector<double>;

class CheckpointTest : public testing::Test {
 protected:
  Tape t{system_allocator(), DType::f64};

  Var leaf(const Dims& shape, double phase) {
    Var v = t.empty(shape);
    for (int64_t k = 0; k < shape.count(); ++k) v->y<double>()[k] = std::sin(phase + static_cast<double>(k));
    v->needs_grad = true;
    return v;
  }
  static Doubles values(const View& v) { return Doubles(v.as<double>(), v.as<double>() + v.count()); }

  // A segment with random numbers, y = dropout(tanh(x W)) c, and the log-det of an affine map.
  struct Step {
    Var w, log_scale, shift;
    Mapped operator()(Tape& tape, const Var* data) const {
      const Mapped m = affine(tape, unary(tape, Unary::tanh, matmul(tape, data[0], w)), log_scale, shift, false);
      return {mul(tape, dropout(tape, m.y, 0.4), data[1]), m.log_det};
    }
  };
  // Returns values and gradients of three segments, each with its own parameters and context. (Sharing them would
  // change rounding, since an op may add to a gradient with a fused multiply-add.)
  std::vector<Doubles> three_steps(bool checkpoints) {
    const TapeScope scope(t);
    t.training = true;
    t.random = {5, 2, 100, 0};
    Var x = leaf({4, 3}, 0.1), all = nullptr;
    std::vector<Var> leaves = {x};
    for (int i = 0; i < 3; ++i) {
      Var p[] = {leaf({3, 3}, i), leaf({3}, i + 0.5), leaf({3}, i + 0.25)}, c = leaf({4, 3}, i + 0.7);
      leaves.insert(leaves.end(), p, p + 3);
      leaves.push_back(c);
      const Step step{p[0], p[1], p[2]};
      const Var data[] = {x, c};
      const Mapped m = checkpoints ? checkpoint(t, x->out.shape, data, p, step) : step(t, data);
      x = m.y;
      all = all ? add(t, all, m.log_det) : m.log_det;
    }
    Var loss = add(t, sum(t, mul(t, x, x)), sum(t, all));
    *t.grad(*loss).as<double>() = 1;
    t.backward();
    std::vector<Doubles> r = {values(x->out), values(all->out)};
    for (Var v : leaves) r.push_back(values(t.grad(*v)));
    return r;
  }
};

TEST_F(CheckpointTest, BitsAreThoseOfTheGraph) { EXPECT_EQ(three_steps(true), three_steps(false)); }

// A checkpointed segment takes only the memory of its outputs.
TEST_F(CheckpointTest, KeepsInputsAndOutputsOnly) {
  const auto kept = [&](bool checkpoints) {
    const TapeScope scope(t);
    const Var data[] = {leaf({1000, 4}, 0)};
    const auto deep = [](Tape& tape, const Var* x) {
      Var y = x[0];
      for (int i = 0; i < 10; ++i) y = unary(tape, Unary::tanh, y);
      return Mapped{y, nullptr};
    };
    const auto before = t.arena().mark().top;
    checkpoints ? checkpoint(t, {1000, 4}, data, {}, deep) : deep(t, data);
    return t.arena().mark().top - before;
  };
  EXPECT_GT(kept(false), 10u * 1000 * 4 * sizeof(double));
  EXPECT_LT(kept(true), 2u * 1000 * 4 * sizeof(double));
}

TEST_F(CheckpointTest, AnAbsentLogDetIsZero) {
  {
    const ScratchScope used(t);  // so that memory is not zero by chance
    std::fill_n(t.scratch<double>(1000), 1000, 7.0);
  }
  const Var data[] = {leaf({4, 3}, 0)};
  const Mapped m = checkpoint(t, {4, 3}, data, {}, [](Tape& tape, const Var* x) {
    return Mapped{scale(tape, x[0], 2), nullptr};
  });
  EXPECT_EQ(values(m.log_det->out), Doubles(4));
  *t.grad(*sum(t, m.log_det)).as<double>() = 1;
  t.backward();
  EXPECT_EQ(values(t.grad(*data[0])), Doubles(12));
}

TEST_F(CheckpointTest, RefusesAVarThatIsNotListed) {
  Var x = leaf({4, 3}, 0), hidden = leaf({3}, 1);
  const Var data[] = {x};
  const auto uses_hidden = [hidden](Tape& tape, const Var* in) { return Mapped{mul(tape, in[0], hidden), nullptr}; };
  *t.grad(*sum(t, checkpoint(t, {4, 3}, data, {}, uses_hidden).y)).as<double>() = 1;
  const bool training = t.training;
  EXPECT_ERROR(t.backward(), Code::internal, "scope that gives it back");
  EXPECT_EQ(t.training, training);
  EXPECT_ERROR(checkpoint(t, {4, 4}, data, {}, uses_hidden), Code::shape,
               "checkpoint: the sub-graph gives shape [4, 3]");
  EXPECT_TRUE(t.recording);  // also after an error
  Var params[] = {hidden};
  *t.grad(*sum(t, checkpoint(t, {4, 3}, data, params, uses_hidden).y)).as<double>() = 1;
}

}  // namespace
}  // namespace libnf
