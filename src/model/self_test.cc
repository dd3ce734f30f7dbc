#include "src/model/self_test.h"

#include <cmath>
#include <vector>

#include "runtime/core/rows.h"
#include "runtime/kernel/random.h"
#include "src/io/hex_float.h"
#include "src/io/json.h"
#include "src/model/session.h"

namespace libnf {
namespace {

constexpr uint64_t kSeed = 0x73656c66;  // of the samples and contexts
constexpr size_t kMaxText = size_t{64} << 20;

using Numbers = std::vector<double>;

View rows_of(Numbers& v, int64_t rows, int64_t columns) {
  return columns ? contiguous_view(v.data(), DType::f64, {rows, columns}) : View{};
}
View vector_of(Numbers& v) { return contiguous_view(v.data(), DType::f64, {static_cast<int64_t>(v.size())}); }

struct TestRows {
  TestRows(int64_t n, const Density& m)
      : rows(n),
        x(static_cast<size_t>(n * m.columns())),
        context(static_cast<size_t>(n * m.context())),
        log_prob(static_cast<size_t>(n)) {}
  int64_t rows;
  Numbers x, context, log_prob;
};

void score(Session& session, const Density& m, TestRows& r) {
  session.log_prob(rows_of(r.x, r.rows, m.columns()), rows_of(r.context, r.rows, m.context()), vector_of(r.log_prob));
}

bool all_finite(const Numbers& v) {
  for (const double d : v)
    if (!std::isfinite(d)) return false;
  return true;
}

Json lines(const Numbers& v, int64_t rows) {
  Json list = Json::Array();
  const size_t columns = v.size() / static_cast<size_t>(rows);
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) list.append(hex_floats({v.data() + r * columns, columns}));
  return list;
}

[[noreturn]] void damaged() { fail(Code::format, "the model file's \"%s\" is damaged", kSelfTestKey); }

Json parse(std::string_view text) { return parse_json(text, kSelfTestKey, Code::format, kMaxText, 4); }

int64_t count_of(const Json& j) {
  const Json* rows = j.find("rows");
  const auto n = rows ? rows->int64() : std::nullopt;
  if (!n || *n < 1 || *n > kMaxSelfTestRows) damaged();
  return *n;
}

void read_lines(const Json& j, const char* key, int64_t rows, Numbers& to) {
  const Json* list = j.find(key);
  if (!list || !list->array() || list->array()->size() != static_cast<size_t>(rows)) damaged();
  const size_t columns = to.size() / static_cast<size_t>(rows);
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    const std::string* line = (*list->array())[r].string();
    if (!line || !read_hex_floats(*line, {to.data() + r * columns, columns})) damaged();
  }
}

}  // namespace

std::string make_self_test(const Allocator& allocator, Executor& executor, const Density& model, int64_t rows) {
  Session session(allocator, executor, model, SessionOptions());
  TestRows r(rows, model);
  const int64_t columns = model.context();
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::fill(r.context.begin(), r.context.end(), 0.0);
    if (attempt == 0 && columns) kernel::normal<double>({kSeed, 0}, 0, rows, columns, r.context.data(), columns);
    for (int64_t k = 0; attempt == 2 && k < rows; ++k) r.context[static_cast<size_t>(k * columns)] = 1;
    session.sample({kSeed, 0, 1, 1}, rows_of(r.context, rows, columns), rows_of(r.x, rows, model.columns()), View{});
    score(session, model, r);
    if (columns == 0 || (all_finite(r.x) && all_finite(r.log_prob))) break;
  }
  Json j = {{"rows", rows}, {"x", lines(r.x, rows)}};
  if (columns) j["context"] = lines(r.context, rows);
  j["log_prob"] = hex_floats(r.log_prob);
  return j.dump();
}

int64_t self_test_rows(std::string_view text) { return count_of(parse(text)); }

void verify_self_test(const Allocator& allocator, Executor& executor, const Density& model, std::string_view text) {
  const Json j = parse(text);
  const int64_t n = count_of(j);
  // Every number takes a character at least: refused before memory is taken for more.
  if (model.columns() + model.context() > static_cast<int64_t>(text.size()) / n) damaged();
  TestRows r(n, model);
  read_lines(j, "x", r.rows, r.x);
  if (model.context()) read_lines(j, "context", r.rows, r.context);
  Numbers stored(r.log_prob.size());
  const Json* line = j.find("log_prob");
  if (!line || !line->string() || !read_hex_floats(*line->string(), stored)) damaged();
  Session session(allocator, executor, model, SessionOptions());
  score(session, model, r);
  const double tolerance = self_test_tolerance(model.dtype());
  for (size_t k = 0; k < stored.size(); ++k) {
    const double was = stored[k], is = r.log_prob[k];
    if (was == is || (was != was && is != is)) continue;
    if (std::abs(is - was) <= tolerance * std::max(1.0, std::abs(was))) continue;
    fail_at(
        Code::checksum, {static_cast<int64_t>(k), -1},
        "self-test row %zu of the model file has log_prob %.17g here and %.17g where it was saved, which is more than "
        "%g apart: do not trust this library on this machine with this model",
        k, is, was, tolerance * std::max(1.0, std::abs(was)));
  }
}

}  // namespace libnf
