// Every SIMD target of the processor against one lane at a time, in float64: the same maps, log-densities and samples, up to
// the rounding that a different order of sums makes.
#include "fuzz/random_model.h"
#include "tests/support/on_target.h"

namespace fuzz {
namespace {

struct Result {
  nf_status status = NF_OK;
  std::vector<double> z, log_prob, x;
};

Result run(const nf::Model& m, const Rows& rows, uint64_t seed) {
  const nf::ModelInfo info = m.info();
  nf::Session s = session_of(m);
  Result r;
  r.status = status_of([&] {
    const nf::View x = rows.x_view(info.event_size), context = rows.context_view(info.context_size);
    r.z = s.forward<double>(x, {}, context);
    r.log_prob = s.log_prob<double>(x, context);
    r.x = s.sample<double>(rows.n, {seed}, context);
  });
  return r;
}

// How far the two are apart, relative to the size of the largest number of a row; infinity if one is finite and the other
// is not.
bool near(const std::vector<double>& a, const std::vector<double>& b, double tolerance) {
  if (a.size() != b.size()) return false;
  double scale = 1;
  for (const double v : a)
    if (std::isfinite(v)) scale = std::max(scale, std::abs(v));
  for (size_t i = 0; i < a.size(); ++i)
    if (std::isfinite(a[i]) && std::isfinite(b[i]) && std::abs(a[i] - b[i]) > tolerance * scale) return false;
  return true;
}

void check(const nf::Model& m, Bytes& b) {
  const nf::ModelInfo info = m.info();
  if (info.dtype != NF_F64 || info.event_size > 64) return;
  Rows rows = rows_of(info, 3, b);
  for (double& v : rows.x) v = std::isfinite(v) ? std::fmod(v, 4) : 0;  // sizes at which nothing is badly conditioned
  const uint64_t seed = b.byte();
  // What changes when the rows change by a rounding is what a target may change.
  Rows moved = rows;
  for (double& v : moved.x) v += 1e-13 * std::max(1.0, std::abs(v));
  const std::vector<int64_t> targets = hwy::SupportedAndGeneratedTargets();  // the best first
  Result one, shifted;
  {
    const libnf::test::OnTarget last(targets.back());
    one = run(m, rows, seed), shifted = run(m, moved, seed);
  }
  const bool calm = one.status == NF_OK && shifted.status == NF_OK && near(one.z, shifted.z, 1e-9) &&
                    near(one.log_prob, shifted.log_prob, 1e-9);
  for (const int64_t target : targets) {
    const libnf::test::OnTarget on(target);
    const Result r = run(m, rows, seed);
    if (!calm || r.status != NF_OK) continue;
    require(near(one.z, r.z, 1e-7) && near(one.log_prob, r.log_prob, 1e-7));
  }
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = fuzz::flow_spec(b);
  if (spec.empty()) return 0;
  if (std::optional<nf::Model> m = fuzz::model_of(spec, b)) {
    if (m->info().has_layers) fuzz::check(*m, b);
  }
  return 0;
}
