// The tensors of a model as callers see them: of every layer and base of the registry they go into a model of another seed
// and make it the same; masked entries read 0 and are ignored; and each dense form means what its layer documents.
#include "src/model/tensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "src/model/model_file.h"
#include "tests/src/base/base_case.h"
#include "tests/support/expect_error.h"
#include "tests/support/layer_suite.h"

namespace libnf::test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

View view_of(Values& v, const Dims& shape) { return contiguous_view(v.data(), DType::f64, shape); }

struct Tensor {
  Dims shape;
  Values at;
  double operator()(int64_t i, int64_t j) const { return at[static_cast<size_t>(i * shape[1] + j)]; }
};

size_t slot_of(const Density& m, const std::string& name) {
  const int64_t slot = m.params().find(name);
  if (slot < 0) throw std::runtime_error("no tensor " + name);
  return static_cast<size_t>(slot);
}

template <void (*Get)(const Density&, size_t, const View&)>
Tensor read(const Density& m, size_t slot) {
  Tensor t{dense_shape(m.params().slots()[slot]), {}};
  t.at.assign(static_cast<size_t>(t.shape.count()), kNaN);
  Get(m, slot, view_of(t.at, t.shape));
  return t;
}
Tensor value_of(const Density& m, const std::string& name) { return read<get_tensor>(m, slot_of(m, name)); }

void set(Density& m, const std::string& name, Values v) {
  const size_t slot = slot_of(m, name);
  set_tensor(system_allocator(), m, slot, view_of(v, dense_shape(m.params().slots()[slot])));
}

// A value that the invariant excludes.
double broken(Invariant invariant) {
  switch (invariant) {
    case Invariant::positive:
    case Invariant::nonnegative:
      return -1;
    default:
      return 0.5;
  }
}

template <class T>
void round_trip(const ModelSpec& spec, uint64_t seed) {
  const std::string text = write_spec(spec);
  SCOPED_TRACE(text);
  FlowCase<T> from(parse_spec(text), seed), into(parse_spec(text), seed + 1);
  from.randomize(seed, 0.3);
  Density& m = into.model();
  const auto& slots = from.model().params().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    SCOPED_TRACE(slots[i].name);
    Tensor t = read<get_tensor>(from.model(), i);
    const Tensor mask = read<get_mask>(from.model(), i);
    int64_t open = 0;
    for (size_t k = 0; k < t.at.size(); ++k) {
      ASSERT_TRUE(mask.at[k] == 0 || mask.at[k] == 1);
      open += mask.at[k] == 1;
      if (mask.at[k] == 1) continue;
      EXPECT_EQ(t.at[k], 0);
      t.at[k] = kNaN;  // is ignored
    }
    EXPECT_EQ(open, slots[i].shape.count()) << "every stored number has one place";
    EXPECT_EQ(open < t.shape.count(), slots[i].form && slots[i].form->masked());
    set_tensor(system_allocator(), m, i, view_of(t.at, t.shape));

    const uint64_t hash = m.params().hash();
    if (t.at.empty()) continue;
    if (m.invariant(i) != Invariant::none) {
      Values bad = t.at;
      bad.back() = broken(m.invariant(i));
      EXPECT_ERROR(set_tensor(system_allocator(), m, i, view_of(bad, t.shape)), Code::argument, slots[i].name.c_str());
    }
    for (size_t k = 0; k < t.at.size(); ++k) {
      if (mask.at[k] == 0) continue;
      Values bad = t.at;
      bad[k] = std::numeric_limits<double>::infinity();
      EXPECT_ERROR(set_tensor(system_allocator(), m, i, view_of(bad, t.shape)), Code::numeric,
                   ("element " + std::to_string(k)).c_str());
      break;
    }
    EXPECT_EQ(m.params().hash(), hash) << "a refused tensor changes nothing";
  }
  EXPECT_EQ(m.params().hash(), from.model().params().hash());
}

class TensorSuite : public LayerSuite {};

