// Every function of the ABI called wrongly in every way its row allows (misuse_table.cc): NULL for each pointer in turn,
// wrong struct_size, broken views, odd nf_error. Each must answer with a defined status and a message that names the
// argument, leave all outputs alone, leak nothing, and leave the handles usable.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/abi/misuse_table.h"

namespace abi_test {
namespace {

constexpr float kSentinel = 123.5f;

class Misuse : public Counted {
 protected:
  void SetUp() override {
    Counted::SetUp();
    const nf_allocator a = allocator.hook();
    world = std::make_unique<World>(runtime(&a));
    rows = world->table_of_rows();
  }
  void TearDown() override {
    world.reset();
    Counted::TearDown();
  }

  // Calls the row with one argument replaced. It must fail with one of the `allowed` statuses and name the slot.
  void expect_failure(const Row& row, size_t slot, uint64_t bits, std::vector<nf_status> allowed,
                      const std::string& what, bool named = true) {
    SCOPED_TRACE(row.function + "(" + row.slots[slot].name + ": " + what + ")");
    std::vector<uint64_t> args = row.good();
    args[slot] = bits;
    fill_outputs(row);
    const std::vector<std::string> before = outputs(row);
    const int64_t live = allocator.live;
    Err e;
    const nf_status status = row.call(args, &e);
    EXPECT_TRUE(std::count(allowed.begin(), allowed.end(), status)) << nf_status_name(status) << ": " << e.message;
    EXPECT_TRUE(failed(status, status, e, named ? row.slots[slot].name : ""));
    EXPECT_EQ(outputs(row), before) << "an output changed";
    EXPECT_EQ(allocator.live, live) << "leaked";
    EXPECT_EQ(row.call(args, nullptr), status) << "another status without nf_error";
    if (status == NF_OK) release(row);
  }

  void fill_outputs(const Row& row) {
    for (const Slot& s : row.slots) {
      if (s.kind == Kind::out_view) {
        const auto* v = value_of<nf_view*>(s.bits);
        std::fill_n(static_cast<float*>(const_cast<void*>(v->data)), count(*v), kSentinel);
      }
      if (s.kind == Kind::out_handle) world->made = &world->made;
    }
  }
  // Returns the bytes that a failing call must not change.
  std::vector<std::string> outputs(const Row& row) const {
    std::vector<std::string> all;
    for (const Slot& s : row.slots) {
      if (s.kind == Kind::out_view) {
        const auto* v = value_of<nf_view*>(s.bits);
        all.emplace_back(static_cast<const char*>(v->data), count(*v) * sizeof(float));
      }
      if (s.kind == Kind::out_handle) all.emplace_back(value_of<const char*>(s.bits), sizeof(void*));
      if (s.bytes) all.emplace_back(value_of<const char*>(s.bits), s.bytes);
    }
    return all;
  }
  void release(const Row& row) {
    for (const Slot& s : row.slots)
      if (s.kind == Kind::out_handle) s.release(*value_of<void**>(s.bits));
  }
  void expect_success(const Row& row, const std::vector<uint64_t>& args) {
    SCOPED_TRACE(row.function);
    Err e;
    const nf_status status = row.call(args, &e);
    EXPECT_TRUE(ok(status, e));
    if (status == NF_OK) release(row);
  }
  static size_t count(const nf_view& v) {
    size_t n = 1;
    for (int i = 0; i < v.ndim; ++i) n *= static_cast<size_t>(v.shape[i]);
    return n;
  }

