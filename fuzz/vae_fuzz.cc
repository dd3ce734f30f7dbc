// Variational autoencoders of any nets, posterior, prior and likelihood: created or refused; encoded, decoded, scored with
// the same bits twice and after a file; a training step leaves finite parameters.
#include "fuzz/random_model.h"

namespace fuzz {
namespace {

void check(nf::Model& m, Bytes& b) {
  const nf::ModelInfo info = m.info();
  if (info.event_size > 64) return;
  constexpr int64_t kRows = 3;
  nf::Session s = session_of(m);
  Rows rows = rows_of(info, kRows, b);
  if (b.coin())
    for (double& v : rows.x) v = std::isfinite(v) ? std::floor(std::abs(v)) : 0;  // levels and counts
  const nf::View x = rows.x_view(info.event_size), context = rows.context_view(info.context_size);
  std::vector<double> log_prob, again, means;
  const nf_status scored = status_of([&] { log_prob = s.log_prob<double>(x, context); });
  if (scored == NF_OK) {
    for (const double lp : log_prob) require(!(lp == std::numeric_limits<double>::infinity()));
    const std::vector<unsigned char> file = m.to_bytes();
    const nf::Model copy = nf::Model::from_bytes(runtime(), file.data(), file.size());
    require(status_of([&] { again = session_of(copy).log_prob<double>(x, context); }) == NF_OK);
    require(same_bits(log_prob, again));
  }
  std::vector<double> z(static_cast<size_t>(kRows * info.latent_size)), log_q(kRows);
  (void)status_of(
      [&] { s.encode_into({}, {}, nf::Out(z.data(), kRows, info.latent_size), nf::Out(log_q), x, context); });
  (void)status_of([&] { means = s.decode<double>(nf::View(z.data(), kRows, info.latent_size), context); });
  (void)status_of([&] { (void)s.sample<double>(kRows, {b.word()}, context); });

  std::optional<nf::Trainer> t;
  const char* objective = b.coin() ? "elbo" : "iwae";
  if (status_of([&] { t.emplace(m, nf::Options{{"trainer.objective", objective}}); }) != NF_OK) return;
  const nf_status stepped = status_of([&] { t->step(nf::Batch(x, context)); });
  require(stepped == NF_OK || stepped == NF_ERR_NUMERIC || stepped == NF_ERR_NOT_INVERTED);
  for (const nf::Tensor& tensor : m.tensors())
    for (const double v : m.get_tensor<double>(tensor)) require(std::isfinite(v));
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = fuzz::vae_spec(b);
  if (spec.empty()) return 0;
  if (std::optional<nf::Model> m = fuzz::model_of(spec, b)) fuzz::check(*m, b);
  return 0;
}
