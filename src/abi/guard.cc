#include "src/abi/guard.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace libnf {

static_assert(static_cast<int>(Code::argument) == NF_ERR_ARGUMENT && static_cast<int>(Code::state) == NF_ERR_STATE &&
              static_cast<int>(Code::shape) == NF_ERR_SHAPE && static_cast<int>(Code::spec) == NF_ERR_SPEC &&
              static_cast<int>(Code::nomem) == NF_ERR_NOMEM && static_cast<int>(Code::io) == NF_ERR_IO &&
              static_cast<int>(Code::format) == NF_ERR_FORMAT && static_cast<int>(Code::checksum) == NF_ERR_CHECKSUM &&
              static_cast<int>(Code::version) == NF_ERR_VERSION && static_cast<int>(Code::numeric) == NF_ERR_NUMERIC &&
              static_cast<int>(Code::not_inverted) == NF_ERR_NOT_INVERTED &&
              static_cast<int>(Code::cancelled) == NF_ERR_CANCELLED &&
              static_cast<int>(Code::callback) == NF_ERR_CALLBACK &&
              static_cast<int>(Code::unsupported) == NF_ERR_UNSUPPORTED &&
              static_cast<int>(Code::internal) == NF_ERR_INTERNAL);
static_assert(static_cast<int>(DType::f32) == NF_F32 && static_cast<int>(DType::f64) == NF_F64 &&
              static_cast<int>(DType::u8) == NF_U8);
static_assert(sizeof(nf_error::message) == Error::kMessageBytes);

bool usable(const nf_error* err) {
  return !err || (err->struct_size >= kFirstSize<nf_error> && err->struct_size <= kLargestStruct);
}

nf_status report(nf_error* err, const Error& e) noexcept {
  const auto status = static_cast<nf_status>(e.code());
  if (!err) return status;
  nf_error out = NF_ERROR_INIT;
  out.code = status;
  out.os_errno = e.os_errno();
  out.row = e.place().row;
  out.layer = e.place().layer;
  std::memcpy(out.message, e.what(), std::strlen(e.what()) + 1);
  write_struct(err, out);
  return status;
}

nf_status report_current(nf_error* err) noexcept {
  try {
    throw;
  } catch (const Error& e) {
    return report(err, e);
  } catch (const std::bad_alloc&) {
    return report(err, Error(Code::nomem, "out of memory"));
  } catch (const std::exception& e) {
    return report(err, Error(Code::internal, e.what()));
  } catch (...) {
    return report(err, Error(Code::internal, "unknown exception"));
  }
}

namespace {

// nf_view and nf_out differ in the constness of their data only.
static_assert(sizeof(nf_view) == sizeof(nf_out) && offsetof(nf_view, data) == offsetof(nf_out, data) &&
              offsetof(nf_view, shape) == offsetof(nf_out, shape) &&
              offsetof(nf_view, strides) == offsetof(nf_out, strides));

nf_out as_out(const nf_view& v) {
  nf_out out;
  std::memcpy(&out, &v, sizeof out);
  return out;
}

// What a view may hold.
enum class Takes : uint8_t { floats, bytes_too };

void check_fields(const nf_out& v, const char* name, int max_rank, Takes takes) {
  if (v.flags & ~NF_STRIDED) fail(Code::argument, "%s.flags is %d, expected 0 or NF_STRIDED (1)", name, v.flags);
  if (v.dtype == NF_U8 && takes == Takes::floats)
    fail(Code::shape,
         "%s.dtype is NF_U8 (3), which only rows of data and contexts can have: expected NF_F32 (1) or NF_F64 (2)",
         name);
  if (v.dtype != NF_F32 && v.dtype != NF_F64 && v.dtype != NF_U8)
    fail(Code::shape, "%s.dtype is %d, expected NF_F32 (1)%s", name, v.dtype,
         takes == Takes::floats ? " or NF_F64 (2)" : ", NF_F64 (2) or NF_U8 (3)");
  if (v.ndim < 0 || v.ndim > max_rank) fail(Code::shape, "%s.ndim is %d, expected 0 to %d", name, v.ndim, max_rank);
  for (int i = 0; i < v.ndim; ++i)
    if (v.shape[i] < 0)
      fail(Code::shape, "%s.shape[%d] is %lld, expected at least 0", name, i, static_cast<long long>(v.shape[i]));
}

View checked(const nf_out& v, const char* name, Takes takes = Takes::floats) {
  check_fields(v, name, kMaxRank, takes);
  View out;
  out.dtype = static_cast<DType>(v.dtype);
  out.data = v.data;
  out.shape.rank = v.ndim;
  for (int i = 0; i < v.ndim; ++i) out.shape[i] = v.shape[i];
  int64_t count = 1, reach = 0, step = 1;
  for (int i = v.ndim - 1; i >= 0; --i) {
    out.stride[i] = v.flags & NF_STRIDED ? v.strides[i] : step;
    bool overflow = __builtin_mul_overflow(step, out.shape[i] ? out.shape[i] : 1, &step);
    overflow |= __builtin_mul_overflow(count, out.shape[i], &count);
    int64_t span = 0;
    overflow |= __builtin_mul_overflow(out.shape[i], out.stride[i], &span) || span == INT64_MIN;
    overflow |=
        !overflow && (__builtin_add_overflow(reach, span < 0 ? -span : span, &reach) || reach > (INT64_MAX >> 4));
    if (overflow || step > (INT64_MAX >> 4))
      fail(Code::shape, "%s has extents or strides that overflow 64 bits: shape %s", name,
           to_string(out.shape).c_str());
  }
  if (!out.data && count > 0)
    fail(Code::argument, "%s.data is NULL, but the view has %lld element%s", name, static_cast<long long>(count),
         count == 1 ? "" : "s");
  return out;
}

}  // namespace

