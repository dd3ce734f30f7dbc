// See evaluate.h.
#include "src/cli/evaluate.h"

#include <algorithm>
#include <cmath>

#include "src/cli/context_columns.h"
#include "src/cli/file_kind.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
std::string size_hint(const Data& data, int64_t event) {
  std::string hint = "select columns with --columns; for training, drop \"event\" from the spec or use --set event=" +
                     std::to_string(data.x.cols());
  if (!data.x.names().empty()) hint += "; the file has: " + join(data.x.names(), ", ");
  if (data.x.cols() == event + 1) hint += "; is one of them an index or a label?";
  return hint;
}
}  // namespace

Model load_model(nf_runtime* runtime, const std::string& path, const Settings& settings) {
  const Options limits = settings.bag();
  try {
    return make<Model>(nf_model_load, runtime, path.c_str(), limits.get());
  } catch (const LibraryFailure& e) {
    if (const std::string kind = kind_of_file(path); !kind.empty() && kind != "a model")
      throw Failure(path + " is not a model: it looks like " + kind,
                    "models are the .safetensors files that `nf train -o` writes");
    const std::string message = e.what();
    throw Failure(message.find(path) == std::string::npos ? path + ": " + message : message);
  }
}

std::vector<double> log_probs(nf_session* session, const Data& data) {
  std::vector<double> values(static_cast<size_t>(data.count()));
  if (!data.stream) {
    const nf_view x = data.x.view(), context = data.context.view(), out = vector_view(values.data(), data.count());
    call(nf_log_prob, session, &x, data.context ? &context : nullptr, &out);
    return values;
  }
  double* to = values.data();
  for (uint64_t k = 0; k < nf_batches_per_epoch(data.stream.get()); ++k) {
    nf_view x = NF_VIEW_INIT, context = NF_VIEW_INIT;
    call(nf_batches_get, data.stream.get(), k, &x, &context, nullptr);
    const nf_view out = vector_view(to, x.shape[0]);
    call(nf_log_prob, session, &x, context.data ? &context : nullptr, &out);
    to += x.shape[0];
  }
  return values;
}

Summary summarize(std::vector<double> values) {
  Summary s;
  s.rows = static_cast<int64_t>(values.size());
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  const size_t n = values.size();
  s.nonfinite = s.rows - static_cast<int64_t>(n);
  if (n == 0) {
    s.mean = s.two_errors = s.min = s.median = s.max = std::nan("");
    return s;
  }
  double sum = 0, squares = 0;
  for (double v : values) sum += v;
  s.mean = sum / static_cast<double>(n);
  for (double v : values) squares += (v - s.mean) * (v - s.mean);
  s.two_errors = n > 1 ? 2 * std::sqrt(squares / static_cast<double>(n - 1) / static_cast<double>(n)) : std::nan("");
  std::sort(values.begin(), values.end());
  s.min = values.front();
  s.max = values.back();
  s.median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
  return s;
}

std::string mean_and_errors(const Summary& s) {
  return std::isnan(s.two_errors) ? text("%.4f", s.mean) : text("%.4f +- %.4f", s.mean, s.two_errors);
}

Rows open_context(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
                  const ColumnNames& names) {
  const bool apart = !paths.context.empty();
  const std::string& file = apart ? paths.context : paths.data;
  std::string columns = paths.context_columns;
  if (columns.empty() && !file.empty()) columns = find_columns(file, settings, names.context);
  return apart || (!columns.empty() && !file.empty()) ? Rows::open(runtime, file, settings, dtype, columns) : Rows();
}

Data open_data(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
               const ColumnNames& names) {
  Data d;
  std::string columns = paths.columns.empty() ? find_columns(paths.data, settings, names.data) : paths.columns;
  if (!paths.context_columns.empty() && paths.context.empty()) {
    if (columns.empty()) columns = other_columns(runtime, paths.data, settings, paths.context_columns);
    check_disjoint(paths.data, settings, columns, paths.context_columns);
  }
  d.x = Rows::open(runtime, paths.data, settings, dtype, columns);
  d.context = open_context(runtime, paths, settings, dtype, names);
  return d;
}

void check_data(const Data& data, const DataPaths& paths, int64_t event, int64_t context) {
  if (data.x.cols() != event)
    throw Failure((paths.columns.empty() ? paths.data + " has " : "--columns picks ") +
                      counted(data.x.cols(), "column") + ", but the model's event has " + std::to_string(event),
                  size_hint(data, event));
  const std::string source = paths.context.empty() ? paths.data : paths.context;
  if (context == 0 && data.context)
    throw Failure("the model has no context, but " + source + " was given as context",
                  "drop it, or set \"context\" in the spec");
  if (context > 0 && !data.context)
    throw Failure("the model needs a context of " + counted(context, "column") + " in addition to " + paths.data,
                  "give a file with --context, or columns of the data with --context-columns");
  if (!data.context) return;
  if (data.context.cols() != context)
    throw Failure(source + " has " + counted(data.context.cols(), "context column") + ", but the model's context has " +
                  std::to_string(context));
  if (data.context.count() != data.x.count() && data.context.count() != 1)
    throw Failure(source + " has " + counted(data.context.count(), "context row") + ", but " + paths.data + " has " +
                      counted(data.x.count(), "row"),
                  "give one context row per data row, or one for all");
}

}  // namespace nf::cli
