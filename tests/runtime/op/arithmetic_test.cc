// Arithmetic writes only its output, even if that is empty.
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/op/ops.h"

namespace libnf::test {
namespace {

TEST(Arithmetic, RowsWithoutColumnsWriteNothing) {
  constexpr size_t kBytes = 4096;
  Tape t(system_allocator(), DType::f64, 2 * kBytes);
  const auto mark = t.arena().mark();
  std::memset(t.arena().take(kBytes), 0x5a, kBytes);
  t.arena().rewind(mark);
  double data[12] = {}, one = 1;
  View x = contiguous_view(data, DType::f64, {3, 0});
  x.stride[0] = 4;  // columns that a slice skipped
  Var y = sub(t, t.input(x, false), t.input(contiguous_view(&one, DType::f64, {1}), false));
  EXPECT_EQ(y->out.count(), 0);
  const auto* behind = static_cast<const unsigned char*>(t.arena().take(256));
  for (int i = 0; i < 256; ++i) ASSERT_EQ(behind[i], 0x5a) << "byte " << i << " past the end of the output";
}

}  // namespace
}  // namespace libnf::test
