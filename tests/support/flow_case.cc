#include "tests/support/flow_case.h"

#include <cmath>
#include <cstring>

#include "src/model/rows.h"

namespace libnf::test {

Rows2 Rows2::part(int64_t first, int64_t count) const {
  const auto cut = [&](const Values& v) {
    const int64_t cols = rows ? static_cast<int64_t>(v.size()) / rows : 0;
    return Values(v.begin() + first * cols, v.begin() + (first + count) * cols);
  };
  return {count, cut(x), cut(context)};
}

template <class T>
FlowCase<T>::FlowCase(ModelSpec spec, uint64_t seed)
    : FlowCase(std::make_unique<FlowModel>(system_allocator(), std::move(spec), seed)) {}

template <class T>
FlowCase<T>::FlowCase(std::unique_ptr<FlowModel> model)
    : model_(std::move(model)),
      grads_(system_allocator(), static_cast<size_t>(model_->params().trainable_size()) * sizeof(T) + 64, "gradients"),
      plain_(model_->params().slots().size()),
      trained_(plain_.size()),
      tape_(system_allocator(), dtype_of<T>) {
  model_->params().bind(plain_.data(), nullptr, nullptr);
  model_->params().bind(trained_.data(), grads_.data(), nullptr);
}

template <class T>
void FlowCase<T>::randomize(uint64_t seed, double std) {
  std::mt19937_64 random(seed);
  const auto& slots = model_->params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].trainable) continue;
    const Values v = draw_normal(slots[i].shape.count(), random);
    for (size_t k = 0; k < v.size(); ++k) param(i)[k] = static_cast<T>(static_cast<float>(std * v[k]));
  }
}

template <class T>
void FlowCase<T>::fill_params(double value) {
  const auto& slots = model_->params().slots();
  for (size_t i = 0; i < slots.size(); ++i)
    for (int64_t k = 0; k < slots[i].shape.count(); ++k) param(i)[k] = static_cast<T>(value);
}

template <class T>
Var FlowCase<T>::leaf(const Values& v, int64_t rows, int64_t cols, bool needs_grad) {
  Var n = tape_.empty({rows, cols});
  EXPECT_EQ(static_cast<int64_t>(v.size()), rows * cols);
  for (size_t k = 0; k < v.size(); ++k) n->out.as<T>()[k] = static_cast<T>(v[k]);
  n->needs_grad = needs_grad;
  return n;
}

template <class T>
Values FlowCase<T>::read(Var v, int64_t count) {
  return v ? values_of<T>(v->out) : Values(static_cast<size_t>(count), 0.0);
}

template <class T>
void FlowCase<T>::begin(bool inverse, Var x, Var context) {
  tape_.random = {};
  tape_.drift = {};
  if (inverse || !by_content || model_->exact()) return;
  auto* keys = tape_.template scratch<uint64_t>(x->out.shape[0]);
  hash_rows(x, context, keys);
  tape_.random.row_keys = keys;
}

template <class T>
MappedValues FlowCase<T>::map(bool inverse, const Rows2& in) {
  const TapeScope scope(tape_);
  tape_.recording = false;
  Var x = leaf(in.x, in.rows, model_->columns(), false);
  Var c = model_->context() ? leaf(in.context, in.rows, model_->context(), false) : nullptr;
  begin(inverse, x, c);
  const Scope s{tape_, plain_.data()};
  const Mapped m = inverse ? model_->inverse(s, x, c) : model_->forward(s, x, c);
  return {read(m.y, 0), read(m.log_det, in.rows)};
}

template <class T>
Values FlowCase<T>::log_prob(const Rows2& in) {
  const TapeScope scope(tape_);
  tape_.recording = false;
  Var x = leaf(in.x, in.rows, model_->columns(), false);
  Var c = model_->context() ? leaf(in.context, in.rows, model_->context(), false) : nullptr;
  begin(false, x, c);
  return read(model_->log_prob({tape_, plain_.data()}, x, c), in.rows);
}

