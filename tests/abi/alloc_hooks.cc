// See alloc_hooks.h.
#include "tests/abi/alloc_hooks.h"

namespace abi_test {
std::atomic<int64_t> news{0}, live_news{0}, fail_new_at{-1}, armed_news{0};
std::atomic<bool> fail_new_forever{false};

namespace {

void* counted_new(size_t size, size_t align) {
  ++news;
  const int64_t at = fail_new_at;
  if (at >= 0) {
    const int64_t number = armed_news++;
    if (number == at || (fail_new_forever && number > at)) return nullptr;
  }
  void* p = align > __STDCPP_DEFAULT_NEW_ALIGNMENT__ ? std::aligned_alloc(align, (size + align - 1) / align * align)
                                                     : std::malloc(size ? size : 1);
  if (p) ++live_news;
  return p;
}
void* counted_new_or_throw(size_t size, size_t align) {
  void* p = counted_new(size, align);
  if (!p) throw std::bad_alloc();
  return p;
}
void counted_delete(void* p) {
  if (p) --live_news;
  std::free(p);
}

}  // namespace

void out_of_memory(const char* what, CountingAllocator& a, const std::function<nf_status(nf_error*)>& attempt,
                   int64_t stride) {
  SCOPED_TRACE(what);
  Err e;
  ASSERT_TRUE(ok(attempt(&e), e));  // fills caches that live as long as the process
  struct Mode {
    bool hook, forever;  // later allocations fail too
  };
  for (const auto& [hook, forever] : {Mode{true, false}, Mode{true, true}, Mode{false, false}, Mode{false, true}}) {
    int64_t k = 0;
    a.fail_forever = fail_new_forever = forever;
    for (nf_status status = NF_ERR_NOMEM; status != NF_OK; k += stride) {
      ASSERT_LT(k, 100000) << "never succeeded";
      const int64_t live = a.live, live_new = live_news;
      memset(e.message, 0, sizeof(e.message));
      e.code = 0;
      if (hook) {
        a.fail_at = a.calls + k;
      } else {
        armed_news = 0;
        fail_new_at = k;
      }
      status = attempt(&e);
      a.fail_at = -1;
      fail_new_at = -1;
      const int64_t leaked = a.live - live, leaked_new = live_news - live_new;
      ASSERT_TRUE(status == NF_OK || failed(NF_ERR_NOMEM, status, e))
          << (hook ? "allocator" : "operator new") << " call " << k;
      ASSERT_EQ(leaked, 0) << (hook ? "allocator" : "operator new") << " call " << k;
      ASSERT_EQ(leaked_new, 0) << (hook ? "allocator" : "operator new") << " call " << k;
    }
    EXPECT_TRUE(hook || k > stride) << "nothing was allocated, so nothing was tested";
  }
}

}  // namespace abi_test

// libnf.so resolves its operator new to these.
void* operator new(size_t n) { return abi_test::counted_new_or_throw(n, 1); }
void* operator new[](size_t n) { return abi_test::counted_new_or_throw(n, 1); }
void* operator new(size_t n, std::align_val_t a) { return abi_test::counted_new_or_throw(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, std::align_val_t a) { return abi_test::counted_new_or_throw(n, static_cast<size_t>(a)); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return abi_test::counted_new(n, 1); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return abi_test::counted_new(n, 1); }
void* operator new(size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return abi_test::counted_new(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return abi_test::counted_new(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p) noexcept { abi_test::counted_delete(p); }
void operator delete(void* p, size_t) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p, size_t) noexcept { abi_test::counted_delete(p); }
void operator delete(void* p, std::align_val_t) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p, std::align_val_t) noexcept { abi_test::counted_delete(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { abi_test::counted_delete(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { abi_test::counted_delete(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { abi_test::counted_delete(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { abi_test::counted_delete(p); }
