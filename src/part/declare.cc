#include "src/part/declare.h"

namespace nf {

ParamId Declare::add(const std::string& name, const Dims& shape, Init init, bool trainable, Invariant invariant,
                     const char* old_name) const {
  shape.count();  // throws on overflow here, where the name is known
  all_.push_back({prefix_ + name, shape, std::move(init), trainable, invariant, *old_name ? prefix_ + old_name : ""});
  return static_cast<ParamId>(all_.size() - 1);
}

void Declare::reject(const char* field, const char* why) const {
  fail(Code::spec, "%s.%s: %s", path_.c_str(), field, why);
}

}  // namespace nf
