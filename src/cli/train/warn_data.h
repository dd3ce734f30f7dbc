// Looks at the training rows before training: names of columns, indices, numbers that repeat, codes.
#pragma once
#include <nf/nf.hpp>

#include "src/cli/common/column_kinds.h"
#include "src/cli/common/evaluate.h"

namespace cli {

// Failure if two columns of data or context have the same name: a model could not tell them apart.
void check_names(const Data& data, const std::string& path);

// Warns on standard error of rows that a density should not be fitted to as they are: few of them, indices, codes for
// missing values; and, unless the model has noise, numbers that repeat and are not dequantized, and linear functions of
// other columns. Notes in the model which columns hold integers.
void examine_columns(const Rows& rows, const std::vector<ColumnKind>& kinds, nf::Model& model, bool quiet);

}  // namespace cli
