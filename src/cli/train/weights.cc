// See weights.h.
#include "src/cli/train/weights.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "src/cli/common/columns.h"
#include "src/cli/common/context_columns.h"
#include "src/cli/common/failure.h"

namespace cli {
namespace {
void check(const Rows& weights, const Rows& data, const std::string& of) {
  if (weights.cols() != 1)
    throw Failure("--weights: " + of + " has " + counted(weights.cols(), "column") + ", expected one weight per row");
  if (weights.count() != data.count())
    throw Failure("--weights: " + of + " has " + counted(weights.count(), "row") + ", but the data has " +
                  std::to_string(data.count()));
  bool some = false;
  for (int64_t r = 0; r < weights.count(); ++r) {
    const double w = weights.at(r, 0);
    if (!(w >= 0) || std::isinf(w))
      throw Failure(text("--weights: %s: the weight in %s is %g", of.c_str(), weights.place(r).c_str(), w),
                    "weights are finite and not negative; rows of weight 0 are left out");
    some |= w > 0;
  }
  if (!some) throw Failure("--weights: " + of + ": all weights are 0", "rows of weight 0 are left out of training");
}
}  // namespace

void set_weight_column(TrainArgs& args, const nf::Runtime& runtime) {
  if (args.weights.empty()) return;
  const TableFacts file = describe_file(runtime, args.train.data, *args.settings);
  if (!names_column(args.weights, file)) return;
  args.weight_column = args.weights;
  DataPaths& data = args.train;
  std::string taken = args.weight_column;
  if (!data.context_columns.empty() && data.context.empty()) taken += "," + data.context_columns;
  if (!data.labels.empty() && names_column(data.labels, file)) taken += "," + data.labels;
  args.columns_given = !data.columns.empty();
  if (!args.columns_given) data.columns = other_columns(data.data, file, taken, args.settings->get("table.id", ""));
  check_disjoint(data.data, file, data.columns, args.weight_column);
}

void open_weights(const TrainArgs& args, TrainPlan& plan) {
  if (args.weights.empty()) return;
  const auto column = [&](const std::string& path) {
    return Rows::open(plan.runtime, path, *args.settings, NF_F64, args.weight_column);
  };
  const bool apart = args.weight_column.empty();
  if (apart && !std::filesystem::exists(args.weights))
    throw Failure(
        "--weights " + args.weights + ": " + args.train.data + " has no such column, and there is no such file",
        "give a column of the data by name or index from 0, or a file with one weight per row", kUsage);
  plan.train_weight = apart ? Rows::open(plan.runtime, args.weights, *args.settings, NF_F64) : column(args.train.data);
  check(plan.train_weight, plan.train.x, apart ? args.weights : "column " + args.weights);
  if (apart || args.valid.data.empty()) return;
  const std::vector<std::string> header = describe_file(plan.runtime, args.valid.data, *args.settings).names;
  if (!header.empty() && std::find(header.begin(), header.end(), args.weight_column) == header.end()) return;
  plan.valid_weight = column(args.valid.data);
  check(plan.valid_weight, plan.valid.x, args.valid.data + ", column " + args.weights);
}

}  // namespace cli
