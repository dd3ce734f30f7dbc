// See rows.h.
#include "src/cli/common/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "src/cli/common/failure.h"
#include "src/cli/common/input.h"
#include "src/cli/common/pictures.h"

namespace cli {

Rows Rows::open(const nf::Runtime& runtime, const std::string& path, const Settings& settings, nf_dtype dtype,
                const std::string& columns) {
  Settings mine = settings;
  const std::string type = settings.get("table.dtype", "");
  if (type != "uint8" && (dtype != NF_F32 || type.empty())) mine.set("table.dtype", "float64");
  if (!columns.empty()) mine.set("table.columns", columns);
  Rows r;
  r.table_ = open_table(runtime, path, mine);
  r.path_ = shown_path(path);
  r.view_ = r.table_.view();
  r.model_dtype_ = dtype;
  const std::vector<int64_t> shape = r.table_.shape();
  r.extents_ = shape.size() == 4 ? std::vector<int64_t>(shape.begin() + 1, shape.end()) : std::vector{r.cols()};
  for (int64_t c = 0; c < r.cols(); ++c) r.names_.push_back(r.table_.column(c));
  if (std::all_of(r.names_.begin(), r.names_.end(), [](const std::string& s) { return s.empty(); })) r.names_.clear();
  const bool named = !settings.get("table.id", "").empty(), pictures = !named && holds_pictures(path);
  for (int64_t i = 0; named && i < r.count(); ++i) r.ids_.push_back(r.table_.row_id(i));
  for (int64_t i = 0; pictures && i < r.count(); ++i)
    r.ids_.push_back(read_pictures(path).names[static_cast<size_t>(r.table_.row(i))]);
  if (r.count() == 0)
    throw Failure(r.path_ + " has no rows" +
                  (settings.get("table.where", "").empty() ? "" : " with " + settings.get("table.where", "")));
  return r;
}

int64_t Rows::number(int64_t row) const {
  if (!numbers_.empty()) return numbers_[static_cast<size_t>(row)];
  return table_ ? table_.row(row) : row;
}

bool Rows::has_gaps() const { return count() > 0 && number(count() - 1) != count() - 1; }

std::string Rows::place(int64_t row) const {
  const int64_t line = !lines_.empty() ? lines_[static_cast<size_t>(row)] : table_ ? table_.line(row) : 0;
  const std::string where =
      line ? "line " + std::to_string(line) : "row " + std::to_string(number(row)) + " (counted from 0)";
  return path_.empty() ? where : where + " of " + path_;
}

Rows Rows::of(const std::vector<double>& values, int64_t cols, nf_dtype dtype) {
  Rows r;
  if (dtype == NF_F64) {
    r.wide_ = values;
    r.view_ = nf::View(r.wide_, cols);
  } else {
    r.narrow_ = nf::View(values).to_vector<float>();
    r.view_ = nf::View(r.narrow_, cols);
  }
  r.extents_ = {cols};
  r.model_dtype_ = dtype;
  return r;
}

Rows Rows::of_bytes(std::vector<uint8_t> values, int64_t cols, nf_dtype dtype) {
  Rows r;
  r.bytes_ = std::move(values);
  r.view_ = nf::View(r.bytes_, cols);
  r.extents_ = {cols};
  r.model_dtype_ = dtype;
  return r;
}

Rows Rows::pick(std::span<const int64_t> indices) const {
  Rows out;
  const auto gather = [&]<class T>(std::vector<T>& values) {
    values.reserve(indices.size() * static_cast<size_t>(cols()));
    for (const int64_t r : indices)
      for (int64_t c = 0; c < cols(); ++c) values.push_back(static_cast<T>(at(r, c)));
    out.view_ = nf::View(values, cols());
  };
  view_.dtype() == NF_U8 ? gather(out.bytes_) : view_.dtype() == NF_F32 ? gather(out.narrow_) : gather(out.wide_);
  out.extents_ = extents_;
  out.model_dtype_ = model_dtype_;
  out.names_ = names_;
  out.path_ = path_;
  for (const int64_t r : indices) {
    out.numbers_.push_back(number(r));
    const int64_t line = !lines_.empty() ? lines_[static_cast<size_t>(r)] : table_ ? table_.line(r) : 0;
    if (line) out.lines_.push_back(line);
    if (!ids_.empty()) out.ids_.push_back(id(r));
  }
  return out;
}

Rows Rows::pick_like(const Rows& other) const {
  std::vector<int64_t> which;
  int64_t at = 0;
  for (int64_t r = 0; r < other.count(); ++r) {
    while (at < count() && number(at) < other.number(r)) ++at;
    if (at == count() || number(at) != other.number(r))
      throw Failure(path_ + " has no row for " + other.place(r), "give one row for each row of " + other.path());
    which.push_back(at);
  }
  return pick(which);
}

std::string with_place(std::string message, int64_t n, const Rows& rows, int64_t row) {
  const std::string number = "row " + std::to_string(n);
  for (const std::string& said : {number + " of x", number})
    if (const size_t at = message.find(said); row >= 0 && at != std::string::npos)
      return message.replace(at, said.size(), rows.place(row));
  return message;
}

std::vector<std::pair<int64_t, int64_t>> Rows::runs() const {
  constexpr int64_t kRuns = 64, kRun = 1024;
  if (!mapped() || count() <= kRuns * kRun) return {{0, count()}};
  std::vector<std::pair<int64_t, int64_t>> out;
  for (int64_t i = 0; i < kRuns; ++i) out.emplace_back((count() - kRun) / (kRuns - 1) * i, kRun);
  return out;
}

std::vector<Moments> Rows::moments() const {
  std::vector<Moments> all(static_cast<size_t>(cols()));
  double n = 0;
  for (const auto& [from, count] : runs()) n += static_cast<double>(count);
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r)
      for (int64_t c = 0; c < cols(); ++c) all[static_cast<size_t>(c)].mean += at(r, c) / n;
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r)
      for (int64_t c = 0; c < cols(); ++c) {
        const double off = at(r, c) - all[static_cast<size_t>(c)].mean;
        all[static_cast<size_t>(c)].std += off * off / n;
      }
  for (Moments& m : all) {
    m.std = std::sqrt(m.std);
    if (m.std <= 1e-12 * std::abs(m.mean)) m.std = 0;  // constant up to the rounding of the mean
  }
  return all;
}

uint64_t Rows::hashed(int64_t row, uint64_t h, bool wide) const {
  for (int64_t c = 0; c < cols(); ++c) {
    const double v = at(row, c);
    const uint64_t bits = wide ? std::bit_cast<uint64_t>(v) : std::bit_cast<uint32_t>(static_cast<float>(v));
    h = (h ^ bits) * 0x100000001b3u;
    h ^= h >> 29;
  }
  return h;
}

uint64_t Rows::fingerprint() const {
  const bool wide = mapped() ? view_.dtype() == NF_F64 : model_dtype_ == NF_F64;
  uint64_t h = static_cast<uint64_t>(count()) * 31 + static_cast<uint64_t>(cols());
  for (const auto& [from, count] : runs())
    for (int64_t r = from; r < from + count; ++r) h = hashed(r, h, wide);
  return h;
}

uint64_t Rows::fingerprint(std::span<const int64_t> which) const {
  uint64_t h = which.size() * 31 + static_cast<uint64_t>(cols());
  for (const int64_t r : which) h = hashed(r, h, model_dtype_ == NF_F64);
  return h;
}

}  // namespace cli
