// Rows that a model file holds to check the file on another machine: samples of the model, exactly, and their log_prob.
#pragma once
#include <string>
#include <string_view>

#include "runtime/core/executor.h"
#include "src/model/density.h"

namespace libnf {

inline constexpr char kSelfTestKey[] = "nf.self_test";  // in the metadata of a model file
inline constexpr int64_t kMaxSelfTestRows = 1000, kMaxSelfTestNumbers = int64_t{1} << 20;

// A row's log_prob may differ by this much times its size, or times 1 where that is smaller: other SIMD targets order
// sums differently.
inline double self_test_tolerance(DType t) { return t == DType::f64 ? 1e-9 : 1e-4; }

// The first samples of a fixed stream, and their log_prob, as text: {"rows": n, "x": ["HEX HEX ...", ...], "context":
// [...], "log_prob": "HEX ..."} with numbers as in std::to_chars(..., chars_format::hex). A model with context gets
// contexts for which its samples are finite, if normal numbers, zeros or a first column of ones are among these.
std::string make_self_test(const Allocator& allocator, Executor& executor, const Density& model, int64_t rows);

// Number of rows of such a text; Error{format}.
int64_t self_test_rows(std::string_view text);

// Scores the rows again. Error{checksum} names the first row that differs and both numbers.
void verify_self_test(const Allocator& allocator, Executor& executor, const Density& model, std::string_view text);

}  // namespace libnf
