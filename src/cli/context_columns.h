// Data and context from one file: which columns are left to be data, and that no column is both.
#pragma once
#include <string>

#include "src/cli/handle.h"
#include "src/cli/settings.h"

namespace nf::cli {

// All columns of `path` but those that the list `taken` names, as the table option "columns" takes them.
std::string other_columns(nf_runtime* runtime, const std::string& path, const Settings& settings,
                          const std::string& taken);

// Failure if both lists pick the same column of `path`.
void check_disjoint(const std::string& path, const Settings& settings, const std::string& data,
                    const std::string& context);

}  // namespace nf::cli
