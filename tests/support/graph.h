// A graph on plain lists of doubles for tests that build it op by op: leaves with gradients, values, and gradients of
// sum(cot_z z) + sum(cot_log_det log_det) through a chain of maps.
#pragma once
#include <deque>

#include "runtime/op/ops.h"
#include "src/part/scope.h"
#include "tests/support/op_check.h"

namespace libnf::test {

template <class T>
class Graph {
 public:
  Var leaf(const Values& v, const Dims& shape) {
    data_.emplace_back(v.begin(), v.end());
    return tape.input(contiguous_view(data_.back().data(), dtype_of<T>, shape), true);
  }
  static Values read(const View& v) {
    const T* p = v.as<T>();
    return v.data ? Values(p, p + v.count()) : Values(static_cast<size_t>(v.count()));
  }
  Values value(Var v) { return read(v->out); }
  Values grad(Var v) { return read(tape.grad(*v)); }
  // Appends `next` to a chain.
  void then(Mapped* chain, Mapped next) {
    chain->y = next.y;
    if (next.log_det) chain->log_det = chain->log_det ? add(tape, chain->log_det, next.log_det) : next.log_det;
  }
  void backward(const Mapped& m, const Values& cot_y, const Values& cot_log_det) {
    const auto seed = [&](Var v, const Values& cot) {
      std::copy(cot.begin(), cot.end(), tape.grad(*v).template as<T>());
    };
    seed(m.y, cot_y);
    seed(m.log_det, cot_log_det);
    tape.backward();
  }

  Tape tape{system_allocator(), dtype_of<T>};

 private:
  std::deque<std::vector<T>> data_;
};

}  // namespace libnf::test
