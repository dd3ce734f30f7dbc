// Which columns of a file a model means: the names that training left in it, looked up in the header of the file.
#pragma once
#include <string>
#include <vector>

#include "src/cli/handle.h"
#include "src/cli/settings.h"

namespace nf::cli {

// The notes "columns" and "context_columns" of a model; empty where training saw no names.
struct ColumnNames {
  std::vector<std::string> data, context;
};
ColumnNames column_names(const nf_model* model);
void set_column_names(nf_model* model, const ColumnNames& names);

// The cells of the first row of a CSV file if they are names; none for other files, or if they are numbers.
std::vector<std::string> header_of(const std::string& path, const Settings& settings);

// The columns of `path` with these names, as the table option "columns" takes them; "" for all columns, when the file
// or the model has no names to go by. Failure if the file has names, but not these.
std::string find_columns(const std::string& path, const Settings& settings, const std::vector<std::string>& names);

}  // namespace nf::cli
