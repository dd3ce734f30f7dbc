// Implements nf_target: built-in targets, host callbacks as targets, and their evaluation.
#include "src/abi/target.h"

#include <cstring>
#include <mutex>

#include "src/abi/guard.h"
#include "src/model/rows.h"
#include "src/model/target_spec.h"

using namespace libnf;

namespace {

template <class Raw>
Raw raw(const View& v, Raw out) {
  out.dtype = static_cast<nf_dtype>(v.dtype);
  out.ndim = v.shape.rank;
  for (int i = 0; i < v.shape.rank; ++i) out.shape[i] = v.shape[i];
  out.data = v.data;
  return out;
}
nf_view raw_view(const View& v) { return raw(v, nf_view NF_VIEW_INIT); }
nf_out raw_out(const View& v) { return raw(v, nf_out NF_OUT_INIT); }

class CallbackTarget final : public Target {
 public:
  // wide: the callback gets float64 whatever the dtype of the rows.
  CallbackTarget(const Allocator& allocator, int64_t event, nf_target_fn fn, void* user, bool wide)
      : Target(event), allocator_(allocator), fn_(fn), user_(user), wide_(wide) {}
  bool thread_safe() const override { return false; }
  bool rounds(DType dtype) const override { return dtype == DType::f32 && !wide_; }
  void evaluate(const View& x, const View& context, const View& log_p, const View& grad) const override {
    if (x.shape[0] == 0) return;
    if (!wide_ || x.dtype == DType::f64) return ask(x, context, log_p, grad);
    const int64_t n = x.count();
    Buffer memory = take(static_cast<size_t>(checked_mul(checked_mul(n, 2), sizeof(double))));
    const View rows = contiguous_view(memory.as<double>(), DType::f64, x.shape),
               slopes = contiguous_view(memory.as<double>() + n, DType::f64, x.shape);
    copy_rows(x, rows);
    ask(rows, context, log_p, grad.data ? slopes : View{});
    if (grad.data) copy_rows(slopes, grad);
    put_back(std::move(memory));
  }

 private:
  // Calls the host with numbers of the dtype of x.
  void ask(const View& x, const View& context, const View& log_p, const View& grad) const {
    // The ABI promises the callback rows without gaps, of one dtype.
    Buffer copy;
    View c = context, values = log_p;
    if (context.data && (!context.contiguous() || context.dtype != x.dtype)) {
      copy = Buffer(allocator_, static_cast<size_t>(checked_mul(context.count(), size_of(x.dtype))), "rows of context");
      c = contiguous_view(copy.data(), x.dtype, context.shape);
      copy_rows(context, c);
    }
    values.dtype = x.dtype;  // float32 values take the first half of the memory of log_p
    const nf_view xv = raw_view(x), cv = raw_view(c);
    const nf_out lv = raw_out(values), gv = raw_out(grad);
    const int32_t r = fn_(user_, &xv, c.data ? &cv : nullptr, &lv, grad.data ? &gv : nullptr);
    if (r < 0) fail(Code::callback, "the target's callback returned %d", r);
    if (r > 0) fail(Code::cancelled, "stopped: the target's callback returned %d", r);
    if (x.dtype == DType::f32) widen(log_p);
  }
  // Turns the floats at the start of v into doubles, from the last to the first.
  static void widen(const View& v) {
    auto* bytes = static_cast<char*>(v.data);
    for (int64_t i = v.shape[0]; i-- > 0;) {
      float narrow;
      std::memcpy(&narrow, bytes + i * static_cast<int64_t>(sizeof narrow), sizeof narrow);
      v.as<double>()[i] = narrow;
    }
  }
  // Memory for float64 rows. It is kept for the next call, so that steps allocate nothing; a second thread that comes
  // meanwhile gets its own.
  Buffer take(size_t bytes) const {
    Buffer b;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      b = std::move(spare_);
    }
    return b.bytes() >= bytes ? std::move(b) : Buffer(allocator_, bytes, "rows of a target");
  }
  void put_back(Buffer b) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (b.bytes() > spare_.bytes()) spare_ = std::move(b);
  }

  Allocator allocator_;
  nf_target_fn fn_;
  void* user_;
  const bool wide_;
  mutable std::mutex mutex_;
  mutable Buffer spare_;
};

