// See bounds.h. Replaces CLI11's own checks, which print the largest double with 309 digits.
#include "src/cli/common/bounds.h"

#include <charconv>
#include <cmath>
#include <string>

namespace cli {
namespace {
template <class T>
bool parse(const std::string& word, T& value) {
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && stop == word.data() + word.size();
}
}  // namespace

CLI::Validator at_least(int64_t least) {
  return CLI::Validator(
      [least](std::string& word) -> std::string {
        int64_t value = 0;
        if (parse(word, value) && value >= least) return {};
        return word + " is not an integer of at least " + std::to_string(least);
      },
      "");
}

CLI::Validator above_zero() {
  return CLI::Validator(
      [](std::string& word) -> std::string {
        double value = 0;
        if (parse(word, value) && value > 0 && std::isfinite(value)) return {};
        return word + " is not a number above 0";
      },
      "");
}

}  // namespace cli
