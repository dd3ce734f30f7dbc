// reverse_kl on samples plus data_weight times nll on rows of data: neither drops modes nor covers regions of density
// 0.
#include "src/objective/nll.h"
#include "src/objective/phases.h"
#include "src/objective/target_sampler.h"

namespace libnf {
namespace {

class Symmetric final : public Objective {
 public:
  struct Config : libnf::Config {
    SamplerConfig sampler;
    double data_weight = 1;
    void fields(Fields& f) override {
      sampler.fields(f);
      sampler.path_field(f);
      f.real("data_weight", "weight of the loss on data", data_weight, 0, 1e6);
    }
  };
  Symmetric(const Config& c, const ObjectiveScope& s)
      : Objective(s), weight_(c.data_weight), data_(s), sampler_(s, c.sampler, false) {
    if (couples_rows(s.model))
      fail(Code::unsupported,
           "objective \"symmetric\" does not train layers that couple rows (batch_norm): use actnorm");
  }
  int64_t samples() const override { return sampler_.rows(); }
  uint64_t settles() const override { return sampler_.annealed(); }
  size_t bytes() const override { return data_.bytes() + sampler_.bytes(); }
  Room prepare(int64_t batch) override {
    Room room = sampler_.prepare(*target_, batch);
    room.rows = data_.prepare(batch).rows;
    return room;
  }
  void measure(Lane& lane, const Room& room) override {
    data_.measure(lane, room);
    sampler_.measure(lane, room);
  }
  Loss run(Lanes& lanes, const Batch& batch) override {
    sampler_.run(
        lanes, batch, *target_, [&](Lane& lane) { data_.run_lane(lane, batch, weight_); }, [] {});
    data_loss_ = data_.loss(batch, weight_);
    const Loss drawn = sampler_.mean_log_ratio();
    return {data_loss_ + drawn.value, drawn.error};
  }
  void report(Lane& lane, const Batch& batch, uint64_t step) override {
    if (!std::isfinite(data_loss_)) data_.report(lane, batch, step);
    sampler_.report(lane, step, false);
  }

 private:
  double weight_, data_loss_ = 0;
  Nll data_;
  TargetSampler sampler_;
};

}  // namespace

NF_PART(Objective, symmetric, Symmetric, "reverse_kl on samples plus data_weight times nll on rows of data",
        "the sum of both divergences, Jeffreys 1946", true, true);

}  // namespace libnf
