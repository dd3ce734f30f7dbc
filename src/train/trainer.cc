#include "src/train/trainer.h"

#include <algorithm>
#include <cmath>

#include "src/io/json.h"
#include "src/model/rows.h"
#include "src/objective/nll.h"
#include "src/objective/phases.h"
#include "src/train/start.h"

namespace libnf {

Trainer::Trainer(const Allocator& allocator, Executor& executor, Density& model, const TrainerConfig& config,
                 const Collective& collective)
    : allocator_(allocator),
      executor_(executor),
      model_(model),
      config_(config),
      options_(config),
      collective_(collective),
      cut_(cut_of(model)),
      mirror_(allocator, static_cast<size_t>(model.params().mirror_size() * size_of(model.dtype())),
              "transposed weights"),
      update_(allocator, executor, model, config.groups, config.rest(), config.ema),
      kept_inputs_(model.flow() ? model.flow()->layers().size() : 0),
      lanes_(allocator_, executor, model, mirror_.data(), update_.trained(), kept_inputs_.data(), config.memory),
      cotangents_(allocator_, model_) {
  check(config_.optimizer);
  for (const GroupConfig& g : config_.groups) check(g.optimizer);
  check(config_.schedule, config_.optimizer.lr);
  config_.schedule = resolve(config_.schedule, config_.max_steps);
  const ObjectiveKind& kind = config_.objective.kind();
  if (kind.exact && !model.exact())
    fail(Code::unsupported, "objective \"%s\" does not train this model, whose log_prob is a bound: use nll",
         kind.name);
  run_.objective = kind.build(config_.objective.config(), scope(kind));
  objective_ = run_.objective.get();
  if (objective_->samples() == 0) fit_lanes(run_, 1);  // others need their target first
  if (goes_back()) {
    size_t bytes = model_.params().bytes();
    for (const auto& [name, v] : update_.state()) bytes += static_cast<size_t>(v.count() * size_of(v.dtype));
    kept_ = Buffer(allocator_, bytes, "the state that the guard goes back to");
  }
  parameters_changed();
}

Batch Trainer::batch_of(const TrainingRows& rows) const {
  Batch batch;
  batch.x = rows.x;
  batch.context = rows.context;
  batch.weight = rows.weight;
  batch.scores = rows.scores;
  batch.numbers = rows.numbers;
  batch.random.seed = static_cast<uint64_t>(config_.seed);
  batch.random.step = step_;
  return batch;
}

// Replaces the average in the model by the parameters of the last step.
void Trainer::put_back_parameters() {
  if (!averaged_) return;
  use_average(false);
  parameters_changed();  // the mirror may hold the average if a tensor was written meanwhile
}

StepResult Trainer::step(const TrainingRows& rows) {
  if (!goes_back()) return try_step(rows);
  for (bool again = false;; again = true) {
    try {
      StepResult result = try_step(rows);
      result.diverged |= again;
      return result;
    } catch (const Error& e) {
      if (e.code() != Code::numeric || !can_go_back()) throw;
    }
    go_back();
  }
}

StepResult Trainer::try_step(const TrainingRows& rows) {
  if (accumulated_)
    fail(Code::state,
         "gradients of %llu call%s of nf_trainer_accumulate wait: nf_trainer_apply or nf_trainer_discard "
         "goes first",
         static_cast<unsigned long long>(accumulated_), accumulated_ == 1 ? "" : "s");
  Batch batch = batch_of(rows);
  objective_->check(batch);
  put_back_parameters();
  weigh(batch);
  start(batch);
  const Loss loss = run(run_, batch, std::max(batch.rows(), objective_->samples()));
  lanes_.end_step();
  const double norm = update_.sum(lanes_, collective_);
  if (!std::isfinite(norm))
    fail(Code::numeric, "the loss is %g but its gradient is not finite; step %llu was not applied", loss.value,
         static_cast<unsigned long long>(step_ + 1));
  const StepResult result = update(lanes_.gradient(), norm, loss);
  objective_->applied();
  return result;
}

// Applies the step, once its gradient is known to be finite.
StepResult Trainer::update(void* gradient, double norm, const Loss& loss) {
  const double lr = learning_rate(config_.schedule, config_.optimizer.lr, step_, plateau_) * divergence_.factor();
  if (goes_back() && !keeps_) keep();
  ++step_;
  update_.apply(gradient, step_, step_ + older_steps_, lr);
  parameters_changed();
  if (waits_) keep_initial(*model_.flow());  // there was no data to initialize from
  waits_ = false;
  at_kept_ = false;
  StepResult result{step_, loss.value, loss.error, norm, lr};
  result.drift = drift_;
  result.kept_inputs = static_cast<size_t>(std::count(kept_inputs_.begin(), kept_inputs_.end(), 1));
  const GuardConfig& guard = config_.guard;
  if (guard.guard != Guard::off && step_ > objective_->settles())
    result.diverged = divergence_.see(loss.value, norm, guard.guard_steps);
  if (result.diverged && can_go_back()) go_back();
  constexpr uint64_t kKeepEvery = 50;
  if (goes_back() && step_ % kKeepEvery == 0 && divergence_.fell()) keep();
  result.went_back = divergence_.returns();
  return result;
}

// ---- gradients of the host ----------------------------------------------------------------------------------------

void Trainer::accumulate(const TrainingRows& rows, const HostCotangents& cotangents) {
  Run& run = host_[cotangents.inverse];
  if (!run.objective) run.objective = host_objective(scope(host_kind()), cotangents_, cotangents.inverse);
  if (!model_.exact() && (cotangents.out.data || cotangents.log_det.data))
    fail(Code::unsupported,
         "a layer draws numbers between data and latents, so results of a session are not those of training: only the "
         "cotangent \"log_prob\" has a meaning for this model");
  Batch batch = batch_of(rows);
  // Each call of a step draws from a range of rows of its own.
  batch.random.first_row = static_cast<int64_t>(accumulated_ << 32);
  batch.latents = cotangents.inverse;
  cotangents_.take(cotangents, batch);
  put_back_parameters();
  if (waits_ || couples_rows(model_)) collective_.sum(&batch.counting, 1, DType::f64, "number of rows");
  if (!cotangents.inverse) start(batch);
  update_.reserve_kept();
  this->run(run, batch, batch.rows());
  lanes_.end_step();
  update_.keep(lanes_, accumulated_ == 0);
  ++accumulated_;
  run.objective->applied();
}

StepResult Trainer::apply(double loss) {
  if (!accumulated_) fail(Code::state, "no gradient waits: nf_trainer_accumulate goes first");
  put_back_parameters();
  discard();  // whatever happens
  const double norm = update_.sum_kept(collective_);
  if (!std::isfinite(norm))
    fail(Code::numeric,
         "step %llu: the accumulated gradient is not finite; it is forgotten and the step is not applied",
         static_cast<unsigned long long>(step_ + 1));
  return update(update_.kept(), norm, {loss, 0});
}

// ---- evaluating ---------------------------------------------------------------------------------------------------

Loss Trainer::evaluate(const TrainingRows& rows) {
  Batch batch = batch_of(rows);
  objective_->check(batch);
  if (waits_)
    fail(Code::state,
         "a layer is not initialized from data yet: call nf_model_init_from_data, or take a step, before "
         "nf_trainer_evaluate");
  if (averaged_) parameters_changed();  // the mirror holds the parameters of the last step
  // Layers that couple rows in a step use running statistics here, so rows are independent.
  Run& run = couples_rows(model_) ? evaluation_ : run_;
  if (!run.objective) run.objective = std::make_unique<Nll>(scope(objective_->kind()));
  auto* const rowwise = dynamic_cast<RowObjective*>(run.objective.get());
  if (!rowwise) {
    weigh(batch);
    return evaluate_samples(batch);
  }
  constexpr int64_t kAtOnce = 1 << 15;
  WeightedMean mean;
  try {
    double sums[2];
    check_weights(batch, sums);
    for (int64_t first = 0; first < batch.rows(); first += kAtOnce) {
      const Batch part = part_of(batch, first, std::min(kAtOnce, batch.rows() - first));
      fit_lanes(run, part.rows());
      lanes_.begin_step(cut_.lanes(part.rows()), false);
      rowwise->evaluate(lanes_, part, mean);
    }
  } catch (const Error&) {
    if (collective_.world > 1) {  // the other ranks wait for this one
      mean.add(1, std::nan(""));
      mean.result(collective_);
    }
    throw;
  }
  const MeanError result = mean.result(collective_);
  if (!std::isfinite(result.mean)) fail(Code::numeric, "the loss of another rank is not finite");
  return {result.mean, result.error};
}

Loss Trainer::evaluate_samples(const Batch& batch) {
  fit_lanes(run_, batch.rows());
  lanes_.begin_step(cut_.lanes(std::max(batch.rows(), objective_->samples())), false);
  const Loss loss = objective_->run(lanes_, batch);
  if (!std::isfinite(loss.value)) objective_->report(lanes_.empty_lane(), batch, step_ + 1);
  return loss;
}

// ---- shared by steps --------- ------------------------------------------------------------------------------------

// Checks the weights and sums them over all ranks.
void Trainer::weigh(Batch& batch) const {
  const int64_t n = batch.rows();
  if (n == 0) return;
  double sums[2];
  check_weights(batch, sums);
  collective_.sum(sums, 2, DType::f64, "weights");
  if (!(sums[0] > 0)) fail(Code::argument, "all %lld weights are zero", static_cast<long long>(n));
  batch.total_weight = sums[0];
  batch.counting = sums[1];
}

// Initializes layers that wait for data from the batch.
void Trainer::start(const Batch& batch) {
  if (!waits_ || batch.rows() == 0) return;
  start_from_data(allocator_, executor_, *model_.flow(), cut_,
                  {batch.x, batch.context, batch.weight, nullptr, batch.numbers, static_cast<uint64_t>(config_.seed)},
                  collective_);
  parameters_changed();
}

// Runs the objective on as many lanes as `rows` get. With Memory::invert runs it again while inputs are rebuilt too badly.
Loss Trainer::run(Run& run, const Batch& batch, int64_t rows) {
  do {
    fit_lanes(run, batch.rows());
    lanes_.begin_step(cut_.lanes(rows), true);
    const Loss loss = run.objective->run(lanes_, batch);
    if (!std::isfinite(loss.value)) run.objective->report(lanes_.empty_lane(), batch, step_ + 1);
    drift_ = lanes_.drift();
    if (config_.memory != Memory::invert || !keep_drifting()) return loss;
  } while (true);
}

// Keeps the input that drifted most, if that is too far, from now on. Returns whether some rank keeps another one.
bool Trainer::keep_drifting() {
  const double most = config_.drift > 0 ? config_.drift : model_.dtype() == DType::f64 ? 1e-9 : 1e-4;
  double kept = 0;
  if (!(drift_.worst <= most)) kept_inputs_[static_cast<size_t>(drift_.place)] = kept = 1;
  collective_.sum(&kept, 1, DType::f64, "inputs that are kept");
  if (kept > 0) measure_again();
  return kept > 0;
}

void Trainer::measure_again() {
  for (Run* run : {&run_, &evaluation_, &host_[0], &host_[1]}) run->room = {};
}

// Makes sure that tapes have room for a batch of this many rows, by measuring one lane on a tape that grows.
void Trainer::fit_lanes(Run& run, int64_t batch) {
  Objective& objective = *run.objective;
  const Room need = objective.prepare(batch);
  if (need.rows > run.room.rows || need.samples > run.room.samples || need.keeps_graphs != run.room.keeps_graphs) {
    run.room = {};
    LaneTape tape(Tape(allocator_, model_.dtype()));
    tape.tape.measuring = true;
    Lane lane = lanes_.make(need.constants);
    lane.begin_step(tape, 0, 1);
    objective.measure(lane, need);
    run.tape_bytes = tape.tape.arena().high_water();
    run.room = need;
  }
  if (run.tape_bytes > tape_bytes_) {
    lanes_.drop_tapes();
    tape_bytes_ = run.tape_bytes;
  }
  lanes_.fit(cut_.lanes(std::max(batch, objective.samples())), tape_bytes_, need.keeps_graphs, need.constants);
}

size_t Trainer::bytes() const {
  size_t n = mirror_.bytes() + update_.bytes() + lanes_.bytes() + cotangents_.bytes() + kept_.bytes();
  for (const Run* run : {&run_, &evaluation_, &host_[0], &host_[1]})
    if (run->objective) n += run->objective->bytes();
  return n;
}

void Trainer::parameters_changed() {
  waits_ = model_.flow() && waits_for_data(*model_.flow());
  const auto count = static_cast<uint32_t>(model_.params().slots().size());
  if (mirror_.data())
    executor_.parallel_for(count, [&](uint32_t i) { model_.params().refresh_mirror(i, mirror_.data()); });
}

std::vector<int64_t> Trainer::kept_inputs() const {
  std::vector<int64_t> list;
  for (size_t i = 0; i < kept_inputs_.size(); ++i)
    if (kept_inputs_[i]) list.push_back(static_cast<int64_t>(i));
  return list;
}

void Trainer::use_average(bool on) {
  if (!update_.has_average())
    fail(Code::state,
         "no average of the parameters is kept: set the option \"trainer.ema_decay\", for example to 0.999");
  if (on != averaged_) update_.swap_average(step_);
  averaged_ = on;
}

}  // namespace libnf
