#include "fuzz/random_model.h"

#include <random>

#include "fuzz/byte_fields.h"
#include "src/io/json.h"
#include "src/model/flow.h"
#include "src/model/spec.h"
#include "src/model/vae.h"
#include "src/model/write_fields.h"

namespace fuzz {
namespace {

libnf::Dims event_of(Bytes& b) {
  if (b.below(3) == 1) return {1 + b.below(4), 1 + b.below(4), 1 + b.below(3)};
  return {1 + b.below(6)};
}

std::string dumped(const libnf::Dims& event, int64_t context, bool wide, const char* kind, libnf::Config& config) {
  libnf::Json::Array dims;
  for (int i = 0; i < event.rank; ++i) dims.push_back(libnf::Json(event[i]));
  libnf::Json spec = libnf::Json::Object();
  spec["kind"] = kind;
  spec["event"] = dims;
  spec["context"] = context;
  spec["dtype"] = wide ? "float64" : "float32";
  return libnf::written(config, std::move(spec)).dump();
}

// The spec, if it is valid.
std::string checked(const std::string& spec) {
  const nf_status status = status_of([&] { nf::Model(runtime(), spec, 1); });
  require(status == NF_OK || status == NF_ERR_SPEC || status == NF_ERR_NOMEM);
  return status == NF_OK ? spec : "";
}

}  // namespace

const nf::Runtime& runtime() {
  static const nf::Runtime rt(nf::Options{{"runtime.threads", 1}, {"runtime.max_bytes", 256 << 20}});
  return rt;
}

std::string layer_spec(Bytes& b, std::string_view word) {
  const libnf::Dims event = event_of(b);
  const int64_t context = b.below(3);
  const bool wide = b.byte() < 192;
  libnf::FlowConfig config;
  ByteFields fields(b, event.count());
  config.chain.layers.push_back(fields.layer(word));
  return checked(dumped(event, context, wide, "flow", config));
}

std::string flow_spec(Bytes& b) {
  const libnf::Dims event = event_of(b);
  const int64_t context = b.below(3);
  const bool wide = b.byte() < 192;
  libnf::FlowConfig config;
  ByteFields fields(b, event.count());
  config.fields(fields);
  return checked(dumped(event, context, wide, "flow", config));
}

std::string vae_spec(Bytes& b) {
  const libnf::Dims event = event_of(b);
  const int64_t context = b.below(3);
  const bool wide = b.byte() < 192;
  libnf::VaeConfig config;
  ByteFields fields(b, event.count());
  config.fields(fields);
  config.latent = 1 + b.below(4);
  return checked(dumped(event, context, wide, "vae", config));
}

std::optional<nf::Model> model_of(const std::string& spec, Bytes& b, bool raw) {
  std::optional<nf::Model> m;
  if (status_of([&] { m.emplace(runtime(), spec, b.byte()); }) != NF_OK) return std::nullopt;
  for (const nf::Tensor& t : m->tensors()) {
    if (!t.trainable) continue;
    std::vector<double> v(static_cast<size_t>(t.size()));
    const uint8_t kind = b.byte();
    if (!raw && kind < 64) continue;
    if (!raw && (kind < 224 || v.size() > 64)) {
      std::mt19937_64 random(kind);
      std::normal_distribution<double> normal(0, std::exp2(b.below(12) - 8));
      for (double& e : v) e = normal(random);
    } else {
      for (double& e : v) e = b.number();
    }
    (void)status_of([&] { m->set_tensor(t, v); });  // what is not finite is refused
  }
  return m;
}

Rows rows_of(const nf::ModelInfo& info, int64_t n, Bytes& b) {
  Rows r{b.numbers(n * info.event_size), b.numbers(n * info.context_size), n};
  for (double& v : r.context)
    if (!std::isfinite(v)) v = 0;
  return r;
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof a[i]) != 0 && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  return true;
}

}  // namespace fuzz
