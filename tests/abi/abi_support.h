// Shared by the tests of the C ABI: handles that free themselves, tensors behind nf_view, a counting and failing
// allocator, toy data. Sees only nf.h, as every user does.
#pragma once
#include <gtest/gtest.h>
#include <nf/nf.h>
#include <nf/nf_data.h>
#include <nf/nf_infer.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace abi_test {

inline constexpr char kSpec[] =
    R"({"event": [2], "layers": [{"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]}]})";
inline constexpr char kContextSpec[] =
    R"({"event": [2], "context": [1], "layers": [{"type": "affine_coupling", "hidden": [8]}, {"type": "reverse"}]})";

struct Err : nf_error {
  Err() : nf_error(NF_ERROR_INIT) {}
};

// EXPECT_TRUE(ok(nf_f(..., &e), e)) shows the message of a failure.
inline testing::AssertionResult ok(nf_status status, const nf_error& e) {
  if (status == NF_OK) return testing::AssertionSuccess();
  return testing::AssertionFailure() << nf_status_name(status) << ": " << e.message;
}

// Checks that the status is as expected, that err has the same status, and that the message contains `needle` (case
// matters).
inline testing::AssertionResult failed(nf_status expected, nf_status status, const nf_error& e,
                                       const std::string& needle = "") {
  if (status != expected) {
    return testing::AssertionFailure() << "status " << nf_status_name(status) << ", not " << nf_status_name(expected)
                                       << ": " << e.message;
  }
  if (e.code != status) return testing::AssertionFailure() << "err.code is " << e.code << ", not " << status;
  if (!e.message[0]) return testing::AssertionFailure() << "empty message";
  if (!memchr(e.message, 0, sizeof(e.message))) return testing::AssertionFailure() << "message without NUL";
  if (std::string(e.message).find(needle) == std::string::npos)
    return testing::AssertionFailure() << "message without '" << needle << "': " << e.message;
  return testing::AssertionSuccess();
}

template <auto F>
struct Free {
  template <class T>
  void operator()(T* p) const {
    F(p);
  }
};
using Options = std::unique_ptr<nf_options, Free<nf_options_free>>;
using Runtime = std::unique_ptr<nf_runtime, Free<nf_runtime_free>>;
using Model = std::unique_ptr<nf_model, Free<nf_model_free>>;
using Session = std::unique_ptr<nf_session, Free<nf_session_free>>;
using Trainer = std::unique_ptr<nf_trainer, Free<nf_trainer_free>>;
using Target = std::unique_ptr<nf_target, Free<nf_target_free>>;
using Table = std::unique_ptr<nf_table, Free<nf_table_free>>;
using Batches = std::unique_ptr<nf_batches, Free<nf_batches_free>>;

inline Options options(std::initializer_list<std::pair<const char*, const char*>> list = {}) {
  nf_options* o = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_options_create(&o, &e), e));
  for (const auto& [key, value] : list) EXPECT_TRUE(ok(nf_options_set(o, key, value, &e), e)) << key;
  return Options(o);
}
inline Runtime runtime(const nf_allocator* a = nullptr, const nf_options* o = nullptr) {
  nf_runtime* rt = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_runtime_create(o, a, nullptr, nullptr, nullptr, &rt, &e), e));
  return Runtime(rt);
}
inline Model model(nf_runtime* rt, const std::string& spec = kSpec, uint64_t seed = 1) {
  nf_model* m = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_model_create(rt, spec.data(), spec.size(), seed, &m, &e), e)) << spec;
  return Model(m);
}
inline Session session(nf_model* m, const nf_options* o = nullptr) {
  nf_session* s = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_session_create(m, o, &s, &e), e));
  return Session(s);
}
inline Trainer trainer(nf_model* m, const nf_options* o = nullptr) {
  nf_trainer* t = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_trainer_create(m, o, nullptr, &t, &e), e));
  return Trainer(t);
}
inline Target target(nf_runtime* rt, const std::string& spec = "banana", int64_t columns = 2) {
  nf_target* t = nullptr;
  Err e;
  EXPECT_TRUE(ok(nf_target_create(rt, spec.data(), spec.size(), columns, &t, &e), e)) << spec;
  return Target(t);
}
inline nf_model_info info(const nf_model* m) {
  nf_model_info i = NF_MODEL_INFO_INIT;
  Err e;
  EXPECT_TRUE(ok(nf_model_get_info(m, &i, &e), e));
  return i;
}

// Row-major numbers and a view that borrows them.
class Tensor {
 public:
  Tensor(std::vector<int64_t> shape, float fill = 0) : shape_(std::move(shape)) {
    size_t n = 1;
    for (int64_t d : shape_) n *= static_cast<size_t>(d);
    v.assign(n, fill);
  }
  Tensor(std::vector<int64_t> shape, std::vector<float> values) : v(std::move(values)), shape_(std::move(shape)) {}
  // Borrows the numbers; converts to what a call takes.
  class Borrowed : public nf_view {
   public:
    Borrowed(const nf_view& v) : nf_view(v) {}
    operator const nf_view*() const { return this; }
    operator const nf_out*() {
      memcpy(&out_, static_cast<const nf_view*>(this), sizeof out_);
      return &out_;
    }
    nf_view* operator->() { return this; }

