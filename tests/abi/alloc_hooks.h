// operator new of the whole process, replaced by one that counts and can fail, for tests of running out of memory.
#pragma once
#include <atomic>
#include <functional>
#include <new>

#include "tests/abi/abi_support.h"

namespace abi_test {

extern std::atomic<int64_t> news, live_news;  // calls so far, and blocks that are not deleted
// Since armed_news was set to 0, call fail_new_at (from 0; negative: none) fails, or all from that one on.
extern std::atomic<int64_t> fail_new_at, armed_news;
extern std::atomic<bool> fail_new_forever;

// Runs `attempt` with allocation k failing, for k = 0, stride, ... until it succeeds: once and from then on, of the allocator
// and of operator new. An attempt frees what it creates.
void out_of_memory(const char* what, CountingAllocator& a, const std::function<nf_status(nf_error*)>& attempt,
                   int64_t stride = 1);

}  // namespace abi_test
