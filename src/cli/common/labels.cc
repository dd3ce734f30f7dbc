// See labels.h.
#include "src/cli/common/labels.h"

#include <algorithm>
#include <cmath>

#include "src/cli/common/columns.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/pictures.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
constexpr double kLargest = 2147483647;
constexpr size_t kMostClasses = 65'536;

// The place of a class, or -1.
int32_t place_in(const std::vector<std::string>& classes, const std::string& name) {
  const auto at = std::find(classes.begin(), classes.end(), name);
  return at == classes.end() ? -1 : static_cast<int32_t>(at - classes.begin());
}

// Renumbers the rows by the new place of each class.
void renumber(Labels& labels, const std::vector<int32_t>& places) {
  for (int32_t& c : labels.of) c = places[static_cast<size_t>(c)];
}
}  // namespace

std::vector<int64_t> Labels::counts() const {
  std::vector<int64_t> n(classes.size());
  for (const int32_t c : of) ++n[static_cast<size_t>(c)];
  return n;
}

std::string number_of_classes(size_t n) { return grouped(static_cast<int64_t>(n)) + (n == 1 ? " class" : " classes"); }

std::string listed(const std::vector<std::string>& classes) {
  constexpr size_t kShown = 20;
  std::vector<std::string> first = classes;
  first.resize(std::min(first.size(), kShown));
  return join(first, ", ") + (classes.size() > kShown ? text(" and %zu more", classes.size() - kShown) : std::string());
}

Labels labels_in(const Rows& column) {
  if (column.cols() != 1)
    throw Failure(
        "--labels: " + column.path() + " has " + counted(column.cols(), "column") + ", expected one label per row",
        "a column of the data file is named by itself: --labels COLUMN");
  std::vector<int32_t> values;
  for (int64_t r = 0; r < column.count(); ++r) {
    const double v = column.at(r, 0);
    if (!(v >= 0 && v <= kLargest && v == std::nearbyint(v)))
      throw Failure(text("--labels: the label in %s is %g", column.place(r).c_str(), v),
                    "labels are whole numbers of at least 0, one per row");
    values.push_back(static_cast<int32_t>(v));
  }
  std::vector<int32_t> classes = values;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  if (classes.size() > kMostClasses)
    throw Failure("--labels: " + column.path() + " has " + grouped(static_cast<int64_t>(classes.size())) +
                      " different numbers, more than any classes",
                  "is it an index of the rows?");
  Labels labels;
  labels.source = column.path();
  for (const int32_t c : classes) labels.classes.push_back(std::to_string(c));
  for (const int32_t v : values)
    labels.of.push_back(static_cast<int32_t>(std::lower_bound(classes.begin(), classes.end(), v) - classes.begin()));
  return labels;
}

Labels labels_of_folders(const std::string& path, const Rows& rows) {
  Labels labels;
  if (!holds_pictures(path) || read_pictures(path).classes.empty()) return labels;
  const Pictures& all = read_pictures(path);
  labels.source = path;
  labels.classes = all.classes;
  for (int64_t r = 0; r < rows.count(); ++r) labels.of.push_back(all.labels[static_cast<size_t>(rows.number(r))]);
  return labels;
}

std::vector<int64_t> keep_classes(Labels& labels, const std::string& list, const std::vector<std::string>& known) {
  std::vector<int32_t> places(labels.classes.size(), -1);
  for (const ColumnWord& word : split_columns(list)) {
    const int32_t at = place_in(labels.classes, word.text);
    if (at < 0 && place_in(known, word.text) < 0)
      throw Failure("--classes " + list + ": " + labels.source + " has no class '" + word.text + "'",
                    "it has: " + listed(labels.classes), kUsage);
    if (at >= 0) places[static_cast<size_t>(at)] = 0;
  }
  std::vector<std::string> kept;
  for (size_t c = 0; c < places.size(); ++c) {
    if (places[c] < 0) continue;
    places[c] = static_cast<int32_t>(kept.size());
    kept.push_back(labels.classes[c]);
  }
  std::vector<int64_t> rows;
  for (size_t r = 0; r < labels.of.size(); ++r)
    if (places[static_cast<size_t>(labels.of[r])] >= 0) rows.push_back(static_cast<int64_t>(r));
  if (rows.empty()) throw Failure("--classes " + list + ": no row of " + labels.source + " has such a class");
  renumber(labels, places);
  std::erase(labels.of, -1);
  labels.classes = std::move(kept);
  return rows;
}

void match_classes(Labels& labels, const std::vector<std::string>& known, const Rows& rows) {
  std::vector<int32_t> places;
  for (const std::string& name : labels.classes) {
    places.push_back(place_in(known, name));
    if (places.back() >= 0) continue;
    const auto c = static_cast<int32_t>(places.size() - 1);
    const auto first = std::find(labels.of.begin(), labels.of.end(), c) - labels.of.begin();
    const std::string where = first < rows.count() ? rows.place(first) : std::string("no row");
    throw Failure(labels.source + " has a class '" + name + "' (" + where + "), which the training rows do not have",
                  "they have: " + listed(known) + "; --classes leaves others out");
  }
  renumber(labels, places);
  labels.classes = known;
}

Rows context_of(const Labels& labels, int64_t columns, nf_dtype dtype) {
  const size_t n = labels.of.size(), width = static_cast<size_t>(columns);
  if (width != 1 && width != labels.classes.size())
    throw Failure(
        "the context has " + counted(columns, "number") + ", but " + labels.source + " has " +
            number_of_classes(labels.classes.size()),
        text("a context of %zu numbers holds the class one-hot, one of 1 number its index", labels.classes.size()));
  if (width > 1) {
    std::vector<uint8_t> hot(n * width, 0);
    for (size_t r = 0; r < n; ++r) hot[r * width + static_cast<size_t>(labels.of[r])] = 1;
    return Rows::of_bytes(std::move(hot), columns, dtype);
  }
  if (labels.classes.size() <= 256) return Rows::of_bytes({labels.of.begin(), labels.of.end()}, 1, dtype);
  return Rows::of({labels.of.begin(), labels.of.end()}, 1, dtype);
}

}  // namespace cli
