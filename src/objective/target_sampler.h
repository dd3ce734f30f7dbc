// Draws the rows of a step from the model and evaluates the target's log density p~ and its gradient on them.
//
// Every lane draws its share and keeps the graph; the target is evaluated; the lane runs backward. Row r has the
// coefficient c_r = d loss / d log q_r; the gradient of the loss is c_r at log q_r and -c_r grad log p~(x_r) at x_r.
// If coefficients are known in advance (1/n) and the target may be called from any thread, a lane works block by block
// and a step is one section. Otherwise lanes keep the graphs of all their blocks, and a step is two sections.
//
// path_gradient: log q(x) depends on the parameters through x and directly; the expectation of the direct part is 0.
// Only the first part is kept: log q is computed from data to latent at x, with parameters that have no gradient.
#pragma once
#include <string>
#include <vector>

#include "src/objective/objective.h"

namespace libnf {

struct SamplerConfig {
  int64_t samples = 256;
  int64_t anneal_steps = 0;
  bool path_gradient = false;
  // Lists the fields that all objectives with samples have.
  void fields(Fields& f);
  void path_field(Fields& f);
};

class TargetSampler {
 public:
  // weighs_all: the coefficients depend on the densities of all rows.
  TargetSampler(const ObjectiveScope& scope, const SamplerConfig& config, bool weighs_all);
  int64_t rows() const { return config_.samples; }  // on this rank
  double total() const { return total_; }           // over all ranks
  uint64_t annealed() const { return static_cast<uint64_t>(config_.anneal_steps); }
  size_t bytes() const { return x_.bytes() + grad_.bytes() + log_p_.bytes() + log_q_.bytes() + coefficient_.bytes(); }

  // Makes room for steps whose batch has this many rows in addition to the samples.
  Room prepare(const Target& target, int64_t batch);
  void measure(Lane& lane, const Room& room);

  // before(lane): other work of the lane, done first. weigh(): sets coefficients() once all densities are known.
  template <class Before, class Weigh>
  void run(Lanes& lanes, const Batch& batch, const Target& target, Before&& before, Weigh&& weigh) {
    begin(batch, target);
    lanes.each([&](Lane& lane) {
      before(lane);
      draw(lane);
    });
    if (!keeps_graphs()) return;
    if (!target.thread_safe()) evaluate(0, rows());
    weigh();
    lanes.each([&](Lane& lane) { finish(lane); });
  }

  double* coefficients() const { return coefficient_.as<double>(); }
  // Returns log q - share * log p~ of a row. After run(), NaN if the target's gradient is not finite.
  double log_ratio(int64_t r) const;
  // Returns the mean of log_ratio over the rows of all ranks, with its standard error.
  Loss mean_log_ratio() const;
  // Throws Error{numeric} naming the first row whose numbers are not finite, and where. ignore_zero_density: rows where
  // the density of the target is 0 are accepted.
  [[noreturn]] void report(Lane& lane, uint64_t step, bool ignore_zero_density);

 private:
  struct Drawn {  // a block of rows that waits for its coefficients
    Var x, log_q;
    int64_t first;
  };
  using Work = std::vector<Drawn>;  // blocks of a lane
  bool keeps_graphs() const { return weighs_all_ || !target_->thread_safe(); }
  void begin(const Batch& batch, const Target& target);
  void draw(Lane& lane);
  void finish(Lane& lane);
  void draw_rows(Lane& lane, Work& w, int64_t first, int64_t end);
  Drawn draw_block(Lane& lane, int64_t first, int64_t rows);
  void evaluate(int64_t first, int64_t rows);
  void seed_block(Lane& lane, const Drawn& d);
  void log_q_by_path(Lane& lane, Var x, Var context, int64_t first);
  void set_random(Tape& t, int64_t first) const;
  Var context_rows(Tape& t, int64_t first, int64_t rows) const;
  View rows_of(const Buffer& b, int64_t cols, int64_t first, int64_t rows) const;
  Density::Location sample_nonfinite_at(Lane& lane, int64_t row);

  const ObjectiveScope scope_;
  const Density& model_;
  SamplerConfig config_;
  bool weighs_all_;
  const Target* target_ = nullptr;  // target of the step
  RandomKey random_;
  View context_;
  double total_;
  double share_ = 1;  // weight of log p~ while annealing
  bool measuring_ = false;
  Buffer x_, grad_, log_p_, log_q_, coefficient_;  // of all rows; the last three in double
  std::vector<Work> work_;                         // per lane
};

}  // namespace libnf