nf_target* wrap(std::shared_ptr<RuntimeState> runtime, std::shared_ptr<const Target> target, bool builtin) {
  return new nf_target{std::move(runtime), std::move(target), builtin};
}

void create_callback(nf_runtime* rt, int64_t event_size, nf_target_fn fn, void* user, bool wide, nf_target** out) {
  if (!fn) fail(Code::argument, "fn is NULL");
  need(out, "out");
  if (event_size < 1) fail(Code::shape, "event_size is %lld, expected at least 1", static_cast<long long>(event_size));
  std::shared_ptr<RuntimeState> runtime = runtime_of(rt);
  auto target = std::make_shared<CallbackTarget>(runtime->allocator(), event_size, fn, user, wide);
  *out = wrap(std::move(runtime), std::move(target), false);
}

}  // namespace

extern "C" {

const char* nf_targets_describe(void) NF_NOEXCEPT { return static_text<describe_targets>(); }

nf_status nf_target_create(nf_runtime* rt, const char* spec, size_t spec_len, int64_t event_size, nf_target** out,
                           nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(spec, "spec");
    need(out, "out");
    auto target = parse_target(text_of(spec, spec_len), event_size);
    *out = wrap(runtime_of(rt), std::move(target), true);
  });
}

nf_status nf_target_create_callback(nf_runtime* rt, int64_t event_size, nf_target_fn fn, void* user, nf_target** out,
                                    nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] { create_callback(rt, event_size, fn, user, false, out); });
}

nf_status nf_target_create_callback_f64(nf_runtime* rt, int64_t event_size, nf_target_fn fn, void* user,
                                        nf_target** out, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] { create_callback(rt, event_size, fn, user, true, out); });
}

nf_status nf_target_get_info(const nf_target* t, nf_target_info* info, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "target");
    struct_size(info, "info");
    nf_target_info out = NF_TARGET_INFO_INIT;
    out.builtin = t->builtin;
    out.event_size = t->target->event;
    out.log_z = t->target->log_z();
    write_struct(info, out);
  });
}

nf_status nf_target_log_density(const nf_target* t, const nf_view* x, const nf_view* ctx, const nf_out* log_density,
                                const nf_out* gradient, nf_error* err) NF_NOEXCEPT {
  return guard(err, [&] {
    need(t, "target");
    const int64_t d = t->target->event;
    const View xv = view_of(x, "x"), c = view_of(ctx, "ctx", true), lp = out_of(log_density, "log_density"),
               g = out_of(gradient, "gradient", true);
    const int64_t n = check_rows(xv, "x", Dims{d});
    if (ctx && (c.shape.rank != 2 || (c.shape[0] != n && c.shape[0] != 1)))
      fail(Code::shape, "ctx has shape %s, expected [%lld, columns] or [1, columns]", to_string(c.shape).c_str(),
           static_cast<long long>(n));
    need_shape(lp, "log_density", {n});
    if (gradient) need_shape(g, "gradient", {n, d});
    const int64_t size = size_of(xv.dtype), row = 2 * checked_mul(d, size) + int64_t{sizeof(double)};
    const Buffer memory(t->runtime->allocator(), static_cast<size_t>(checked_mul(n, row)), "rows of a target");
    char* p = memory.as<char>();
    const View values = contiguous_view(p, DType::f64, {n}),
               rows = contiguous_view(p + n * int64_t{sizeof(double)}, xv.dtype, {n, d}),
               slopes = contiguous_view(static_cast<char*>(rows.data) + n * d * size, xv.dtype, {n, d});
    copy_rows(xv, rows);
    t->target->evaluate(rows, c, values, g.data ? slopes : View{});
    copy_rows(values, lp);
    if (g.data) copy_rows(slopes, g);
  });
}

void nf_target_free(nf_target* t) NF_NOEXCEPT { delete t; }

}  // extern "C"
