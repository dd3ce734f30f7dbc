// Checkpoints: a run that stops after some steps, with options from the bytes, and goes on from its checkpoint has the bits
// of a run that never stopped. The checkpoint as a model is the model.
#include "fuzz/random_model.h"

namespace fuzz {
namespace {

nf::Options options_of(Bytes& b) {
  const char* optimizers[] = {"adam", "adamax", "sgd", "rmsprop", "adamw", "lion"};
  const char* schedules[] = {"constant", "cosine", "linear", "step", "plateau"};
  nf::Options o;
  const auto set = [&](const char* key, const std::string& value) {
    // An option that does not exist is refused, which is no finding.
    (void)status_of_any([&] { o.set(key, value); });
  };
  set("trainer.optimizer", optimizers[b.below(6)]);
  set("trainer.schedule", schedules[b.below(5)]);
  if (b.coin()) set("trainer.clip_norm", "1");
  if (b.coin()) set("trainer.ema_decay", "0.9");
  if (b.coin()) set("trainer.memory", b.coin() ? "recompute" : "invert");
  set("trainer.seed", std::to_string(b.byte()));
  set("trainer.total_steps", std::to_string(1 + b.below(20)));
  return o;
}

// The steps of a run: losses, up to one that is refused.
std::vector<double> run(nf::Trainer& t, const nf::Batch& batch, int64_t steps) {
  std::vector<double> losses;
  for (int64_t k = 0; k < steps; ++k) {
    double loss = 0;
    const nf_status status = status_of([&] { loss = t.step(batch).loss; });
    require(status == NF_OK || status == NF_ERR_NUMERIC || status == NF_ERR_NOT_INVERTED || status == NF_ERR_STATE);
    losses.push_back(status == NF_OK ? loss : -static_cast<double>(status));
  }
  return losses;
}

void check(const std::string& spec, Bytes& b) {
  const uint8_t seed = b.byte();
  const auto made = [&] { return nf::Model(runtime(), spec, seed); };
  nf::Model whole = made(), first = made(), second(runtime(), spec, static_cast<uint64_t>(seed) + 1);
  const nf::ModelInfo info = whole.info();
  if (info.event_size > 64) return;
  const nf::Options options = options_of(b);
  const int64_t before = b.below(4), after = 1 + b.below(3);
  const Rows rows = rows_of(info, 2 + b.below(4), b);
  const nf::View x = rows.x_view(info.event_size), context = rows.context_view(info.context_size);
  const nf::Batch batch(x, context);

  std::optional<nf::Trainer> a, c;
  if (status_of([&] { a.emplace(whole, options); }) != NF_OK) return;
  std::vector<double> losses = run(*a, batch, before);
  std::vector<unsigned char> checkpoint;
  {
    nf::Trainer stops(first, options);
    require(same_bits(run(stops, batch, before), losses));
    checkpoint = stops.to_bytes();
  }
  c.emplace(second, options);
  require(status_of([&] { c->restore(checkpoint.data(), checkpoint.size()); }) == NF_OK);
  require(second.hash() == first.hash());
  const nf::Model loaded = nf::Model::from_bytes(runtime(), checkpoint.data(), checkpoint.size());
  require(loaded.spec() == whole.spec());
  require(same_bits(run(*a, batch, after), run(*c, batch, after)));
  require(whole.hash() == second.hash());
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = b.below(4) == 1 ? fuzz::vae_spec(b) : fuzz::flow_spec(b);
  if (!spec.empty()) fuzz::check(spec, b);
  return 0;
}
