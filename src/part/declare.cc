#include "src/part/declare.h"

namespace libnf {

ParamId Declare::add(ParamInfo info) const {
  info.shape.count();  // throws on overflow here, where the name is known
  info.name = prefix_ + info.name;
  if (!info.old_name.empty()) info.old_name = prefix_ + info.old_name;
  all_.push_back(std::move(info));
  return static_cast<ParamId>(all_.size() - 1);
}

void Declare::reject(const char* field, const char* why) const {
  fail(Code::spec, "%s.%s: %s", path_.c_str(), field, why);
}

}  // namespace libnf
