#include "runtime/op/layout.h"

namespace libnf {

void wrong_rank(const Node& n, int input, int rank) {
  fail(Code::shape, "%s: input %d has shape %s, expected rank %d", n.op->name, input,
       to_string(n.in[input]->out.shape).c_str(), rank);
}

void wrong_extent(const Node& n, int input, int axis, int64_t extent) {
  fail(Code::shape, "%s: input %d has shape %s, expected extent %lld on axis %d", n.op->name, input,
       to_string(n.in[input]->out.shape).c_str(), static_cast<long long>(extent), axis);
}

}  // namespace libnf
