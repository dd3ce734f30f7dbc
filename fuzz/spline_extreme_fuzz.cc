// Splines whose parameters and rows are numbers of any kind: knots on top of each other, slopes of 0 and of 1e300, rows on
// knots. What the library promises of maps holds, or a status says why not.
#include "fuzz/random_model.h"
#include "fuzz/round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Bytes b(data, size);
  const std::string spec = fuzz::layer_spec(b, "spline");
  if (spec.empty()) return 0;
  if (std::optional<nf::Model> m = fuzz::model_of(spec, b, true)) fuzz::check_round_trip(*m, b);
  return 0;
}
