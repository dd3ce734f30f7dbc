// Targets as the command takes them: NAME, NAME with fields, "u1,radius=4,spread=0.8", or the JSON of nf_target_create.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/cli/handle.h"

namespace nf::cli {

// What nf_target_create takes. Failure for words that are no field=value, and for a field given twice.
std::string target_spec(const std::string& argument);
Target open_target(nf_runtime* runtime, const std::string& argument, int64_t columns);
nf_target_info info_of(const nf_target* target);
// Of a target that fixes its number of columns, else 2.
int64_t usual_columns(const std::string& argument);
// {"type": NAME, every field}: two ways to write one target give the same. Of a target that opens.
nlohmann::ordered_json full_target(const std::string& argument);

// Rows of the target, row-major, by random walks: never quite independent, and modes far apart may be missed.
std::vector<double> walk(nf_runtime* runtime, const nf_target* target, int64_t columns, int64_t rows, uint64_t seed);

// All targets, or one with more about it.
int list_targets(bool json);
int show_target(const std::string& argument, bool json);

}  // namespace nf::cli
