// What changes a trainer between steps: learning rates, starting over, checkpoints.
#include <cmath>

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
  parameters_changed();
}

Trainer::State Trainer::state() const {
  State s{step_, older_steps_, plateau_, cut_, {}, {}};
  if (rates_set_) s.rates = rates_of(config_);
  return s;
}

Trainer::State Trainer::checked(State s) const {
  const std::vector<double> rates = s.rates.empty() ? rates_of(options_) : s.rates;
  if (!s.rates.empty()) check_rates(rates);
  s.groups_json = s.rates.empty() ? options_.groups_json : groups_with(rates);
  return s;
}

void Trainer::restore_state(State s) {
  if (rates_set_ || !s.rates.empty())
    set_rates(s.rates.empty() ? rates_of(options_) : s.rates, std::move(s.groups_json));
  rates_set_ = !s.rates.empty();
  if (s.cut != cut_)
    for (Run* run : {&run_, &evaluation_, &host_[0], &host_[1]}) run->room = {};  // to be measured again
  cut_ = s.cut;
  step_ = s.step;
  older_steps_ = s.older_steps;
  plateau_ = s.plateau;
  averaged_ = false;
  discard();
  parameters_changed();
}

}  // namespace libnf
