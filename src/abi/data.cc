// nf_table and nf_batches: rows of numbers from files, and mini-batches of them.
#include <algorithm>
#include <string_view>

#include "src/abi/guard.h"
#include "src/abi/handles.h"
#include "src/abi/options.h"
#include "src/model/rows.h"

using namespace nf;

namespace {

// Fills a view that borrows the memory of `v`.
void fill_view(nf_view* out, const View& v) {
  const uint32_t size = out->struct_size;
  *out = NF_VIEW_INIT;
  out->struct_size = size;
  if (!v.data) return;
  out->dtype = static_cast<int32_t>(v.dtype);
  out->ndim = v.shape.rank;
  for (int i = 0; i < v.shape.rank; ++i) out->shape[i] = v.shape[i];
  out->data = v.data;
  if (v.contiguous()) return;
  out->flags = NF_STRIDED;
  for (int i = 0; i < v.shape.rank; ++i) out->strides[i] = v.stride[i];
}

// Batches release the pages of mapped files after reading this many bytes, so that the pages do not fill the memory.
constexpr size_t kReleaseAfter = size_t{256} << 20;
constexpr size_t kFaultAround = 16 << 10;  // page-cache read-around per random row access (Linux fault-around)

void watch_file(nf_batches& b, const View& rows) {
  if (!rows.data) return;
  auto file = b.runtime->mapping_of(rows.data);
  if (!file) return;
  b.row_pages +=
      static_cast<size_t>(rows.count() / std::max<int64_t>(rows.shape[0], 1) * size_of(rows.dtype)) + kFaultAround;
  if (b.files.empty() || b.files.back() != file) b.files.push_back(std::move(file));
}

void check_files(const nf_batches& b) {
  for (const auto& file : b.files)
    if (!file->intact()) fail(Code::io, "the mapped file of the rows was truncated by another program");
}

int32_t next_batch(void* user, uint64_t step, nf_view* x, nf_view* ctx, nf_view* weight) {
  auto& b = *static_cast<nf_batches*>(user);
  return nf_batches_get(&b, step, x, ctx, weight, nullptr) == NF_OK ? 1 : -1;
}

}  // namespace

extern "C" {

nf_status nf_table_open(nf_runtime* rt, const char* path, const nf_options* options, nf_table** out,
                        nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(rt, "runtime");
    need(path, "path");
    need(out, "out");
    auto t = std::make_unique<nf_table>();
    t->runtime = rt->state;
    t->table = load_table(rt->state->allocator(), path, table_options(options));
    if (t->table.file) {
      rt->state->add_mapping(t->table.file);
      rt->state->note(0, "%s: using %zu bytes in place", path, t->table.file->bytes().size());
    } else if (!t->table.why_not_mapped.empty()) {
      rt->state->note(1, "%s: read into memory, not mapped: %s", path, t->table.why_not_mapped.c_str());
    }
    *out = t.release();
  });
}

int32_t nf_table_mapped(const nf_table* t) NF_NOEXCEPT { return t && t->table.file ? 1 : 0; }

nf_status nf_table_view(const nf_table* t, nf_view* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "table");
    need_struct(out, "out");
    fill_view(out, t->table.view());
    out->dtype = static_cast<int32_t>(t->table.dtype);
    out->ndim = 2;
    out->shape[0] = t->table.rows;
    out->shape[1] = t->table.cols;
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

nf_status nf_table_save(const nf_view* v, const char* path, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    const View view = view_of(v, "view");
    need(path, "path");
    if (view.shape.rank < 1 || view.shape.rank > 2)
      fail(Code::shape, "view has shape %s, expected rank 1 or 2", to_string(view.shape).c_str());
    const bool csv = std::string_view(path).ends_with(".csv");
    if (!csv && !std::string_view(path).ends_with(".npy"))
      fail(Code::argument, "path must end in .npy or .csv, which selects the format");
    // Pack strided memory first.
    Dims shape = view.shape;
    if (shape.rank == 1) shape = {shape[0], 1};
    const Buffer memory(system_allocator(), static_cast<size_t>(checked_mul(shape.count(), size_of(view.dtype))),
                        "a table");
    const View packed = contiguous_view(memory.data(), view.dtype, shape);
    copy_rows(view, packed);
    if (csv)
      save_csv(path, packed, {});
    else
      save_npy(path, packed);
  });
}

void nf_table_free(nf_table* t) NF_NOEXCEPT { delete t; }

nf_status nf_batches_create(nf_runtime* rt, const nf_view* x, const nf_view* ctx, const nf_view* weight,
                            const nf_options* options, nf_batches** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(rt, "runtime");
    need(out, "out");
    const View xv = view_of(x, "x"), c = view_of(ctx, "ctx", true), w = view_of(weight, "weight", true);
    if (xv.shape.rank != 2 && xv.shape.rank != 4)
      fail(Code::shape, "x has shape %s, expected [n, columns] or [n, height, width, channels]",
           to_string(xv.shape).c_str());
    if (c.data) check_context(c, xv.shape[0], c.shape.rank == 2 ? c.shape[1] : -1);
    if (weight) need_shape(w, "weight", {xv.shape[0]});
    const BatchOptions o = batch_options(options);
    auto b = std::make_unique<nf_batches>();
    b->runtime = rt->state;
    b->batches = std::make_unique<Batches>(rt->state->allocator(), xv, c, w, o.batch, o.order, o.seed, o.part);
    watch_file(*b, xv);
    watch_file(*b, c);
    if (o.order != Order::replacement && b->batches->rows() < o.batch)
      rt->state->note(0, "\"batch\" = %lld is more than the %lld rows: every batch has all rows",
                      static_cast<long long>(o.batch), static_cast<long long>(b->batches->rows()));
    *out = b.release();
  });
}

uint64_t nf_batches_per_epoch(const nf_batches* b) NF_NOEXCEPT { return b ? b->batches->per_epoch() : 0; }

nf_status nf_batches_get(nf_batches* b, uint64_t step, nf_view* x, nf_view* ctx, nf_view* weight,
                         nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(b, "batches");
    need_struct(x, "x");
    if (ctx) need_struct(ctx, "ctx");
    if (weight) need_struct(weight, "weight");
    check_files(*b);
    b->batches->gather(step);
    b->resident += static_cast<size_t>(b->batches->x().shape[0]) * b->row_pages;
    if (b->resident > kReleaseAfter) {
      for (const auto& file : b->files) file->release_pages();
      b->resident = 0;
    }
    fill_view(x, b->batches->x());
    if (ctx) fill_view(ctx, b->batches->context());
    if (weight) fill_view(weight, b->batches->weight());
  });
}

nf_status nf_batches_source(nf_batches* b, nf_source* out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(b, "batches");
    need_struct(out, "out");
    out->user = b;
    out->next = next_batch;
  });
}

void nf_batches_free(nf_batches* b) NF_NOEXCEPT { delete b; }

}  // extern "C"
