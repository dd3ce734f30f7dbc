// A lane processes its share of a batch on one thread and accumulates its own gradient. Gradients of lanes are summed
// in lane order, so results do not depend on the number of threads. Where one gradient per lane would take much memory,
// there is one per thread, and every lane adds its gradient to the sum when its turn comes.
#pragma once
#include <atomic>
#include <memory>
#include <vector>

#include "runtime/core/executor.h"
#include "src/lane/cut.h"

namespace libnf {

// A tape, and a mark to rewind it to empty.
struct LaneTape {
  explicit LaneTape(Tape t) : tape(std::move(t)), empty(tape.mark()) { tape.training = true; }
  Tape tape;
  Tape::Mark empty;
  void clear() { tape.rewind(empty); }
};

class Lane {
 public:
  // trained[i]: whether parameter i gets a gradient (if it is trainable at all). An empty list means all do. kept_inputs:
  // Scope::kept_inputs.
  Lane(const Allocator& allocator, const Density& model, void* mirror, const std::vector<bool>& trained,
       const char* kept_inputs);

  Tape& tape() const { return tape_->tape; }
  Scope scope() { return {tape(), params_.data(), nullptr, false, kept_inputs_}; }
  // Returns a scope whose parameters have no gradient. Requires need_constants().
  Scope constants() { return {tape(), constants_.data(), nullptr, false, kept_inputs_}; }
  void need_constants(const ParamStore& store, void* mirror);
  int64_t index() const { return index_; }
  const Density& model() const { return model_; }
  // Return this lane's share of n rows, [begin(n), end(n)).
  int64_t begin(int64_t n) const { return lane_begin(n, index_, count_); }
  int64_t end(int64_t n) const { return lane_begin(n, index_ + 1, count_); }
  template <class T>
  T* grads() const {
    return grads_.as<T>();
  }
  size_t bytes() const { return grads_.bytes(); }

  // Starts a step as lane `index` of `count`, on an emptied tape. Every gradient is undefined until it is written.
  void begin_step(LaneTape& on, int64_t index, int64_t count);
  // Continues the step on another tape.
  void continue_step(LaneTape& on) { tape_ = &on; }
  // Sets to zero the gradient of parameters that the step did not touch.
  void end_step(const ParamStore& store);
  // Adds the gradient of another lane, which has ended its step.
  void add(const Lane& other, DType dtype);

 private:
  Buffer grads_;
  std::vector<Node> params_, constants_;
  LaneTape* tape_ = nullptr;
  int64_t index_ = 0, count_ = 1;
  const Density& model_;
  const char* kept_inputs_;
};

// The lanes of a trainer and the tapes they share.
class Lanes {
 public:
  // All arguments must outlive the object. memory: with less than Memory::full, gradients are shared from a smaller size
  // on, which costs about a tenth of the time where threads wait for their turn.
  Lanes(const Allocator& allocator, Executor& executor, const Density& model, void* mirror,
        const std::vector<bool>& trained, const char* kept_inputs, Memory memory)
      : allocator_(allocator),
        executor_(executor),
        model_(model),
        mirror_(mirror),
        trained_(trained),
        kept_inputs_(kept_inputs),
        most_numbers_(int64_t{1} << (memory == Memory::full ? 26 : 22)) {}
  // Makes room for `count` lanes, and adds tapes of `tape_bytes` if there are too few. keeps_graphs: every lane has its
  // own tape, which keeps its content between the sections of a step; otherwise there is one tape per thread.
  // constants: lanes have Lane::constants().
  void fit(int64_t count, size_t tape_bytes, bool keeps_graphs, bool constants);
  void drop_tapes() { tapes_.clear(); }
  Executor& executor() const { return executor_; }
  Lane make(bool constants) const;

  // training: with dropout and statistics of batches.
  void begin_step(int64_t count, bool training);
  // Of lane 0, which holds the sum over lanes once somebody has added them up.
  void* gradient() { return lanes_[0]->grads<void>(); }
  int64_t count() const { return count_; }
  Lane& operator[](int64_t i) { return *lanes_[static_cast<size_t>(i)]; }
  // Runs one section of a step: body(lane) for every lane, on any threads. Unless lanes keep their graphs, a step has one
  // section.
  template <class F>
  void each(F&& body);
  void end_step();
  // Returns how many of the first lanes have a part of the gradient: all, or only lane 0, which has the sum already.
  int64_t gradients() const { return shares_ ? 1 : count_; }
  // Returns the worst drift of the step.
  Drift drift() const;
  // Returns a lane with an empty tape, for diagnosing a failed step. Ends the step.
  Lane& empty_lane();
  size_t bytes() const;

 private:
  // The order in which lanes add their gradients to that of lane 0.
  struct Turns {
    std::atomic<int64_t> next{0}, added{0};
    std::atomic<bool> failed{false};
    // Waits until all lanes before `lane` are added. Returns false if one of them never will be. They have begun already,
    // because lanes begin in order, so this waits only for lanes that run.
    bool wait(int64_t lane) const;
  };
  template <class F>
  void each_in_turn(F&& body);
  void enter(int64_t lane, size_t tape);
  const Allocator& allocator_;
  Executor& executor_;
  const Density& model_;
  void* mirror_;
  const std::vector<bool>& trained_;
  const char* kept_inputs_;
  const int64_t most_numbers_;  // in the gradients of all lanes, before they are shared
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<LaneTape>> tapes_;
  std::vector<char> begun_;  // per lane: whether it began this step
  bool keeps_graphs_ = false, training_ = true;
  bool shares_ = false;  // a gradient per thread
  int64_t count_ = 0;
  int64_t most_tapes_ = 0;  // that any step needed, made at once after drop_tapes()
};

template <class F>
void Lanes::each(F&& body) {
  if (keeps_graphs_) {
    executor_.parallel_for(static_cast<uint32_t>(count_), [&](uint32_t i) {
      enter(i, i);
      body(*lanes_[i]);
    });
    return;
  }
  if (shares_) return each_in_turn(body);
  std::atomic<int64_t> next{0};
  const auto tapes = std::min<int64_t>(count_, static_cast<int64_t>(tapes_.size()));
  executor_.parallel_for(static_cast<uint32_t>(tapes), [&](uint32_t tape) {
    for (int64_t i; (i = next.fetch_add(1)) < count_;) {
      enter(i, tape);
      body(*lanes_[static_cast<size_t>(i)]);
    }
  });
}

// Lane 0 has the sum; any other lane borrows the gradient of its thread.
template <class F>
void Lanes::each_in_turn(F&& body) {
  Turns turns;
  const auto tapes = std::min<int64_t>(count_, static_cast<int64_t>(std::min(tapes_.size(), lanes_.size() - 1)));
  executor_.parallel_for(static_cast<uint32_t>(tapes), [&](uint32_t tape) {
    for (int64_t i; (i = turns.next.fetch_add(1)) < count_;) {
      Lane& lane = *lanes_[i == 0 ? 0 : 1 + tape];
      tapes_[tape]->tape.training = training_;
      lane.begin_step(*tapes_[tape], i, count_);
      try {
        body(lane);
      } catch (...) {
        turns.failed = true;
        throw;
      }
      if (!training_) continue;  // evaluation has no gradient
      lane.end_step(model_.params());
      if (!turns.wait(i)) return;
      if (i > 0) lanes_[0]->add(lane, model_.dtype());
      turns.added.store(i + 1, std::memory_order_release);
    }
  });
}

}  // namespace libnf
