#include "src/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "src/model/rows.h"
#include "src/train/start.h"

namespace nf {

Trainer::Trainer(const Allocator& allocator, Executor& executor, Density& model, const TrainerConfig& config,
                 const Collective& collective)
    : allocator_(allocator),
      executor_(executor),
      model_(model),
      config_(config),
      collective_(collective),
      cut_(cut_of(model)),
      mirror_(allocator, static_cast<size_t>(model.params().mirror_size() * size_of(model.dtype())),
              "transposed weights"),
      update_(allocator, executor, model, config.groups, config.rest(), config.ema),
      lanes_(allocator_, executor, model, mirror_.data(), update_.trained()) {
  check(config_.optimizer);
  for (const GroupConfig& g : config_.groups) check(g.optimizer);
  check(config_.schedule, config_.optimizer.lr);
  config_.schedule = resolve(config_.schedule, config_.max_steps);
  const ObjectiveKind& kind = config_.objective.kind();
  if (kind.exact && !model.exact())
    fail(Code::unsupported, "objective \"%s\" does not train this model, whose log_prob is a bound: use nll",
         kind.name);
  objective_ = kind.build(config_.objective.config(), {kind, allocator_, model_, config_.memory, collective_, cut_});
  if (objective_->samples() == 0) fit_lanes(1);  // others need their target first
  parameters_changed();
}

StepResult Trainer::step(const View& x, const View& context, const View& weight, const View& scores) {
  Batch batch;
  batch.x = x;
  batch.context = context;
  batch.weight = weight;
  batch.scores = scores;
  batch.random.seed = static_cast<uint64_t>(config_.seed);
  batch.random.step = step_;
  objective_->check(batch);
  if (averaged_) {
    use_average(false);
    parameters_changed();  // the mirror may hold the average if a tensor was written meanwhile
  }
  weigh(batch);
  start(batch);
  fit_lanes(batch.rows());
  lanes_.begin_step(cut_.lanes(std::max(batch.rows(), objective_->samples())));
  const Loss loss = objective_->run(lanes_, batch);
  if (!std::isfinite(loss.value)) objective_->report(lanes_.empty_lane(), batch, step_ + 1);
  lanes_.end_step();
  const double norm = update_.sum(lanes_, collective_);
  if (!std::isfinite(norm))
    fail(Code::numeric, "the loss is %g but its gradient is not finite; step %llu was not applied", loss.value,
         static_cast<unsigned long long>(step_ + 1));
  const double lr = learning_rate(config_.schedule, config_.optimizer.lr, step_, plateau_);
  update_.apply(lanes_, ++step_, lr);
  parameters_changed();
  objective_->applied();
  if (waits_) keep_initial(*model_.flow());  // there was no data to initialize from
  waits_ = false;
  return {step_, loss.value, loss.error, norm, lr};
}

// Checks the weights and sums them over all ranks.
void Trainer::weigh(Batch& batch) const {
  const int64_t n = batch.rows();
  if (n == 0) return;
  double sums[2] = {static_cast<double>(n), static_cast<double>(n)};
  if (batch.weight.data) {
    sums[0] = sums[1] = 0;
    for (int64_t r = 0; r < n; ++r) {
      const double w = scalar_at(batch.weight, r);
      if (!(w >= 0) || std::isinf(w))
        fail(Code::argument, "weight[%lld] = %g; weights are finite and not negative", static_cast<long long>(r), w);
      sums[0] += w;
      sums[1] += w > 0;
    }
  }
  collective_.sum(sums, 2, DType::f64, "weights");
  if (!(sums[0] > 0)) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(n));
  batch.total_weight = sums[0];
  batch.counting = sums[1];
}

// Initializes layers that wait for data from the batch.
void Trainer::start(const Batch& batch) {
  if (!waits_ || batch.rows() == 0) return;
  start_from_data(allocator_, executor_, *model_.flow(), cut_, batch.x, batch.context, batch.weight, collective_,
                  static_cast<uint64_t>(config_.seed));
  parameters_changed();
}

// Makes sure that tapes have room for a batch of this many rows, by measuring one lane on a tape that grows.
void Trainer::fit_lanes(int64_t batch) {
  const Room need = objective_->prepare(batch);
  if (need.rows > room_.rows || need.samples > room_.samples || need.keeps_graphs != room_.keeps_graphs) {
    lanes_.drop_tapes();
    room_ = {};
    LaneTape tape(Tape(allocator_, model_.dtype()));
    tape.tape.measuring = true;
    Lane lane = lanes_.make(need.constants);
    lane.begin_step(tape, 0, 1);
    objective_->measure(lane, need);
    tape_bytes_ = tape.tape.arena().high_water();
    room_ = need;
  }
  lanes_.fit(cut_.lanes(std::max(batch, objective_->samples())), tape_bytes_, need.keeps_graphs, need.constants);
}

size_t Trainer::bytes() const { return mirror_.bytes() + update_.bytes() + lanes_.bytes() + objective_->bytes(); }

void Trainer::parameters_changed() {
  waits_ = model_.flow() && waits_for_data(*model_.flow());
  const auto count = static_cast<uint32_t>(model_.params().slots().size());
  if (mirror_.data())
    executor_.parallel_for(count, [&](uint32_t i) { model_.params().refresh_mirror(i, mirror_.data()); });
}

void Trainer::use_average(bool on) {
  if (!update_.has_average())
    fail(Code::state, "no average of the parameters is kept: set the option \"ema_decay\", for example 0.999");
  if (on != averaged_) update_.swap_average(step_);
  averaged_ = on;
}

void Trainer::restore_state(uint64_t step, const PlateauState& plateau, const BatchCut& cut) {
  if (cut != cut_) room_ = {};  // measure again
  cut_ = cut;
  step_ = step;
  plateau_ = plateau;
  averaged_ = false;
  parameters_changed();
}

}  // namespace nf
