#include "src/train/update.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/kernel/binary.h"
#include "runtime/kernel/reduce.h"
#include "runtime/op/layout.h"
#include "src/io/json.h"

namespace libnf {
namespace {

size_t bytes_of(const Density& model, int64_t numbers) {
  return static_cast<size_t>(checked_mul(numbers, size_of(model.dtype())));
}

}  // namespace

Update::Update(const Allocator& allocator, Executor& executor, Density& model, const std::vector<GroupConfig>& groups,
               const GroupConfig& rest, const EmaConfig& ema)
    : allocator_(allocator), executor_(executor), model_(model), ema_(ema), base_lr_(rest.optimizer.lr) {
  const ParamStore& params = model.params();
  const std::vector<int> assigned = assign_groups(params, groups);
  for (size_t i = 0; i <= groups.size(); ++i) {
    Group g;
    g.config = i < groups.size() ? groups[i] : rest;
    if (base_lr_ == 0 && g.config.optimizer.lr != 0 && !g.config.freeze)
      fail(Code::spec, "groups[%zu].lr = %g needs a trainer whose \"lr\" is above 0: schedules scale both alike", i,
           g.config.optimizer.lr);
    g.ranges = ranges_of(params, assigned, static_cast<int>(i));
    add(std::move(g));
  }
  if (chunks_.empty() && params.trainable_size() > 0) fail(Code::spec, "groups freeze every parameter of the model");
  factors_.resize(groups_.size());
  sums_ = Buffer(allocator, chunks_.size() * sizeof(double), "gradient norms");
  if (ema.decay > 0) average_ = Buffer(allocator, bytes_of(model, params.trainable_size()), "averaged parameters");
  if (groups.empty()) return;
  for (const int group : assigned) trained_.push_back(group >= 0 && !groups_[static_cast<size_t>(group)].config.freeze);
}

void Update::add(Group group) {
  for (const Range& r : group.ranges) {
    for (int64_t begin = r.begin; begin < r.end && !group.config.freeze; begin += kNormChunk)
      chunks_.push_back({groups_.size(), begin, std::min(r.end, begin + kNormChunk), group.size + begin - r.begin});
    group.size += r.end - r.begin;
  }
  for (int i = 0; i < state_slots(group.config.optimizer) && !group.config.freeze; ++i)
    group.slots.emplace_back(allocator_, bytes_of(model_, group.size), "optimizer state");
  groups_.push_back(std::move(group));
}

double Update::sum(Lanes& lanes, const Collective& collective) {
  with_dtype(model_.dtype(), [&]<class T>() {
    T* const total = lanes[0].grads<T>();
    each_chunk([&](const Chunk& c, uint32_t i) {
      for (int64_t l = 1; l < lanes.gradients(); ++l)
        kernel::accumulate(lanes[l].grads<T>() + c.begin, total + c.begin, c.end - c.begin);
      if (collective.world == 1)  // while it is in the cache
        sums_.as<double>()[i] = kernel::sum_squares(total + c.begin, c.end - c.begin);
    });
  });
  if (collective.world > 1) return norm_of(lanes.gradient(), collective);
  return combine_norm(sums_.as<double>(), static_cast<int64_t>(chunks_.size()));
}

double Update::norm_of(void* gradient, const Collective& collective) {
  with_dtype(model_.dtype(), [&]<class T>() {
    T* const total = static_cast<T*>(gradient);
    for (const Group& g : groups_)
      for (const Range& r : g.ranges)
        if (!g.config.freeze && collective.world > 1)
          collective.sum(total + r.begin, r.end - r.begin, model_.dtype(), "gradient");
    each_chunk([&](const Chunk& c, uint32_t i) {
      sums_.as<double>()[i] = kernel::sum_squares(total + c.begin, c.end - c.begin);
    });
  });
  return combine_norm(sums_.as<double>(), static_cast<int64_t>(chunks_.size()));
}

void Update::reserve_kept() {
  if (!kept_.data()) kept_ = Buffer(allocator_, bytes_of(model_, model_.params().trainable_size()), "kept gradient");
}

void Update::keep(Lanes& lanes, bool first) {
  with_dtype(model_.dtype(), [&]<class T>() {
    T *const total = lanes[0].grads<T>(), *const kept = kept_.as<T>();
    each_chunk([&](const Chunk& c, uint32_t) {
      const int64_t n = c.end - c.begin;
      for (int64_t l = 1; l < lanes.gradients(); ++l)
        kernel::accumulate(lanes[l].grads<T>() + c.begin, total + c.begin, n);
      if (first)
        kernel::copy(total + c.begin, kept + c.begin, n);
      else
        kernel::accumulate(total + c.begin, kept + c.begin, n);
    });
  });
}

double Update::sum_kept(const Collective& collective) { return norm_of(kept_.data(), collective); }

void Update::set_rates(const std::vector<double>& rates) {
  for (size_t k = 0; k < groups_.size(); ++k) groups_[k].config.optimizer.lr = rates[k];
  base_lr_ = rates.back();
}

void Update::clear_moments() {
  for (Group& g : groups_)
    for (Buffer& b : g.slots)
      if (b.data()) std::memset(b.data(), 0, b.bytes());
}

double Update::factor_of(const Group& g) const {
  double squares = 0;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    const Group& other = groups_[chunks_[i].group];
    if (&other == &g || (!g.config.own_norm && !other.config.own_norm)) squares += sums_.as<double>()[i];
  }
  return norm_factor(std::sqrt(squares), g.config.clip.max_norm);
}

