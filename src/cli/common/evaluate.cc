// See evaluate.h.
#include "src/cli/common/evaluate.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "src/cli/common/context_columns.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/file_kind.h"
#include "src/cli/common/input.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
std::string size_hint(const Data& data, int64_t event) {
  if (const std::vector<int64_t>& e = data.x.extents(); e.size() == 3) {
    const auto listed = [&](const char* between) {
      return std::to_string(e[0]) + between + std::to_string(e[1]) + between + std::to_string(e[2]);
    };
    return "the images are " + listed(" x ") + " (height, width, channels); for training, use --set event=[" +
           listed(",") + "]";
  }
  std::string hint = "select columns with --columns; for training, drop \"event\" from the spec or use --set event=" +
                     std::to_string(data.x.cols());
  if (!data.x.names().empty()) hint += "; the file has: " + join(data.x.names(), ", ");
  if (data.x.cols() == event + 1) hint += "; is one of them an index or a label?";
  return hint;
}
}  // namespace

nf::Model load_model(const nf::Runtime& runtime, const std::string& path, const Settings& settings) {
  try {
    return nf::Model::load(runtime, path, settings.options({"load"}));
  } catch (const nf::Exception& e) {
    if (const std::string kind = kind_of_file(path); !kind.empty() && kind != "a model")
      throw Failure(path + " is not a model: it looks like " + kind,
                    "models are the .safetensors files that `nf train -o` writes");
    const std::string message = e.what();
    throw Failure(message.find(path) == std::string::npos ? path + ": " + message : message);
  }
}

