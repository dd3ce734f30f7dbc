// All pinned cases. A name is family/part/variant; the first two name the test that runs it.
#pragma once
#include <vector>

#include "tests/pins/run.h"

namespace libnf::test {

void add_layer_cases(std::vector<PinCase>& all);
void add_base_cases(std::vector<PinCase>& all);
void add_shipped_cases(std::vector<PinCase>& all);
void add_training_cases(std::vector<PinCase>& all);

inline std::vector<PinCase> all_cases() {
  std::vector<PinCase> all;
  add_layer_cases(all);
  add_base_cases(all);
  add_shipped_cases(all);
  add_training_cases(all);
  return all;
}

// {"event": [d], head..., "layers": [layers]}
inline std::string spec_of(int64_t d, const std::string& layers, const std::string& head = "") {
  return "{\"event\": [" + std::to_string(d) + "], " + head + (head.empty() ? "" : ", ") + "\"layers\": [" + layers +
         "]}";
}
inline const std::string kContext = R"("context": [2])";
inline const std::string kFloat64 = R"("dtype": "float64")";

}  // namespace libnf::test