template <class T>
template <class Map>
MappedGradients FlowCase<T>::differentiate(const Rows2& in, const Toward* toward, const MappedValues& cot,
                                           const Map& map) {
  const TapeScope scope(tape_);
  tape_.recording = true;
  for (Node& n : trained_) n.grad_fresh = n.needs_grad;
  Var x = leaf(in.x, in.rows, model_->columns(), true);
  Var c = model_->context() ? leaf(in.context, in.rows, model_->context(), true) : nullptr;
  Mapped m = map(Scope{tape_, trained_.data()}, x, c);
  if (toward) {
    Var from = toward->what == Toward::x ? x : toward->what == Toward::context ? c : &trained_[toward->slot];
    Var v = tape_.zeros(from->out.shape);
    for (size_t k = 0; k < toward->v.size(); ++k) v->y<T>()[k] = static_cast<T>(toward->v[k]);
    const OutputTangents d = jvp(tape_, m.y, m.log_det, from, v);
    if (m.y) m.y = d.y ? d.y : tape_.zeros(m.y->out.shape);
    m.log_det = d.extra;
  }
  const auto seed = [&](Var v, const Values& g) {
    if (!v || !v->needs_grad) return;
    v = conform(tape_, v, Layout::contiguous);
    const View to = tape_.grad(*v);
    for (size_t k = 0; k < g.size(); ++k) to.as<T>()[k] += static_cast<T>(g[k]);
  };
  seed(m.y, cot.y);
  seed(m.log_det, cot.log_det);
  tape_.backward();
  MappedGradients r;
  r.value = {m.y ? read(m.y, 0) : Values{}, read(m.log_det, in.rows)};
  const auto gradient = [&](Var v) {
    View g = tape_.grad_out(*v);
    if (!g.data) g.shape = v->out.shape;
    return values_of<T>(g);
  };
  r.x = gradient(x);
  if (c) r.context = gradient(c);
  for (Node& n : trained_) r.params.push_back(n.needs_grad ? gradient(&n) : Values{});
  return r;
}

template <class T>
MappedGradients FlowCase<T>::gradients(bool inverse, const Rows2& in, const MappedValues& cot, Memory memory) {
  return differentiate(in, nullptr, cot, [&](const Scope& s, Var x, Var c) {
    begin(inverse, x, c);
    return inverse ? model_->inverse(s, x, c, memory) : model_->forward(s, x, c, memory);
  });
}

template <class T>
MappedGradients FlowCase<T>::tangents(const Rows2& in, const Toward& toward, const MappedValues& cot, Memory memory) {
  return differentiate(in, &toward, cot, [&](const Scope& s, Var x, Var c) {
    begin(false, x, c);
    return model_->forward(s, x, c, memory);
  });
}

template <class T>
MappedGradients FlowCase<T>::log_prob_gradients(const Rows2& in, const Values& cot, Memory memory) {
  return differentiate(in, nullptr, {{}, cot}, [&](const Scope& s, Var x, Var c) {
    begin(false, x, c);
    return Mapped{nullptr, model_->log_prob(s, x, c, memory)};
  });
}

template <class T>
MappedGradients FlowCase<T>::log_prob_tangents(const Rows2& in, const Toward& toward, const MappedValues& cot,
                                               Memory memory) {
  return differentiate(in, &toward, cot, [&](const Scope& s, Var x, Var c) {
    begin(false, x, c);
    return Mapped{nullptr, model_->log_prob(s, x, c, memory)};
  });
}

Rows2 draw_mild(Domain domain, int64_t rows, int64_t event, int64_t context, std::mt19937_64& random) {
  Rows2 r{rows, {}, {}};
  r.x = draw(domain, rows * event, random);
  r.context = draw_normal(rows * context, random);
  return r;
}

Rows2 draw_rows(Domain domain, DType dtype, int64_t rows, int64_t event, int64_t context, std::mt19937_64& random) {
  Rows2 r = draw_mild(domain, rows, event, context, random);
  if (domain != Domain::real) return r;
  const double tiny = dtype == DType::f64 ? 1e-310 : 1e-40;
  const double edges[] = {0, -0.0, 1, -1, tiny, -tiny};
  std::uniform_real_distribution<double> decades(-6, 6);
  for (size_t k = 0; k < r.x.size(); ++k) {
    const size_t kind = k / static_cast<size_t>(event) % 5;
    if (kind == 3) r.x[k] = std::copysign(std::pow(10, decades(random)), r.x[k]);
    if (kind == 4) r.x[k] = edges[random() % std::size(edges)];
    if (dtype == DType::f32) r.x[k] = static_cast<float>(r.x[k]);
  }
  return r;
}

testing::AssertionResult same_bits(const Values& got, const Values& want) {
  if (got.size() != want.size())
    return testing::AssertionFailure() << got.size() << " elements, expected " << want.size();
  for (size_t k = 0; k < got.size(); ++k)
    if (std::memcmp(&got[k], &want[k], sizeof got[k]) != 0 && !(std::isnan(got[k]) && std::isnan(want[k])))
      return testing::AssertionFailure() << "element " << k << " of " << got.size() << " is "
                                         << testing::PrintToString(got[k]) << ", expected "
                                         << testing::PrintToString(want[k]);
  return testing::AssertionSuccess();
}

template class FlowCase<float>;
template class FlowCase<double>;

}  // namespace libnf::test
