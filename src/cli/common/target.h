// Targets as the command takes them: NAME, NAME with fields, "u1,radius=4,spread=0.8", or JSON.
#pragma once
#include <nf/nf.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cli {

// The JSON or name that nf::Target takes. Failure for words that are no field=value, and for a field given twice.
std::string target_spec(const std::string& argument);
nf::Target open_target(const nf::Runtime& runtime, const std::string& argument, int64_t columns);
// Of a target that fixes its number of columns, else 2.
int64_t usual_columns(const std::string& argument);
// {"type": NAME, every field}: two ways to write one target give the same. Of a target that opens.
nlohmann::ordered_json full_target(const std::string& argument);

// Rows of the target, row-major, by random walks: never quite independent, and modes far apart may be missed.
std::vector<double> walk(const nf::Runtime& runtime, const nf::Target& target, int64_t rows, uint64_t seed);

// All targets, or one with more about it.
int list_targets(bool json);
int show_target(const std::string& argument, bool json);

}  // namespace cli
