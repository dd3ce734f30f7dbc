// What libnf says about its parts (nf::describe_parts), looked up by registry and name, and about a model.
#pragma once
#include <nf/nf.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace cli {

// All of it: one list per registry ("layers", "nets", ...), "embedding", and the fields of the "spec" itself.
const nlohmann::ordered_json& description();
// The registries, in their order.
std::vector<std::string> registries();
// A part of a registry by its name or an alias. Returns nullptr when there is no such part.
const nlohmann::ordered_json* find_part(const std::string& registry, const std::string& name);
// Looks up an entry of a list of fields. Returns nullptr when there is no such field.
const nlohmann::ordered_json* find_field(const nlohmann::ordered_json& fields, const std::string& name);
// Shapes, layers and scales of a model, and whether its log_prob is exact (nf::Model::describe).
nlohmann::ordered_json description_of(const nf::Model& model);
// Whether a layer adds noise in training: the density is then broader than the data on purpose, to rank rows.
bool is_smoothed(const nf::Model& model);

}  // namespace cli
