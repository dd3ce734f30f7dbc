// Model specs as the command takes them: a file, "-" for standard input, or the JSON itself; with the sizes that
// the data decides filled in. Overrides are in set.h; everything else about a spec is the library's business.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <string>
#include <vector>

namespace cli {

std::string read_spec(const std::string& source);

// Puts a layer "standardize" at the data end of the chain, unless there is one: in front, or behind the layers that
// make levels continuous ("dequantize", and "logit" after it). Failure if a "dequantize" comes later than that.
std::string standardize_spec(const std::string& spec);
bool is_standardized(const std::string& spec);
bool is_dequantized(const std::string& spec);  // has a layer "dequantize"

// Puts a JSON list of layers at the data end of the chain.
std::string spec_behind(const std::string& layers, const std::string& spec);

// Inserts "event" and "context" where they are missing or "auto": the extents of an event and the columns of a context. A
// spec that names both comes back byte for byte, and one that is not a JSON object too: the library says what is wrong.
std::string complete_spec(const std::string& spec, const std::vector<int64_t>& event, int64_t context);

std::string spec_kind(const std::string& spec);  // "flow" unless it says something else

// NF_F32 or NF_F64: what the data should be read as.
nf_dtype spec_dtype(const std::string& spec);

}  // namespace cli
