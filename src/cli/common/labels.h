// Classes of rows: from a file of labels, one whole number per row, or from the folders of pictures. They select rows
// (--classes) and are the context of models of classes.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <string>
#include <vector>

#include "src/cli/common/rows.h"

namespace cli {

struct Labels {
  std::vector<std::string> classes;  // names; a class's place in this list is its place in the context
  std::vector<int32_t> of;           // of each row, an index into classes
  std::string source;                // the file or folder, for messages
  explicit operator bool() const { return !of.empty(); }
  std::vector<int64_t> counts() const;  // rows of each class
};

// Takes labels from a column of whole numbers, in ascending order of the classes that occur. Failure names the row of a
// label that is negative or not whole.
Labels labels_in(const Rows& column);
// Takes them from the folders of pictures, whose rows are `rows`, in the order of the folders' names. Empty if the path has
// no folder per class.
Labels labels_of_folders(const std::string& path, const Rows& rows);

// Returns the indices of the rows whose class is in a list such as "0,3,7", and leaves only these classes. Failure if a
// class is neither in the labels nor in `known`, or if no row is left.
std::vector<int64_t> keep_classes(Labels& labels, const std::string& list, const std::vector<std::string>& known);

// Puts the classes in the order of `known`. Failure, naming a row of `rows`, if there are others.
void match_classes(Labels& labels, const std::vector<std::string>& known, const Rows& rows);

// Returns the context of labels in a model whose context has so many columns: one-hot if they are as many as the classes,
// or the index of the class if it is one.
Rows context_of(const Labels& labels, int64_t columns, nf_dtype dtype);

// For messages: "10 classes", and "0, 1, 2 and 7 more".
std::string number_of_classes(size_t n);
std::string listed(const std::vector<std::string>& classes);

}  // namespace cli
