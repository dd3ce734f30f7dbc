// Data and context from one file: finds the columns left for data, and checks that no column is both.
#pragma once
#include <nf/nf.hpp>
#include <string>

#include "src/cli/common/settings.h"

namespace cli {

// Returns all columns of `path` except those in the list `taken`, in the form of option "table.columns".
std::string other_columns(const nf::Runtime& runtime, const std::string& path, const Settings& settings,
                          const std::string& taken);

// Failure if both lists select the same column of `path`.
void check_disjoint(const std::string& path, const Settings& settings, const std::string& data,
                    const std::string& context);

}  // namespace cli
