// See bounds.h. CLI11's own checks spell out the largest double in 309 digits.
#include "src/cli/bounds.h"

#include <charconv>
#include <cmath>
#include <string>

namespace nf::cli {
namespace {
template <class T>
bool reads(const std::string& word, T& value) {
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && stop == word.data() + word.size();
}
}  // namespace

CLI::Validator at_least(int64_t least) {
  return CLI::Validator(
      [least](std::string& word) -> std::string {
        int64_t value = 0;
        if (reads(word, value) && value >= least) return {};
        return word + " is not a whole number from " + std::to_string(least) + " on";
      },
      "");
}

CLI::Validator above_zero() {
  return CLI::Validator(
      [](std::string& word) -> std::string {
        double value = 0;
        if (reads(word, value) && value > 0 && std::isfinite(value)) return {};
        return word + " is not a number above 0";
      },
      "");
}

}  // namespace nf::cli
