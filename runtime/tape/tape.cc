#include "runtime/tape/tape.h"

#include <algorithm>
#include <cstring>

namespace libnf {

namespace {

// Returns the number of elements from the first to the last one of a view, gaps included.
int64_t span_of(const View& v) {
  if (v.contiguous()) return v.count();
  int64_t span = 1;
  for (int i = 0; i < v.shape.rank; ++i) {
    if (v.shape[i] == 0) return 0;
    span += (v.shape[i] - 1) * v.stride[i];
  }
  return span;
}

}  // namespace

// Makes a contiguous view in place, because a View built elsewhere and copied stalls on store forwarding.
inline void pack(View& v, void* data, const Dims& shape) {
  v.data = data;
  v.shape = shape;
  int64_t step = 1;
  for (int i = shape.rank - 1; i >= 0; --i) {
    v.stride[i] = step;
    step *= shape[i];  // new_data has checked the product
  }
}

void Node::wrong_attr() const {
  fail(Code::internal, "%s: its constants are of another type", op ? op->name : "a leaf");
}

// The constants and then the inputs follow the node in memory. A leaf has room for one input, nullptr.
Node* Tape::new_node(size_t attr_bytes, size_t inputs) {
  // Cleared line by line: for the whole size gcc would emit `rep stos`, whose start-up costs more than the stores.
  constexpr size_t kLine = 64, kBytes = (sizeof(Node) + sizeof(Node*) + kLine - 1) / kLine * kLine;
  const size_t at_inputs = sizeof(Node) + (attr_bytes + alignof(Node*) - 1) / alignof(Node*) * alignof(Node*);
  auto* bytes = static_cast<char*>(arena_.take(std::max(kBytes, at_inputs + inputs * sizeof(Node*))));
  for (size_t i = 0; i < kBytes; i += kLine) std::memset(bytes + i, 0, kLine);
  auto* n = static_cast<Node*>(static_cast<void*>(bytes));  // trivially copyable, so bytes make a node
  n->in = static_cast<Node**>(static_cast<void*>(bytes + at_inputs));
  n->out.dtype = dtype_;
  n->order = ++nodes_;
  return n;
}

inline void* Tape::new_data(const Dims& shape) {
  return arena_.take(static_cast<size_t>(checked_mul(shape.count(), size_of(dtype_))));
}

void Tape::count(const Node& n, const Shapes& s) {
  const int64_t out = s.out.count() + (s.has_extra ? s.extra.count() : 0);
  cost.kept += out + (s.has_saved ? s.saved.count() : 0);
  cost.work += out;
  for (int i = 0; i < n.n_in; ++i)
    if (n.in[i]) cost.work += n.in[i]->out.count();
}

Var Tape::input(const View& view, bool needs_grad) {
  Node* n = new_node(0, 0);
  n->out = view;
  n->needs_grad = needs_grad && recording;
  return n;
}

Var Tape::empty(const Dims& shape) {
  Node* n = new_node(0, 0);
  pack(n->out, new_data(shape), shape);
  return n;
}

Var Tape::zeros(const Dims& shape) {
  Var v = empty(shape);
  std::memset(v->out.data, 0, static_cast<size_t>(shape.count() * size_of(dtype_)));
  return v;
}

Var Tape::run(Node* n, const Op& op, std::span<const Var> inputs) {
  n->op = &op;
  for (Var v : inputs) {
    if (v && op.layout != Layout::strided) v = conform(*this, v, op.layout);
    n->in[n->n_in++] = v;
    n->needs_grad |= recording && v && v->needs_grad;
  }
  const Shapes s = op.shape(*n);
  pack(n->out, new_data(s.out), s.out);
  if (s.has_extra) {
    n->extra = new_node(0, 1);
    pack(n->extra->out, new_data(s.extra), s.extra);
    n->extra->needs_grad = n->needs_grad;
    n->extra->in[0] = n;
  }
  if (s.has_saved) n->saved = new_data(s.saved);
  if (measuring) [[unlikely]]
    count(*n, s);
  if (n->needs_grad) {
    n->prev = head_;
    head_ = n;
  }
  op.forward[dtype_ == DType::f64](*this, *n);
  return n;
}

Var Tape::alias(Var x, const View& view) {
  Node* n = new_node(0, 1);
  n->out = view;
  n->base = x->base ? x->base : x;
  n->needs_grad = x->needs_grad;
  n->in[0] = x;  // for jvp: the tangent is the same alias of the tangent of x
  n->n_in = 1;
  return n;
}

void Tape::take_grad(Node& owner) {
  if (owner.order < sealed_) fail(Code::internal, "gradient storage of a node is taken in a scope that gives it back");
  owner.grad = arena_.take(static_cast<size_t>(checked_mul(span_of(owner.out), size_of(dtype_))));
  owner.grad_fresh = true;
}

View Tape::grad_for_write(Node& n, bool* fresh) {
  if (n.base) {
    *fresh = false;
    const View g = grad(*n.base);
    View v = n.out;
    v.data = static_cast<char*>(g.data) + (static_cast<char*>(n.out.data) - static_cast<char*>(n.base->out.data));
    return v;
  }
  grad_storage(n);
  *fresh = n.grad_fresh;
  n.grad_fresh = false;
  View v = n.out;
  v.data = n.grad;
  return v;
}

View Tape::grad(Node& n) {
  bool fresh;
  View v = grad_for_write(n, &fresh);
  if (fresh) std::memset(v.data, 0, static_cast<size_t>(span_of(v) * size_of(dtype_)));
  return v;
}

// Returns whether a gradient has arrived at n.
static bool grad_arrived(const Node& n) {
  const Node& owner = n.base ? *n.base : n;
  return owner.grad && !owner.grad_fresh;
}

View Tape::grad_out(const Node& n) const {
  if (!grad_arrived(n)) return View{};
  const Node& owner = n.base ? *n.base : n;
  View v = n.out;
  v.data = static_cast<char*>(owner.grad) + (static_cast<char*>(n.out.data) - static_cast<char*>(owner.out.data));
  return v;
}

void Tape::backward(Node* from, const Node* stop) {
  for (Node* n = from; n && n != stop; n = n->prev) {
    const auto fn = n->op->vjp[dtype_ == DType::f64];
    if (!fn) continue;
    if (!grad_arrived(*n) && !(n->extra && grad_arrived(*n->extra))) continue;
    fn(*this, *n, InputGrads(*this, *n));
  }
}

}  // namespace libnf
