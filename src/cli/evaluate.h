// Models from files, log-likelihoods of rows under them, and what to say about those: shared by the subcommands.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/cli/columns.h"
#include "src/cli/handle.h"
#include "src/cli/rows.h"
#include "src/cli/settings.h"

namespace nf::cli {

// Mean, two standard errors of the mean (2 s / sqrt(n), s with n - 1), order statistics: of the finite rows, in nats.
struct Summary {
  int64_t rows = 0, nonfinite = 0;
  double mean = 0, two_errors = 0, min = 0, median = 0, max = 0;
};

// nf_model_load, whose failures do not always name the file.
Model load_model(nf_runtime* runtime, const std::string& path, const Settings& settings);

Summary summarise(std::vector<double> values);
std::string mean_and_errors(const Summary& s);  // "0.4371 +- 0.0450"

// Data and context of a model, or a Failure that names the files and both sizes. Columns that the paths do not pick are
// picked by `names` in files that have a header.
struct DataPaths {
  std::string data, context, columns, context_columns;
};
struct Data {
  Rows x, context;
  Batches stream;        // instead of x: batches of the rows of a mapped file, to be scored one after the other
  int64_t streamed = 0;  // rows of it
  explicit operator bool() const { return x || stream; }
  int64_t count() const { return stream ? streamed : x.count(); }
};
Data open_data(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
               const ColumnNames& names = {});
std::vector<double> log_probs(nf_session* session, const Data& data);
Rows open_context(nf_runtime* runtime, const DataPaths& paths, const Settings& settings, int32_t dtype,
                  const ColumnNames& names);
void check_data(const Data& data, const DataPaths& paths, int64_t event, int64_t context);

}  // namespace nf::cli