  std::unique_ptr<World> world;
  std::vector<Row> rows;
};

TEST_F(Misuse, TheTableIsCompleteAndItsCallsSucceed) {
  std::ifstream in(NF_SYMBOLS);
  const std::set<std::string> no_status = {"nf_version",
                                           "nf_version_string",
                                           "nf_status_name",
                                           "nf_options_describe",
                                           "nf_parts_describe",
                                           "nf_model_spec",
                                           "nf_model_hash",
                                           "nf_model_generation",
                                           "nf_model_note",
                                           "nf_model_note_key",
                                           "nf_session_bytes",
                                           "nf_trainer_bytes",
                                           "nf_trainer_step_count",
                                           "nf_table_column",
                                           "nf_options_free",
                                           "nf_runtime_free",
                                           "nf_batches_per_epoch",
                                           "nf_model_free",
                                           "nf_session_free",
                                           "nf_trainer_free",
                                           "nf_table_free",
                                           "nf_batches_free",
                                           "nf_table_is_mapped",
                                           "nf_table_shape",
                                           "nf_target_free",
                                           "nf_targets_describe",
                                           "nf_batches_row",
                                           "nf_table_row",
                                           "nf_table_line",
                                           "nf_table_row_id"};
  std::set<std::string> listed, here = no_status;
  for (std::string line; std::getline(in, line);)
    if (!line.empty() && line[0] != '#') listed.insert(line);
  for (const Row& r : rows) here.insert(r.function);
  EXPECT_EQ(here, listed) << "a function of nf.h needs its row in misuse_table.cc";
  for (const Row& r : rows) expect_success(r, r.good());
}

TEST_F(Misuse, NullForEachPointer) {
  for (const Row& r : rows) {
    for (size_t i = 0; i < r.slots.size(); ++i) {
      const Slot& s = r.slots[i];
      std::vector<uint64_t> args = r.good();
      args[i] = 0;
      if (s.kind == Kind::number || s.on_null == kUnspecified) continue;
      if (s.on_null == kNullable) {
        expect_success(r, args);
      } else {
        expect_failure(r, i, 0, {s.on_null, std::string(s.name) == "ctx" ? NF_ERR_SHAPE : s.on_null}, "NULL");
      }
    }
    expect_success(r, r.good());
  }
}

TEST_F(Misuse, StructSize) {
  for (const Row& r : rows) {
    for (size_t i = 0; i < r.slots.size(); ++i) {
      const Slot& s = r.slots[i];
      if (s.bytes == 0) continue;
      std::vector<unsigned char> copy(s.bytes + 64, 0x5a);
      auto with_size = [&](uint32_t size) {
        memcpy(copy.data(), value_of<void*>(s.bits), s.bytes);
        memcpy(copy.data(), &size, sizeof(size));
        return bits_of(copy.data());
      };
      for (uint32_t size : {0u, 4u, static_cast<uint32_t>(s.first ? s.first : s.bytes) - 4u})
        expect_failure(r, i, with_size(size), {NF_ERR_ARGUMENT}, "struct_size " + std::to_string(size));
      // A caller of a later version: what this library does not know becomes 0, and must be 0 where it is read.
      std::vector<uint64_t> args = r.good();
      args[i] = with_size(static_cast<uint32_t>(s.bytes) + 32);
      if (s.kind == Kind::out_struct || s.kind == Kind::filled_view) {
        expect_success(r, args);
        const auto known = copy.begin() + static_cast<long>(s.bytes);
        EXPECT_TRUE(std::all_of(known, known + 32, [](unsigned char c) { return c == 0; }))
            << r.function << " leaves fields that it does not know";
        EXPECT_TRUE(std::all_of(known + 32, copy.end(), [](unsigned char c) { return c == 0x5a; }))
            << r.function << " writes beyond the struct of the caller";
      } else {
        expect_failure(r, i, args[i], {NF_ERR_ARGUMENT}, "an unknown field that is not 0");
        std::fill(copy.begin() + static_cast<long>(s.bytes), copy.end(), static_cast<unsigned char>(0));
        expect_success(r, args);
      }
    }
  }
}

struct BadView {
  const char* what;
  void (*change)(nf_view&);
  std::vector<nf_status> allowed;
  bool of_any_shape;  // wrong even where every shape is valid
};

TEST_F(Misuse, Views) {
  const std::vector<nf_status> argument = {NF_ERR_ARGUMENT}, shape = {NF_ERR_SHAPE};
  const BadView bad[] = {
      {"flags 2", [](nf_view& v) { v.flags = 2; }, argument, true},
      {"flags -1", [](nf_view& v) { v.flags = -1; }, argument, true},
      {"dtype 0", [](nf_view& v) { v.dtype = 0; }, shape, true},
      {"dtype 4", [](nf_view& v) { v.dtype = 4; }, shape, true},
      {"dtype -1", [](nf_view& v) { v.dtype = -1; }, shape, true},
      {"ndim -1", [](nf_view& v) { v.ndim = -1; }, shape, true},
      {"ndim 0", [](nf_view& v) { v.ndim = 0; }, shape, true},
      {"ndim 5", [](nf_view& v) { v.ndim = 5; }, shape, true},
      {"ndim 2^31 - 1", [](nf_view& v) { v.ndim = INT32_MAX; }, shape, true},
      {"one rank more", [](nf_view& v) { v.shape[v.ndim++] = 1; }, shape, false},
      {"rows -1", [](nf_view& v) { v.shape[0] = -1; }, shape, true},
      {"rows INT64_MIN", [](nf_view& v) { v.shape[0] = INT64_MIN; }, shape, true},
      {"rows 2^62", [](nf_view& v) { v.shape[0] = int64_t{1} << 62; }, shape, true},
      {"rows INT64_MAX", [](nf_view& v) { v.shape[0] = INT64_MAX; }, shape, true},
      {"one row more", [](nf_view& v) { v.shape[0] += 1; }, shape, false},
      {"one column more", [](nf_view& v) { v.shape[v.ndim - 1] += 1; }, shape, false},
      {"data NULL", [](nf_view& v) { v.data = nullptr; }, argument, true},
      {"stride INT64_MAX", [](nf_view& v) { v.flags = NF_STRIDED, v.strides[0] = v.strides[1] = INT64_MAX; }, shape,
       true},
      {"stride INT64_MIN", [](nf_view& v) { v.flags = NF_STRIDED, v.strides[0] = v.strides[1] = INT64_MIN; }, shape,
       true},
      {"stride 2^59", [](nf_view& v) { v.flags = NF_STRIDED, v.strides[0] = v.strides[1] = int64_t{1} << 59; }, shape,
       true},
  };
  for (const Row& r : rows) {
    for (size_t i = 0; i < r.slots.size(); ++i) {
      const Slot& s = r.slots[i];
      if (s.kind != Kind::in_view && s.kind != Kind::out_view) continue;
      const auto* good = value_of<const nf_view*>(s.bits);
      for (const BadView& b : bad) {
        if (s.any_shape && !b.of_any_shape) continue;
        nf_view v = *good;
        b.change(v);
        // If two views disagree on the number of rows, the message may name either.
        expect_failure(r, i, bits_of(&v), b.allowed, b.what, std::string(b.what) != "one row more");
      }
    }
    expect_success(r, r.good());
  }
}

// An nf_error that is too small or absurdly large is refused and not written, whatever the other arguments are. One
// that is larger than this library's is filled up to the size it knows.
TEST_F(Misuse, ErrorOfAnySize) {
  for (const Row& r : rows) {
    std::vector<uint64_t> args = r.good();
    const auto pointer = std::find_if(r.slots.begin(), r.slots.end(), [](const Slot& s) {
      return s.kind != Kind::number && s.on_null == NF_ERR_ARGUMENT;
    });
    ASSERT_NE(pointer, r.slots.end()) << r.function;
    args[static_cast<size_t>(pointer - r.slots.begin())] = 0;
    for (uint32_t size : {0u, 4u, 12u, 13u, 64u, 511u, 512u, 768u, 1u << 20, UINT32_MAX}) {
      SCOPED_TRACE(r.function + " with nf_error of " + std::to_string(size));
      alignas(nf_error) unsigned char room[1024];
      memset(room, 0x5a, sizeof(room));
      memcpy(room, &size, sizeof(size));
      const bool usable = size >= sizeof(nf_error) && size <= sizeof(room);
      EXPECT_EQ(r.call(args, reinterpret_cast<nf_error*>(room)), NF_ERR_ARGUMENT);
      if (!usable) {
        EXPECT_EQ(r.call(r.good(), reinterpret_cast<nf_error*>(room)), NF_ERR_ARGUMENT);
      }
      uint32_t after;
      memcpy(&after, room, sizeof(after));
      EXPECT_EQ(after, size) << "struct_size is the caller's";
      unsigned char* const end = room + (usable ? size : sizeof(uint32_t));
      EXPECT_TRUE(std::all_of(end, std::end(room), [](unsigned char c) { return c == 0x5a; })) << "writes beyond";
      EXPECT_TRUE(!usable || std::all_of(room + sizeof(nf_error), end, [](unsigned char c) { return c == 0; }));
      EXPECT_TRUE(!usable || memchr(room + offsetof(nf_error, message), 0, sizeof(nf_error::message))) << "no NUL";
    }
  }
}

}  // namespace
}  // namespace abi_test
