#include "tests/pins/run.h"

#include <cstdio>
#include <cstring>

#include "src/io/safetensors.h"

namespace libnf::test {
namespace {

using abi_test::Err;
using abi_test::info;
using abi_test::ok;

constexpr uint64_t kTrainSeed = 1, kScoreSeed = 2, kLatentSeed = 3, kContextSeed = 4, kSampleSeed = 5;
constexpr uint64_t kHashStart = 0xcbf29ce484222325u;

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Returns a multiple of 2^-32 in (0, 1); sums and differences of a few of these are exact.
double uniform(uint64_t seed, int64_t row, int64_t column, uint64_t draw) {
  const uint64_t h = mix(mix(mix(seed) + static_cast<uint64_t>(row)) + 64 * static_cast<uint64_t>(column) + draw);
  return (static_cast<double>(h >> 33) + 0.5) / 2147483648.0;
}

// Returns the sum of four uniform numbers: mean 0, variance 1, within +-3.5.
double nearly_normal(uint64_t seed, int64_t row, int64_t column) {
  double sum = -2;
  for (uint64_t k = 0; k < 4; ++k) sum += uniform(seed, row, column, k);
  return sum * 1.75;
}

double draw(Rows where, uint64_t seed, int64_t row, int64_t column) {
  const double u = uniform(seed, row, column, 7), x = nearly_normal(seed, row, column);
  switch (where) {
    case Rows::normal:
      return 1.25 * x + 0.25 * static_cast<double>(column % 3);
    case Rows::unit:
      return u;
    case Rows::positive:
      return 0.05 + 3 * u;
    case Rows::symmetric:
      return 1.9 * u - 0.95;
    case Rows::nonzero:
      return x < 0 ? x - 0.1 : x + 0.1;
    case Rows::circle:
      return 6.25 * u - 3.125;
  }
  return 0;
}

// Hashes numbers; every NaN counts as the same.
uint64_t hash_bits(const Numbers& n, uint64_t h = kHashStart) {
  for (int64_t i = 0; i < n.count(); ++i) {
    const double v = n.get(i);
    uint64_t bits = 0x7ff8000000000000u;
    if (!std::isnan(v)) memcpy(&bits, &v, sizeof bits);
    h = mix(h ^ bits);
  }
  return h;
}

// Pins an output that could not be computed as its status.
std::string hash_of(nf_status status, std::initializer_list<const Numbers*> outputs) {
  if (status != NF_OK) return nf_status_name(status);
  uint64_t h = kHashStart;
  for (const Numbers* n : outputs) h = hash_bits(*n, h);
  return hex(h);
}

bool samples_rows(const PinCase& c) {
  for (const auto& [key, value] : c.options)
    if (key == "objective") return value == "reverse_kl" || value == "alpha";
  return false;
}

abi_test::Runtime runtime_of(const char* threads) {
  const abi_test::Options o = abi_test::options({{"runtime.threads", threads}});
  return abi_test::runtime(nullptr, o.get());
}

Hashes run_with(const PinCase& c, const char* threads) {
  Hashes hashes;
  Err e;
  const abi_test::Runtime rt = runtime_of(threads);
  const abi_test::Model m = abi_test::model(rt.get(), c.spec, 11);
  if (!m) return hashes;
  abi_test::Target target;
  const abi_test::Trainer t = trainer_of(rt.get(), m.get(), c, target);
  if (!t) return hashes;
  train_steps(t.get(), m.get(), c, 0, c.steps);
  uint64_t parameters = hash_parameters(m.get());
  for (const auto& [key, value] : c.options) {
    if (key != "ema_decay") continue;
    EXPECT_TRUE(ok(nf_trainer_use_average(t.get(), 1, &e), e));
    parameters += hash_parameters(m.get());
  }
  hashes.of[kParameters] = hex(parameters);
  evaluate(m.get(), c, hashes);
  return hashes;
}

}  // namespace

Numbers::Numbers(int32_t dtype, std::vector<int64_t> shape) : dtype_(dtype), shape_(std::move(shape)) {
  size_t n = 1;
  for (const int64_t d : shape_) n *= static_cast<size_t>(d);
  (dtype == NF_F64 ? d_.resize(n) : f_.resize(n), void());
}

Numbers Numbers::rows(int32_t dtype, int64_t n, int64_t columns, Rows where, uint64_t seed) {
  Numbers out(dtype, {n, columns});
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < columns; ++j) out.set(r * columns + j, draw(where, seed, r, j));
  return out;
}

