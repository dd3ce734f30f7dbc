// Restores a setting of a tape at the end of a block, even if an exception passes, because the tape stays in use (e.g.
// after a root that was not found).
#pragma once

namespace libnf {

template <class V>
class Restore {
 public:
  explicit Restore(V& value) : value_(value), before_(value) {}
  ~Restore() { value_ = before_; }
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;

 private:
  V& value_;
  V before_;
};

}  // namespace libnf