TEST_P(TensorSuite, RoundTrip) {
  for (uint64_t i = 0; i < 16 && !HasFailure(); ++i) {
    const std::string spec = random_spec(kind(), 40000 + i, some_event(i), i / 2 % 2 ? 3 : 0);
    round_trip<double>(variant(spec, DType::f64, false), i);
    round_trip<float>(variant(spec, DType::f32, false), i);
  }
}

NF_EVERY_LAYER(TensorSuite);

TEST(Tensors, RoundTripOfBases) {
  for (const BaseSetup& b : kBaseSetups)
    for (const int64_t columns : {1, 2, 5}) {
      round_trip<double>(base_spec(b, DType::f64, columns), 3);
      round_trip<float>(base_spec(b, DType::f32, columns), 3);
    }
}

// Strides, dtypes, and shapes that are not the tensor's.
TEST(Tensors, TakeAnyView) {
  FlowCase<float> f(parse_spec(R"({"event": 3, "layers": [{"type": "linear"}]})"));
  const Tensor want = value_of(f.model(), "layers.0.weight");
  std::vector<float> wide(24, -1);
  View v = contiguous_view(wide.data() + 23, DType::f32, {3, 3});
  v.stride[0] = -2;
  v.stride[1] = -8;
  get_tensor(f.model(), slot_of(f.model(), "layers.0.weight"), v);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 3; ++j) EXPECT_EQ(wide[static_cast<size_t>(23 - 2 * i - 8 * j)], want(i, j));
  EXPECT_EQ(std::count(wide.begin(), wide.end(), -1.0f), 24 - 9);
  const uint64_t hash = f.model().params().hash();
  set_tensor(system_allocator(), f.model(), slot_of(f.model(), "layers.0.weight"), v);
  EXPECT_EQ(f.model().params().hash(), hash);
  Values nine(9, 1.0);
  EXPECT_ERROR(set_tensor(system_allocator(), f.model(), 0, view_of(nine, {9})), Code::shape,
               "value has shape [9], but tensor \"layers.0.weight\" has [3, 3]");
}

// ---- what the forms mean ------------------------------------------------------------------------------------------

using Matrix = std::vector<Values>;

Matrix matrix(const Tensor& t) {
  Matrix m;
  for (int64_t i = 0; i < t.shape[0]; ++i)
    m.emplace_back(t.at.begin() + i * t.shape[1], t.at.begin() + (i + 1) * t.shape[1]);
  return m;
}
Values times(const Matrix& a, const Values& x) {
  Values y;
  for (const Values& row : a) {
    y.push_back(0);
    for (size_t j = 0; j < x.size(); ++j) y.back() += row[j] * x[j];
  }
  return y;
}
Values plus(Values a, const Values& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
void expect_near(const Values& got, const Values& want, double tolerance = 1e-13) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], want[i], tolerance) << i;
}

FlowCase<double> one_layer(const std::string& layer, int64_t event) {
  FlowCase<double> f(
      parse_spec(R"({"event": )" + std::to_string(event) + R"(, "dtype": "float64", "layers": [)" + layer + "]}"));
  f.randomize(5, 0.4);
  return f;
}

const Values kX = {0.3, -1.1, 0.7, 2.0};

TEST(TensorForms, MatricesActOnColumns) {
  FlowCase<double> f = one_layer(R"({"type": "linear"})", 4);
  const auto read_tensor = [&](const char* name) { return value_of(f.model(), std::string("layers.0.") + name); };
  expect_near(f.map(false, {1, kX, {}}).y, plus(times(matrix(read_tensor("weight")), kX), read_tensor("bias").at));
  f = one_layer(R"({"type": "orthogonal"})", 4);
  expect_near(f.map(false, {1, kX, {}}).y, times(matrix(read_tensor("rotation")), kX));
}

