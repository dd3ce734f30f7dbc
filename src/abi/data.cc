// nf_table and nf_batches: rows of numbers from files, and mini-batches of them.
#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/abi/sink.h"
#include "src/model/rows.h"

using namespace libnf;

namespace {

// A view that borrows the memory of `v`.
nf_view borrowed(const View& v) {
  nf_view out = NF_VIEW_INIT;
  if (!v.data) return out;
  out.dtype = static_cast<nf_dtype>(v.dtype);
  out.ndim = v.shape.rank;
  for (int i = 0; i < v.shape.rank; ++i) out.shape[i] = v.shape[i];
  out.data = v.data;
  if (v.contiguous()) return out;
  out.flags = NF_STRIDED;
  for (int i = 0; i < v.shape.rank; ++i) out.strides[i] = v.stride[i];
  return out;
}

int32_t next_batch(void* user, uint64_t step, nf_batch* batch) {
  auto& b = *static_cast<nf_batches*>(user);
  return nf_batches_get(&b, step, batch, nullptr) == NF_OK ? 1 : -1;
}

// Says in the host's log what loading a table chose to do.
void note_table(const nf_table& t, const char* source) {
  if (t.table.file) t.runtime->note(0, "%s: using %zu bytes in place", source, t.table.file->bytes().size());
  if (!t.table.why_not_mapped.empty())
    t.runtime->note(1, "%s: read into memory, not mapped: %s", source, t.table.why_not_mapped.c_str());
  if (t.table.dropped)
    t.runtime->note(1, "%s: left out %lld of %lld rows with missing values, the first in %s", source,
                    static_cast<long long>(t.table.dropped), static_cast<long long>(t.table.rows + t.table.dropped),
                    t.table.first_dropped.c_str());
}

std::span<const std::byte> bytes_of(const void* bytes, size_t size) {
  if (size && !bytes) fail(Code::argument, "bytes is NULL");
  return {static_cast<const std::byte*>(bytes), size};
}

std::string written(const TableFacts& f) {
  Json j = {{"format", f.format}, {"columns", f.columns}};
  if (!f.dtype.empty()) j["dtype"] = f.dtype;
  if (f.separator) {
    j["separator"] = std::string(1, f.separator);
    j["header"] = f.header;
    j["names"] = Json::Array(f.names.begin(), f.names.end());
    Json::Array numeric;
    for (const char n : f.numeric) numeric.emplace_back(n != 0);
    j["numeric"] = std::move(numeric);
  }
  return j.dump();
}

}  // namespace

extern "C" {

nf_status nf_table_open(nf_runtime* rt, const char* path, const nf_options* options, nf_table** out,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(path, "path");
    need(out, "out");
    check_scopes(options, {"table"}, "nf_table_open");
    auto t = std::make_unique<nf_table>();
    t->runtime = runtime_of(rt);
    t->table = load_table(t->runtime->allocator(), path, table_options(options));
    if (t->table.file) t->runtime->add_mapping(t->table.file);
    note_table(*t, path);
    *out = t.release();
  });
}

nf_status nf_table_parse(nf_runtime* rt, const void* bytes, size_t size, const char* name, const nf_options* options,
                         nf_table** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const auto content = bytes_of(bytes, size);
    need(out, "out");
    check_scopes(options, {"table"}, "nf_table_parse");
    auto t = std::make_unique<nf_table>();
    t->runtime = runtime_of(rt);
    const char* source = name ? name : "the bytes";
    t->table = parse_table(t->runtime->allocator(), content, source, table_options(options));
    note_table(*t, source);
    *out = t.release();
  });
}

nf_status nf_table_describe(nf_runtime* rt, const char* path, const void* bytes, size_t size, const nf_options* options,
                            nf_write_fn write, void* user, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    if (!bytes) need(path, "path");
    if (!write) fail(Code::argument, "write is NULL");
    check_scopes(options, {"table"}, "nf_table_describe");
    const auto runtime = runtime_of(rt);
    const TableOptions o = table_options(options);
    const std::string text =
        written(bytes ? describe_table(runtime->allocator(), bytes_of(bytes, size), path ? path : "the bytes", o)
                      : describe_table(runtime->allocator(), path, o));
    CallbackSink(write, user).write(text.data(), text.size());
  });
}

int64_t nf_table_row(const nf_table* t, int64_t index) NF_NOEXCEPT {
  return t && index >= 0 && index < t->table.rows ? t->table.places.row(index) : -1;
}

int64_t nf_table_line(const nf_table* t, int64_t index) NF_NOEXCEPT {
  return t && index >= 0 && index < t->table.rows ? t->table.places.line(index) : 0;
}

const char* nf_table_row_id(const nf_table* t, int64_t index) NF_NOEXCEPT {
  if (!t || index < 0 || index >= static_cast<int64_t>(t->table.ids.size())) return nullptr;
  return t->table.ids[static_cast<size_t>(index)].c_str();
}

int32_t nf_table_is_mapped(const nf_table* t) NF_NOEXCEPT { return t && t->table.file ? 1 : 0; }

nf_status nf_table_view(const nf_table* t, nf_view* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "table");
    struct_size(out, "out");
    nf_view v = borrowed(t->table.view());
    v.dtype = static_cast<nf_dtype>(t->table.dtype);
    v.ndim = 2;
    v.shape[0] = t->table.rows;
    v.shape[1] = t->table.cols;
    write_struct(out, v);
  });
}

int32_t nf_table_shape(const nf_table* t, int64_t* shape) NF_NOEXCEPT {
  if (!t) return 0;
  const Dims& s = t->table.shape;
  if (shape) std::copy_n(s.d, s.rank, shape);
  return s.rank;
}

