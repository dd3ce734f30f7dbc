// See plot.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "src/cli/common/output.h"
#include "src/cli/common/text.h"
#include "src/cli/draw/file.h"
#include "src/cli/draw/png.h"
#include "src/cli/plot/plot.h"

namespace cli {
namespace {
constexpr int64_t kChunk = int64_t{1} << 16;

Matrix picked(const Rows& rows, int64_t most) {
  Matrix m{std::min(rows.count(), most), rows.cols(), {}};
  for (int64_t i = 0; i < m.rows; ++i)
    for (int64_t c = 0; c < m.cols; ++c) m.values.push_back(rows.at(i * rows.count() / m.rows, c));
  return m;
}
}  // namespace

std::vector<double> Matrix::column(int64_t c) const {
  std::vector<double> out;
  for (int64_t r = 0; r < rows; ++r) out.push_back(at(r, c));
  return out;
}

Scene::Scene(const PlotArgs& args, const std::string& model, const std::string& data, Contexts contexts)
    : path_(model),
      data_path_(data),
      seed_(args.seed),
      runtime_(args.settings->runtime()),
      model_(load_model(runtime_, model, *args.settings)),
      info_(model_.info()),
      session_(model_, args.settings->options({"session"})) {
  for (const nf::Layer& layer : model_.layers()) types_.push_back(layer.type);
  const ColumnNames names = column_names(model_);
  const bool of_rows = contexts == Contexts::of_rows && !data.empty() && info_.context_size > 0;
  const DataPaths paths{data, args.context, args.data_columns, args.context_columns};
  Rows context;
  if (!args.context.empty() || of_rows) context = open_context(runtime_, paths, *args.settings, NF_F64, names);
  const std::string source = args.context.empty() ? data : args.context;
  if (context.cols() != info_.context_size)
    throw Failure(model + " needs a context of " + counted(info_.context_size, "column") + ", but " +
                      (context ? source + " has " + std::to_string(context.cols()) : "none was given"),
                  info_.context_size == 0 ? "drop --context"
                  : of_rows               ? "--context FILE, or --context-columns of the data"
                                          : "--context FILE with a single row");
  if (!data.empty()) {
    const Rows rows = open_rows(runtime_, {data, {}, args.data_columns, {}}, *args.settings, NF_F64, names);
    if (rows.cols() != info_.event_size)
      throw Failure(data + " has " + counted(rows.cols(), "column") + ", but the model's event has " +
                        std::to_string(info_.event_size),
                    "select the data columns with --data-columns");
    data_rows_ = rows.count();
    data_ = picked(rows, args.points);
  }
  own_contexts_ = of_rows && context.count() == data_rows_ && (args.context.empty() || data_rows_ > 1);
  if (context && !own_contexts_ && context.count() != 1)
    throw Failure(source + " has " + counted(context.count(), "row") + ", but " +
                      (of_rows ? data + " has " + grouped(data_rows_) : "this picture shows one context"),
                  of_rows ? "give one context per data row, or a single one" : "give a file with a single row");
  if (context) context_ = picked(context, args.points);
  for (int64_t c = 0; c < cols(); ++c) {
    const auto i = static_cast<size_t>(c);
    const bool named = names.data.size() == static_cast<size_t>(cols()) && !names.data[i].empty();
    names_.push_back(named ? names.data[i] : "column " + std::to_string(c));
  }
  for (int64_t c = 0; c < info_.context_size; ++c) {
    const auto i = static_cast<size_t>(c);
    const bool named = names.context.size() == static_cast<size_t>(info_.context_size) && !names.context[i].empty();
    context_names_.push_back(named ? names.context[i] : "context " + std::to_string(c));
  }
}

std::string Scene::at_context() const {
  constexpr int64_t kNamed = 3;
  std::string words;
  if (own_contexts_) return words;
  for (int64_t c = 0; c < std::min(context_.cols, kNamed); ++c)
    words += ", " + context_names_[static_cast<size_t>(c)] + " = " + text("%.4g", context_.at(0, c));
  return context_.cols > kNamed ? words + ", .." : words;
}

void Scene::mention_contexts() const {
  if (context_.rows == 0 || own_contexts_ || !has_data()) return;
  std::fprintf(stderr, "nf: note: %s has rows of all contexts; the model is shown at one%s\n", data_path_.c_str(),
               at_context().c_str());
}

Matrix Scene::sample(int64_t n) const { return {n, cols(), session_.sample<double>(n, seed_, context_.view())}; }

std::vector<double> Scene::log_prob(const Matrix& x) const {
  std::vector<double> values(static_cast<size_t>(x.rows));
  const nf::Out out(values);
  for (int64_t from = 0; from < x.rows; from += kChunk) {
    const int64_t n = std::min(kChunk, x.rows - from);
    session_.log_prob_into(out.slice(from, n), x.view().slice(from, n), context_.view());
  }
  return values;
}

std::vector<Matrix> Scene::trace(const Matrix& from, nf::Direction direction) const {
  const std::vector<double> all = session_.trace<double>(from.view(), direction, context_.view());
  const auto numbers = static_cast<std::ptrdiff_t>(from.rows * cols());
  std::vector<Matrix> states;
  for (auto at = all.begin(); at != all.end(); at += numbers) states.push_back({from.rows, cols(), {at, at + numbers}});
  return states;
}

std::pair<int64_t, int64_t> pair_of(const Scene& scene, const std::string& wanted) {
  std::vector<std::string> names;
  for (int64_t c = 0; c < scene.cols(); ++c) names.push_back(scene.name(c));
  if (wanted.empty()) {
    if (scene.cols() == 2) return {0, 1};
    throw Failure(scene.path() + " has " + counted(scene.cols(), "column") + ", but this picture shows two",
                  "select them with --columns A,B, by name or index from 0: " + join(names, ", "));
  }
  const auto find = [&](const std::string& word) -> int64_t {
    for (size_t c = 0; c < names.size(); ++c)
      if (names[c] == word) return static_cast<int64_t>(c);
    int64_t index = -1;
    const char* const end = word.data() + word.size();
    if (std::from_chars(word.data(), end, index).ptr == end && index >= 0 && index < scene.cols()) return index;
    const std::string near = nearest(word, names);
    throw Failure("--columns " + wanted + ": the model has no column '" + word + "'",
                  near.empty() ? "its columns are: " + join(names, ", ") : "did you mean '" + near + "'?");
  };
  const size_t comma = wanted.find(',');
  if (comma == std::string::npos || wanted.find(',', comma + 1) != std::string::npos)
    throw Failure("--columns " + wanted + ": expected two columns, as in --columns 0,1", {}, kUsage);
  return {find(wanted.substr(0, comma)), find(wanted.substr(comma + 1))};
}

Range range_of(std::vector<double> values) {
  constexpr double kTail = 0.0025, kRoom = 0.12;
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) return {-1, 1};
  std::sort(values.begin(), values.end());
  const auto at = [&](double part) {
    return values[static_cast<size_t>(std::lround(part * static_cast<double>(values.size() - 1)))];
  };
  const double low = at(kTail), high = at(1 - kTail), room = std::max(kRoom * (high - low), 1e-6 * std::abs(high));
  return high > low ? Range{low - room, high + room} : Range{low - 1, low + 1};
}

Range either(const Range& a, const Range& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

void scatter(Canvas& canvas, const Axes& axes, const Matrix& rows, int64_t i, int64_t j, Color color) {
  canvas.clip(axes.box());
  const double crowd = static_cast<double>(rows.rows) * 420 * 420 / (axes.box().width() * axes.box().height());
  const double alpha = std::clamp(20 / std::sqrt(crowd), 0.12, 0.7);
  for (int64_t r = 0; r < rows.rows; ++r) canvas.disc(axes.spot(rows.at(r, i), rows.at(r, j)), 1.6, color, alpha);
  canvas.unclip();
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
  check_folder(path);
}

void save(const Canvas& canvas, const std::string& path) {
  write_file(path, png(canvas.image()));
  std::printf("picture  %s  (%d x %d)\n", path.c_str(), canvas.width(), canvas.height());
}

}  // namespace cli
