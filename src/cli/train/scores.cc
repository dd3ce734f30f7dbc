// See scores.h.
#include "src/cli/train/scores.h"

#include <algorithm>

namespace cli {

void keep_scores(const TrainArgs& args, const TrainPlan& plan, const RunState& state, nf::Model& model) {
  constexpr double kLeast = 1'000, kMost = 50'000, kPart = 0.1;  // rows; of the rows that training read
  const auto n = plan.train.x.count();
  const double read =
      static_cast<double>(state.step) * static_cast<double>(args.settings->integer("batches.batch", 256));
  const auto wanted = std::min(n, static_cast<int64_t>(std::clamp(kPart * read, kLeast, kMost)));
  // Runs of rows, because the file may be larger than memory: then 64 places are read instead of all pages.
  const int64_t runs = plan.train.x.mapped() ? std::min<int64_t>(64, wanted) : wanted, run = wanted / runs;
  std::vector<int64_t> which;
  for (int64_t i = 0; i < runs; ++i)
    for (int64_t k = 0; k < run; ++k) which.push_back(i * n / runs + k);
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
