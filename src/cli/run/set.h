// --set: fields of a model spec from the command line.
//   layers[0].layers[1].net.hidden=[64,64]   a path: keys joined by dots, places in lists as [i] or .i
//   base.type=diagonal_normal                below a part that is only named
//   net.hidden=[64,64], hidden=[64,64]       a path that does not start at the spec: in every layer (or the base) that
//                                            has it; fields of a net need not say so
// The value is JSON, or else a string. What is set must be a field of nf::describe_parts() there; whether the value is
// valid is for the library to decide.
#pragma once
#include <string>
#include <vector>

namespace cli {

std::string override_spec(const std::string& spec, const std::vector<std::string>& assignments);

}  // namespace cli
