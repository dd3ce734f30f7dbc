// Golden vectors: float64 tensors and string metadata from tests/golden/NAME.safetensors, and comparisons with them.
// The directory comes from the compile definition NF_GOLDEN_DIR. A bad file throws std::runtime_error naming the file,
// which fails the test that loads it.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace libnf::test {

struct GoldenTensor {
  std::vector<int64_t> shape;
  std::vector<double> data;  // row-major

  int64_t count() const { return static_cast<int64_t>(data.size()); }
  int64_t rows() const { return shape.at(0); }
  int64_t cols() const { return count() / rows(); }  // all inner extents flattened
  std::vector<double> row(int64_t i) const;          // elements of row i
  double item() const;                               // requires exactly one element
  template <class T>
  std::vector<T> as() const {  // for float32 tests, integer labels, permutations
    return std::vector<T>(data.begin(), data.end());
  }
};

class Golden {
 public:
  static Golden load(const std::string& name);  // such as "12_opt_adam", without directory or extension
  static std::vector<std::string> names(const std::string& prefix);  // sorted; empty if no name begins with prefix

  const std::string& name() const { return name_; }
  bool has(const std::string& tensor) const { return tensors_.count(tensor) != 0; }
  const GoldenTensor& operator[](const std::string& tensor) const;  // throws if absent and lists the tensors
  const std::map<std::string, GoldenTensor>& tensors() const { return tensors_; }

  bool has_meta(const std::string& key) const { return meta_.count(key) != 0; }
  const std::string& meta(const std::string& key) const;
  double number(const std::string& key) const;                   // "1e-05"
  double number(const std::string& key, double fallback) const;  // fallback if the key is absent
  std::vector<double> numbers(const std::string& key) const;     // "(0.9, 0.999)", "[0, 1, 0]"
  bool flag(const std::string& key) const;                       // "True"; a missing key is false
  const std::map<std::string, std::string>& metadata() const { return meta_; }

 private:
  std::string name_;
  std::map<std::string, GoldenTensor> tensors_;
  std::map<std::string, std::string> meta_;
};

inline constexpr double kGoldenF64 = 1e-9;
inline constexpr double kGoldenF32 = 1e-5;
inline constexpr double kGoldenGradF32 = 1e-4;
template <class T>
inline constexpr double golden_tolerance = sizeof(T) == 8 ? kGoldenF64 : kGoldenF32;
template <class T>
inline constexpr double golden_grad_tolerance = sizeof(T) == 8 ? kGoldenF64 : kGoldenGradF32;

// Requires |actual - expected| <= tolerance * max(1, |expected|) for every element; the message names the worst one. A
// NaN on either side, different sizes and an empty comparison are failures.
// Use: EXPECT_TRUE(is_close(z, golden["z"], kGoldenF64)) << "layer 3";
::testing::AssertionResult is_close(const double* actual, int64_t n, const double* expected, int64_t expected_n,
                                    double tolerance);
::testing::AssertionResult is_close(const float* actual, int64_t n, const double* expected, int64_t expected_n,
                                    double tolerance);

template <class T>
::testing::AssertionResult is_close(const std::vector<T>& actual, const std::vector<double>& expected,
                                    double tolerance) {
  return is_close(actual.data(), static_cast<int64_t>(actual.size()), expected.data(),
                  static_cast<int64_t>(expected.size()), tolerance);
}
template <class T>
::testing::AssertionResult is_close(const std::vector<T>& actual, const GoldenTensor& expected, double tolerance) {
  return is_close(actual, expected.data, tolerance);
}

// The same as a non-fatal expectation.
template <class T, class Expected>
void expect_close(const std::vector<T>& actual, const Expected& expected, double tolerance,
                  const std::string& what = "") {
  EXPECT_TRUE(is_close(actual, expected, tolerance)) << what;
}
template <class T>
void expect_close(const T* actual, const GoldenTensor& expected, double tolerance, const std::string& what = "") {
  EXPECT_TRUE(is_close(actual, expected.count(), expected.data.data(), expected.count(), tolerance)) << what;
}

}  // namespace libnf::test
