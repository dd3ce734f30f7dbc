// Implements nf_runtime, versions and status names.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "runtime/kernel/blas.h"
#include "runtime/kernel/gemm.h"
#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/model/spacing.h"

using namespace libnf;

Allocator RuntimeState::allocator() {
  Allocator a;
  a.user = this;
  a.alloc = [](void* user, size_t size, size_t align) -> void* {
    auto& s = *static_cast<RuntimeState*>(user);
    const size_t before = s.used_.fetch_add(size);
    void* p = before > s.limit_ || size > s.limit_ - before ? nullptr : s.base_.alloc(s.base_.user, size, align);
    if (!p) s.used_.fetch_sub(size);
    return p;
  };
  a.free = [](void* user, void* p, size_t size, size_t align) {
    auto& s = *static_cast<RuntimeState*>(user);
    s.base_.free(s.base_.user, p, size, align);
    s.used_.fetch_sub(size);
  };
  return a;
}

void RuntimeState::note(int32_t level, const char* format, ...) {
  if (!log) return;
  char text[512];
  va_list args;
  va_start(args, format);
  std::vsnprintf(text, sizeof text, format, args);
  va_end(args);
  log(log_user, level, text);
}

void libnf::note_coarse_columns(ModelState& model, const View& x, const View& context) {
  RuntimeState& rt = *model.runtime;
  if (!rt.log) return;
  for (const auto& [rows, name] : {std::pair{&x, "x"}, std::pair{&context, "ctx"}}) {
    if (!rows->data) continue;
    const std::string found = coarse_column(*model.model, *rows, rows == &context, name);
    if (!found.empty()) rt.note(1, "%s", found.c_str());
  }
}

void RuntimeState::add_mapping(std::shared_ptr<const FileBytes> file) {
  const MutexLock lock(mutex_);
  std::erase_if(mappings_, [](const auto& m) { return m.expired(); });
  mappings_.push_back(std::move(file));
}

std::shared_ptr<const FileBytes> RuntimeState::mapping_of(const void* data) {
  const MutexLock lock(mutex_);
  for (const auto& weak : mappings_)
    if (auto file = weak.lock()) {
      const auto begin = reinterpret_cast<uintptr_t>(file->bytes().data()), at = reinterpret_cast<uintptr_t>(data);
      if (at - begin < file->bytes().size()) return file;
    }
  return nullptr;
}

namespace {

// Headers of the oldest version whose ABI this library serves. Before 1.0 a minor version may end what is not stable.
constexpr uint32_t kOldestHeader = 200;

// Patches never change the ABI, so only major and minor count.
void check_version(uint32_t header) {
  const auto text = [](uint32_t v) {
    return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
  };
  const std::string theirs = text(header), ours = text(NF_VERSION);
  if (header / 100 > NF_VERSION / 100)
    fail(Code::version, "the program was compiled against libnf %s, but %s is loaded: install %s or later",
         theirs.c_str(), ours.c_str(), theirs.c_str());
  if (header / 100 < kOldestHeader / 100)
    fail(Code::version,
         "the program was compiled against libnf %s, but %s is loaded, which serves programs compiled against %s or "
         "later: compile it again",
         theirs.c_str(), ours.c_str(), text(kOldestHeader).c_str());
}

std::shared_ptr<RuntimeState> make_runtime(const RuntimeOptions& o, const Allocator& allocator,
                                           const HostExecutor* host, nf_log_fn log, void* log_user) {
  if (!kernel::gemm_self_test())
    fail(Code::internal, "self-test failed: the matrix product is wrong on SIMD target %s", kernel::simd_target());
  auto state = std::make_shared<RuntimeState>(allocator, o.max_bytes);
  state->executor = host ? std::make_unique<Executor>(*host) : std::make_unique<Executor>(o.threads);
  state->log = log;
  state->log_user = log_user;
  const uint32_t threads = host ? host->concurrency : o.threads;
  state->note(0, "libnf %s, %u thread%s%s", nf_version_string(), threads, threads == 1 ? "" : "s",
              host ? " of the host" : "");
  return state;
}

}  // namespace

std::shared_ptr<RuntimeState> libnf::runtime_of(const nf_runtime* rt) {
  return rt ? rt->state : make_runtime(runtime_options(nullptr), system_allocator(), nullptr, nullptr, nullptr);
}

extern "C" {

uint32_t nf_version(void) NF_NOEXCEPT { return NF_VERSION; }

const char* nf_version_string(void) NF_NOEXCEPT {
  struct Text {
    char s[160];
    Text() {
      std::snprintf(s, sizeof s, "%d.%d.%d (simd %s, products %s)", NF_VERSION_MAJOR, NF_VERSION_MINOR,
                    NF_VERSION_PATCH, kernel::simd_target(), kernel::product_engine().c_str());
    }
  };
  static const Text text;
  return text.s;
}

const char* nf_status_name(nf_status s) NF_NOEXCEPT {
  switch (s) {
#define NF_NAME(x) \
  case x:          \
    return #x
    NF_NAME(NF_OK);
    NF_NAME(NF_ERR_ARGUMENT);
    NF_NAME(NF_ERR_STATE);
    NF_NAME(NF_ERR_SHAPE);
    NF_NAME(NF_ERR_SPEC);
    NF_NAME(NF_ERR_NOMEM);
    NF_NAME(NF_ERR_IO);
    NF_NAME(NF_ERR_FORMAT);
    NF_NAME(NF_ERR_CHECKSUM);
    NF_NAME(NF_ERR_VERSION);
    NF_NAME(NF_ERR_NUMERIC);
    NF_NAME(NF_ERR_NOT_INVERTED);
    NF_NAME(NF_ERR_CANCELLED);
    NF_NAME(NF_ERR_CALLBACK);
    NF_NAME(NF_ERR_UNSUPPORTED);
    NF_NAME(NF_ERR_INTERNAL);
#undef NF_NAME
    default:
      return "NF_ERR_UNKNOWN";
  }
}

nf_status nf_runtime_create_v(uint32_t header_version, const nf_options* options, const nf_allocator* allocator,
                              const nf_executor* executor, nf_log_fn log, void* log_user, nf_runtime** out,
                              nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(out, "out");
    check_version(header_version);
    check_scopes(options, {"runtime"}, "nf_runtime_create");
    Allocator base = system_allocator();
    if (allocator) {
      const nf_allocator a = read_struct(allocator, "allocator");
      if (!a.alloc || !a.free) fail(Code::argument, "allocator.alloc or allocator.free is NULL");
      base.user = a.user;
      base.alloc = a.alloc;
      base.free = a.free;
    }
    HostExecutor host;
    if (executor) {
      const nf_executor e = read_struct(executor, "executor");
      if (!e.parallel_for) fail(Code::argument, "executor.parallel_for is NULL");
      if (e.concurrency < 1 || e.concurrency > 1024)
        fail(Code::argument, "executor.concurrency is %u, expected 1 to 1024", e.concurrency);
      host.concurrency = e.concurrency;
      host.user = e.user;
      host.parallel_for = e.parallel_for;
    }
    *out = new nf_runtime{make_runtime(runtime_options(options), base, executor ? &host : nullptr, log, log_user)};
  });
}

void nf_runtime_free(nf_runtime* rt) NF_NOEXCEPT { delete rt; }

}  // extern "C"
