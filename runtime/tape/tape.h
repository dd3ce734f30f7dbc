// The tape: a graph that is recorded on an arena while it runs, and walked backward for gradients.
//
// A Var is a pointer to a Node. Nodes are plain data in the arena, so a rewind drops a whole graph at once.
// Gradients accumulate: a Var used twice gets both contributions. Their storage is taken, zeroed, on first touch.
// A tape belongs to one lane (one thread at a time); tapes share nothing but read-only parameters.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>

#include "runtime/core/arena.h"
#include "runtime/core/rows.h"

namespace libnf {

class InputGrads;
class InputTangents;
class Tape;
struct Node;
using Var = Node*;  // nullptr: absent (no context, or a log-det that is zero)

// Identifies a type of constants: its address differs for every A.
template <class A>
inline constexpr char kAttrType = 0;

// The result of a shape rule, which checks the inputs and returns the shapes of the outputs.
struct Shapes {
  Dims out;
  Dims extra;  // second output (e.g. a log-det), if has_extra
  bool has_extra = false;
  Dims saved;  // memory kept from forward to vjp, if has_saved (same dtype)
  bool has_saved = false;
};

enum class Layout : uint8_t {
  contiguous,  // inputs are made contiguous before the op sees them
  rows,        // inputs are at most 2-D with unit inner stride, any row stride; or contiguous
  strided,     // the op accepts any strides
};

// The tangents of an op's outputs, in the shapes of the outputs. nullptr: zero.
struct OutputTangents {
  OutputTangents(Var y_ = nullptr, Var extra_ = nullptr) : y(y_), extra(extra_) {}
  Var y, extra;
};

// How a tangent passes through an op: by a rule that records other ops, or not at all, with the reason that jvp()
// reports. There is no default, so an op cannot leave it out.
struct TangentPolicy {
  using Rule = OutputTangents (*)(Tape&, Node&, const InputTangents&);
  template <class F>
  requires std::is_convertible_v<F, Rule>
  constexpr TangentPolicy(F f) : rule(f) {}
  constexpr TangentPolicy(const char* why_none) : reason(why_none) {}
  Rule rule = nullptr;
  const char* reason = nullptr;
};

// The smallest unit whose vector-Jacobian product is written by hand. Index 0 is float32, 1 is float64.
struct Op {
  using Shape = Shapes (*)(const Node&);
  using Fn = void (*)(Tape&, Node&);
  using Vjp = void (*)(Tape&, Node&, const InputGrads&);
  const char* name;
  Layout layout;
  Shape shape;
  Fn forward[2];
  Vjp vjp[2];  // adds to the gradients of its inputs; nullptr: nothing to do
  TangentPolicy tangent;
};

struct Node {
  const Op* op = nullptr;
  Node* prev = nullptr;  // the node recorded before this one
  View out;
  void* grad = nullptr;   // same strides as out; if `base` is set, base owns it
  Node* base = nullptr;   // set if this node is a view of base's memory
  Node* extra = nullptr;  // second output
  void* saved = nullptr;
  // Of rows in float32: what rounding to float32 took from them, in the layout of out; the rows stand for out + low.
  // nullptr: nothing. Ops that do not know it use out alone, which is what they would have without it.
  float* low = nullptr;
  const void* mirror = nullptr;  // parameters: transposed, kept by the store (ParamStore::bind)
  // n_in inputs, nullptr for an absent one. For an alias: the Var it views; for a second output: its node.
  Node** in = nullptr;
  uint64_t order = 0;       // position among the nodes of the tape; inputs of a node have a lower one
  Node* tangent = nullptr;  // scratch of jvp(), valid if tangent_epoch is that of the call
  uint64_t tangent_epoch = 0;
  const void* attr_type = nullptr;  // kAttrType of the constants after this node, nullptr if it has none
  int32_t n_in = 0;
  bool needs_grad = false;
  bool grad_fresh = false;  // grad has storage with undefined content

  // Returns the constants that record() stored with this node; A is the type passed to record().
  template <class A>
  const A& attr() const {
    if (attr_type != &kAttrType<A>) [[unlikely]]
      wrong_attr();
    return *std::launder(reinterpret_cast<const A*>(this + 1));
  }
  View view(int i) const { return in[i]->out; }
  template <class T>
  const T* x(int i) const {
    return in[i] ? in[i]->out.as<T>() : nullptr;
  }
  template <class T>
  T* y() const {
    return out.as<T>();
  }

 private:
  [[noreturn]] void wrong_attr() const;
};
static_assert(std::is_trivially_destructible_v<Node> && std::is_trivially_copyable_v<Node>);

// The key of a graph's random numbers: a number is a function of (seed, stream, row), never of lanes or blocks. A row
// is identified by its global index or, if results must not depend on the row's position, by a key of its content.
struct RandomKey {
  uint64_t seed = 0;
  uint64_t step = 0;
  int64_t first_row = 0;               // global index of row 0 of this graph
  uint32_t stream = 0;                 // next stream; each random op takes one
  const uint64_t* row_keys = nullptr;  // one key per row of the graph, replacing the index; borrowed. See row_of().

