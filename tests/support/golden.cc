// Reads safetensors golden files: 8-byte little-endian header size, JSON header, raw little-endian F64 data.
// Deliberately independent of the library's reader, so that a bug there cannot hide itself.
#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace libnf::test {
namespace {

// not std::string, because names() may be called during static initialization
constexpr const char* kDirectory = NF_GOLDEN_DIR;
constexpr const char* kExtension = ".safetensors";

std::string path_of(const std::string& name) { return std::string(kDirectory) + "/" + name + kExtension; }

[[noreturn]] void bad(const std::string& name, const std::string& why) {
  throw std::runtime_error("golden " + name + ": " + why);
}

GoldenTensor read_tensor(const std::string& file, const std::string& name, const nlohmann::json& entry,
                         const std::string& bytes, uint64_t data_begin) {
  GoldenTensor t;
  if (entry.at("dtype") != "F64") bad(file, name + " is not F64");
  t.shape = entry.at("shape").get<std::vector<int64_t>>();
  const auto offsets = entry.at("data_offsets").get<std::vector<uint64_t>>();
  uint64_t count = 1;
  for (int64_t e : t.shape) count *= static_cast<uint64_t>(e);
  if (offsets.size() != 2 || offsets[1] < offsets[0] || offsets[1] - offsets[0] != 8 * count ||
      data_begin + offsets[1] > bytes.size())
    bad(file, name + " has a bad shape or bad offsets");
  t.data.resize(count);
  if (count) std::memcpy(t.data.data(), bytes.data() + data_begin + offsets[0], 8 * count);
  return t;
}

template <class T>
::testing::AssertionResult compare(const T* actual, int64_t n, const double* expected, int64_t expected_n,
                                   double tolerance) {
  if (n != expected_n) return ::testing::AssertionFailure() << "has " << n << " elements, not " << expected_n;
  if (n == 0) return ::testing::AssertionFailure() << "compares nothing: both sides are empty";
  int64_t worst = 0, failures = 0;
  double worst_error = -1;
  for (int64_t i = 0; i < n; ++i) {
    const double a = static_cast<double>(actual[i]), b = expected[i];
    double error = a == b ? 0 : std::abs(a - b) / std::max(1.0, std::abs(b));  // a == b: equal infinities
    if (std::isnan(error)) error = INFINITY;
    failures += error > tolerance;
    if (error > worst_error) worst = i, worst_error = error;
  }
  if (!failures) return ::testing::AssertionSuccess();
  std::ostringstream message;
  message.precision(17);
  message << failures << " of " << n << " elements differ; worst is [" << worst << "]: " << actual[worst]
          << ", expected " << expected[worst] << ", relative error " << worst_error << " > " << tolerance;
  return ::testing::AssertionFailure() << message.str();
}

}  // namespace

std::vector<double> GoldenTensor::row(int64_t i) const {
  if (i < 0 || i >= rows()) throw std::out_of_range("golden tensor: row " + std::to_string(i) + " does not exist");
  return std::vector<double>(data.begin() + i * cols(), data.begin() + (i + 1) * cols());
}

double GoldenTensor::item() const {
  if (count() != 1) throw std::out_of_range("golden tensor: item() of " + std::to_string(count()) + " elements");
  return data[0];
}

Golden Golden::load(const std::string& name) {
  std::ifstream in(path_of(name), std::ios::binary);
  if (!in) bad(name, "cannot open " + path_of(name));
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  uint64_t header_bytes = 0;
  if (bytes.size() < 8) bad(name, "is shorter than its header");
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > bytes.size() - 8) bad(name, "is shorter than its header");
  Golden g;
  g.name_ = name;
  try {
    const auto header =
        nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<int64_t>(header_bytes));
    for (const auto& [key, entry] : header.items()) {
      if (key == "__metadata__")
        g.meta_ = entry.get<std::map<std::string, std::string>>();
      else
        g.tensors_.emplace(key, read_tensor(name, key, entry, bytes, 8 + header_bytes));
    }
  } catch (const nlohmann::json::exception& e) {
    bad(name, e.what());
  }
  return g;
}

std::vector<std::string> Golden::names(const std::string& prefix) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(kDirectory)) {
    const auto& path = entry.path();
    if (path.extension() == kExtension && path.stem().string().rfind(prefix, 0) == 0) out.push_back(path.stem());
  }
  std::sort(out.begin(), out.end());
  return out;
}

const GoldenTensor& Golden::operator[](const std::string& tensor) const {
  const auto it = tensors_.find(tensor);
  if (it != tensors_.end()) return it->second;
  std::string there;
  for (const auto& [key, value] : tensors_) there += " " + key;
  bad(name_, "no tensor '" + tensor + "'; there are:" + there);
}

const std::string& Golden::meta(const std::string& key) const {
  const auto it = meta_.find(key);
  if (it != meta_.end()) return it->second;
  std::string there;
  for (const auto& [k, value] : meta_) there += " " + k;
  bad(name_, "no metadata '" + key + "'; there are:" + there);
}

double Golden::number(const std::string& key) const {
  const std::string& text = meta(key);
  char* end = nullptr;
  const double v = std::strtod(text.c_str(), &end);
  if (text.empty() || *end) bad(name_, "metadata " + key + "='" + text + "' is not a number");
  return v;
}

double Golden::number(const std::string& key, double fallback) const { return has_meta(key) ? number(key) : fallback; }

std::vector<double> Golden::numbers(const std::string& key) const {
  std::string text = meta(key);
  for (char& c : text)
    if (c == '(' || c == ')' || c == '[' || c == ']' || c == ',') c = ' ';
  std::istringstream in(text);
  std::vector<double> out;
  for (double v; in >> v;) out.push_back(v);
  if (!in.eof()) bad(name_, "metadata " + key + "='" + meta(key) + "' is not a list of numbers");
  return out;
}

bool Golden::flag(const std::string& key) const {
  if (!has_meta(key)) return false;
  const std::string& text = meta(key);
  if (text != "True" && text != "False") bad(name_, "metadata " + key + "='" + text + "' is not True or False");
  return text == "True";
}

::testing::AssertionResult is_close(const double* actual, int64_t n, const double* expected, int64_t expected_n,
                                    double tolerance) {
  return compare(actual, n, expected, expected_n, tolerance);
}

::testing::AssertionResult is_close(const float* actual, int64_t n, const double* expected, int64_t expected_n,
                                    double tolerance) {
  return compare(actual, n, expected, expected_n, tolerance);
}

}  // namespace libnf::test
