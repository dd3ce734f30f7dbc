// Every op family of this build (a generated list, see runtime/op/meson.build).
#pragma once
#include <span>

#include "runtime/op/family.h"

namespace libnf {
std::span<const OpFamily* const> op_families();
}  // namespace libnf