TEST(TensorForms, TrianglesAreSquare) {
  FlowCase<double> f = one_layer(R"({"type": "lu_linear", "eps": 0.01})", 4);
  const auto read_tensor = [&](const char* name) { return value_of(f.model(), std::string("layers.0.") + name); };
  Matrix lower = matrix(read_tensor("lower")), upper = matrix(read_tensor("upper"));
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = i; j < 4; ++j) EXPECT_EQ(lower[i][j], 0);
    for (size_t j = 0; j <= i; ++j) EXPECT_EQ(upper[i][j], 0);
    lower[i][i] = 1;
    upper[i][i] = std::log1p(std::exp(read_tensor("diagonal").at[i])) + 0.01;
  }
  expect_near(f.map(false, {1, kX, {}}).y, plus(times(lower, times(upper, kX)), read_tensor("bias").at));
}

TEST(TensorForms, SylvesterHasItsTriangles) {
  FlowCase<double> f = one_layer(R"({"type": "sylvester", "basis": "triangular", "flip": "no"})", 4);
  const Matrix all = matrix(value_of(f.model(), "layers.0.triangles"));
  ASSERT_EQ(all.size(), 9u);
  Matrix r1(all.begin(), all.begin() + 4), r2(all.begin() + 4, all.begin() + 8);
  for (size_t i = 0; i < 4; ++i) {
    r1[i][i] = std::tanh(r1[i][i]);
    r2[i][i] = std::tanh(r2[i][i]);
  }
  Values h = plus(times(r2, kX), all[8]);
  for (double& v : h) v = std::tanh(v);
  expect_near(f.map(false, {1, kX, {}}).y, plus(kX, times(r1, h)));
}

TEST(TensorForms, NetWeightsAreOutputsByInputs) {
  FlowCase<double> f =
      one_layer(R"({"type": "additive_coupling", "net": {"type": "mlp", "hidden": [5], "activation": "tanh"}})", 4);
  const auto read_tensor = [&](const char* name) { return value_of(f.model(), std::string("layers.0.net.") + name); };
  EXPECT_EQ(read_tensor("hidden.0.weight").shape, (Dims{5, 2}));
  EXPECT_EQ(read_tensor("output.weight").shape, (Dims{2, 5}));
  const Values y = f.map(false, {1, kX, {}}).y;
  Values pass, moved;
  for (size_t j = 0; j < 4; ++j)
    if (y[j] == kX[j])
      pass.push_back(kX[j]);
    else
      moved.push_back(y[j] - kX[j]);
  Values h = plus(times(matrix(read_tensor("hidden.0.weight")), pass), read_tensor("hidden.0.bias").at);
  for (double& v : h) v = std::tanh(v);
  expect_near(moved, plus(times(matrix(read_tensor("output.weight")), h), read_tensor("output.bias").at));
}

// ---- the permutation of plu_linear --------------------------------------------------------------------------------

constexpr char kPlu[] = R"({"type": "plu_linear"})";

Values plu(const Density& m) {
  const auto read_tensor = [&](const char* name) { return value_of(m, std::string("layers.0.") + name); };
  Matrix lower = matrix(read_tensor("lower")), upper = matrix(read_tensor("upper"));
  for (size_t i = 0; i < 4; ++i) {
    lower[i][i] = 1;
    upper[i][i] = read_tensor("sign").at[i] * std::exp(read_tensor("log_s").at[i]);
  }
  const Values y = times(lower, times(upper, kX)), order = read_tensor("permutation").at;
  Values z = read_tensor("bias").at;
  for (size_t j = 0; j < 4; ++j) z[j] += y[static_cast<size_t>(order[j])];
  return z;
}

TEST(PluPermutation, IsReadAndSet) {
  FlowCase<double> f = one_layer(kPlu, 4);
  expect_near(f.map(false, {1, kX, {}}).y, plu(f.model()));
  set(f.model(), "layers.0.permutation", {2, 0, 3, 1});
  const MappedValues z = f.map(false, {1, kX, {}});
  expect_near(z.y, plu(f.model()));
  expect_near(f.map(true, {1, z.y, {}}).y, kX, 1e-12);
  EXPECT_EQ(value_of(f.model(), "layers.0.permutation").at, (Values{2, 0, 3, 1}));
  for (const Values& bad : {Values{2, 0, 2, 1}, {0, 1, 2, 4}, {-1, 0, 1, 2}, {0, 1, 2, 2.5}})
    EXPECT_ERROR(set(f.model(), "layers.0.permutation", bad), Code::argument, "is not a permutation of 0 ... 3");
}

