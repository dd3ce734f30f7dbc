// The part of a training step that draws its rows from the model and weighs them by a target: objectives reverse_kl,
// symmetric and alpha.
//
// Every lane draws rows and keeps their graph; the target says log p~ and its gradient at them; the lane goes back. Row
// r has coefficient c_r = d loss/d log q_r, and the gradient of the loss arrives at log q_r as c_r, at x_r as
// -c_r grad log p~(x_r). For reverse_kl c_r = 1/n is known before, so that with a target that any thread may ask, a
// lane works through its rows block by block and a step is one parallel section. For alpha c_r is the share of
// (p~/q)^(1 - a) in the sum of all, and a target of the host wants all rows at once: lanes hold the graphs of all of
// their blocks then, and a step is two sections.
//
// path_gradient: log q(x) depends on the parameters through x and directly; the expectation of the direct part is 0.
// Only the first is kept: log q is taken from data to latent at x, with parameters that have no gradient.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "src/target/target.h"
#include "src/train/collective.h"
#include "src/train/lanes.h"
#include "src/train/objective.h"

namespace nf {

class Variational {
 public:
  // `model` must outlive it.
  Variational(const Allocator& allocator, const FlowModel& model, const ObjectiveConfig& config, Memory memory,
              const Collective& collective);
  bool needed() const { return uses_samples(config_.kind); }
  void bind(void* mirror);  // transposed weights, which must outlive it
  void set_cut(const BatchCut& cut);
  void set_target(std::shared_ptr<const Target> target) { target_ = std::move(target); }
  const Target* target() const { return target_.get(); }
  // Rows of this rank, 0 when not needed.
  int64_t rows() const { return needed() ? config_.samples : 0; }
  size_t bytes() const { return x_.bytes() + grad_.bytes() + log_p_.bytes() + log_q_.bytes() + coefficient_.bytes(); }

  // A step: begin(); draw() in every lane; when sections() is 2, weigh() and then finish() in every lane; loss().
  // Lanes are between begin_step and end_step.
  void begin(uint64_t seed, uint64_t step, const View& context);
  int sections() const { return keeps_graphs() ? 2 : 1; }
  void draw(Lane& lane, int64_t index, int64_t lanes);
  void weigh();  // on the thread that entered the library
  void finish(Lane& lane, int64_t index);
  struct Loss {
    double value, error;
  };
  Loss loss();
  // After a loss that is not finite: Error{numeric} naming a row and where it stops being finite.
  [[noreturn]] void report(Lane& lane, uint64_t step);

  // Rows whose graphs a lane holds at once, and all that it does with them, but for asking the target.
  int64_t rows_held() const;
  void measure(Lane& lane);

 private:
  struct Drawn {  // a block of rows that waits for its coefficients
    Var x, log_q;
    int64_t first;
  };
  // Coefficients need all rows, or the target does.
  bool keeps_graphs() const { return config_.kind == ObjectiveKind::alpha || !target_->anywhere(); }
  void set_random(Tape& t, int64_t first) const;
  Var context_rows(Tape& t, int64_t first, int64_t rows) const;
  struct Work {  // of a lane
    std::vector<Drawn> drawn;
    std::vector<Node> frozen;  // with path_gradient: the parameters, without gradient
  };
  void draw_rows(Lane& lane, Work& w, int64_t first, int64_t end);
  Drawn draw_block(Lane& lane, Work& w, int64_t first, int64_t rows);
  void evaluate(int64_t first, int64_t rows);
  void seed_block(Lane& lane, const Drawn& d);
  void log_q_by_path(Lane& lane, Work& w, Var x, Var context, int64_t first);
  std::string blame(Lane& lane, int64_t row);
  View rows_of(const Buffer& b, int64_t cols, int64_t first, int64_t rows) const;
  double row_loss(int64_t r) const;
  void alpha_coefficients();

  const FlowModel& model_;
  BatchCut cut_;
  ObjectiveConfig config_;
  Memory memory_;
  Collective collective_;
  std::shared_ptr<const Target> target_;
  RandomKey random_;
  View context_;
  double total_ = 1;  // rows over all ranks
  double share_ = 1;  // of log p~, while it is annealed
  bool measuring_ = false;
  double log_mean_ = 0, relative_error_ = 0;       // alpha: of (p~/q)^(1 - a)
  Buffer x_, grad_, log_p_, log_q_, coefficient_;  // of all rows; the last two in double
  std::vector<Work> work_;                         // per lane
};

}  // namespace nf
