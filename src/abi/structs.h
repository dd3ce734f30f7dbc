// Public structs that grow at the end (R9 of nf.h): the caller's struct may be older or newer than this library's.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "nf/nf.h"
#include "nf/nf_infer.h"
#include "runtime/core/status.h"

namespace libnf {

constexpr uint32_t kLargestStruct = 4096;

// Size of T in the first version of the ABI that had it; nothing smaller was ever compiled. A struct that grew names its
// first size in a specialization here.
template <class T>
constexpr uint32_t kFirstSize = sizeof(T);
template <>
inline constexpr uint32_t kFirstSize<nf_batch> = offsetof(nf_batch, part);
template <>
inline constexpr uint32_t kFirstSize<nf_fit_info> = offsetof(nf_fit_info, bad_rows);
template <>
inline constexpr uint32_t kFirstSize<nf_step_info> = offsetof(nf_step_info, diverged);
template <>
inline constexpr uint32_t kFirstSize<nf_importance_info> = offsetof(nf_importance_info, pareto_k);

// Whether T had this size in some version; a size in between was never compiled.
template <class T>
constexpr bool had_size(uint32_t size) {
  return size >= kFirstSize<T>;
}
template <>
constexpr bool had_size<nf_importance_info>(uint32_t size) {
  return size == kFirstSize<nf_importance_info> || size >= sizeof(nf_importance_info);
}

// Requires a non-NULL struct whose struct_size a caller can have. Returns that size.
template <class T>
uint32_t struct_size(const T* p, const char* name) {
  static_assert(std::is_trivially_copyable_v<T> && offsetof(T, struct_size) == 0);
  if (!p) fail(Code::argument, "%s is NULL", name);
  uint32_t size = 0;
  std::memcpy(&size, p, sizeof size);
  if (!had_size<T>(size) || size > kLargestStruct)
    fail(Code::argument, "%s.struct_size is %u, expected %zu: use the NF_..._INIT macro", name, size, sizeof(T));
  return size;
}

// Reads a struct: fields that an older caller lacks are 0. What a newer caller has beyond T must be 0.
template <class T>
T read_struct(const T* p, const char* name) {
  const uint32_t size = struct_size(p, name);
  T out{};
  std::memcpy(static_cast<void*>(&out), p, std::min<size_t>(size, sizeof(T)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(p);
  for (size_t i = sizeof(T); i < size; ++i)
    if (bytes[i])
      fail(Code::argument,
           "%s has a field at byte %zu that this library (libnf %d.%d.%d) does not know, and it is not 0: set it to 0, "
           "or install a newer libnf",
           name, i, NF_VERSION_MAJOR, NF_VERSION_MINOR, NF_VERSION_PATCH);
  out.struct_size = sizeof(T);
  return out;
}

// Writes a struct, whose struct_size was checked before: an older caller gets the fields that it has, and what a newer
// caller has beyond T becomes 0.
template <class T>
void write_struct(T* p, const T& value) noexcept {
  uint32_t size = 0;
  std::memcpy(&size, p, sizeof size);
  auto* bytes = reinterpret_cast<unsigned char*>(p);
  std::memcpy(bytes + sizeof size, reinterpret_cast<const unsigned char*>(&value) + sizeof size,
              std::min<size_t>(size, sizeof(T)) - sizeof size);
  if (size > sizeof(T)) std::memset(bytes + sizeof(T), 0, size - sizeof(T));
}

}  // namespace libnf