   private:
    nf_out out_;
  };
  Borrowed& borrowed() { return view_; }  // as the last view() left it
  Borrowed& view() {
    static_cast<nf_view&>(view_) = nf_array(NF_F32, v.data(), static_cast<int32_t>(shape_.size()), shape_.data());
    return view_;
  }
  std::vector<float> v;

 private:
  std::vector<int64_t> shape_;
  Borrowed view_{nf_view NF_VIEW_INIT};
};

// The batch of these streams, as a call takes it.
class Batch {
 public:
  Batch(const nf_view* x, const nf_view* ctx = nullptr, const nf_view* weight = nullptr,
        const nf_view* scores = nullptr) {
    b_.x = x, b_.ctx = ctx, b_.weight = weight, b_.scores = scores;
  }
  operator const nf_batch*() const { return &b_; }

 private:
  nf_batch b_ = NF_BATCH_INIT;
};

// Samples first .. of stream `seed`, as nf_sample takes it.
class Sampling {
 public:
  Sampling(uint64_t seed, uint64_t first, int64_t repeat = 0, double temperature = 0) {
    s_.seed = seed, s_.first_index = first, s_.repeat = repeat, s_.temperature = temperature;
  }
  operator const nf_sampling*() const { return &s_; }

 private:
  nf_sampling s_ = NF_SAMPLING_INIT;
};

// Compares bits, NaN included.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Returns rows (x, x^2 / 2 + noise) from a small generator: the same numbers on every machine.
inline Tensor banana(int64_t rows, uint64_t seed = 1) {
  Tensor t({rows, 2});
  auto uniform = [state = seed * 2654435761u + 12345]() mutable {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (static_cast<double>(state >> 11) + 0.5) / 9007199254740992.0;
  };
  for (size_t i = 0; i < t.v.size(); i += 2) {
    const double r = std::sqrt(-2 * std::log(uniform())), a = 6.283185307179586 * uniform(), x = r * std::cos(a);
    t.v[i] = static_cast<float>(x);
    t.v[i + 1] = static_cast<float>(0.5 * x * x + 0.3 * r * std::sin(a));
  }
  return t;
}

// An allocator that counts calls from any thread, checks sizes on free, and refuses allocation number `fail_at`,
// 0-based, or all from that one on.
class CountingAllocator {
 public:
  std::atomic<int64_t> live{0}, peak{0}, calls{0}, fail_at{-1}, mismatches{0};
  std::atomic<bool> fail_forever{false};

  nf_allocator hook() {
    nf_allocator a{};
    a.struct_size = sizeof(a);
    a.user = this;
    a.alloc = [](void* user, size_t size, size_t align) {
      return static_cast<CountingAllocator*>(user)->take(size, align);
    };
    a.free = [](void* user, void* p, size_t size, size_t align) {
      static_cast<CountingAllocator*>(user)->drop(p, size, align);
    };
    return a;
  }

 private:
  static constexpr size_t kHead = 64;
  struct Head {
    size_t size, align;
  };
  void* take(size_t size, size_t align) {
    const int64_t number = calls++, at = fail_at;
    if (number == at || (fail_forever && at >= 0 && number > at)) return nullptr;
    if (align > kHead || (align & (align - 1)) != 0 || size == 0) ++mismatches;
    char* base = static_cast<char*>(std::aligned_alloc(kHead, (size + 2 * kHead - 1) / kHead * kHead));
    if (!base) return nullptr;
    const Head head{size, align};
    memcpy(base, &head, sizeof(head));
    const int64_t now = live += static_cast<int64_t>(size);
    for (int64_t p = peak; now > p && !peak.compare_exchange_weak(p, now);) {
    }
    return base + kHead;
  }
  void drop(void* p, size_t size, size_t align) {
    if (!p) return;
    char* base = static_cast<char*>(p) - kHead;
    Head head;
    memcpy(&head, base, sizeof(head));
    if (head.size != size || head.align != align) ++mismatches;
    live -= static_cast<int64_t>(head.size);
    std::free(base);
  }
};

// A runtime on a counting allocator; everything must be freed when the test ends.
class Counted : public testing::Test {
 protected:
  void SetUp() override {
    const nf_allocator a = allocator.hook();
    rt = runtime(&a);
    ASSERT_TRUE(rt);
  }
  void TearDown() override {
    rt.reset();
    EXPECT_EQ(allocator.live, 0) << "bytes leaked";
    EXPECT_EQ(allocator.mismatches, 0) << "free with another size or alignment than alloc";
  }
  CountingAllocator allocator;
  Runtime rt;
};

// An empty folder that is removed at the end.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nf_abi_XXXXXX").string();
    path_ = mkdtemp(pattern.data()) ? pattern : "";
    EXPECT_FALSE(path_.empty());
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Returns the model's file, written to memory.
inline std::vector<unsigned char> bytes_of(const nf_model* m) {
  std::vector<unsigned char> out;
  Err e;
  const nf_write_fn append = [](void* user, const void* bytes, size_t n) -> int32_t {
    const auto* p = static_cast<const unsigned char*>(bytes);
    auto* to = static_cast<std::vector<unsigned char>*>(user);
    to->insert(to->end(), p, p + n);
    return 0;
  };
  EXPECT_TRUE(ok(nf_model_save_stream(m, append, &out, &e), e));
  return out;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace abi_test
