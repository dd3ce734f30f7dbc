// See plot.h.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "src/cli/common/text.h"
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

}  // namespace cli
