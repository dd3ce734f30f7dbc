// The mean of log q(x) - log p~(x) over x ~ q, whose minimum is -log Z of the target p~ (Rezende and Mohamed 2015). The
// coefficients are 1/n.
#include "src/objective/target_sampler.h"

namespace libnf {
namespace {

class ReverseKl final : public Objective {
 public:
  struct Config : libnf::Config {
    SamplerConfig sampler;
    void fields(Fields& f) override {
      sampler.fields(f);
      sampler.path_field(f);
    }
  };
  ReverseKl(const Config& c, const ObjectiveScope& s) : Objective(s), sampler_(s, c.sampler, false) {}
  int64_t samples() const override { return sampler_.rows(); }
  uint64_t settles() const override { return sampler_.annealed(); }
  size_t bytes() const override { return sampler_.bytes(); }
  Room prepare(int64_t) override { return sampler_.prepare(*target_, 0); }
  void measure(Lane& lane, const Room& room) override { sampler_.measure(lane, room); }
  Loss run(Lanes& lanes, const Batch& batch) override {
    sampler_.run(
        lanes, batch, *target_, [](Lane&) {}, [] {});
    return sampler_.mean_log_ratio();
  }
  void report(Lane& lane, const Batch&, uint64_t step) override { sampler_.report(lane, step, false); }

 private:
  TargetSampler sampler_;
};

}  // namespace

NF_PART(Objective, reverse_kl, ReverseKl,
        "mean of log q - log p over samples x of the model, whose minimum is -log Z of the target",
        "Rezende and Mohamed 2015", false, true);

}  // namespace libnf
