// --set: fields of a model spec from the command line.
//   layers[0].layers[1].hidden=[64,64]   a path: keys joined by dots, places in lists as [i] or .i
//   base.type=diagonal_normal            below a base or layer that is only named
//   hidden=[64,64]                       a bare field: of the spec itself, or of every layer (or the base) that has it
// The value is JSON, or else a string. What is set must be a field of nf_layers_describe there; whether the value is
// good is the library's to say.
#pragma once
#include <string>
#include <vector>

namespace nf::cli {

std::string override_spec(const std::string& spec, const std::vector<std::string>& assignments);

}  // namespace nf::cli
