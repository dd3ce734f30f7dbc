// Owns handles of the C ABI and turns its statuses into exceptions; every file here calls libnf through this.
//   Model m = make<Model>(nf_model_load, runtime, path, nullptr);   call(nf_model_save, m.get(), path);
#pragma once
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "nf/nf.h"

namespace nf::cli {

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

// An error of the library, with its status.
struct LibraryFailure : Failure {
  LibraryFailure(nf_status s, const nf_error& e)
      : Failure(e.message[0] ? std::string(e.message) : std::string(nf_status_name(s))), status(s) {}
  nf_status status;
};

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* p) const {
    kFree(p);
  }
};

using Options = std::unique_ptr<nf_options, Freed<nf_options_free>>;
using Runtime = std::unique_ptr<nf_runtime, Freed<nf_runtime_free>>;
using Model = std::unique_ptr<nf_model, Freed<nf_model_free>>;
using Session = std::unique_ptr<nf_session, Freed<nf_session_free>>;
using Trainer = std::unique_ptr<nf_trainer, Freed<nf_trainer_free>>;
using Target = std::unique_ptr<nf_target, Freed<nf_target_free>>;
using Table = std::unique_ptr<nf_table, Freed<nf_table_free>>;
using Batches = std::unique_ptr<nf_batches, Freed<nf_batches_free>>;

template <class Function, class... Args>
void call(Function function, Args... args) {
  nf_error err = NF_ERROR_INIT;
  if (const nf_status status = function(args..., &err); status != NF_OK) throw LibraryFailure(status, err);
}

template <class Handle, class Function, class... Args>
Handle make(Function function, Args... args) {
  typename Handle::pointer p = nullptr;
  call(function, args..., &p);
  return Handle(p);
}

inline nf_model_info info_of(const nf_model* model) {
  nf_model_info info = NF_MODEL_INFO_INIT;
  call(nf_model_get_info, model, &info);
  return info;
}

}  // namespace nf::cli