Numbers Numbers::context(int32_t dtype, int64_t n, int64_t columns, int64_t classes, uint64_t seed) {
  Numbers out = rows(dtype, n, columns, Rows::normal, seed);
  if (classes == 0) return out;
  for (int64_t r = 0; r < n; ++r) {
    const int64_t label = r % classes;
    if (columns < classes) {
      out.set(r * columns, static_cast<double>(label));
      continue;
    }
    for (int64_t j = 0; j < classes; ++j) out.set(r * columns + j, j == label ? 1 : 0);
  }
  return out;
}

double Numbers::get(int64_t i) const {
  return dtype_ == NF_F64 ? d_[static_cast<size_t>(i)] : static_cast<double>(f_[static_cast<size_t>(i)]);
}

void Numbers::set(int64_t i, double v) {
  if (dtype_ == NF_F64)
    d_[static_cast<size_t>(i)] = v;
  else
    f_[static_cast<size_t>(i)] = static_cast<float>(v);
}

int64_t Numbers::count() const { return static_cast<int64_t>(dtype_ == NF_F64 ? d_.size() : f_.size()); }

const nf_view* Numbers::view() const {
  if (shape_.size() == 2 && shape_[1] == 0) return nullptr;
  const void* data = dtype_ == NF_F64 ? static_cast<const void*>(d_.data()) : f_.data();
  view_ = nf_array(dtype_, data, static_cast<int32_t>(shape_.size()), shape_.data());
  return &view_;
}

const nf_out* Numbers::out() {
  void* data = dtype_ == NF_F64 ? static_cast<void*>(d_.data()) : f_.data();
  out_ = nf_out_array(dtype_, data, static_cast<int32_t>(shape_.size()), shape_.data());
  return &out_;
}

std::string hex(uint64_t hash) {
  char text[20];
  std::snprintf(text, sizeof text, "%012llx", static_cast<unsigned long long>(hash >> 16));
  return text;
}

abi_test::Trainer trainer_of(nf_runtime* rt, nf_model* m, const PinCase& c, abi_test::Target& target) {
  const abi_test::Options o = abi_test::options(
      {{"trainer.lr", "0.01"}, {"trainer.seed", "7"}, {"trainer.max_steps", std::to_string(c.steps).c_str()}});
  Err e;
  for (const auto& [key, value] : c.options)
    EXPECT_TRUE(ok(nf_options_set(o.get(), ("trainer." + key).c_str(), value.c_str(), &e), e)) << key << " = " << value;
  abi_test::Trainer t = abi_test::trainer(m, o.get());
  if (c.target.empty() || !t) return t;
  target = abi_test::target(rt, c.target, info(m).event_size);
  EXPECT_TRUE(ok(nf_trainer_set_target(t.get(), target.get(), &e), e));
  return t;
}

// Tensors as files store them: their dense forms, which nf_model_get_tensor gives, are newer than the table. So is the
// permutation of plu_linear and the center of actnorm, which do not count.
uint64_t hash_parameters(const nf_model* m) {
  Err e;
  std::vector<std::byte> bytes;
  const auto append = [](void* user, const void* p, size_t n) -> int32_t {
    auto& all = *static_cast<std::vector<std::byte>*>(user);
    all.insert(all.end(), static_cast<const std::byte*>(p), static_cast<const std::byte*>(p) + n);
    return 0;
  };
  EXPECT_TRUE(ok(nf_model_save_stream(m, append, &bytes, &e), e));
  uint64_t sum = 0;
  const SafeTensors file = SafeTensors::parse(bytes);
  for (const SafeTensors::Entry& t : file.entries()) {
    if (t.name.ends_with(".permutation") || t.name.ends_with(".center")) continue;
    Numbers values(t.type == TensorType::f64 ? NF_F64 : NF_F32, {t.shape.begin(), t.shape.end()});
    for (int64_t i = 0; i < values.count(); ++i) {
      float f = 0;
      double d = 0;
      if (t.type == TensorType::f64)
        std::memcpy(&d, t.data + static_cast<size_t>(i) * sizeof d, sizeof d);
      else
        std::memcpy(&f, t.data + static_cast<size_t>(i) * sizeof f, sizeof f);
      values.set(i, t.type == TensorType::f64 ? d : static_cast<double>(f));
    }
    sum += hash_bits(values);
  }
  return sum;
}

