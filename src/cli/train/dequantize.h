// Option --dequantize: a layer "dequantize" in front of any spec, for columns whose numbers repeat.
#pragma once
#include <string>
#include <vector>

#include "src/cli/common/column_kinds.h"

namespace cli {

// Puts a layer for each step at the data end of the spec. `list` has columns by name or index, or is "auto" for all
// whose numbers repeat. Failure if a column has no step, or the spec dequantizes already.
std::string dequantized_spec(const std::string& spec, const std::string& list, const Rows& rows,
                             const std::vector<ColumnKind>& kinds);

// Puts the leading "dequantize" layers of a trained spec in front of one that has none: a resumed run goes on with them.
std::string dequantized_like(const std::string& trained, const std::string& spec);

// The columns that layers of a spec dequantize.
std::vector<bool> dequantized_columns(const std::string& spec, size_t columns);

}  // namespace cli