void Update::apply(void* gradient, uint64_t step, uint64_t age, double rate) {
  with_dtype(model_.dtype(), [&]<class T>() {
    T* const grads = static_cast<T*>(gradient);
    T* const params = static_cast<T*>(model_.params().data());
    T* const average = average_.template as<T>();
    for (size_t i = 0; i < groups_.size(); ++i) factors_[i] = factor_of(groups_[i]);
    each_chunk([&](const Chunk& c, uint32_t) {
      const Group& g = groups_[c.group];
      const OptimizerConfig& optimizer = g.config.optimizer;
      const int64_t n = c.end - c.begin;
      double scale = factors_[c.group];
      if (g.config.clip.max_value > 0) {  // the limit is on the scaled gradient, so scale first
        kernel::scale<T>(static_cast<T>(scale), grads + c.begin, grads + c.begin, n);
        clip_value(grads, g.config.clip.max_value, c.begin, c.end);
        scale = 1;
      }
      T* slots[8] = {};
      for (size_t i = 0; i < g.slots.size(); ++i) slots[i] = g.slots[i].template as<T>() + c.state;
      T* const p = params + c.begin;
      if (average && step == 1) std::copy(p, p + n, average + c.begin);
      const double lr = optimizer.lr == base_lr_ ? rate : rate * (optimizer.lr / base_lr_);
      libnf::apply<T>(optimizer, lr, age, scale, p, grads + c.begin, slots, 0, n);
      if (average) ema_update(ema_, step, average + c.begin, p, 0, n);
    });
  });
}

void Update::swap_average(uint64_t steps) {
  with_dtype(model_.dtype(), [&]<class T>() {
    T* const params = static_cast<T*>(model_.params().data());
    T* const average = average_.template as<T>();
    each_chunk([&](const Chunk& c, uint32_t) {
      if (steps == 0)
        std::copy(params + c.begin, params + c.end, average + c.begin);
      else
        std::swap_ranges(params + c.begin, params + c.end, average + c.begin);
    });
  });
}

std::vector<std::pair<std::string, View>> Update::state() const {
  std::vector<std::pair<std::string, View>> all;
  for (size_t k = 0; k < groups_.size(); ++k) {
    const Group& g = groups_[k];
    const std::string prefix = k + 1 == groups_.size() ? "" : "groups." + std::to_string(k) + ".";
    for (size_t i = 0; i < g.slots.size(); ++i)
      all.emplace_back(prefix + slot_name(g.config.optimizer, static_cast<int>(i)),
                       contiguous_view(g.slots[i].data(), model_.dtype(), {g.size}));
  }
  if (average_.data())
    all.emplace_back("average", contiguous_view(average_.data(), model_.dtype(), {model_.params().trainable_size()}));
  return all;
}

std::string Update::describe() const {
  Json list = Json::Array();
  for (size_t k = 0; k + 1 < groups_.size(); ++k) {
    const GroupConfig& g = groups_[k].config;
    Json j = {{"match", g.match}};
    if (g.freeze)
      j["freeze"] = true;
    else
      j["optimizer"] = name_of(g.optimizer.kind);
    list.append(std::move(j));
  }
  return groups_.size() > 1 ? list.dump() : "";
}

size_t Update::bytes() const {
  size_t n = sums_.bytes() + average_.bytes() + kept_.bytes();
  for (const Group& g : groups_)
    for (const Buffer& b : g.slots) n += b.bytes();
  return n;
}

}  // namespace libnf
