// Puts a setting of a tape back at the end of a block, also when an error passes: the tape goes on to be used (after a
// root that was missed, say).
#pragma once

namespace nf {

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

}  // namespace nf
