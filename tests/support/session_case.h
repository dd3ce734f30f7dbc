// A flow model and a session over it, with rows as plain lists of doubles: values and derivatives.
#pragma once
#include <memory>

#include "src/model/session.h"
#include "tests/support/flow_case.h"

namespace libnf::test {

struct Derivatives {
  Values y, log_det;  // log_prob_grad: log_prob is log_det
  Values x, context;  // vjp: gradients by rows and contexts; jvp: tangents of y and log_det
};

template <class T>
class SessionCase {
 public:
  SessionCase(FlowModel& model, uint32_t threads = 1, const SessionOptions& options = {})
      : model_(model), executor_(threads), session_(system_allocator(), executor_, model, options) {}
  Session& session() { return session_; }

  Values log_prob(const Rows2& in) {
    std::vector<T> out(static_cast<size_t>(in.rows));
    session_.log_prob(rows(in.x, in.rows), context(in), column(out));
    return Values(out.begin(), out.end());
  }
  MappedValues map(bool inverse, const Rows2& in) {
    std::vector<T> y(in.x.size()), l(static_cast<size_t>(in.rows));
    session_.map(inverse, rows(in.x, in.rows), context(in), view(y, in.rows), column(l));
    return {Values(y.begin(), y.end()), Values(l.begin(), l.end())};
  }
  Derivatives log_prob_grad(const Rows2& in, bool by_x = true, bool by_context = true) {
    std::vector<T> lp(static_cast<size_t>(in.rows)), gx = blank(in.x.size()), gc = blank(contexts(in));
    session_.log_prob_grad(rows(in.x, in.rows), context(in), column(lp), by_x ? view(gx, in.rows) : View{},
                           by_context && !gc.empty() ? view(gc, in.rows) : View{});
    return {{}, Values(lp.begin(), lp.end()), Values(gx.begin(), gx.end()), Values(gc.begin(), gc.end())};
  }
  // Empty cotangents are not given.
  Derivatives vjp(bool inverse, const Rows2& in, const MappedValues& cot) {
    std::vector<T> y(in.x.size()), l(static_cast<size_t>(in.rows)), gx = blank(in.x.size()), gc = blank(contexts(in));
    Session::Pullback p;
    p.to = view(y, in.rows), p.log_det = column(l), p.d_from = view(gx, in.rows);
    if (!gc.empty()) p.d_context = view(gc, in.rows);
    std::vector<T> cy(cot.y.begin(), cot.y.end()), cl(cot.log_det.begin(), cot.log_det.end());
    if (!cy.empty()) p.cot_to = view(cy, in.rows);
    if (!cl.empty()) p.cot_log_det = column(cl);
    session_.vjp(inverse, rows(in.x, in.rows), context(in), p);
    return {Values(y.begin(), y.end()), Values(l.begin(), l.end()), Values(gx.begin(), gx.end()),
            Values(gc.begin(), gc.end())};
  }
  // Empty tangents are not given.
  Derivatives jvp(bool inverse, const Rows2& in, const Values& tan_x, const Values& tan_context) {
    std::vector<T> y(in.x.size()), l(static_cast<size_t>(in.rows)), dy = blank(in.x.size()),
                                                                    dl = blank(static_cast<size_t>(in.rows));
    Session::Pushforward p;
    p.to = view(y, in.rows), p.log_det = column(l), p.tan_to = view(dy, in.rows), p.tan_log_det = column(dl);
    std::vector<T> tx(tan_x.begin(), tan_x.end()), tc(tan_context.begin(), tan_context.end());
    if (!tx.empty()) p.tan_from = view(tx, in.rows);
    if (!tc.empty()) p.tan_context = view(tc, static_cast<int64_t>(tc.size()) / model_.context());
    session_.jvp(inverse, rows(in.x, in.rows), context(in), p);
    return {Values(y.begin(), y.end()), Values(l.begin(), l.end()), Values(dy.begin(), dy.end()),
            Values(dl.begin(), dl.end())};
  }

 private:
  // Results that nothing writes show.
  static std::vector<T> blank(size_t n) { return std::vector<T>(n, static_cast<T>(-77)); }
  size_t contexts(const Rows2& in) const { return static_cast<size_t>(in.rows * model_.context()); }
  static View view(std::vector<T>& v, int64_t rows) {
    return contiguous_view(v.data(), dtype_of<T>, {rows, rows ? static_cast<int64_t>(v.size()) / rows : 0});
  }
  static View column(std::vector<T>& v) {
    return contiguous_view(v.data(), dtype_of<T>, {static_cast<int64_t>(v.size())});
  }
  static View rows(const Values& v, int64_t rows) {
    return contiguous_view(const_cast<double*>(v.data()), DType::f64,
                           {rows, rows ? static_cast<int64_t>(v.size()) / rows : 0});
  }
  // One row for all, or one for each.
  View context(const Rows2& in) const {
    if (!model_.context()) return {};
    return rows(in.context, static_cast<int64_t>(in.context.size()) / model_.context());
  }

  FlowModel& model_;
  Executor executor_;
  Session session_;
};

}  // namespace libnf::test