View view_of(const nf_view* v, const char* name, bool optional) {
  return !v && optional ? View{} : checked(as_out(read_struct(v, name)), name);
}

View data_of(const nf_view* v, const char* name, bool optional) {
  return !v && optional ? View{} : checked(as_out(read_struct(v, name)), name, Takes::bytes_too);
}

View out_of(const nf_out* v, const char* name, bool optional) {
  return !v && optional ? View{} : checked(read_struct(v, name), name);
}

View Planes::operator[](int64_t k) const {
  View v = first;
  v.data = v.as<char>() + k * stride * size_of(v.dtype);
  return v;
}

Planes planes_of(const nf_out* v, const char* name) {
  const nf_out all = read_struct(v, name);
  check_fields(all, name, kMaxRank + 1, Takes::floats);
  if (all.ndim < 1) fail(Code::shape, "%s.ndim is 0, expected at least 1", name);
  nf_out plane = all;
  plane.ndim = all.ndim - 1;
  for (int i = 0; i < plane.ndim; ++i) plane.shape[i] = all.shape[i + 1], plane.strides[i] = all.strides[i + 1];
  Planes out;
  out.count = all.shape[0];
  // The whole must not overflow either: as rows of flat planes.
  int64_t size = 1;
  for (int i = 0; i < plane.ndim; ++i)
    if (__builtin_mul_overflow(size, plane.shape[i], &size)) fail(Code::shape, "%s has too many elements", name);
  nf_out flat = all;
  flat.ndim = 2, flat.shape[1] = size, flat.strides[1] = 1;
  checked(flat, name);
  out.stride = all.flags & NF_STRIDED ? all.strides[0] : size;
  if (out.count > 0)
    out.first = checked(plane, name);
  else
    out.first.shape.rank = plane.ndim;
  return out;
}

void need_shape(const View& v, const char* name, std::initializer_list<int64_t> shape) {
  bool ok = v.shape.rank == static_cast<int>(shape.size());
  std::string want = "[";
  int i = 0;
  for (int64_t extent : shape) {
    if (ok && extent >= 0 && v.shape[i] != extent) ok = false;
    want += (i++ ? ", " : "") + (extent < 0 ? std::string("n") : std::to_string(extent));
  }
  if (!ok) fail(Code::shape, "%s has shape %s, expected %s]", name, to_string(v.shape).c_str(), want.c_str());
}

int64_t check_rows(const View& x, const char* name, const Dims& event, int64_t rows) {
  const Dims& s = x.shape;
  const bool flat = s.rank == 2 && s[1] == event.count();
  const bool shaped = s.rank == 1 + event.rank && std::equal(event.d, event.d + event.rank, s.d + 1);
  if ((flat || shaped) && (rows < 0 || s[0] == rows)) return s[0];
  const std::string n = rows < 0 ? "n" : std::to_string(rows), columns = std::to_string(event.count());
  std::string want = "[" + n + ", " + columns + "]";
  if (event.rank > 1) want += " or [" + n + ", " + to_string(event).substr(1);
  fail(Code::shape, "%s has shape %s, expected %s", name, to_string(s).c_str(), want.c_str());
}

void check_context(const View& context, int64_t rows, int64_t columns) {
  if (columns == 0) {
    if (context.data)
      fail(Code::shape, "ctx is given, but the model has no context (\"context\": [0] in its spec): pass NULL");
    return;
  }
  if (!context.data && rows > 0)
    fail(Code::argument, "ctx is NULL, but the model needs a context of %lld column%s", static_cast<long long>(columns),
         columns == 1 ? "" : "s");
  if (!context.data) return;
  if (context.shape.rank != 2 || context.shape[1] != columns || (context.shape[0] != rows && context.shape[0] != 1))
    fail(Code::shape, "ctx has shape %s, expected [%lld, %lld] or [1, %lld]", to_string(context.shape).c_str(),
         static_cast<long long>(rows), static_cast<long long>(columns), static_cast<long long>(columns));
}

bool is_inverse(nf_direction d) {
  if (d != NF_FORWARD && d != NF_INVERSE)
    fail(Code::argument, "direction is %d, expected NF_FORWARD (0) or NF_INVERSE (1)", d);
  return d == NF_INVERSE;
}

}  // namespace libnf