const char* nf_table_column(const nf_table* t, int64_t index) NF_NOEXCEPT {
  if (!t || index < 0 || index >= t->table.cols) return nullptr;
  return t->table.names.empty() ? "" : t->table.names[static_cast<size_t>(index)].c_str();
}

nf_status nf_table_save(const nf_view* v, const char* path, const char* const* columns, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View view = data_of(v, "view");
    need(path, "path");
    const bool csv = std::string_view(path).ends_with(".csv");
    if (!csv && !std::string_view(path).ends_with(".npy"))
      fail(Code::argument, "path must end in .npy or .csv, which selects the format");
    const int highest = csv ? 2 : kMaxRank;
    if (view.shape.rank < 1 || view.shape.rank > highest)
      fail(Code::shape, "view has shape %s, expected rank 1 to %d", to_string(view.shape).c_str(), highest);
    if (columns && !csv) fail(Code::argument, "columns is given, but a .npy file has no names of columns: pass NULL");
    // Pack strided memory first; bytes are written to a .csv as numbers.
    const DType dtype = csv && view.dtype == DType::u8 ? DType::f32 : view.dtype;
    const bool vector = view.shape.rank == 1;
    const Dims shape = vector ? Dims{view.shape[0], 1} : view.shape;
    const Buffer memory(system_allocator(), static_cast<size_t>(checked_mul(shape.count(), size_of(dtype))), "a table");
    const View packed = contiguous_view(memory.data(), dtype, shape);
    copy_rows(view, packed);
    std::vector<std::string> names;
    for (int64_t i = 0; columns && i < shape[1]; ++i) names.emplace_back(&need(columns[i], "columns[i]"));
    if (csv)
      save_csv(path, packed, names);
    else
      save_npy(path, contiguous_view(memory.data(), dtype, view.shape));  // a vector stays one
  });
}

void nf_table_free(nf_table* t) NF_NOEXCEPT { delete t; }

nf_status nf_batches_create(nf_runtime* rt, const nf_batch* rows, const nf_options* options, nf_batches** out,
                            nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(out, "out");
    check_scopes(options, {"batches"}, "nf_batches_create");
    const nf_batch given = read_struct(rows, "rows");
    Batches::Streams s{data_of(given.x, "x"), data_of(given.ctx, "ctx", true), view_of(given.weight, "weight", true),
                       view_of(given.scores, "scores", true)};
    if (given.part) fail(Code::argument, "rows.part is given, which only nf_fit reads: pass NULL");
    const Dims& shape = s.x.shape;
    if (shape.rank != 2 && shape.rank != 4)
      fail(Code::shape, "x has shape %s, expected [n, columns] or [n, height, width, channels]",
           to_string(shape).c_str());
    if (s.context.data) check_context(s.context, shape[0], s.context.shape.rank == 2 ? s.context.shape[1] : -1);
    if (given.weight) need_shape(s.weight, "weight", {shape[0]});
    if (given.scores && !(s.scores.shape == shape))
      fail(Code::shape, "scores has shape %s, but x has %s", to_string(s.scores.shape).c_str(),
           to_string(shape).c_str());
    const BatchOptions o = batch_options(options);
    if (o.flip && shape.rank != 4)
      fail(Code::shape, "\"batches.flip\" mirrors images, but x has shape %s, expected [n, height, width, channels]",
           to_string(shape).c_str());
    const Dims image = o.flip ? Dims{shape[1], shape[2], shape[3]} : Dims();
    auto b = std::make_unique<nf_batches>();
    b->runtime = runtime_of(rt);
    b->batches = std::make_unique<Batches>(b->runtime->allocator(), s, o.batch, o.order, o.seed,
                                           Selection(shape[0], o.part), o.part.block, o.smallest, image);
    b->mapped.watch(*b->runtime, s.x);
    b->mapped.watch(*b->runtime, s.context);
    if (o.order != Order::replacement && b->batches->rows() < o.batch)
      b->runtime->note(0, "\"batches.batch\" = %lld is more than the %lld rows: every batch has all rows",
                       static_cast<long long>(o.batch), static_cast<long long>(b->batches->rows()));
    *out = b.release();
  });
}

uint64_t nf_batches_per_epoch(const nf_batches* b) NF_NOEXCEPT { return b ? b->batches->per_epoch() : 0; }

nf_status nf_batches_get(nf_batches* b, uint64_t step, nf_batch* batch, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(b, "batches");
    struct_size(batch, "batch");
    b->mapped.check();
    b->batches->gather(step);
    b->held = b->batches->x().shape[0];
    b->mapped.read(b->batches->x().shape[0]);
    const auto lend = [](const View& v, nf_view* to) -> const nf_view* {
      *to = borrowed(v);
      return v.data ? to : nullptr;
    };
    nf_batch out = NF_BATCH_INIT;
    out.x = lend(b->batches->x(), &b->x);
    out.ctx = lend(b->batches->context(), &b->ctx);
    out.weight = lend(b->batches->weight(), &b->weight);
    out.scores = lend(b->batches->scores(), &b->scores);
    write_struct(batch, out);
  });
}

int64_t nf_batches_row(const nf_batches* b, int64_t index) NF_NOEXCEPT {
  if (!b || index < 0 || index >= b->held) return -1;
  return b->batches->numbers()[index];
}

nf_status nf_batches_source(nf_batches* b, nf_source* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(b, "batches");
    struct_size(out, "out");
    static constexpr nf_source kEmpty = NF_SOURCE_INIT;
    nf_source source;
    std::memcpy(&source, &kEmpty, sizeof source);  // with its padding, which a caller may compare
    source.user = b;
    source.next = next_batch;
    write_struct(out, source);
  });
}

void nf_batches_free(nf_batches* b) NF_NOEXCEPT { delete b; }

}  // extern "C"
