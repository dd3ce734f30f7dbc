// Targets as the command takes them: NAME, NAME with fields, "u1,radius=4,spread=0.8", or the JSON of nf_target_create.
#pragma once
#include <string>

#include "src/cli/handle.h"

namespace nf::cli {

// What nf_target_create takes. Failure for words that are no field=value.
std::string target_spec(const std::string& argument);
Target open_target(nf_runtime* runtime, const std::string& argument, int64_t columns);
nf_target_info info_of(const nf_target* target);
// Of a target that fixes its number of columns, else 2.
int64_t usual_columns(const std::string& argument);

int list_targets(bool json);

}  // namespace nf::cli
