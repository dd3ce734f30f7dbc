#include "tests/support/op_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace libnf::test {

Dims dims_of(const OpInput& input, const Sizes& sizes) {
  Dims d;
  for (const char* p = input.dims; *p; ++p) d.d[d.rank++] = *p >= '0' && *p <= '9' ? *p - '0' : sizes.at(*p);
  return d;
}

int count_inputs(const OpCase& c) {
  int n = 0;
  while (n < kMaxInputs && c.in[n].dims) ++n;
  return n;
}

Values draw_normal(int64_t count, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Values v(static_cast<size_t>(count));
  for (double& e : v) e = static_cast<float>(normal(random));
  return v;
}

Values draw(Domain domain, int64_t count, std::mt19937_64& random) {
  std::uniform_real_distribution<double> unit(0.05, 0.95);
  Values v = draw_normal(count, random);
  for (double& e : v) {
    switch (domain) {
      case Domain::real:
        break;
      case Domain::positive:
        e = std::exp(1.5 * (2 * unit(random) - 1));
        break;
      case Domain::unit:
        e = unit(random);
        break;
      case Domain::nonzero:
        e += std::copysign(0.1, e);
        break;
      case Domain::integer:
        e = static_cast<double>(random() % 8);
        break;
      case Domain::symmetric:
        e = 2 * unit(random) - 1;
        break;
    }
    e = static_cast<float>(e);
  }
  return v;
}

Problem::Problem(const OpCase& op_case, const Sizes& sizes, uint64_t seed) : c(&op_case) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < count_inputs(op_case); ++i) {
    shape.push_back(dims_of(op_case.in[i], sizes));
    x.push_back(draw(op_case.in[i].domain, shape.back().count(), random));
  }
}

namespace {

// Calls f(offset, k) for every element of a view in row-major order.
template <class F>
void each(const View& v, F&& f) {
  const int64_t count = v.count();
  for (int64_t k = 0; k < count; ++k) {
    int64_t rest = k, offset = 0;
    for (int i = v.shape.rank - 1; i >= 0; --i) {
      offset += rest % v.shape[i] * v.stride[i];
      rest /= v.shape[i];
    }
    f(offset, static_cast<size_t>(k));
  }
}

}  // namespace

template <class T>
Tensor<T>::Tensor(const Dims& shape, const Values& values, Placing placing) {
  view_.shape = shape;
  view_.dtype = dtype_of<T>;
  int64_t stride = placing == Placing::strided ? 2 : 1;
  for (int k = 0; k < shape.rank; ++k) {
    const int axis = placing == Placing::reversed ? k : shape.rank - 1 - k;
    view_.stride[axis] = stride;
    stride *= shape[axis];
    if (placing != Placing::packed) stride += 3;
  }
  memory_.assign(static_cast<size_t>(std::max<int64_t>(stride, 1)), std::numeric_limits<T>::quiet_NaN());
  each(view_, [&](int64_t offset, size_t k) { memory_[static_cast<size_t>(offset)] = static_cast<T>(values[k]); });
}

template <class T>
View Tensor<T>::view() {
  view_.data = memory_.data();
  return view_;
}

template <class T>
Values values_of(const View& v) {
  Values out(static_cast<size_t>(v.count()));
  if (v.data) each(v, [&](int64_t offset, size_t k) { out[k] = static_cast<double>(v.as<T>()[offset]); });
  return out;
}

template <class T>
Runner<T>::Runner() : tape_(system_allocator(), dtype_of<T>) {}

namespace {

template <class T>
void seed(Tape& t, Var y, const Values& cot) {
  if (!y || !y->needs_grad) return;
  const View g = t.grad(*y);
  each(g, [&](int64_t offset, size_t k) { g.as<T>()[offset] += static_cast<T>(cot.at(k)); });
}

}  // namespace