  int64_t row_of(int64_t r) const { return row_keys ? static_cast<int64_t>(row_keys[r]) : first_row + r; }
};

// Cost of the recorded ops: a function of their shapes alone, so it is the same on every machine.
struct OpCost {
  int64_t work = 0;  // multiply-adds of products, plus one for every element that an op reads or writes
  int64_t kept = 0;  // elements of outputs, and of memory that ops save for their gradients
};

// How far an input that was rebuilt for a gradient is from what it was (runtime/op/reversible.h).
struct Drift {
  double worst = 0;   // error relative to the largest number of the input
  int64_t place = 0;  // what Places calls the map whose input it is
  // Of two that are equally bad takes the lower place, so that the order in which they are seen does not matter.
  void see(const Drift& d) {
    if (d.worst > worst || (d.worst == worst && d.place < place)) *this = d;
  }
};

class Tape {
 public:
  Tape(const Allocator& allocator, DType dtype) : arena_(allocator), dtype_(dtype) {}  // measuring
  Tape(const Allocator& allocator, DType dtype, size_t bytes) : arena_(allocator, bytes), dtype_(dtype) {}

  DType dtype() const { return dtype_; }
  Arena& arena() { return arena_; }
  const Arena& arena() const { return arena_; }

  // Create leaves. `input` borrows memory; `empty` and `zeros` take it from the arena and have no gradient.
  Var input(const View& view, bool needs_grad);
  Var empty(const Dims& shape);
  Var zeros(const Dims& shape);
  // A leaf with the values of v, and with what rounding took from them.
  Var leaf_of(const Node& v, bool needs_grad) {
    Var leaf = input(v.out, needs_grad);
    leaf->low = v.low;
    return leaf;
  }
  // Memory for Node::low of a contiguous v.
  float* take_low(const Node& v) { return scratch<float>(v.out.count()); }

  // Records and runs an op. Throws Error{shape} from the op's shape rule.
  Var record(const Op& op, std::initializer_list<Var> inputs) { return run(new_node(0, inputs.size()), op, inputs); }
  // Does the same for an op with constants: a small struct of the op, which is copied to memory after the node.
  // Anything its pointers point to is borrowed and must outlive the graph.
  template <class A>
  Var record(const Op& op, std::initializer_list<Var> inputs, const A& attr) {
    return record(op, std::span<const Var>(inputs.begin(), inputs.size()), attr);
  }
  template <class A>
  Var record(const Op& op, std::span<const Var> inputs, const A& attr) {
    static_assert(std::is_trivially_copyable_v<A> && std::is_trivially_destructible_v<A>);
    static_assert(alignof(A) <= alignof(Node));
    Node* n = new_node(sizeof(A), inputs.size());
    ::new (static_cast<void*>(n + 1)) A(attr);
    n->attr_type = &kAttrType<A>;
    return run(n, op, inputs);
  }
  // Makes an alias of x's memory. Gradients flow through shared storage, so there is nothing to run.
  Var alias(Var x, const View& view);

  // Returns the gradient of n, zeroed on first touch. Only for nodes with needs_grad.
  View grad(Node& n);
  // Makes sure that n has gradient storage, without writing to it. Throws Error{internal} if n is older than an open
  // ScratchScope or TapeScope, which would release the storage.
  void grad_storage(Node& n) {
    Node& owner = n.base ? *n.base : n;
    if (!owner.grad) take_grad(owner);
  }
  // Like grad, but if *fresh the content is undefined, so the caller must overwrite instead of add.
  View grad_for_write(Node& n, bool* fresh);
  // Returns the gradient that has arrived at n so far; data is nullptr if none has.
  View grad_out(const Node& n) const;

  // Runs the VJPs of everything recorded after `stop`, newest first. Seed gradients with grad() first.
  void backward(const Node* stop = nullptr) { backward(head_, stop); }
  // Does the same starting at `from`, for a gradient taken in parts: the next part starts at this part's `stop`.
  void backward(Node* from, const Node* stop);

  struct Mark {
    Arena::Mark arena;
    Node* head;
  };
  Mark mark() const { return {arena_.mark(), head_}; }
  size_t taken_since(const Mark& m) const { return arena_.mark().top - m.arena.top; }  // bytes
  void rewind(const Mark& m) {
    arena_.rewind(m.arena);
    head_ = m.head;
  }
  Node* head() const { return head_; }
  uint64_t node_count() const { return nodes_; }  // the order of the newest node

  bool recording = true;          // off: values only, no gradients
  bool training = false;          // dropout and batch statistics on
  bool through_rounding = false;  // differentiate dequantization as if it did not round to levels
  bool keeps_low = false;         // ops that know Node::low give their output one
  bool measuring = false;         // run only to measure memory: values are meaningless, and none of them is an error
  RandomKey random;
  Drift drift;  // the worst since somebody reset it
  OpCost cost;  // of the ops recorded while measuring
  // Called by ops that do more work than one operation per element.
  void count_products(int64_t multiply_adds) { cost.work += multiply_adds; }

