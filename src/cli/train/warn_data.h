// Looks at the training rows before training: names of columns, indices, numbers that repeat.
#pragma once
#include <nf/nf.hpp>

#include "src/cli/common/evaluate.h"

namespace cli {

// Failure if two columns of data or context have the same name: a model could not tell them apart.
void check_names(const Data& data, const std::string& path);

// Warns on standard error of columns that a density should not be fitted to as they are: indices of the rows, and numbers
// that repeat unless a layer dequantizes them. Notes in the model which columns hold integers.
void examine_columns(const Rows& rows, nf::Model& model, bool quiet);

}  // namespace cli
