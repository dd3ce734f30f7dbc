// Finds the columns that a model uses: training stores their names in the model, and they are looked up in the header
// of a data file.
#pragma once
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/settings.h"

namespace cli {

// The notes "columns" and "context_columns" of a model; empty if the training data had no names.
struct ColumnNames {
  std::vector<std::string> data, context;
};
ColumnNames column_names(const nf::Model& model);
void set_column_names(nf::Model& model, const ColumnNames& names);

// Returns the first row of a CSV file if it holds names; empty for other files, or if it holds numbers.
std::vector<std::string> header_of(const std::string& path, const Settings& settings);

// Returns the columns of `path` with these names, in the form of option "table.columns"; "" (all columns) if the
// file or the model has no names. Failure if the file has names, but not these.
std::string find_columns(const std::string& path, const Settings& settings, const std::vector<std::string>& names);

}  // namespace cli