  template <class T>
  T* scratch(int64_t n) {
    return static_cast<T*>(arena_.take(static_cast<size_t>(checked_mul(n, sizeof(T)))));
  }
  uint64_t next_epoch() { return ++epoch_; }

 private:
  friend class ScratchScope;
  friend class TapeScope;
  Node* new_node(size_t attr_bytes, size_t inputs);
  Var run(Node* n, const Op& op, std::span<const Var> inputs);
  void count(const Node& n, const Shapes& s);
  void take_grad(Node& owner);
  void* new_data(const Dims& shape);
  Arena arena_;
  DType dtype_;
  Node* head_ = nullptr;
  uint64_t nodes_ = 0;
  uint64_t epoch_ = 0;
  uint64_t sealed_ = 0;  // nodes of lower order are older than an open scope
};

// Access to the gradients of a vjp's inputs. Tape::backward creates it before calling the vjp and takes all gradient
// storage at that point, so the storage lies below the scratch memory that the vjp releases.
class InputGrads {
 public:
  // Returns whether input i needs a gradient; false for an absent input.
  bool wants(int i) const { return n_.in[i] && n_.in[i]->needs_grad; }
  // Returns the gradient of input i, to be added to.
  View add(int i) const { return t_.grad(*n_.in[i]); }
  // Like add, but if *fresh the content is undefined, so the vjp must overwrite instead of add.
  View write(int i, bool* fresh) const { return t_.grad_for_write(*n_.in[i], fresh); }

 private:
  friend class Tape;
  InputGrads(Tape& t, Node& n) : t_(t), n_(n) {
    for (int i = 0; i < n.n_in; ++i)
      if (wants(i)) t.grad_storage(*n.in[i]);
  }
  Tape& t_;
  Node& n_;
};

class TangentWalk;

// The tangents available to a tangent rule. nullptr: zero.
class InputTangents {
 public:
  // Returns the tangent of input i.
  Var operator[](int i) const { return of(node_.in[i]); }
  // Returns the tangent of any Var, including one that the rule has just recorded: a rule may rewrite its op in terms
  // of other ops and return their tangents.
  Var of(Var v) const;
  // Returns the tangents of y and extra, both recorded by the rule, when x moves along `direction` (nullptr: x is
  // fixed) and everything older than the rule moves as in this call. For implicit functions: x is the output of the op,
  // whose tangent the rule computes.
  OutputTangents along(Var x, Var direction, Var y, Var extra = nullptr) const;

 private:
  friend class TangentWalk;
  InputTangents(TangentWalk& walk, Node& node, uint64_t since) : walk_(walk), node_(node), since_(since) {}
  TangentWalk& walk_;
  Node& node_;
  uint64_t since_;  // order of the newest node when the rule was called
};

// Releases scratch memory at the end of a block.
class ScratchScope {
 public:
  explicit ScratchScope(Tape& t) : tape_(t), mark_(t.arena_.mark()), sealed_(t.sealed_) { t.sealed_ = t.nodes_ + 1; }
  ~ScratchScope() {
    tape_.sealed_ = sealed_;
    tape_.arena_.rewind(mark_);
  }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;

 private:
  Tape& tape_;
  Arena::Mark mark_;
  uint64_t sealed_;
};

// Drops everything recorded in a C++ scope at its end, even if an exception passes; keys of rows, too, which are in the
// tape's memory.
class TapeScope {
 public:
  explicit TapeScope(Tape& t) : tape_(t), mark_(t.mark()), sealed_(t.sealed_), row_keys_(t.random.row_keys) {
    t.sealed_ = t.nodes_ + 1;
  }
  ~TapeScope() {
    tape_.sealed_ = sealed_;
    tape_.random.row_keys = row_keys_;
    tape_.rewind(mark_);
  }
  TapeScope(const TapeScope&) = delete;
  TapeScope& operator=(const TapeScope&) = delete;

 private:
  Tape& tape_;
  Tape::Mark mark_;
  uint64_t sealed_;
  const uint64_t* row_keys_;
};

// Records a copy of x in row-major order.
Var contiguous(Tape& t, Var x);
// Returns x itself if an op of this layout supports it, otherwise a recorded copy.
inline Var conform(Tape& t, Var x, Layout layout) {
  const bool fits = layout == Layout::rows ? is_rows(x->out) : x->out.contiguous();
  return fits ? x : contiguous(t, x);
}

// Returns the derivative of y along `direction` of x (forward mode), recorded as Vars that can be differentiated again.
// nullptr: y does not depend on x. Throws Error{unsupported} naming an op between x and y without a tangent rule, and
// why. Call it while the graph from x to y is still on the tape.
Var jvp(Tape& t, Var y, Var x, Var direction);
// Differentiates two Vars in one walk, which is cheaper than two walks: e.g. an output and its log-det.
OutputTangents jvp(Tape& t, Var y, Var extra, Var x, Var direction);
// The same when several Vars move at once. None of them may depend on another.
struct Motion {
  Var x, direction;
};
OutputTangents jvp(Tape& t, Var y, Var extra, std::span<const Motion> motions);

}  // namespace libnf