std::vector<double> log_probs(nf::Session& session, Data& data) {
  if (!data.stream) return session.log_prob<double>(data.x.view(), data.context.view());
  std::vector<double> values(static_cast<size_t>(data.count()));
  const nf::Out out(values);
  int64_t done = 0;
  for (uint64_t k = 0; k < data.stream->per_epoch(); ++k) {
    const nf::Batch batch = data.stream->at(k);
    session.log_prob_into(out.slice(done, batch.x.rows()), batch.x, batch.ctx);
    done += batch.x.rows();
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

namespace {
// Options for a file whose rows another file selects, or whose missing values are dropped later.
Settings all_rows(const Settings& settings, bool other_file, bool keep) {
  Settings mine = settings;
  for (const char* key : {"table.where", "table.id", "table.array"})
    if (other_file) mine.drop(key);
  if (keep) mine.set("table.missing", "keep");
  return mine;
}

// The numbers of "0.5" or "1,-2", unless there is a file of that name; empty: it is a path.
std::vector<double> numbers_in(const std::string& word) {
  std::error_code ignored;
  std::vector<double> numbers;
  for (const char *at = word.data(), *end = at + word.size(); at != end;) {
    double v = 0;
    const auto [stop, error] = std::from_chars(at, end, v);
    if (error != std::errc() || (stop != end && *stop != ',') || stop + 1 == end) return {};
    numbers.push_back(v);
    at = stop == end ? stop : stop + 1;
  }
  return std::filesystem::exists(word, ignored) ? std::vector<double>{} : numbers;
}

Settings as_described(Settings settings, const TableFacts& file) {
  if (file.format == "csv") settings.set("table.header", file.header ? "present" : "absent");
  if (file.fits_float32()) settings.set("table.dtype", "float32");
  if (file.dtype == "uint8") settings.set("table.dtype", "uint8");
  return settings;
}

bool finite(const Rows& rows, int64_t r) {
  for (int64_t c = 0; c < rows.cols(); ++c)
    if (!std::isfinite(rows.at(r, c))) return false;
  return true;
}

// Leaves out the rows of the data, and of its context, where either has a missing value.
void drop_missing(Data& d) {
  const int64_t n = d.x.count();
  const bool shared = d.context.count() == 1;
  if (!shared && d.context.count() != n) return;  // check_data says so
  if (shared && !finite(d.context, 0)) throw Failure(d.context.place(0) + ", the only context, has missing values");
  std::vector<int64_t> complete;
  std::string first;
  for (int64_t r = 0; r < n; ++r) {
    if (finite(d.x, r) && (shared || finite(d.context, r)))
      complete.push_back(r);
    else if (first.empty())
      first = (finite(d.x, r) ? d.context : d.x).place(r);
  }
  if (first.empty()) return;
  std::fprintf(stderr, "nf: warning: left out %s of %s with missing values, the first in %s\n",
               grouped(n - static_cast<int64_t>(complete.size())).c_str(), counted(n, "row").c_str(), first.c_str());
  if (complete.empty()) throw Failure(d.x.path() + " has no row without missing values");
  d.x = d.x.pick(complete);
  if (!shared) d.context = d.context.pick(complete);
}
}  // namespace

Rows open_context(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
                  const ColumnNames& names) {
  const bool apart = !paths.context.empty();
  const std::string& file = apart ? paths.context : paths.data;
  if (file.empty() || (!apart && paths.context_columns.empty() && names.context.empty())) return {};
  if (const std::vector<double> row = numbers_in(paths.context); !row.empty())
    return Rows::of(row, static_cast<int64_t>(row.size()), dtype);
  const TableFacts facts = describe_file(runtime, file, settings, names.context);
  const std::string columns = match_columns(file, facts, names.context, paths.context_columns, "--context-columns");
  return apart || !columns.empty() ? Rows::open(runtime, file, as_described(settings, facts), dtype, columns) : Rows();
}

Rows open_rows(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
               const ColumnNames& names) {
  const TableFacts facts = describe_file(runtime, paths.data, settings, names.data);
  return Rows::open(runtime, paths.data, as_described(settings, facts), dtype,
                    match_columns(paths.data, facts, names.data, paths.columns, "--columns"));
}

namespace {
// The labels of the rows x of a file, from a file of their own, a column, or the folders of pictures.
Labels open_labels(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, const TableFacts& data,
                   const Rows& x) {
  if (paths.labels.empty()) return labels_of_folders(paths.data, x);
  const bool column = names_column(paths.labels, data);
  std::error_code ignored;
  if (!column && !std::filesystem::exists(paths.labels, ignored))
    throw Failure(
        "--labels " + paths.labels + ": " + shown_path(paths.data) + " has no such column, and there is no such file",
        "a file with one label per row (IDX, .npy or CSV), or a column of the data", kUsage);
  const std::string& file = column ? paths.data : paths.labels;
  Settings mine = all_rows(settings, !column, false);
  if (!column) mine.drop("table.map");
  const TableFacts facts = column ? data : describe_file(runtime, file, mine);
  Rows rows = Rows::open(runtime, file, as_described(mine, facts), NF_F64, column ? paths.labels : "");
  const bool chosen = !settings.get("table.where", "").empty() || settings.get("table.missing", "") == "drop";
  if (chosen && rows.cols() == 1 && rows.count() != x.count()) rows = rows.pick_like(x);
  Labels labels = labels_in(rows);
  if (rows.count() != x.count())
    throw Failure("--labels: " + rows.path() + " has " + counted(rows.count(), "label") + ", but " + x.path() +
                      " has " + counted(x.count(), "row"),
                  "give one label per row, in the same order");
  return labels;
}

// Leaves out the rows of other classes.
void select_classes(Data& d, const DataPaths& paths, const std::vector<std::string>& known) {
  if (paths.classes.empty()) return;
  if (!d.labels)
    throw Failure("--classes needs the class of each row, and " + shown_path(paths.data) + " has no labels",
                  "give --labels FILE, or pictures in a folder per class", kUsage);
  if (d.x.mapped())
    throw Failure("--classes: rows of a mapped file cannot be left out", "read it into memory with --map off");
  const std::vector<int64_t> kept = keep_classes(d.labels, paths.classes, known);
  if (static_cast<int64_t>(kept.size()) == d.x.count()) return;
  d.x = d.x.pick(kept);
  if (d.context.count() > 1) d.context = d.context.pick(kept);
}
}  // namespace

Data open_data(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
               const ColumnNames& names) {
  Data d;
  const TableFacts facts = describe_file(runtime, paths.data, settings, names.data);
  std::string columns = match_columns(paths.data, facts, names.data, paths.columns, "--columns");
  std::vector<std::string> taken;  // lists of columns that are not data
  if (paths.context.empty()) taken.push_back(paths.context_columns);
  if (!paths.labels.empty() && names_column(paths.labels, facts)) taken.push_back(paths.labels);
  std::erase(taken, "");
  if (!taken.empty() && columns.empty())
    columns = other_columns(paths.data, facts, join(taken, ","), settings.get("table.id", ""));
  for (const std::string& list : taken) check_disjoint(paths.data, facts, columns, list);
  const bool with_context = !paths.context.empty() || !paths.context_columns.empty() || !names.context.empty();
  const bool drop = with_context && settings.get("table.missing", "") == "drop";
  const bool apart = !paths.context.empty();
  const bool selects = apart && !settings.get("table.where", "").empty();
  d.x = Rows::open(runtime, paths.data, as_described(all_rows(settings, false, drop), facts), dtype, columns);
  d.context = open_context(runtime, paths, all_rows(settings, apart, drop), dtype, names);
  if (selects && d.context.count() > 1) d.context = d.context.pick_like(d.x);
  if (drop && d.context) drop_missing(d);
  d.labels = open_labels(runtime, paths, settings, facts, d.x);
  select_classes(d, paths, names.classes);
  if (d.labels && !names.classes.empty()) match_classes(d.labels, names.classes, d.x);
  return d;
}

void add_labels(CLI::App& cmd, DataPaths& paths) {
  cmd.add_option(
         "--labels", paths.labels,
         "the class of each row, for models that were trained with labels: a file with one whole number per row "
         "(IDX, .npy or CSV), or a column of the data; pictures in a folder per class need none")
      ->type_name("FILE|COLUMN");
  cmd.add_option("--classes", paths.classes, "only rows of these classes: 0,3,7, or the names of folders")
      ->type_name("A,B,..");
}

void use_labels(Data& d, const DataPaths& paths, const ColumnNames& names, int64_t context, nf_dtype dtype) {
  if (!d.labels) return;
  const bool in_vain = !paths.labels.empty() && paths.classes.empty();
  if (in_vain && d.context)
    throw Failure("--labels and --context both give the context of the rows: give one of them", {}, kUsage);
  if (in_vain && (names.classes.empty() || context == 0))
    throw Failure("--labels: the model was not trained with labels, so it has no classes",
                  "give its context with --context, or select rows with --classes");
  if (!d.context && context > 0 && !names.classes.empty()) d.context = context_of(d.labels, context, dtype);
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
    throw Failure(
        "the model needs a context of " + counted(context, "column") + " in addition to " + paths.data,
        "give a file with --context, or columns of the data with --context-columns; --labels if the model was "
        "trained with labels");
  if (!data.context) return;
  if (data.context.cols() != context)
    throw Failure(source + " has " + counted(data.context.cols(), "context column") + ", but the model's context has " +
                  std::to_string(context));
  if (data.context.count() != data.x.count() && data.context.count() != 1)
    throw Failure(source + " has " + counted(data.context.count(), "context row") + ", but " + paths.data + " has " +
                      counted(data.x.count(), "row"),
                  "give one context row per data row, or one for all");
}

}  // namespace cli
