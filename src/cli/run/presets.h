// Model specs by name, for `nf train NAME --data FILE`: sized by the rows and columns of the data, with the settings of
// training that suit them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/common/settings.h"

namespace cli {

struct PresetDoc {
  const char *name, *doc;
};
const std::vector<PresetDoc>& presets();

// Whether SPEC names a preset: a file of that name goes first.
bool is_preset(const std::string& spec);

// What a preset is sized by.
struct DataSize {
  int64_t rows = 10'000, columns = 2, context = 0;
  bool validates = false;  // the user asked for validation rows
};
// The spec as JSON, without "event" and "context".
std::string preset_spec(const std::string& name, const DataSize& size);

// The settings of a preset's run that the user did not give: batch, learning rate and schedule, clipping; of "auto" also the
// length of the run.
struct PresetRun {
  uint64_t steps = 0, patience = 0, valid_every = 0;  // 0: as without a preset
  bool all_rows = false;                              // train on all rows, without validation
};
PresetRun preset_settings(const std::string& name, const DataSize& size, Settings& settings);

}  // namespace cli
