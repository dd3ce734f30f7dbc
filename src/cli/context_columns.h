// Data and context from one file: finds the columns left for data, and checks that no column is both.
#pragma once
#include <string>

#include "src/cli/handle.h"
#include "src/cli/settings.h"

namespace nf::cli {

// Returns all columns of `path` except those in the list `taken`, in the form of the table option "columns".
std::string other_columns(nf_runtime* runtime, const std::string& path, const Settings& settings,
                          const std::string& taken);

// Failure if both lists select the same column of `path`.
void check_disjoint(const std::string& path, const Settings& settings, const std::string& data,
                    const std::string& context);

}  // namespace nf::cli
