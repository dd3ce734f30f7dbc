// Definitions of the opaque handles. Children keep their parents alive through shared pointers, so that handles can be
// freed in any order.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nf/nf.h"
#include "nf/nf_data.h"
#include "runtime/core/executor.h"
#include "runtime/core/mutex.h"
#include "src/abi/mapped_rows.h"
#include "src/io/json.h"
#include "src/io/table.h"
#include "src/model/model_file.h"
#include "src/model/session.h"
#include "src/train/batches.h"
#include "src/train/trainer.h"

namespace libnf {

// The host's allocator with a limit on the bytes in use.
class RuntimeState {
 public:
  RuntimeState(const Allocator& base, size_t limit) : base_(base), limit_(limit) {}
  Allocator allocator();  // valid for the lifetime of this object
  std::unique_ptr<Executor> executor;
  nf_log_fn log = nullptr;
  void* log_user = nullptr;
  // Writes to the host's log, if there is one.
  [[gnu::format(printf, 3, 4)]] void note(int32_t level, const char* format, ...);
  // Registers a mapped file, whose rows the host may hold views of.
  void add_mapping(std::shared_ptr<const FileBytes> file);
  std::shared_ptr<const FileBytes> mapping_of(const void* data);  // the mapped file that holds `data`, or null

 private:
  Allocator base_;
  size_t limit_;
  std::atomic<size_t> used_{0};
  Mutex mutex_;
  std::vector<std::weak_ptr<const FileBytes>> mappings_ NF_GUARDED_BY(mutex_);
};

struct ModelState {
  std::shared_ptr<RuntimeState> runtime;
  std::unique_ptr<Density> model;
  Notes notes;
  int64_t self_test_rows = 0;  // that files of the model hold
  std::atomic<bool> has_trainer{false};
  std::atomic<uint64_t> generation{0};  // counts changes of the parameters

  void changed() { generation.fetch_add(1, std::memory_order_relaxed); }
};

// Writes a warning to the host's log for a column that the model cannot resolve (src/model/spacing.h). x and context may
// have no data.
void note_coarse_columns(ModelState& model, const View& x, const View& context);

// The runtime of a handle of the caller, or for NULL a new one with default options.
std::shared_ptr<RuntimeState> runtime_of(const nf_runtime* rt);

}  // namespace libnf

struct nf_options {
  std::map<std::string, libnf::Json, std::less<>> values;  // of the key's type
};
struct nf_runtime {
  std::shared_ptr<libnf::RuntimeState> state;
};
struct nf_model {
  std::shared_ptr<libnf::ModelState> state;
};
struct nf_session {
  std::shared_ptr<libnf::ModelState> model;
  std::unique_ptr<libnf::Session> session;
};
struct nf_trainer {
  std::shared_ptr<libnf::ModelState> model;
  std::unique_ptr<libnf::Trainer> trainer;
  uint64_t generation = 0;                // of the model after this trainer's last write
  bool looked_at_rows = false;            // note_coarse_columns was called
  mutable std::atomic<bool> busy{false};  // a call is running
  ~nf_trainer();
};
struct nf_table {
  std::shared_ptr<libnf::RuntimeState> runtime;
  libnf::Table table;
};
struct nf_batches {
  std::shared_ptr<libnf::RuntimeState> runtime;
  std::unique_ptr<libnf::Batches> batches;
  nf_view x, ctx, weight, scores;  // the last batch
  int64_t held = 0;                // its rows; 0 before the first
  libnf::MappedRows mapped;
};
