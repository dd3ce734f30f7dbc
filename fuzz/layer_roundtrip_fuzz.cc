// One layer of any kind, in any configuration, with any parameters and rows: what the library promises of maps. Chains of
// layers are in model_roundtrip.
#include "fuzz/random_model.h"
#include "fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = fuzz::layer_spec(b);
  if (spec.empty()) return 0;
  if (std::optional<nf::Model> m = fuzz::model_of(spec, b)) fuzz::check_round_trip(*m, b);
  return 0;
}
