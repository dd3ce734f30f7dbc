// See scores.h.
#include "src/cli/train/scores.h"

#include <algorithm>

namespace cli {

void keep_scores(const TrainArgs& args, const TrainPlan& plan, const RunState& state, nf::Model& model) {
  constexpr double kLeast = 1'000, kMost = 50'000, kPart = 0.1;  // rows; of the rows that training read
  std::vector<int64_t> rows;  // of --data that trained; empty: all, or of a mapped file all but a few blocks
  for (size_t r = 0; r < plan.parts.size(); ++r)
    if (plan.parts[r] == 0) rows.push_back(static_cast<int64_t>(r));
  const auto n = rows.empty() ? plan.train.x.count() : static_cast<int64_t>(rows.size());
  const double read =
      static_cast<double>(state.step) * static_cast<double>(args.settings->integer("batches.batch", 256));
  const auto wanted = std::min(n, static_cast<int64_t>(std::clamp(kPart * read, kLeast, kMost)));
  // Runs of rows, because the file may be larger than memory: then 64 places are read instead of all pages.
  const int64_t runs = plan.train.x.mapped() ? std::min<int64_t>(64, wanted) : wanted, run = wanted / runs;
  std::vector<int64_t> which;
  for (int64_t i = 0; i < runs; ++i)
    for (int64_t k = 0; k < run; ++k) {
      const int64_t at = i * n / runs + k;
      which.push_back(rows.empty() ? at : rows[static_cast<size_t>(at)]);
    }
  const bool own = plan.train.context.count() > 1;
  const Rows x = plan.train.x.pick(which), context = own ? plan.train.context.pick(which) : Rows();
  try {
    nf::Session session(model, args.settings->options({"session"}));
    const std::vector<double> scores =
        session.log_prob<double>(x.view(), own ? context.view() : plan.train.context.view());
    nf::set_scores(model, scores);
  } catch (const nf::Exception& e) {
    if (e.status() != NF_ERR_NUMERIC) throw;
  }
}

}  // namespace cli
