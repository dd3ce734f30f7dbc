#include "fuzz/byte_fields.h"

#include <algorithm>
#include <numeric>

namespace fuzz {
namespace {
constexpr int64_t kSize = 6, kCount = 3;
constexpr int64_t kLargeDefault = 16;  // widths of nets above it would leave a fuzzer a few runs per second
constexpr int kDepth = 2;
}  // namespace

void ByteFields::integer(const char*, const char*, int64_t& value, int64_t low, int64_t high) {
  if (keeps(value)) return;
  value = low + bytes_.below(std::min(high - low, kSize) + 1);
}

bool ByteFields::keeps(int64_t largest) { return keeps() && (skips_ || largest <= kLargeDefault); }

void ByteFields::real(const char* name, const char*, double& value, double low, double high) {
  if (keeps() || name == std::string_view("tolerance")) return;  // of roots: an inverse is no more exact
  // Along the logarithm where both ends have the same sign, so that small numbers occur.
  const double u = bytes_.unit();
  value = std::clamp(low > 0 ? low * std::pow(high / low, u) : low + (high - low) * u * u, low, high);
}

void ByteFields::flag(const char*, const char*, bool& value) {
  if (!keeps()) value = bytes_.coin();
}

void ByteFields::text(const char*, const char*, std::string& value, int64_t max_bytes) {
  if (keeps()) return;
  value.resize(static_cast<size_t>(bytes_.below(std::min(max_bytes, kSize) + 1)));
  for (char& c : value) c = static_cast<char>('a' + bytes_.below(26));
}

void ByteFields::integers(const char*, const char*, std::vector<int64_t>& value, int64_t low, int64_t high,
                          int64_t max_count) {
  if (keeps(value.empty() ? 0 : *std::max_element(value.begin(), value.end()))) return;
  // A list of as many numbers as columns may have to be an order of them.
  if (low == 0 && max_count >= event_ && bytes_.coin()) {
    value.resize(static_cast<size_t>(event_));
    std::iota(value.begin(), value.end(), int64_t{0});
    for (size_t i = value.size(); i > 1; --i)
      std::swap(value[i - 1], value[static_cast<size_t>(bytes_.below(static_cast<int64_t>(i)))]);
    for (int64_t& v : value) v = std::min(v, high);
    return;
  }
  value.resize(static_cast<size_t>(bytes_.below(std::min(max_count, kCount) + 1)));
  for (int64_t& v : value) v = low + bytes_.below(std::min(high - low, kSize) + 1);
}

void ByteFields::reals(const char*, const char*, std::vector<double>& value, double low, double high,
                       int64_t max_count) {
  if (keeps()) return;
  const int64_t counts[] = {0, 1, 2, event_, 2 * event_};
  value.resize(static_cast<size_t>(std::min(max_count, counts[bytes_.below(5)])));
  for (size_t i = 0; i < value.size(); ++i) value[i] = std::clamp((i % 2 ? 1 : -1) * 4 * bytes_.unit(), low, high);
}

void ByteFields::object(const char*, const char*, libnf::Config& value) {
  if (!skips_) value.fields(*this);
}

void ByteFields::optional_object(const char* name, const char* doc, libnf::Config& value, bool& present) {
  if (keeps()) return;
  present = bytes_.coin();
  if (present) object(name, doc, value);
}

void ByteFields::one_of(const char*, const char*, libnf::PartConfig& value) {
  if (skips_) return;
  const auto parts = value.family().parts;
  if (!keeps()) value.choose(*parts[static_cast<size_t>(bytes_.below(static_cast<int64_t>(parts.size())))]);
  if (++depth_ <= kDepth) value.config().fields(*this);
  --depth_;
}

libnf::LayerSpec ByteFields::layer(std::string_view word) {
  std::vector<const libnf::LayerKind*> kinds;
  for (const libnf::LayerKind* k : libnf::Registry<libnf::LayerKind>::all())
    if (std::string_view(k->name).find(word) != std::string_view::npos) kinds.push_back(k);
  libnf::LayerSpec s;
  s.kind = kinds[static_cast<size_t>(bytes_.below(static_cast<int64_t>(kinds.size())))];
  s.config = s.kind->config();
  s.invert = bytes_.below(4) == 1;
  s.config->fields(*this);
  skips_ = false;
  return s;
}

void ByteFields::chain(const char*, const char*, std::vector<libnf::LayerSpec>& value) {
  if (skips_) return;
  value.clear();
  if (++depth_ <= kDepth)
    for (int64_t n = bytes_.below(kCount + 1); n > 0; --n) {
      if (bytes_.below(4) == 1) {
        libnf::LayerSpec s;
        s.repeat = 1 + bytes_.below(2);
        s.invert = bytes_.coin();
        chain("layers", "", s.layers);
        value.push_back(std::move(s));
      } else {
        value.push_back(layer());
      }
    }
  --depth_;
}

void ByteFields::choose(const char*, const char*, int& value, std::span<const char* const> names) {
  if (!keeps()) value = static_cast<int>(bytes_.below(static_cast<int64_t>(names.size())));
}

}  // namespace fuzz
