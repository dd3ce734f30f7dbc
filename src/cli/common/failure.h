// How the command ends. Errors of the library are nf::Exception; main.cc prints them like a Failure without a hint.
#pragma once
#include <nf/nf.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace cli {

// kUsage: the command line alone is wrong, whatever the files contain (an unknown word, a value out of range, flags
// that contradict each other). kFailed: everything that takes files, data or a model to find out.
enum Exit : int { kOk = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

// Ends the command; prints "nf: message", then the hint on its own line.
struct Failure : std::runtime_error {
  explicit Failure(const std::string& message, std::string hint_text = {}, int exit_code = kFailed)
      : std::runtime_error(message), hint(std::move(hint_text)), code(exit_code) {}
  std::string hint;
  int code;
};

// Calls f. What the library refuses with NF_ERR_SPEC is wrong on the command line, whatever the files contain.
template <class F>
auto as_usage(const F& f) {
  try {
    return f();
  } catch (const nf::Exception& e) {
    if (e.status() == NF_ERR_SPEC) throw Failure(e.what(), {}, kUsage);
    throw;
  }
}

}  // namespace cli
