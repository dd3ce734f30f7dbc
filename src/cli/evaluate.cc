// See evaluate.h.
#include "src/cli/evaluate.h"

#include <algorithm>
#include <cmath>

#include "src/cli/text.h"

namespace nf::cli {
namespace {
std::string size_hint(const Data& data, int64_t event) {
  std::string hint = "pick columns with --columns, or change \"event\" in the spec";
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
    const std::string message = e.what();
    throw Failure(message.find(path) == std::string::npos ? path + ": " + message : message);
  }
}

std::vector<double> log_probs(nf_session* session, const Rows& x, const Rows& context) {
  std::vector<double> values(static_cast<size_t>(x.count()));
  const nf_view xv = x.view(), cv = context.view(), out = vector_view(values.data(), x.count());
  call(nf_log_prob, session, &xv, context ? &cv : nullptr, &out);
  return values;
}

Summary summarise(std::vector<double> values) {
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

std::string mean_and_errors(const Summary& s) { return text("%.4f +- %.4f", s.mean, s.two_errors); }

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
  if (!paths.context_columns.empty() && paths.context.empty() && paths.columns.empty() && names.data.empty())
    throw Failure("--context-columns needs --columns too: the columns that are data", {}, kUsage);
  Data d;
  const std::string columns = paths.columns.empty() ? find_columns(paths.data, settings, names.data) : paths.columns;
  d.x = Rows::open(runtime, paths.data, settings, dtype, columns);
  d.context = open_context(runtime, paths, settings, dtype, names);
  return d;
}

void check_data(const Data& data, const DataPaths& paths, int64_t event, int64_t context) {
  if (data.x.cols() != event)
    throw Failure(paths.data + " has " + std::to_string(data.x.cols()) + " columns, but the model's event has " +
                      std::to_string(event),
                  size_hint(data, event));
  const std::string source = paths.context.empty() ? paths.data : paths.context;
  if (context == 0 && data.context)
    throw Failure("the model takes no context, but " + source + " was given as one",
                  "set \"context\" in the spec, or drop it");
  if (context > 0 && !data.context)
    throw Failure("the model needs a context of " + std::to_string(context) + " columns beside " + paths.data,
                  "give it as a file or as --context-columns");
  if (!data.context) return;
  if (data.context.cols() != context)
    throw Failure(source + " has " + std::to_string(data.context.cols()) +
                  " context columns, but the model's context has " + std::to_string(context));
  if (data.context.count() != data.x.count() && data.context.count() != 1)
    throw Failure(source + " has " + grouped(data.context.count()) + " rows of context for the " +
                  grouped(data.x.count()) + " rows of " + paths.data);
}

}  // namespace nf::cli
