// See plot.h: which columns and which part of them a picture shows, points in it, and the file.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <span>

#include "src/cli/common/columns.h"
#include "src/cli/common/output.h"
#include "src/cli/common/text.h"
#include "src/cli/draw/file.h"
#include "src/cli/draw/gif.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
std::vector<std::string> names_of(const Scene& scene) {
  std::vector<std::string> names;
  for (int64_t c = 0; c < scene.cols(); ++c) names.push_back(scene.name(c));
  return names;
}

int64_t find_column(const std::vector<std::string>& names, const std::string& word, const std::string& wanted) {
  for (size_t c = 0; c < names.size(); ++c)
    if (names[c] == word) return static_cast<int64_t>(c);
  int64_t index = -1;
  const char* const end = word.data() + word.size();
  if (std::from_chars(word.data(), end, index).ptr == end && index >= 0 && index < static_cast<int64_t>(names.size()))
    return index;
  const std::string near = nearest(word, names);
  throw Failure("--columns " + wanted + ": the model has no column '" + word + "'",
                near.empty() ? "its columns are: " + join(names, ", ") : "did you mean '" + near + "'?");
}

std::vector<int64_t> find_all(const std::vector<std::string>& names, const std::string& wanted) {
  std::vector<int64_t> found;
  for (const ColumnWord& word : split_columns(wanted)) found.push_back(find_column(names, word.text, wanted));
  return found;
}
}  // namespace

std::pair<int64_t, int64_t> pair_of(const Scene& scene, const std::string& wanted) {
  const std::vector<std::string> names = names_of(scene);
  if (wanted.empty()) {
    if (scene.cols() == 2) return {0, 1};
    throw Failure(scene.path() + " has " + counted(scene.cols(), "column") + ", but this picture shows two",
                  "select them with --columns A,B, by name or index from 0: " +
                      join(std::span(names).first(std::min<size_t>(names.size(), 20)), ", ") +
                      (names.size() > 20 ? ", ..." : ""));
  }
  const std::vector<int64_t> found = find_all(names, wanted);
  if (found.size() != 2)
    throw Failure("--columns " + wanted + ": expected two columns, as in --columns 0,1", {}, kUsage);
  return {found[0], found[1]};
}

std::vector<int64_t> columns_of(const Scene& scene, const std::string& wanted, int64_t most) {
  if (!wanted.empty()) return find_all(names_of(scene), wanted);
  std::vector<int64_t> all;
  for (int64_t c = 0; c < std::min(scene.cols(), most); ++c) all.push_back(c);
  return all;
}

int64_t samples_within(int64_t most, int64_t cols) {
  constexpr int64_t kNumbers = int64_t{1} << 24;
  return std::clamp<int64_t>(kNumbers / cols, 1, most);
}

Range range_of(std::vector<double> values) {
  // Differences of larger numbers overflow.
  constexpr double kTail = 0.0025, kRoom = 0.12, kLargest = 4e307;
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return {-1, 1};
  const double grain = grain_of(values);
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    const double v = values[static_cast<size_t>(std::lround(part * static_cast<double>(values.size() - 1)))];
    return std::clamp(v, -kLargest, kLargest);
  };
  const double low = at(kTail), high = at(1 - kTail), size = std::max(std::abs(low), std::abs(high));
  if (!(high > low)) {
    const double half = std::max({1.0, grain, 1e-9 * size});
    return {low - half, low + half, grain};
  }
  const double room = std::max(kRoom * (high - low), 1e-12 * size);
  return {low - room, high + room, grain};
}

Range either(const Range& a, const Range& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high), std::min(a.grain, b.grain)};
}

int64_t scatter(Canvas& canvas, const Axes& axes, const Matrix& rows, int64_t i, int64_t j, Color color) {
  canvas.clip(axes.box());
  const double crowd = static_cast<double>(rows.rows) * 420 * 420 / (axes.box().width() * axes.box().height());
  const double alpha = std::clamp(20 / std::sqrt(crowd), 0.12, 0.7);
  int64_t outside = 0;
  for (int64_t r = 0; r < rows.rows; ++r) {
    const double x = rows.at(r, i), y = rows.at(r, j);
    outside += !(axes.x().holds(x) && axes.y().holds(y));
    canvas.disc(axes.spot(x, y), 1.6, color, alpha);
  }
  canvas.unclip();
  return outside;
}

std::string rows_note(int64_t drawn, int64_t all, int64_t outside) {
  return (all > drawn ? grouped(drawn) + " of " + counted(all, "row") : counted(all, "row")) +
         (outside ? ", " + grouped(outside) + " outside" : "");
}

void report_outside(std::initializer_list<Outside> all) {
  std::string words;
  for (const Outside& o : all)
    if (o.count) words += (words.empty() ? "" : ", ") + grouped(o.count) + " of " + counted(o.drawn, o.what);
  if (!words.empty()) std::printf("outside the window  %s\n", words.c_str());
}

void fit_units(const Box& box, Range& x, Range& y) {
  constexpr double kApart = 4;
  const double ratio = x.extent() / y.extent();
  if (std::max(ratio, 1 / ratio) < kApart) equal_units(box, x, y);
}

void check_picture(const std::string& path, const char* extension) {
  if (!path.ends_with(extension))
    throw Failure(path + ": this picture is a " + (extension + 1) + " file; its name must end in " + extension, {},
                  kUsage);
  if (path.ends_with(".gif")) check_gif();
  check_folder(path);
}

void note_font() {
  if (font_found()) return;
  std::fprintf(stderr,
               "nf: note: no font was found, so letters are plain strokes and only ASCII is shown\n"
               "      install one, such as fonts-dejavu-core\n");
}

void save(const Canvas& canvas, const std::string& path, std::FILE* says) {
  write_file(path, canvas.png());
  std::fprintf(says, "picture  %s  (%d x %d)\n", path.c_str(), canvas.width(), canvas.height());
  note_font();
}

}  // namespace cli