void train_steps(nf_trainer* t, const nf_model* m, const PinCase& c, int64_t first, int64_t steps) {
  const nf_model_info i = info(m);
  const bool samples = samples_rows(c);
  for (int64_t step = first; step < first + steps; ++step) {
    const auto seed = static_cast<uint64_t>(step);
    const Numbers x = Numbers::rows(i.dtype, c.batch, i.event_size, c.rows, 1000 * kTrainSeed + seed);
    const Numbers context = Numbers::context(i.dtype, c.one_context || samples ? 1 : c.batch, i.context_size, c.classes,
                                             1000 * kContextSeed + seed);
    Numbers weight(i.dtype, {c.batch});
    for (int64_t r = 0; r < c.batch; ++r) weight.set(r, r % 5 == 3 ? 0 : 0.5 + 0.25 * static_cast<double>(r % 4));
    Err e;
    const nf_status status = nf_train_step(
        t, abi_test::Batch(samples ? nullptr : x.view(), context.view(), c.weights ? weight.view() : nullptr), nullptr,
        &e);
    ASSERT_TRUE(ok(status, e)) << "step " << step;
    // A loss that first falls and then stays constant, so that schedule "plateau" reacts.
    const double loss = 1 / static_cast<double>(std::min<int64_t>(step, 10) + 1);
    ASSERT_TRUE(ok(nf_trainer_observe(t, loss, &e), e));
  }
}

void evaluate(nf_model* m, const PinCase& c, Hashes& hashes) {
  const nf_model_info i = info(m);
  const int64_t n = c.scored;
  const abi_test::Session s = abi_test::session(m);
  if (!s) return;
  Numbers x = Numbers::rows(i.dtype, n, i.event_size, c.rows, kScoreSeed);
  for (int64_t r = 3; r < n; r += 8)  // far out: tails, saturation, ends of supports
    for (int64_t j = 0; j < i.event_size; ++j) x.set(r * i.event_size + j, 20 * x.get(r * i.event_size + j));
  const Numbers context = Numbers::context(i.dtype, c.one_context ? 1 : n, i.context_size, c.classes, kContextSeed);
  Numbers log_prob(i.dtype, {n}), log_det(i.dtype, {n}), y(i.dtype, {n, i.event_size});
  nf_status status = nf_log_prob(s.get(), x.view(), context.view(), log_prob.out(), nullptr);
  hashes.of[kLogProb] = hash_of(status, {&log_prob});
  status = nf_forward(s.get(), x.view(), context.view(), y.out(), log_det.out(), nullptr);
  hashes.of[kForward] = hash_of(status, {&y, &log_det});
  // Half of the latents are images of rows; the others need not be.
  Numbers z = Numbers::rows(i.dtype, n, i.event_size, Rows::normal, kLatentSeed);
  if (status == NF_OK)
    for (int64_t r = 0; r < n; r += 2)
      for (int64_t j = r * i.event_size; j < (r + 1) * i.event_size; ++j) z.set(j, y.get(j));
  status = nf_inverse(s.get(), z.view(), context.view(), y.out(), log_det.out(), nullptr);
  hashes.of[kInverse] = hash_of(status, {&y, &log_det});
  status = nf_sample(s.get(), abi_test::Sampling(kSampleSeed, 3), context.view(), y.out(), log_prob.out(), nullptr);
  hashes.of[kSamples] = hash_of(status, {&y, &log_prob});
}

Hashes run_case(const PinCase& c) {
  const Hashes one = run_with(c, "1");
  EXPECT_TRUE(!c.threads || run_with(c, "3") == one) << "three threads give different bits than one";
  return one;
}

}  // namespace libnf::test
