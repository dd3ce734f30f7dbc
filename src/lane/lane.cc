#include "src/lane/lane.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "runtime/core/rows.h"
#include "runtime/kernel/binary.h"

namespace libnf {

Lane::Lane(const Allocator& allocator, const Density& model, void* mirror, const std::vector<bool>& trained,
           const char* kept_inputs)
    : grads_(allocator, static_cast<size_t>(model.params().trainable_size() * size_of(model.dtype())),
             "a lane's gradient"),
      params_(model.params().slots().size()),
      model_(model),
      kept_inputs_(kept_inputs) {
  model.params().bind(params_.data(), grads_.data() ? grads_.data() : this, mirror);
  for (size_t i = 0; i < trained.size(); ++i) params_[i].needs_grad &= trained[i];
}

void Lane::need_constants(const ParamStore& store, void* mirror) {
  if (!constants_.empty()) return;
  constants_.resize(store.slots().size());
  store.bind(constants_.data(), nullptr, mirror);
}

void Lane::begin_step(LaneTape& on, int64_t index, int64_t count) {
  on.clear();
  tape_ = &on;
  index_ = index;
  count_ = count;
  for (Node& n : params_) n.grad_fresh = n.needs_grad;
}

void Lane::end_step(const ParamStore& store) {
  for (Node& n : params_)
    if (n.needs_grad && n.grad_fresh)
      std::memset(n.grad, 0, static_cast<size_t>(n.out.count() * size_of(store.dtype())));
}

void Lane::add(const Lane& other, DType dtype) {
  with_dtype(dtype, [&]<class T>() {
    for (size_t i = 0; i < params_.size(); ++i)
      if (params_[i].needs_grad)
        kernel::accumulate(static_cast<const T*>(other.params_[i].grad), static_cast<T*>(params_[i].grad),
                           params_[i].out.count());
  });
}

bool Lanes::Turns::wait(int64_t lane) const {
  while (added.load(std::memory_order_acquire) != lane) {
    if (failed.load(std::memory_order_relaxed)) return false;
    std::this_thread::yield();
  }
  return true;
}

Lane Lanes::make(bool constants) const {
  Lane lane(allocator_, model_, mirror_, trained_, kept_inputs_);
  if (constants) lane.need_constants(model_.params(), mirror_);
  return lane;
}

void Lanes::fit(int64_t count, size_t tape_bytes, bool keeps_graphs, bool constants) {
  keeps_graphs_ = keeps_graphs;
  const int64_t tapes = keeps_graphs ? count : std::min<int64_t>(count, executor_.concurrency());
  shares_ = !keeps_graphs && count > tapes + 1 && count * model_.params().trainable_size() > most_numbers_;
  const int64_t lanes = shares_ ? tapes + 1 : count;
  while (static_cast<int64_t>(lanes_.size()) < lanes) lanes_.push_back(std::make_unique<Lane>(make(constants)));
  for (auto& lane : lanes_)
    if (constants) lane->need_constants(model_.params(), mirror_);
  begun_.resize(lanes_.size());
  most_tapes_ = std::max(most_tapes_, tapes);
  while (static_cast<int64_t>(tapes_.size()) < most_tapes_)
    tapes_.push_back(std::make_unique<LaneTape>(Tape(allocator_, model_.dtype(), tape_bytes)));
}

void Lanes::begin_step(int64_t count, bool training) {
  count_ = count;
  training_ = training;
  std::fill(begun_.begin(), begun_.end(), 0);
  for (const auto& t : tapes_) t->tape.drift = {};
}

Drift Lanes::drift() const {
  Drift all;
  for (const auto& t : tapes_) all.see(t->tape.drift);
  return all;
}

void Lanes::enter(int64_t lane, size_t tape) {
  LaneTape& on = *tapes_[tape];
  on.tape.training = training_;
  char& begun = begun_[static_cast<size_t>(lane)];
  if (!begun)
    (*this)[lane].begin_step(on, lane, count_);
  else
    (*this)[lane].continue_step(on);
  begun = 1;
}

void Lanes::end_step() {
  if (shares_) return;  // each lane has
  for (int64_t i = 0; i < count_; ++i) (*this)[i].end_step(model_.params());
}

Lane& Lanes::empty_lane() {
  lanes_[0]->begin_step(*tapes_[0], 0, 1);
  return *lanes_[0];
}

size_t Lanes::bytes() const {
  size_t n = 0;
  for (const auto& l : lanes_) n += l->bytes();
  for (const auto& t : tapes_) n += t->tape.arena().capacity();
  return n;
}

}  // namespace libnf
