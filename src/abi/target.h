// The nf_target handle.
#pragma once
#include <memory>

#include "nf/nf.h"
#include "src/abi/handles.h"
#include "src/target/target.h"

struct nf_target {
  std::shared_ptr<libnf::RuntimeState> runtime;
  std::shared_ptr<const libnf::Target> target;
  bool builtin;
};
