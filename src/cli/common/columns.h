// Finds the columns that a model uses: training stores their names in the model, and they are looked up in the header
// of a data file.
#pragma once
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/input.h"
#include "src/cli/common/settings.h"

namespace cli {

// The notes "columns" and "context_columns" of a model; empty if the training data had no names. Note "classes" has the
// classes of a model whose context is the class of a row, in the order of their place in the context.
struct ColumnNames {
  std::vector<std::string> data, context, classes = {};
};
ColumnNames column_names(const nf::Model& model);
void set_column_names(nf::Model& model, const ColumnNames& names);

// Splits a list of columns at its commas; a word in double quotes may have any characters.
struct ColumnWord {
  std::string text;
  bool quoted = false;
};
std::vector<ColumnWord> split_columns(const std::string& list);

// Returns the index of a column of a file, or -1.
int64_t index_of(const ColumnWord& word, const TableFacts& file);

// Returns the columns of `path` that a model of columns `names` reads, in its order, in the form of option
// "table.columns"; "" for all. `given` lists the columns that the user wants, or is empty. If the file and the model have
// names, they decide: Failure if the file does not have them, or if `given` picks others. Without names, `given` does.
std::string match_columns(const std::string& path, const TableFacts& file, const std::vector<std::string>& names,
                          const std::string& given, const char* flag);

}  // namespace cli
