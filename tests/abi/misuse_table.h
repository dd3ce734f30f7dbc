// One row per function of the ABI that returns a status: its arguments by name and kind, with values that make it succeed.
// The tests derive every misuse from the row (misuse_test.cc), so a new function needs a new row and nothing else.
#pragma once
#include <bit>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/abi/abi_support.h"

namespace abi_test {

enum class Kind {
  number,
  plain,        // a pointer that is only tested with NULL: handle, string, bytes, callback
  out_handle,   // T**: written on success only
  in_view,      // const nf_view* read by the call
  out_view,     // const nf_out* whose data the call writes; laid out as nf_view
  filled_view,  // nf_view* that the call fills in
  in_struct,    // begins with struct_size; read by the call
  out_struct,   // begins with struct_size; written by the call
};

inline constexpr nf_status kNullable = NF_OK;
inline constexpr nf_status kUnspecified = -1;

struct Slot {
  const char* name;
  Kind kind;
  uint64_t bits;                        // the valid value
  nf_status on_null = NF_ERR_ARGUMENT;  // for pointers: the status when NULL is passed
  size_t bytes = 0;                     // for structs: the size
  void (*release)(void*) = nullptr;     // for out_handle: frees the result
  bool any_shape = false;               // for views: any shape is valid
  size_t first = 0;                     // for structs that have grown: the first size
};

struct Row {
  std::string function;
  std::vector<Slot> slots;
  std::function<nf_status(const std::vector<uint64_t>&, nf_error*)> call;

  std::vector<uint64_t> good() const {
    std::vector<uint64_t> out;
    for (const Slot& s : slots) out.push_back(s.bits);
    return out;
  }
};

template <class P>
P value_of(uint64_t bits) {
  if constexpr (std::is_pointer_v<P>)
    return reinterpret_cast<P>(bits);
  else if constexpr (std::is_same_v<P, double>)
    return std::bit_cast<double>(bits);
  else
    return static_cast<P>(bits);
}

template <class... P, size_t... I>
nf_status apply(nf_status (*f)(P...), const std::vector<uint64_t>& b, nf_error* e, std::index_sequence<I...>) {
  using Types = std::tuple<P...>;
  return f(value_of<std::tuple_element_t<I, Types>>(b[I])..., e);
}

template <class... P>
Row row(const char* name, nf_status (*f)(P...), std::vector<Slot> slots) {
  EXPECT_EQ(slots.size(), sizeof...(P) - 1) << name;
  return {name, std::move(slots), [f](const std::vector<uint64_t>& b, nf_error* e) {
            return apply(f, b, e, std::make_index_sequence<sizeof...(P) - 1>{});
          }};
}

template <class P>
uint64_t bits_of(P* p) {
  return reinterpret_cast<uint64_t>(p);
}

inline Slot number(const char* name, uint64_t v) { return {name, Kind::number, v}; }
inline Slot real(const char* name, double v) { return {name, Kind::number, std::bit_cast<uint64_t>(v)}; }
template <class P>
Slot plain(const char* name, P* p, nf_status on_null = NF_ERR_ARGUMENT) {
  return {name, Kind::plain, bits_of(p), on_null};
}
template <class T>
Slot out(const char* name, T** p, void (*release)(void*)) {
  return {name, Kind::out_handle, bits_of(p), NF_ERR_ARGUMENT, 0, release};
}
inline Slot view(const char* name, Kind kind, Tensor& t, nf_status on_null = NF_ERR_ARGUMENT, bool any_shape = false) {
  return {name, kind, bits_of(static_cast<nf_view*>(&t.view())), on_null, sizeof(nf_view), nullptr, any_shape};
}
template <class T>
inline constexpr size_t kFirstBytes = 0;
template <>
inline constexpr size_t kFirstBytes<nf_batch> = offsetof(nf_batch, part);
template <>
inline constexpr size_t kFirstBytes<nf_fit_info> = offsetof(nf_fit_info, bad_rows);
template <>
inline constexpr size_t kFirstBytes<nf_step_info> = offsetof(nf_step_info, diverged);
template <class T>
Slot record(const char* name, Kind kind, T* p, nf_status on_null = NF_ERR_ARGUMENT) {
  return {name, kind, bits_of(p), on_null, sizeof(T), nullptr, false, kFirstBytes<T>};
}
template <auto F, class T>
void release(void* p) {
  F(static_cast<T*>(p));
}

// All handles and buffers that the rows use. The model has a context, so ctx is required.
struct World {
  TempDir dir;
  Runtime rt;
  Options o = options(), none = options();
  Model m, trained;
  Session s;
  Model autoencoder;
  Session latents;
  Trainer t;
  Table table;
  Batches b;
  Tensor x{{4, 2}, 0.5f}, ctx{{4, 1}, 0.25f}, weight{{4}, 1.0f}, z{{4, 2}}, rows{{4}}, bias{{1}}, batch_x{{4, 2}},
      states{{1}}, dets{{1}}, z_states{{2, 4, 2}}, z_dets{{1, 4}};
  std::vector<unsigned char> file;
  std::string model_path = dir / "m.safetensors", checkpoint = dir / "c.safetensors", csv = dir / "t.csv", tensor_name;
  nf_allocator allocator{};
  nf_executor executor{};
  nf_collective collective{};
  Model fitted;
  Trainer fitter;
  Target target;
  Tensor chains{{3, 2, 2}}, starts{{2, 2}, 0.25f}, means{{2}}, errors{{2}}, one_context{{1, 1}, 0.25f},
      single{{1, 2}, 0.25f}, log_weights{{4}, -1.0f}, values{{4, 2}, 0.5f}, gradient{{4, 2}}, gradient_ctx{{4, 1}};
  Model hosted;  // with a loss of the host
  Trainer host;
  Model whole_run;
  Options short_run = options({{"fit.steps", "2"}});
  std::vector<unsigned char> saved;  // the checkpoint
  nf_cotangents cotangents = NF_COTANGENTS_INIT;
  nf_fit_info fit_info = NF_FIT_INFO_INIT;
  nf_target_info target_info = NF_TARGET_INFO_INIT;
  nf_importance_info importance = NF_IMPORTANCE_INFO_INIT;
  nf_score_info score_info = NF_SCORE_INFO_INIT;
  nf_coverage_info coverage = NF_COVERAGE_INFO_INIT;
  nf_metropolis_info metropolis = NF_METROPOLIS_INFO_INIT;
  nf_source source{};
  double score = 0;
  nf_model_info info = NF_MODEL_INFO_INIT;
  nf_tensor_info tensor = NF_TENSOR_INFO_INIT;
  nf_step_info step = NF_STEP_INFO_INIT;
  nf_view filled = NF_VIEW_INIT;
  nf_batch batch = NF_BATCH_INIT, given = NF_BATCH_INIT;
  nf_layer_info layer = NF_LAYER_INFO_INIT;
  nf_sampling sampling = NF_SAMPLING_INIT;
  const char* column_names[2] = {"a", "b"};
  double one_row[2] = {0.5, 0.25};
  void* made = nullptr;  // where out_handle points

  explicit World(Runtime runtime);
  std::vector<Row> table_of_rows();
};

}  // namespace abi_test
