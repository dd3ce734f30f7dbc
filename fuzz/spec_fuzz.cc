// Parses any bytes as a model spec: returns a status, and an accepted spec survives its canonical form, a file and
// scoring.
#include "fuzz/random_model.h"

namespace {

using fuzz::require;

// Scores a few rows; any result is fine as long as nothing crashes.
void score(const nf::Model& m) {
  const nf::ModelInfo info = m.info();
  if (info.event_size > 4096 || info.context_size > 4096) return;
  const std::vector<double> x(static_cast<size_t>(3 * info.event_size), 0.25),
      context(static_cast<size_t>(info.context_size), 0.5);
  (void)fuzz::status_of([&] {
    nf::Session s = fuzz::session_of(m);
    s.log_prob<double>(nf::View(x.data(), 3, info.event_size),
                       context.empty() ? nf::View() : nf::View(context.data(), 1, info.context_size));
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::optional<nf::Model> m;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const nf_status status = fuzz::status_of([&] { m.emplace(fuzz::runtime(), text, 1); });
  require(status == NF_OK || status == NF_ERR_SPEC || status == NF_ERR_NOMEM);
  if (status != NF_OK) return 0;
  const nf::Model again(fuzz::runtime(), m->spec(), 1);
  require(m->spec() == again.spec() && m->hash() == again.hash());
  const std::vector<unsigned char> file = m->to_bytes();
  const nf::Model loaded = nf::Model::from_bytes(fuzz::runtime(), file.data(), file.size());
  require(m->hash() == loaded.hash());
  score(loaded);
  return 0;
}
