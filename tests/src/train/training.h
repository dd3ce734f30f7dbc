// Shared by the tests of training: data with structure, a model with its trainer, and ranks that sum within one
// process.
#pragma once
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "src/model/flow_model.h"
#include "src/train/trainer.h"
#include "tests/support/op_check.h"

namespace libnf::test {

// Data with structure to learn: x0 normal, x1 near x0^2 / 2, x2 scaled by the context.
struct Data {
  explicit Data(int64_t n, uint64_t seed = 1) : rows(n) {
    std::mt19937_64 random(seed);
    const Values e = draw_normal(n * 4, random);
    for (int64_t r = 0; r < n; ++r) {
      const double* v = &e[static_cast<size_t>(4 * r)];
      x.insert(x.end(), {v[0], v[0] * v[0] / 2 + 0.3 * v[1] - 1, std::exp(0.5 * v[3]) * v[2]});
      context.push_back(v[3]);
    }
  }
  View xs(int64_t first, int64_t count) {
    return contiguous_view(&x[static_cast<size_t>(3 * first)], DType::f64, {count, 3});
  }
  View contexts(int64_t first, int64_t count) {
    return contiguous_view(&context[static_cast<size_t>(first)], DType::f64, {count, 1});
  }
  View xs() { return xs(0, rows); }
  View contexts() { return contexts(0, rows); }
  int64_t rows;
  Values x, context;
};

// A model with its trainer.
struct Training {
  explicit Training(const char* spec, TrainerConfig config = {}, uint32_t threads = 1, Collective collective = {})
      : executor(threads),
        model(system_allocator(), parse_spec(spec), 5),
        trainer(system_allocator(), executor, model, config, collective) {}
  // Takes steps of `batch` rows, cycling through the data.
  void steps(Data& d, int count, int64_t batch) {
    for (int k = 0; k < count; ++k) {
      const int64_t first = static_cast<int64_t>(trainer.steps()) * batch % (d.rows - batch + 1);
      last = trainer.step(d.xs(first, batch), d.contexts(first, batch), View{});
    }
  }
  uint64_t hash() const { return model.params().hash(); }
  Values params() const {
    Values all;
    for (size_t i = 0; i < model.params().slots().size(); ++i) {
      const View v = model.params().view(i);
      const Values p = model.dtype() == DType::f64 ? values_of<double>(v) : values_of<float>(v);
      all.insert(all.end(), p.begin(), p.end());
    }
    return all;
  }
  Executor executor;
  FlowModel model;
  Trainer trainer;
  StepResult last{};
};

inline TrainerConfig adam(double lr = 1e-2) {
  TrainerConfig c;
  c.optimizer.lr = lr;
  return c;
}

// With plain gradient descent, the parameters after one step show the gradient itself.
inline TrainerConfig descent() {
  TrainerConfig c = adam(0.1);
  c.optimizer.kind = OptimizerKind::sgd;
  return c;
}

// A sum over ranks in rank order that waits for the calls of all ranks.
class Meeting {
 public:
  explicit Meeting(int world) : world_(world) {}
  Collective rank(int r) {
    seats_[r] = {this, r};
    return {world_, &seats_[r],
            [](void* user, void* buf, size_t n, int32_t dtype) -> int32_t {
              auto* seat = static_cast<Seat*>(user);
              return dtype == static_cast<int32_t>(DType::f64)
                         ? seat->meeting->sum(seat->rank, static_cast<double*>(buf), n)
                         : seat->meeting->sum(seat->rank, static_cast<float*>(buf), n);
            },
            r};
  }
  bool broken = false;  // report failure instead

 private:
  struct Seat {
    Meeting* meeting;
    int rank;
  };
  template <class T>
  int32_t sum(int rank, T* buf, size_t n) {
    if (broken) return 1;
    std::unique_lock lock(mutex_);
    parts_[rank].assign(buf, buf + n);
    const int round = round_;
    if (++here_ == world_) {
      total_.assign(n, 0.0);
      for (int r = 0; r < world_; ++r)
        for (size_t k = 0; k < n; ++k) total_[k] += parts_[r].at(k);
      here_ = 0;
      ++round_;
      all_.notify_all();
    }
    // A rank that failed elsewhere never arrives; fail instead of hanging.
    if (!all_.wait_for(lock, std::chrono::seconds(30), [&] { return round_ != round; })) return 1;
    for (size_t k = 0; k < n; ++k) buf[k] = static_cast<T>(total_[k]);
    return 0;
  }
  int world_, here_ = 0, round_ = 0;
  Seat seats_[8];
  Values parts_[8], total_;
  std::mutex mutex_;
  std::condition_variable all_;
};

}  // namespace libnf::test
