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
  std::vector<int64_t> which;
  for (int64_t i = 0; i < wanted; ++i) which.push_back(i * n / wanted);
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
