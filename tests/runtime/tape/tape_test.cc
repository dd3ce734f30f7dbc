// The tape itself: marks, lazily zeroed gradients, aliases, measuring, recording off; and tangents across several ops.
#include "runtime/tape/tape.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "runtime/op/ops.h"
#include "tests/support/expect_error.h"

namespace libnf {
namespace {

using Doubles = std::vector<double>;

class TapeTest : public testing::Test {
 protected:
  Tape t{system_allocator(), DType::f64};

  Var leaf(Doubles& v, const Dims& shape, bool needs_grad = true) {
    return t.input(contiguous_view(v.data(), DType::f64, shape), needs_grad);
  }
  Var leaf(Doubles& v) { return leaf(v, {static_cast<int64_t>(v.size())}); }
  static Doubles values(const View& v) {  // of a contiguous view
    return Doubles(v.as<double>(), v.as<double>() + v.count());
  }
  void seed_ones(Var y) {
    const View g = t.grad(*y);
    for (int64_t k = 0; k < g.count(); ++k) g.as<double>()[k] += 1;
  }

  Doubles a_ = {1, 2, 3}, b_ = {4, 5, 6}, m_ = {1, 2, 3, 4, 5, 6};
};

TEST_F(TapeTest, BackwardRunsNewestFirstAndAccumulates) {
  Var a = leaf(a_), b = leaf(b_);
  Var y = add(t, mul(t, a, b), a);  // dy/da = b + 1
  seed_ones(y);
  t.backward();
  EXPECT_EQ(values(y->out), (Doubles{5, 12, 21}));
  EXPECT_EQ(values(t.grad(*a)), (Doubles{5, 6, 7}));
  EXPECT_EQ(values(t.grad(*b)), (Doubles{1, 2, 3}));
}

TEST_F(TapeTest, RewindDropsTheGraphAndReusesItsMemory) {
  Var a = leaf(a_);
  Var kept = scale(t, a, 2);
  const Tape::Mark mark = t.mark();
  const Node* head = t.head();
  Var first = scale(t, kept, 3);
  const void* place = first->out.data;
  EXPECT_NE(t.head(), head);
  t.rewind(mark);
  EXPECT_EQ(t.head(), head);
  Var second = scale(t, kept, 5);
  EXPECT_EQ(second->out.data, place);
  EXPECT_EQ(values(second->out), (Doubles{10, 20, 30}));
}

TEST_F(TapeTest, RewindingTheSameWorkNeedsNoMoreMemory) {
  Var a = leaf(a_);
  const Tape::Mark mark = t.mark();
  size_t high = 0;
  for (int i = 0; i < 3; ++i) {
    Var y = unary(t, Unary::tanh, a);
    if (i) {
      EXPECT_EQ(t.arena().high_water(), high);
    }
    high = t.arena().high_water();
    EXPECT_NEAR(values(y->out)[0], std::tanh(1.0), 1e-15);
    t.rewind(mark);
  }
}

TEST_F(TapeTest, GradientsAppearOnFirstTouchZeroed) {
  std::vector<double> dirt(64, 7);
  {
    const Tape::Mark mark = t.mark();
    std::copy(dirt.begin(), dirt.end(), t.scratch<double>(64));
    t.rewind(mark);
  }
  Var a = leaf(a_);
  EXPECT_EQ(t.grad_out(*a).data, nullptr);
  EXPECT_EQ(values(t.grad(*a)), (Doubles{0, 0, 0}));
  EXPECT_NE(t.grad_out(*a).data, nullptr);
  t.grad(*a).as<double>()[1] = 2;
  EXPECT_EQ(values(t.grad(*a)), (Doubles{0, 2, 0}));  // zeroed once
}

TEST_F(TapeTest, GradForWriteIsFreshOnce) {
  Var a = leaf(a_);
  bool fresh = false;
  t.grad_for_write(*a, &fresh);
  EXPECT_TRUE(fresh);
  t.grad_for_write(*a, &fresh);
  EXPECT_FALSE(fresh);
}

TEST_F(TapeTest, NothingFlowsFromUnreachedNodes) {
  Var a = leaf(a_), b = leaf(b_);
  Var unused = mul(t, a, b);
  Var y = scale(t, a, 2);
  seed_ones(y);
  t.backward();
  EXPECT_EQ(t.grad_out(*unused).data, nullptr);
  EXPECT_EQ(t.grad_out(*b).data, nullptr);
  EXPECT_EQ(values(t.grad(*a)), (Doubles{2, 2, 2}));
}

TEST_F(TapeTest, BackwardStopsAtANode) {
  Var a = leaf(a_);
  Var y = scale(t, a, 2);
  const Node* stop = t.head();
  Var z = scale(t, y, 3);
  seed_ones(z);
  t.backward(stop);
  EXPECT_EQ(values(t.grad(*y)), (Doubles{3, 3, 3}));
  EXPECT_EQ(t.grad_out(*a).data, nullptr);
}

TEST_F(TapeTest, AliasesShareMemoryAndGradients) {
  Var m = leaf(m_, {2, 3});
  Var left = slice_columns(t, m, 0, 2), right = slice_columns(t, m, 1, 2), turned = transpose(t, m);
  EXPECT_EQ(left->out.data, m->out.data);
  Var y = add(t, sum(t, mul(t, left, left)), add(t, sum(t, right), scale(t, sum(t, turned), 10)));
  seed_ones(y);
  t.backward();
  EXPECT_EQ(values(t.grad(*m)), (Doubles{2 + 10, 4 + 1 + 10, 1 + 10, 8 + 10, 10 + 1 + 10, 1 + 10}));
  // An alias of an alias
  EXPECT_EQ(slice_columns(t, right, 1, 1)->base, m);
  EXPECT_EQ(t.grad(*slice_columns(t, right, 1, 1)).as<double>(), t.grad(*m).as<double>() + 2);
}

// The gradient of a leaf that is part of a wider matrix has that matrix's strides, and so do aliases of the leaf.
TEST_F(TapeTest, StridedLeaf) {
  View v = contiguous_view(m_.data(), DType::f64, {2, 3});
  v.shape[1] = 2;
  Var x = t.input(v, true);
  Var y = sum(t, mul(t, slice_columns(t, x, 1, 1), slice_columns(t, x, 0, 1)));  // 1 2 + 4 5
  EXPECT_EQ(values(y->out), Doubles{22});
  seed_ones(y);
  t.backward();
  const View g = t.grad(*x);
  EXPECT_EQ(g.ld(), 3);
  const double* p = g.as<double>();
  EXPECT_EQ((Doubles{p[0], p[1], p[3], p[4]}), (Doubles{2, 1, 5, 4}));
}

// With recording off, only values are computed.
TEST_F(TapeTest, RecordingOffTakesNoGradients) {
  t.recording = false;
  Var a = leaf(a_);
  EXPECT_FALSE(a->needs_grad);
  Var y = mul(t, a, a);
  EXPECT_FALSE(y->needs_grad);
  EXPECT_EQ(t.head(), nullptr);
  const size_t before = t.arena().high_water();
  t.backward();
  EXPECT_EQ(t.arena().high_water(), before);
  EXPECT_EQ(values(y->out), (Doubles{1, 4, 9}));
}

// A node and its value take their own bytes, rounded up to cache lines, and nothing else.
TEST_F(TapeTest, MemoryOfOneOp) {
  Var a = leaf(a_);
  const size_t before = t.arena().high_water();
  scale(t, a, 2);
  EXPECT_EQ(t.arena().high_water() - before,
            align_up(sizeof(Node) + sizeof(double) + sizeof(Node*)) + align_up(3 * sizeof(double)));
  // Four cache lines, with a constant and an input.
  EXPECT_LE(sizeof(Node) + sizeof(double) + sizeof(Node*), 256u);
}

// ---- constants of ops and gradients of inputs ----------------------------------------------------------------------

struct Weights {
  double w[40] = {};  // far more than a node rounds up to
  bool twice = false;
};

Shapes same_shape(const Node& n) {
  Shapes s;
  s.out = n.in[0]->out.shape;
  return s;
}

// y_k = w_k x_k, doubled for `twice`. kLate: the vjp takes the gradient of a node that is not an input, too late.
Node* other = nullptr;
template <bool kLate>
const Op kWeigh = {"weigh",
                   Layout::contiguous,
                   same_shape,
                   {nullptr,
                    [](Tape&, Node& n) {
                      const auto& a = n.attr<Weights>();
                      for (int64_t k = 0; k < n.out.count(); ++k)
                        n.y<double>()[k] = n.x<double>(0)[k] * a.w[k] * (a.twice ? 2 : 1);
                    }},
                   {nullptr,
                    [](Tape& tape, Node& n, const InputGrads& grads) {
                      const ScratchScope scope(tape);
                      double* g = tape.scratch<double>(n.out.count());
                      const auto& a = n.attr<Weights>();
                      for (int64_t k = 0; k < n.out.count(); ++k)
                        g[k] = tape.grad_out(n).as<double>()[k] * a.w[k] * (a.twice ? 2 : 1);
                      if (kLate) tape.grad(*other);
                      if (!grads.wants(0) || grads.wants(1)) return;
                      for (int64_t k = 0; k < n.out.count(); ++k) grads.add(0).as<double>()[k] += g[k];
                    }},
                   "an op of this test"};

TEST_F(TapeTest, AnOpReadsItsConstantsByType) {
  Weights weights;
  for (int k = 0; k < 40; ++k) weights.w[k] = k + 1;
  weights.twice = true;
  Var a = leaf(a_);
  Var y = t.record(kWeigh<false>, {a, nullptr}, weights);
  weights.w[0] = 7;  // copied when the op was recorded
  EXPECT_EQ(values(y->out), (Doubles{2, 8, 18}));
  EXPECT_EQ(y->attr<Weights>().w[39], 40);
  EXPECT_ERROR(y->attr<Dims>(), Code::internal, "weigh: its constants are of another type");
  EXPECT_ERROR(add(t, a, a)->attr<Weights>(), Code::internal, "add");
  EXPECT_ERROR(a->attr<Weights>(), Code::internal, "leaf");
  seed_ones(y);
  t.backward();
  EXPECT_EQ(values(t.grad(*a)), (Doubles{2, 4, 6}));
}

struct Nothing {};

// y = the sum of all inputs, some of which may be absent.
const Op kTotal = {"total",
                   Layout::contiguous,
                   same_shape,
                   {nullptr,
                    [](Tape&, Node& n) {
                      for (int64_t k = 0; k < n.out.count(); ++k) {
                        n.y<double>()[k] = 0;
                        for (int i = 0; i < n.n_in; ++i)
                          if (n.in[i]) n.y<double>()[k] += n.x<double>(i)[k];
                      }
                    }},
                   {nullptr,
                    [](Tape& tape, Node& n, const InputGrads& grads) {
                      for (int i = 0; i < n.n_in; ++i)
                        for (int64_t k = 0; grads.wants(i) && k < n.out.count(); ++k)
                          grads.add(i).as<double>()[k] += tape.grad_out(n).as<double>()[k];
                    }},
                   "an op of this test"};

TEST_F(TapeTest, AnOpTakesAnyNumberOfInputs) {
  std::vector<Doubles> memory;
  for (int i = 0; i < 100; ++i) memory.push_back({double(i), 1, 2});
  std::vector<Var> inputs;
  for (Doubles& m : memory) inputs.push_back(leaf(m));
  inputs[50] = nullptr;
  Var y = t.record(kTotal, std::span<const Var>(inputs), Nothing{});
  EXPECT_EQ(y->n_in, 100);
  EXPECT_EQ(values(y->out), (Doubles{4950 - 50, 99, 198}));
  seed_ones(y);
  t.backward();
  for (Var v : {inputs[0], inputs[49], inputs[99]}) EXPECT_EQ(values(t.grad(*v)), (Doubles{1, 1, 1}));
}

// Storage of the inputs' gradients is taken before the vjp runs, so it survives the release of the vjp's scratch
// memory; taking a gradient that would not survive is refused.
TEST_F(TapeTest, GradientsDoNotGoWithTheScratch) {
  Var a = leaf(a_), b = leaf(b_);
  Weights weights{{3, 4, 5}, false};
  seed_ones(t.record(kWeigh<false>, {a, nullptr}, weights));
  t.backward();
  const double* taken = t.scratch<double>(3);
  EXPECT_GT(taken, t.grad(*a).as<double>());
  EXPECT_EQ(values(t.grad(*a)), (Doubles{3, 4, 5}));

  other = b;
  seed_ones(t.record(kWeigh<true>, {leaf(a_), nullptr}, weights));
  EXPECT_ERROR(t.backward(), Code::internal, "scope that gives it back");
  t.grad_storage(*b);
  t.backward();  // the failed call left no scope open

  Var old = leaf(a_), grown = scale(t, old, 2);
  {
    const TapeScope scope(t);
    seed_ones(scale(t, leaf(a_), 2));  // all of it is released together
    t.backward(grown);
    EXPECT_ERROR(t.grad(*old), Code::internal, "scope that gives it back");
    t.zeros({3});
  }
  t.grad(*old);
}

TEST_F(TapeTest, MeasuringSaysExactlyHowMuchAReservedTapeNeeds) {
  Doubles square = {1, 2, 3, 4, 5, 6};
  const auto run = [&](Tape& tape) {
    Var x = tape.input(contiguous_view(square.data(), DType::f64, {2, 3}), true);
    Var w = tape.input(contiguous_view(m_.data(), DType::f64, {3, 2}), true);
    Var b = tape.input(contiguous_view(b_.data(), DType::f64, {2}), true);
    Var h = linear(tape, x, w, b);
    Var y = sum(tape, div(tape, softmax(tape, h), add_scalar(tape, unary(tape, Unary::square, h), 1)));
    *tape.grad(*y).as<double>() = 1;
    tape.backward();
    return values(tape.grad(*w));
  };
  const Doubles want = run(t);
  const size_t need = t.arena().high_water();
  Tape exact(system_allocator(), DType::f64, need);
  EXPECT_EQ(exact.arena().capacity(), need);
  const Tape::Mark mark = exact.mark();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(run(exact), want);
    exact.rewind(mark);
  }
  Tape small(system_allocator(), DType::f64, need - kAlign);
  EXPECT_ERROR(run(small), Code::internal, "arena");
}

// ---- tangents ----------------------------------------------------------------------------------------------------

TEST_F(TapeTest, TangentThroughAGraph) {
  Doubles one = {1, 0, 0};
  Var a = leaf(a_), v = leaf(one);
  Var s = unary(t, Unary::square, a);
  Var y = mul(t, s, unary(t, Unary::exp, a));  // (2 a + a^2) e^a
  EXPECT_NEAR(values(jvp(t, y, a, v)->out)[0], 3 * std::exp(1.0), 1e-14);
  EXPECT_EQ(values(jvp(t, y, a, v)->out)[1], 0);
  EXPECT_NEAR(values(jvp(t, y, s, v)->out)[0], std::exp(1.0), 1e-14);  // another x; no state remains from earlier walks
  EXPECT_EQ(jvp(t, a, a, v), v);
  EXPECT_EQ(jvp(t, v, a, v), nullptr);
  EXPECT_EQ(jvp(t, scale(t, v, 2), a, v), nullptr);
}

// v' H v for f = sum of cubes: the gradient of the directional derivative.
TEST_F(TapeTest, GradientOfATangent) {
  Doubles direction = {1, -1, 2};
  Var a = leaf(a_), v = leaf(direction, {3}, false);
  Var f = sum(t, mul(t, a, mul(t, a, a)));
  Var slope = jvp(t, f, a, v);
  EXPECT_EQ(values(slope->out), Doubles{3 * (1 - 4 + 2 * 9)});
  seed_ones(slope);
  t.backward();
  EXPECT_EQ(values(t.grad(*a)), (Doubles{6 * 1, 6 * -2, 6 * 6}));
}

// Aliases of aliases of strided memory: the tangent is the same alias of a packed direction.
TEST_F(TapeTest, TangentThroughAliasesOfAStridedLeaf) {
  Doubles wide(2 * 5), direction = {1, 2, 3, 4, 5, 6};
  for (size_t k = 0; k < wide.size(); ++k) wide[k] = static_cast<double>(k);
  View view = contiguous_view(wide.data(), DType::f64, {2, 5});
  view.shape[1] = 3;
  Var x = t.input(view, true), v = leaf(direction, {2, 3}, false);
  Var look = transpose(t, slice_columns(t, transpose(t, slice_columns(t, x, 1, 2)), 1, 1));  // row 1, columns 1 and 2
  EXPECT_EQ(values(contiguous(t, look)->out), (Doubles{6, 7}));
  EXPECT_EQ(values(contiguous(t, jvp(t, look, x, v))->out), (Doubles{5, 6}));
  EXPECT_EQ(values(jvp(t, unary(t, Unary::square, look), x, v)->out), (Doubles{60, 84}));
}

// Second outputs: alone, with the first output, through a view, and of a node that is itself differentiated.
TEST_F(TapeTest, TangentsOfSecondOutputs) {
  Doubles toward = {1, 2, 3}, one_row = {4, 5, 6};
  Var l = leaf(a_), x = leaf(one_row, {1, 3}), v = leaf(toward);
  Var z = affine(t, x, l, leaf(b_), false).y;  // log_det = sum l
  EXPECT_EQ(values(jvp(t, z->extra, l, v)->out), Doubles{6});
  const OutputTangents both = jvp(t, z, z->extra, l, v);
  EXPECT_EQ(values(both.extra->out), Doubles{6});
  EXPECT_NEAR(values(both.y->out)[0], one_row[0] * std::exp(a_[0]), 1e-12);
  EXPECT_EQ(values(jvp(t, reshape(t, z->extra, {1, 1}), l, v)->out), Doubles{6});
  EXPECT_EQ(jvp(t, z->extra, x, leaf(toward, {1, 3})), nullptr);  // it does not depend on x
  EXPECT_EQ(jvp(t, scale(t, z->extra, 2), z, leaf(toward, {1, 3})), nullptr);
  Var later = bijection(t, Bijection::exp, z).log_det;  // sum z
  EXPECT_EQ(values(jvp(t, add(t, later, z->extra), z, leaf(toward, {1, 3}))->out), Doubles{6});
}

void nothing(Tape&, Node&) {}
const Op kWithoutTangent = {"opaque",
                            Layout::rows,
                            [](const Node& n) { return Shapes{n.in[0]->out.shape, {}, false, {}, false}; },
                            {nothing, nothing},
                            {nullptr, nullptr},
                            "it is a test"};

TEST_F(TapeTest, TangentErrorsNameTheOp) {
  Doubles short_one = {1};
  Var a = leaf(a_), v = leaf(b_);
  Var opaque = t.record(kWithoutTangent, {a});
  EXPECT_ERROR(jvp(t, opaque, a, v), Code::unsupported, "op 'opaque' has no tangent rule: it is a test");
  EXPECT_ERROR(jvp(t, a, a, leaf(short_one)), Code::shape, "direction");
  EXPECT_EQ(jvp(t, unary(t, Unary::exp, v), a, v), nullptr);
}

// Keys of rows lie in the tape's memory, so those made inside a scope are gone after it, and those from before are back.
TEST(Tape, KeysOfRowsEndWithTheirScope) {
  Tape t(system_allocator(), DType::f32);
  const TapeScope outer(t);
  const uint64_t* first = t.scratch<uint64_t>(3);
  t.random.row_keys = first;
  {
    const TapeScope inner(t);
    t.random = {};
    t.random.row_keys = t.scratch<uint64_t>(3);
  }
  EXPECT_EQ(t.random.row_keys, first);
  t.random.row_keys = nullptr;
  {
    const TapeScope inner(t);
    t.random.row_keys = t.scratch<uint64_t>(3);
  }
  EXPECT_EQ(t.random.row_keys, nullptr);
}

}  // namespace
}  // namespace libnf
