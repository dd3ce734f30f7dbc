// Flows of any layers, nested, repeated, inverted, with splits, images, contexts and any base: what layer_roundtrip checks,
// and that a file brings back the same model, whose samples score as it says.
#include "fuzz/random_model.h"
#include "fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = fuzz::flow_spec(b);
  if (spec.empty()) return 0;
  std::optional<nf::Model> m = fuzz::model_of(spec, b);
  if (!m) return 0;
  fuzz::check_round_trip(*m, b);
  const std::vector<unsigned char> file = m->to_bytes();
  const nf::Model again = nf::Model::from_bytes(fuzz::runtime(), file.data(), file.size());
  fuzz::require(again.hash() == m->hash() && again.spec() == m->spec());
  fuzz::check_samples(*m, again, b);
  return 0;
}