// Takes one tensor out of a model's file.
std::vector<std::byte> without(const Density& m, const std::string& name) {
  MemorySink file, cut;
  write_model(file, m, {}, {});
  const SafeTensors all = SafeTensors::parse(file.bytes());
  std::vector<TensorRef> tensors;
  for (const SafeTensors::Entry& e : all.entries()) {
    if (e.name == name) continue;
    TensorRef t;
    t.name = e.name;
    t.type = e.type;
    t.shape = {e.shape.data(), e.shape.size()};
    t.data = e.data;
    tensors.push_back(t);
  }
  write_safetensors(cut, {{"nf.format", "1"}, {"nf.spec", m.canonical()}}, tensors);
  return {cut.bytes().begin(), cut.bytes().end()};
}

TEST(PluPermutation, IsKeptInFiles) {
  FlowCase<double> f = one_layer(kPlu, 4);
  const Values start = value_of(f.model(), "layers.0.permutation").at;
  const Values other = {start[1], start[0], start[3], start[2]};
  set(f.model(), "layers.0.permutation", other);
  MemorySink file;
  write_model(file, f.model(), {}, {});
  const LoadedModel loaded = read_model(system_allocator(), file.bytes());
  EXPECT_EQ(value_of(*loaded.model, "layers.0.permutation").at, other);
  EXPECT_EQ(loaded.model->params().hash(), f.model().params().hash());
}

// Files of version 0.1 have no center: it was 0.
TEST(ActNormCenter, IsZeroInOldFiles) {
  FlowCase<double> f(parse_spec(R"({"event": 2, "dtype": "float64", "layers": [{"type": "actnorm"}]})"), 1);
  f.randomize(2, 0.5);
  const Rows2 in{2, {1, 2, -3, 4}, {}};
  const MappedValues before = f.map(false, in);
  const std::vector<std::byte> old = without(f.model(), "layers.0.center");
  set(f.model(), "layers.0.center", {100, -5});
  EXPECT_GT(std::abs(f.map(false, in).y[0] - before.y[0]), 1);
  read_params(parse_model(old), f.model());
  EXPECT_EQ(value_of(f.model(), "layers.0.center").at, (Values{0, 0}));
  EXPECT_TRUE(same_bits(f.map(false, in).y, before.y));
}

// As files of versions that did not store it; also into a model that has another one.
TEST(PluPermutation, FollowsFromTheSpecOfOldFiles) {
  FlowCase<double> f = one_layer(kPlu, 4);
  const std::vector<std::byte> old = without(f.model(), "layers.0.permutation");
  const Values start = value_of(f.model(), "layers.0.permutation").at;
  const LoadedModel loaded = read_model(system_allocator(), old);
  EXPECT_EQ(value_of(*loaded.model, "layers.0.permutation").at, start);
  EXPECT_EQ(loaded.model->params().hash(), f.model().params().hash());
  set(f.model(), "layers.0.permutation", {start[1], start[0], start[3], start[2]});
  read_params(parse_model(old), f.model());
  EXPECT_EQ(value_of(f.model(), "layers.0.permutation").at, start);
  EXPECT_ERROR(read_model(system_allocator(), without(f.model(), "layers.0.sign")), Code::format,
               "tensor \"layers.0.sign\" of the spec is missing");
}

// The random initial values of layers behind it are those of versions without the tensor.
TEST(PluPermutation, MovesNoOtherTensor) {
  FlowCase<double> with(parse_spec(R"({"event": 3, "layers": [{"type": "plu_linear"}, {"type": "householder"}]})")),
      alike(parse_spec(R"({"event": 3, "layers": [{"type": "affine"}, {"type": "affine", "bias": false},
                                                  {"type": "householder"}]})"));
  EXPECT_EQ(value_of(with.model(), "layers.1.vectors").at, value_of(alike.model(), "layers.2.vectors").at)
      << "both have five tensors before";
}

}  // namespace
}  // namespace libnf::test
