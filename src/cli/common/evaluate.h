// Loads models and data, computes and summarizes log-likelihoods; shared by the subcommands.
#pragma once
#include <cstdint>
#include <nf/nf.hpp>
#include <optional>
#include <string>
#include <vector>

#include "src/cli/common/columns.h"
#include "src/cli/common/labels.h"
#include "src/cli/common/rows.h"
#include "src/cli/common/settings.h"

namespace CLI {
class App;
}

namespace cli {

// Statistics of the finite rows, in nats: mean, two standard errors of it (2 s / sqrt(n), s with n - 1), order
// statistics.
struct Summary {
  int64_t rows = 0, nonfinite = 0;
  double mean = 0, two_errors = 0, min = 0, median = 0, max = 0;
};

// Loads a model; errors always name the file.
nf::Model load_model(const nf::Runtime& runtime, const std::string& path, const Settings& settings);

// Whether it is a variational autoencoder, which is encoded and decoded and has no maps.
inline bool is_vae(const nf::ModelInfo& info) { return !info.has_layers && info.latent_size > 0; }

Summary summarize(std::vector<double> values);
std::string mean_and_errors(const Summary& s);  // "0.4371 +- 0.0450"

// Opens data and context. Where a file and the model have names of columns, they decide which columns are read, and in
// which order. Rows that --where or --missing drop leaves out are left out of data and context alike.
struct DataPaths {
  std::string data, context, columns, context_columns;
  std::string labels = {};   // a file, or a column of the data
  std::string classes = {};  // a list: only rows of these
};
struct Data {
  Rows x, context;
  Labels labels = {};                 // of the rows of x, if they have any
  std::optional<nf::Batches> stream;  // used instead of x to score a mapped file batch by batch
  int64_t streamed = 0;               // rows in stream
  explicit operator bool() const { return x || stream; }
  int64_t count() const { return stream ? streamed : x.count(); }
};
Data open_data(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
               const ColumnNames& names = {});
std::vector<double> log_probs(nf::Session& session, Data& data);
Rows open_rows(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
               const ColumnNames& names);  // without context
Rows open_context(const nf::Runtime& runtime, const DataPaths& paths, const Settings& settings, nf_dtype dtype,
                  const ColumnNames& names);
// Makes the labels the context of a model that was trained with labels. Failure if labels were given in vain.
void use_labels(Data& data, const DataPaths& paths, const ColumnNames& names, int64_t context, nf_dtype dtype);
// Adds --labels and --classes.
void add_labels(CLI::App& cmd, DataPaths& paths);
// Failure, naming the files and both sizes, if the data or context does not have the columns that the model needs.
void check_data(const Data& data, const DataPaths& paths, int64_t event, int64_t context);

}  // namespace cli