template <class T>
Result Runner<T>::run(const Problem& p, const Options& o) {
  struct Rewind {
    Tape& t;
    Tape::Mark mark;
    ~Rewind() { t.rewind(mark); }
  } rewind{tape_, tape_.mark()};
  tape_.random.first_row = o.first_row;
  std::vector<Tensor<T>> memory;
  for (int i = 0; i < p.inputs(); ++i)
    memory.emplace_back(p.shape[static_cast<size_t>(i)], p.x[static_cast<size_t>(i)], o.placing);
  Var in[kMaxInputs] = {};
  for (int i = 0; i < p.inputs(); ++i)
    in[i] =
        tape_.input(memory[static_cast<size_t>(i)].view(), o.cotangents && p.differentiable(i) && (o.grads >> i & 1));
  if (o.shared) in[1] = in[0];
  std::vector<Tensor<T>> direction;
  Result r;
  std::vector<Var> outputs;
  for (int use = 0; use < o.uses; ++use) {
    Var y = p.c->build(tape_, in);
    Var extra = y->extra;
    r.y_shape = y->out.shape;
    if (o.tangent_of >= 0) {
      direction.emplace_back(p.shape[static_cast<size_t>(o.tangent_of)], *o.direction, Placing::packed);
      const Dims extra_shape = extra ? extra->out.shape : Dims();
      Var toward = tape_.input(direction.back().view(), false);
      const OutputTangents d = jvp(tape_, y, extra, in[o.tangent_of], toward);
      y = d.y ? d.y : tape_.zeros(r.y_shape);
      if (extra) extra = d.extra ? d.extra : tape_.zeros(extra_shape);
      EXPECT_EQ(y->out.shape, r.y_shape) << "of the tangent";
      EXPECT_TRUE(!extra || extra->out.shape == extra_shape) << "of the tangent of the second output";
    }
    r.y = values_of<T>(y->out);
    if (extra) r.extra = values_of<T>(extra->out);
    if (extra) r.extra_shape = extra->out.shape;
    outputs.push_back(y);
    outputs.push_back(extra);
  }
  if (!o.cotangents) return r;
  for (size_t k = 0; k < outputs.size(); ++k) seed<T>(tape_, outputs[k], k % 2 ? o.cotangents->extra : o.cotangents->y);
  tape_.backward();
  for (int i = 0; i < p.inputs(); ++i) {
    View g = tape_.grad_out(*in[i]);
    g.shape = p.shape[static_cast<size_t>(i)];
    r.grad.push_back(in[i]->needs_grad ? values_of<T>(g) : Values{});
  }
  return r;
}

double five_point(double h, const Values& cot, const std::function<Values(double)>& f) {
  const Values a = f(-2 * h), b = f(-h), c = f(h), d = f(2 * h);
  double sum = 0;
  for (size_t k = 0; k < cot.size(); ++k) sum += cot[k] * (8 * (c[k] - b[k]) - (d[k] - a[k]));
  return sum / (12 * h);
}

testing::AssertionResult same(const Values& got, const Values& want, double tolerance) {
  if (got.size() != want.size())
    return testing::AssertionFailure() << got.size() << " elements, expected " << want.size();
  for (size_t k = 0; k < got.size(); ++k) {
    if (got[k] == want[k] || (std::isnan(got[k]) && std::isnan(want[k]))) continue;
    if (!(std::abs(got[k] - want[k]) <= tolerance))
      return testing::AssertionFailure() << "element " << k << " is " << testing::PrintToString(got[k]) << ", expected "
                                         << testing::PrintToString(want[k]) << " within " << tolerance;
  }
  return testing::AssertionSuccess();
}

double largest(const Values& v) {
  double m = 1;
  for (double e : v)
    if (std::isfinite(e)) m = std::max(m, std::abs(e));
  return m;
}

template class Tensor<float>;
template class Tensor<double>;
template Values values_of<float>(const View&);
template Values values_of<double>(const View&);
template class Runner<float>;
template class Runner<double>;

}  // namespace libnf::test
