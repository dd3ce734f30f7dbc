// What changes a trainer between steps: learning rates, starting over, checkpoints.
#include <cmath>
#include <cstring>

#include "src/io/json.h"
#include "src/train/trainer.h"

namespace libnf {

std::string Trainer::groups_with(const std::vector<double>& rates) const {
  if (config_.groups.empty()) return config_.groups_json;
  const Json list = parse_json(config_.groups_json, "groups", Code::internal, kMaxGroupBytes, 8);
  Json changed = Json::Array();
  for (size_t k = 0; k < config_.groups.size(); ++k) {
    Json group = (*list.array())[k];
    if (!config_.groups[k].freeze) group["lr"] = rates[k];
    changed.append(std::move(group));
  }
  return changed.dump();
}

std::vector<double> Trainer::rates_of(const TrainerConfig& config) {
  std::vector<double> rates;
  for (const GroupConfig& g : config.groups) rates.push_back(g.optimizer.lr);
  rates.push_back(config.optimizer.lr);
  return rates;
}

void Trainer::check_rates(const std::vector<double>& rates) const {
  for (const double lr : rates)
    if (!(lr >= 0 && lr <= kMaxRate)) fail(Code::argument, "the learning rate %g is outside [0, %g]", lr, kMaxRate);
  if (rates.size() != config_.groups.size() + 1)
    fail(Code::argument, "%zu learning rates for %zu groups and the rest", rates.size(), config_.groups.size());
  try {
    check(options_.schedule, rates.back());
  } catch (const Error& e) {
    fail(Code::argument, "%s", e.what());
  }
}

void Trainer::set_rates(const std::vector<double>& rates, std::string groups_json) {
  config_.optimizer.lr = rates.back();
  for (size_t k = 0; k < config_.groups.size(); ++k) config_.groups[k].optimizer.lr = rates[k];
  config_.groups_json.swap(groups_json);
  update_.set_rates(rates);
}

void Trainer::set_lr(const char* group, double lr) {
  if (!(lr > 0) || lr > kMaxRate)
    fail(Code::argument, "lr is %g, expected a number above 0 and at most %g", lr, kMaxRate);
  std::vector<double> rates = rates_of(config_);
  bool found = false;
  for (size_t k = 0; k < rates.size(); ++k) {
    const bool rest = k + 1 == rates.size();
    const std::string name = rest ? "" : config_.groups[k].match;
    if (group && name != group) continue;
    if (!rest && config_.groups[k].freeze) {
      if (group) fail(Code::argument, "the group \"%.80s\" is frozen", group);
      continue;
    }
    rates[k] = lr;
    found = true;
  }
  if (!found)
    fail(Code::argument,
         "no group of the option \"trainer.groups\" has \"match\": \"%.80s\"; \"\" is for parameters of no group",
         group);
  if (rates.back() == 0)
    fail(Code::argument, "the trainer's own lr is 0, and schedules scale the rates of groups with it: set that first");
  check_rates(rates);
  set_rates(rates, groups_with(rates));
  rates_set_ = true;
}

void Trainer::restart(bool keep_moments) {
  discard();
  averaged_ = false;  // if the model holds the average, that is what training starts from
  if (keep_moments) {
    older_steps_ += step_;
  } else {
    update_.clear_moments();
    older_steps_ = 0;
  }
  step_ = 0;
  plateau_ = {};
  divergence_ = {};
  keeps_ = false;
  parameters_changed();
}

// ---- the state that the guard goes back to --------------------------------------------------------------------------

std::vector<std::pair<std::string, View>> Trainer::state_tensors() const {
  auto all = update_.state();
  if (!kept_.data()) return all;
  const size_t count = all.size();
  char* at = kept_.as<char>();
  const auto add = [&](const std::string& name, int64_t numbers) {
    all.emplace_back("guard." + name, contiguous_view(at, model_.dtype(), {numbers}));
    at += numbers * size_of(model_.dtype());
  };
  add("parameters", static_cast<int64_t>(model_.params().bytes()) / size_of(model_.dtype()));
  for (size_t i = 0; i < count; ++i) add(std::string(all[i].first), all[i].second.count());
  return all;
}

bool Trainer::can_go_back() const {
  return keeps_ && !at_kept_ && collective_.world == 1 && divergence_.returns() < Divergence::kMostReturns;
}

void Trainer::keep() {
  char* to = kept_.as<char>();
  const auto copy = [&](const void* from, size_t bytes) {
    if (bytes) std::memcpy(to, from, bytes);
    to += bytes;
  };
  copy(model_.params().data(), model_.params().bytes());
  for (const auto& [name, v] : update_.state()) copy(v.data, static_cast<size_t>(v.count() * size_of(v.dtype)));
  kept_age_ = step_ + older_steps_;
  keeps_ = at_kept_ = true;
}

// Steps are counted on, so that the next batches are new ones, but the moments are as old as they were.
void Trainer::go_back() {
  const char* from = kept_.as<char>();
  const auto copy = [&](void* to, size_t bytes) {
    if (bytes) std::memcpy(to, from, bytes);
    from += bytes;
  };
  copy(model_.params().data(), model_.params().bytes());
  for (const auto& [name, v] : update_.state()) copy(v.data, static_cast<size_t>(v.count() * size_of(v.dtype)));
  older_steps_ = kept_age_ - step_;  // modulo 2^64, as their sum
  at_kept_ = true;
  divergence_.went_back(config_.guard.guard_decay);
  parameters_changed();
}

Trainer::State Trainer::state() const {
  State s{step_, older_steps_, plateau_, cut_, {}, {}, divergence_, kept_age_, keeps_, kept_inputs()};
  if (rates_set_) s.rates = rates_of(config_);
  return s;
}

Trainer::State Trainer::checked(State s) const {
  for (const int64_t layer : s.kept_inputs)
    if (layer < 0 || layer >= static_cast<int64_t>(kept_inputs_.size()))
      fail(Code::argument, "layer %lld keeps its input, of %zu layers", static_cast<long long>(layer),
           kept_inputs_.size());
  const std::vector<double> rates = s.rates.empty() ? rates_of(options_) : s.rates;
  if (!s.rates.empty()) check_rates(rates);
  s.groups_json = s.rates.empty() ? options_.groups_json : groups_with(rates);
  return s;
}

void Trainer::restore_state(State s) {
  if (rates_set_ || !s.rates.empty())
    set_rates(s.rates.empty() ? rates_of(options_) : s.rates, std::move(s.groups_json));
  rates_set_ = !s.rates.empty();
  if (s.cut != cut_ || s.kept_inputs != kept_inputs()) measure_again();
  std::fill(kept_inputs_.begin(), kept_inputs_.end(), 0);
  for (const int64_t layer : s.kept_inputs) kept_inputs_[static_cast<size_t>(layer)] = 1;
  cut_ = s.cut;
  step_ = s.step;
  older_steps_ = s.older_steps;
  plateau_ = s.plateau;
  divergence_ = s.divergence;
  kept_age_ = s.kept_age;
  keeps_ = s.keeps && kept_.data();
  at_kept_ = false;
  averaged_ = false;
  discard();
  parameters_changed();
}

}  // namespace libnf
