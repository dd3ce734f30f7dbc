// What the opaque handles hold. Children keep their parents alive through shared pointers, so that handles may be freed
// in any order.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nf/nf.h"
#include "runtime/core/executor.h"
#include "src/io/json.h"
#include "src/io/table.h"
#include "src/model/model_file.h"
#include "src/model/session.h"
#include "src/train/batches.h"
#include "src/train/trainer.h"

namespace nf {

// The host's allocator behind a limit on the bytes in use.
class RuntimeState {
 public:
  RuntimeState(const Allocator& base, size_t limit) : base_(base), limit_(limit) {}
  Allocator allocator();  // valid as long as this object
  std::unique_ptr<Executor> executor;
  nf_log_fn log = nullptr;
  void* log_user = nullptr;
  // To the host's log, if there is one.
  [[gnu::format(printf, 3, 4)]] void note(int32_t level, const char* format, ...);
  // Mapped files whose rows hosts may hold views of.
  void add_mapping(std::shared_ptr<const FileBytes> file);
  std::shared_ptr<const FileBytes> mapping_of(const void* data);  // null: none of them

 private:
  Allocator base_;
  size_t limit_;
  std::atomic<size_t> used_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<const FileBytes>> mappings_;
};

struct ModelState {
  std::shared_ptr<RuntimeState> runtime;
  std::unique_ptr<FlowModel> model;
  Notes notes;
  std::atomic<bool> has_trainer{false};
  std::atomic<uint64_t> version{0};  // counts writes from outside of the trainer
};

}  // namespace nf

struct nf_options {
  std::map<std::string, nf::Json, std::less<>> values;  // of the key's type
};
struct nf_runtime {
  std::shared_ptr<nf::RuntimeState> state;
};
struct nf_model {
  std::shared_ptr<nf::ModelState> state;
};
struct nf_session {
  std::shared_ptr<nf::ModelState> model;
  std::unique_ptr<nf::Session> session;
};
struct nf_trainer {
  std::shared_ptr<nf::ModelState> model;
  std::unique_ptr<nf::Trainer> trainer;
  uint64_t version = 0;
  ~nf_trainer();
};
struct nf_table {
  std::shared_ptr<nf::RuntimeState> runtime;
  nf::Table table;
};
struct nf_batches {
  std::shared_ptr<nf::RuntimeState> runtime;
  std::unique_ptr<nf::Batches> batches;
  std::vector<std::shared_ptr<const nf::FileBytes>> files;  // mapped, that the rows are in
  size_t row_pages = 0;                                     // bytes of pages that one row may bring in
  size_t resident = 0;                                      // at most, since they were last let go
};
