// Data and context from one file: finds the columns left for data, and checks that no column is both.
#pragma once
#include <string>

#include "src/cli/common/columns.h"

namespace cli {

// Returns all columns of the file except those in the lists `taken` and `id`, in the form of option "table.columns".
std::string other_columns(const std::string& path, const TableFacts& file, const std::string& taken,
                          const std::string& id);

// Whether a word names a column of the file: by name, or by index if there is no file of that name.
bool names_column(const std::string& word, const TableFacts& file);

// Failure if both lists select the same column of the file.
void check_disjoint(const std::string& path, const TableFacts& file, const std::string& data,
                    const std::string& context);

}  // namespace cli
