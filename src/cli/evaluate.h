// Loads models and data, computes and summarizes log-likelihoods; shared by the subcommands.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/columns.h"
#include "src/cli/handle.h"
#include "src/cli/rows.h"
#include "src/cli/settings.h"

namespace nf::cli {

// Statistics of the finite rows, in nats: mean, two standard errors of it (2 s / sqrt(n), s with n - 1), order
// statistics.
struct Summary {
  int64_t rows = 0, nonfinite = 0;
  double mean = 0, two_errors = 0, min = 0, median = 0, max = 0;
};

// Loads a model; errors always name the file.
Model load_model(nf_runtime* runtime, const std::string& path, const Settings& settings);

Summary summarize(std::vector<double> values);
std::string mean_and_errors(const Summary& s);  // "0.4371 +- 0.0450"

// Opens data and context. Files with a header whose columns the paths do not select are searched for the columns
// `names`.
struct DataPaths {
  std::string data, context, columns, context_columns;
};
struct Data {
  Rows x, context;
  Batches stream;        // used instead of x to score a mapped file batch by batch
  int64_t streamed = 0;  // rows in stream
  explicit operator bool() const { return x || stream; }
  int64_t count() const { return stream ? streamed : x.count(); }
};
Data open_data(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
               const ColumnNames& names = {});
std::vector<double> log_probs(nf_session* session, const Data& data);
Rows open_context(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
                  const ColumnNames& names);
// Failure, naming the files and both sizes, if the data or context does not have the columns that the model needs.
void check_data(const Data& data, const DataPaths& paths, int64_t event, int64_t context);

}  // namespace nf::cli
