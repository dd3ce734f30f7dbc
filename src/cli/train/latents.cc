#include "src/cli/train/latents.h"

#include <algorithm>

#include "src/cli/common/evaluate.h"

namespace cli {

std::optional<ActiveUnits> latents_of(const TrainArgs& args, const TrainPlan& plan, const nf::Model& model) {
  const nf::ModelInfo info = model.info();
  if (!is_vae(info)) return std::nullopt;
  constexpr int64_t kMost = 2000;
  const Data& data = plan.test.x ? plan.test : plan.valid.x ? plan.valid : plan.train;
  const int64_t n = std::min(kMost, data.x.count());
  if (n == 0) return std::nullopt;
  std::vector<double> mean(static_cast<size_t>(n * info.latent_size)), log_var(mean.size());
  const nf::View context = data.context.view();
  nf::Session session(model, args.settings->options({"session"}));
  session.encode_into(nf::Out(mean.data(), n, info.latent_size), nf::Out(log_var.data(), n, info.latent_size), {}, {},
                      data.x.view().slice(0, n), context.none() || context.rows() == 1 ? context : context.slice(0, n));
  return active_units(mean, log_var, info.latent_size);
}

}  // namespace cli
